"""I3 and I7: where the money is, and that each transaction of a gateway counts once."""

from collections import defaultdict

from django_tenants.utils import schema_context

from kameng.audit.reach import left_out
from kameng.audit.reading import MOMENT, Breaches, found, rows, shops
from payments.purses import PURSES
from resellers.models import Reseller

_PURSES = f"ARRAY{[*PURSES]}"
_KEPT = f"""
WITH kept AS (
    SELECT order_id, sum(amount) AS amount, max(confirmed_at) AS last, bool_and(gateway = ANY({_PURSES})) AS by_purse
      FROM payments_payment WHERE status = 'confirmed' AND NOT is_surplus GROUP BY order_id
)
SELECT o.number, o.status, o.total, coalesce(kept.amount, 0) AS kept
  FROM orders_order AS o LEFT JOIN kept ON kept.order_id = o.id
"""
_DISPROVED = "SELECT FROM orders_orderevent AS event WHERE event.order_id = o.id AND event.name = 'payment.disproved'"
_UNPAID = _KEPT + " WHERE o.paid_at IS NOT NULL AND coalesce(kept.amount, 0) <> o.total AND "
_PAID = f"{_UNPAID} NOT EXISTS ({_DISPROVED})"
_GONE = f"{_UNPAID} EXISTS ({_DISPROVED})"
#: What purses have paid waits for the order to be over, and then goes back.
_JUST_OVER = (
    "SELECT FROM orders_orderevent AS event WHERE event.order_id = o.id"
    f" AND event.name IN ('order.expired', 'order.canceled') AND event.created_at >= now() - interval '{MOMENT}'"
)
_OVER = _KEPT + (
    " WHERE o.paid_at IS NULL AND o.status <> 'pending' AND kept.amount > 0"
    f" AND kept.last < now() - interval '{MOMENT}' AND NOT (kept.by_purse AND EXISTS ({_JUST_OVER}))"
)
_COVERED = _KEPT + " WHERE o.status = 'pending' AND kept.amount >= o.total"
_TOTAL = """
SELECT o.number, o.total, coalesce(sum(line.price * line.quantity), 0) AS lines
  FROM orders_order AS o LEFT JOIN orders_orderline AS line ON line.order_id = o.id
 GROUP BY o.id HAVING o.total <> coalesce(sum(line.price * line.quantity), 0)
"""
_RETURNED = """
SELECT payment.number, payment.status, payment.amount, sum(refund.amount) AS returned
  FROM payments_payment AS payment JOIN payments_refund AS refund ON refund.payment_id = payment.id
 WHERE refund.status <> 'rejected'
 GROUP BY payment.id
HAVING sum(refund.amount) > payment.amount OR payment.status <> 'confirmed'
"""
_LINE_RETURNED = """
SELECT line.id, line.price * line.quantity AS amount, sum(refund.amount) AS returned
  FROM orders_orderline AS line JOIN payments_refund AS refund ON refund.line_id = line.id
 WHERE refund.status <> 'rejected'
 GROUP BY line.id HAVING sum(refund.amount) > line.price * line.quantity
"""
_SURPLUS = f"""
SELECT payment.number, payment.amount, coalesce(sum(refund.amount), 0) AS returned
  FROM payments_payment AS payment LEFT JOIN payments_refund AS refund ON refund.payment_id = payment.id
 WHERE payment.is_surplus AND payment.confirmed_at < now() - interval '{MOMENT}'
 GROUP BY payment.id HAVING coalesce(sum(refund.amount), 0) <> payment.amount
"""
_OTHER_MONEY = """
SELECT refund.number, payment.number AS payment
  FROM payments_refund AS refund
  JOIN payments_payment AS payment ON payment.id = refund.payment_id
  JOIN orders_orderline AS line ON line.id = refund.line_id
 WHERE line.order_id <> payment.order_id
"""


def captured_is_accounted_for(_: Reseller) -> Breaches:
    """Each yuan that came in bought something, went back, is on its way back, or waits for the rest of a price."""
    yield from found("order {number} of {total} is {status} and kept {kept}", _PAID)
    yield from found(
        "order {number} of {total} is {status} and kept {kept}: it was paid by a notice that the gateway took back",
        _GONE,
    )
    yield from found("order {number} is {status}, but kept {kept}", _OVER)
    yield from found("order {number} of {total} waits for money and has {kept}", _COVERED)
    yield from found("order {number} of {total}: its lines cost {lines}", _TOTAL)
    yield from found("payment {number} of {amount} is {status}, and {returned} goes back", _RETURNED)
    yield from found("line #{id} cost {amount}, and {returned} goes back for it", _LINE_RETURNED)
    yield from found("payment {number} of {amount} was not needed, and {returned} goes back", _SURPLUS)
    yield from found("refund {number} of payment {payment} is for another order's line", _OTHER_MONEY)


