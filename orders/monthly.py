"""A shop owner's month by the book: what each order brought and cost, and how the balances went from there to there.

What an order brought in a month is what was booked in it: an order that is delivered in one month and given back in
the next one is in both.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from kameng.core import sql
from kameng.core.ids import grouped
from kameng.core.problems import Problem
from orders.statements import DISCOUNT_KINDS, FEE_KINDS, GIFT_KINDS, OWNERS
from resellers.ledger.balances import balances_of
from resellers.ledger.models import Account, Journal
from resellers.ledger.settlement import available_at
from resellers.models import Reseller

Name = Account.Name
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
ZERO = Decimal(0)
ACCOUNTS = (Name.PENDING, Name.AVAILABLE)
#: An owner's deposit is one sum to them, held or not.
DEPOSITS = (Name.DEPOSIT, Name.DEPOSIT_HELD)
#: How many rows are fetched at once.
BATCH = 2_000


class DoesNotFoot(Problem):
    """The rows of a statement do not lead from the balance before to the balance after."""

    code = "statement_does_not_foot"
    status = 500
    message = _("这个月的明细和账本余额对不上，所以没有出账单；平台已收到提醒，会尽快核对")


class Month(NamedTuple):
    """A month of the site's calendar."""

    year: int
    month: int

    @classmethod
    def of(cls, moment: datetime) -> "Month":
        """In which month a moment is."""
        day = timezone.localdate(moment)
        return cls(day.year, day.month)

    @classmethod
    def read(cls, text: str) -> "Month":
        """`2026-11`. Raises `ValueError` for anything else."""
        found = _MONTH.fullmatch(text)
        if found is None:
            raise ValueError(f"not a month: {text[:32]!r}")
        month = cls(int(found[1]), int(found[2]))
        date(*month, 1)
        return month

    @property
    def next(self) -> "Month":
        """The one after."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return timezone.make_aware(datetime.combine(date(*self, 1), time.min))

    def __str__(self) -> str:
        return f"{self.year:04}-{self.month:02}"


def months_of(shop: Reseller, *, now: datetime) -> list[Month]:
    """From the one in which the shop was opened to this one, newest first."""
    month, last, found = Month.of(shop.created_at), Month.of(now), []
    while month <= last:
        found.append(month)
        month = month.next
    return found[::-1]


@dataclass(frozen=True, slots=True)
class MonthlyRow:
    """What was booked for one order in the month, in yuan. `paid`, the price of what arrived, less `discount`,
    `supply`, `fee` and `taken_back` is `own`.

    `platform_discount` is what the platform bears of what came off the price, `platform_fee` of what the gateway keeps.
    Of `own`, the owner has `direct` already, since they collected; `charged` is what the goods cost their deposit. What
    came back, and what was returned after the order's own month, makes numbers negative.
    """

    number: str
    order_id: int | None
    product: str
    paid_at: datetime | None
    discount: Decimal
    platform_discount: Decimal
    paid: Decimal
    supply: Decimal
    fee: Decimal
    platform_fee: Decimal
    taken_back: Decimal
    direct: Decimal
    charged: Decimal
    available_at: datetime | None

    @property
    def grouped_number(self) -> str:
        """The number as people read it."""
        return grouped(self.number)

    @property
    def own(self) -> Decimal:
        """The owner's share."""
        return self.paid - self.discount - self.supply - self.fee - self.taken_back


@dataclass(slots=True)
class Totals:
    """The sums of a statement's rows, and how many they are."""

    orders: int = 0
    discount: Decimal = ZERO
    platform_discount: Decimal = ZERO
    paid: Decimal = ZERO
    supply: Decimal = ZERO
    fee: Decimal = ZERO
    platform_fee: Decimal = ZERO
    taken_back: Decimal = ZERO
    direct: Decimal = ZERO
    charged: Decimal = ZERO
    own: Decimal = ZERO

    def add(self, row: MonthlyRow) -> None:
        """One more."""
        self.orders += 1
        self.discount += row.discount
        self.platform_discount += row.platform_discount
        self.paid += row.paid
        self.supply += row.supply
        self.fee += row.fee
        self.platform_fee += row.platform_fee
        self.taken_back += row.taken_back
        self.direct += row.direct
        self.charged += row.charged
        self.own += row.own

    @property
    def pending(self) -> Decimal:
        """What of the orders' own share went through the platform's hands."""
        return self.own - self.direct


@dataclass(frozen=True, slots=True)
class Course:
    """How an account's balance went over the month; `moves` are those that belong to no order, by what they were."""

    name: Account.Name
    opening: Decimal
    moves: Mapping[Journal.Kind, Decimal]
    closing: Decimal

    def foot(self, own: Decimal) -> None:
        """Raises `DoesNotFoot` where `own`, the orders' sum, does not lead from the opening balance to the closing."""
        if self.opening + own + sum(self.moves.values(), ZERO) != self.closing:
            raise DoesNotFoot(extra={"account": str(self.name)})


