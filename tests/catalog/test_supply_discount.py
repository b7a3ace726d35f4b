"""A shop whose plan takes something off supply prices: what it pays is the same wherever it is told or counts."""

from decimal import Decimal

import pytest
from django_tenants.utils import schema_context

from catalog.listings.exceptions import ListingInvalid, PriceRuleInvalid
from catalog.listings.plans import Ask
from catalog.listings.repricing import repricing_foresee
from catalog.listings.selectors import priced_goods
from catalog.listings.services import listing_save, price_rule_save
from catalog.models import Revision, Variant
from resellers.models import Reseller
from resellers.plans.models import Tenure
from resellers.services import shop_touch
from tests.factories import on_sale, place
from tests.staff import owner_of

pytestmark = pytest.mark.usefixtures("supplier_double")


@pytest.fixture
def discounted(shop: Reseller) -> Reseller:
    """Two percent off: 55.86 instead of 57.00."""
    Tenure.objects.update_or_create(shop=shop, defaults={"supply_discount": Decimal(2)})
    shop_touch(shop_id=shop.pk)
    return shop


def test_it_is_what_owners_see_what_holds_prices_and_what_orders_owe(discounted: Reseller) -> None:
    variant, shop = on_sale(), discounted
    own = priced_goods(shop).variants[0]
    assert (own.supply, own.margin) == (Decimal("55.86"), Decimal("4.14"))
    client = owner_of(shop)
    page = client.get("/manage/goods/").content.decode()
    assert ("¥55.86" in page, "¥4.14" in page, "57.00" in page) == (True, True, False)
    wish = {"scope": "shop", "mode": "percent", "value": "10", "rounding": "none", "preview": "1"}
    preview = client.get("/manage/prices/", wish).content.decode()
    assert ("¥55.86" in preview, "¥61.45" in preview, "¥5.59" in preview, "57.00" in preview) == (
        True, True, True, False,
    )  # fmt: skip
    answer = client.post(f"/manage/goods/{variant.pk}/", {"price": "55.85", "is_visible": "on"}, follow=True)
    assert "不能低于供货价 ¥55.86" in answer.content.decode()
    # Between what this shop pays and what others pay.
    client.post(f"/manage/goods/{variant.pk}/", {"price": "56.00", "is_visible": "on"})
    with schema_context(shop.schema_name):
        own = priced_goods(shop).variants[0]
        assert (own.price, own.margin, own.breach) == (Decimal("56.00"), Decimal("0.14"), None)
        line = place(shop, variant).lines.get()
    assert (line.price, line.supply_price) == (Decimal("56.00"), Decimal("55.86"))


def test_rules_and_many_prices_are_held_by_it(discounted: Reseller) -> None:
    variant, shop = on_sale(), discounted
    rule = {"shop_id": shop.pk, "rounding": "none", "variant_id": variant.pk}
    for kind, over, said in (("fixed", "55.87", "¥55.86"), ("price", "55.85", "不低于供货价 ¥55.86")):
        with pytest.raises(PriceRuleInvalid) as refused:
            price_rule_save(kind=kind, value=Decimal(over), **rule)
        assert said in str(refused.value.fields["value"])
    for value, skipped in (("55.85", 1), ("56.00", 0)):
        assert repricing_foresee(shop=shop, ask=Ask("shop", "price", Decimal(value))).skipped == skipped
    saved = price_rule_save(kind="price", value=Decimal("56.00"), **rule)
    assert priced_goods(shop).variants[0].margin == Decimal("0.14")
    price_rule_save(kind="fixed", value=Decimal("55.86"), rule_id=saved.pk, **rule)


def test_the_platforms_cost_is_a_floor_that_no_discount_goes_below(discounted: Reseller) -> None:
    variant, shop = on_sale(), discounted
    Variant.objects.filter(pk=variant.pk).update(cost=Decimal("56.4001"), is_available=False)
    Revision.bump()
    own = priced_goods(shop).variants[0]
    # The cost is above what this shop would pay, but not above what others pay: it is not why nothing sells.
    assert (own.supply, own.is_too_dear) == (Decimal("56.41"), False)
    with pytest.raises(ListingInvalid):
        listing_save(shop_id=shop.pk, variant_id=variant.pk, price=Decimal("56.40"), name="", is_visible=True)
