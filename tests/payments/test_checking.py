"""A coupon on the pages of a purchase, without scripts: tried, used, and back."""

import re
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from customers.coupons.models import Coupon
from fulfillment.models import Fulfillment
from orders.models import Order
from orders.no_return import wording_for
from orders.services import order_cancel
from payments import coupons
from payments.models import Payment
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import GatewayAccountFactory, coupon, on_sale, open_payment
from tests.flows import REFUSED, confirm, drain
from tests.own_collection import own_till
from tests.program import staying

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")

FORM = {"quantity": "1", "contact": "13812345678", "account_uid": "482019375"}
AGREED = {"no_return": wording_for("topup")}


class Browser:
    """One browser with an order of 60.00 before it."""

    def __init__(self) -> None:
        self.client: Any = Client(headers={"host": "one.test"})
        variant = on_sale(suppliers=("first",))
        self.path = self.post("/checkout/", {**FORM, "sku": variant.sku, "product": variant.product.slug})["Location"]
        self.order = Order.objects.get()

    def get(self, path: str) -> Any:
        with staying():
            return self.client.get(path)

    def post(self, path: str, form: dict[str, str]) -> Any:
        with staying():
            return self.client.post(path, form)

    def shown(self, path: str) -> str:
        return " ".join(self.get(path).content.decode().split())


def amount(page: str) -> str:
    (found,) = re.findall(r'data-testid="(?:pay-amount|order-total)">(.*?)</(?:dd|p)>', page)
    return re.sub(r"<[^>]*>|\s", "", found)


def test_where_there_is_no_coupon_nobody_is_asked_for_one(shop: Reseller, other_shop: Reseller) -> None:
    coupon(other_shop)
    browser = Browser()
    assert "用优惠券" not in browser.shown(browser.path)
    coupon(shop)
    assert "用优惠券" in browser.shown(browser.path)


def test_it_is_tried_and_changed_and_used_on_going_on(shop: Reseller) -> None:
    GatewayAccountFactory()
    coupon(shop), coupon(shop, "TWOFIFTY", value=Decimal("2.50"))
    browser = Browser()
    assert amount(browser.shown(browser.path)) == "¥60.00"
    tried = browser.shown(f"{browser.path}?coupon=twofifty")
    assert (amount(tried), "减2.5" in tried, "换一张券" in tried) == ("¥57.50", True, True)
    tried = browser.shown(f"{browser.path}?coupon=save3")
    assert (amount(tried), "减3" in tried, "确认无误，去支付 ¥57.00" in tried) == ("¥57.00", True, True)
    assert 'name="coupon" value="save3"' in tried
    assert not Payment.objects.exists()
    assert browser.post(browser.path, {**AGREED, "coupon": "save3"}).status_code == 303
    assert [(one.used, str(one.given)) for one in Coupon.objects.order_by("code")] == [(1, "3.00"), (0, "0.00")]
    cashier = browser.shown(f"/pay/{browser.order.number}/")
    assert (amount(cashier), "减3" in cashier, "¥60.00" in cashier) == ("¥57.00", True, True)
    assert "付款方式</dt>" not in browser.shown(f"/o/{browser.order.number}/")
    open_payment(shop, browser.order)
    assert "60.00 元" not in browser.shown(f"/pay/{browser.order.number}/")
    again = browser.shown(browser.path)
    assert (amount(again), "先取消订单" in again, "用优惠券" in again) == ("¥57.00", True, False)
    confirm(Payment.objects.get(gateway="scripted"))
    receipt = browser.shown(f"/o/{browser.order.number}/")
    assert (amount(receipt), "减3" in receipt, "已付款 ¥57.00" in receipt) == ("¥57.00", True, True)


def test_what_is_refused_is_said_beside_the_code_and_nothing_is_checked(shop: Reseller) -> None:
    coupon(shop, threshold=Decimal(103))
    browser = Browser()
    for reply in (
        browser.get(f"{browser.path}?coupon=SAVE3"),
        browser.post(browser.path, {**AGREED, "coupon": "SAVE3"}),
    ):
        said = " ".join(reply.content.decode().split())
        assert reply.status_code == 422
        assert 'href="#coupon">这张券满 ¥103 可用，还差 ¥43</a>' in said
        assert re.search(r'<input [^>]*id="coupon"[^>]*value="SAVE3"[^>]*aria-invalid="true"', said)
        assert amount(said) == "¥60.00"
    browser.order.refresh_from_db()
    assert browser.order.checked_at is None
    assert not Payment.objects.exists()


def test_without_the_box_the_coupon_stays_and_is_not_used(shop: Reseller) -> None:
    coupon(shop)
    browser = Browser()
    reply = browser.post(browser.path, {"coupon": "SAVE3"})
    assert (reply.status_code, amount(" ".join(reply.content.decode().split()))) == (422, "¥57.00")
    assert Coupon.objects.get().used == 0


def test_who_guesses_is_stopped(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    coupon(shop)
    monkeypatch.setattr(coupons, "GUESSES", 1)
    monkeypatch.setattr("payments.checking.client_address", lambda request: "203.0.113.77")
    browser = Browser()
    assert browser.get(f"{browser.path}?coupon=AAAA").status_code == 422
    reply = browser.get(f"{browser.path}?coupon=SAVE3")
    assert (reply.status_code, "试了太多次" in reply.content.decode()) == (429, True)


def test_what_covers_all_leads_to_the_order(shop: Reseller) -> None:
    coupon(None, "FREE", value=Decimal(60))
    browser = Browser()
    browser.post(browser.path, {**AGREED, "coupon": "FREE"})
    assert browser.get(f"/pay/{browser.order.number}/")["Location"] == f"/o/{browser.order.number}/"
    shown = browser.shown(f"/o/{browser.order.number}/")
    assert (amount(shown), "已用优惠券付清" in shown) == ("¥0.00", True)


def test_an_order_that_is_canceled_says_that_the_coupon_is_back(shop: Reseller) -> None:
    coupon(shop)
    browser = Browser()
    browser.post(browser.path, {**AGREED, "coupon": "SAVE3"})
    order_cancel(order_id=browser.order.pk, actor="shopper")
    drain()
    shown = browser.shown(f"/o/{browser.order.number}/")
    assert ("优惠券退回，可以再用" in shown, "没有扣款" in shown, "迟到" in shown) == (True, True, False)


def test_an_order_that_failed_says_what_goes_where(shop: Reseller) -> None:
    coupon(shop)
    ScriptedSupplier.on_submit("first", REFUSED)
    browser = Browser()
    browser.post(browser.path, {**AGREED, "coupon": "SAVE3"})
    confirm(open_payment(shop, browser.order))
    drain()
    shown = browser.shown(f"/o/{browser.order.number}/")
    assert Fulfillment.objects.get().status == "failed"
    assert "已退 ¥57.00 到scripted" in shown
    assert ("优惠券退回，可以再用" in shown, "退到scripted" in shown, "−¥57.00" in shown) == (True, True, True)


def test_of_what_a_coupon_paid_in_part_the_owner_is_not_paid_the_rest(shop: Reseller) -> None:
    GatewayAccountFactory()
    own_till(shop, gateway="epay")
    coupon(shop)
    browser = Browser()
    browser.post(browser.path, {**AGREED, "coupon": "SAVE3"})
    assert "这单已经抵扣了一部分，不能用这种方式" in browser.shown(f"/pay/{browser.order.number}/")
    connection.set_tenant(shop)  # type: ignore[attr-defined]
