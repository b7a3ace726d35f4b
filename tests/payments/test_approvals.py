"""Money that people return: small sums at once, larger ones when another person agrees."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import override_settings

from kameng.alerts.models import Alert
from kameng.audit.services import audit
from kameng.pages.story import order_story
from orders.access import order_token
from orders.models import Order
from payments.approvals import NEEDS_APPROVAL, refund_approve, refund_ask, refund_reject
from payments.exceptions import NeedsAnother, RefundDecided, RefundRefused, RefundTooEarly, RefundTooLarge
from payments.models import Refund
from payments.refund_outcomes import refund_run
from payments.refunds import line_refund, refund_request, refundable
from resellers.models import Reseller
from tests.factories import on_sale, open_payment, place
from tests.flows import asked_gateway, books, confirm, drain, events, outbox, states
from tests.payments.test_refunds import delivered, failed, moves
from tests.program import Program

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

ASKER, OTHER = "staff:asker", "staff:other"


@pytest.fixture(autouse=True)
def _limit() -> Any:
    with override_settings(REFUND_SECOND_APPROVER_ABOVE=Decimal("20")):
        yield


def ask(order: Order, amount: str, *, key: str = "1", **wish: Any) -> Refund:
    """Somebody returns a part of the only line's sixty yuan."""
    told = {"reason": "补偿", "note": "买家截图，渠道承认", "actor": ASKER, **wish}
    return refund_ask(line_id=order.lines.get().pk, amount=Decimal(amount), key=key, **told)


def alerted() -> list[str]:
    """Refunds of which operators are told."""
    return list(Alert.objects.filter(kind=NEEDS_APPROVAL, closed_at__isnull=True).values_list("subject", flat=True))


def unbroken() -> bool:
    """Whether the book agrees with the rows."""
    return [example for verdict in audit() for example in verdict.examples] == []


def test_up_to_the_limit_it_goes_at_once_and_the_same_wish_once(shop: Reseller) -> None:
    order = delivered(shop)
    refund = ask(order, "20.00")
    assert ask(order, "20.00").pk == refund.pk
    assert (refund.status, refund.needs_two, outbox("refund.run")) == ("created", False, [{"refund_id": refund.pk}])
    drain()
    assert moves() == [(refund.number, "20.00")]
    assert alerted() == []


def test_above_the_limit_nothing_moves_until_another_agrees(shop: Reseller) -> None:
    order = delivered(shop)
    refund = ask(order, "45.00")
    assert (refund.status, outbox("refund.run"), alerted()) == ("waiting", [], [refund.number])
    assert refund_run(refund_id=refund.pk) is None
    assert (asked_gateway("refund"), refundable(order.payments.get())) == (0, Decimal("15.00"))
    assert unbroken()
    with pytest.raises(RefundTooLarge, match="15"):
        ask(order, "15.01", key="2")
    with pytest.raises(NeedsAnother):
        refund_approve(refund_id=refund.pk, actor=ASKER)
    for _ in range(2):
        refund_approve(refund_id=refund.pk, actor=OTHER)
    assert (outbox("refund.run"), alerted()) == ([{"refund_id": refund.pk}], [])
    drain()
    refund.refresh_from_db()
    assert (refund.status, refund.decided_by, moves()) == ("succeeded", OTHER, [(refund.number, "45.00")])
    assert events(order, "refund.asked", "refund.approved", "refund.created", "refund.succeeded") == [
        "refund.asked", "refund.approved", "refund.created", "refund.succeeded",
    ]  # fmt: skip
    with pytest.raises(RefundDecided):
        refund_reject(refund_id=refund.pk, reason="想想不对", actor=OTHER)


def test_many_small_sums_of_one_order_are_a_large_one(shop: Reseller) -> None:
    order = delivered(shop)
    assert [ask(order, "10.00", key=key).status for key in "123"] == ["created", "created", "waiting"]


def test_a_rejected_one_frees_its_amount_and_is_never_sent(shop: Reseller) -> None:
    order = delivered(shop)
    refund = ask(order, "60.00")
    with pytest.raises(RefundRefused):
        refund_reject(refund_id=refund.pk, reason=" ", actor=OTHER)
    for _ in range(2):
        refund_reject(refund_id=refund.pk, reason="依据不足", actor=OTHER)
    with pytest.raises(RefundDecided):
        refund_approve(refund_id=refund.pk, actor=OTHER)
    drain()
    assert (asked_gateway("refund"), alerted(), states(order)) == (0, [], ("fulfilled", "delivered"))
    again = ask(order, "60.00", key="2")
    refund_approve(refund_id=again.pk, actor=OTHER)
    drain()
    assert states(order) == ("refunded", "refunded")
    assert unbroken()