_COURSES = """
SELECT account.name,
       -coalesce(sum(entry.amount) FILTER (WHERE journal.posted_at < %(start)s), 0),
       -coalesce(sum(entry.amount), 0)
  FROM public.ledger_account AS account
  JOIN public.ledger_entry AS entry ON entry.account_id = account.id
  JOIN public.ledger_journal AS journal ON journal.id = entry.journal_id
 WHERE account.name = ANY(%(names)s::text[]) AND account.owner = %(shop)s AND journal.posted_at < %(end)s
 GROUP BY account.name
"""
_OTHER_MOVES = """
SELECT account.name, journal.kind, -sum(entry.amount)
  FROM public.ledger_journal AS journal
  JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id
  JOIN public.ledger_account AS account ON account.id = entry.account_id
 WHERE journal.shop_id = %(shop)s AND journal.order_number = ''
   AND journal.posted_at >= %(start)s AND journal.posted_at < %(end)s
   AND account.name = ANY(%(names)s::text[]) AND account.owner = %(shop)s
 GROUP BY account.name, journal.kind
 ORDER BY account.name, journal.kind
"""
_ORDERS = """
WITH moves AS (
    SELECT journal.order_number AS number, journal.kind, account.name AS account, entry.amount
      FROM public.ledger_journal AS journal
      JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id
      JOIN public.ledger_account AS account ON account.id = entry.account_id
     WHERE journal.shop_id = %(shop)s AND journal.order_number <> ''
       AND journal.posted_at >= %(start)s AND journal.posted_at < %(end)s
       AND (account.name IN ('sales', 'fees', 'coupons')
            OR (account.name = 'orders' OR account.name = ANY(%(owners)s::text[])) AND account.owner = %(shop)s)
), booked AS (
    SELECT number,
           coalesce(sum(amount) FILTER (WHERE account = ANY(%(owners)s::text[])
                                          AND kind = ANY(%(discount_kinds)s::text[])), 0) AS discount,
           coalesce(sum(amount) FILTER (WHERE account = 'coupons'), 0) AS platform_discount,
           coalesce(sum(amount) FILTER (WHERE account = 'orders' AND kind = 'delivery'), 0) AS paid,
           -coalesce(sum(amount) FILTER (WHERE account = 'sales' AND kind = 'delivery'), 0) AS supply,
           coalesce(sum(amount) FILTER (WHERE account = ANY(%(owners)s::text[])
                                          AND kind = ANY(%(fee_kinds)s::text[])), 0) AS fee,
           coalesce(sum(amount) FILTER (WHERE account = 'fees'), 0) AS platform_fee,
           coalesce(sum(amount) FILTER (WHERE account = ANY(%(owners)s::text[]) AND kind = 'refund_due'), 0)
               AS taken_back,
           -coalesce(sum(amount) FILTER (WHERE account = ANY(%(direct)s::text[])), 0) AS direct,
           coalesce(sum(amount) FILTER (WHERE account IN ('deposit', 'deposit_held')), 0) AS charged
      FROM moves GROUP BY number
    HAVING bool_or(account IN ('takings', 'fees') OR kind = 'delivery'
                   OR (account = 'pending' AND kind <> ALL(%(discount_kinds)s::text[])))
        -- What came off an order that nobody paid for has come back.
        OR sum(amount) FILTER (WHERE kind = ANY(%(discount_kinds)s::text[])) <> 0
)
"""
#: With what the orders themselves say.
_KNOWN = """
, known AS (
    SELECT booked.*, ordered.id, ordered.paid_at, ordered.owner_collects
      FROM booked LEFT JOIN orders_order AS ordered ON ordered.number = booked.number
)
"""
#: Of a page, only its own rows are looked up.
_SHOWN = """
, shown AS (SELECT * FROM known ORDER BY paid_at, number OFFSET %(first)s LIMIT %(count)s)
"""
_ROWS = """
SELECT shown.number, shown.id, first.product, shown.paid_at, shown.discount, shown.platform_discount,
       shown.paid, shown.supply, shown.fee, shown.platform_fee, shown.taken_back, shown.direct, shown.charged,
       CASE WHEN shown.owner_collects THEN NULL ELSE last.delivered_at END AS delivered_at
  FROM shown
  LEFT JOIN LATERAL (
       SELECT string_agg(line.product_name || ' ' || line.variant_name
                         || CASE WHEN line.quantity > 1 THEN ' × ' || line.quantity ELSE '' END,
                         '、' ORDER BY line.position) AS product
         FROM orders_orderline AS line WHERE line.order_id = shown.id) AS first ON true
  LEFT JOIN LATERAL (
       SELECT max(journal.posted_at) AS delivered_at FROM public.ledger_journal AS journal
        WHERE journal.shop_id = %(shop)s AND journal.order_number = shown.number AND journal.kind = 'delivery'
       ) AS last ON true
 ORDER BY shown.paid_at, shown.number
"""
_TOTALS = """
, totals AS (
    SELECT count(*),
           coalesce(sum(discount), 0), coalesce(sum(platform_discount), 0),
           coalesce(sum(paid), 0), coalesce(sum(supply), 0), coalesce(sum(fee), 0), coalesce(sum(platform_fee), 0),
           coalesce(sum(taken_back), 0), coalesce(sum(direct), 0), coalesce(sum(charged), 0),
           coalesce(sum(paid - discount - supply - fee - taken_back), 0)
      FROM known
)
"""
#: The book is added up once for the sums and the rows: that is nearly all of the time.
_PAGE = f"""{_ORDERS}{_KNOWN}{_SHOWN}{_TOTALS}, listed AS ({_ROWS})
SELECT * FROM totals LEFT JOIN listed ON true
 ORDER BY listed.paid_at, listed.number
"""


