"""Coupons of the demo: one of the house shop, and one of a sub-site's owner."""

from decimal import Decimal

from customers.coupons.models import Coupon
from customers.coupons.services import Wanted, coupon_open
from resellers.models import Reseller

#: Code, what comes off and from what amount on, by the shop's slug.
_COUPONS = {
    "house": ("WELCOME3", Decimal(3), Decimal(300)),
    "yueyou": ("YUEYOU2", Decimal(2), Decimal(50)),
}


def coupons_seed(shop: Reseller) -> None:
    """A shop's coupon, where it is to have one. What is there stays."""
    if shop.slug not in _COUPONS or Coupon.objects.filter(shop=shop).exists():
        return
    code, value, threshold = _COUPONS[shop.slug]
    wanted = Wanted(code=code, kind=Coupon.Kind.AMOUNT, value=value, threshold=threshold, contact_limit=5)
    coupon_open(wanted=wanted, shop=shop, borne_by=Coupon.Bearer.OWNER, actor="demo")
