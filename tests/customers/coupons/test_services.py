"""Making coupons: what they may be, whose codes are whose, and what of them may change."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from django.utils.translation import override

from customers.coupons.exceptions import CouponInvalid
from customers.coupons.models import Coupon
from customers.coupons.selectors import coupon_named
from customers.coupons.services import coupon_change
from customers.coupons.words import coupon_name
from resellers.models import Reseller
from tests.factories import CategoryFactory, ProductFactory, coupon


@pytest.mark.parametrize(
    ("wanted", "chinese", "english"),
    [
        ({"value": Decimal(3), "threshold": Decimal(50)}, "满50减3", "¥3 off from ¥50"),
        ({"value": Decimal("3.50")}, "减3.5", "¥3.5 off"),
        ({"kind": "percent", "value": Decimal(15)}, "打8.5折", "15% off"),
        ({"kind": "percent", "value": Decimal(10), "threshold": Decimal(100)}, "满100打9折", "10% off from ¥100"),
        ({"kind": "percent", "value": Decimal(10), "cap": Decimal(20)}, "打9折，最多减20", "10% off, ¥20 at most"),
        (
            {"kind": "percent", "value": Decimal(10), "threshold": Decimal(100), "cap": Decimal(20)},
            "满100打9折，最多减20",
            "10% off from ¥100, ¥20 at most",
        ),
    ],
)
def test_it_is_called_by_what_it_gives(shop: Reseller, wanted: dict[str, Any], chinese: str, english: str) -> None:
    made = coupon(shop, **wanted)
    assert coupon_name(made) == chinese
    with override("en"):
        assert coupon_name(made) == english


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("coupon", {"code": "AB"}),
        ("coupon", {"code": "A" * 21}),
        ("coupon", {"code": "满减券满减券"}),
        ("coupon", {"code": "SAVE-3"}),
        ("kind", {"kind": "free"}),
        ("value", {"value": Decimal(0)}),
        ("value", {"value": Decimal("0.001")}),
        ("value", {"kind": "percent", "value": Decimal(100)}),
        ("value", {"value": Decimal(10) ** 6}),
        ("threshold", {"threshold": Decimal(-1)}),
        ("threshold", {"value": Decimal(5), "threshold": Decimal(4)}),
        ("cap", {"cap": Decimal(5)}),
        ("cap", {"kind": "percent", "value": Decimal(5), "cap": Decimal(0)}),
        ("use_limit", {"use_limit": 0}),
        ("contact_limit", {"contact_limit": 0}),
        ("ends_at", {"ends_at": timezone.now() - timedelta(days=1)}),
    ],
)
def test_what_makes_no_sense_is_refused(shop: Reseller, field: str, wanted: dict[str, Any]) -> None:
    with pytest.raises(CouponInvalid) as refused:
        coupon(shop, **wanted)
    assert list(refused.value.fields) == [field]
    assert not Coupon.objects.exists()


def test_it_is_for_a_category_or_a_product_never_both(shop: Reseller) -> None:
    with pytest.raises(CouponInvalid) as refused:
        coupon(shop, category=CategoryFactory(), product=ProductFactory())
    assert list(refused.value.fields) == ["product"]


def test_a_code_is_read_as_people_type_it(shop: Reseller) -> None:
    made = coupon(shop, " save 3 ")
    assert made.code == "SAVE3"
    for typed in ("SAVE3", "save3", "ｓａｖｅ３", " Save 3"):
        assert coupon_named(shop.pk, typed) == made
    for typed in ("", "SAVE", "SAVE33", "\x00", "SAVE3" * 10):
        assert coupon_named(shop.pk, typed) is None


def test_two_shops_may_have_the_same_code_and_each_has_its_own(shop: Reseller, other_shop: Reseller) -> None:
    mine, theirs = coupon(shop), coupon(other_shop)
    assert (coupon_named(shop.pk, "save3"), coupon_named(other_shop.pk, "save3")) == (mine, theirs)
    with pytest.raises(CouponInvalid):
        coupon(shop)


def test_a_code_for_every_shop_is_no_shops(shop: Reseller, other_shop: Reseller) -> None:
    everywhere = coupon(None, "ALLES")
    assert coupon_named(shop.pk, "alles") == coupon_named(other_shop.pk, "alles") == everywhere
    for where in (shop, None):
        with pytest.raises(CouponInvalid):
            coupon(where, "ALLES")
    coupon(shop, "MINE")
    with pytest.raises(CouponInvalid):
        coupon(None, "MINE")


def test_only_how_long_and_how_many_may_change(shop: Reseller) -> None:
    made = coupon(shop, use_limit=5)
    Coupon.objects.filter(pk=made.pk).update(used=3)
    until = timezone.now() + timedelta(days=3)
    changed = coupon_change(coupon_id=made.pk, ends_at=until, use_limit=3, is_paused=True)
    assert (changed.ends_at, changed.use_limit, changed.is_paused) == (until, 3, True)
    for wrong in ({"use_limit": 2}, {"use_limit": None, "ends_at": made.starts_at}):
        with pytest.raises(CouponInvalid):
            coupon_change(coupon_id=made.pk, **{"ends_at": until, "is_paused": False, **wrong})  # type: ignore[arg-type]
    made.refresh_from_db()
    assert (made.use_limit, made.is_paused) == (3, True)
