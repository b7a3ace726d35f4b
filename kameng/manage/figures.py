"""A shop's figures, in the schema of the shop: today beside the same weekday last week, and the last fourteen days."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import Count, DecimalField, ExpressionWrapper, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from catalog.fees import FEE_SQL
from compliance.held import IN_FORCE, TODAY
from compliance.validity import NOTICES
from kameng.core import sql
from orders.models import Order, OrderLine
from resellers.domains.models import OwnDomain
from resellers.selectors import shop_in

DAYS = 14
#: A paid line that is still under way counts against the delivered rate only after this long, and what the owner
#: delivers by hand after its deadline.
SLOW_SECONDS = 600

_LineStatus = OrderLine.Status
_YUAN: DecimalField[Any, Any] = DecimalField(max_digits=16, decimal_places=2)
_SALES = ExpressionWrapper(F("price") * F("quantity"), output_field=_YUAN)


@dataclass(frozen=True, slots=True)
class Day:
    """What was paid on one day, in yuan and orders."""

    day: date
    sales: Decimal
    orders: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Today at one moment. `profit` is what the owner keeps of what arrived today."""

    at: datetime
    sales: Decimal
    orders: int
    profit: Decimal
    delivered: int
    due: int
    before: Day
    days: tuple[Day, ...]

    @property
    def delivered_rate(self) -> Decimal | None:
        """Delivered among what should be by now; None where nothing is due."""
        return Decimal(self.delivered) / self.due if self.due else None

    @property
    def highest(self) -> Decimal:
        """The best day."""
        return max((day.sales for day in self.days), default=Decimal(0))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, datetime.min.time()))


def figures() -> Figures:
    """How the current shop does, by the days of the site's time zone."""
    now = timezone.now()
    today = timezone.localdate()
    start = _midnight(today)
    paid_today = OrderLine.objects.filter(order__paid_at__gte=start)
    slow = now - timedelta(seconds=SLOW_SECONDS)
    ends = (_LineStatus.DELIVERED, _LineStatus.FAILED, _LineStatus.REFUNDED)
    totals = paid_today.aggregate(
        sales=Sum(_SALES),
        orders=Count("order", distinct=True),
        delivered=Count("pk", filter=Q(status=_LineStatus.DELIVERED)),
        due=Count("pk", filter=Q(status__in=ends) | Q(order__paid_at__lt=slow) & ~Q(fulfillment__due_at__gt=now)),
    )
    days = _days(today)
    week_ago = today - timedelta(days=7)
    return Figures(
        at=now,
        sales=totals["sales"] or Decimal(0),
        orders=totals["orders"],
        profit=_kept_since(start),
        delivered=totals["delivered"],
        due=totals["due"],
        before=next(day for day in days if day.day == week_ago),
        days=tuple(days),
    )


#: Of what arrived, without what the owner's own coupons took off such orders, and the points that were given for it.
_KEPT = """
SELECT (SELECT coalesce(sum((line.price - line.supply_price) * line.quantity), 0)
          FROM orders_orderline AS line WHERE line.status = 'delivered' AND line.finished_at >= %(start)s)
     - (SELECT coalesce(sum(payment.amount), 0)
          FROM orders_order AS placed
          JOIN payments_payment AS payment ON payment.order_id = placed.id
          JOIN public.coupons_coupon AS coupon ON coupon.id = payment.holder_id
         WHERE placed.status = 'fulfilled' AND placed.finished_at >= %(start)s
           AND payment.gateway = 'coupon' AND payment.status = 'confirmed' AND coupon.borne_by = 'owner')
     - (SELECT coalesce(sum(entry.amount), 0)
          FROM orders_orderline AS line
          JOIN public.ledger_journal AS journal ON journal.key = 'points_earned:' || %(shop)s || ':' || line.id
          JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id AND entry.amount > 0
         WHERE line.status = 'delivered' AND line.finished_at >= %(start)s)
"""


def _kept_since(start: datetime) -> Decimal:
    shop = shop_in(connection.schema_name)  # type: ignore[attr-defined]
    ((kept,),) = sql.rows(sql.Report(_KEPT), {"start": start, "shop": str(shop.pk if shop is not None else "")})
    return Decimal(kept)


def _days(today: date) -> list[Day]:
    """The last days, oldest first, those without a sale too."""
    first = today - timedelta(days=DAYS - 1)
    rows = (
        Order.objects.filter(paid_at__gte=_midnight(first))
        .annotate(day=TruncDate("paid_at"))
        .values("day")
        .annotate(sales=Sum("total"), count=Count("pk"))
    )
    known = {row["day"]: Day(row["day"], row["sales"], row["count"]) for row in rows}
    wanted = [first + timedelta(days=place) for place in range(DAYS)]
    return [known.get(day) or Day(day, Decimal(0), 0) for day in wanted]


@dataclass(frozen=True, slots=True)
class Attention:
    """Paid orders that do not simply go on: the platform is on them, and the owner should know.

    `owner_collects` says that shoppers may pay into an account of the owner's own, which takes a deposit.
    """

    orders: Sequence[Order]
    count: int
    refunds_failed: int
    owner_collects: bool
    #: Names of merchant accounts of this shop alone that somebody has opened or given other keys, before that counts.
    accounts_changing: str
    #: Papers of the shop were sent back, or end soon, or have ended.
    has_papers: bool
    #: Own hosts that are not connected, or lost: what is shown of them.
    domains: Sequence[OwnDomain]
    #: Names of platform staff who were in this admin during the last day.
    visitors: str
    #: Words of the shop that a reviewer sent back and that nobody has written anew since.
    sent_back: int
    #: Wishes for money that were refused during the last week.
    withdrawals_rejected: int
    #: What waits for the owner's hands: how many, and until when the most urgent.
    by_hand: int
    by_hand_due: datetime | None
    #: The platform takes another part of the owner's own goods than when they last saw to it.
    fee_changed: bool


