"""Showing codes to the one whose they are: the doorway has checked who is asking, here it is written down."""

from dataclasses import dataclass, field

from django.db import transaction

from fulfillment.by_owner import note_open
from fulfillment.exceptions import NothingToReveal
from fulfillment.suppliers.stock_room import code_unseal
from kameng.core import sql
from kameng.core.encryption import digest
from orders.events import event_write
from orders.models import Order
from orders.states import order_lock


@dataclass(frozen=True)
class RevealedCode:
    """A code in clear; it belongs into a response and nowhere else."""

    sku: str
    code: str = field(repr=False)


@transaction.atomic
def codes_reveal(*, order: Order, actor: str, address: str) -> list[RevealedCode]:
    """All codes that have arrived for the order, and an owner's notes, in the order of its lines.

    Raises `NothingToReveal`.

    Each time somebody looks leaves a `DeliveryReveal` for each line, and an event that names no code. The order is
    locked, so that what is being returned is not looked at meanwhile; codes of a refunded line are no longer the
    shopper's.
    """
    order = order_lock(order.pk)
    arrived = _arrived(order.pk)
    if not arrived:
        raise NothingToReveal
    looked_from = digest(address, purpose="address") if address else ""
    works = sorted({work_id for work_id, *_ in arrived})
    sql.later(_LOOKED, {"works": works, "actor": actor, "looked_from": looked_from})
    event_write(order, "codes.revealed", actor=actor, count=len(arrived))
    return [
        RevealedCode(sku, code_unseal(sealed, fingerprint) if fingerprint else note_open(work_id, sealed))
        for work_id, sku, sealed, fingerprint in arrived
    ]


def _arrived(order_id: int) -> list[tuple[int, str, str, str]]:
    """Each with its work's id and SKU, sealed, with its fingerprint if it is a code."""
    found, noted = [], set()
    for work_id, sku, note, sealed, fingerprint in sql.rows(_ARRIVED, [order_id]):
        if note and work_id not in noted:
            noted.add(work_id)
            found.append((work_id, sku, note, ""))
        if fingerprint:
            found.append((work_id, sku, sealed, fingerprint))
    return found


#: What arrived: codes, and what an owner wrote with goods that they delivered by hand, once for each work.
_ARRIVED = sql.InEachShop(
    """
SELECT work.id, line.sku, work.sealed_note, code.sealed, code.digest
  FROM orders_orderline AS line
  JOIN fulfillment_fulfillment AS work ON work.line_id = line.id
  LEFT JOIN fulfillment_delivery AS delivery ON delivery.fulfillment_id = work.id
  LEFT JOIN public.suppliers_stockcode AS code ON code.id = delivery.stock_code_id
 WHERE line.order_id = %s AND line.status = 'delivered'
 ORDER BY line.position, delivery.position
""",
    by=["web"],
)
_LOOKED = sql.InEachShop(
    """
INSERT INTO fulfillment_deliveryreveal (fulfillment_id, actor, address_digest)
SELECT unnest(%(works)s::bigint[]), %(actor)s, %(looked_from)s
""",
    by=["web"],
)
