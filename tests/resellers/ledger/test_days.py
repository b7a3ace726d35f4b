"""Each shop's days are what its entries add up to, each of them once."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import TypedDict

import pytest
from django.core.management import call_command
from django.db import connection

from kameng.audit.ledger import days_add_up
from resellers.ledger import days
from resellers.ledger.balances import balances, balances_snapshot
from resellers.ledger.days import days_false, days_rebuild, days_reckon
from resellers.ledger.models import Day, Journal, Reckoned
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.ledger.spans import reckoned_at
from resellers.models import Reseller
from tests.races.threads import Meeting, at_once

TEN, SIX, FOUR, ONE = Decimal("10.00"), Decimal("6.00"), Decimal("4.00"), Decimal("1.00")
NOTHING = Decimal(0)
#: A quarter to midnight in Beijing, and half an hour later.
LATE, NEXT = datetime(2026, 11, 28, 15, 45, tzinfo=UTC), datetime(2026, 11, 28, 16, 15, tzinfo=UTC)


class Told(TypedDict):
    """Whose journal it is."""

    shop_id: int
    order_number: str


def sold(shop: int, number: str, *, owner: int = 0) -> None:
    """An order is paid, bought for four and delivered: six for the platform, four for whoever owns the shop."""
    told = Told(shop_id=shop, order_number=number)
    fee = [Move(Name.FEES, ONE, 7), Move(Name.CLEARING, -ONE, 7)]
    post(f"payment:{number}", Kind.PAYMENT, [Move(Name.CLEARING, TEN, 7), Move(Name.ORDERS, -TEN, shop), *fee], **told)
    post(f"supply:{number}", Kind.SUPPLY, [Move(Name.COST, FOUR), Move(Name.SUPPLIER, -FOUR, 1)], **told)
    earned = [Move(Name.SALES, -SIX), Move(Name.PENDING, -FOUR, shop)]
    post(f"delivery:{number}", Kind.DELIVERY, [Move(Name.ORDERS, TEN, shop), *earned], **told)


def given_back(shop: int, number: str, *, delivered: bool) -> None:
    told = Told(shop_id=shop, order_number=number)
    taken = [Move(Name.SALES, SIX), Move(Name.PENDING, FOUR, shop)] if delivered else [Move(Name.ORDERS, TEN, shop)]
    post(f"refund_due:{number}", Kind.REFUND_DUE, [*taken, Move(Name.REFUNDS, -TEN, shop)], **told)
    post(f"refund:{number}", Kind.REFUND, [Move(Name.REFUNDS, TEN, shop), Move(Name.CLEARING, -TEN, 7)], **told)


@pytest.fixture
def moments() -> Iterator[None]:
    """What was posted may be given another time afterwards."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE public.ledger_journal DISABLE TRIGGER USER")
        yield
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("ALTER TABLE public.ledger_journal ENABLE TRIGGER USER")


def posted(key: str, at: datetime) -> None:
    assert Journal.objects.filter(key=key).update(posted_at=at) == 1


def reckon(at: datetime = NEXT) -> int:
    assert balances_snapshot()
    return days_reckon(at=at)


def known(day: date | None = None) -> dict[int | None, Day]:
    """The days by shop."""
    rows = Day.objects.filter(day=day) if day else Day.objects.all()
    return {row.shop_id: row for row in rows}


def test_a_day_says_what_moved_for_a_shop(shop: Reseller) -> None:
    sold(3, "A")
    sold(4, "B")
    given_back(4, "B", delivered=True)
    told = Told(shop_id=3, order_number="C")
    post("payment:C", Kind.PAYMENT, [Move(Name.CLEARING, TEN, 7), Move(Name.ORDERS, -TEN, 3)], **told)
    given_back(3, "C", delivered=False)
    post("rent:x", Kind.RENT, [Move(Name.AVAILABLE, ONE, 3), Move(Name.RENTS, -ONE)], shop_id=3)
    post("settled:x", Kind.SETTLEMENT, [Move(Name.PENDING, FOUR, 3), Move(Name.AVAILABLE, -FOUR, 3)], shop_id=3)
    reckon()
    of = known()
    assert set(of) == {3, 4}
    one, other = of[3], of[4]
    assert (one.payments, one.deliveries, one.failures, one.refunds) == (2, 1, 1, 1)
    assert (one.received, one.refunded) == (2 * TEN, TEN)
    assert (one.sales, one.cost, one.fees, one.other, one.owners) == (SIX, FOUR, ONE, ONE, FOUR)
    assert (other.payments, other.deliveries, other.failures, other.refunds) == (1, 1, 0, 1)
    assert (other.received, other.refunded, other.sales, other.owners) == (TEN, TEN, NOTHING, NOTHING)
    assert one.within_5s == one.within_2h == 1
    booked = {name: sum(amount for (which, _), amount in balances().items() if which == name) for name in Name}
    assert booked[Name.SALES] == one.sales + other.sales
    assert booked[Name.COST] == one.cost + other.cost
    assert booked[Name.FEES] == one.fees + other.fees


