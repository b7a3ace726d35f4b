"""A discount in everything that adds money up: who bore it, when it becomes ripe, and that all of it foots."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from kameng.audit.services import audit
from kameng.manage.figures import figures
from orders.models import Order
from orders.monthly import Month, Totals, courses, page_of, rows_of
from orders.services import Buyer, LineRequest, order_cancel, order_place
from orders.statements import Statement, statement_of
from payments.approvals import refund_ask
from payments.coupons import coupon_use
from resellers.ledger.balances import balance, balances, balances_snapshot
from resellers.ledger.days import days_false, days_reckon
from resellers.ledger.posting import Name
from resellers.ledger.settlement import shop_settle
from resellers.ledger.spans import Span, Sums, span_sums
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import CONTACT, coupon, on_sale, open_payment, place
from tests.flows import REFUSED, TOPPED_UP, confirm, drain
from tests.staff import owner_of

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

ZERO, TWO, THREE = Decimal(0), Decimal(2), Decimal(3)


def bought(shop: Reseller, code: str, *, contact: str = CONTACT) -> Order:
    """An order of 60.00 that arrived, of which a coupon paid a part."""
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = place(shop, on_sale(suppliers=("first",)), contact=contact)
    coupon_use(shop=shop, order_id=order.pk, code=code, actor="shopper")
    confirm(open_payment(shop, order))
    drain()
    order.refresh_from_db()
    return order


def told(shop: Reseller, order: Order) -> Statement:
    found = statement_of(shop, order, now=timezone.now())
    assert found is not None
    return found


def foots(shop: Reseller) -> Totals:
    """The month of all orders, which leads to what the book says is pending."""
    month = Month.of(timezone.now())
    totals, rows = page_of(shop, month, first=0, count=50)
    summed = Totals()
    for row in rows_of(shop, month):
        summed.add(row)
    assert (totals, len(rows)) == (summed, totals.orders)
    courses(shop, month, now=timezone.now())[0].foot(totals.own)
    return totals


def report() -> Sums:
    """What the platform's report says of today, once the book was added up; each day is what its entries are."""
    assert balances_snapshot()
    days_reckon(at=timezone.now())
    assert list(days_false()) == []
    today = timezone.localdate()
    return span_sums(Span(today, today))


def seen(*values: Any) -> tuple[Any, ...]:
    """Amounts and counts beside each other."""
    return values


def give_back(order: Order, amount: str, key: str = "k") -> None:
    refund_ask(
        line_id=order.lines.get().pk, amount=Decimal(amount), reason="补偿", note="买家给了截图", actor="ops", key=key
    )
    drain()


def test_a_statement_says_what_came_off_and_who_bore_it(shop: Reseller) -> None:
    coupon(shop, value=TWO), coupon(None, "ALLES", value=THREE)
    mine, theirs = bought(shop, "SAVE3"), bought(shop, "ALLES", contact="13900000001")
    own, given = told(shop, mine), told(shop, theirs)
    assert seen(own.paid, own.discount, own.platform_discount, own.received, own.own) == (60, 2, 0, 58, 1)
    assert seen(given.paid, given.discount, given.platform_discount, given.received, given.own) == (60, 0, 3, 57, 3)
    page = owner_of(shop).get(f"/manage/orders/order/{mine.pk}/change/").content.decode()
    assert all(word in page for word in ("售价", "¥60.00", "−¥2.00", "店主承担", "¥58.00"))
    page = owner_of(shop).get(f"/manage/orders/order/{theirs.pk}/change/").content.decode()
    assert all(word in page for word in ("−¥3.00", "平台承担", "¥57.00"))


def test_an_owners_first_page_says_what_is_left_of_it(shop: Reseller) -> None:
    coupon(shop, value=TWO), coupon(None, "ALLES", value=THREE)
    bought(shop, "SAVE3"), bought(shop, "ALLES", contact="13900000001")
    assert seen(figures().sales, figures().profit) == (120, 4)


def test_what_went_back_is_in_it_too(shop: Reseller) -> None:
    coupon(shop, value=TWO)
    order = bought(shop, "SAVE3")
    give_back(order, "30.00")
    part = told(shop, order)
    assert seen(part.discount, part.taken_back, part.own) == (TWO, Decimal("1.50"), Decimal("-0.50"))
    give_back(order, "30.00", "rest")
    whole = told(shop, order)
    assert seen(whole.discount, whole.taken_back, whole.own) == (ZERO, THREE, ZERO)
    assert balance(Name.PENDING, shop.pk) == ZERO
    assert foots(shop).own == ZERO
    assert [example for verdict in audit() for example in verdict.examples] == []