def _here(shop: Reseller, month: Month) -> dict[str, Any]:
    return {
        "shop": shop.pk,
        "start": month.start,
        "end": month.next.start,
        "fee_kinds": [str(kind) for kind in FEE_KINDS],
        "discount_kinds": [str(kind) for kind in (*DISCOUNT_KINDS, *GIFT_KINDS)],
        "owners": [str(name) for name in OWNERS],
        "direct": [str(name) for name in Account.DIRECT],
    }


def courses(shop: Reseller, month: Month, *, now: datetime) -> tuple[Course, Course]:
    """How what is pending and what is available went. Read in the snapshot of the rows (`kameng.core.snapshot`).

    Raises `DoesNotFoot` where what is available, or the balance of a month that is not over, is not what the book says.
    """
    pending, available = _courses(shop, month, ACCOUNTS)
    available.foot(ZERO)
    if month.next.start > now:
        for name, amount in balances_of(shop.pk, *ACCOUNTS).items():
            if amount != (pending if name == Name.PENDING else available).closing:
                raise DoesNotFoot(extra={"account": str(name)})
    return pending, available


def deposit_course(shop: Reseller, month: Month, *, charged: Decimal, now: datetime) -> Course | None:
    """How the deposit went, held or not, over the month whose orders cost it `charged`; None where there never was one.

    Raises `DoesNotFoot` as `courses` does, and where the orders do not lead from the opening balance to the closing.
    """
    free, held = _courses(shop, month, DEPOSITS)
    kinds = [*free.moves, *(kind for kind in held.moves if kind not in free.moves)]
    moves = {kind: free.moves.get(kind, ZERO) + held.moves.get(kind, ZERO) for kind in kinds}
    course = Course(Name.DEPOSIT, free.opening + held.opening, moves, free.closing + held.closing)
    course.foot(-charged)
    if month.next.start > now and course.closing != sum(balances_of(shop.pk, *DEPOSITS).values(), ZERO):
        raise DoesNotFoot(extra={"account": str(Name.DEPOSIT)})
    return course if course.opening or course.closing or charged or moves else None


def _courses(shop: Reseller, month: Month, names: Sequence[Account.Name]) -> list[Course]:
    here = {**_here(shop, month), "names": [str(name) for name in names]}
    ends = {name: (opening, closing) for name, opening, closing in sql.rows_anywhere(sql.Report(_COURSES), here)}
    moves: dict[str, dict[Journal.Kind, Decimal]] = {}
    for name, kind, amount in sql.rows_anywhere(sql.Report(_OTHER_MOVES), here):
        moves.setdefault(name, {})[Journal.Kind(kind)] = amount
    return [
        Course(name, opening, moves.get(name, {}), closing)
        for name in names
        for opening, closing in [ends.get(name, (ZERO, ZERO))]
    ]


def page_of(shop: Reseller, month: Month, *, first: int, count: int) -> tuple[Totals, list[MonthlyRow]]:
    """The sums of all rows, by the database, and some of the rows."""
    found = sql.rows(sql.Report(_PAGE), {**_here(shop, month), "first": first, "count": count})
    columns = len(fields(Totals))
    orders, *sums = found[0][:columns]
    return Totals(int(orders), *sums), [_row(shop, cells[columns:]) for cells in found if cells[columns] is not None]


def rows_of(shop: Reseller, month: Month, *, count: int | None = None) -> Iterator[MonthlyRow]:
    """Row by row, by the time of payment; a few thousand are in memory at once. Within a transaction."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(_ORDERS + _KNOWN + _SHOWN + _ROWS, {**_here(shop, month), "first": 0, "count": count})
        while batch := cursor.fetchmany(BATCH):
            for cells in batch:
                yield _row(shop, cells)


def _row(shop: Reseller, cells: Sequence[Any]) -> MonthlyRow:
    number, order_id, product, paid_at, *amounts, delivered_at = cells
    discount, platform_discount, paid, supply, fee, platform_fee, taken_back, direct, charged = amounts
    return MonthlyRow(
        number=number,
        order_id=order_id,
        product=product or "",
        paid_at=paid_at,
        discount=discount,
        platform_discount=platform_discount,
        paid=paid,
        supply=supply,
        fee=fee,
        platform_fee=platform_fee,
        taken_back=taken_back,
        direct=direct,
        charged=charged,
        available_at=delivered_at and available_at(shop, delivered_at),
    )
