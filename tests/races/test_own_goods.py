"""Owners' own goods from several sides at once. Each guard has a test that shows what happens without it."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from catalog import services
from fulfillment import by_owner, outcomes
from fulfillment.by_owner import NotYours, owner_deliver
from fulfillment.models import Delivery, Fulfillment, SupplierOrder
from fulfillment.services import order_fulfill
from fulfillment.suppliers import costs, stock_imports
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import StockCode, StockImport
from fulfillment.suppliers.own_goods import Wanted, own_good_save
from fulfillment.suppliers.owners import owners_stock
from fulfillment.suppliers.stock_imports import import_begin, import_run, import_undo
from fulfillment.suppliers.stock_room import stock_load
from orders.models import Order, OrderEvent
from resellers.models import Reseller
from resellers.services import shop_touch
from tests.factories import own_good
from tests.flows import drain, fulfill, paid, states
from tests.races.threads import BRIEFLY, SURELY, Meeting, at_once, without_row_locks

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("gateway_double", "supplier_double")]
LINES = [f"CODE-{number:05}" for number in range(1500)]


def overdue(shop: Reseller) -> tuple[Order, SupplierOrder]:
    """A paid order that waits for the owner's hands, whose time is just over."""
    order = paid(shop, own_good(shop, by_hand=30, kind="code"))
    fulfill(order)
    Fulfillment.objects.filter(line__order=order).update(due_at=timezone.now() - timedelta(seconds=1))
    return order, SupplierOrder.objects.get(fulfillment__line__order=order)


def meet_at(monkeypatch: pytest.MonkeyPatch, *places: tuple[Any, str], patience: float = BRIEFLY) -> None:
    """Whoever has called one of these waits for the other."""
    meeting = Meeting(patience=patience)

    def waiting(original: Callable[..., Any]) -> Callable[..., Any]:
        def called(*args: Any, **options: Any) -> Any:
            result = original(*args, **options)
            meeting.wait()
            return result

        return called

    for module, name in places:
        monkeypatch.setattr(module, name, waiting(getattr(module, name)))


def delivered_or_refunded(order: Order, buy: SupplierOrder) -> list[Any]:
    def deliver() -> None:
        owner_deliver(supplier_order_id=buy.pk, actor="owner", text="HAND-1111-2222")

    def fall_due() -> None:
        order_fulfill(order_id=order.pk)

    return at_once(Reseller.objects.get(slug="live"), deliver, fall_due)


def test_the_owner_or_the_deadline_ends_it_and_never_both(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    order, buy = overdue(live_shop)
    meet_at(monkeypatch, (by_owner, "attempt_known"), (outcomes, "attempt_known"))
    delivered, fell_due = delivered_or_refunded(order, buy)
    assert fell_due is None
    drain()
    if delivered is None:
        assert states(order) == ("fulfilled", "delivered")
        assert Delivery.objects.count() == 1
    else:
        assert isinstance(delivered, NotYours)
        assert states(order) == ("refunded", "refunded")
        assert not Delivery.objects.exists()


def test_without_the_orders_lock_both_think_that_they_ended_it(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, buy = overdue(live_shop)
    without_row_locks(monkeypatch)
    # The last that either reads: whoever met earlier might find what the other has written since.
    meet_at(monkeypatch, (by_owner, "lines_of"), (outcomes, "lines_of"), patience=SURELY)
    delivered, _fell_due = delivered_or_refunded(order, buy)
    assert delivered is None
    # Whose row is written last is chance; both have said that it ended.
    assert Delivery.objects.count() == 1
    ends = set(OrderEvent.objects.filter(order=order).values_list("name", flat=True))
    assert {"supplier.rejected", "line.failed", "line.delivered"} <= ends


def begun(shop: Reseller, lines: list[str]) -> StockImport:
    return import_begin(
        supplier=owners_stock(), variant=own_good(shop), schema_name=shop.schema_name, lines=lines, source="a.txt",
        actor="owner",
    )  # fmt: skip


def test_the_same_file_brought_twice_at_once_puts_no_code_on_the_shelf_twice(live_shop: Reseller) -> None:
    first, second = begun(live_shop, LINES), begun(live_shop, LINES[::-1])
    runs = [lambda batch=batch: import_run(import_id=batch.pk) for batch in (first, second)]
    # In opposite orders, each would wait for the other: nobody is sent away for that.
    assert at_once(live_shop, *runs) == [None, None]
    first.refresh_from_db()
    second.refresh_from_db()
    assert StockCode.objects.count() == len(LINES)
    assert first.added + second.added == first.known + second.known == len(LINES)


def _run_twice(shop: Reseller, batch: StockImport) -> list[Any]:
    return at_once(shop, *[lambda: import_run(import_id=batch.pk)] * 2)


def test_two_workers_at_one_import_count_each_line_once(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = begun(live_shop, LINES)
    meet_at(monkeypatch, (stock_imports, "codes_add"))
    assert _run_twice(live_shop, batch) == [None, None]
    batch.refresh_from_db()
    assert (batch.done, batch.added, batch.repeated) == (len(LINES), len(LINES), 0)


def test_without_the_lock_on_an_import_lines_are_counted_twice(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = begun(live_shop, LINES)
    without_row_locks(monkeypatch)
    original = stock_imports._shelve
    meeting = Meeting(patience=SURELY)

    def shelve(*args: Any) -> Any:
        meeting.wait()
        return original(*args)

    monkeypatch.setattr(stock_imports, "_shelve", shelve)
    _run_twice(live_shop, batch)
    batch.refresh_from_db()
    assert (batch.added, batch.repeated) != (len(LINES), 0)


def test_a_code_is_sold_or_taken_back_and_never_both(live_shop: Reseller) -> None:
    batch = begun(live_shop, LINES[:1])
    import_run(import_id=batch.pk)
    order = paid(live_shop, batch.variant)

    def undo() -> int:
        return import_undo(import_id=batch.pk, schema_name=live_shop.schema_name, actor="owner").withdrawn

    withdrawn, _fulfilled = at_once(live_shop, undo, lambda: order_fulfill(order_id=order.pk))
    drain()
    assert (withdrawn, states(order)[1], StockCode.objects.count()) in {(0, "delivered", 1), (1, "refunded", 0)}


def test_a_good_that_is_saved_while_its_stock_is_looked_at_waits_and_does_not_fail(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = own_good(live_shop)
    stock_load(supplier=owners_stock(), variant=variant, codes=LINES[:1])
    meeting = Meeting()

    def after(**shop: int) -> None:
        shop_touch(**shop)
        meeting.wait()

    def before(**shop: int) -> None:
        meeting.wait()
        shop_touch(**shop)

    # One has the shop's row and wants the variant, the other has the variant and wants the shop's row.
    monkeypatch.setattr(services, "shop_touch", after)
    monkeypatch.setattr(costs, "shop_touch", before)
    again = [Wanted("标准", Decimal(25), variant_id=variant.pk)]
    saved, changed = at_once(
        live_shop,
        lambda: own_good_save(shop=live_shop, product=variant.product, wanted=again).standing,
        lambda: availability_refresh(variant_ids=[variant.pk]),
    )
    assert saved == "clear"
    assert changed in (0, 1)
    variant.refresh_from_db()
    assert (variant.own_price, variant.is_available) == (Decimal(25), True)
