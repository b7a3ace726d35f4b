"""Finds work that nobody has on a list any more, and puts it back on one.

Work lives in the outbox for as long as it lasts, so there should never be anything to find; if there is (a row deleted
by hand, a bug), a paid order must not wait for somebody to notice. Run by beat once a minute; running twice at once is
harmless, since what is put back is idempotent.

A thousand shops are not looked into every minute. What a sweep would find there follows from its tables, its rows in
the outbox and the time. Where no row of either changed, and there were none in the outbox, since longer than any order
may wait, a look has found everything that there is to find; where nothing was open and nothing has changed since, there
is nothing to lose. Such a shop is quiet, and only looked into in turns.
"""

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django_tenants.utils import get_public_schema_name

from compliance.visits.selectors import visits_overdue
from fulfillment.models import Fulfillment
from kameng.core import sql
from kameng.outbox.models import OutboxEvent, SweptShop
from kameng.outbox.services import publish
from orders.models import Order, OrderLine
from payments.models import Payment, Refund
from payments.unapplied import notices_unapplied
from resellers.domains.models import OwnDomain
from resellers.models import Reseller

logger = logging.getLogger(__name__)

#: Younger work may be between two rows.
SETTLED = timedelta(minutes=2)
#: A notice is applied within the request that brings it; one that still waits then met something that broke.
NOTICE_SETTLED = timedelta(seconds=30)


#: More shops than so many are not looked into one right after another, but spread over so many seconds of the minute.
UNHURRIED, WITHIN_SECONDS = 50, 20.0
#: A quiet shop is looked into in one of so many sweeps.
TURNS = 10


def sweep() -> int:
    """What is the platform's, and the shops whose turn it is; how many pieces of work were put back."""
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    watched = OwnDomain.objects.filter(watched=True, created_at__lt=Now() - SETTLED)
    found = _put_back_all("domain.check", "domain_id", watched.values_list("pk", flat=True))
    overdue = visits_overdue(before=timezone.now() - SETTLED)
    unapplied = notices_unapplied(before=timezone.now() - NOTICE_SETTLED)
    turn = _their_turn()
    settled = {}
    every = Reseller.objects.exclude(schema_name=get_public_schema_name())
    shops = list(every.filter(Q(schema_name__in={*turn, *unapplied}) | Q(pk__in=overdue)))
    for place, shop in enumerate(shops):
        if place >= UNHURRIED:
            time.sleep(WITHIN_SECONDS / len(shops))  # most of the time is for those who buy
        connection.set_tenant(shop)  # type: ignore[attr-defined]
        try:
            lost, is_settled = _sweep_shop()
            found += lost
            if is_settled and shop.schema_name in turn:
                settled[shop.schema_name] = turn[shop.schema_name]
            if shop.schema_name in unapplied:
                found += _put_back_all("notice.unapplied", "notice_id", unapplied[shop.schema_name])
            if shop.pk in overdue:
                found += _put_back_all("visit.over", "visit_id", overdue[shop.pk])
        finally:
            connection.set_schema_to_public()  # type: ignore[attr-defined]
    SweptShop.objects.filter(schema_name__in={*turn, *unapplied}).update(swept_at=Now())
    sql.execute_anywhere(_SETTLED, [[*settled], [*settled.values()]])
    return found


#: With the count from before the look: whatever was written meanwhile is a reason for another.
_SETTLED = """
UPDATE public.outbox_sweptshop AS known SET settled = seen.changes
  FROM unnest(%s::text[], %s::bigint[]) AS seen (schema_name, changes) WHERE known.schema_name = seen.schema_name
"""
#: Counted by the database itself, so that no code can forget to. After a crash it begins anew, which is a change too,
#: and what was settled by the old count is so no more.
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
ON CONFLICT (schema_name) DO UPDATE
   SET changes = EXCLUDED.changes, active_at = EXCLUDED.active_at,
       settled = CASE WHEN EXCLUDED.changes >= outbox_sweptshop.changes THEN outbox_sweptshop.settled END
