"""I1, I9, I11: coupons pay where they hold, none more often than it may, and what their rows say of that is so."""

from collections import defaultdict
from decimal import Decimal

from django_tenants.utils import schema_context

from customers.coupons.models import Coupon
from kameng.audit.reach import left_out, whole
from kameng.audit.reading import Breaches, found, rows, shops
from resellers.models import Reseller

#: What coupons pay in a shop, less what came back; of what came back whole nothing counts.
_HELD = """
SELECT payment.holder_id AS coupon, ordered.contact_digest AS contact, payment.amount - back.amount AS amount
  FROM payments_payment AS payment
  JOIN orders_order AS ordered ON ordered.id = payment.order_id
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(refund.amount), 0) AS amount FROM payments_refund AS refund
        WHERE refund.payment_id = payment.id AND refund.status = 'succeeded') AS back
 WHERE payment.gateway = 'coupon' AND payment.status = 'confirmed' AND payment.amount > back.amount
"""
_USES = f"SELECT held.coupon, count(*) AS used, sum(held.amount) AS given FROM ({_HELD}) AS held GROUP BY held.coupon"
_TOO_OFTEN = f"""
SELECT coupon.code, held.contact, count(*) AS used, coupon.contact_limit
  FROM ({_HELD}) AS held JOIN public.coupons_coupon AS coupon ON coupon.id = held.coupon
 GROUP BY coupon.id, held.contact HAVING count(*) > coupon.contact_limit
"""
_OVER = "SELECT code, used, use_limit FROM public.coupons_coupon WHERE used > use_limit"
_ELSEWHERE = """
SELECT payment.number, payment.holder_id FROM payments_payment AS payment
  LEFT JOIN public.coupons_coupon AS coupon ON coupon.id = payment.holder_id
 WHERE payment.gateway = 'coupon' AND (coupon.id IS NULL OR coupon.shop_id <> %(shop)s)
"""


def coupons_hold_here(shop: Reseller) -> Breaches:
    """Each that paid is of this shop or of all."""
    yield from found("{number} is paid by coupon #{holder_id}, which does not hold here", _ELSEWHERE, {"shop": shop.pk})


@whole
def no_coupon_is_used_up_twice() -> Breaches:
    """None has more uses than there are; that its row tells the truth is for I1."""
    yield from found("coupon {code} was used {used} times, of {use_limit}", _OVER)


@left_out("the sum of all entries, and sums that were written down")
def coupons_are_used_as_they_say() -> Breaches:
    """What each row says of its uses is what all shops' payments make together; and no contact has one more often in a
    shop than it may."""
    used: dict[int, int] = defaultdict(int)
    given: dict[int, Decimal] = defaultdict(Decimal)
    for shop in shops():
        with schema_context(shop.schema_name):
            for row in rows(_USES):
                used[row["coupon"]] += row["used"]
                given[row["coupon"]] += row["given"]
            for breach in found("coupon {code} has a contact with {used} of {contact_limit} uses", _TOO_OFTEN):
                yield f"{shop.schema_name}: {breach}"
    for coupon in Coupon.objects.order_by("pk"):
        if (coupon.used, coupon.given) != (used[coupon.pk], given[coupon.pk]):
            yield (
                f"coupon {coupon.code} says {coupon.used} uses and {coupon.given}, "
                f"payments make {used[coupon.pk]} and {given[coupon.pk]}"
            )