_EFFECTS = """
SELECT number, status, effects FROM (
    SELECT payment.number, payment.status,
           count(*) FILTER (WHERE event.name = 'payment.confirmed')
           - count(*) FILTER (WHERE event.name = 'payment.disproved') AS effects
      FROM payments_payment AS payment
      LEFT JOIN orders_orderevent AS event ON event.order_id = payment.order_id
           AND event.name IN ('payment.confirmed', 'payment.disproved') AND event.data ->> 'payment' = payment.number
     GROUP BY payment.id) AS booked
 WHERE effects <> CASE status WHEN 'confirmed' THEN 1 ELSE 0 END
"""
_AMOUNTS = """
SELECT payment.number, payment.amount, event.data ->> 'amount' AS booked
  FROM payments_payment AS payment
  JOIN orders_orderevent AS event ON event.order_id = payment.order_id
       AND event.name = 'payment.confirmed' AND event.data ->> 'payment' = payment.number
 WHERE (event.data ->> 'amount')::numeric <> payment.amount
"""
_PAID_TWICE = """
SELECT o.number, count(*) AS times FROM orders_orderevent AS event JOIN orders_order AS o ON o.id = event.order_id
 WHERE event.name = 'order.paid' GROUP BY o.id HAVING count(*) > 1
"""
_REFUND_EFFECTS = """
SELECT refund.number, refund.status, count(event.id) AS effects
  FROM payments_refund AS refund
  JOIN payments_payment AS payment ON payment.id = refund.payment_id
  LEFT JOIN orders_orderevent AS event ON event.order_id = payment.order_id
       AND event.name = 'refund.succeeded' AND event.data ->> 'refund' = refund.number
 GROUP BY refund.id
HAVING count(event.id) <> CASE refund.status WHEN 'succeeded' THEN 1 ELSE 0 END
"""
_NO_REFERENCE = "SELECT number FROM payments_payment WHERE status = 'confirmed' AND reference = ''"
_OTHER_ACCOUNT = """
SELECT payment.number, inbox.account AS told, account.code AS ours
  FROM public.inbox_inboxevent AS inbox
  JOIN payments_payment AS payment ON payment.number = inbox.subject
  JOIN public.merchants_gatewayaccount AS account ON account.id = payment.account_id
 WHERE inbox.source = 'payments' AND inbox.verdict = 'accepted' AND inbox.account <> account.code
"""


#: What moved by transfer: each has a row that two people agreed to, and says what that says. What one of them has put
#: right by hand, after it had failed, is on the order's own page.
_UNSEEN = """
SELECT moved.what, moved.number, moved.amount FROM (
    SELECT 'payment' AS what, 'in' AS kind, number, account_id, reference, amount FROM payments_payment
     WHERE channel = 'transfer' AND status = 'confirmed'
    UNION ALL
    SELECT 'refund', 'out', refund.number, payment.account_id, refund.reference, refund.amount
      FROM payments_refund AS refund JOIN payments_payment AS payment ON payment.id = refund.payment_id
     WHERE payment.channel = 'transfer' AND refund.status = 'succeeded' AND refund.code <> 'by_hand'
       AND refund.route = 'source'
  ) AS moved
 WHERE NOT EXISTS (
       SELECT FROM public.transfers_transfer AS seen
        WHERE seen.kind = moved.kind AND seen.number = moved.number AND seen.account_id = moved.account_id
          AND seen.reference = moved.reference AND seen.amount = moved.amount AND seen.status = 'confirmed')
"""


#: What a person says that they returned has what they said, and above the limit of then another one who agreed, which a
#: constraint holds.
_BY_HAND = """
SELECT refund.number, refund.amount FROM payments_refund AS refund
 WHERE refund.status = 'succeeded' AND refund.code = 'by_hand' AND NOT EXISTS (
       SELECT FROM orders_decision AS decision
        WHERE decision.kind = 'by_hand' AND decision.subject = refund.id AND decision.status = 'done'
          AND decision.amount = refund.amount AND decision.reference = refund.reference)
"""


def one_effect_per_transaction(_: Reseller) -> Breaches:
    """Each payment was booked as often as it was made: once, with its amount, under its account."""
    yield from found("payment {number} is {status} and was booked {effects} times", _EFFECTS)
    yield from found("payment {number} of {amount} was booked as {booked}", _AMOUNTS)
    yield from found("order {number} was paid {times} times", _PAID_TWICE)
    yield from found("refund {number} is {status} and was booked {effects} times", _REFUND_EFFECTS)
    yield from found("payment {number} is confirmed without the gateway's number", _NO_REFERENCE)
    yield from found("payment {number} is {ours}'s, and was accepted from {told}", _OTHER_ACCOUNT)
    yield from found("{what} {number} of {amount} moved by a transfer that no two people have seen", _UNSEEN)
    yield from found("refund {number} of {amount} was returned by hand, which nobody has decided", _BY_HAND)


_REFERENCES = "SELECT account_id, reference, number FROM payments_payment WHERE reference <> ''"


@left_out("a transaction that counts in two shops")
def one_payment_per_transaction() -> Breaches:
    """A constraint holds this within a shop; an account serves many."""
    numbers: dict[tuple[int, str], list[str]] = defaultdict(list)
    for shop in shops():
        with schema_context(shop.schema_name):
            for row in rows(_REFERENCES):
                numbers[row["account_id"], row["reference"]].append(row["number"])
    for (_account, reference), sharing in numbers.items():
        if len(sharing) > 1:
            yield f"transaction {reference} confirmed payments {', '.join(sorted(sharing))}"
