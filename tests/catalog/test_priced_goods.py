"""Every variant of the platform with a shop's own price: what is written, what is refused, and what stays away."""

from decimal import Decimal

import pytest
from django.db import connection

from catalog.listings.exceptions import ListingInvalid, PriceRuleInvalid
from catalog.listings.models import Listing, PriceRule
from catalog.listings.selectors import priced_goods
from catalog.listings.services import listing_reset, listing_save, price_rule_delete, price_rule_save
from catalog.listings.shelf import shelf_now
from catalog.models import Revision, Variant
from catalog.pricing import Because
from catalog.search import search_text
from resellers.models import Reseller
from resellers.services import shop_look_save
from tests.factories import CategoryFactory, ProductFactory, on_sale


def _save(
    shop: Reseller, variant: Variant, *, price: str | None = None, name: str = "", is_visible: bool = True
) -> None:
    wanted = Decimal(price) if price is not None else None
    listing_save(shop_id=shop.pk, variant_id=variant.pk, price=wanted, name=name, is_visible=is_visible)


def _revision(shop: Reseller) -> int:
    return int(Reseller.objects.values_list("revision", flat=True).get(pk=shop.pk))


def test_a_shop_without_a_row_sees_every_variant_and_why_it_costs_that_much(shop: Reseller) -> None:
    on_sale(sku="one")
    on_sale(sku="two")
    goods = priced_goods(shop).variants
    assert [(own.sku, own.price, own.supply, own.because, own.is_overridden) for own in goods] == [
        ("one", Decimal("60.00"), Decimal("57.00"), Because.PLATFORM, False),
        ("two", Decimal("60.00"), Decimal("57.00"), Because.PLATFORM, False),
    ]
    assert (goods[0].margin, goods[0].margin_percent.quantize(Decimal("0.1"))) == (Decimal("3.00"), Decimal("5.3"))
    assert not Listing.objects.exists()


def test_an_own_price_is_sold_at_once_and_resetting_takes_the_row_away(shop: Reseller) -> None:
    variant = on_sale()
    before = _revision(shop)
    _save(shop, variant, price="58.50", name="  六百  点券 ")
    own = priced_goods(shop).variants[0]
    assert (own.price, own.own_price, own.own_name, own.because) == (
        Decimal("58.50"), Decimal("58.50"), "六百 点券", Because.OWN_PRICE,
    )  # fmt: skip
    sold = shelf_now(shop)[0].by_sku[variant.sku][1]
    assert (sold.price, sold.name) == (Decimal("58.50"), "六百 点券")
    listing_reset(shop_id=shop.pk, variant_id=variant.pk)
    assert not Listing.objects.exists()
    assert shelf_now(shop)[0].by_sku[variant.sku][1].price == Decimal("60.00")
    assert _revision(shop) > before


def test_a_row_that_overrides_nothing_is_not_kept(shop: Reseller) -> None:
    variant = on_sale()
    _save(shop, variant)
    assert not Listing.objects.exists()
    _save(shop, variant, is_visible=False)
    assert Listing.objects.count() == 1
    _save(shop, variant)
    assert not Listing.objects.exists()


def test_a_hidden_variant_leaves_the_shelf_but_not_the_owners_list(shop: Reseller) -> None:
    variant = on_sale()
    _save(shop, variant, is_visible=False)
    assert variant.sku not in shelf_now(shop)[0].by_sku
    assert [own.is_visible for own in priced_goods(shop).variants] == [False]


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ("56.99", "不能低于供货价 ¥57.00"),
        ("114.01", "两倍（¥114.00）"),
        ("0", "大于 0"),
        ("-5", "大于 0"),
        ("58.005", "两位小数"),
        ("NaN", "大于 0"),
        ("Infinity", "大于 0"),
    ],
)
def test_a_price_out_of_bounds_is_refused_and_nothing_changes(shop: Reseller, price: str, said: str) -> None:
    variant = on_sale()
    _save(shop, variant, price="58.00")
    before = _revision(shop)
    with pytest.raises(ListingInvalid) as refused:
        _save(shop, variant, price=price)
    assert said in str(refused.value.fields["price"])
    assert Listing.objects.values_list("price", flat=True).get() == Decimal("58.00")
    assert _revision(shop) == before


@pytest.mark.parametrize("price", ["57.00", "114.00"])
def test_the_bounds_themselves_are_allowed(shop: Reseller, price: str) -> None:
    variant = on_sale()
    _save(shop, variant, price=price)
    assert priced_goods(shop).variants[0].price == Decimal(price)


def test_a_live_cost_above_the_supply_price_is_the_floor(shop: Reseller) -> None:
    variant = on_sale()
    Variant.objects.filter(pk=variant.pk).update(cost=Decimal("58.2500"))
    with pytest.raises(ListingInvalid) as refused:
        _save(shop, variant, price="58.00")
    assert str(refused.value.fields["price"]) == "不能低于供货价 ¥58.25"


def test_a_price_that_the_supply_price_has_overtaken_is_lifted_and_shown_as_such(shop: Reseller) -> None:
    variant = on_sale()
    _save(shop, variant, price="57.50")
    variant.supply_price = Decimal("58.00")
    variant.save(update_fields=["supply_price"])
    Revision.bump()
    own = priced_goods(shop).variants[0]
    assert (own.price, own.own_price, own.raised, own.margin) == (
        Decimal("58.00"), Decimal("57.50"), True, Decimal("0.00"),
    )  # fmt: skip


