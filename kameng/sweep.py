"""Finds work that nobody has on a list any more, and puts it back on one.

Work lives in the outbox for as long as it lasts, so there should never be anything to find; if there is (a row deleted
by hand, a bug), a paid order must not wait for somebody to notice. Run by beat once a minute; running twice at once is
harmless, since what is put back is idempotent.

A thousand shops are not looked into every minute. What a sweep would find there follows from its tables, its rows in
the outbox and the time. Where no row of either changed, and there were none in the outbox, since longer than any order
may wait, a look has found everything that there is to find; such a shop is quiet, and only looked into in turns.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django_tenants.utils import get_public_schema_name

from compliance.visits.models import Visit
from compliance.visits.selectors import visits_overdue
from fulfillment.models import Fulfillment
from kameng.core import sql
from kameng.inbox.models import InboxEvent
from kameng.outbox.models import OutboxEvent, SweptShop
from kameng.outbox.services import publish
from orders.models import Order, OrderLine
from payments.collecting import OPEN
from payments.models import Payment, Refund
from payments.unapplied import notices_unapplied
from resellers.domains.models import OwnDomain
from resellers.models import Reseller

logger = logging.getLogger(__name__)

#: Younger work may be between two rows.
SETTLED = timedelta(minutes=2)
#: A notice is applied within the request that brings it; one that still waits then met something that broke.
NOTICE_SETTLED = timedelta(seconds=30)


#: A quiet shop is looked into in one of so many sweeps.
TURNS = 10


def sweep() -> int:
    """What is the platform's, and the shops whose turn it is; how many pieces of work were put back."""
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    lost = OwnDomain.objects.filter(watched=True, created_at__lt=Now() - SETTLED)
    found = _put_back("domain.check", "domain_id", lost)
    overdue = visits_overdue(before=timezone.now() - SETTLED)
    unapplied = notices_unapplied(before=timezone.now() - NOTICE_SETTLED)
    names = {*_their_turn(), *unapplied}
    shops = Reseller.objects.exclude(schema_name=get_public_schema_name())
    for shop in shops.filter(Q(schema_name__in=names) | Q(pk__in=overdue)):
        connection.set_tenant(shop)  # type: ignore[attr-defined]
        try:
            found += _sweep_shop()
            if shop.schema_name in unapplied:
                broken = InboxEvent.objects.filter(pk__in=unapplied[shop.schema_name])
                found += _put_back("notice.unapplied", "notice_id", broken)
            if shop.pk in overdue:
                found += _put_back("visit.over", "visit_id", Visit.objects.filter(pk__in=overdue[shop.pk]))
        finally:
            connection.set_schema_to_public()  # type: ignore[attr-defined]
    SweptShop.objects.filter(schema_name__in=names).update(swept_at=Now())
    return found


#: Counted by the database itself, so that no code can forget to. After a crash it begins anew, which is a change too.
_SIGNS = """
INSERT INTO public.outbox_sweptshop (schema_name, changes, active_at)
SELECT schema_name, sign.changes, statement_timestamp()
  FROM (SELECT shop.schema_name,
               sum(pg_stat_get_tuples_inserted(t.oid) + pg_stat_get_tuples_updated(t.oid)
                   + pg_stat_get_tuples_deleted(t.oid)) AS changes
          FROM public.resellers_reseller AS shop JOIN pg_namespace AS place ON place.nspname = shop.schema_name::name
          JOIN pg_class AS t ON t.relnamespace = place.oid AND t.relname = ANY(%s)
         WHERE shop.schema_name <> 'public' GROUP BY shop.schema_name) AS sign
  LEFT JOIN public.outbox_sweptshop AS known USING (schema_name)
 WHERE known.changes IS DISTINCT FROM sign.changes
    OR schema_name IN (SELECT event.schema_name FROM public.outbox_outboxevent AS event)
 ORDER BY schema_name
ON CONFLICT (schema_name) DO UPDATE SET changes = EXCLUDED.changes, active_at = EXCLUDED.active_at
"""
#: What `_sweep_shop` reads.
_READ = (Order, OrderLine, Fulfillment, Payment, Refund)


