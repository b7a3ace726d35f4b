"""A payment in Alipay's own words: opened by program, paid by a notice that is really signed."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from kameng.inbox.models import InboxEvent
from orders.access import order_token
from orders.models import Order
from payments.merchants.services import gateway_account_save
from payments.models import Payment
from resellers.models import Reseller
from tests.factories import on_sale, place
from tests.flows import outbox
from tests.payments.gateways.platforms import AlipayPlatform, new_key, payload, private_pem, public_pem
from tests.program import Program, Reply, webhook

pytestmark = pytest.mark.usefixtures("supplier_double")

FORM = "application/x-www-form-urlencoded; charset=utf-8"
APP, SELLER = "2021000122600001", "2088102146225135"


@pytest.fixture(scope="module")
def platform() -> AlipayPlatform:
    return AlipayPlatform(merchant_key=new_key(), key=new_key())


@dataclass
class Bill:
    """An order with an open Alipay payment, and Alipay."""

    order: Order
    payment: Payment
    platform: AlipayPlatform

    def fields(self, **changes: str) -> dict[str, str]:
        """What Alipay says of the payment, once it was made."""
        told: dict[str, str] = payload("alipay", "notice_trade_success")
        told |= {"app_id": APP, "seller_id": SELLER, "out_trade_no": self.payment.number, "total_amount": "60.00"}
        return told | changes

    def notice(self, **changes: str) -> bytes:
        return self.platform.notice(self.fields(**changes))

    def states(self) -> tuple[str, str]:
        self.payment.refresh_from_db()
        self.order.refresh_from_db()
        return self.payment.status, self.order.status


def configure(platform: AlipayPlatform, code: str = "alipay", **changes: str) -> None:
    config = {
        "app_id": APP,
        "seller_id": SELLER,
        "app_private_key": private_pem(platform.merchant_key),
        "alipay_public_key": public_pem(platform.key),
        "base_url": "http://127.0.0.1:1/alipay/gateway.do",
    }
    gateway_account_save(code=code, gateway="alipay", config=config | changes)


@pytest.fixture
def bill(shop: Reseller, platform: AlipayPlatform) -> Bill:
    configure(platform)
    order = place(shop, on_sale(suppliers=("first",)))
    reply = Program().post(
        f"orders/{order.number}/payments/", {"gateway": "alipay", "channel": "h5"}, token=order_token(order)
    )
    assert reply.status_code == 201
    asked = dict(parse_qsl(urlsplit(reply.json()["url"]).query, strict_parsing=True))
    platform.check(asked)
    assert (asked["app_id"], asked["method"]) == (APP, "alipay.trade.wap.pay")
    assert asked["notify_url"].endswith("/webhooks/payments/alipay/")
    assert asked["return_url"] == f"http://one.test/pay/{order.number}/return/"
    payment = Payment.objects.get()
    assert payment.number == reply.json()["payment"]
    return Bill(order, payment, platform)


def tell(body: bytes, *, account: str = "alipay", content_type: str = FORM) -> Reply:
    return webhook(f"payments/{account}/", body, content_type=content_type)


def test_a_signed_notice_pays_the_order_once(bill: Bill) -> None:
    body = bill.notice()
    for _ in range(3):
        reply = tell(body)
        assert (reply.status_code, reply.content) == (200, b"success")
    assert bill.states() == ("confirmed", "paid")
    assert bill.payment.reference == bill.fields()["trade_no"]
    assert len(outbox("order.paid")) == 1
    kept = InboxEvent.objects.get()
    assert (kept.account, kept.verdict, bytes(kept.body)) == ("alipay", "accepted", body)


def test_a_notice_that_was_changed_after_signing_is_refused(bill: Bill) -> None:
    genuine = bill.notice()
    changed = [
        genuine.replace(b"total_amount=60.00", b"total_amount=60.01"),
        genuine.replace(b"TRADE_SUCCESS", b"TRADE_CLOSED"),
        genuine + b"&extra=1",
        genuine[:-1],
        b"",
        b"not a form",
        genuine.replace(b"sign_type=RSA2", b"sign_type=RSA"),
    ]
    for body in changed:
        assert body != genuine
        reply = tell(body)
        assert (reply.status_code, reply.content) == (400, b"fail")
    assert tell(genuine, content_type="application/json").content == b"fail"
    assert bill.states() == ("pending", "pending")
    assert not InboxEvent.objects.exists()


def test_a_notice_signed_by_somebody_else_is_refused(bill: Bill) -> None:
    stranger = AlipayPlatform(merchant_key=bill.platform.merchant_key, key=new_key())
    assert tell(stranger.notice(bill.fields())).content == b"fail"
    ours = AlipayPlatform(merchant_key=bill.platform.merchant_key, key=bill.platform.merchant_key)
    assert tell(ours.notice(bill.fields())).content == b"fail"
    assert bill.states() == ("pending", "pending")
    assert not InboxEvent.objects.exists()


@pytest.mark.parametrize("amount", ["0.01", "59.99", "60.01", "6000.00"])
def test_a_signed_notice_of_another_amount_is_kept_and_refused(bill: Bill, amount: str) -> None:
    assert tell(bill.notice(total_amount=amount)).content == b"fail"
    assert bill.states() == ("pending", "pending")
    assert InboxEvent.objects.get().verdict == "refused"
    assert outbox("order.paid") == []


def test_a_signed_notice_of_another_seller_is_kept_and_refused(bill: Bill) -> None:
    assert tell(bill.notice(seller_id="2088999999999999")).content == b"fail"
    assert bill.states() == ("pending", "pending")
    assert InboxEvent.objects.get().verdict == "refused"


def test_a_signed_notice_of_another_application_is_refused(bill: Bill) -> None:
    assert tell(bill.notice(app_id="2021999999999999")).content == b"fail"
    assert bill.states() == ("pending", "pending")
    assert not InboxEvent.objects.exists()


def test_a_notice_for_one_account_means_nothing_at_another(bill: Bill) -> None:
    other = AlipayPlatform(merchant_key=new_key(), key=new_key())
    configure(other, "alipay-two", app_id="2021000122600002", seller_id="2088102146225136")
    assert tell(bill.notice(), account="alipay-two").content == b"fail"
    # Whoever runs the other account can sign whatever they like with it, but not for our payment.
    theirs = other.notice(bill.fields(app_id="2021000122600002", seller_id="2088102146225136"))
    assert tell(theirs, account="alipay-two").content == b"fail"
    assert bill.states() == ("pending", "pending")
    assert InboxEvent.objects.get().verdict == "refused"


def test_notices_in_the_wrong_order_end_in_paid(bill: Bill) -> None:
    paid = bill.notice(notify_id="2")
    waiting = bill.notice(notify_id="1", trade_status="WAIT_BUYER_PAY")
    closed = bill.notice(notify_id="3", trade_status="TRADE_CLOSED")
    for body in (paid, waiting, closed):
        assert tell(body).content == b"success"
    assert bill.states() == ("confirmed", "paid")
    assert len(outbox("order.paid")) == 1


def test_money_for_an_order_of_another_shop_stays_there(bill: Bill, other_shop: Reseller) -> None:
    """The payment's number leads to its shop, whichever host is told."""
    reply = webhook("payments/alipay/", bill.notice(), host="two.test", content_type=FORM)
    assert reply.content == b"success"
    assert bill.states() == ("confirmed", "paid")
    assert Payment.objects.get().amount == Decimal("60.00")
    shown: Any = Program().get(f"orders/{bill.order.number}/", token=order_token(bill.order)).json()
    assert shown["payments"] == [
        {"payment": bill.payment.number, "gateway": "alipay", "status": "confirmed", "amount": "60.00"}
    ]
