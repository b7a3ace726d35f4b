"""Showing codes to the one whose they are: the doorway has checked who is asking, here it is written down."""

from dataclasses import dataclass, field

from django.db import transaction

from fulfillment.exceptions import NothingToReveal
from fulfillment.models import Delivery, DeliveryReveal
from fulfillment.suppliers.stock_room import code_open
from kameng.core.encryption import digest
from orders.models import Order, OrderLine
from orders.services import event_write, order_lock


@dataclass(frozen=True)
class RevealedCode:
    """A code in clear; it belongs into a response and nowhere else."""

    sku: str
    code: str = field(repr=False)


@transaction.atomic
def codes_reveal(*, order: Order, actor: str, address: str) -> list[RevealedCode]:
    """All codes that have arrived for the order, in the order of its lines. Raises `NothingToReveal`.

    Each time somebody looks leaves a `DeliveryReveal` for each line, and an event that names no code. The order is
    locked, so that what is being returned is not looked at meanwhile; codes of a refunded line are no longer the
    shopper's.
    """
    order = order_lock(order.pk)
    deliveries = list(
        Delivery.objects.filter(
            fulfillment__line__order=order,
            fulfillment__line__status=OrderLine.Status.DELIVERED,
            stock_code__isnull=False,
        )
        .select_related("fulfillment__line", "stock_code")
        .order_by("fulfillment__line__position", "position")
    )
    if not deliveries:
        raise NothingToReveal
    looked_from = digest(address, purpose="address") if address else ""
    works = dict.fromkeys(delivery.fulfillment_id for delivery in deliveries)
    DeliveryReveal.objects.bulk_create(
        DeliveryReveal(fulfillment_id=work, actor=actor, address_digest=looked_from) for work in works
    )
    event_write(order, "codes.revealed", actor=actor, count=len(deliveries))
    return [RevealedCode(delivery.fulfillment.line.sku, code_open(delivery.stock_code)) for delivery in deliveries]
