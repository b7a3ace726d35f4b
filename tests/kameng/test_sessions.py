"""Sessions that go from thread to thread, and what they are taken for."""

import time
from collections.abc import Callable, Iterator
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from django.conf import settings
from django.db import DataError, connection, connections

from fulfillment.suppliers.limits import Place, place_take
from kameng.celery import app
from kameng.core import sql
from kameng.core.database import sessions as rules
from kameng.core.database.sessions import sessions
from kameng.core.database.warming import Warming, tables_of
from kameng.core.database.warming import warming as shared_warming
from kameng.outbox.services import bell
from kameng.warmed import worker_tell
from orders.models import Order, OrderEvent
from resellers.models import Reseller
from tests.factories import SupplierFactory

pytestmark = pytest.mark.django_db
Open = Callable[[str], Any]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """What a thread has: a connection in a shop. Everything is over at the end."""
    monkeypatch.setattr(sessions, "shared", True)
    made: list[Any] = []

    def open_in(schema_name: str) -> Any:
        one: Any = connections.create_connection("default")
        one.set_schema(schema_name)
        made.append(one)
        return one

    yield open_in
    for one in made:
        one.close()
    sessions.close()


def ask(one: Any, question: str = "SELECT current_schema()") -> Any:
    """One value."""
    with one.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()[0]


def pid(one: Any) -> int:
    """Which session answers."""
    return int(ask(one, "SELECT pg_backend_pid()"))


def left(one: Any) -> int:
    """Which session answered, now that it is given back."""
    found = pid(one)
    one.close_if_unusable_or_obsolete()
    assert one.connection is None
    return found


def test_a_shop_gets_the_session_that_knows_it_and_others_one_that_knows_least(opened: Open) -> None:
    one, two = opened("shop_one"), opened("shop_two")
    pids = [pid(one), pid(two)]
    assert [left(one), left(two)] == pids
    again = [opened("shop_one"), opened("shop_two"), opened("shop_one")]
    assert [pid(known) for known in again[:2]] == pids
    assert pid(again[2]) not in pids  # both are in hand
    third = left(again[2])
    assert left(again[1]) == pids[1]
    assert pid(opened("shop_one")) == third


def test_whoever_takes_a_session_asks_in_its_own_shop(opened: Open) -> None:
    one = opened("shop_one")
    assert ask(one) == "shop_one"
    session = left(one)
    two = opened("shop_two")
    assert (ask(two), pid(two)) == ("shop_two", session)
    two.give_back()
    assert (ask(one), pid(one)) == ("shop_one", session)
    with one.cursor():  # enters, and says nothing
        one.set_schema("shop_two")
    one.give_back()
    assert ask(opened("shop_one")) == "shop_one"


def test_what_a_session_was_prepared_for_goes_with_it(opened: Open) -> None:
    one = opened("shop_one")
    name = one.cursor() and one.prepare("SELECT $1::integer")
    of_shop = one.prepare("SELECT $1::bigint", in_each_shop=True)
    assert (ask(one, f"EXECUTE {name} (6)"), ask(one, f"EXECUTE {of_shop} (6)")) == (6, 6)
    left(one)
    two = opened("shop_two")
    assert ask(two) == "shop_two"
    assert two.prepare("SELECT $1::integer") == name
    assert two.prepare("SELECT $1::bigint", in_each_shop=True) != of_shop
    assert ask(two, f"EXECUTE {name} (7)") == 7
    two.set_schema("shop_one")
    assert ask(two) == "shop_one"
    assert two.prepare("SELECT $1::bigint", in_each_shop=True) == of_shop
    assert ask(two, f"EXECUTE {of_shop} (7)") == 7


def test_what_a_session_is_not_known_to_have_been_prepared_for_gets_another_name(opened: Open) -> None:
    one = opened("shop_one")
    with pytest.raises(DataError), one.cursor() as cursor:
        cursor.execute(f"SELECT 1; EXECUTE {one.prepare('SELECT 1 / $1::integer')} (0)")
    name = one.cursor() and one.prepare("SELECT 1 / $1::integer")
    assert ask(one, f"EXECUTE {name} (1)") == 1
    one.set_autocommit(False)
    with one.cursor():
        undone = one.prepare("SELECT 2 / $1::integer")
    one.rollback()  # nothing was said
    one.set_autocommit(True)
    with one.cursor():
        assert one.prepare("SELECT 2 / $1::integer") == undone
    assert ask(one, f"EXECUTE {undone} (1)") == 2


