from decimal import Decimal
from pathlib import Path

import pytest

from catalog import demo
from catalog.pricing import Kind, Price, PriceRule, Rounding, Rules, selling_price
from resellers.demo import HOUSE, QINGHE, SHOPS, YUEYOU, DemoShop

CATALOGUE = demo.load()
SHELVES = [category.slug for category in CATALOGUE.categories]
SKUS = [variant.sku for product in CATALOGUE.products for variant in product.variants]


def prices(shop: DemoShop) -> dict[str, Price]:
    def made(rule):
        return PriceRule(Kind(rule.kind), rule.value, Rounding(rule.rounding))

    rules = Rules(
        shop=next((made(rule) for rule in shop.rules if not rule.category and not rule.sku), None),
        by_category={SHELVES.index(rule.category): made(rule) for rule in shop.rules if rule.category},
        by_variant={SKUS.index(rule.sku): made(rule) for rule in shop.rules if rule.sku},
    )
    return {
        variant.sku: selling_price(
            rules,
            variant=SKUS.index(variant.sku),
            product=product.position,
            category=SHELVES.index(product.category),
            official=variant.official_price,
            supply=variant.supply_price,
        )
        for product in CATALOGUE.products
        if not shop.categories or product.category in shop.categories
        for variant in product.variants
    }


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.slug)
def test_a_demo_shop_earns_on_everything_and_asks_no_more_than_the_official_price(shop):
    sold = prices(shop)
    assert [sku for sku, price in sold.items() if not price.supply < price.amount <= price.official] == []


@pytest.mark.parametrize("shop", SHOPS, ids=lambda shop: shop.slug)
def test_the_shelves_and_rules_of_a_demo_shop_exist(shop):
    assert set(shop.categories) <= set(SHELVES)
    assert {rule.category for rule in shop.rules} - {""} <= set(shop.categories or SHELVES)
    assert {rule.sku for rule in shop.rules} - {""} <= set(prices(shop))
    assert (Path(__file__).parents[2] / "static" / "icons" / "shops" / f"{shop.logo}.svg").is_file()


def test_the_shops_differ_in_focus_colour_and_price():
    house, qinghe, yueyou = (prices(shop) for shop in (HOUSE, QINGHE, YUEYOU))
    assert len({shop.brand_color for shop in SHOPS}) == 3
    assert set(qinghe).isdisjoint(yueyou)
    assert set(qinghe) | set(yueyou) < set(house)
    assert (house["cmcc-credit-50"].amount, qinghe["cmcc-credit-50"].amount) == (Decimal("49.70"), Decimal("49.53"))
    assert (house["hok-600"].amount, yueyou["hok-600"].amount) == (Decimal("58.00"), Decimal("57.36"))
    assert (house["iqiyi-gold-month"].amount, qinghe["iqiyi-gold-month"].amount) == (Decimal("27.60"), Decimal("26.00"))


def test_texts_of_a_demo_shop_fit_the_columns_they_are_stored_in():
    for shop in SHOPS:
        assert len(shop.tagline) <= 80, shop.slug
        assert len(shop.tagline_en) <= 120, shop.slug
        assert len(shop.announcement) <= 200, shop.slug
