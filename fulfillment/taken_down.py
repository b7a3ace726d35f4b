"""What follows in the shops when something is taken down: nobody pays for it any more, and who has paid gets it or the
money back.

Nothing is bought for it from that moment on (`suppliers.choosing`), whoever comes to the work. So it is enough to have
every open work looked at: where it is certain that nothing was bought, the money goes back in the same second; where a
supplier may have acted, it is asked until it says, as ever. What lies with a shop's owner, who delivers by hand, is
known not to have been delivered, and goes back at once too.
"""

from collections.abc import Sequence

from django_tenants.utils import get_public_schema_name, schema_context

from catalog.models import Variant
from compliance.gate.models import SubjectKind
from fulfillment.models import Fulfillment
from kameng.outbox.services import publish
from orders.exceptions import OrderNotPayable
from orders.models import Order
from orders.services import order_cancel
from resellers.models import Reseller

Status = Fulfillment.Status
_OPEN = (Status.QUEUED, Status.BUYING, Status.VERIFYING)


def subject_taken_down(*, kind: str, subject_id: int, case_id: int) -> None:
    """A product was taken down in all shops, or a listing or an own good in the current one; a shop's own words sell
    nothing."""
    if kind == SubjectKind.LISTING:
        goods_taken_down(variant_ids=[subject_id])
    elif kind == SubjectKind.OWN_GOOD:
        variants = Variant.objects.filter(product_id=subject_id)
        goods_taken_down(variant_ids=list(variants.order_by("pk").values_list("pk", flat=True)))
    elif kind == SubjectKind.PRODUCT:
        variant_ids = list(Variant.objects.filter(product_id=subject_id).order_by("pk").values_list("pk", flat=True))
        shops = Reseller.objects.exclude(schema_name=get_public_schema_name()).order_by("pk")
        for schema_name in shops.values_list("schema_name", flat=True):
            with schema_context(schema_name):
                publish("goods.taken_down", variant_ids=variant_ids)


def goods_taken_down(*, variant_ids: Sequence[int]) -> None:
    """In the current shop: end unpaid orders, so that gateways close what is open, and look at every paid one."""
    unpaid = Order.objects.filter(status=Order.Status.PENDING, lines__variant_id__in=variant_ids).distinct()
    for order_id in list(unpaid.order_by("pk").values_list("pk", flat=True)):
        try:
            order_cancel(order_id=order_id, actor="system")
        except OrderNotPayable:
            continue  # paid or expired meanwhile: who was paid is looked at when the order is fulfilled
    works = Fulfillment.objects.filter(line__variant_id__in=variant_ids, status__in=_OPEN)
    for fulfillment_id in list(works.order_by("pk").values_list("pk", flat=True)):
        publish("fulfillment.wake", fulfillment_id=fulfillment_id)
