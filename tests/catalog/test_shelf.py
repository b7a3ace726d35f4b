"""A shop's shelf: the platform's catalogue with the shop's own choice, names and prices."""

from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django_tenants.utils import schema_context

from catalog.listings.models import Listing, PriceRule
from catalog.listings.shelf import Shelf, ShelfVariant, shelf, shelf_now
from catalog.models import Product, Revision, Variant
from fulfillment.suppliers.models import SupplierOffer
from fulfillment.suppliers.services import availability_refresh
from orders.exceptions import PriceChanged, SkuUnavailable, SkuUnknown
from orders.models import Order
from resellers.models import Reseller
from resellers.services import shop_touch
from tests.factories import CategoryFactory, ProductFactory, VariantFactory, on_sale, place

pytestmark = pytest.mark.usefixtures("supplier_double")


def now(shop: Reseller) -> Shelf:
    """What would be sold at this moment."""
    return shelf_now(shop)[0]


def shown(shop: Reseller, variant: Variant) -> ShelfVariant:
    """A variant as the shop sells it."""
    return now(shop).by_sku[variant.sku][1]


def change(shop: Reseller, variant: Variant, **values: Any) -> None:
    """The owner overrides something."""
    Listing.objects.update_or_create(variant_id=variant.pk, defaults=values)
    shop_touch(shop_id=shop.pk)


def rule(shop: Reseller, kind: str, value: str, rounding: str = "none", **scope: int) -> None:
    """The owner adds a price rule."""
    PriceRule.objects.create(kind=kind, value=Decimal(value), rounding=rounding, **scope)
    shop_touch(shop_id=shop.pk)


# --- what is on it ------------------------------------------------------------------------------------


def test_a_shop_without_a_listing_sells_everything_at_the_official_price(shop: Reseller) -> None:
    first, second = on_sale(), on_sale()
    assert not Listing.objects.exists()
    assert set(now(shop).by_sku) == {first.sku, second.sku}
    found = shown(shop, first)
    assert (found.price, found.official_price, found.supply_price, found.because, found.is_available) == (
        Decimal("60.00"), Decimal("60.00"), Decimal("57.00"), "platform", True,
    )  # fmt: skip


def test_what_the_platform_took_off_is_not_on_it(shop: Reseller) -> None:
    variant, product, category = on_sale(), on_sale(), on_sale()
    Variant.objects.filter(pk=variant.pk).update(is_active=False)
    Product.objects.filter(pk=product.product_id).update(is_active=False)
    category.product.category.is_active = False
    category.product.category.save()
    Revision.bump()
    assert now(shop).by_sku == {}
    for gone in (variant, product, category):
        with pytest.raises(SkuUnknown):
            place(shop, gone)


def test_a_product_whose_variants_are_all_hidden_is_not_on_it(shop: Reseller) -> None:
    variant = on_sale()
    change(shop, variant, is_visible=False)
    assert (now(shop).products, now(shop).categories, now(shop).by_slug) == ((), (), {})
    with pytest.raises(SkuUnknown):
        place(shop, variant)


def test_a_shop_of_some_categories_sells_nothing_else(shop: Reseller) -> None:
    games, life = CategoryFactory(slug="games"), CategoryFactory(slug="life")
    wanted = on_sale(product=ProductFactory(category=games))
    other = on_sale(product=ProductFactory(category=life))
    shop.categories = ["games"]
    shop.save()
    shop_touch(shop_id=shop.pk)
    assert set(now(shop).by_sku) == {wanted.sku}
    assert [category.slug for category in now(shop).categories] == ["games"]
    with pytest.raises(SkuUnknown):
        place(shop, other)


def test_what_cannot_be_had_is_shown_and_not_sold(shop: Reseller) -> None:
    variant = on_sale(suppliers=("first",))
    SupplierOffer.objects.update(is_active=False)
    availability_refresh()
    assert shown(shop, variant).is_available is False
    assert now(shop).products[0].is_available is False
    with pytest.raises(SkuUnavailable):
        place(shop, variant)


def test_without_a_known_cost_nothing_is_sold(shop: Reseller) -> None:
    variant = on_sale()
    Variant.objects.update(cost=None)
    Revision.bump()
    assert shown(shop, variant).is_available is False
    with pytest.raises(SkuUnavailable):
        place(shop, variant)
    assert not Order.objects.exists()


def test_the_owner_names_and_orders_variants(shop: Reseller) -> None:
    product = ProductFactory()
    first, second, third = (on_sale(product=product, position=place) for place in range(3))
    change(shop, third, position=-0, name="特惠")
    change(shop, first, position=9)
    variants = now(shop).by_slug[str(product.slug)].variants
    assert [variant.sku for variant in variants] == [third.sku, second.sku, first.sku]
    assert (variants[0].name, variants[0].name_en) == ("特惠", "特惠")


# --- prices -------------------------------------------------------------------------------------------


def test_the_narrowest_rule_decides(shop: Reseller) -> None:
    variant = on_sale()
    prices = []
    scopes: tuple[dict[str, int], ...] = (
        {},
        {"category_id": variant.product.category_id},
        {"product_id": variant.product_id},
        {"variant_id": variant.pk},
    )
    for value, scope in enumerate(scopes, start=1):
        rule(shop, "fixed", str(value), "none", **scope)
        prices.append((shown(shop, variant).price, shown(shop, variant).because))
    change(shop, variant, price=Decimal("99.99"))
    prices.append((shown(shop, variant).price, shown(shop, variant).because))
    assert prices == [
        (Decimal("58.00"), "shop"), (Decimal("59.00"), "category"), (Decimal("60.00"), "product"),
        (Decimal("61.00"), "variant"), (Decimal("99.99"), "own_price"),
    ]  # fmt: skip


