"""Opening an attempt to collect."""

from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.db.models import F

from orders.exceptions import OrderNotPayable
from orders.models import Order
from payments.asking import payment_follow
from payments.exceptions import GatewayDown, MethodUnavailable
from payments.gateways.base import (
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnavailable,
    GatewayUnknown,
)
from payments.merchants.models import GatewayAccount
from payments.merchants.services import accounts_for_shop, gateway_account_save
from payments.models import Payment
from payments.services import payment_start
from resellers.models import Reseller
from tests.doubles import ScriptedGateway
from tests.factories import GatewayAccountFactory, on_sale, open_payment, place
from tests.flows import age, asked_gateway, books, confirm, events, outbox, part_payment, states

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


def test_an_attempt_asks_the_gateway_for_what_the_order_needs(shop: Reseller, settings: LazySettings) -> None:
    settings.WEBHOOK_BASE_URL = "https://ops.test"
    order = place(shop, on_sale(), quantity=2)
    payment = open_payment(shop, order)
    ((_, request),) = ScriptedGateway.calls
    account = GatewayAccount.objects.get()
    assert (request.payment, request.amount, request.channel) == (payment.number, Decimal("120.00"), "qr")
    assert (request.subject, request.expires_at) == ("商品" + request.subject[2:], order.expires_at)
    assert request.notify_url == f"https://ops.test/webhooks/payments/{account.code}/"
    assert (payment.status, payment.qr, payment.url) == ("pending", f"scripted:{payment.number}", "")
    assert len(payment.number) == 24
    assert outbox("payment.follow") == [{"payment_id": payment.pk}]
    assert events(order, "payment.created") == ["payment.created"]


def test_asking_again_hands_out_the_same_attempt(shop: Reseller) -> None:
    order = place(shop, on_sale())
    first, second = open_payment(shop, order), open_payment(shop, order)
    assert (first.pk, first.qr) == (second.pk, second.qr)
    assert (asked_gateway("charge"), Payment.objects.count()) == (1, 1)


def test_another_channel_is_another_attempt(shop: Reseller) -> None:
    order = place(shop, on_sale())
    first, second = open_payment(shop, order), open_payment(shop, order, channel="h5")
    assert first.pk != second.pk
    assert first.number != second.number
    assert second.url == f"https://pay.test/{second.number}"


def test_a_link_for_a_phone_is_renewed_after_four_minutes_under_the_same_number(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order, channel="h5")
    age(payment, 200)
    open_payment(shop, order, channel="h5")
    assert asked_gateway("charge") == 1
    age(payment, 50)
    again = open_payment(shop, order, channel="h5")
    assert (again.pk, again.number, again.status) == (payment.pk, payment.number, "pending")
    assert asked_gateway("charge") == 2


def test_a_link_that_cannot_be_renewed_because_it_was_paid_is_found_paid(shop: Reseller) -> None:
    """The notice was lost, and the gateway refuses to open a paid trade again: that is no failed attempt."""
    order = place(shop, on_sale())
    payment = open_payment(shop, order, channel="h5")
    age(payment, 300)
    ScriptedGateway.pay(payment.number, payment.amount)
    ScriptedGateway.failures["charge"] = GatewayRefused("ORDERPAID")
    with pytest.raises(OrderNotPayable):
        open_payment(shop, order, channel="h5")
    assert states(order) == ("paid", "queued")
    payment.refresh_from_db()
    assert payment.status == "confirmed"


def test_a_link_that_cannot_be_renewed_stays_open_and_followed(shop: Reseller) -> None:
    order = place(shop, on_sale())
    payment = open_payment(shop, order, channel="h5")
    age(payment, 300)
    ScriptedGateway.failures["charge"] = GatewayRefused("FREQUENCY_LIMITED")
    with pytest.raises(GatewayDown):
        open_payment(shop, order, channel="h5")
    payment.refresh_from_db()
    assert payment.status == "pending"
    assert payment_follow(payment_id=payment.pk) is not None


def test_an_attempt_that_the_gateway_refuses_is_over(shop: Reseller) -> None:
    order = place(shop, on_sale())
    ScriptedGateway.failures["charge"] = GatewayRefused("NO_AUTH")
    with pytest.raises(GatewayDown):
        open_payment(shop, order)
    payment = Payment.objects.get()
    assert (payment.status, payment.qr) == ("failed", "")
    assert payment_follow(payment_id=payment.pk) is None
    assert states(order) == ("pending", "waiting")
    ScriptedGateway.failures.clear()
    assert open_payment(shop, order).pk != payment.pk


