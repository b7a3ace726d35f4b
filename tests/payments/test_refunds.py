"""Returning money."""

from decimal import Decimal
from typing import Any

import pytest

from kameng.audit.services import audit
from kameng.outbox.models import OutboxEvent
from orders.models import Order, OrderLine
from orders.services import Buyer, LineRequest, order_place
from payments.approvals import refund_by_hand, refund_retry
from payments.exceptions import IllegalTransition, RefundNotStuck, RefundTooEarly, RefundTooLarge
from payments.gateways.base import (
    GatewayRefused,
    GatewayUnavailable,
    GatewayUnknown,
    RefundResult,
    RefundStatus,
)
from payments.models import Payment, Refund
from payments.refund_outcomes import refund_apply, refund_run, refund_transition
from payments.refunds import line_refund, refund_request, refundable, surplus_refund
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import CONTACT, on_sale, open_payment, place
from tests.flows import (
    REFUSED,
    TOPPED_UP,
    asked_gateway,
    books,
    confirm,
    drain,
    events,
    fulfill,
    in_a_moment,
    outbox,
    paid,
    part_payment,
    states,
)

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


def failed(shop: Reseller, *, quantity: int = 1) -> Order:
    """A paid order whose only line nobody can deliver; nothing is refunded yet."""
    ScriptedSupplier.on_submit("first", REFUSED)
    order = paid(shop, on_sale(suppliers=("first",)), quantity=quantity)
    OutboxEvent.objects.all().delete()
    fulfill(order)
    assert states(order) == ("paid", "failed")
    return order


def delivered(shop: Reseller) -> Order:
    """A paid order whose only line has arrived."""
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale(suppliers=("first",)))
    fulfill(order)
    return order


def waiting_refund(shop: Reseller) -> Refund:
    """A refund that the gateway has not heard of."""
    line_refund(line_id=failed(shop).lines.get().pk)
    return Refund.objects.get()


def moves() -> list[tuple[str, str]]:
    """Every return of money the gateway was asked for: number and amount."""
    return [(call.refund, str(call.amount)) for verb, call in ScriptedGateway.calls if verb == "refund"]


# --- deciding -----------------------------------------------------------------------------------------


def test_a_line_that_failed_is_refunded_once(shop: Reseller) -> None:
    order = failed(shop, quantity=2)
    line = order.lines.get()
    for _ in range(3):
        line_refund(line_id=line.pk)
    refund = Refund.objects.get()
    assert (refund.amount, refund.line_id, refund.cause, refund.actor, refund.status) == (
        Decimal("120.00"), line.pk, f"line:{line.pk}", "system", "created",
    )  # fmt: skip
    assert outbox("refund.run") == [{"refund_id": refund.pk}]
    assert events(order, "refund.created", "refund.short") == ["refund.created"]
    assert refund.number[:3] == refund.payment.number[:3]
    assert len(refund.number) == 24


@pytest.mark.parametrize("status", ["waiting", "queued", "buying", "verifying", "manual", "delivered", "refunded"])
def test_only_a_failed_line_is_refunded_by_itself(shop: Reseller, status: str) -> None:
    order = failed(shop)
    OrderLine.objects.update(status=status)
    before = books(order)
    line_refund(line_id=order.lines.get().pk)
    assert books(order) == before


@pytest.mark.parametrize("status", ["waiting", "queued", "buying", "verifying", "manual", "refunded"])
def test_nobody_can_refund_what_may_still_arrive(shop: Reseller, status: str) -> None:
    order = failed(shop)
    OrderLine.objects.update(status=status)
    before, payment = books(order), order.payments.get()
    for line_id in (order.lines.get().pk, None):
        with pytest.raises(RefundTooEarly):
            refund_request(
                payment_id=payment.pk, amount=Decimal("1"), cause="ops", reason="", actor="ops", line_id=line_id
            )
    assert books(order) == before


@pytest.mark.parametrize("amount", ["0", "-1", "60.01", "1000000"])
def test_no_more_goes_out_than_came_in(shop: Reseller, amount: str) -> None:
    order = failed(shop)
    before, payment = books(order), order.payments.get()
    with pytest.raises(RefundTooLarge):
        refund_request(
            payment_id=payment.pk, amount=Decimal(amount), cause="ops", reason="", actor="ops",
            line_id=order.lines.get().pk,
        )  # fmt: skip
    assert books(order) == before


