"""The platform's figures of today, over all shops, in one query each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils import timezone
from psycopg2 import sql

from fulfillment.suppliers.models import Supplier
from kameng.inbox.models import InboxEvent
from kameng.operations.cross_shop import rows_of
from kameng.outbox.models import OutboxEvent
from resellers.models import Reseller

#: A paid line that is still under way counts against the delivered rate only after this long.
SLOW_SECONDS = 600
OVERDUE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class ShopFigures:
    """One shop today. Amounts in yuan."""

    shop: Reseller
    orders: int
    paid: Decimal
    margin: Decimal
    delivered: int
    due: int
    manual: int
    refunding: int
    refund_failed: int
    refund_waiting: int

    @property
    def delivered_rate(self) -> Decimal | None:
        """Delivered among what should be by now; None where nothing is due."""
        return Decimal(self.delivered) / self.due if self.due else None


@dataclass(frozen=True, slots=True)
class Figures:
    """The whole platform today, at one moment."""

    at: datetime
    shops: list[ShopFigures]
    p50: float | None
    p90: float | None
    refunded: Decimal
    refunds: int

    @property
    def paid(self) -> Decimal:
        """What came in."""
        return sum((shop.paid for shop in self.shops), Decimal(0))

    @property
    def orders(self) -> int:
        """How many orders were paid."""
        return sum(shop.orders for shop in self.shops)

    @property
    def delivered_rate(self) -> Decimal | None:
        """Delivered among what should be by now."""
        due = sum(shop.due for shop in self.shops)
        return Decimal(sum(shop.delivered for shop in self.shops)) / due if due else None


def start_of_today() -> datetime:
    """Midnight in the site's time zone."""
    return timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)


_SHOP = """
SELECT %(schema{n})s AS schema_name, paid.*, open.*, money.*, back.* FROM (
    SELECT count(DISTINCT placed.id) AS orders, coalesce(sum(line.price * line.quantity), 0) AS paid,
           coalesce(sum((line.price - line.supply_price) * line.quantity)
                    FILTER (WHERE line.status = 'delivered'), 0) AS margin,
           count(*) FILTER (WHERE line.status = 'delivered') AS delivered,
           count(*) FILTER (WHERE line.status IN ('delivered', 'failed', 'refunded')
                               OR placed.paid_at < %(slow)s) AS due
      FROM {schema}.orders_order AS placed JOIN {schema}.orders_orderline AS line ON line.order_id = placed.id
     WHERE placed.paid_at >= %(today)s) AS paid
CROSS JOIN (
    SELECT count(*) AS manual FROM {schema}.fulfillment_fulfillment WHERE status = 'manual') AS open
CROSS JOIN (
    SELECT count(*) FILTER (WHERE status IN ('created', 'pending')) AS refunding,
           count(*) FILTER (WHERE status = 'failed') AS refund_failed,
           count(*) FILTER (WHERE status = 'waiting') AS refund_waiting
      FROM {schema}.payments_refund) AS money
CROSS JOIN (
    SELECT coalesce(sum(refund.amount), 0) AS refunded, count(*) AS refunds
      FROM {schema}.payments_refund AS refund
      JOIN {schema}.payments_payment AS payment ON payment.id = refund.payment_id
     WHERE refund.status = 'succeeded' AND refund.finished_at >= %(today)s AND payment.gateway <> 'coupon'
) AS back
"""
_TIMES = """
SELECT extract(epoch FROM line.finished_at - placed.paid_at) AS took
  FROM {schema}.orders_order AS placed JOIN {schema}.orders_orderline AS line ON line.order_id = placed.id
 WHERE placed.paid_at >= %(today)s AND line.status = 'delivered'
"""


def figures(shops: Sequence[Reseller]) -> Figures:
    """Today's figures, by what was paid today."""
    now = timezone.now()
    values: dict[str, Any] = {"today": start_of_today(), "slow": now - timedelta(seconds=SLOW_SECONDS)}
    if not shops:
        return Figures(now, [], None, None, Decimal(0), 0)
    parts = []
    for place, shop in enumerate(shops):
        values[f"schema{place}"] = shop.schema_name
        text = _SHOP.replace("{n}", str(place))
        parts.append(sql.SQL(text).format(schema=sql.Identifier(shop.schema_name)))
    rows = {row["schema_name"]: row for row in rows_of(sql.SQL(" UNION ALL ").join(parts), values)}
    times = sql.SQL(" UNION ALL ").join(
        sql.SQL(_TIMES).format(schema=sql.Identifier(shop.schema_name)) for shop in shops
    )
    percentiles = sql.SQL(
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took) AS p50, "
        "percentile_cont(0.9) WITHIN GROUP (ORDER BY took) AS p90 FROM ({times}) AS delivered"
    ).format(times=times)
    took = rows_of(percentiles, values)[0]
    names = ("orders", "paid", "margin", "delivered", "due", "manual", "refunding", "refund_failed", "refund_waiting")
    return Figures(
        at=now,
        shops=[ShopFigures(shop, *(rows[shop.schema_name][name] for name in names)) for shop in shops],
        p50=_number(took["p50"]),
        p90=_number(took["p90"]),
        refunded=sum((row["refunded"] for row in rows.values()), Decimal(0)),
        refunds=sum(row["refunds"] for row in rows.values()),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a person on the platform's side."""

    refused: int
    eliminated: list[Supplier]
    overdue: int
    oldest: datetime | None


def waiting() -> Waiting:
    """Notices that did not match, suppliers that switched themselves off, work that nobody does."""
    late = OutboxEvent.objects.filter(run_at__lt=timezone.now() - timedelta(seconds=OVERDUE_SECONDS))
    return Waiting(
        refused=InboxEvent.objects.filter(verdict=InboxEvent.Verdict.REFUSED).count(),
        eliminated=list(Supplier.objects.filter(eliminated_at__isnull=False)),
        overdue=late.count(),
        oldest=late.order_by("run_at").values_list("run_at", flat=True).first(),
    )
