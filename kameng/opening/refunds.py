"""What was paid for a plan goes back: so does the inviter's part of it, and in the end the time that it brought."""

from decimal import Decimal

from django.db.models import Sum

from compliance.tenures import shop_time_take_back
from payments.models import Refund
from resellers.plans.commissions import commission_take_back
from resellers.plans.skus import PRODUCT

Status = Refund.Status
_ON_ITS_WAY = (Status.CREATED, Status.PENDING, Status.SUCCEEDED)


def plan_refunded(*, refund_id: int) -> None:
    """Take the commission back in proportion to all that goes back of the order, and the time when all of it has
    arrived: a refund that fails leaves the shop its time. Safe to call again.
    """
    found = Refund.objects.filter(pk=refund_id, line__product_slug=PRODUCT).select_related("payment__order", "line")
    refund = found.first()
    if refund is None or refund.line is None:
        return
    order, line = refund.payment.order, refund.line
    going = _sum(order.pk, *_ON_ITS_WAY)
    if going:
        commission_take_back(order_number=order.number, key=refund.number, refunded=going)
    if _sum(order.pk, Status.SUCCEEDED) >= line.price * line.quantity:
        shop_time_take_back(order_number=order.number)


def _sum(order_id: int, *statuses: str) -> Decimal:
    back = Refund.objects.filter(payment__order_id=order_id, line__isnull=False, status__in=statuses)
    return back.aggregate(sum=Sum("amount"))["sum"] or Decimal(0)