def test_shoppers_see_that_it_is_looked_at_and_programs_what_is_decided(shop: Reseller) -> None:
    order = delivered(shop)
    refund = ask(order, "45.00")

    def told() -> Any:
        return Program().get(f"orders/{order.number}/", token=order_token(order)).json()["refunds"]

    assert ([face.label for face in order_story(order).refunds], told()) == (["退款审核中"], [])
    refund_reject(refund_id=refund.pk, reason="依据不足", actor=OTHER)
    assert (order_story(order).refunds, told()) == ([], [])


def test_the_database_itself_wants_two(shop: Reseller) -> None:
    refund = ask(delivered(shop), "45.00")
    for by in ("", ASKER):
        with pytest.raises(IntegrityError), transaction.atomic():
            Refund.objects.filter(pk=refund.pk).update(status="created", decided_by=by)


def test_the_fee_of_what_was_rejected_falls_on_nobody(shop: Reseller) -> None:
    """Parts are reckoned when they are decided, so that they never are more than the whole."""
    order = delivered(shop)
    order.payments.update(fee=Decimal("0.01"))
    waiting = ask(order, "22.00", key="1")
    refund_approve(refund_id=ask(order, "30.00", key="2").pk, actor=OTHER)
    refund_reject(refund_id=waiting.pk, reason="依据不足", actor=OTHER)
    refund_approve(refund_id=ask(order, "30.00", key="3").pk, actor=OTHER)
    assert sum(Refund.objects.exclude(status="rejected").values_list("fee", flat=True)) == Decimal("0.01")


def test_what_goes_back_by_itself_waits_for_nobody(shop: Reseller) -> None:
    with override_settings(REFUND_SECOND_APPROVER_ABOVE=Decimal("0")):
        order = failed(shop)
        line_refund(line_id=order.lines.get().pk)
        twice = place(shop, on_sale(suppliers=("first",)))
        for payment in [open_payment(shop, twice), open_payment(shop, twice, channel="h5")]:
            confirm(payment)
        drain()
    causes = {"surplus", *(f"line:{one.lines.get().pk}" for one in (order, twice))}
    assert set(Refund.objects.values_list("cause", "status", "needs_two", "amount")) == {
        (cause, "succeeded", False, Decimal("60.00")) for cause in causes
    }


def test_what_a_part_lacks_goes_back_by_itself_whatever_waits(shop: Reseller) -> None:
    """A line of two of which one arrived: people may return what arrived, and that holds nothing else up."""
    order = delivered(shop)
    line = order.lines.get()
    order.lines.update(quantity=2, short_quantity=1, price=Decimal("30.00"), supply_price=Decimal("28.50"))
    refund = ask(order, "30.00")
    assert refund.status == "waiting"
    with pytest.raises(RefundTooLarge):
        ask(order, "0.01", key="2")
    line_refund(line_id=line.pk)
    assert Refund.objects.get(cause=f"short:{line.pk}").amount == Decimal("30.00")


def test_a_wish_that_is_wrong_changes_nothing(shop: Reseller) -> None:
    order = delivered(shop)
    before = books(order)
    wrong: list[tuple[str, dict[str, str], type[Exception]]] = [
        ("60.01", {}, RefundTooLarge),
        ("0", {}, RefundTooLarge),
        ("1.001", {}, RefundRefused),
        ("5", {"reason": "随便"}, RefundRefused),
        ("5", {"note": "短"}, RefundRefused),
    ]
    for amount, wish, refusal in wrong:
        with pytest.raises(refusal):
            ask(order, amount, **wish)
    assert books(order) == before


def test_nobody_asks_for_what_may_still_arrive_or_goes_back_by_itself(shop: Reseller) -> None:
    order = failed(shop)
    with pytest.raises(RefundTooEarly):
        ask(order, "5")
    assert refund_request(
        payment_id=order.payments.get().pk, amount=Decimal(60), cause="line:1", reason="", actor="system",
        line_id=order.lines.get().pk,
    ).status == "created"  # fmt: skip