_COUNTS = f"""
SELECT (SELECT count(*) FROM payments_refund WHERE status = 'failed'),
       EXISTS (SELECT FROM public.merchants_gatewayaccount
                WHERE schema_name = %(schema)s AND owner_collects AND is_active),
       (SELECT coalesce(string_agg(name, '、' ORDER BY id), '') FROM public.merchants_gatewayaccount
         WHERE schema_name = %(schema)s AND (next_at IS NOT NULL OR is_active AND counts_from IS NOT NULL)),
       EXISTS (SELECT FROM public.compliance_license AS paper
                 JOIN public.resellers_reseller AS seller ON seller.slug = paper.holder AND NOT seller.is_house
                WHERE seller.schema_name = %(schema)s AND paper.holder_kind = 'seller'
                  AND paper.replaced_by_id IS NULL AND paper.revoked_at IS NULL
                  AND (paper.review = 'sent_back' OR {IN_FORCE} AND paper.valid_until <= {TODAY} + {NOTICES[0]})),
       (SELECT coalesce(json_agg(json_build_array(own.id, host, state, problem) ORDER BY own.id), '[]')::text
          FROM public.domains_owndomain own JOIN public.resellers_reseller shop ON shop.id = own.shop_id
         WHERE shop.schema_name = %(schema)s AND own.state IN ('wrong', 'lost')),
       (SELECT coalesce(string_agg(DISTINCT substr(by, length('staff:') + 1), '、'), '')
          FROM public.visits_visit visit JOIN public.resellers_reseller shop ON shop.id = visit.shop_id
         WHERE shop.schema_name = %(schema)s AND visit.entered_at > statement_timestamp() - interval '1 day'),
       (SELECT count(*) FROM (
            SELECT DISTINCT ON (subject_kind, subject_id) * FROM public.gate_case
             WHERE subject_kind IN ('shop', 'listing', 'placement', 'picture') AND schema_name = %(schema)s
               AND state <> 'withdrawn'
             ORDER BY subject_kind, subject_id, id DESC) AS last
         WHERE state = 'sent_back' AND NOT EXISTS (
               SELECT FROM public.gate_screening AS since
                WHERE since.subject_kind = last.subject_kind AND since.schema_name = last.schema_name
                  AND since.subject_id = last.subject_id AND since.id > coalesce(last.screening_id, 0)
                  AND since.verdict = 'clear')),
       (SELECT count(*) FROM public.withdrawals_withdrawal wish
          JOIN public.resellers_reseller shop ON shop.id = wish.shop_id
         WHERE shop.schema_name = %(schema)s AND wish.status = 'rejected'
           AND wish.closed_at > statement_timestamp() - interval '7 days'),
       (SELECT json_build_array(count(*), extract(epoch FROM min(work.due_at)))::text
          FROM fulfillment_supplierorder AS buy JOIN fulfillment_fulfillment AS work ON work.id = buy.fulfillment_id
         WHERE buy.status IN ('intended', 'accepted', 'unknown') AND work.due_at IS NOT NULL),
       EXISTS (SELECT FROM public.resellers_reseller shop JOIN public.catalog_product own ON own.owner_id = shop.id
                 JOIN public.catalog_variant variant ON variant.product_id = own.id
                WHERE shop.schema_name = %(schema)s AND variant.is_active AND variant.own_price IS NOT NULL
                  AND variant.supply_price <> {FEE_SQL})
"""


def attention(*, limit: int = 5) -> Attention:
    """What a shopper may ask the owner about."""
    stuck: QuerySet[OrderLine] = OrderLine.objects.filter(status__in=(_LineStatus.VERIFYING, _LineStatus.MANUAL))
    found = Order.objects.filter(status=Order.Status.PAID, pk__in=stuck.values("order_id"))
    first = list(found.prefetch_related("lines").order_by("paid_at")[:limit])
    schema_name: str = connection.schema_name  # type: ignore[attr-defined]
    ((refunds_failed, owner_collects, accounts_changing, has_papers, domains, visitors, *rest),) = sql.rows(
        sql.Report(_COUNTS), {"schema": schema_name, "fee": settings.OWN_GOODS_FEE_PERCENT}
    )
    sent_back, withdrawals_rejected, by_hand, fee_changed = rest
    waiting, due = json.loads(by_hand)
    return Attention(
        orders=first,
        count=found.count() if len(first) == limit else len(first),
        refunds_failed=refunds_failed,
        owner_collects=owner_collects,
        accounts_changing=accounts_changing,
        has_papers=has_papers,
        domains=[
            OwnDomain(pk=pk, host=host, state=state, problem=problem)
            for pk, host, state, problem in json.loads(domains)
        ],
        visitors=visitors,
        sent_back=sent_back,
        withdrawals_rejected=withdrawals_rejected,
        by_hand=waiting,
        by_hand_due=datetime.fromtimestamp(due, UTC) if due else None,
        fee_changed=fee_changed,
    )
