"""An owner's first page: the figures of today, to the cent, and what there is to look at."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
from django.utils import timezone
from django_tenants.utils import schema_context
from pytest_django import DjangoAssertNumQueries

from catalog.listings.models import Listing
from catalog.listings.product_names import product_rename
from compliance.gate.models import Case
from kameng.admin.bars import GROUND, bars
from kameng.manage.figures import attention, figures
from orders.models import Order, OrderLine
from resellers import hosts
from resellers.models import Reseller
from resellers.withdrawals.models import Withdrawal
from tests.compliance.gate import DOUBTFUL, doubtful_words, named
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import on_sale, place
from tests.flows import REFUSED, TOPPED_UP, UNKNOWN, drain, fulfill, in_a_moment, paid
from tests.resellers.withdrawals.test_services import ask, earn, pay_to
from tests.staff import owner_of, staff_of


def _at(day: int, hour: int, minute: int = 0) -> datetime:
    """A moment by the site's clock, `day` days from today."""
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(days=day, hours=hour, minutes=minute)


def _move(order: Order, moment: datetime) -> None:
    """As if the order had been paid, and its lines had ended, at a moment."""
    Order.objects.filter(pk=order.pk).update(paid_at=moment)
    OrderLine.objects.filter(order=order, finished_at__isnull=False).update(finished_at=moment + timedelta(seconds=5))


