"""Money as people see it: every account for operators, one order's for its shop's owner."""

import pytest

from orders.models import Order
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale
from tests.flows import TOPPED_UP, fulfill, paid
from tests.staff import operator, owner_of

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


@pytest.fixture
def delivered(shop: Reseller) -> Order:
    """Paid 60, of which 57 is the platform's; the supplier charged 55."""
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    return order


def test_an_empty_book_says_what_will_be_there(shop: Reseller) -> None:
    assert "还没有记过账" in operator().get("/admin/book/").content.decode()


def test_operators_see_what_lies_on_every_account_and_that_it_balances(delivered: Order) -> None:
    page = operator().get("/admin/book/").content.decode()
    assert "借贷相等" in page
    for amount in ("¥60.00", "¥57.00", "¥55.00", "¥3.00", "¥115.00"):
        assert amount in page


def test_operators_see_an_orders_journals(shop: Reseller, delivered: Order) -> None:
    page = operator().get(f"/admin/orders/{shop.slug}/{delivered.number}/").content.decode()
    for word in ("账目", "未完成订单", "应付供应商", "店主待结算"):
        assert word in page


def test_an_owner_sees_what_an_order_brought_them_and_nothing_of_what_it_cost(shop: Reseller, delivered: Order) -> None:
    page = owner_of(shop).get(f"/manage/orders/order/{delivered.pk}/change/").content.decode()
    for word in ("这单的钱", "¥60.00", "−¥57.00", "¥3.00", "可提现时间", "交付满 7 天"):
        assert word in page
    assert "¥55.00" not in page
    assert "应付供应商" not in page


def test_an_owner_sees_nothing_of_money_before_anything_was_earned(shop: Reseller) -> None:
    order = paid(shop, on_sale())
    assert "这单的钱" not in owner_of(shop).get(f"/manage/orders/order/{order.pk}/change/").content.decode()


@pytest.mark.parametrize(("is_house", "shown"), [(False, True), (True, False)])
def test_an_owner_sees_what_is_pending_and_the_house_shop_has_no_owner(
    shop: Reseller, is_house: bool, shown: bool
) -> None:
    Reseller.objects.filter(pk=shop.pk).update(is_house=is_house)
    page = owner_of(shop).get("/manage/").content.decode()
    assert ("待结算" in page) is shown