def test_no_more_goes_out_for_a_line_than_it_cost(shop: Reseller) -> None:
    """The payment covers two lines; the second line's money is not the first one's."""
    ScriptedSupplier.on_submit("first", REFUSED)
    one, two = on_sale(suppliers=("first",)), on_sale(suppliers=("first",))
    lines = [LineRequest(variant.sku, 1, {"uid": "482019375"}) for variant in (one, two)]
    order = order_place(shop=shop, lines=lines, contact=CONTACT, buyer=Buyer()).order
    payment = open_payment(shop, order)
    confirm(payment)
    first = order.lines.all()[0]
    OrderLine.objects.filter(pk=first.pk).update(status="failed")
    line_refund(line_id=first.pk)
    with pytest.raises(RefundTooLarge):
        refund_request(
            payment_id=payment.pk, amount=Decimal("0.01"), cause="ops", reason="", actor="ops", line_id=first.pk
        )
    assert [refund.amount for refund in Refund.objects.all()] == [Decimal("60.00")]


def test_money_that_did_not_come_is_not_returned(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    before = books(order)
    with pytest.raises(RefundTooLarge):
        refund_request(payment_id=payment.pk, amount=Decimal("1"), cause="x", reason="", actor="ops")
    surplus_refund(payment_id=payment.pk)
    assert books(order) == before


def test_the_same_cause_is_refunded_once(shop: Reseller) -> None:
    order = failed(shop)
    wish: dict[str, Any] = {"payment_id": order.payments.get().pk, "cause": "ops:1", "reason": "", "actor": "ops"}
    line_id = order.lines.get().pk
    first = refund_request(amount=Decimal("10"), line_id=line_id, **wish)
    second = refund_request(amount=Decimal("50"), line_id=line_id, **wish)
    assert first.pk == second.pk
    assert Refund.objects.get().amount == Decimal("10.00")
    assert refundable(order.payments.get()) == Decimal("50.00")


def test_a_line_paid_in_parts_is_refunded_in_parts(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    order = place(shop, on_sale(suppliers=("first",)))
    for amount in ("25.00", "35.00"):
        confirm(part_payment(order, amount=Decimal(amount)))
    drain()
    assert states(order) == ("refunded", "refunded")
    returned = dict(Refund.objects.values_list("payment__amount", "amount"))
    assert returned == {Decimal("25.00"): Decimal("25.00"), Decimal("35.00"): Decimal("35.00")}


def test_a_line_that_the_payments_cannot_cover_is_said_to_be_short(shop: Reseller) -> None:
    order = failed(shop)
    Payment.objects.update(amount=Decimal("40.00"))
    line_refund(line_id=order.lines.get().pk)
    assert Refund.objects.get().amount == Decimal("40.00")
    assert order.events.get(name="refund.short").data == {"amount": "20.00"}


def test_surplus_is_returned_once(shop: Reseller) -> None:
    order = place(shop, on_sale())
    first, second = open_payment(shop, order), open_payment(shop, order, channel="h5")
    confirm(first)
    confirm(second)
    for _ in range(3):
        surplus_refund(payment_id=second.pk)
    assert [(refund.payment_id, refund.amount) for refund in Refund.objects.all()] == [(second.pk, Decimal("60.00"))]


def test_money_that_paid_the_order_is_no_surplus(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    confirm(payment)
    before = books(order)
    surplus_refund(payment_id=payment.pk)
    assert books(order) == before


def test_surplus_that_is_returned_already_leaves_nothing_to_do(shop: Reseller) -> None:
    """A row that failed over this would come back for ever."""
    order = place(shop, on_sale())
    first, second = open_payment(shop, order), open_payment(shop, order, channel="h5")
    confirm(first)
    confirm(second)
    refund_request(payment_id=second.pk, amount=Decimal("60.00"), cause="ops", reason="", actor="ops")
    before = books(order)
    surplus_refund(payment_id=second.pk)
    assert books(order) == before


# --- telling the gateway ------------------------------------------------------------------------------


def test_a_refund_that_succeeds_ends_line_and_order(shop: Reseller) -> None:
    refund = waiting_refund(shop)
    assert refund_run(refund_id=refund.pk) is None
    refund.refresh_from_db()
    assert (refund.status, refund.reference) == ("succeeded", f"R{refund.number}")
    assert refund.finished_at is not None
    order = refund.payment.order
    assert states(order) == ("refunded", "refunded")
    assert events(order, "refund.succeeded", "line.refunded", "order.refunded") == [
        "refund.succeeded", "line.refunded", "order.refunded",
    ]  # fmt: skip
    assert refund_run(refund_id=refund.pk) is None
    assert moves() == [(refund.number, "60.00")]


def test_the_gateway_is_told_payment_total_and_reason(shop: Reseller) -> None:
    refund = waiting_refund(shop)
    refund_run(refund_id=refund.pk)
    request = ScriptedGateway.calls[-1][1]
    payment = refund.payment
    assert (request.payment, request.reference, request.refund) == (payment.number, f"T{payment.number}", refund.number)
    assert (request.amount, request.total) == (Decimal("60.00"), Decimal("60.00"))
    assert request.reason == "没充成，自动退款"


def test_a_refund_under_way_is_asked_about_not_sent_again(shop: Reseller) -> None:
    ScriptedGateway.refund_status = RefundStatus.PENDING
    refund = waiting_refund(shop)
    assert refund_run(refund_id=refund.pk) == 1
    assert refund_run(refund_id=refund.pk) == 1
    assert (asked_gateway("refund"), asked_gateway("refund_query")) == (1, 1)
    with in_a_moment(120):
        assert refund_run(refund_id=refund.pk) == 30
    assert states(refund.payment.order) == ("paid", "failed")
    done = RefundResult(refund=refund.number, status=RefundStatus.SUCCEEDED, amount=refund.amount)
    ScriptedGateway.refunds[refund.number] = done
    assert refund_run(refund_id=refund.pk) is None
    assert states(refund.payment.order) == ("refunded", "refunded")
    assert asked_gateway("refund") == 1


def test_a_refund_that_the_gateway_does_not_know_is_sent_again_under_its_number(shop: Reseller) -> None:
    refund = waiting_refund(shop)
    Refund.objects.update(status="pending")
    assert refund_run(refund_id=refund.pk) is None
    assert [verb for verb, _ in ScriptedGateway.calls[-2:]] == ["refund_query", "refund"]
    assert moves() == [(refund.number, "60.00")]


@pytest.mark.parametrize("failure", [GatewayUnavailable("down"), GatewayUnknown("no answer")], ids=type)
def test_no_answer_is_tried_again_under_the_same_number(shop: Reseller, failure: Exception) -> None:
    ScriptedGateway.failures["refund"] = failure
    refund = waiting_refund(shop)
    assert refund_run(refund_id=refund.pk) == 1
    refund.refresh_from_db()
    assert refund.status == "created"
    assert states(refund.payment.order) == ("paid", "failed")
    ScriptedGateway.failures.clear()
    assert refund_run(refund_id=refund.pk) is None
    assert {number for number, _ in moves()} == {refund.number}
    assert Refund.objects.count() == 1


def test_a_refusal_is_for_people_and_holds_the_money(shop: Reseller) -> None:
    ScriptedGateway.failures["refund"] = GatewayRefused("NOT_ENOUGH", "no balance")
    refund = waiting_refund(shop)
    assert refund_run(refund_id=refund.pk) is None
    refund.refresh_from_db()
    assert (refund.status, refund.code) == ("failed", "NOT_ENOUGH")
    order = refund.payment.order
    assert states(order) == ("paid", "failed")
    assert events(order, "refund.failed") == ["refund.failed"]
    assert refundable(refund.payment) == Decimal("0.00")
    assert refund_run(refund_id=refund.pk) is None
    assert asked_gateway("refund") == 1


def test_a_failed_refund_is_retried_under_its_number(shop: Reseller) -> None:
    ScriptedGateway.failures["refund"] = GatewayRefused("NOT_ENOUGH")
    refund = waiting_refund(shop)
    refund_run(refund_id=refund.pk)
    ScriptedGateway.failures.clear()
    OutboxEvent.objects.all().delete()

    refund_retry(refund_id=refund.pk, actor="ops")
    refund_retry(refund_id=refund.pk, actor="ops")

    assert outbox("refund.run") == [{"refund_id": refund.pk}]
    drain()
    assert states(refund.payment.order) == ("refunded", "refunded")
    assert {number for number, _ in moves()} == {refund.number}
    assert events(refund.payment.order, "refund.retried") == ["refund.retried"]


@pytest.mark.parametrize("status", ["created", "pending", "succeeded"])
def test_only_a_failed_refund_is_retried(shop: Reseller, status: str) -> None:
    refund = waiting_refund(shop)
    Refund.objects.update(status=status)
    before = books(refund.payment.order)
    refund_retry(refund_id=refund.pk, actor="ops")
    refund.refresh_from_db()
    assert refund.status == status
    assert books(refund.payment.order) == before


def test_what_a_person_returned_elsewhere_is_written_down_once(shop: Reseller) -> None:
    ScriptedGateway.failures["refund"] = GatewayRefused("NO_SUCH_CALL")
    refund = waiting_refund(shop)
    refund_run(refund_id=refund.pk)
    done = {"refund_id": refund.pk, "reference": "BANK-20261129-7", "note": "渠道后台显示已退款", "actor": "ops"}
    refund_by_hand(**done)  # type: ignore[arg-type]
    with pytest.raises(RefundNotStuck):
        refund_by_hand(**done)  # type: ignore[arg-type]
    refund.refresh_from_db()
    assert (refund.status, refund.reference, refund.code) == ("succeeded", "BANK-20261129-7", "by_hand")
    order = refund.payment.order
    assert states(order) == ("refunded", "refunded")
    assert events(order, "refund.by_hand", "refund.succeeded") == ["refund.by_hand", "refund.succeeded"]
    assert asked_gateway("refund") == 1
    assert [example for verdict in audit() for example in verdict.examples] == []


@pytest.mark.parametrize("status", ["created", "pending", "succeeded"])
def test_what_the_gateway_is_still_at_is_ended_by_nobody_else(shop: Reseller, status: str) -> None:
    refund = waiting_refund(shop)
    Refund.objects.update(status=status)
    before = books(refund.payment.order)
    with pytest.raises(RefundNotStuck):
        refund_by_hand(refund_id=refund.pk, reference="BANK-7", note="渠道后台显示已退款", actor="ops")
    assert books(refund.payment.order) == before


# --- the books ----------------------------------------------------------------------------------------


def said(refund: Refund, status: RefundStatus, amount: Decimal | None = None) -> None:
    """The gateway says so."""
    result = RefundResult(refund=refund.number, status=status, reference="R1", amount=amount, code="WHY")
    refund_apply(refund_id=refund.pk, result=result, actor="notice")


def test_success_is_booked_once_and_for_ever(shop: Reseller) -> None:
    refund = waiting_refund(shop)
    said(refund, RefundStatus.SUCCEEDED)
    before = books(refund.payment.order), events(refund.payment.order)
    for status in RefundStatus:
        said(refund, status)
    assert (books(refund.payment.order), events(refund.payment.order)) == before
    refund.refresh_from_db()
    assert refund.status == "succeeded"


def test_success_after_failure_counts(shop: Reseller) -> None:
    refund = waiting_refund(shop)
    said(refund, RefundStatus.FAILED)
    said(refund, RefundStatus.FAILED)
    assert events(refund.payment.order, "refund.failed") == ["refund.failed"]
    said(refund, RefundStatus.SUCCEEDED)
    assert states(refund.payment.order) == ("refunded", "refunded")


def test_another_amount_than_ours_is_for_people(shop: Reseller) -> None:
    refund = waiting_refund(shop)
    for _ in range(3):
        said(refund, RefundStatus.SUCCEEDED, Decimal("59.99"))
    refund.refresh_from_db()
    assert (refund.status, refund.code) == ("failed", "amount_mismatch")
    order = refund.payment.order
    assert states(order) == ("paid", "failed")
    assert [event.data["theirs"] for event in order.events.filter(name="refund.mismatch")] == ["59.99"]
    said(refund, RefundStatus.SUCCEEDED, Decimal("60.00"))
    assert states(order) == ("refunded", "refunded")


def test_an_order_that_was_delivered_can_be_refunded_by_a_person(shop: Reseller) -> None:
    order = delivered(shop)
    payment = order.payments.get()
    refund_request(
        payment_id=payment.pk, amount=Decimal("60.00"), cause="ops:1", reason="goodwill", actor="ops",
        line_id=order.lines.get().pk,
    )  # fmt: skip
    drain()
    assert states(order) == ("refunded", "refunded")
    assert events(order, "order.fulfilled", "order.refunded") == ["order.fulfilled", "order.refunded"]


def test_part_of_a_lines_price_leaves_the_line_delivered(shop: Reseller) -> None:
    order = delivered(shop)
    refund_request(
        payment_id=order.payments.get().pk, amount=Decimal("10.00"), cause="ops:1", reason="", actor="ops",
        line_id=order.lines.get().pk,
    )  # fmt: skip
    drain()
    assert states(order) == ("fulfilled", "delivered")
    assert Refund.objects.get().status == "succeeded"


def test_a_refunds_status_has_one_door(shop: Reseller) -> None:
    refund = waiting_refund(shop)
    said(refund, RefundStatus.SUCCEEDED)
    refund.refresh_from_db()
    with pytest.raises(IllegalTransition):
        refund_transition(refund, to=Refund.Status.PENDING)
    refund.refresh_from_db()
    assert refund.status == "succeeded"
