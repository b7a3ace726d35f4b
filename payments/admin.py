"""Money on the page of an order: each attempt to collect, each attempt to return."""

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from kameng.admin.panels import Panel, Viewer
from kameng.admin.sites import operations_site, shop_site
from orders.models import Order
from payments.faces import gateway_name, refund_method
from payments.models import Payment, Refund

PAYMENT_TONES = {
    Payment.Status.CREATED: "neutral",
    Payment.Status.PENDING: "info",
    Payment.Status.CONFIRMED: "ok",
    Payment.Status.FAILED: "bad",
    Payment.Status.CANCELED: "neutral",
}
REFUND_TONES = {
    Refund.Status.WAITING: "warn",
    Refund.Status.REJECTED: "neutral",
    Refund.Status.CREATED: "info",
    Refund.Status.PENDING: "info",
    Refund.Status.SUCCEEDED: "ok",
    Refund.Status.FAILED: "bad",
}


@shop_site.panel(Order, position=10)
@operations_site.panel(Order, position=10)
def money_panel(order: Model, viewer: Viewer) -> Panel | None:
    """Payments and refunds, oldest first; None before anybody tried to pay."""
    payments = list(Payment.objects.filter(order=order.pk).order_by("pk"))
    if not payments:
        return None
    refunds = list(Refund.objects.filter(payment__order=order.pk).select_related("payment").order_by("pk"))
    return Panel(
        title=_("收款与退款"),
        template="staff/_money.html",
        context={
            "viewer": viewer,
            "payments": [
                {
                    "payment": payment,
                    "method": gateway_name(payment.gateway),
                    "tone": PAYMENT_TONES[Payment.Status(payment.status)],
                    "can_ask": viewer.is_operator and payment.status != Payment.Status.CONFIRMED,
                }
                for payment in payments
            ],
            "refunds": [
                {
                    "refund": refund,
                    "method": refund_method(refund.payment.gateway, refund.route),
                    "tone": REFUND_TONES[Refund.Status(refund.status)],
                    "can_retry": viewer.is_operator and refund.status == Refund.Status.FAILED,
                }
                for refund in refunds
            ],
        },
    )
