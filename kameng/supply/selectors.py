"""What a client's order has come to, in the words of the supply API; and how many there are of what is on sale."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from kameng.core import sql
from kameng.supply.models import ClientOrder
from orders.models import OrderLine


class State(StrEnum):
    """Where a client's order stands. `DELIVERED`, `PARTIAL` and `REVERSED` may be followed by another one; `FAILED` and
    `CANCELED` never are: nothing was delivered, and all money goes back."""

    PROCESSING = "processing"
    DELIVERED = "delivered"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELED = "canceled"
    REVERSED = "reversed"


@dataclass(frozen=True)
class Told:
    """A client's order as it is told; amounts in yuan, `refunded` is what is back on the balance."""

    order_id: int
    number: str
    reference: str
    sku: str
    kind: str
    quantity: int
    state: State
    delivered: int
    price: Decimal
    refunded: Decimal
    created_at: datetime


_TOLD = """
SELECT placed.id, placed.number, asked.reference, line.sku, line.kind, line.quantity, line.short_quantity,
       line.status, coalesce(work.status, ''), asked.canceled_at IS NOT NULL, line.price,
       (SELECT coalesce(sum(refund.amount), 0) FROM payments_refund AS refund
          JOIN payments_payment AS payment ON payment.id = refund.payment_id
         WHERE payment.order_id = placed.id AND refund.status = 'succeeded'),
       asked.created_at
  FROM supply_clientorder AS asked
  JOIN orders_order AS placed ON placed.id = asked.order_id
  JOIN orders_orderline AS line ON line.order_id = placed.id
  LEFT JOIN fulfillment_fulfillment AS work ON work.line_id = line.id
 WHERE asked.id = %s
"""


def told_of(client_order_id: int) -> Told:
    """How an order stands now. Raises `ClientOrder.DoesNotExist`."""
    for row in sql.rows(_TOLD, [client_order_id]):
        order_id, number, reference, sku, kind, quantity, short, line, work, canceled, price, refunded, at = row
        state = state_of(line=line, work=work, is_short=short > 0, is_canceled=canceled)
        came = quantity - short if state in (State.DELIVERED, State.PARTIAL) else 0
        return Told(order_id, number, reference, sku, kind, quantity, state, came, price, refunded, at)
    raise ClientOrder.DoesNotExist


def state_of(*, line: str, work: str, is_short: bool, is_canceled: bool) -> State:
    """The one word for the states of a line and of the work for it."""
    if line == OrderLine.Status.DELIVERED:
        return State.PARTIAL if is_short else State.DELIVERED
    if line == OrderLine.Status.REFUNDED and work == "delivered":
        return State.REVERSED
    if line in (OrderLine.Status.FAILED, OrderLine.Status.REFUNDED):
        return State.CANCELED if is_canceled else State.FAILED
    return State.PROCESSING


#: Of each source that would be asked: as many as it has, null where it does not count.
_STOCK = """
SELECT source.variant_id, CASE WHEN bool_or(source.count IS NULL) THEN NULL ELSE max(source.count) END
  FROM (SELECT offer.variant_id, CASE WHEN supplier.adapter = 'stock'
               THEN (SELECT count(*) FROM public.suppliers_stockcode AS code
                      WHERE code.variant_id = offer.variant_id AND code.reference = '')
               ELSE offer.stock END AS count
          FROM public.suppliers_supplieroffer AS offer
          JOIN public.suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
         WHERE offer.variant_id = ANY(%s::bigint[]) AND offer.is_active AND offer.is_listed AND offer.cost IS NOT NULL
           AND supplier.is_active AND supplier.eliminated_at IS NULL) AS source
 GROUP BY source.variant_id
"""


def stock_of(variant_ids: Sequence[int]) -> Mapping[int, int | None]:
    """How many of each can be had at once from one source; None where nobody counts them. Who has none is left out."""
    return dict(sql.rows_anywhere(sql.Report(_STOCK), [list(variant_ids)]))
