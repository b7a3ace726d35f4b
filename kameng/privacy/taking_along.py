"""All that a shop has written down of somebody's order, for that person, to take along."""

from typing import Any

from catalog.ages import Age
from fulfillment.models import DeliveryReveal, Fulfillment, SupplierOrder
from kameng.core.endpoint import rfc3339
from orders.models import Order
from orders.no_return import wording_text
from payments.models import Refund


def data_of(order: Order) -> dict[str, Any]:
    """An order with what was typed and what happened, as JSON takes it. Codes are not in it: they are shown on the
    order's page, and each look is written down."""
    return {
        "number": order.number,
        "status": order.status,
        "contact": order.contact,
        "language": order.language,
        "declared_age": Age(order.age).label if order.age in Age.values else None,
        "total": f"{order.total:.2f}",
        "placed_at": _moment(order.created_at),
        "checked_at": _moment(order.checked_at),
        "no_return_confirmed_at": _moment(order.no_return_at),
        "no_return_wording": wording_text(order.no_return_wording) if order.no_return_wording else None,
        "paid_at": _moment(order.paid_at),
        "finished_at": _moment(order.finished_at),
        "lines": [
            {
                "product": line.product_name,
                "variant": line.variant_name,
                "quantity": line.quantity,
                "price": f"{line.price:.2f}",
                "status": line.status,
                "account": {entry["label"]: entry.get("shown") or entry["value"] for entry in line.account},
            }
            for line in order.lines.all()
        ],
        "payments": [
            {
                "number": paid.number,
                "gateway": paid.gateway,
                "amount": f"{paid.amount:.2f}",
                "status": paid.status,
                "transaction": paid.reference,
                "at": _moment(paid.created_at),
            }
            for paid in order.payments.order_by("pk")
        ],
        "refunds": [
            {
                "number": refund.number,
                "amount": f"{refund.amount:.2f}",
                "status": refund.status,
                "reason": refund.reason,
                "at": _moment(refund.created_at),
            }
            for refund in Refund.objects.filter(payment__order=order)
            .exclude(status__in=Refund.UNDECIDED)
            .order_by("pk")
        ],
        # That the account went to somebody who charges it; who that is, is the platform's business.
        "account_given_to_suppliers": SupplierOrder.objects.filter(fulfillment__line__order=order).count(),
        # What the owner wrote with a delivery is shown on the order's page, as codes are.
        "has_message_from_owner": Fulfillment.objects.filter(line__order=order).exclude(sealed_note="").exists(),
        "codes_looked_at": [
            _moment(look.created_at)
            for look in DeliveryReveal.objects.filter(fulfillment__line__order=order).order_by("pk")
        ],
        "fingerprints": {
            "browser": bool(order.device_digest),
            "network_address": bool(order.address_digest),
        },
        "history": [{"what": event.name, "at": _moment(event.created_at)} for event in order.events.all()],
    }


def _moment(at: Any) -> str | None:
    return rfc3339(at) if at is not None else None