def test_what_clients_pay_from_their_balance_is_no_money_received(shop: Reseller) -> None:
    told = Told(shop_id=3, order_number="A")
    sold(3, "A")
    post("client_paid:A", Kind.CLIENT_PAID, [Move(Name.PREPAID, TEN, 9), Move(Name.CLEARING, -TEN, 7)], **told)
    given_back(3, "A", delivered=True)
    post("client_back:A", Kind.CLIENT_BACK, [Move(Name.CLEARING, TEN, 7), Move(Name.PREPAID, -TEN, 9)], **told)
    reckon()
    one = known()[3]
    assert (one.payments, one.received, one.balance_paid) == (0, NOTHING, TEN)
    assert (one.refunds, one.refunded, one.balance_back, one.deliveries) == (0, NOTHING, TEN, 1)


def test_a_day_ends_at_midnight_in_beijing_and_a_refund_belongs_to_its_own(shop: Reseller, moments: None) -> None:
    sold(3, "A")
    for key in ("payment:A", "supply:A"):
        posted(key, LATE)
    posted("delivery:A", NEXT)
    reckon()
    given_back(3, "A", delivered=True)
    for key in ("refund_due:A", "refund:A"):
        posted(key, NEXT)
    reckon()
    before, after = known(date(2026, 11, 28))[3], known(date(2026, 11, 29))[3]
    assert (before.received, before.refunded, before.deliveries, before.sales) == (TEN, NOTHING, 0, NOTHING)
    assert (after.received, after.refunded, after.deliveries, after.sales) == (NOTHING, TEN, 1, NOTHING)
    assert (after.within_15s, after.within_5m, after.within_30m) == (0, 0, 1)


def test_nothing_is_added_twice_in_whatever_steps(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(4):
        sold(3, f"A{number}")
    monkeypatch.setattr(days, "STEP", 3)
    assert reckon() > 3
    first = Day.objects.values().get()
    assert (first["payments"], first["received"]) == (4, 4 * TEN)
    assert reckon() == 0
    assert Day.objects.values().get() == first
    assert list(days_false()) == []
    days_rebuild()
    assert {**Day.objects.values().get(), "id": 0} == {**first, "id": 0}


@pytest.mark.parametrize("sense", ["", "1:{upto}", "2:0"])
def test_what_was_added_up_by_another_meaning_is_added_up_anew(shop: Reseller, sense: str) -> None:
    """By code before this, or by code of before that came back in between and moved the mark alone."""
    sold(3, "A")
    reckon()
    Day.objects.update(received=1)
    Reckoned.objects.update(sense=sense.format(upto=Reckoned.objects.get().upto))
    assert reckoned_at() is None
    sold(3, "B")
    reckon()
    assert (Day.objects.get().received, reckoned_at(), list(days_false())) == (2 * TEN, NEXT, [])


def test_how_old_it_is_is_known_and_never_goes_back(shop: Reseller) -> None:
    assert reckon(NEXT) == 0
    assert Reckoned.objects.get().at == NEXT
    reckon(NEXT - timedelta(minutes=1))
    assert Reckoned.objects.get().at == NEXT


def test_two_who_add_at_once_add_once(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    reckon()
    sold(3, "A")
    assert balances_snapshot()
    between, to_add = Meeting(), days._range

    def met(since: int, upto: int) -> dict[str, int | str]:
        between.wait()
        return to_add(since, upto)

    monkeypatch.setattr(days, "_range", met)
    assert min(at_once(live_shop, *[lambda: days_reckon(at=NEXT)] * 2)) == 0
    assert (Day.objects.get().payments, Day.objects.get().received) == (1, TEN)


def test_a_day_that_says_something_else_is_found_and_put_right(shop: Reseller) -> None:
    sold(shop.pk, "A")
    reckon()
    assert list(days_add_up()) == []
    Day.objects.update(received=1)
    (false,) = days_false()
    assert (false.day, false.shop) == (Day.objects.get().day, shop.slug)
    assert "is not what the entries" in next(iter(days_add_up()))
    with pytest.raises(SystemExit):
        call_command("ledger_days", stdout=StringIO(), stderr=StringIO())
    call_command("ledger_days", "--rebuild", stdout=StringIO())
    assert Day.objects.get().received == TEN
    Day.objects.all().delete()
    assert len(list(days_false())) == 1
