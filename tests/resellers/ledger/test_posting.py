"""The book takes what is whole and balanced, once; and gives nothing back."""

from collections.abc import Callable
from decimal import Decimal

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from kameng.core import sql
from resellers.ledger.balances import balance, balances, balances_snapshot
from resellers.ledger.models import Account, Balance, Entry, Journal
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller
from tests.races.threads import at_once

TEN, ONE = Decimal("10.00"), Decimal("1.00")


def pay(key: str, amount: Decimal = TEN, *, account: int = 7, shop: int = 3) -> None:
    post(key, Kind.PAYMENT, [Move(Name.CLEARING, amount, account), Move(Name.ORDERS, -amount, shop)], shop_id=shop)


def write(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def now() -> None:
    """What is looked at on commit is looked at."""
    write("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")


@transaction.atomic
def committed(work: Callable[[], object]) -> None:
    """Do it, and look at it as on commit; nothing stays of what is refused."""
    work()
    now()


def test_what_came_in_is_owed_to_whom_it_came_from(shop: Reseller) -> None:
    pay("payment:1")
    pay("payment:2", ONE)
    assert (balance(Name.CLEARING, 7), balance(Name.ORDERS, 3)) == (TEN + ONE, TEN + ONE)
    assert balances() == {(Name.CLEARING, 7): TEN + ONE, (Name.ORDERS, 3): TEN + ONE}
    assert balance(Name.ORDERS, 4) == 0


def test_the_same_is_written_once(shop: Reseller) -> None:
    for _ in range(3):
        pay("payment:1")
    now()
    assert (Journal.objects.count(), Entry.objects.count(), balance(Name.CLEARING, 7)) == (1, 2, TEN)


@pytest.mark.parametrize("other", [{"amount": ONE}, {"account": 8}, {"shop": 4}])
def test_something_else_under_a_known_key_is_refused(shop: Reseller, other: dict[str, object]) -> None:
    pay("payment:1")
    with pytest.raises(IntegrityError, match="written with other entries"):
        committed(lambda: pay("payment:1", **other))  # type: ignore[arg-type]
    assert balance(Name.CLEARING, 7) == TEN


def test_a_known_key_with_fewer_moves_is_refused(shop: Reseller) -> None:
    post("x", Kind.PAYMENT, [Move(Name.COST, TEN), Move(Name.SALES, -ONE), Move(Name.COST, -9 * ONE, 2)], shop_id=None)
    fewer = [Move(Name.COST, TEN), Move(Name.SALES, -ONE)]
    with pytest.raises(IntegrityError, match="other entries"):
        committed(lambda: post("x", Kind.PAYMENT, fewer, shop_id=None))


@pytest.mark.parametrize("off", ["0.0001", "-0.01", "1000000"])
def test_what_does_not_sum_to_zero_is_refused_on_commit(shop: Reseller, off: str) -> None:
    moves = [Move(Name.COST, TEN), Move(Name.SALES, -TEN + Decimal(off))]
    with pytest.raises(IntegrityError, match="sum to"):
        committed(lambda: post("x", Kind.PAYMENT, moves, shop_id=None))


def test_moves_over_nothing_are_left_out(shop: Reseller) -> None:
    post(
        "x",
        Kind.DELIVERY,
        [Move(Name.ORDERS, TEN, 3), Move(Name.SALES, -TEN), Move(Name.PENDING, 0 * TEN, 3)],
        shop_id=3,
    )
    post("y", Kind.DELIVERY, [Move(Name.ORDERS, 0 * TEN, 3)], shop_id=3)
    now()
    assert (Journal.objects.get().key, Entry.objects.count()) == ("x", 2)


def test_a_journal_without_entries_is_refused(shop: Reseller) -> None:
    with pytest.raises(IntegrityError, match="0 of 2 entries"):
        committed(lambda: Journal.objects.create(key="empty", kind=Kind.PAYMENT, size=2))


def test_nothing_is_added_to_a_journal_that_is_whole(shop: Reseller) -> None:
    pay("payment:1")
    now()
    journal, account = Journal.objects.get(), Account.objects.all()[0]
    with pytest.raises(IntegrityError, match="whole already"), transaction.atomic():
        Entry.objects.bulk_create([Entry(journal=journal, account=account, amount=n) for n in (ONE, -ONE)])


@pytest.mark.parametrize("table", ["ledger_account", "ledger_journal", "ledger_entry"])
@pytest.mark.parametrize(
    "change", ["UPDATE {} SET id = id", "DELETE FROM {}", "DELETE FROM {} WHERE false", "TRUNCATE {} CASCADE"]
)
def test_what_is_written_stays(shop: Reseller, table: str, change: str) -> None:
    pay("payment:1")
    now()
    with pytest.raises(DatabaseError, match="only ever added to"), transaction.atomic():
        write(change.format(f"public.{table}"))
    assert balance(Name.CLEARING, 7) == TEN


def test_a_snapshot_changes_no_balance(live_shop: Reseller) -> None:
    for number in range(5):
        pay(f"payment:{number}")
        assert balances_snapshot()
        pay(f"more:{number}", ONE, account=number)
    before = dict(balances())
    assert balances_snapshot()
    assert balances_snapshot()
    assert balances() == before
    assert before[Name.ORDERS, 3] == 5 * (TEN + ONE)
    known = {(row.account.name, row.account.owner): -row.amount for row in Balance.objects.select_related("account")}
    assert known["orders", 3] == 5 * (TEN + ONE)


def test_a_snapshot_waits_for_what_is_being_written(live_shop: Reseller) -> None:
    """A lower number may be committed after a higher one was seen: it must not fall between two snapshots."""
    pay("payment:1")
    with transaction.atomic():
        pay("payment:2")
        sql.rows_anywhere("SELECT 1", [])
        assert at_once(live_shop, balances_snapshot) == [False]
    assert balances_snapshot()
    assert balance(Name.CLEARING, 7) == 2 * TEN
