"""I2: what was paid is delivered or refunded, never both, never neither."""

from django.conf import settings

from kameng.audit.reading import MOMENT, Breaches, found
from resellers.models import Reseller

#: Nothing may be under way for longer without a person: the limits after which one is asked, and an hour.
GRACE_SECONDS = 3600

_UNPAID_GOODS = """
SELECT o.number, o.status, line.id, line.status AS line_status
  FROM orders_orderline AS line JOIN orders_order AS o ON o.id = line.order_id
 WHERE (o.paid_at IS NULL) <> (line.status = 'waiting')
"""
_STATUS_OF_MONEY = """
SELECT number, status, paid_at FROM orders_order
 WHERE (paid_at IS NULL) <> (status IN ('pending', 'expired', 'canceled'))
"""
_BOTH = """
SELECT o.number, line.id
  FROM orders_orderline AS line JOIN orders_order AS o ON o.id = line.order_id
 WHERE EXISTS (SELECT FROM payments_refund AS refund WHERE refund.cause = 'line:' || line.id)
   AND EXISTS (SELECT FROM fulfillment_delivery AS delivery
                 JOIN fulfillment_fulfillment AS work ON work.id = delivery.fulfillment_id
                WHERE work.line_id = line.id)
"""
_GOODS = """
SELECT o.number, line.id, line.status, count(delivery.id) AS deliveries
  FROM orders_orderline AS line
  JOIN orders_order AS o ON o.id = line.order_id
  LEFT JOIN fulfillment_fulfillment AS work ON work.line_id = line.id
  LEFT JOIN fulfillment_delivery AS delivery ON delivery.fulfillment_id = work.id
 GROUP BY o.number, line.id, line.status
HAVING (line.status = 'delivered' AND count(delivery.id) = 0)
    OR (line.status NOT IN ('delivered', 'refunded') AND count(delivery.id) > 0
        AND max(work.delivered_quantity) NOT BETWEEN 1 AND line.quantity - 1)
"""
_MONEY_BACK = """
SELECT o.number, line.id, line.price * line.quantity AS amount, coalesce(sum(refund.amount), 0) AS returned
  FROM orders_orderline AS line
  JOIN orders_order AS o ON o.id = line.order_id
  LEFT JOIN payments_refund AS refund ON refund.line_id = line.id AND refund.status = 'succeeded'
 WHERE line.status = 'refunded'
 GROUP BY o.number, line.id
HAVING coalesce(sum(refund.amount), 0) <> line.price * line.quantity
"""
_WORK = """
SELECT o.number, line.id, line.status, work.status AS work_status
  FROM fulfillment_fulfillment AS work
  JOIN orders_orderline AS line ON line.id = work.line_id
  JOIN orders_order AS o ON o.id = line.order_id
 WHERE work.status <> line.status AND NOT (line.status = 'refunded' AND work.status IN ('delivered', 'failed'))
"""
#: Money for a part that fell short makes the order partly refunded; the step follows a moment after the order is whole.
_SUM_OF_LINES = f"""
WITH short AS (
    SELECT line.order_id, max(refund.finished_at) AS back_at
      FROM orders_orderline AS line JOIN payments_refund AS refund ON refund.line_id = line.id
     WHERE line.short_quantity > 0 AND refund.status = 'succeeded'
     GROUP BY line.id HAVING sum(refund.amount) >= line.price * line.short_quantity
), paid AS (
    SELECT o.number, o.status, o.finished_at, max(short.back_at) AS back_at,
           CASE WHEN bool_and(line.status = 'delivered')
                THEN CASE WHEN max(short.back_at) IS NULL THEN 'fulfilled' ELSE 'partly_refunded' END
                WHEN bool_and(line.status = 'refunded') THEN 'refunded'
                WHEN bool_and(line.status IN ('delivered', 'refunded')) THEN 'partly_refunded'
                ELSE 'paid' END AS drawn
      FROM orders_order AS o
      LEFT JOIN orders_orderline AS line ON line.order_id = o.id
      LEFT JOIN short ON short.order_id = o.id
     WHERE o.paid_at IS NOT NULL
     GROUP BY o.id
)
SELECT number, status, drawn FROM paid
 WHERE status <> drawn
   AND NOT (status = 'fulfilled' AND drawn = 'partly_refunded'
            AND greatest(finished_at, back_at) > now() - interval '{MOMENT}')
"""
_NEGLECTED = """
SELECT o.number, line.id, line.status, o.paid_at
  FROM orders_orderline AS line JOIN orders_order AS o ON o.id = line.order_id
 WHERE line.status IN ('queued', 'buying', 'verifying') AND o.paid_at < now() - %s * interval '1 second'
"""
_UNRETURNED = f"""
SELECT o.number, line.id
  FROM orders_orderline AS line
  JOIN orders_order AS o ON o.id = line.order_id
  JOIN fulfillment_fulfillment AS work ON work.line_id = line.id
 WHERE (line.status = 'failed' OR line.short_quantity > 0) AND work.finished_at < now() - interval '{MOMENT}'
   AND NOT EXISTS (SELECT FROM payments_refund AS refund WHERE refund.line_id = line.id)
"""


def delivered_or_refunded(_: Reseller) -> Breaches:
    """Every line against its order, its work, its deliveries and its refunds."""
    longest = max(settings.UNKNOWN_LIMIT_SECONDS, settings.ACCEPTED_LIMIT_SECONDS) + GRACE_SECONDS
    yield from found("order {number} is {status}, its line #{id} is {line_status}", _UNPAID_GOODS)
    yield from found("order {number} is {status}, but was paid at {paid_at}", _STATUS_OF_MONEY)
    yield from found("order {number}, line #{id}: delivered, and refunded by itself", _BOTH)
    yield from found("order {number}, line #{id} is {status} with {deliveries} deliveries", _GOODS)
    yield from found("order {number}, line #{id}: refunded, but {returned} of {amount} went back", _MONEY_BACK)
    yield from found("order {number}, line #{id} is {status}, its work is {work_status}", _WORK)
    yield from found("order {number} is {status}, its lines make it {drawn}", _SUM_OF_LINES)
    yield from found("order {number}, line #{id}: {status} since {paid_at}, and no person asked", _NEGLECTED, [longest])
    yield from found("order {number}, line #{id}: failed, and nothing is on its way back", _UNRETURNED)