def test_what_the_platform_took_off_sale_is_not_the_owners_to_change(shop: Reseller) -> None:
    variant = on_sale()
    Variant.objects.filter(pk=variant.pk).update(is_active=False)
    with pytest.raises(ListingInvalid):
        _save(shop, variant, price="58.00")
    assert not Listing.objects.exists()


def test_one_shops_prices_are_not_anothers(shop: Reseller, other_shop: Reseller) -> None:
    variant = on_sale()
    _save(shop, variant, price="58.00")
    connection.set_tenant(other_shop)  # type: ignore[attr-defined]
    assert priced_goods(other_shop).variants[0].price == Decimal("60.00")
    assert not Listing.objects.exists()


def test_goods_are_found_by_nickname_pinyin_code_and_own_name(shop: Reseller) -> None:
    product = ProductFactory(name="王者荣耀", search_text=search_text(name="王者荣耀", aliases=["农药"]))
    variant = on_sale(product=product, sku="hok-600")
    on_sale(sku="other-1", product=ProductFactory(name="原神", search_text=search_text(name="原神")))
    _save(shop, variant, name="六百大礼")
    for query in ("wzry", "农药", "王者", "HOK-600", "hok", "大礼"):
        assert [own.sku for own in priced_goods(shop).find(query)] == ["hok-600"], query
    assert priced_goods(shop).find("不存在") == []
    assert priced_goods(shop).find("  ") == []


def test_a_shop_sees_only_the_categories_it_trades_in(shop: Reseller) -> None:
    games, films = CategoryFactory(slug="games"), CategoryFactory(slug="films")
    on_sale(sku="g", product=ProductFactory(category=games))
    on_sale(sku="f", product=ProductFactory(category=films))
    changed = shop_look_save(shop_id=shop.pk, categories=["games"])
    assert [own.sku for own in priced_goods(changed).variants] == ["g"]
    assert [category.slug for category in priced_goods(changed).categories] == ["games"]


def _rule(shop: Reseller, **wishes: object) -> PriceRule:
    values: dict[str, object] = {"kind": "percent", "value": Decimal("5"), "rounding": "none", **wishes}
    return price_rule_save(shop_id=shop.pk, **values)  # type: ignore[arg-type]


def test_the_narrowest_rule_decides_and_is_named(shop: Reseller) -> None:
    variant = on_sale()
    _rule(shop, value=Decimal("2"))
    _rule(shop, value=Decimal("4"), category_id=variant.product.category_id)
    narrow = _rule(shop, kind="fixed", value=Decimal("1.50"), variant_id=variant.pk)
    own = priced_goods(shop).variants[0]
    assert (own.price, own.because) == (Decimal("58.50"), Because.VARIANT)
    price_rule_delete(shop_id=shop.pk, rule_id=narrow.pk)
    own = priced_goods(shop).variants[0]
    assert (own.price, own.because, own.rule and own.rule.value) == (Decimal("59.28"), Because.CATEGORY, Decimal("4"))


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"value": Decimal("100.01")}, "最多 100%"),
        ({"value": Decimal("-0.01")}, "不能小于 0"),
        ({"value": Decimal("1.005")}, "两位小数"),
        ({"value": Decimal("NaN")}, "不能小于 0"),
        ({"kind": "fixed", "value": Decimal("57.01")}, "最低的供货价是 ¥57.00"),
    ],
)
def test_a_markup_out_of_bounds_is_refused_and_nothing_changes(
    shop: Reseller, wishes: dict[str, object], said: str
) -> None:
    on_sale()
    before = _revision(shop)
    with pytest.raises(PriceRuleInvalid) as refused:
        _rule(shop, **wishes)
    assert said in str(refused.value.fields["value"])
    assert not PriceRule.objects.exists()
    assert _revision(shop) == before


@pytest.mark.parametrize("wishes", [{"value": Decimal("0")}, {"value": Decimal("100")}])
def test_no_markup_and_the_double_are_the_bounds(shop: Reseller, wishes: dict[str, object]) -> None:
    on_sale()
    _rule(shop, **wishes)
    assert PriceRule.objects.count() == 1


def test_a_scope_has_one_rule_and_a_rule_one_scope(shop: Reseller) -> None:
    variant = on_sale()
    first = _rule(shop)
    with pytest.raises(PriceRuleInvalid):
        _rule(shop)
    with pytest.raises(PriceRuleInvalid):
        _rule(shop, category_id=variant.product.category_id, variant_id=variant.pk)
    changed = _rule(shop, rule_id=first.pk, value=Decimal("6"))
    assert (changed.pk, PriceRule.objects.count(), PriceRule.objects.get().value) == (first.pk, 1, Decimal("6"))
    price_rule_delete(shop_id=shop.pk, rule_id=first.pk)
    with pytest.raises(PriceRuleInvalid):
        _rule(shop, rule_id=first.pk)
    assert not PriceRule.objects.exists()


@pytest.mark.parametrize("wishes", [{"kind": "free"}, {"rounding": "down"}])
def test_a_kind_or_grid_that_does_not_exist_is_refused(shop: Reseller, wishes: dict[str, object]) -> None:
    on_sale()
    with pytest.raises(PriceRuleInvalid):
        _rule(shop, **wishes)
    assert not PriceRule.objects.exists()
