"""Reading coupons."""

import unicodedata
from collections.abc import Sequence

from django.db.models import F, Q

from customers.coupons.models import Coupon

SHORTEST_CODE, LONGEST_CODE = 4, 20


def code_clean(code: str) -> str:
    """A code as it is compared: without blanks, in capital letters of half width."""
    return "".join(unicodedata.normalize("NFKC", code).split()).upper()


def coupon_named(shop_id: int, code: str) -> Coupon | None:
    """The coupon of that code, as it was typed, in that shop: its own, else the platform's for every shop."""
    code = code_clean(code)
    if "\x00" in code or len(code) > LONGEST_CODE:
        return None
    found = Coupon.objects.filter(Q(shop=shop_id) | Q(shop__isnull=True), code=code)
    return found.order_by(F("shop").asc(nulls_last=True)).first()


def is_any_coupon(shop_id: int) -> bool:
    """Whether there is one that may hold in that shop: where there is none, nobody is asked for a code."""
    return Coupon.objects.filter(Q(shop=shop_id) | Q(shop__isnull=True), is_paused=False).exists()


def coupon_known(coupon_id: int) -> Coupon | None:
    """One by its id."""
    return Coupon.objects.filter(pk=coupon_id).first()


def coupons_of_owner(shop_id: int) -> Sequence[Coupon]:
    """Those that a shop's owner made, newest first."""
    mine = Coupon.objects.filter(shop=shop_id, borne_by=Coupon.Bearer.OWNER)
    return list(mine.select_related("category", "product"))


def coupons_of_platform() -> Sequence[Coupon]:
    """Those that the platform bears, newest first."""
    theirs = Coupon.objects.filter(borne_by=Coupon.Bearer.PLATFORM)
    return list(theirs.select_related("category", "product", "shop"))
