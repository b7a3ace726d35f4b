"""I9, I10, I14 and I15: borders between shops, work on lists, legal steps, references that lead somewhere."""

from collections.abc import Iterator

from django.apps import apps
from django.db import models

from fulfillment.models import Fulfillment
from kameng.audit.reach import left_out, whole
from kameng.audit.reading import Breaches, found
from kameng.core.ids import ROUTE_LENGTH, routed_id
from orders.models import Order, OrderLine
from payments.collecting import OPEN
from resellers.models import Reseller

DUE_SECONDS = 60
#: A row that failed this often in a row will not heal by itself.
FAILURES = 8
#: Younger work may be between two rows; older work is put back by the sweep.
UNLISTED = "4 minutes"

_ROUTED = """
SELECT 'payment' AS what, number FROM payments_payment WHERE left(number, %(length)s) <> %(route)s
UNION ALL SELECT 'refund', number FROM payments_refund WHERE left(number, %(length)s) <> %(route)s
UNION ALL SELECT 'purchase', reference FROM fulfillment_supplierorder WHERE left(reference, %(length)s) <> %(route)s
"""
_FOREIGN_CODES = """
SELECT code.id, code.reference FROM public.suppliers_stockcode AS code
 WHERE code.schema_name = %s AND NOT EXISTS (
       SELECT FROM fulfillment_supplierorder AS bought WHERE bought.reference = code.reference)
"""
_GIVEN_CODES = """
SELECT delivery.id, code.schema_name
  FROM fulfillment_delivery AS delivery JOIN suppliers_stockcode AS code ON code.id = delivery.stock_code_id
 WHERE code.schema_name <> %s
"""
_FOREIGN_NOTICES = """
SELECT id, subject FROM inbox_inboxevent
 WHERE schema_name = %(schema)s AND subject <> '' AND left(subject, %(length)s) <> %(route)s
"""


def nothing_of_another_shop(shop: Reseller) -> Breaches:
    """Numbers lead to this shop, codes that it gave away and notices that are marked as its own are."""
    route = {"route": routed_id(shop.pk, ROUTE_LENGTH), "length": ROUTE_LENGTH, "schema": shop.schema_name}
    yield from found("{what} {number} leads to another shop", _ROUTED, route)
    yield from found("delivery #{id} shows a code of {schema_name}", _GIVEN_CODES, [shop.schema_name])
    yield from found("notice #{id} about {subject} was taken in this shop", _FOREIGN_NOTICES, route)


@left_out("codes that are marked as a shop's without a purchase")
def codes_are_of_this_shop(shop: Reseller) -> Breaches:
    """Every code that is marked as this shop's is."""
    yield from found(
        "code #{id} is said to be this shop's, but purchase {reference} is not", _FOREIGN_CODES, [shop.schema_name]
    )


_DUE = """
SELECT id, schema_name, topic, run_at FROM public.outbox_outboxevent
 WHERE run_at < now() - %(seconds)s * interval '1 second'
   AND (lease_until IS NULL OR lease_until < now() - %(seconds)s * interval '1 second')
"""
_FAILING = """
SELECT id, schema_name, topic, attempts, left(last_error, 80) AS error FROM public.outbox_outboxevent
 WHERE attempts >= %s AND last_error <> ''
"""
_HOMELESS = """
SELECT id, schema_name, topic FROM public.outbox_outboxevent AS event
 WHERE NOT EXISTS (SELECT FROM public.resellers_reseller AS shop WHERE shop.schema_name = event.schema_name)
"""


@whole
def nothing_is_overdue() -> Breaches:
    """Rows that nobody took, that fail again and again, or that have no shop."""
    yield from found("{schema_name}: {topic} #{id} is due since {run_at}", _DUE, {"seconds": DUE_SECONDS})
    yield from found("{schema_name}: {topic} #{id} failed {attempts} times: {error}", _FAILING, [FAILURES])
    yield from found("{topic} #{id} is for {schema_name}, which does not exist", _HOMELESS)


_ON_NO_LIST = f"""
WITH listed AS (
    SELECT topic, payload FROM public.outbox_outboxevent WHERE schema_name = %(schema)s
)
SELECT 'fulfillment' AS what, work.id, work.status
  FROM fulfillment_fulfillment AS work JOIN orders_orderline AS line ON line.id = work.line_id
 WHERE NOT work.status = ANY(%(ended)s) AND work.created_at < now() - interval '{UNLISTED}'
   AND NOT EXISTS (SELECT FROM listed
                    WHERE (topic = 'fulfillment.run' AND payload = jsonb_build_object('fulfillment_id', work.id))
                       OR (topic = 'order.paid' AND payload = jsonb_build_object('order_id', line.order_id)))
UNION ALL
SELECT 'payment', id, status FROM payments_payment AS payment
 WHERE status = ANY(%(open)s) AND created_at < now() - interval '{UNLISTED}'
   AND NOT EXISTS (SELECT FROM listed
                    WHERE topic = 'payment.follow' AND payload = jsonb_build_object('payment_id', payment.id))
UNION ALL
SELECT 'refund', id, status FROM payments_refund AS refund
 WHERE status IN ('created', 'pending') AND created_at < now() - interval '{UNLISTED}'
   AND NOT EXISTS (SELECT FROM listed
                    WHERE topic = 'refund.run' AND payload = jsonb_build_object('refund_id', refund.id))
UNION ALL
SELECT 'order', id, status FROM orders_order AS o
 WHERE status = 'pending' AND expires_at < now() - interval '{UNLISTED}'
   AND NOT EXISTS (SELECT FROM listed
                    WHERE topic = 'order.expire' AND payload = jsonb_build_object('order_id', o.id))
UNION ALL
SELECT 'notice', id, verdict FROM public.inbox_inboxevent AS notice
 WHERE schema_name = %(schema)s AND verdict = 'unapplied' AND received_at < now() - interval '{UNLISTED}'
   AND NOT EXISTS (SELECT FROM listed
                    WHERE topic = 'notice.unapplied' AND payload = jsonb_build_object('notice_id', notice.id))
"""
_ENDED = [Fulfillment.Status.DELIVERED, Fulfillment.Status.FAILED, Fulfillment.Status.MANUAL]