def test_today_begins_at_midnight_in_shanghai_and_counts_what_was_paid(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    variant = on_sale()
    supplier_double.on_submit("first", TOPPED_UP)
    for place_in_row, moment in enumerate([_at(0, 0), _at(-1, 23, 59), _at(-7, 12), _at(-13, 1), _at(-14, 23)]):
        order = paid(shop, variant, contact=f"1390000000{place_in_row}", quantity=place_in_row + 1)
        fulfill(order)
        _move(order, moment)
    place(shop, variant)
    now = figures()
    assert (now.sales, now.orders, now.profit) == (Decimal("60.00"), 1, Decimal("3.00"))
    assert (now.delivered, now.due, now.delivered_rate) == (1, 1, Decimal(1))
    assert (now.before.sales, now.before.orders) == (Decimal("180.00"), 1)
    assert [(day.sales, day.orders) for day in now.days if day.orders] == [
        (Decimal("240.00"), 1), (Decimal("180.00"), 1), (Decimal("120.00"), 1), (Decimal("60.00"), 1),
    ]  # fmt: skip
    assert (len(now.days), now.days[-1].day, now.highest) == (14, timezone.localdate(), Decimal("240.00"))


def test_what_was_refunded_is_due_but_neither_delivered_nor_earned(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    variant = on_sale(suppliers=("first",))
    supplier_double.on_submit("first", REFUSED)
    order = paid(shop, variant)
    fulfill(order)
    drain()
    now = figures()
    assert (now.sales, now.orders, now.profit) == (Decimal("60.00"), 1, Decimal(0))
    assert (now.delivered, now.due) == (0, 1)


def test_what_is_under_way_is_not_due_until_it_is_slow(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    order = paid(shop, on_sale())
    assert (figures().due, figures().delivered_rate) == (0, None)
    Order.objects.filter(pk=order.pk).update(paid_at=timezone.now() - timedelta(seconds=601))
    if timezone.localtime(timezone.now() - timedelta(seconds=601)).date() == timezone.localdate():
        assert (figures().due, figures().delivered_rate) == (1, Decimal(0))


def test_a_shop_that_sold_nothing_has_figures_too(shop: Reseller) -> None:
    now = figures()
    assert [now.sales, now.orders, now.profit, now.delivered_rate, now.highest] == [0, 0, 0, None, 0]
    assert [bar.height for bar in bars([("", day.sales) for day in now.days]).bars] == [0] * 14
    assert owner_of(shop).get("/manage/").status_code == 200


def test_bars_stand_on_the_ground_and_the_best_day_is_highest(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    variant = on_sale()
    for contact, moment, quantity in (("13900000001", _at(0, 0), 1), ("13900000002", _at(-3, 9), 4)):
        _move(paid(shop, variant, contact=contact, quantity=quantity), moment)
    drawn = bars([(str(day.day), day.sales) for day in figures().days]).bars
    heights = {date.fromisoformat(bar.label): bar.height for bar in drawn if bar.height}
    best, today = heights[timezone.localdate() - timedelta(days=3)], heights[timezone.localdate()]
    assert len(heights) == 2
    assert today == pytest.approx(best / 4, abs=0.1)
    assert all(bar.top + bar.height == pytest.approx(GROUND, abs=0.11) for bar in drawn)
    assert all(left.left + left.width < right.left for left, right in pairwise(drawn))
    assert [bar.is_last for bar in drawn] == [False] * 13 + [True]


def test_the_page_says_what_the_owner_should_look_at(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    supplier_double.on_submit("first", UNKNOWN)
    supplier_double.on_query("first", UNKNOWN)
    stuck = paid(shop, on_sale())
    fulfill(stuck)
    Listing.objects.create(variant=on_sale(), is_visible=False)
    Listing.objects.create(variant=on_sale(), price=Decimal("1.00"))
    assert [found.pk for found in attention().orders] == [stuck.pk]
    Reseller.objects.filter(pk=shop.pk).update(is_open=False)
    hosts.forget()
    shown = owner_of(shop).get("/manage/").content.decode()
    for text in (
        stuck.grouped_number,
        "核实中",
        "1 个面额的售价超出允许范围",
        "1 个面额被你隐藏了",
        "店铺已打烊",
        "怎么算的",
    ):
        assert text in shown
    assert "没有要处理的事" not in shown


def test_the_page_takes_few_queries_and_shows_one_shop_only(
    shop: Reseller,
    other_shop: Reseller,
    gateway_double: type[ScriptedGateway],
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    variant = on_sale()
    with schema_context(other_shop.schema_name):
        paid(other_shop, variant)
    client = owner_of(shop)
    with django_assert_max_num_queries(15):
        shown = client.get("/manage/").content.decode()
    assert "¥60.00" not in shown
    assert "都正常，没有要处理的事" in shown


def test_the_page_calls_a_product_as_the_shop_does_and_tells_the_price_that_was_asked(shop: Reseller) -> None:
    variant = on_sale()
    product_rename(shop_id=shop.pk, product_id=variant.product_id, name="峡谷点券")
    Listing.objects.create(variant=variant, price=Decimal("1.00"))
    owner = owner_of(shop)
    shown = owner.get("/manage/").content.decode()
    assert "峡谷点券 600 点券 ¥1.00" in " ".join(shown.split())
    assert variant.product.name not in shown


def test_who_sees_to_orders_alone_is_told_of_orders_alone(shop: Reseller) -> None:
    Listing.objects.create(variant=on_sale(), price=Decimal("1.00"))
    Reseller.objects.filter(pk=shop.pk).update(is_open=False)
    hosts.forget()
    shown = staff_of(shop, "support").get("/manage/").content.decode()
    assert "店铺已打烊" in shown
    for others in ("超出允许范围", "可提现", "我赚", "去开门", "去提现"):
        assert others not in shown


def test_what_was_sent_back_or_refused_is_told(shop: Reseller) -> None:
    doubtful_words()
    variant = on_sale()
    named(shop, variant, DOUBTFUL)
    earn(shop, Decimal("300.00"), key="x")
    pay_to(shop)
    owner = owner_of(shop)
    with in_a_moment(2 * 86_400), schema_context(shop.schema_name):
        wish = ask(shop, amount="100.00", key="w")
    assert "处文字被退回" not in owner.get("/manage/").content.decode()
    Case.objects.update(state="sent_back", decided_at=timezone.now(), decided_by="staff:li")
    Withdrawal.objects.filter(pk=wish.pk).update(status="rejected", closed_at=timezone.now(), closed_by="staff:li")
    shown = owner.get("/manage/").content.decode()
    assert "1 处文字被退回" in shown
    assert "最近 7 天有 1 笔提现被拒绝" in shown
    # Written anew, and nothing is in the way any more.
    with schema_context(shop.schema_name):
        named(shop, variant, "周年礼包")
    assert "处文字被退回" not in owner.get("/manage/").content.decode()