def test_the_month_has_it_by_who_bore_it_and_leaves_out_what_came_to_nothing(shop: Reseller) -> None:
    coupon(shop, value=TWO, contact_limit=9), coupon(None, "ALLES", value=THREE)
    bought(shop, "SAVE3"), bought(shop, "ALLES", contact="13900000001")
    given_up = place(shop, on_sale())
    coupon_use(shop=shop, order_id=given_up.pk, code="SAVE3", actor="shopper")
    assert seen(foots(shop).orders, foots(shop).discount) == (3, 4)
    order_cancel(order_id=given_up.pk, actor="shopper")
    drain()
    totals = foots(shop)
    assert seen(totals.orders, totals.discount, totals.platform_discount, totals.paid, totals.own) == (2, 2, 3, 120, 4)
    page = owner_of(shop).get("/manage/statement/").content.decode()
    assert "平台承担 ¥3.00" in page
    lines = b"".join(owner_of(shop).get("/manage/statement/csv/")).decode("utf-8-sig").splitlines()
    total = next(line for line in lines if line.startswith("合计")).split(",")
    assert (total[3], total[4], total[8], total[-1]) == ("2.00", "120.00", "4.00", "3.00")


def test_what_the_owner_gave_is_settled_with_what_it_brought(shop: Reseller) -> None:
    coupon(shop, value=TWO)
    bought(shop, "SAVE3")
    today = timezone.localdate()
    assert shop_settle(shop_id=shop.pk, day=today) == ZERO
    assert shop_settle(shop_id=shop.pk, day=today + timedelta(days=8)) == Decimal(1)
    assert (balance(Name.PENDING, shop.pk), balance(Name.AVAILABLE, shop.pk)) == (ZERO, Decimal(1))


def test_so_it_is_where_what_arrived_brought_nothing(shop: Reseller) -> None:
    coupon(shop, value=THREE)
    plain = on_sale(suppliers=("first",), supply_price=Decimal("60.00"))
    earns = on_sale(suppliers=("second",))
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    ScriptedSupplier.on_submit("second", REFUSED)
    lines = [LineRequest(one.sku, 1, {"uid": "482019375"}) for one in (plain, earns)]
    order = order_place(shop=shop, lines=lines, contact=CONTACT, buyer=Buyer()).order
    coupon_use(shop=shop, order_id=order.pk, code="SAVE3", actor="shopper")
    confirm(open_payment(shop, order))
    drain()
    assert balance(Name.PENDING, shop.pk) == -THREE
    assert shop_settle(shop_id=shop.pk, day=timezone.localdate() + timedelta(days=8)) == -THREE
    assert balance(Name.PENDING, shop.pk) == ZERO


def test_the_platforms_report_counts_money_and_what_it_gives_away(shop: Reseller) -> None:
    coupon(shop, value=TWO), coupon(None, "ALLES", value=THREE)
    bought(shop, "SAVE3"), bought(shop, "ALLES", contact="13900000001")
    sums = report()
    assert seen(sums.payments, sums.deliveries, sums.failures, sums.refunds) == (2, 2, 0, 0)
    assert seen(sums.received, sums.refunded, sums.given, sums.owners) == (115, 0, 3, 4)
    assert sums.received == sums.sales + sums.owners - sums.given
    assert sums.profit == sums.sales - sums.cost - 3
    assert sums.soon[5] == 2


def test_what_came_to_nothing_is_no_failure_and_what_failed_is_one(shop: Reseller) -> None:
    coupon(shop, value=TWO)
    given_up = place(shop, on_sale())
    coupon_use(shop=shop, order_id=given_up.pk, code="SAVE3", actor="shopper")
    order_cancel(order_id=given_up.pk, actor="shopper")
    drain()
    sums = report()
    assert seen(sums.payments, sums.failures, sums.refunds, sums.received, sums.refunded, sums.owners) == (0,) * 6
    ScriptedSupplier.on_submit("first", REFUSED)
    order = place(shop, on_sale(suppliers=("first",)))
    coupon_use(shop=shop, order_id=order.pk, code="SAVE3", actor="shopper")
    confirm(open_payment(shop, order))
    drain()
    sums = report()
    assert seen(sums.payments, sums.failures, sums.refunds, sums.received, sums.refunded) == (1, 1, 1, 58, 58)
    assert {name: amount for name, amount in balances().items() if amount} == {}


def test_what_goes_back_after_delivery_is_no_failure(shop: Reseller) -> None:
    coupon(shop, value=TWO)
    give_back(bought(shop, "SAVE3"), "60.00")
    sums = report()
    assert seen(sums.failures, sums.deliveries, sums.refunds, sums.refunded, sums.owners) == (0, 1, 1, 58, 0)
