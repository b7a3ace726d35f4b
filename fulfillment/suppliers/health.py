"""How suppliers do at the moment, for people: the last 24 hours of calls and of attempts that ended."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count
from django.utils import timezone

from fulfillment.suppliers.models import Supplier
from kameng.alerts.models import Alert
from kameng.core import sql

HOURS = 24


@dataclass(frozen=True, slots=True)
class Hour:
    """One hour by the clock: how many calls, and how many of them count against the supplier."""

    start: datetime
    calls: int = 0
    failed: int = 0

    @property
    def share_failed(self) -> float:
        """Failed among all; 0 for an hour without calls."""
        return self.failed / self.calls if self.calls else 0.0


@dataclass(frozen=True, slots=True)
class Health:
    """One supplier in the last 24 hours, the hour that runs included; `today` counts from midnight.

    `ended` are attempts that say something about the supplier (a wrong account does not), `p90` seconds from the intent
    to the end of those that succeeded. Costs in yuan.
    """

    hours: tuple[Hour, ...]
    ended: int = 0
    succeeded: int = 0
    p90: float | None = None
    today: int = 0
    cost_today: Decimal = Decimal(0)
    alerts: int = 0

    @property
    def success_rate(self) -> float | None:
        """Succeeded, also in part, among those that ended; None where none did."""
        return self.succeeded / self.ended if self.ended else None

    @property
    def calls(self) -> int:
        """All calls."""
        return sum(hour.calls for hour in self.hours)

    @property
    def failed(self) -> int:
        """All calls that count against the supplier."""
        return sum(hour.failed for hour in self.hours)

    @property
    def worst(self) -> Hour | None:
        """The hour with the largest share of failed calls; None where none failed."""
        worst = max(self.hours, key=lambda hour: (hour.share_failed, hour.failed))
        return worst if worst.failed else None


_CALLS = """
SELECT supplier_id, date_trunc('hour', created_at), count(*), count(*) FILTER (WHERE is_failure)
  FROM public.suppliers_suppliercall WHERE supplier_id = ANY(%s) AND created_at >= %s
 GROUP BY 1, 2
"""
_RESULTS = """
SELECT supplier_id,
       count(*) FILTER (WHERE created_at >= %(day)s AND NOT is_about_order),
       count(*) FILTER (WHERE created_at >= %(day)s AND NOT is_about_order AND status IN ('succeeded', 'partial')),
       percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds)
           FILTER (WHERE created_at >= %(day)s AND status IN ('succeeded', 'partial')),
       count(*) FILTER (WHERE created_at >= %(today)s),
       coalesce(sum(cost) FILTER (WHERE created_at >= %(today)s AND status IN ('succeeded', 'partial')), 0)
  FROM public.suppliers_supplierresult
 WHERE supplier_id = ANY(%(ids)s) AND created_at >= least(%(day)s::timestamptz, %(today)s::timestamptz)
 GROUP BY 1
"""


#: Of who ended no attempt: ended, succeeded, p90, today, its cost.
_NOTHING = [0, 0, None, 0, Decimal(0)]


def health_of(suppliers: Collection[Supplier], *, with_alerts: bool = True) -> dict[int, Health]:
    """Each supplier's health by its id, in two queries however many they are, and one more for alerts."""
    now = timezone.localtime()
    first = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=HOURS - 1)
    starts = [first + timedelta(hours=place) for place in range(HOURS)]
    ids = [supplier.pk for supplier in suppliers]
    calls = {
        (pk, start): (total, failed) for pk, start, total, failed in sql.rows_anywhere(sql.Report(_CALLS), [ids, first])
    }
    start_of_day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    windows = {"ids": ids, "day": now - timedelta(hours=HOURS), "today": start_of_day}
    results = {pk: figures for pk, *figures in sql.rows_anywhere(sql.Report(_RESULTS), windows)}
    alerts: dict[str, int] = {}
    if with_alerts:
        alerts = _alerts_of(suppliers)
    found = {}
    for supplier in suppliers:
        hours = tuple(Hour(start, *calls.get((supplier.pk, start), (0, 0))) for start in starts)
        ended, succeeded, p90, today, cost_today = results.get(supplier.pk, _NOTHING)
        found[supplier.pk] = Health(hours, ended, succeeded, p90, today, cost_today, alerts.get(supplier.code, 0))
    return found


def _alerts_of(suppliers: Collection[Supplier]) -> dict[str, int]:
    """How many alerts are open about each, by its code."""
    found = Alert.objects.filter(closed_at__isnull=True, subject__in=[supplier.code for supplier in suppliers])
    return dict(found.values_list("subject").annotate(count=Count("pk")).order_by())
