"""What telling the books about money leads to: right, wrong, in parts, twice, late."""

from decimal import Decimal
from typing import Any

import pytest
from django.db.models import F

from kameng.outbox.models import OutboxEvent
from orders.models import Order
from orders.services import order_expire
from payments.exceptions import IllegalTransition
from payments.gateways.base import (
    GatewayStatus,
    PaymentResult,
)
from payments.models import Payment, Refund
from payments.services import (
    Applied,
    Verdict,
    payment_apply,
    payment_transition,
)
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale, open_payment, place
from tests.flows import REFUSED, asked_gateway, books, confirm, drain, events, outbox, part_payment, states

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


def test_right_money_settles_the_order_once(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    assert confirm(payment) == Applied(Verdict.CONFIRMED)
    assert confirm(payment, actor="schedule") == Applied(Verdict.REPEATED)
    payment.refresh_from_db()
    assert (payment.status, payment.reference, payment.is_surplus) == ("confirmed", f"T{payment.number}", False)
    assert payment.confirmed_at is not None
    assert states(order) == ("paid", "queued")
    assert outbox("order.paid") == [{"order_id": order.pk}]
    assert events(order, "payment.confirmed", "order.paid") == ["payment.confirmed", "order.paid"]


WRONG = {
    "too little": {"amount": Decimal("59.99")},
    "too much": {"amount": Decimal("60.01")},
    "a hundredth": {"amount": Decimal("0.60")},
    "no amount": {"amount": None},
    "currency": {"currency": "USD"},
    "no currency": {"currency": ""},
    "merchant": {"merchant": "merchant-2"},
    "no merchant": {"merchant": ""},
    "app": {"app": "app-2"},
    "number": {"payment": "000000000000000000000000"},
    "no reference": {"reference": ""},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_wrong_money_is_refused_and_kept(shop: Reseller, changes: dict[str, Any]) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    before = books(order)
    applied = confirm(payment, **changes)
    assert applied.verdict == Verdict.REFUSED
    assert applied.reason
    assert books(order) == before
    assert order.events.get(name="payment.refused").data == {"payment": payment.number, "reason": applied.reason}


def test_wrong_money_is_noted_once_however_often_it_is_told(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    for _ in range(5):
        confirm(payment, amount=Decimal("1.00"))
    assert events(order, "payment.refused") == ["payment.refused"]
    confirm(payment, amount=Decimal("2.00"))
    assert events(order, "payment.refused") == ["payment.refused"] * 2


def test_wrong_money_does_not_stop_right_money(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    confirm(payment, amount=Decimal("1.00"))
    assert confirm(payment).verdict == Verdict.CONFIRMED
    assert states(order) == ("paid", "queued")


def test_one_transaction_of_the_gateway_pays_one_attempt(shop: Reseller) -> None:
    variant = on_sale()
    first, second = (open_payment(shop, place(shop, variant)) for _ in range(2))
    confirm(first, reference="T1")
    applied = confirm(second, reference="T1")
    assert applied == Applied(Verdict.REFUSED, "reference T1 belongs to another payment")
    assert states(second.order) == ("pending", "waiting")


def test_a_second_transaction_under_one_number_is_refused_and_kept(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    confirm(payment, reference="T1")
    before = books(order)
    for _ in range(2):
        assert confirm(payment, reference="T2").verdict == Verdict.REFUSED
    assert books(order)[:2] == before[:2]
    assert events(order, "payment.refused") == ["payment.refused"]
    assert outbox("payment.contradicted") == [{"payment_id": payment.pk}]


@pytest.mark.parametrize("status", [GatewayStatus.PENDING, GatewayStatus.MISSING])
def test_no_end_changes_nothing(shop: Reseller, status: GatewayStatus) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    before = books(order)
    result = PaymentResult(payment=payment.number, status=status)
    assert payment_apply(payment_id=payment.pk, result=result, actor="x") == Applied(Verdict.NOTHING)
    assert books(order) == before


def test_a_closed_attempt_is_canceled_and_can_still_be_confirmed(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    closed = PaymentResult(payment=payment.number, status=GatewayStatus.CLOSED)
    payment_apply(payment_id=payment.pk, result=closed, actor="x")
    payment.refresh_from_db()
    assert payment.status == "canceled"
    assert states(order) == ("pending", "waiting")
    assert confirm(payment).verdict == Verdict.CONFIRMED
    payment_apply(payment_id=payment.pk, result=closed, actor="x")
    payment.refresh_from_db()
    assert payment.status == "confirmed"


def test_a_payments_status_has_one_door(shop: Reseller) -> None:
    payment = open_payment(shop, place(shop, on_sale()))
    confirm(payment)
    payment.refresh_from_db()
    with pytest.raises(IllegalTransition):
        payment_transition(payment, to=Payment.Status.CANCELED)
    payment.refresh_from_db()
    assert payment.status == "confirmed"


def test_a_step_from_a_state_that_the_payment_is_not_in_any_more_is_refused(shop: Reseller) -> None:
    payment = open_payment(shop, place(shop, on_sale()))
    stale = Payment.objects.get(pk=payment.pk)
    payment_transition(payment, to=Payment.Status.CANCELED)
    with pytest.raises(IllegalTransition, match="any more"):
        payment_transition(stale, to=Payment.Status.FAILED)
    stale.refresh_from_db()
    assert (stale.status, stale.confirmed_at) == ("canceled", None)


def test_parts_settle_the_order_when_they_cover_it(shop: Reseller) -> None:
    order = place(shop, on_sale())
    first, second = part_payment(order, amount=Decimal("20.00")), part_payment(order, amount=Decimal("40.00"))
    assert confirm(first).verdict == Verdict.CONFIRMED
    assert states(order) == ("pending", "waiting")
    assert outbox("order.paid") == []
    assert confirm(second).verdict == Verdict.CONFIRMED
    assert states(order) == ("paid", "queued")
    assert outbox("order.paid") == [{"order_id": order.pk}]
    assert outbox("payment.surplus") == []


def test_a_second_payment_goes_back_by_itself(shop: Reseller) -> None:
    order = place(shop, on_sale())
    first, second = open_payment(shop, order), open_payment(shop, order, channel="h5")
    confirm(first)
    assert confirm(second).verdict == Verdict.SURPLUS
    assert confirm(second).verdict == Verdict.REPEATED
    assert outbox("order.paid") == [{"order_id": order.pk}]
    OutboxEvent.objects.filter(topic="order.paid").delete()
    drain()
    refund = Refund.objects.get()
    assert (refund.payment_id, refund.amount, refund.cause, refund.status) == (
        second.pk, Decimal("60.00"), "surplus", "succeeded",
    )  # fmt: skip
    assert states(order) == ("paid", "queued")


@pytest.mark.parametrize("end", ["expired", "canceled"])
def test_late_money_is_delivered(shop: Reseller, end: str) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    Order.objects.update(status=end)
    assert confirm(payment).verdict == Verdict.CONFIRMED
    assert states(order) == ("paid", "queued")
    assert outbox("order.paid") == [{"order_id": order.pk}]
    assert order.events.get(name="order.paid").data == {"late": True}


def test_a_late_part_goes_back(shop: Reseller) -> None:
    order = place(shop, on_sale())
    part = part_payment(order, amount=Decimal("20.00"))
    Order.objects.update(status="expired")
    assert confirm(part).verdict == Verdict.CONFIRMED
    drain()
    refund = Refund.objects.get()
    assert (refund.amount, refund.status) == (Decimal("20.00"), "succeeded")
    assert states(order) == ("expired", "waiting")
    part.refresh_from_db()
    assert part.is_surplus is True


def test_a_part_of_an_order_that_expires_goes_back(shop: Reseller) -> None:
    order = place(shop, on_sale())
    confirm(part_payment(order, amount=Decimal("20.00")))
    Order.objects.update(expires_at=F("created_at"))
    order_expire(order_id=order.pk)
    drain()
    assert [(refund.amount, refund.status) for refund in Refund.objects.all()] == [(Decimal("20.00"), "succeeded")]
    assert states(order) == ("expired", "waiting")


def test_two_late_parts_that_cover_the_price_are_delivered_not_returned(shop: Reseller) -> None:
    order = place(shop, on_sale())
    first, second = part_payment(order, amount=Decimal("20.00")), part_payment(order, amount=Decimal("40.00"))
    Order.objects.update(status="expired")
    confirm(first)
    confirm(second)
    assert states(order) == ("paid", "queued")
    OutboxEvent.objects.filter(topic="order.paid").delete()
    drain()
    assert not Refund.objects.exists()


def test_money_after_a_refund_goes_back_too(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", REFUSED)
    order = place(shop, on_sale(suppliers=("first",)))
    first, second = open_payment(shop, order), open_payment(shop, order, channel="h5")
    confirm(first)
    drain()
    assert states(order) == ("refunded", "refunded")
    confirm(second)
    drain()
    assert [refund.amount for refund in second.refunds.all()] == [Decimal("60.00")]
    assert states(order) == ("refunded", "refunded")
    assert asked_gateway("refund") == 2
