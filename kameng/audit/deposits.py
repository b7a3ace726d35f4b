"""I1: deposits of owners who collect for themselves: exactly what came in, and held for exactly what it has to be."""

from kameng.audit.reach import whole
from kameng.audit.reading import Breaches, found
from resellers.models import Reseller

_TOP_UPS = """
WITH shown AS (
    SELECT 'top_up:' || id AS key, shop_id AS owner, amount FROM public.deposits_topup WHERE status = 'confirmed'
), booked AS (
    SELECT journal.key, account.owner, sum(entry.amount) AS amount
      FROM public.ledger_account AS account
      JOIN public.ledger_entry AS entry ON entry.account_id = account.id
      JOIN public.ledger_journal AS journal ON journal.id = entry.journal_id
     WHERE account.name = 'top_ups' GROUP BY journal.key, account.owner
)
SELECT key, owner, coalesce(shown.amount, 0) AS shown, coalesce(booked.amount, 0) AS booked
  FROM shown FULL JOIN booked USING (key, owner) WHERE coalesce(shown.amount, 0) <> coalesce(booked.amount, 0)
"""


@whole
def top_ups_are_in_the_book() -> Breaches:
    """Each transfer that two people have seen is in the book, and nothing else came in."""
    yield from found("{key} brought shop #{owner} {shown}, the book says {booked}", _TOP_UPS)


_HELD = """
WITH booked AS (
    SELECT journal.order_number AS number, -sum(entry.amount) AS amount
      FROM public.ledger_account AS account
      JOIN ledger_entry AS entry ON entry.account_id = account.id
      JOIN ledger_journal AS journal ON journal.id = entry.journal_id
     WHERE account.name = 'deposit_held' AND account.owner = %(shop)s
     GROUP BY journal.order_number
)
SELECT number, coalesce(o.held, 0) AS held, coalesce(booked.amount, 0) AS booked
  FROM orders_order AS o FULL JOIN booked USING (number) WHERE coalesce(o.held, 0) <> coalesce(booked.amount, 0)
"""


def holds_are_in_the_book(shop: Reseller) -> Breaches:
    """What all orders hold is what is held, order by order."""
    yield from found("order {number} holds {held} of the deposit, the book says {booked}", _HELD, {"shop": shop.pk})