def test_rounding_goes_up(shop: Reseller) -> None:
    variant = on_sale()
    rule(shop, "percent", "4.5", "jiao")
    assert shown(shop, variant).price == Decimal("59.60")


def test_no_wish_reaches_below_what_the_shop_owes(shop: Reseller) -> None:
    variant = on_sale()
    rule(shop, "percent", "-50")
    assert shown(shop, variant).price == Decimal("57.00")
    order = place(shop, variant, quoted_total=Decimal("57.00"))
    assert (order.total, order.lines.get().supply_price) == (Decimal("57.00"), Decimal("57.00"))


@pytest.mark.parametrize("price", ["0.01", "56.99", "120.01"])
def test_a_named_price_outside_the_lines_hides_its_variant_and_no_other(shop: Reseller, price: str) -> None:
    product = ProductFactory()
    kept, outside = on_sale(product=product), on_sale(product=product)
    change(shop, outside, price=Decimal(price))
    assert [one.sku for one in now(shop).by_slug[str(product.slug)].variants] == [kept.sku]
    with pytest.raises(SkuUnknown):
        place(shop, outside)
    change(shop, kept, price=Decimal(price))
    assert str(product.slug) not in now(shop).by_slug
    assert now(shop).resting == {product.slug}
    answer = Client().get(f"/p/{product.slug}/", headers={"host": "one.test"})
    assert answer.status_code == 404
    assert "暂时没有可买的面额" in answer.content.decode()


def test_a_cost_above_the_supply_price_lifts_the_price(shop: Reseller) -> None:
    variant = on_sale(suppliers=("first",))
    rule(shop, "fixed", "1")
    SupplierOffer.objects.update(cost=Decimal("58.1234"))
    availability_refresh()
    found = shown(shop, variant)
    assert (found.supply_price, found.price) == (Decimal("58.13"), Decimal("59.13"))


def test_the_lowest_price_of_what_can_be_had_stands_at_the_product(shop: Reseller) -> None:
    product = ProductFactory()
    on_sale(product=product, official_price=Decimal("60"), supply_price=Decimal("56"))
    VariantFactory(product=product, official_price=Decimal("10"), supply_price=Decimal("9"))
    Revision.bump()
    found = now(shop).by_slug[str(product.slug)]
    assert (found.from_price, found.is_available) == (Decimal("60.00"), True)


# --- whose it is, and how fresh -----------------------------------------------------------------------


def test_one_shops_wishes_are_nothing_to_another(shop: Reseller, other_shop: Reseller) -> None:
    variant = on_sale()
    rule(shop, "fixed", "30")
    change(shop, variant, name="only here")
    assert shown(shop, variant).price == Decimal("87.00")
    with schema_context(other_shop.schema_name):
        theirs = shown(other_shop, variant)
        assert (theirs.price, theirs.name) == (Decimal("60.00"), variant.name)
        assert place(other_shop, variant).total == Decimal("60.00")


def test_a_change_counts_from_the_next_order_on(shop: Reseller) -> None:
    variant = on_sale()
    assert shelf(shop).by_sku[variant.sku][1].price == Decimal("60.00")
    change(shop, variant, price=Decimal("61.00"))
    # A page may be a second old, an order never is.
    assert shelf(shop).by_sku[variant.sku][1].price == Decimal("60.00")
    with pytest.raises(PriceChanged):
        place(shop, variant, quoted_total=Decimal("60.00"))
    assert place(shop, variant, quoted_total=Decimal("61.00")).total == Decimal("61.00")


def test_a_page_is_at_most_a_second_old(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr("kameng.core.remembered.time.monotonic", lambda: moment)
    variant = on_sale()
    shelf(shop)
    change(shop, variant, price=Decimal("61.00"))
    moment += 0.9
    assert shelf(shop).by_sku[variant.sku][1].price == Decimal("60.00")
    moment += 0.2
    assert shelf(shop).by_sku[variant.sku][1].price == Decimal("61.00")


def test_the_platforms_prices_reach_every_shop(shop: Reseller) -> None:
    variant = on_sale()
    now(shop)
    Variant.objects.filter(pk=variant.pk).update(official_price=Decimal("65.00"))
    Revision.bump()
    assert shown(shop, variant).price == Decimal("65.00")


class Undo(Exception):
    """Ends a transaction."""


def test_a_change_that_was_rolled_back_is_not_taken_for_the_next_one(shop: Reseller) -> None:
    """Whoever looked inside that transaction has built a shelf from a price that never was."""
    variant = on_sale()
    with suppress(Undo), transaction.atomic():
        change(shop, variant, price=Decimal("70.00"))
        assert shown(shop, variant).price == Decimal("70.00")
        raise Undo
    assert shown(shop, variant).price == Decimal("60.00")
    with suppress(Undo), transaction.atomic():
        change(shop, variant, price=Decimal("70.00"))
        now(shop)
        raise Undo
    change(shop, variant, price=Decimal("80.00"))
    assert place(shop, variant).total == Decimal("80.00")


def test_a_catalogue_change_that_was_rolled_back_is_not_taken_for_the_next_one(shop: Reseller) -> None:
    variant = on_sale()
    with suppress(Undo), transaction.atomic():
        Variant.objects.filter(pk=variant.pk).update(official_price=Decimal("70.00"))
        Revision.bump()
        now(shop)
        raise Undo
    Variant.objects.filter(pk=variant.pk).update(official_price=Decimal("80.00"))
    Revision.bump()
    assert place(shop, variant).total == Decimal("80.00")


def test_looking_again_asks_the_database_once(shop: Reseller, django_assert_num_queries: Any) -> None:
    on_sale()
    now(shop)
    with django_assert_num_queries(1):
        now(shop)
    with django_assert_num_queries(0):
        shelf(shop)