def _their_turn() -> Iterable[str]:
    """The schemas of shops where something goes on, and of those that have waited longest."""
    sql.execute_anywhere(_SIGNS, [[model._meta.db_table for model in _READ]])
    # An order that is placed now can be late only when it has expired; the database counts a little later.
    watched = timedelta(seconds=settings.ORDER_EXPIRES_SECONDS) + 2 * SETTLED
    known = SweptShop.objects.filter(schema_name__in=Reseller.objects.values("schema_name"))
    yield from known.filter(active_at__gt=Now() - watched).values_list("schema_name", flat=True)
    # A share of all, so that nobody waits longer because others stop being quiet.
    share = -(-known.count() // TURNS)
    quiet = known.filter(active_at__lte=Now() - watched).order_by(F("swept_at").asc(nulls_first=True), "schema_name")
    yield from quiet.values_list("schema_name", flat=True)[:share]


def _sweep_shop() -> int:
    ago = Now() - SETTLED
    open_work = Fulfillment.objects.filter(created_at__lt=ago).exclude(
        status__in=[Fulfillment.Status.DELIVERED, Fulfillment.Status.FAILED, Fulfillment.Status.MANUAL]
    )
    single = open_work.exclude(line__order_id__in=_listed("order.paid", "order_id"))
    found = _put_back("fulfillment.run", "fulfillment_id", single)
    unopened = Order.objects.filter(paid_at__lt=ago, lines__status=OrderLine.Status.QUEUED, lines__fulfillment=None)
    found += _put_back("order.paid", "order_id", unopened)
    found += _put_back(
        "order.expire", "order_id", Order.objects.filter(status=Order.Status.PENDING, expires_at__lt=ago)
    )
    found += _put_back("payment.follow", "payment_id", Payment.objects.filter(status__in=OPEN, created_at__lt=ago))
    unsettled = Refund.objects.filter(status__in=[Refund.Status.CREATED, Refund.Status.PENDING], created_at__lt=ago)
    found += _put_back("refund.run", "refund_id", unsettled)
    unreturned = OrderLine.objects.filter(
        status=OrderLine.Status.FAILED, refunds__isnull=True, fulfillment__finished_at__lt=ago
    )
    found += _put_back("line.failed", "line_id", unreturned)
    unsent = OrderLine.objects.filter(short_quantity__gt=0, refunds__isnull=True, fulfillment__finished_at__lt=ago)
    found += _put_back("line.short", "line_id", unsent)
    kept = Payment.objects.filter(status=Payment.Status.CONFIRMED, refunds__isnull=True, confirmed_at__lt=ago)
    # Both in one question would have the database look for the order of each payment there is.
    found += _put_back("payment.surplus", "payment_id", kept.filter(is_surplus=True))
    over = kept.filter(order__paid_at=None, order__status__in=[Order.Status.EXPIRED, Order.Status.CANCELED])
    found += _put_back("payment.surplus", "payment_id", over.filter(is_surplus=False))
    held = Order.objects.filter(
        held__gt=0, paid_at=None, status__in=[Order.Status.EXPIRED, Order.Status.CANCELED], created_at__lt=ago
    )
    found += _put_back("order.closed", "order_id", held.exclude(payments__status__in=OPEN))
    return found


def _listed(topic: str, key: str) -> set[int]:
    """What is on the list of this shop."""
    schema_name = connection.schema_name  # type: ignore[attr-defined]
    payloads = OutboxEvent.objects.filter(schema_name=schema_name, topic=topic).values_list("payload", flat=True)
    return {payload[key] for payload in payloads}


def _put_back(topic: str, key: str, lost: "QuerySet[Any]") -> int:
    known = _listed(topic, key)
    ids = [pk for pk in lost.values_list("pk", flat=True).distinct() if pk not in known]
    for pk in ids:
        logger.error("sweep: %s %s=%s was on no list", topic, key, pk)
        publish(topic, **{key: pk})
    return len(ids)