def test_shops_whose_names_are_long_and_nearly_the_same_have_statements_of_their_own(opened: Open) -> None:
    one, names = opened("shop_one"), []
    for end in "12":
        one.set_schema(f"shop_{'a' * 39}{end}")
        with one.cursor():
            names.append(one.prepare("SELECT 1", in_each_shop=True))
    assert names[0] != names[1]
    assert max(map(len, names)) < 60


def test_a_look_plans_what_the_process_says(opened: Open, warming: Warming, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql.InEachShop, "_all", [])
    warming.process = "worker"
    sql.InEachShop("SELECT id FROM orders_order WHERE number = %s AND id > %s", by=["worker"])
    sql.InEachShop("SELECT 1 WHERE %s", by=["web"])
    thread = Thread(target=lambda: warming.look(Reseller.objects.get(slug="one")))
    thread.start()
    thread.join()
    one = opened("shop_one")
    one.move(one.tenant)
    planned = "SELECT generic_plans + custom_plans FROM pg_prepared_statements WHERE name LIKE '%_shop_one'"
    assert ask(one, planned) == 1


@pytest.mark.parametrize("is_order", [True, False])
def test_an_order_waits_for_the_session_that_knows_the_shop_and_a_reader_takes_another(
    opened: Open, monkeypatch: pytest.MonkeyPatch, is_order: bool
) -> None:
    monkeypatch.setattr(rules, "PATIENCE", 10.0)
    one, two = opened("shop_one"), opened("shop_two")
    found: list[int] = []
    for opener in (one, two):
        opener.move(opener.tenant)
    left(two)
    session = pid(one)

    def wait() -> None:
        two: Any = connections.create_connection("default")
        two.move(Reseller(schema_name="shop_one"), order=is_order)
        found.append(pid(two))
        two.close()

    waiting = Thread(target=wait)
    waiting.start()
    waiting.join(0.2)
    assert bool(found) is not is_order
    one.give_back()
    waiting.join(10)
    assert (found == [session]) is is_order


def test_nobody_gets_a_session_with_a_transaction(opened: Open) -> None:
    one = opened("shop_one")
    session = pid(one)
    one.set_autocommit(False)
    one.close_if_unusable_or_obsolete()
    assert (one.connection, pid(opened("shop_one")) == session) == (None, False)
    assert connection.in_atomic_block
    before = connection.connection
    connection.give_back()  # type: ignore[attr-defined]
    assert connection.connection is before


def test_one_that_has_died_is_not_given_out(opened: Open) -> None:
    one = opened("shop_one")
    session = pid(one)
    one.connection.used_at = 0.0
    given = one.connection
    one.give_back()
    given.used_at = 0.0
    ask(connection, f"SELECT pg_terminate_backend({session}, 5000)")
    assert pid(opened("shop_one")) != session


def test_one_that_failed_or_is_old_is_ended(opened: Open) -> None:
    for spoil in ({"errors_occurred": True}, {}):
        one = opened("shop_one")
        session = pid(one)
        given = one.connection
        for name, value in spoil.items():
            setattr(one, name, value)
        given.born_at -= 0 if spoil else rules.OLDEST + 1
        one.give_back()
        assert given.closed
        assert pid(opened("shop_one")) != session


def test_none_learns_more_shops_than_it_may_and_what_all_know_has_an_end(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rules, "MOST_SHOPS", 1)
    monkeypatch.setattr(rules, "WANDERED", 2)
    first, second = opened("shop_one"), opened("shop_two")
    session = left(first)
    assert pid(second) != session  # the first is full
    assert left(opened("shop_one")) == session
    last = second.connection
    monkeypatch.setattr(settings, "SHOPS_KNOWN", 1)
    kept = left(second)
    assert (last.closed, pid(opened("shop_one")) in (session, kept)) == (0, False)  # the first had to go
    swept = opened("shop_one")
    assert ask(swept) == "shop_one"
    swept.set_schema("shop_two")
    assert ask(swept) == "shop_two"
    wandered = swept.connection
    monkeypatch.setattr(settings, "SHOPS_KNOWN", 10)
    swept.give_back()
    assert not wandered.closed  # it came to see another one
    assert pid(opened("shop_three")) != wandered.info.backend_pid
    again = opened("shop_two")
    assert ask(again) == "shop_two"
    assert again.connection is wandered
    again.set_schema("public")
    ask(again)
    again.give_back()
    assert wandered.closed