@whole
def open_work_is_on_a_list(shop: Reseller) -> Breaches:
    """What is not over and has no row, nobody would ever look at again."""
    known = {"schema": shop.schema_name, "ended": [*_ENDED], "open": [*OPEN]}
    yield from found("{what} #{id} is {status} and on no list", _ON_NO_LIST, known)


_STEPS = """
WITH step AS (
    SELECT id, order_id, line_id, split_part(name, '.', 1) AS what, from_status, to_status,
           coalesce(lag(to_status) OVER history, '') AS before, lead(id) OVER history IS NULL AS is_last
      FROM orders_orderevent WHERE to_status <> ''
    WINDOW history AS (PARTITION BY order_id, line_id ORDER BY id)
), legal(what, from_status, to_status) AS (VALUES {legal})
"""
_ILLEGAL = (
    _STEPS
    + """
SELECT o.number, step.what, step.from_status, step.to_status
  FROM step JOIN orders_order AS o ON o.id = step.order_id
 WHERE NOT EXISTS (SELECT FROM legal WHERE (legal.what, legal.from_status, legal.to_status)
                                         = (step.what, step.from_status, step.to_status))
"""
)
_GAPS = (
    _STEPS
    + """
SELECT o.number, step.what, step.before, step.from_status
  FROM step JOIN orders_order AS o ON o.id = step.order_id
 WHERE step.before <> CASE WHEN step.what = 'line' AND step.from_status = 'waiting' THEN '' ELSE step.from_status END
"""
)
_LAST = (
    _STEPS
    + """
SELECT o.number, step.what, step.to_status, coalesce(line.status, o.status) AS status
  FROM step JOIN orders_order AS o ON o.id = step.order_id LEFT JOIN orders_orderline AS line ON line.id = step.line_id
 WHERE step.is_last AND step.to_status <> coalesce(line.status, o.status)
"""
)
_UNTOLD = """
SELECT o.number, 'order' AS what, o.status FROM orders_order AS o
 WHERE NOT EXISTS (SELECT FROM orders_orderevent AS event WHERE event.order_id = o.id AND event.name = 'order.placed')
UNION ALL
SELECT o.number, 'line', line.status FROM orders_orderline AS line JOIN orders_order AS o ON o.id = line.order_id
 WHERE line.status <> 'waiting' AND NOT EXISTS (
       SELECT FROM orders_orderevent AS event
        WHERE event.order_id = o.id AND event.line_id = line.id AND event.to_status <> '')
"""


def _legal() -> Iterator[tuple[str, str, str]]:
    yield "order", "", Order.Status.PENDING
    for what, model in (("order", Order), ("line", OrderLine)):
        for origin, ends in model.TRANSITIONS.items():
            for to in sorted(ends):
                yield what, origin, to


_LEGAL = ", ".join(f"('{what}', '{origin}', '{to}')" for what, origin, to in _legal())


def only_legal_steps(_: Reseller) -> Breaches:
    """The history of each order and line is a path through its states, without gaps, and ends where it stands."""
    yield from found("order {number}: its {what} went {from_status} → {to_status}", _ILLEGAL.format(legal=_LEGAL))
    yield from found("order {number}: its {what} was {before}, then left {from_status}", _GAPS.format(legal=_LEGAL))
    yield from found("order {number}: its {what} became {to_status} and is {status}", _LAST.format(legal=_LEGAL))
    yield from found("order {number}: its {what} is {status}, and no history says so", _UNTOLD)


def _crossing() -> Iterator["models.ForeignKey[models.Model, models.Model]"]:
    """References from a shop into public, which no constraint holds."""
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, models.ForeignKey) and not getattr(field, "db_constraint", True):
                yield field


def references_lead_somewhere(_: Reseller) -> Breaches:
    """A public row is archived, never deleted, since shops refer to it."""
    for field in _crossing():
        table, target = field.model._meta.db_table, field.related_model._meta.db_table
        dangling = (
            f"SELECT '{table}' AS origin, id, {field.column} AS target FROM {table} AS origin"
            f" WHERE {field.column} IS NOT NULL"
            f" AND NOT EXISTS (SELECT FROM public.{target} AS target WHERE target.id = origin.{field.column})"
        )
        yield from found(f"{{origin}} #{{id}} refers to {target} #{{target}}, which does not exist", dangling)


_DANGLING_SHOPS = """
SELECT 'notice' AS what, id, schema_name FROM inbox_inboxevent
 WHERE schema_name <> '' AND schema_name NOT IN (SELECT schema_name FROM public.resellers_reseller)
UNION ALL
SELECT 'merchant account', id, schema_name FROM public.merchants_gatewayaccount
 WHERE schema_name <> '' AND schema_name NOT IN (SELECT schema_name FROM public.resellers_reseller)
UNION ALL
SELECT 'shop', id, schema_name FROM public.resellers_reseller
 WHERE schema_name NOT IN (SELECT nspname FROM pg_namespace)
"""


def shops_exist() -> Breaches:
    """Public names shops only by their schema."""
    yield from found("{what} #{id} is of {schema_name}, which does not exist", _DANGLING_SHOPS)
