"""Days: what moved for each shop, added up from the book, so that a year of a thousand shops is read in a moment.

Entries are never changed and each is added once, so a day is never reckoned anew: what is given back later moves money
later, and belongs to the day on which it does (docs/adr/0034-days-of-the-book.md).
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from django.conf import settings
from django.db import connection, transaction

from kameng.core.snapshot import one_moment
from resellers.ledger.models import Day, Journal, Reckoned

Kind = Journal.Kind

#: Entries that are added at a time: none waits longer for the row that keeps two from adding the same.
STEP = 200_000

#: What an owner has of orders: what they earn, and what those cost them of their deposit (`Account.DIRECT`). Moving
#: that from one of their accounts to another is not earning it.
_OWNERS = "name IN ('pending', 'available', 'takings', 'deposit', 'deposit_held')"
_OF_ORDERS = ", ".join(
    f"'{kind}'"
    for kind in (
        *(Kind.PAYMENT, Kind.DISPROVED, Kind.DELIVERY, Kind.REFUND_DUE, Kind.REFUND, Kind.FEE_WAIVED),
        *(Kind.COMMISSION, Kind.COMMISSION_BACK, Kind.COUPON_PAID, Kind.COUPON_BACK),
        *(Kind.POINTS_EARNED, Kind.POINTS_TAKEN),
    )
)
#: What is paid from purses came in from nobody, and what goes back there goes out to nobody: each such journal has one
#: entry on the clearing through which its payment came, or its refund went. Of these, what is not money at all counts
#: nowhere; balances count for themselves.
_PAID_WITHOUT = f"name = 'clearing' AND kind IN ('{Kind.COUPON_PAID}', '{Kind.POINTS_PAID}')"
_PAID_BY_BALANCE = f"name = 'clearing' AND kind IN ('{Kind.CLIENT_PAID}', '{Kind.WALLET_PAID}')"
_BACK_WITHOUT = f"name = 'clearing' AND kind IN ('{Kind.COUPON_BACK}', '{Kind.POINTS_BACK}')"
_BACK_TO_BALANCE = f"name = 'clearing' AND kind IN ('{Kind.CLIENT_BACK}', '{Kind.WALLET_BACK}')"
#: Money that had come in through a gateway and went into a customer's wallet instead of back there.
_INTO_WALLET = f"name = 'wallet' AND kind = '{Kind.REFUND}'"


def _count(kind: Journal.Kind, name: str, more: str = "") -> str:
    """Each such journal has one entry on such an account."""
    return f"count(*) FILTER (WHERE kind = '{kind}' AND name = '{name}'{more})"


def _sum(condition: str, sign: str = "") -> str:
    return f"coalesce({sign}sum(amount) FILTER (WHERE {condition}), 0)"


def _entries(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _within(seconds: int) -> str:
    return _count(Kind.DELIVERY, "orders", f" AND took <= {seconds}")


#: Each column of a day, from its entries. What we owe or have earned grows by negative ones.
_COLUMNS = {
    "payments": " - ".join([
        _count(Kind.PAYMENT, "orders"), _count(Kind.DISPROVED, "orders"),
        _entries(_PAID_WITHOUT), _entries(_PAID_BY_BALANCE),
    ]),
    "deliveries": _count(Kind.DELIVERY, "orders"),
    "failures": f"{_count(Kind.REFUND_DUE, 'orders')} - {_entries(_BACK_WITHOUT + ' AND never_came')}",
    "refunds": " - ".join([
        _count(Kind.REFUND, "refunds"), _entries(_BACK_WITHOUT), _entries(_BACK_TO_BALANCE), _entries(_INTO_WALLET),
    ]),
    "within_5s": _within(5),
    "within_15s": _within(15),
    "within_1m": _within(60),
    "within_5m": _within(300),
    "within_30m": _within(1800),
    "within_2h": _within(7200),
    "received": " + ".join([
        _sum("name = 'orders' AND kind IN ('payment', 'disproved')", "-"), _sum(_PAID_WITHOUT), _sum(_PAID_BY_BALANCE),
    ]),
    "refunded": "{} - {} - {} + {}".format(
        _sum("name = 'refunds' AND kind = 'refund'"), _sum(_BACK_WITHOUT), _sum(_BACK_TO_BALANCE), _sum(_INTO_WALLET)
    ),
    "balance_paid": _sum(_PAID_BY_BALANCE, "-"),
    "balance_back": f"{_sum(_BACK_TO_BALANCE)} - {_sum(_INTO_WALLET)}",
    "sales": _sum("name = 'sales'", "-"),
    "other": _sum("name IN ('rents', 'withdrawal_fees', 'commissions')", "-"),
    "cost": _sum("name IN ('cost', 'duplicates')"),
    "fees": _sum("name = 'fees'"),
    "given": _sum("name = 'coupons'"),
    "owners": _sum(f"{_OWNERS} AND kind IN ({_OF_ORDERS})", "-"),
}  # fmt: skip
_NAMES = ", ".join(_COLUMNS)
_SUMS = f"""
SELECT shop_id, day, {", ".join(f"{sum_} AS {name}" for name, sum_ in _COLUMNS.items())}
  FROM (SELECT journal.shop_id, (journal.posted_at AT TIME ZONE %(zone)s)::date AS day, journal.kind, account.name,
               entry.amount,
               CASE WHEN journal.kind = 'delivery' AND account.name = 'orders' THEN (
                    SELECT extract(epoch FROM journal.posted_at - coalesce(
                               min(paid.posted_at) FILTER (WHERE purse.key IS NULL), max(paid.posted_at)))
                      FROM public.ledger_journal AS paid
                      LEFT JOIN public.ledger_journal AS purse
                        ON purse.key IN ('coupon_paid:' || split_part(paid.key, ':', 2),
                                         'points_paid:' || split_part(paid.key, ':', 2))
                     WHERE paid.shop_id = journal.shop_id AND paid.order_number = journal.order_number
                       AND paid.kind = 'payment') END AS took,
               CASE WHEN journal.kind IN ('coupon_back', 'points_back') AND account.name = 'clearing' THEN EXISTS (
                    SELECT FROM public.ledger_journal AS due
                      JOIN public.ledger_entry AS owed ON owed.journal_id = due.id
                      JOIN public.ledger_account AS of_orders ON of_orders.id = owed.account_id
                     WHERE due.key = 'refund_due:' || split_part(journal.key, ':', 2) AND of_orders.name = 'orders')
                    END AS never_came
          FROM public.ledger_entry AS entry
          JOIN public.ledger_journal AS journal ON journal.id = entry.journal_id
          JOIN public.ledger_account AS account ON account.id = entry.account_id
         WHERE entry.id > %(since)s AND entry.id <= %(upto)s) AS moved
 GROUP BY shop_id, day