def test_readers_take_no_session_from_orders_and_have_to_go_first(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = opened("shop_one")
    order.move(order.tenant)
    session = left(order)
    reader = opened("shop_one")
    assert pid(reader) != session  # though it is idle, and knows the shop
    monkeypatch.setattr(settings, "SHOPS_KNOWN", 1)
    last = reader.connection
    left(reader)
    assert last.closed  # though it was used last
    again = opened("shop_two")
    again.move(again.tenant)
    assert pid(again) == session


def test_a_place_for_a_call_stays_with_the_session_that_locked_it(opened: Open) -> None:
    supplier = SupplierFactory(code="first", max_concurrent=1)
    place = place_take(supplier)
    assert isinstance(place, Place)
    session, connection.connection = connection.connection, connections.create_connection("default")
    try:
        place.give_back()
    finally:
        connection.connection = session
    assert len(session.left_behind) == 1
    again = place_take(supplier)
    assert (again is not None, session.left_behind) == (True, [])
    assert again is not None
    again.give_back()
    one = opened("shop_one")
    pid(one)
    locked = one.connection
    locked.left_behind.append(1)
    one.give_back()
    assert locked.closed


def test_a_process_that_is_forked_leaves_the_sessions_to_its_parent(opened: Open) -> None:
    one = opened("shop_one")
    pid(one)
    given = one.connection
    one.give_back()
    monkey = sessions._inherited
    sessions._leave_to_parent()
    assert sessions.take("shop_one") is None
    assert (given in sessions._inherited, given.closed) == (True, 0)
    monkey.clear()
    given.close()


class Slow(set[str]):
    """Whoever looks into it is interrupted."""

    def __contains__(self, what: object) -> bool:
        time.sleep(0.02)
        return super().__contains__(what)


def test_no_session_is_in_two_hands(opened: Open) -> None:
    both = [opened("shop_one"), opened("shop_one")]
    pids = {pid(one) for one in both}
    for one in both:
        one.connection.known = Slow(one.connection.known)
        one.give_back()
    meeting = Barrier(2)
    taken: list[Any] = []

    def take() -> None:
        meeting.wait()
        taken.append(sessions.take('"shop_one","public"'))

    threads = [Thread(target=take) for _ in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {one.info.backend_pid for one in taken} == pids
    for one in taken:
        one.close()


@pytest.fixture
def warming() -> Warming:
    """One that has something to look at."""
    made = Warming()
    made.statement = tables_of([Order, OrderEvent])
    return made


def test_a_shop_whose_page_is_read_is_looked_at_once(
    opened: Open, warming: Warming, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, looked, done = Reseller.objects.get(slug="one"), [], Event()
    with monkeypatch.context() as patch:
        patch.setattr(sessions, "shared", False)
        warming.want(shop)
    assert warming._wanted == {}

    def look(one: Reseller) -> bool:
        looked.append(one)
        done.set()
        return True

    told: list[list[str]] = []
    monkeypatch.setattr(warming, "look", look)
    monkeypatch.setattr(warming, "tell", told.append)
    warming.want(shop)
    assert done.wait(5)
    assert (looked, told, warming._wanted) == ([shop], [["shop_one"]], {})


def test_a_worker_hears_of_shops_and_looks_at_those_that_are_there(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[tuple[str, object]] = []
    wanted: list[Reseller] = []
    monkeypatch.setattr(bell, "send", lambda task, about, expires: sent.append((task, about)))
    worker_tell(["shop_one", "shop_gone"])
    ((task, about),) = sent
    monkeypatch.setattr(shared_warming, "want", wanted.append)
    app.tasks[task](about)
    assert [shop.schema_name for shop in wanted] == ["shop_one"]


def test_the_session_that_looked_is_the_one_for_the_shops_next_order(opened: Open, warming: Warming) -> None:
    shop, found = Reseller.objects.get(slug="one"), []
    thread = Thread(target=lambda: found.append(warming.look(shop)))
    thread.start()
    thread.join()
    assert found == [True]
    reader = opened("shop_one")
    pid(reader)
    assert reader.connection is not warming._known_by["shop_one"]
    one = opened("shop_one")
    one.move(shop)
    pid(one)
    assert one.connection is warming._known_by["shop_one"]
    warming.want(shop)
    assert warming._wanted == {}  # it is known


def test_a_database_that_does_not_answer_is_given_a_rest(opened: Open, warming: Warming) -> None:
    warming.statement, found = "SELECT FROM nowhere", []
    thread = Thread(target=lambda: found.append(warming.look(Reseller.objects.get(slug="one"))))
    thread.start()
    thread.join()
    assert (found, warming._known_by) == ([False], {})