@pytest.mark.parametrize("failure", [GatewayUnavailable("down"), GatewayUnknown("no answer")], ids=type)
def test_a_gateway_without_an_answer_can_be_tried_again_under_the_same_number(
    shop: Reseller, failure: Exception
) -> None:
    order = place(shop, on_sale())
    ScriptedGateway.failures["charge"] = failure
    with pytest.raises(GatewayDown):
        open_payment(shop, order)
    waiting = Payment.objects.get()
    assert waiting.status == "created"
    ScriptedGateway.failures.clear()
    opened = open_payment(shop, order)
    assert (opened.number, opened.status) == (waiting.number, "pending")
    assert Payment.objects.count() == 1


def test_a_notice_that_overtakes_the_reply_stays_booked(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    charge = ScriptedGateway.charge

    def paid_at_once(self: ScriptedGateway, request: object) -> object:
        confirm(Payment.objects.get())
        return charge(self, request)  # type: ignore[arg-type]

    monkeypatch.setattr(ScriptedGateway, "charge", paid_at_once)
    order = place(shop, on_sale())
    payment = open_payment(shop, order)
    assert payment.status == "confirmed"
    assert states(order) == ("paid", "queued")


def test_an_attempt_given_up_meanwhile_is_not_handed_out(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two requests open the same attempt; one is refused. Nobody would look after a code that the other shows."""
    charge = ScriptedGateway.charge

    def refused_elsewhere(self: ScriptedGateway, request: object) -> object:
        Payment.objects.update(status="failed")
        return charge(self, request)  # type: ignore[arg-type]

    monkeypatch.setattr(ScriptedGateway, "charge", refused_elsewhere)
    with pytest.raises(GatewayDown):
        open_payment(shop, place(shop, on_sale()))
    payment = Payment.objects.get()
    assert (payment.status, payment.qr) == ("failed", "")


@pytest.mark.parametrize(("gateway", "channel"), [("paypal", "qr"), ("scripted", "page"), ("scripted", "x"), ("", "")])
def test_a_way_that_the_shop_does_not_have_is_refused(shop: Reseller, gateway: str, channel: str) -> None:
    order = place(shop, on_sale())
    GatewayAccountFactory()
    before = books(order)
    with pytest.raises(MethodUnavailable):
        payment_start(
            order=order, shop_id=shop.pk, gateway=gateway, channel=channel, client_ip="", return_url="https://x.test/"
        )
    assert books(order) == before
    assert ScriptedGateway.calls == []


@pytest.mark.parametrize("broken", ["keys", "seal", "off", "other shop's"])
def test_an_account_that_cannot_be_used_is_no_way_to_pay(shop: Reseller, broken: str) -> None:
    order = place(shop, on_sale())
    account = GatewayAccountFactory(gateway="alipay")
    changes: dict[str, dict[str, Any]] = {
        "keys": {},
        "seal": {"sealed_config": "00000000.AAAA"},
        "off": {"is_active": False},
        "other shop's": {"schema_name": "shop_two"},
    }
    GatewayAccount.objects.filter(pk=account.pk).update(**changes[broken])
    with pytest.raises(MethodUnavailable):
        payment_start(
            order=order, shop_id=shop.pk, gateway="alipay", channel="qr", client_ip="", return_url="https://x.test/"
        )
    assert not Payment.objects.exists()


def test_a_shops_own_account_comes_before_the_platforms(shop: Reseller) -> None:
    GatewayAccountFactory(code="platform", position=0)
    GatewayAccountFactory(code="own", schema_name="shop_one", position=5)
    GatewayAccountFactory(code="theirs", schema_name="shop_two", position=0)
    assert [account.code for account in accounts_for_shop()] == ["own"]


def test_an_account_is_checked_before_it_is_saved(shop: Reseller) -> None:
    for gateway, config in (("alipay", {}), ("nobody", {}), ("wechatpay", {"apiv3_key": ""})):
        with pytest.raises(GatewayMisconfigured):
            gateway_account_save(code="new", gateway=gateway, config=config)
    assert not GatewayAccount.objects.exists()


@pytest.mark.parametrize("end", ["expired", "canceled", "paid", "over"])
def test_only_a_waiting_order_can_be_paid(shop: Reseller, end: str) -> None:
    order = place(shop, on_sale())
    if end == "paid":
        confirm(open_payment(shop, order))
    elif end == "over":
        Order.objects.update(expires_at=F("created_at"))
    else:
        Order.objects.update(status=end)
    before, opened = books(order), asked_gateway("charge")
    with pytest.raises(OrderNotPayable):
        open_payment(shop, order, channel="h5")
    assert books(order) == before
    assert asked_gateway("charge") == opened


def test_only_what_is_missing_is_asked_for(shop: Reseller) -> None:
    order = place(shop, on_sale())
    confirm(part_payment(order, amount=Decimal("25.50")))
    assert open_payment(shop, order).amount == Decimal("34.50")