#: Of an order that the owner was paid for: the price of the goods that neither arrived nor are paid back, and of those
#: that did arrive and whose money is on its way back. Parts of a line are rounded as `payments.postings` does. Where
#: what had paid for it never came, nothing goes back: only goods that are still under way need anything.
_NEEDED = """
WITH returned AS (
    SELECT refund.line_id, refund.status = 'succeeded' AS is_back, refund.cause ~ '^(line|short):' AS is_undelivered,
           refund.amount,
           sum(refund.amount) OVER (
               PARTITION BY refund.line_id, refund.cause ~ '^(line|short):'
               ORDER BY coalesce(refund.decided_at, refund.created_at), refund.id) AS upto
      FROM payments_refund AS refund JOIN payments_payment AS payment ON payment.id = refund.payment_id
     WHERE refund.line_id IS NOT NULL AND payment.owner_collects AND refund.status NOT IN ('waiting', 'rejected')
), moved AS (
    SELECT line.id,
           sum((round(returned.upto * line.supply_price / line.price, 2)
                - round((returned.upto - returned.amount) * line.supply_price / line.price, 2))
               * CASE WHEN returned.is_back AND returned.is_undelivered THEN -1
                      WHEN NOT returned.is_back AND NOT returned.is_undelivered THEN 1 ELSE 0 END) AS supply
      FROM returned JOIN orders_orderline AS line ON line.id = returned.line_id
     GROUP BY line.id
), needed AS (
    SELECT line.order_id,
           sum(line.supply_price * CASE WHEN work.status = 'delivered' THEN line.short_quantity ELSE line.quantity END
               + coalesce(moved.supply, 0)) AS amount
      FROM orders_order AS o
      JOIN orders_orderline AS line ON line.order_id = o.id
      LEFT JOIN fulfillment_fulfillment AS work ON work.line_id = line.id
      LEFT JOIN moved ON moved.id = line.id
     WHERE o.owner_collects
     GROUP BY line.order_id
)
SELECT o.number, o.status, o.held, coalesce(needed.amount, 0) AS needed
  FROM orders_order AS o LEFT JOIN needed ON needed.order_id = o.id
 WHERE o.paid_at IS NOT NULL AND o.held <> coalesce(needed.amount, 0)
   AND (NOT o.owner_collects OR {paid})
"""
#: A line that has just ended is trimmed by the row that says so.
_GONE = """
SELECT o.number, o.status, o.held, coalesce(due.amount, 0) AS needed
  FROM orders_order AS o
  LEFT JOIN LATERAL (
       SELECT sum(line.supply_price * line.quantity) AS amount FROM orders_orderline AS line
        WHERE line.order_id = o.id AND line.status IN ('queued', 'buying', 'verifying', 'manual')) AS due ON true
 WHERE o.paid_at IS NOT NULL AND o.owner_collects AND NOT {paid} AND o.held <> coalesce(due.amount, 0)
   AND NOT EXISTS (
       SELECT FROM public.outbox_outboxevent AS listed JOIN orders_orderline AS line
           ON listed.payload = jsonb_build_object('line_id', line.id)
        WHERE listed.schema_name = %(schema)s AND listed.topic IN ('line.failed', 'line.short')
          AND line.order_id = o.id)
"""
_IS_PAID = """EXISTS (
       SELECT FROM payments_payment AS payment
        WHERE payment.order_id = o.id AND payment.status = 'confirmed' AND NOT payment.is_surplus)"""
#: What holds from its first moment does so while it waits for money, and then until the row is worked off that closes
#: its attempts.
_UNPAID = """
WITH unpaid AS (
    SELECT o.number, o.status, o.held,
           (SELECT sum(line.supply_price * line.quantity) FROM orders_orderline AS line
             WHERE line.order_id = o.id) AS supply,
           EXISTS (SELECT FROM payments_payment AS payment
                    WHERE payment.order_id = o.id AND payment.owner_collects
                      AND payment.status IN ('created', 'pending')) AS is_open,
           o.held_at_once AND o.status = 'pending' AS is_promised,
           o.held_at_once AND EXISTS (
               SELECT FROM public.outbox_outboxevent AS listed
                WHERE listed.schema_name = %(schema)s AND listed.topic = 'order.closed'
                  AND listed.payload = jsonb_build_object('order_id', o.id)) AS is_closing
      FROM orders_order AS o WHERE o.paid_at IS NULL
)
SELECT number, status, held FROM unpaid
 WHERE held <> CASE WHEN is_open OR is_promised THEN supply ELSE 0 END AND NOT (is_closing AND held = supply)
"""


def orders_hold_what_they_cost(shop: Reseller) -> Breaches:
    """Neither more nor less than what the platform would lose if the owner kept the money."""
    here = {"schema": shop.schema_name}
    for query in (_NEEDED, _GONE):
        yield from found(
            "order {number} is {status} and holds {held} of the deposit, it needs {needed}",
            query.replace("{paid}", _IS_PAID),
            here,
        )
    yield from found(
        "order {number} is {status} and holds {held} of the deposit, which its payments contradict", _UNPAID, here
    )


_MIXED = """
SELECT o.number, payment.number AS payment
  FROM orders_order AS o JOIN payments_payment AS payment ON payment.order_id = o.id
 WHERE payment.status = 'confirmed' AND NOT payment.is_surplus
   AND (o.paid_at IS NOT NULL AND payment.owner_collects <> o.owner_collects
        OR o.paid_at IS NULL AND payment.owner_collects)
"""


def one_collects(_: Reseller) -> Breaches:
    """An order's money is the platform's or its owner's, all of it."""
    yield from found("order {number} was paid by {payment}, which somebody else collected", _MIXED)
