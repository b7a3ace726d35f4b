"""What was paid for a plan goes back: so does the inviter's part of it."""

from django.db.models import Sum

from kameng.opening.goods import PRODUCT
from payments.models import Refund
from resellers.plans.commissions import commission_take_back

_ON_ITS_WAY = (Refund.Status.CREATED, Refund.Status.PENDING, Refund.Status.SUCCEEDED)


def commission_refunded(*, refund_id: int) -> None:
    """Take the commission back in proportion to all that went back of the order. Safe to call again."""
    found = Refund.objects.filter(pk=refund_id, line__product_slug=PRODUCT).select_related("payment__order").first()
    if found is None:
        return
    order = found.payment.order
    back = Refund.objects.filter(payment__order=order, line__isnull=False, status__in=_ON_ITS_WAY)
    refunded = back.aggregate(sum=Sum("amount"))["sum"]
    if refunded:
        commission_take_back(order_number=order.number, key=found.number, refunded=refunded)
