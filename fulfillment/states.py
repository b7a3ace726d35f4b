"""The doors through which the state of a duty, and of an attempt to buy, changes."""

from django.db.models.functions import Now

from fulfillment.exceptions import IllegalTransition
from fulfillment.models import Fulfillment, SupplierOrder
from fulfillment.postings import delivery_booked
from kameng.outbox.services import publish
from orders.decisions import decisions_moot
from orders.models import Decision, OrderLine
from orders.states import line_transition

Status = Fulfillment.Status
BuyStatus = SupplierOrder.Status
LineStatus = OrderLine.Status

_LINE_OF = {
    Status.QUEUED: LineStatus.QUEUED,
    Status.BUYING: LineStatus.BUYING,
    Status.VERIFYING: LineStatus.VERIFYING,
    Status.MANUAL: LineStatus.MANUAL,
    Status.DELIVERED: LineStatus.DELIVERED,
    Status.FAILED: LineStatus.FAILED,
}


def fulfillment_transition(fulfillment: Fulfillment, *, to: Fulfillment.Status, actor: str, note: str = "") -> None:
    """The only door for a fulfillment's status, its line with it; the order must be locked. Staying is not a step."""
    origin = Status(fulfillment.status)
    if origin == to:
        return
    if to not in Fulfillment.TRANSITIONS.get(origin, set()):
        raise IllegalTransition(f"fulfillment {fulfillment.pk}: {origin} → {to}")
    if origin == Status.MANUAL:
        decisions_moot(fulfillment.line.order, kind=Decision.Kind.GIVE_UP, subject=fulfillment.pk)
    fulfillment.status, fulfillment.note = to, note[:200]
    fields = ["status", "note", "attempts", "delivered_quantity"]
    if to in (Status.DELIVERED, Status.FAILED):
        fulfillment.finished_at = Now()
        fields.append("finished_at")
    fulfillment.save(update_fields=fields)
    line_transition(fulfillment.line, to=_LINE_OF[to], actor=actor)
    if to == Status.DELIVERED:
        delivery_booked(fulfillment.line)
        if fulfillment.line.order.customer_id is not None:
            publish("line.delivered", line_id=fulfillment.line_id)


def supplier_order_transition(buy: SupplierOrder, *, to: SupplierOrder.Status, fields: tuple[str, ...] = ()) -> None:
    """The only door for an attempt's status; the order must be locked. Staying is not a step."""
    origin = BuyStatus(buy.status)
    if origin != to and to not in SupplierOrder.TRANSITIONS.get(origin, set()):
        raise IllegalTransition(f"supplier order {buy.reference}: {origin} → {to}")
    buy.status = to
    if to not in SupplierOrder.ACTIVE:
        buy.finished_at = Now()
        fields = (*fields, "finished_at")
    buy.save(update_fields=["status", *fields])
