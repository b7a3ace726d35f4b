"""Asking gateways, and closing what must not be paid any more."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F
from django.db.models.functions import Now

from kameng.alerts.models import Alert
from orders.models import Order
from orders.services import order_cancel, order_expire
from payments.asking import payment_follow, payments_ask_if_due, payments_close
from payments.exceptions import GatewayDown
from payments.gateways.base import (
    GatewayKeyUnknown,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayStatus,
    GatewayUnavailable,
    GatewayUnknown,
    PaymentResult,
)
from payments.merchants.models import GatewayAccount
from payments.merchants.services import gateway_account_save
from payments.models import Payment
from payments.services import Verdict, payment_ask
from resellers.models import Reseller
from tests.doubles import ScriptedGateway
from tests.factories import on_sale, open_payment, place
from tests.flows import (
    age,
    asked_gateway,
    confirm,
    drain,
    events,
    in_a_moment,
    states,
)

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

MINUTES_15 = 15 * 60


def test_asking_finds_a_lost_notice(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    assert payment_ask(payment_id=payment.pk, actor="shopper").verdict == Verdict.NOTHING
    ScriptedGateway.pay(payment.number, payment.amount)
    assert payment_ask(payment_id=payment.pk, actor="shopper").verdict == Verdict.CONFIRMED
    assert states(order) == ("paid", "queued")


def test_a_reply_under_a_key_that_we_do_not_have_is_for_people_until_they_have_put_it_in(shop: Reseller) -> None:
    for call in ("charge", "query"):
        ScriptedGateway.failures[call] = GatewayKeyUnknown("alipay_cert_sn 0 is not that of alipay_public_cert")
    order = place(shop, on_sale())
    with pytest.raises(GatewayDown):
        open_payment(shop, order)
    account, payment = GatewayAccount.objects.get(), Payment.objects.get()
    assert payment_follow(payment_id=payment.pk) == 10
    alert = Alert.objects.get(kind="merchant.key_unknown", closed_at__isnull=True)
    assert (alert.subject, alert.times, payment.status) == (account.code, 2, "created")
    gateway_account_save(code=account.code, gateway="scripted", config={"key": "new"})
    assert not Alert.objects.filter(closed_at__isnull=True).exists()


def test_pages_that_wait_ask_no_more_than_every_few_seconds(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    payments_ask_if_due(order=order, actor="shopper")
    assert asked_gateway("query") == 0
    age(payment, 5)
    for _ in range(3):
        payments_ask_if_due(order=order, actor="shopper")
    assert asked_gateway("query") == 1
    Payment.objects.update(asked_at=F("asked_at") - timedelta(seconds=5))
    payments_ask_if_due(order=order, actor="shopper")
    assert asked_gateway("query") == 2


def test_each_question_of_a_page_that_asks_every_four_seconds_reaches_the_gateway(shop: Reseller) -> None:
    """Even where one is a little early: a lost notice would be found a whole round later."""
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    Payment.objects.filter(pk=payment.pk).update(asked_at=Now() - timedelta(seconds=3.5))
    ScriptedGateway.pay(payment.number, payment.amount)
    payments_ask_if_due(order=order, actor="cashier")
    assert states(order) == ("paid", "queued")


@pytest.mark.parametrize(
    "failure",
    [GatewayUnavailable("down"), GatewayUnknown("?"), GatewayRefused("NO"), GatewayMisconfigured("no key")],
    ids=type,
)
def test_a_page_that_waits_survives_a_gateway_that_does_not_answer(shop: Reseller, failure: Exception) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    age(payment, 5)
    ScriptedGateway.failures["query"] = failure
    payments_ask_if_due(order=order, actor="shopper")
    assert asked_gateway("query") == 1
    assert states(order) == ("pending", "waiting")


@pytest.mark.parametrize(("seconds", "pause"), [(0, 10), (29, 10), (31, 30), (299, 30), (301, 60)])
def test_the_schedule_slows_down_with_age(shop: Reseller, seconds: int, pause: float) -> None:
    payment = open_payment(shop, place(shop, on_sale()))
    age(payment, seconds)
    assert payment_follow(payment_id=payment.pk) == pause
    assert asked_gateway("query") == 1


def test_the_schedule_ends_with_the_attempt(shop: Reseller) -> None:
    payment = open_payment(shop, place(shop, on_sale()))
    confirm(payment)
    assert payment_follow(payment_id=payment.pk) is None
    assert payment_follow(payment_id=payment.pk + 1) is None
    assert asked_gateway("query") == 0


def test_the_schedule_goes_on_over_errors(shop: Reseller) -> None:
    payment = open_payment(shop, place(shop, on_sale()))
    for failure in (GatewayUnavailable("down"), GatewayUnknown("?"), GatewayRefused("NO"), GatewayMisconfigured("x")):
        ScriptedGateway.failures["query"] = failure
        assert payment_follow(payment_id=payment.pk) == 10
    payment.refresh_from_db()
    assert payment.status == "pending"


def test_the_schedule_finds_a_lost_notice(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    ScriptedGateway.pay(payment.number, payment.amount)
    payment_follow(payment_id=payment.pk)
    assert states(order) == ("paid", "queued")
    assert payment_follow(payment_id=payment.pk) is None


def test_what_is_open_is_closed_when_the_order_is_over(shop: Reseller) -> None:
    order = place(shop, on_sale())
    first, second = open_payment(shop, order), open_payment(shop, order, channel="h5")
    order_cancel(order_id=order.pk, actor="shopper")
    drain()
    assert asked_gateway("close") == 2
    assert list(order.payments.values_list("status", flat=True)) == ["canceled", "canceled"]
    assert payment_follow(payment_id=first.pk) is None
    assert payment_follow(payment_id=second.pk) is None
    assert states(order) == ("canceled", "waiting")


def test_closing_may_find_that_the_money_came_first(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    ScriptedGateway.pay(payment.number, payment.amount)
    Order.objects.update(expires_at=F("created_at"))
    order_expire(order_id=order.pk)
    payments_close(order_id=order.pk)
    assert states(order) == ("paid", "queued")
    payment.refresh_from_db()
    assert (payment.status, payment.is_surplus) == ("confirmed", False)


def test_wrong_money_for_an_order_that_is_over_ends_the_attempt(shop: Reseller) -> None:
    """It is noted for people; an attempt that stayed open would be asked about for ever."""
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    ScriptedGateway.pay(payment.number, Decimal("1.00"))
    order_cancel(order_id=order.pk, actor="shopper")
    payments_close(order_id=order.pk)
    payment.refresh_from_db()
    assert payment.status == "failed"
    assert events(order, "payment.refused") == ["payment.refused"]
    assert payment_follow(payment_id=payment.pk) is None
    assert confirm(payment).verdict == "confirmed"
    assert states(order) == ("paid", "queued")


def test_one_gateway_that_fails_does_not_keep_others_open(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    order = place(shop, on_sale())
    first, second = open_payment(shop, order), open_payment(shop, order, channel="h5")
    close = ScriptedGateway.close

    def fails_for_one(self: ScriptedGateway, payment: str) -> PaymentResult:
        if payment == second.number:
            raise GatewayUnknown("?")
        return close(self, payment)

    monkeypatch.setattr(ScriptedGateway, "close", fails_for_one)
    order_cancel(order_id=order.pk, actor="shopper")
    payments_close(order_id=order.pk)
    assert dict(order.payments.values_list("pk", "status")) == {first.pk: "canceled", second.pk: "pending"}
    assert payment_follow(payment_id=second.pk) == 10
    monkeypatch.undo()
    assert payment_follow(payment_id=second.pk) is None
    second.refresh_from_db()
    assert second.status == "canceled"


def test_a_trade_unknown_to_the_gateway_stays_payable_until_its_last_moment(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A code that nobody has scanned is unknown there, and may be scanned yet."""
    missing = lambda self, payment: PaymentResult(payment=payment, status=GatewayStatus.MISSING)  # noqa: E731
    monkeypatch.setattr(ScriptedGateway, "close", missing)
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    order_cancel(order_id=order.pk, actor="shopper")
    payments_close(order_id=order.pk)
    assert payment_follow(payment_id=payment.pk) is not None
    payment.refresh_from_db()
    assert payment.status == "pending"
    with in_a_moment(MINUTES_15 + 60):
        assert payment_follow(payment_id=payment.pk) is not None
    with in_a_moment(MINUTES_15 + 125):
        assert payment_follow(payment_id=payment.pk) is None
    payment.refresh_from_db()
    assert payment.status == "canceled"
