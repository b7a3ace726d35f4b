"""Goods from several sides at once. Each guard has a test that shows what happens without it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Lock
from time import sleep
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from fulfillment import calls
from fulfillment import services as services_of_fulfillment
from fulfillment.models import Delivery, Fulfillment, SupplierOrder
from fulfillment.outcomes import UNKNOWN_PAUSES
from fulfillment.services import fulfillment_run, order_fulfill
from fulfillment.suppliers import stock_room
from fulfillment.suppliers.base import Attempt, Capability, Outcome
from fulfillment.suppliers.models import StockCode, Supplier
from fulfillment.suppliers.stock_room import ShelfRoom
from kameng.outbox import services
from kameng.outbox.models import OutboxEvent
from kameng.outbox.services import Claim, claim, publish
from orders.models import Order
from resellers.models import Reseller
from tests.doubles import Answer, ScriptedSupplier
from tests.factories import code_on_sale, on_sale, stocked
from tests.flows import (
    ACCEPTED,
    REFUSED,
    TOPPED_UP,
    UNKNOWN,
    attempts,
    codes,
    delivered_codes,
    drain,
    fulfill,
    paid,
    states,
)
from tests.races.threads import BRIEFLY, SURELY, Meeting, at_once, pause_after, pause_before, without_row_locks

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("gateway_double", "supplier_double")]


#: Somebody who is blocked inside one statement has to have begun it by then.
LONG_ENOUGH = 1.5


@contextmanager
def without(*constraints: tuple[str, str, str]) -> Iterator[None]:
    """Take constraints (table, name, definition) away for a while; the tables are emptied before they come back."""
    with connection.cursor() as cursor:
        for table, name, _ in constraints:
            index = name.startswith("supplier_order_one_")
            cursor.execute(f"DROP INDEX {name}" if index else f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            for table, _, definition in constraints:
                cursor.execute(f"TRUNCATE {table} CASCADE")
                cursor.execute(definition)


# --- one code, two orders -----------------------------------------------------------------------------------


def test_more_buyers_than_codes_share_them_out_without_a_double(live_shop: Reseller) -> None:
    shelf = [f"CODE-{number:04}" for number in range(12)]
    variant = stocked(shelf)
    orders = [paid(live_shop, variant, contact=f"138000000{number:02}") for number in range(24)]

    results = at_once(live_shop, *[lambda order=order: order_fulfill(order_id=order.pk) for order in orders])

    assert results == [None] * 24
    handed_out = [code for order in orders for code in delivered_codes(order)]
    assert sorted(handed_out) == shelf
    assert StockCode.objects.filter(reference="").count() == 0
    ends = sorted(states(order) for order in orders)
    assert ends == [("fulfilled", "delivered")] * 12 + [("paid", "failed")] * 12
    drain()
    ends = sorted(states(order) for order in orders)
    assert ends == [("fulfilled", "delivered")] * 12 + [("refunded", "refunded")] * 12


def take_the_last(shop: Reseller) -> list[Any]:
    """Two references reach for the only code; whoever has it dawdles before committing."""
    variant = stocked(["CODE-0001"])
    room = ShelfRoom(Supplier.objects.get(code="own").pk)
    return at_once(
        shop,
        lambda: room.take(reference="R1", sku=variant.sku, quantity=1),
        lambda: room.take(reference="R2", sku=variant.sku, quantity=1),
    )


def test_the_last_code_goes_to_one(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    pause_after(monkeypatch, "fulfillment.suppliers.stock_room.publish")
    results = take_the_last(live_shop)
    assert sorted(results, key=bool) == [None, ["CODE-0001"]]
    assert StockCode.objects.get().reference in ("R1", "R2")


def test_without_skip_locked_the_last_code_goes_to_both(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stock_room, "_TAKE", stock_room._TAKE.replace("FOR UPDATE SKIP LOCKED", ""))
    pause_after(monkeypatch, "fulfillment.suppliers.stock_room.publish", patience=LONG_ENOUGH)
    assert take_the_last(live_shop) == [["CODE-0001"], ["CODE-0001"]]


def sell_the_same_code(shop: Reseller) -> list[Order]:
    """A supplier sends one code to two orders at the same moment."""
    variant = code_on_sale(suppliers=("first",))
    ScriptedSupplier.on_submit("first", codes("AAAA-1111"))
    orders = [paid(shop, variant) for _ in range(2)]
    assert at_once(shop, *[lambda order=order: order_fulfill(order_id=order.pk) for order in orders]) == [None, None]
    return orders


def test_a_code_sent_twice_at_once_is_delivered_once(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    pause_before(monkeypatch, "fulfillment.outcomes.codes_keep", patience=SURELY)
    orders = sell_the_same_code(live_shop)
    assert sorted(len(delivered_codes(order)) for order in orders) == [0, 1]
    assert sorted(states(order)[1] for order in orders) == ["delivered", "failed"]


def test_without_the_constraint_a_code_is_delivered_twice(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    pause_before(monkeypatch, "fulfillment.outcomes.codes_keep", patience=SURELY)
    digest = (
        "suppliers_stockcode", "suppliers_stockcode_digest_key", "ALTER TABLE suppliers_stockcode ADD UNIQUE (digest)",
    )  # fmt: skip
    with without(digest):
        orders = sell_the_same_code(live_shop)
        assert [delivered_codes(order) for order in orders] == [["AAAA-1111"], ["AAAA-1111"]]


# --- two workers, one duty ----------------------------------------------------------------------------------

ONE_ACTIVE = (
    "fulfillment_supplierorder",
    "supplier_order_one_active_per_fulfillment",
    "CREATE UNIQUE INDEX supplier_order_one_active_per_fulfillment ON fulfillment_supplierorder (fulfillment_id) "
    "WHERE status IN ('intended', 'accepted', 'unknown')",
)
SEQUENCE = (
    "fulfillment_supplierorder",
    "supplier_order_sequence_unique",
    "ALTER TABLE fulfillment_supplierorder ADD CONSTRAINT supplier_order_sequence_unique "
    "UNIQUE (fulfillment_id, sequence)",
)


def work_twice(shop: Reseller, answer: Answer = ACCEPTED) -> tuple[Order, list[Any]]:
    """Two workers have the same duty in hand: a lease ran out, or a callback knocked."""
    ScriptedSupplier.on_submit("first", answer)
    order = paid(shop, on_sale(suppliers=("first",)))
    work = Fulfillment.objects.create(line=order.lines.get())
    return order, at_once(shop, *[lambda: fulfillment_run(fulfillment_id=work.pk)] * 2)


def test_two_workers_buy_once(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    looked, is_asked = Event(), services_of_fulfillment._next_step

    def look(*args: Any) -> Any:
        step = is_asked(*args)
        if not step.is_new:
            looked.set()
        return step

    def answer(attempt: Attempt) -> Outcome:
        looked.wait(SURELY)  # whoever comes second looks before the answer is written down, however busy the machine
        return ACCEPTED

    monkeypatch.setattr(services_of_fulfillment, "_next_step", look)
    pause_after(monkeypatch, "fulfillment.services.offers_ranked", patience=LONG_ENOUGH)
    order, results = work_twice(live_shop, answer)
    assert all(isinstance(result, float) for result in results), results
    assert ScriptedSupplier.bought_from() == ["first"]
    assert attempts(order) == [("first", "accepted")]


def test_without_the_lock_the_database_refuses_the_second_purchase(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "fulfillment.services.offers_ranked", patience=SURELY)
    _, results = work_twice(live_shop)
    assert {type(result) for result in results} == {float, IntegrityError}
    assert ScriptedSupplier.bought_from() == ["first"]


def test_without_lock_and_constraints_it_is_bought_twice(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "fulfillment.services.offers_ranked", patience=SURELY)
    with without(ONE_ACTIVE, SEQUENCE):
        _, results = work_twice(live_shop)
        assert results == [0.5, 0.5]
        assert ScriptedSupplier.bought_from() == ["first", "first"]
        assert SupplierOrder.objects.filter(status="accepted").count() == 2


def test_a_result_heard_twice_at_once_is_delivered_once(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    ScriptedSupplier.on_submit("first", ACCEPTED)
    ScriptedSupplier.on_query("first", TOPPED_UP)
    order = paid(live_shop, on_sale(suppliers=("first",)))
    fulfill(order)
    work = Fulfillment.objects.get()
    pause_before(monkeypatch, "fulfillment.services.outcome_apply", patience=SURELY)
    results = at_once(live_shop, *[lambda: fulfillment_run(fulfillment_id=work.pk)] * 2)
    assert results == [None, None]
    assert states(order) == ("fulfilled", "delivered")
    assert Delivery.objects.count() == 1


# --- a question that is the purchase again ------------------------------------------------------------------


def ask_twice(shop: Reseller, monkeypatch: pytest.MonkeyPatch, *, patience: float) -> int:
    """Two workers ask a supplier who knows no question but the repeated purchase; how many were there at once."""
    monkeypatch.setattr(ScriptedSupplier, "capabilities", frozenset({Capability.REPEAT_RETURNS_SAME}))
    ScriptedSupplier.on_submit("first", UNKNOWN)
    order = paid(shop, on_sale(suppliers=("first",)))
    fulfill(order)
    meeting, lock, inside, most = Meeting(patience=patience), Lock(), 0, 0

    def answer(attempt: Attempt) -> Outcome:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        meeting.wait()
        with lock:
            inside -= 1
        return TOPPED_UP

    ScriptedSupplier.on_query("first", answer)
    work = Fulfillment.objects.get()
    results = at_once(shop, *[lambda: fulfillment_run(fulfillment_id=work.pk)] * 2)
    assert None in results
    assert states(order) == ("fulfilled", "delivered")
    return most


def test_a_purchase_is_repeated_by_one_at_a_time(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ask_twice(live_shop, monkeypatch, patience=BRIEFLY) == 1


def test_without_the_lock_a_purchase_is_repeated_by_two_at_once(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def never_alone(_: SupplierOrder) -> Iterator[bool]:
        yield True

    monkeypatch.setattr("fulfillment.services.alone_with", never_alone)
    assert ask_twice(live_shop, monkeypatch, patience=SURELY) == 2


# --- two workers, one row -----------------------------------------------------------------------------------


def claim_twice(shop: Reseller, *, patience: float = SURELY) -> list[list[Claim]]:
    """Two workers look for work while neither has committed."""
    publish("order.paid", order_id=1)
    meeting = Meeting(patience=patience)

    def look() -> list[Claim]:
        with transaction.atomic():
            claims = claim()
            meeting.wait()
        return claims

    return at_once(shop, look, look)


def test_one_row_is_claimed_by_one_worker(live_shop: Reseller) -> None:
    results = claim_twice(live_shop)
    assert sorted(len(claims) for claims in results) == [0, 1]
    assert OutboxEvent.objects.get().fence == 1


def test_without_skip_locked_a_row_is_claimed_by_both(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "_CLAIM", services._CLAIM.replace("FOR UPDATE SKIP LOCKED", ""))
    results = claim_twice(live_shop, patience=LONG_ENOUGH)
    assert sorted(claims[0].fence for claims in results) == [1, 2]


def test_many_workers_run_each_row_once(live_shop: Reseller) -> None:
    for number in range(60):
        publish("order.paid", order_id=number)

    def work() -> list[int]:
        mine = []
        while claims := claim(limit=3):
            mine += [claimed.payload["order_id"] for claimed in claims]
        return mine

    results = at_once(live_shop, *[work] * 8)
    assert sorted(number for mine in results for number in mine) == list(range(60))


# --- a worker that stops while it is alone with an attempt ----------------------------------------------------------


def stopped_alone(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch, said: Outcome, *, asked: Outcome
) -> tuple[Order, list[Any]]:
    """One worker buys, and is stopped until another, half a minute later, has asked; then it hears `said`."""
    monkeypatch.setattr(calls, "ALONE_SECONDS", 1.0)
    monkeypatch.setattr(calls, "CALLS_OF_A_STEP", 0)
    monkeypatch.setattr(services_of_fulfillment, "ABANDONED_SECONDS", 0)
    monkeypatch.setattr(ScriptedSupplier, "capabilities", frozenset({Capability.REPEAT_RETURNS_SAME}))
    order = paid(shop, code_on_sale(suppliers=("first",)))
    stopped, goes_on = Event(), Event()

    def stop(attempt: Attempt) -> Outcome:
        stopped.set()
        assert goes_on.wait(SURELY)
        return said

    def another() -> list[float | None]:
        assert stopped.wait(SURELY)
        work, waits = Fulfillment.objects.get().pk, []
        for _ in range(40):
            waits.append(fulfillment_run(fulfillment_id=work))
            if waits[-1] != services_of_fulfillment.BUSY_SECONDS:
                break
            sleep(0.1)
        goes_on.set()
        return waits

    ScriptedSupplier.on_submit("first", stop)
    ScriptedSupplier.on_query("first", asked)
    return order, at_once(shop, lambda: order_fulfill(order_id=order.pk), another)


def test_its_lock_ends_with_its_session_and_its_late_no_is_not_believed(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    order, (ended, waits) = stopped_alone(live_shop, monkeypatch, REFUSED, asked=ACCEPTED)
    assert ended == UNKNOWN_PAUSES[1]
    assert waits[0] == services_of_fulfillment.BUSY_SECONDS
    assert waits[-1] != services_of_fulfillment.BUSY_SECONDS
    assert attempts(order) == [("first", "unknown")]
    assert states(order) == ("paid", "verifying")


def test_the_codes_that_it_was_sent_are_not_lost(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    order, (ended, _) = stopped_alone(live_shop, monkeypatch, codes("AAAA-1111"), asked=UNKNOWN)
    assert ended is None
    assert delivered_codes(order) == ["AAAA-1111"]
    assert states(order) == ("fulfilled", "delivered")


def test_a_session_that_was_alone_is_like_any_other_afterwards(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedSupplier, "capabilities", frozenset({Capability.REPEAT_RETURNS_SAME}))
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(live_shop, on_sale())
    fulfill(order)
    assert states(order) == ("fulfilled", "delivered")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('idle_session_timeout'), count(*) FROM pg_locks"
            " WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        assert cursor.fetchone() == ("0", 0)
