"""Opening payments by program."""

from typing import Any

import pytest

from orders.models import Order
from orders.services import order_cancel, settle
from orders.states import order_lock
from payments.gateways.base import GatewayRefused, GatewayUnavailable, GatewayUnknown
from payments.models import Payment
from resellers.models import Reseller
from tests.doubles import ScriptedGateway
from tests.factories import GatewayAccountFactory, on_sale, place
from tests.program import Program, fields, refusal

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")

QR = {"gateway": "scripted", "channel": "qr"}


class Payer:
    """A program with an order to pay."""

    def __init__(self, shop: Reseller) -> None:
        from orders.access import order_token

        self.program = Program()
        self.order = place(shop, on_sale(suppliers=("first",)))
        self.token = order_token(self.order)

    def open(self, body: Any) -> Any:
        """Ask for a payment."""
        return self.program.post(f"orders/{self.order.number}/payments/", body, token=self.token)


@pytest.fixture
def payer(shop: Reseller) -> Payer:
    GatewayAccountFactory(code="till")
    return Payer(shop)


def test_an_attempt_is_opened_with_addresses_of_this_shop(payer: Payer) -> None:
    opened = payer.open(QR)
    payment = Payment.objects.get()
    assert opened.status_code == 201
    assert opened.json()["payment"] == payment.number
    assert opened.json()["qr"] == f"scripted:{payment.number}"
    [(verb, asked)] = ScriptedGateway.calls
    assert verb == "charge"
    assert asked.return_url == f"http://one.test/pay/{payer.order.number}/return/"
    assert asked.notify_url.endswith("/webhooks/payments/till/")
    assert (asked.client_ip, str(asked.amount)) == (payer.program.address, "60.00")


def test_asking_again_returns_the_same_attempt_and_another_channel_opens_another(payer: Payer) -> None:
    first, second = payer.open(QR), payer.open(QR)
    assert second.json() == first.json()
    third = payer.open({"gateway": "scripted", "channel": "h5"}).json()
    assert (third["qr"], third["url"]) == ("", f"https://pay.test/{third['payment']}")
    assert Payment.objects.count() == 2


@pytest.mark.parametrize("gateway", ["alipay", "wechatpay", "epay", "paypal", "SCRIPTED", "../till", "\u200b"])
def test_a_way_that_the_shop_does_not_have_is_unavailable(payer: Payer, gateway: str) -> None:
    assert refusal(payer.open({"gateway": gateway, "channel": "qr"})) == (422, "method_unavailable")
    assert not Payment.objects.exists()
    assert ScriptedGateway.calls == []


@pytest.mark.parametrize("channel", ["page", "jsapi"])
def test_a_channel_that_the_gateway_does_not_speak_is_unavailable(payer: Payer, channel: str) -> None:
    assert refusal(payer.open({"gateway": "scripted", "channel": channel})) == (422, "method_unavailable")
    assert not Payment.objects.exists()


def test_an_account_with_unreadable_keys_is_unavailable(payer: Payer) -> None:
    GatewayAccountFactory(gateway="alipay", config={"app_id": "x"})
    assert refusal(payer.open({"gateway": "alipay", "channel": "qr"})) == (422, "method_unavailable")
    assert not Payment.objects.exists()


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, ["channel", "gateway"]),
        ({"gateway": "scripted"}, ["channel"]),
        ({"channel": "qr"}, ["gateway"]),
        ({"gateway": "", "channel": "qr"}, ["gateway"]),
        ({"gateway": None, "channel": None}, ["channel", "gateway"]),
        ({"gateway": 5, "channel": "qr"}, ["gateway"]),
        ({"gateway": ["scripted"], "channel": "qr"}, ["gateway"]),
        ({**QR, "channel": "QR"}, ["channel"]),
        ({**QR, "channel": ["qr"]}, ["channel"]),
        ({**QR, "channel": {"qr": 1}}, ["channel"]),
        ({**QR, "channel": True}, ["channel"]),
        ({**QR, "amount": "0.01"}, ["amount"]),
        ({**QR, "return_url": "https://evil.test/"}, ["return_url"]),
    ],
    ids=repr,
)
def test_a_request_that_says_anything_else_is_refused(payer: Payer, body: dict[str, Any], wrong: list[str]) -> None:
    reply = payer.open(body)
    assert (refusal(reply), fields(reply)) == ((422, "invalid"), wrong)
    assert not Payment.objects.exists()
    assert ScriptedGateway.calls == []


@pytest.mark.parametrize("end", ["paid", "canceled", "late"])
def test_an_order_that_waits_for_no_money_cannot_be_paid(payer: Payer, end: str, shop: Reseller) -> None:
    order = payer.order
    if end == "paid":
        settle(order=order_lock(order.pk), paid=order.total, actor="test")
    elif end == "canceled":
        order_cancel(order_id=order.pk, actor="test")
    else:
        Order.objects.filter(pk=order.pk).update(expires_at=order.created_at)
    assert refusal(payer.open(QR)) == (409, "not_payable")
    assert not Payment.objects.exists()
    assert ScriptedGateway.calls == []


@pytest.mark.parametrize(
    "failure", [GatewayUnavailable("down"), GatewayUnknown("no reply"), GatewayRefused("ACQ.X")], ids=repr
)
def test_a_gateway_that_fails_is_said_to_and_may_be_tried_again(payer: Payer, failure: Exception) -> None:
    ScriptedGateway.failures["charge"] = failure
    assert refusal(payer.open(QR)) == (503, "gateway_unavailable")
    assert Order.objects.get().status == "pending"
    del ScriptedGateway.failures["charge"]
    assert payer.open(QR).json()["amount"] == "60.00"


def test_each_shop_opens_payments_for_its_own_orders_only(payer: Payer, other_shop: Reseller) -> None:
    elsewhere = Program("two.test")
    reply = elsewhere.post(f"orders/{payer.order.number}/payments/", QR, token=payer.token)
    assert refusal(reply) == (404, "not_found")
    assert not Payment.objects.exists()