"""
#: What `_sweep_shop` reads.
_READ = (Order, OrderLine, Fulfillment, Payment, Refund)


def _their_turn() -> dict[str, int]:
    """The schemas of shops where something goes on, and of those that have waited longest, with what the database has
    counted there."""
    sql.execute_anywhere(_SIGNS, [[model._meta.db_table for model in _READ]])
    # An order that is placed now can be late only when it has expired; the database counts a little later.
    watched = timedelta(seconds=settings.ORDER_EXPIRES_SECONDS) + 2 * SETTLED
    known = SweptShop.objects.filter(schema_name__in=Reseller.objects.values("schema_name"))
    is_busy = Q(active_at__gt=Now() - watched) & (Q(settled=None) | ~Q(settled=F("changes")))
    # A share of all, so that nobody waits longer because others stop being quiet.
    share = -(-known.count() // TURNS)
    quiet = known.exclude(is_busy).order_by(F("swept_at").asc(nulls_first=True), "schema_name")
    found = [*known.filter(is_busy), *quiet[:share]]
    return {shop.schema_name: shop.changes for shop in found}


#: Everything of a shop that has to go on: where it is old enough to be on a list, the topic under which it goes on, its
#: id, and of a work its order, which goes on with it; and whether there is anything else.
#: One question: each costs as much to plan as to answer.
_OPEN = """
WITH open (topic, id, order_id, since) AS (
SELECT 'fulfillment.run', work.id, line.order_id, work.created_at
  FROM fulfillment_fulfillment AS work JOIN orders_orderline AS line ON line.id = work.line_id
 WHERE work.status NOT IN ('delivered', 'failed', 'manual')
 UNION ALL
SELECT CASE line.status WHEN 'queued' THEN 'order.paid' WHEN 'failed' THEN 'line.failed' ELSE 'line.short' END,
       CASE line.status WHEN 'queued' THEN line.order_id ELSE line.id END, NULL,
       CASE line.status WHEN 'queued' THEN placed.paid_at ELSE work.finished_at END
  FROM orders_orderline AS line
  JOIN orders_order AS placed ON placed.id = line.order_id
  LEFT JOIN fulfillment_fulfillment AS work ON work.line_id = line.id
 WHERE (line.status IN ('queued', 'failed') OR line.short_quantity > 0)
   AND CASE line.status WHEN 'queued' THEN work.id IS NULL
       ELSE NOT EXISTS (SELECT FROM payments_refund AS refund WHERE refund.line_id = line.id) END
 UNION ALL
SELECT CASE placed.status WHEN 'pending' THEN 'order.expire' ELSE 'order.closed' END, placed.id, NULL,
       CASE placed.status WHEN 'pending' THEN placed.expires_at ELSE placed.created_at END
  FROM orders_order AS placed
 WHERE placed.status = 'pending'
    OR (placed.status IN ('expired', 'canceled') AND placed.held > 0 AND placed.paid_at IS NULL
        AND NOT EXISTS (SELECT FROM payments_payment AS payment
                         WHERE payment.order_id = placed.id AND payment.status IN ('created', 'pending')))
 UNION ALL
SELECT 'payment.follow', payment.id, NULL, payment.created_at
  FROM payments_payment AS payment WHERE payment.status IN ('created', 'pending')
 UNION ALL
SELECT 'payment.surplus', payment.id, NULL, payment.confirmed_at
  FROM payments_payment AS payment
 WHERE payment.status = 'confirmed' AND payment.is_surplus
   AND NOT EXISTS (SELECT FROM payments_refund AS refund WHERE refund.payment_id = payment.id)
 UNION ALL
SELECT 'payment.surplus', payment.id, NULL, payment.confirmed_at
  FROM orders_order AS placed JOIN payments_payment AS payment ON payment.order_id = placed.id
 WHERE placed.status IN ('expired', 'canceled') AND placed.paid_at IS NULL
   AND payment.status = 'confirmed' AND NOT payment.is_surplus
   AND NOT EXISTS (SELECT FROM payments_refund AS refund WHERE refund.payment_id = payment.id)
 UNION ALL
SELECT 'refund.run', refund.id, NULL, refund.created_at
  FROM payments_refund AS refund WHERE refund.status IN ('created', 'pending'))
SELECT topic, id, order_id FROM open WHERE since < {ago}
 UNION ALL
SELECT * FROM (SELECT '', 0, NULL::bigint FROM open WHERE since IS NULL OR since >= {ago} LIMIT 1) AS other
""".format(ago=f"statement_timestamp() - interval '{SETTLED.total_seconds():.0f} seconds'")
#: The payload's key by the topic's first word.
_KEYS = {
    "fulfillment": "fulfillment_id",
    "order": "order_id",
    "line": "line_id",
    "payment": "payment_id",
    "refund": "refund_id",
}


def _sweep_shop() -> tuple[int, bool]:
    """How many pieces of work were put back, and whether nothing is open that could ever be lost."""
    is_settled = not _open()
    if is_settled:
        return 0, True
    # First what is on the list, then what is open: what comes on the list meanwhile is younger than what is looked for.
    listed = _listed()
    lost = {
        (topic, pk): None
        for topic, pk, order_id in _open()
        if topic and (topic, pk) not in listed and ("order.paid", order_id) not in listed
    }
    for topic, pk in lost:
        _put_back(topic, _KEYS[topic.partition(".")[0]], pk)
    return len(lost), False


def _open() -> list[tuple[Any, ...]]:
    return sql.rows(_OPEN, [])


def _listed() -> set[tuple[str, int]]:
    """What is on the list of this shop, as topics with ids."""
    schema_name = connection.schema_name  # type: ignore[attr-defined]
    rows = OutboxEvent.objects.filter(schema_name=schema_name).values_list("topic", "payload")
    return {(topic, pk) for topic, payload in rows for pk in payload.values() if isinstance(pk, int)}


def _put_back(topic: str, key: str, pk: int) -> None:
    logger.error("sweep: %s %s=%s was on no list", topic, key, pk)
    publish(topic, **{key: pk})


def _put_back_all(topic: str, key: str, ids: Iterable[int]) -> int:
    """Of these, those that are on no list of this shop; how many."""
    listed = _listed()
    lost = [pk for pk in ids if (topic, pk) not in listed]
    for pk in lost:
        _put_back(topic, key, pk)
    return len(lost)