"""
_ADD = f"""
INSERT INTO public.ledger_day AS known (shop_id, day, {_NAMES}) {_SUMS}
    ON CONFLICT (day, shop_id) DO UPDATE
       SET {", ".join(f"{name} = known.{name} + excluded.{name}" for name in _COLUMNS)}
"""
_FALSE = f"""
WITH booked AS ({_SUMS}), known AS (SELECT shop_id, day, {_NAMES} FROM public.ledger_day),
     odd AS ((SELECT * FROM booked EXCEPT SELECT * FROM known) UNION ALL
             (SELECT * FROM known EXCEPT SELECT * FROM booked))
SELECT DISTINCT day, coalesce(shop.slug, '')
  FROM odd LEFT JOIN public.resellers_reseller AS shop ON shop.id = odd.shop_id
 ORDER BY 1, 2
"""
#: Up to here nobody can add an entry any more (`resellers.ledger.balances`).
_FINAL = "SELECT coalesce(max(upto), 0) FROM public.ledger_balance"


class FalseDay(NamedTuple):
    """A day that is not what its entries add up to; `shop` is empty for what belongs to none."""

    day: date
    shop: str


def days_reckon(*, at: datetime) -> int:
    """Add what is new to its days: how many entries that was. `at` is a moment before the balances were taken.

    Days that somebody else has added up, to whom their columns mean something else, are added up anew first.
    """
    added = 0
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            mark = _mark()
            if not mark.is_as_meant:
                _rebuild(mark)
            cursor.execute(_FINAL)
            (final,) = cursor.fetchone()
            upto = min(final, mark.upto + STEP)
            if upto > mark.upto:
                cursor.execute(_ADD, _range(mark.upto, upto))
                added += upto - mark.upto
            mark.upto = max(upto, mark.upto)
            if mark.upto >= final:
                mark.at = max(at, mark.at or at)
            mark.sense = mark.meant
            mark.save()
        if upto >= final:
            return added


@transaction.atomic
def days_rebuild() -> None:
    """Add up everything anew, as far as it had been."""
    mark = _mark()
    _rebuild(mark)
    mark.sense = mark.meant
    mark.save(update_fields=["sense"])


def _rebuild(mark: Reckoned) -> None:
    Day.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(_ADD, _range(0, mark.upto))


def days_false() -> Iterator[FalseDay]:
    """Which days are not what their entries add up to."""
    with one_moment(), connection.cursor() as cursor:
        mark = Reckoned.objects.first() or Reckoned()
        cursor.execute(_FALSE, _range(0, mark.upto))
        yield from map(FalseDay._make, cursor.fetchall())


def _mark() -> Reckoned:
    """How far it is, locked: two who add at once would add the same twice."""
    Reckoned.objects.bulk_create([Reckoned()], ignore_conflicts=True)
    return Reckoned.objects.select_for_update().get()


def _range(since: int, upto: int) -> dict[str, int | str]:
    return {"since": since, "upto": upto, "zone": settings.TIME_ZONE}
