"""What moved over a span of days: in all, for each shop, and as it went (`resellers.ledger.days`)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Self

from django.db.models import F, QuerySet, Sum
from django.db.models.functions import TruncMonth

from resellers.ledger.models import Day, Reckoned

#: How soon a delivery came, in seconds, by the column that counts those.
SOON = {
    "within_5s": 5, "within_15s": 15, "within_1m": 60, "within_5m": 300, "within_30m": 1800, "within_2h": 7200,
}  # fmt: skip
_COUNTS = ("payments", "deliveries", "failures", "refunds", *SOON)
_AMOUNTS = (
    "received", "refunded", "balance_paid", "balance_back", "sales", "other", "cost", "fees", "given", "owners",
)  # fmt: skip
_SUMS = {name: Sum(name, default=0) for name in (*_COUNTS, *_AMOUNTS)}
#: A longer span is drawn by months.
DRAWN_DAYS = 62


@dataclass(frozen=True, slots=True)
class Span:
    """Days from the first to the last, both included."""

    first: date
    last: date

    @property
    def days(self) -> QuerySet[Day]:
        """Their rows."""
        return Day.objects.filter(day__gte=self.first, day__lte=self.last)


@dataclass(frozen=True, slots=True)
class Sums:
    """What several days add up to; amounts in yuan (`Day`)."""

    payments: int
    deliveries: int
    failures: int
    refunds: int
    #: How many deliveries came within so many seconds.
    soon: Mapping[int, int]
    received: Decimal
    refunded: Decimal
    balance_paid: Decimal
    balance_back: Decimal
    sales: Decimal
    other: Decimal
    cost: Decimal
    fees: Decimal
    given: Decimal
    owners: Decimal

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """From a row with a value for each column."""
        values: dict[str, Any] = {name: row[name] for name in _COUNTS if name not in SOON}
        values |= {name: Decimal(row[name]) for name in _AMOUNTS}
        return cls(soon={seconds: row[name] for name, seconds in SOON.items()}, **values)

    @property
    def profit(self) -> Decimal:
        """What is left to the platform."""
        return self.sales + self.other - self.cost - self.fees - self.given

    @property
    def delivered_rate(self) -> Decimal | None:
        """Deliveries among all that ended; None where nothing did."""
        ended = self.deliveries + self.failures
        return Decimal(self.deliveries) / ended if ended else None

    @property
    def half_within(self) -> int | None:
        """The shortest of the times of `SOON`, in seconds, within which half of the deliveries came; None where that
        took longer, or nothing was delivered."""
        half = self.deliveries / 2
        return next((seconds for seconds, count in self.soon.items() if self.deliveries and count >= half), None)


@dataclass(frozen=True, slots=True)
class Course:
    """One day, or one month by its first day."""

    since: date
    sums: Sums


def reckoned_at() -> datetime | None:
    """Up to when the days know everything; None where they have not caught up with the book yet, or were added up when
    their columns meant something else."""
    mark = Reckoned.objects.first()
    return mark.at if mark is not None and mark.is_as_meant else None


def span_sums(span: Span) -> Sums:
    """Everything in all."""
    return Sums.of(span.days.aggregate(**_SUMS))


def span_shops(span: Span) -> list[tuple[int | None, Sums]]:
    """Each shop's sums, what came in most first; None is what belongs to no shop."""
    rows = span.days.values("shop_id").annotate(**_SUMS).order_by("-received", "shop_id")
    return [(row["shop_id"], Sums.of(row)) for row in rows]


def span_course(span: Span) -> list[Course]:
    """Every day, or every month of a long span, those without anything too."""
    by_months = (span.last - span.first).days >= DRAWN_DAYS
    rows = span.days.values(since=TruncMonth("day") if by_months else F("day")).annotate(**_SUMS).order_by("since")
    known = {row["since"]: Sums.of(row) for row in rows}
    nothing = Sums.of(dict.fromkeys(_SUMS, 0))
    return [Course(since, known.get(since, nothing)) for since in _steps(span, by_months)]


def _steps(span: Span, by_months: bool) -> Iterator[date]:
    step = span.first.replace(day=1) if by_months else span.first
    while step <= span.last:
        yield step
        step = (step + timedelta(days=32)).replace(day=1) if by_months else step + timedelta(days=1)
