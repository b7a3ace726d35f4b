"""The operators' lists over all shops, the search that finds any number, and the figures of today."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone
from django_tenants.utils import schema_context
from pytest_django import DjangoAssertNumQueries

from fulfillment.models import SupplierOrder
from fulfillment.suppliers.models import Supplier
from kameng.inbox.models import InboxEvent
from kameng.operations.cross_shop import ORDERS, REFUNDS, SUPPLIER_ORDERS, Cursor, every_shop, order_place_of
from kameng.operations.figures import figures, start_of_today, waiting
from kameng.outbox.models import OutboxEvent
from orders.models import Order, OrderLine
from payments.models import Refund
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import code_on_sale, on_sale, place
from tests.flows import REFUSED, TOPPED_UP, codes, drain, fulfill, paid
from tests.staff import handed_over, operator, order_address


def _schemas(*shops: Reseller) -> list[Reseller]:
    return [shop for shop in every_shop() if shop in shops]


def _in(shop: Reseller) -> schema_context:
    return schema_context(shop.schema_name)


def test_orders_of_all_shops_come_newest_first_and_page_by_page_without_gaps(
    shop: Reseller, other_shop: Reseller
) -> None:
    variant = on_sale()
    moment = timezone.now()
    wanted = []
    for step in range(7):
        where = (shop, other_shop)[step % 2]
        with _in(where):
            order = place(where, variant, contact=f"139{step:08d}")
            # Three at the same instant in both shops, so that the order among equals matters.
            at = moment - timedelta(minutes=min(step, 4))
            Order.objects.filter(pk=order.pk).update(created_at=at)
            wanted.append((at, where.schema_name, order.pk))
    wanted.sort(key=lambda row: (-row[0].timestamp(), row[1], -row[2]))
    shops, seen, after = _schemas(shop, other_shop), [], ""
    while True:
        page = ORDERS.page(shops, after=after, limit=2)
        seen += [(row["created_at"], row["schema_name"], row["id"]) for row in page.rows]
        assert len(page.rows) <= 2
        after = page.after
        if not after:
            break
    assert seen == wanted


def test_an_order_placed_meanwhile_moves_nothing_on_the_next_page(shop: Reseller) -> None:
    variant = on_sale()
    numbers = [place(shop, variant, contact=f"139{step:08d}").number for step in range(4)]
    first = ORDERS.page(_schemas(shop), limit=2)
    place(shop, variant, contact="13900000099")
    second = ORDERS.page(_schemas(shop), after=first.after, limit=2)
    assert [row["number"] for row in [*first.rows, *second.rows]] == numbers[::-1]


@pytest.mark.parametrize("text", ["", "x", "1:2", "WyIyMDI2Il0:abc", "'; --"])
def test_a_cursor_that_is_not_ours_begins_at_the_top(shop: Reseller, text: str) -> None:
    assert Cursor.read(text) is None
    assert operator().get("/admin/orders/", {"after": text}).status_code == 200


def test_a_platform_without_shops_has_empty_lists() -> None:
    assert ORDERS.page([]).rows == []
    assert figures([]).paid == Decimal(0)
    assert order_place_of("ABCDEFGHJKMNPQRS", []) is None


def test_the_list_shows_every_shop_and_masks_who_bought(shop: Reseller, other_shop: Reseller) -> None:
    variant = on_sale()
    first = place(shop, variant)
    with _in(other_shop):
        second = place(other_shop, variant, contact="13912340000")
    shown = operator().get("/admin/orders/").content.decode()
    for text in (first.grouped_number, second.grouped_number, "Shop one", "Shop two", "482***375", "待付款"):
        assert text in shown
    for secret in ("13812345678", "13912340000", "482019375"):
        assert secret not in shown


def test_the_filters_narrow_by_shop_state_and_day(
    shop: Reseller, other_shop: Reseller, gateway_double: type[ScriptedGateway]
) -> None:
    variant = on_sale()
    waiting_order = place(shop, variant)
    busy = paid(shop, variant, contact="13900000001")
    with _in(other_shop):
        old = place(other_shop, variant, contact="13900000002")
        Order.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=8))
    client = operator()

    def listed(**chosen: str) -> set[str]:
        shown = client.get("/admin/orders/", chosen).content.decode()
        return {order.number for order in (waiting_order, busy, old) if order.grouped_number in shown}

    assert listed() == {waiting_order.number, busy.number, old.number}
    assert listed(shop="two") == {old.number}
    assert listed(shop="one", state="unpaid") == {waiting_order.number}
    assert listed(state="working") == {busy.number}
    assert listed(days="week") == {waiting_order.number, busy.number}
    assert listed(shop="nobody", state="nothing", days="never") == {waiting_order.number, busy.number, old.number}


def test_any_number_leads_straight_to_its_order(
    shop: Reseller,
    other_shop: Reseller,
    supplier_double: type[ScriptedSupplier],
    gateway_double: type[ScriptedGateway],
) -> None:
    variant = on_sale(suppliers=("first",))
    supplier_double.on_submit("first", REFUSED)
    with _in(other_shop):
        connection.set_tenant(other_shop)  # type: ignore[attr-defined]
        order = paid(other_shop, variant)
        fulfill(order)
        drain()
        numbers = [
            order.number,
            order.grouped_number.lower(),
            order.payments.get().number,
            Refund.objects.get().number,
            SupplierOrder.objects.get().reference,
        ]
    client = operator()
    for number in numbers:
        answer = client.get("/admin/orders/", {"q": number})
        assert (answer.status_code, answer["Location"]) == (302, order_address(other_shop, order)), number
    for nothing in ("ZZZZZZZZZZZZZZZZ", order.number[:-1], "0" * 24):
        assert client.get("/admin/orders/", {"q": nothing}).status_code == 200


def test_contacts_accounts_and_products_are_found_over_all_shops(shop: Reseller, other_shop: Reseller) -> None:
    first = place(shop, on_sale(product__name="王者荣耀"), contact="13912340000")
    with _in(other_shop):
        second = place(other_shop, on_sale(product__name="原神"), contact="a@b.example")
    client = operator()
    for term, wanted in {
        "13912340000": {first.number},
        "A@b.example": {second.number},
        "482019375": {first.number, second.number},
        "原神": {second.number},
        "nobody": set(),
        "%": set(),
        "'": set(),
    }.items():
        shown = client.get("/admin/orders/", {"q": term}).content.decode()
        found = {order.number for order in (first, second) if order.grouped_number in shown}
        assert found == wanted, term


def test_attempts_and_refunds_of_all_shops_are_listed(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    supplier_double.on_submit("first", REFUSED)
    supplier_double.on_submit("second", REFUSED)
    order = paid(shop, on_sale())
    fulfill(order)
    drain()
    attempts = SUPPLIER_ORDERS.page(_schemas(shop)).rows
    assert [(row["supplier_name"], row["sequence"], row["status"]) for row in attempts] == [
        ("second", 2, "rejected"), ("first", 1, "rejected"),
    ]  # fmt: skip
    refunds = REFUNDS.page(_schemas(shop)).rows
    assert [(row["amount"], row["status"], row["number"]) for row in refunds] == [
        (Decimal("60.00"), "succeeded", order.number)
    ]
    client = operator()
    assert "渠道缺货" in client.get("/admin/attempts/", {"state": "rejected"}).content.decode()
    assert "没有符合的采购单" in client.get("/admin/attempts/", {"state": "succeeded"}).content.decode()
    assert "¥60.00" in client.get("/admin/refunds/", {"state": "done"}).content.decode()
    assert "没有符合的退款" in client.get("/admin/refunds/", {"state": "failed"}).content.decode()


def test_lists_over_all_shops_take_few_queries(
    shop: Reseller, other_shop: Reseller, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    variant = on_sale()
    for where in (shop, other_shop):
        with _in(where):
            for step in range(30):
                place(where, variant, contact=f"139{step:08d}")
    client = operator()
    with django_assert_max_num_queries(12):
        shown = client.get("/admin/orders/").content.decode()
    assert shown.count("<tr>") == 51
    for address in ("/admin/", "/admin/attempts/", "/admin/refunds/"):
        with django_assert_max_num_queries(14):
            client.get(address)


def test_todays_figures_add_up_over_the_shops(
    shop: Reseller,
    other_shop: Reseller,
    supplier_double: type[ScriptedSupplier],
    gateway_double: type[ScriptedGateway],
) -> None:
    variant = on_sale(suppliers=("first",))
    supplier_double.on_submit("first", TOPPED_UP, REFUSED)
    now = timezone.now()
    for where, contact in ((shop, "13900000001"), (other_shop, "13900000002")):
        connection.set_tenant(where)  # type: ignore[attr-defined]
        order = paid(where, variant, contact=contact)
        fulfill(order)
        drain()
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    Order.objects.update(paid_at=start_of_today() + timedelta(seconds=1))
    OrderLine.objects.update(finished_at=start_of_today() + timedelta(seconds=5))
    yesterday = paid(shop, variant, contact="13900000003")
    Order.objects.filter(pk=yesterday.pk).update(paid_at=now - timedelta(days=1))
    found = figures(_schemas(shop, other_shop))
    assert (found.paid, found.orders, found.refunded, found.refunds) == (Decimal("120.00"), 2, Decimal("60.00"), 1)
    assert found.delivered_rate == Decimal("0.5")
    assert [found.p50, found.p90] == [pytest.approx(4), pytest.approx(4)]
    by_shop = {row.shop.slug: row for row in found.shops}
    assert [by_shop["one"].paid, by_shop["one"].margin, by_shop["one"].delivered_rate] == [60, 3, 1]
    assert [by_shop["two"].paid, by_shop["two"].margin, by_shop["two"].delivered_rate] == [60, 0, 0]


def test_the_first_page_names_what_waits_for_a_person(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    client = operator()
    assert "现在没有要人处理的事" in client.get("/admin/").content.decode()
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    handed_over(shop)
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    InboxEvent.objects.create(
        source="payments", account="a", event_id="e", body=b"", verdict="refused", reason="amount"
    )
    Supplier.objects.filter(code="first").update(eliminated_at=timezone.now(), eliminated_reason="no_balance")
    OutboxEvent.objects.create(
        schema_name="shop_one", topic="order.paid", run_at=timezone.now() - timedelta(seconds=61)
    )
    late = waiting()
    assert (late.refused, [supplier.code for supplier in late.eliminated], late.overdue) == (1, ["first"], 1)
    shown = client.get("/admin/").content.decode()
    for text in ("充值结果要核实", "通知对不上", "供应商自动停用", "no_balance", "待办超时"):
        assert text in shown


def test_a_code_that_came_from_a_supplier_is_nowhere_either(
    shop: Reseller, supplier_double: type[ScriptedSupplier], gateway_double: type[ScriptedGateway]
) -> None:
    supplier_double.on_submit("first", codes("WXYZ-9876-WXYZ-9876"))
    order = paid(shop, code_on_sale())
    fulfill(order)
    client = operator()
    for address in (
        order_address(shop, order),
        "/admin/attempts/",
        "/admin/suppliers/stockcode/",
        "/admin/inbox/inboxevent/",
    ):
        assert "9876" not in client.get(address).content.decode()
