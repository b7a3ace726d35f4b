"""Goods on the page of an order, for operators: the work on each line and every attempt to buy."""

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from fulfillment.models import Delivery, Fulfillment, SupplierOrder
from fulfillment.reason_words import reason_words
from kameng.admin.panels import Panel, Viewer
from kameng.admin.sites import operations_site
from orders.models import Order

WORK_TONES = {
    Fulfillment.Status.QUEUED: "info",
    Fulfillment.Status.BUYING: "info",
    Fulfillment.Status.VERIFYING: "warn",
    Fulfillment.Status.MANUAL: "bad",
    Fulfillment.Status.DELIVERED: "ok",
    Fulfillment.Status.FAILED: "neutral",
}
ATTEMPT_TONES = {
    SupplierOrder.Status.INTENDED: "info",
    SupplierOrder.Status.ACCEPTED: "info",
    SupplierOrder.Status.UNKNOWN: "warn",
    SupplierOrder.Status.SUCCEEDED: "ok",
    SupplierOrder.Status.PARTIAL: "warn",
    SupplierOrder.Status.REJECTED: "neutral",
    SupplierOrder.Status.REVERSED: "bad",
}
_ENDS = (Fulfillment.Status.DELIVERED, Fulfillment.Status.FAILED)


@operations_site.panel(Order, position=20)
def goods_panel(order: Model, viewer: Viewer) -> Panel | None:
    """What was done to deliver each line, and what suppliers answered; None before it was paid."""
    works = list(Fulfillment.objects.filter(line__order=order.pk).select_related("line").order_by("pk"))
    if not works:
        return None
    attempts = list(
        SupplierOrder.objects.filter(fulfillment__in=works)
        .select_related("supplier")
        .order_by("fulfillment_id", "sequence")
    )
    codes = list(
        Delivery.objects.filter(fulfillment__in=works, stock_code__isnull=False).values_list(
            "fulfillment_id", flat=True
        )
    )
    return Panel(
        title=_("履约与采购"),
        template="staff/_goods.html",
        context={
            "viewer": viewer,
            "works": [
                {
                    "work": work,
                    "tone": WORK_TONES[Fulfillment.Status(work.status)],
                    "codes": codes.count(work.pk),
                    "can_retry": work.status not in _ENDS,
                    "can_give_up": work.status == Fulfillment.Status.MANUAL,
                    "attempts": [
                        {
                            "attempt": attempt,
                            "tone": ATTEMPT_TONES[SupplierOrder.Status(attempt.status)],
                            "reason": reason_words(attempt.code),
                        }
                        for attempt in attempts
                        if attempt.fulfillment_id == work.pk
                    ],
                }
                for work in works
            ],
        },
    )
