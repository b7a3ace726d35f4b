"""What an owner sees of orders: what, for whom, how much is mine; and what is nobody's business."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone
from django_tenants.utils import schema_context
from pytest_django import DjangoAssertNumQueries

from catalog.listings.services import price_rule_save
from fulfillment.suppliers.models import StockCode
from orders import search
from orders.admin import order_profit
from orders.history import history
from orders.models import Order, OrderEvent
from orders.search import orders_found
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import on_sale, place, stocked
from tests.flows import REFUSED, TOPPED_UP, drain, fulfill, paid
from tests.staff import owner_of

LIST = "/manage/orders/order/"


def _page_of(order: Order) -> str:
    return f"{LIST}{order.pk}/change/"


def _delivered(shop: Reseller, *, markup: str = "3.00") -> Order:
    variant = on_sale(suppliers=("quiet-river",))
    price_rule_save(shop_id=shop.pk, kind="fixed", value=Decimal(markup), rounding="none", variant_id=variant.pk)
    ScriptedSupplier.on_submit("quiet-river", TOPPED_UP)
    order = paid(shop, variant)
    fulfill(order)
    order.refresh_from_db()
    assert order.status == Order.Status.FULFILLED
    return order


def test_the_list_says_what_for_whom_how_much_and_what_is_mine(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    order = _delivered(shop)
    shown = owner_of(shop).get(LIST).content.decode()
    for text in (order.grouped_number, "600 点券", "482***375", "¥60.00", "¥3.00", "已到账"):
        assert text in shown
    for secret in (order.contact, "482019375"):
        assert secret not in shown


def test_the_page_tells_the_story_and_hides_who_it_was_for(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    order = _delivered(shop)
    shown = owner_of(shop).get(_page_of(order)).content.decode()
    for text in (
        "收款与退款",
        "已收款",
        "买家下单",
        "收到付款 ¥60.00",
        "全部到账",
        "138****5678",
        "482***375",
        "¥57.00",
    ):
        assert text in shown
    for secret in (order.contact, "482019375", "quiet-river", "履约与采购", "¥55.00"):
        assert secret not in shown


def test_a_code_is_nowhere_in_the_owners_pages(shop: Reseller, gateway_double: type[ScriptedGateway]) -> None:
    variant = stocked(["AAAA-BBBB-CCCC-DDDD"])
    order = paid(shop, variant)
    fulfill(order)
    order.refresh_from_db()
    assert order.status == Order.Status.FULFILLED
    assert StockCode.objects.exclude(reference="").count() == 1
    client = owner_of(shop)
    for address in (LIST, _page_of(order), "/manage/"):
        shown = client.get(address).content.decode()
        assert "AAAA" not in shown
        assert "BBBB" not in shown


def test_an_order_can_only_be_looked_at(shop: Reseller) -> None:
    order = place(shop, on_sale())
    client = owner_of(shop)
    assert client.post(_page_of(order), {"status": "paid", "total": "0.01"}).status_code == 404
    assert client.post(LIST, {"action": "delete_selected", "_selected_action": order.pk}).status_code in (200, 302)
    assert client.post(f"{LIST}{order.pk}/delete/", {"post": "yes"}).status_code == 403
    with schema_context(shop.schema_name):
        order.refresh_from_db()
    assert (order.status, order.total) == (Order.Status.PENDING, Decimal("60.00"))


@pytest.mark.parametrize(
    "term",
    ["{number}", "{grouped}", "{lower}", "{start}", "点券", "王者", "482019375", "13812345678", "5678"],
)
def test_an_order_is_found_by_number_product_account_and_the_end_of_the_contact(shop: Reseller, term: str) -> None:
    variant = on_sale(product__name="王者荣耀")
    order = place(shop, variant)
    number = order.grouped_number
    known = {"number": order.number, "grouped": number, "lower": f" {number.lower()} ", "start": number[:6]}
    assert list(orders_found(Order.objects.all(), term.format(**known)).orders) == [order]


@pytest.mark.parametrize("term", ["678", "482", "ZZZZ", "1", "o'; DROP TABLE", "%", "13900000000", "9375"])
def test_what_fits_too_many_or_nobody_finds_nothing(shop: Reseller, term: str) -> None:
    place(shop, on_sale(product__name="王者荣耀"))
    assert list(orders_found(Order.objects.all(), term).orders) == []


def test_a_piece_is_looked_for_among_the_newest_unless_it_is_said_and_what_is_whole_in_all(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = on_sale(product__name="王者荣耀")
    old, new = place(shop, variant), place(shop, variant, contact="13912345678")
    monkeypatch.setattr(search, "NEWEST", 1)
    everything = Order.objects.order_by("pk")
    for term in ("王者", "5678", "482***375"):
        found = orders_found(everything, term)
        assert (list(found.orders), found.is_cut) == ([new], True), term
        assert list(orders_found(everything, term, everywhere=True).orders) == [old, new]
    for term, orders in (("482019375", [old, new]), ("13812345678", [old]), (old.number, [old])):
        assert list(orders_found(everything, term).orders) == orders
    client = owner_of(shop)
    assert "只找了最近" in client.get(f"{LIST}?q=王者").content.decode()
    shown = client.get(f"{LIST}?q=王者&reach=all").content.decode()
    assert "只找了最近" not in shown
    assert old.grouped_number in shown


def test_a_whole_account_is_found_by_its_index(shop: Reseller) -> None:
    place(shop, on_sale())
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_indexscan = off")
    assert "order_line_typed" in orders_found(Order.objects.all(), "482019375").orders.explain()


def test_the_states_of_the_filter_part_the_orders(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    done = _delivered(shop)
    unpaid = place(shop, on_sale())
    over = place(shop, on_sale(), contact="13900000001")
    Order.objects.filter(pk=over.pk).update(status=Order.Status.EXPIRED)
    supplier_double.on_submit("first", REFUSED)
    supplier_double.on_submit("second", REFUSED)
    back = paid(shop, on_sale(), contact="13900000002")
    fulfill(back)
    drain()
    client = owner_of(shop)
    wanted = {"unpaid": unpaid, "done": done, "over": over, "refunded": back}
    for state, order in wanted.items():
        shown = client.get(LIST, {"state": state}).content.decode()
        assert shown.count("data-row") == 1, state
        assert order.grouped_number in shown, state
    assert client.get(LIST).content.decode().count("data-row") == 4


def test_what_goes_back_is_no_profit(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    variant = on_sale()
    unpaid = place(shop, variant)
    assert order_profit(unpaid, unpaid.lines.all()) is None
    order = paid(shop, variant, contact="13900000003")
    assert order_profit(order, order.lines.all()) == Decimal("3.00")
    supplier_double.on_submit("first", REFUSED)
    supplier_double.on_submit("second", REFUSED)
    fulfill(order)
    drain()
    order.refresh_from_db()
    assert order.status == Order.Status.REFUNDED
    assert order_profit(order, order.lines.all()) == Decimal("0")


def test_fifty_orders_take_few_queries(shop: Reseller, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    variant = on_sale()
    for place_in_row in range(55):
        place(shop, variant, contact=f"139{place_in_row:08d}")
    client = owner_of(shop)
    with django_assert_max_num_queries(12):
        shown = client.get(LIST).content.decode()
    assert shown.count("data-row") == 50
    assert client.get(LIST, {"p": 2}).content.decode().count("data-row") == 5


def test_owners_are_told_kinds_of_actors_and_operators_their_names() -> None:
    now = timezone.now()
    events = [
        OrderEvent(name="supplier.rejected", actor="callback xinghe", data={"reference": "R1"}, created_at=now),
        OrderEvent(name="refund.retried", actor="staff:zhang", data={"refund": "F1"}, created_at=now),
        OrderEvent(name="something.new", actor="nobody", data={}, created_at=now + timedelta(seconds=1)),
        OrderEvent(name="payment.confirmed", actor="notice", data={"amount": "5.00", "surplus": True}, created_at=now),
        OrderEvent(name="payment.confirmed", actor="notice", data={}, created_at=now),
    ]
    owner = [(told.text, told.who, told.detail) for told in history(events, for_operator=False)]
    assert owner == [
        ("渠道没有充成，换下一家", "渠道回调", ""),
        ("重新提交退款", "平台工作人员", ""),
        ("something.new", "系统", ""),
        ("收到付款 ¥5.00（多付的，会自动退回）", "支付通知", ""),
        ("收到付款", "支付通知", ""),
    ]
    operator = [(told.who, told.detail) for told in history(events, for_operator=True)[:2]]
    assert operator == [("渠道回调 xinghe", "R1"), ("平台工作人员 zhang", "F1")]


def test_a_list_that_nothing_was_ever_in_is_not_told_to_search_otherwise(shop: Reseller) -> None:
    client = owner_of(shop)
    shown = client.get("/manage/orders/order/").content.decode()
    assert ("还没有记录" in shown, "清除筛选" in shown) == (True, False)
    found = client.get("/manage/orders/order/", {"q": "13800138000"}).content.decode()
    assert ("没有符合的记录" in found, "清除筛选" in found) == (True, True)
