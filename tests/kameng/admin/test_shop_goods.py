"""Prices in place, markups, the range of goods and the shop's look, as an owner changes them in a browser."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django_tenants.utils import schema_context
from pytest_django import DjangoAssertNumQueries

from catalog.listings.models import Listing, Placement, PriceRule
from catalog.models import Variant
from resellers.models import Reseller
from tests.factories import CategoryFactory, ProductFactory, VariantFactory, on_sale
from tests.staff import owner_of


def _listings(shop: Reseller) -> list[tuple[Decimal | None, str, bool]]:
    with schema_context(shop.schema_name):
        return list(Listing.objects.values_list("price", "name", "is_visible"))


def _save(client: Client, variant: Variant, **typed: str) -> str:
    """Send a row's form as the page does; the row that comes back."""
    answer = client.post(f"/manage/goods/{variant.pk}/", typed, headers={"hx-request": "true"})
    assert answer.status_code in (200, 422)
    return answer.content.decode()


def test_every_variant_is_listed_with_its_price_and_whose_wish_that_is(shop: Reseller) -> None:
    on_sale(product__name="王者荣耀")
    shown = owner_of(shop).get("/manage/goods/").content.decode()
    for text in ("王者荣耀", "600 点券", "¥57.00", "官方 ¥60.00", "¥60.00", "官方价", "¥3.00", "5.3%"):
        assert text in shown
    assert _listings(shop) == []


def test_a_price_in_place_is_saved_and_the_default_restored(shop: Reseller) -> None:
    variant = on_sale()
    client = owner_of(shop)
    row = _save(client, variant, price="58.5", name="", is_visible="on")
    assert "¥58.50" in row
    assert "自定售价" in row
    assert "恢复默认" in row
    assert _listings(shop) == [(Decimal("58.50"), "", True)]
    row = _save(client, variant, price="58.5", name="", is_visible="on", reset="1")
    assert "恢复默认" not in row
    assert _listings(shop) == []
    with schema_context(shop.schema_name):
        assert list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True)) == [
            "售价 ¥58.50，展示",
            "恢复默认，售价 ¥60.00",
        ]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("56.99", "不能低于供货价 ¥57.00"),
        ("abc", "售价要写成"),
        ("-1", "售价要写成"),
        ("1e3", "售价要写成"),
        ("58.005", "售价要写成"),
        ("999999999999", "不能高于供货价的两倍"),
        ("9" * 40, "不能高于供货价的两倍"),
    ],
)
def test_a_bad_price_comes_back_as_it_was_typed_with_the_reason(shop: Reseller, typed: str, said: str) -> None:
    variant = on_sale()
    answer = owner_of(shop).post(
        f"/manage/goods/{variant.pk}/", {"price": typed, "is_visible": "on"}, headers={"hx-request": "true"}
    )
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert said in shown
    assert f'value="{typed[:20]}"' in shown
    assert _listings(shop) == []


def test_full_width_digits_and_a_currency_sign_are_forgiven(shop: Reseller) -> None:
    variant = on_sale()
    _save(owner_of(shop), variant, price=" ￥５８．５ ".replace("￥", "¥"), is_visible="on")
    assert _listings(shop) == [(Decimal("58.50"), "", True)]


def test_without_scripts_the_form_leads_back_to_the_list_with_a_message(shop: Reseller) -> None:
    variant = on_sale()
    client = owner_of(shop)
    back = "http://one.test/manage/goods/?category=games&page=2"
    answer = client.post(f"/manage/goods/{variant.pk}/", {"price": "58", "is_visible": "on"}, headers={"referer": back})
    assert (answer.status_code, answer["Location"]) == (302, back)
    assert "已保存" in client.get("/manage/goods/").content.decode()
    answer = client.post(f"/manage/goods/{variant.pk}/", {"price": "1"}, headers={"referer": "https://evil.test/"})
    assert answer["Location"] == "/manage/goods/"
    assert "不能低于供货价" in client.get("/manage/goods/").content.decode()
    assert _listings(shop) == [(Decimal("58.00"), "", True)]


def test_a_variant_that_is_not_sold_here_has_no_form(shop: Reseller) -> None:
    kept = on_sale(product=ProductFactory(category=CategoryFactory(slug="games")))
    other = on_sale(product=ProductFactory(category=CategoryFactory(slug="films")))
    Reseller.objects.filter(pk=shop.pk).update(categories=["games"])
    client = owner_of(shop)
    assert client.post(f"/manage/goods/{other.pk}/", {"price": "58"}).status_code == 404
    assert client.post("/manage/goods/0/", {"price": "58"}).status_code == 404
    assert client.post(f"/manage/goods/{kept.pk}/", {"price": "58", "is_visible": "on"}).status_code == 302
    assert _listings(shop) == [(Decimal("58.00"), "", True)]


def test_a_name_with_markup_in_it_stays_text(shop: Reseller) -> None:
    variant = on_sale()
    row = _save(owner_of(shop), variant, price="", name="<script>alert(1)</script>", is_visible="on")
    assert "<script>alert" not in row
    assert _listings(shop) == [(None, "<script>alert(1)</script>", True)]


def test_the_states_narrow_the_list(shop: Reseller) -> None:
    plain, hidden, raised = on_sale(sku="plain"), on_sale(sku="hidden"), on_sale(sku="raised")
    Listing.objects.create(variant=hidden, is_visible=False)
    Listing.objects.create(variant=raised, price=Decimal("50.00"))
    empty = VariantFactory(sku="empty")
    client = owner_of(shop)
    for state, skus in {"": 4, "own": 2, "hidden": 1, "raised": 1, "empty": 1}.items():
        shown = client.get("/manage/goods/", {"state": state}).content.decode()
        assert shown.count('<tr id="goods-') == skus, state
    assert empty.sku in client.get("/manage/goods/", {"state": "empty"}).content.decode()
    assert plain.sku in client.get("/manage/goods/", {"q": "plain"}).content.decode()


def test_fifty_variants_take_few_queries(shop: Reseller, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    product = ProductFactory()
    for place in range(55):
        VariantFactory(product=product, sku=f"v-{place}")
    client = owner_of(shop)
    with django_assert_max_num_queries(12):
        shown = client.get("/manage/goods/").content.decode()
    assert shown.count('<tr id="goods-') == 50


def test_what_belongs_to_a_product_is_said_and_done_once_above_its_amounts(shop: Reseller) -> None:
    product = ProductFactory(name="王者荣耀")
    first, second = VariantFactory(product=product, sku="a-1"), VariantFactory(product=product, sku="a-2")
    other = on_sale(product__name="原神")
    client = owner_of(shop)
    shown = client.get("/manage/goods/").content.decode()
    assert shown.count(f'href="/manage/products/{product.pk}/"') == 1
    assert shown.count(f'value="feature:{product.pk}"') == 1
    client.post("/manage/goods/", {"act": f"feature:{product.pk}", "v": str(other.pk)})
    with schema_context(shop.schema_name):
        assert list(Placement.objects.filter(is_featured=True).values_list("product_id", flat=True)) == [product.pk]
        said = LogEntry.objects.values_list("change_message", flat=True).get()
    assert said == "首页推荐：王者荣耀 等 2 个面额"
    assert f'value="unfeature:{product.pk}"' in client.get("/manage/goods/").content.decode()
    answer = client.post("/manage/goods/", {"act": "feature:0", "v": [str(first.pk), str(second.pk)]}, follow=True)
    assert "先勾选要改的面额" in answer.content.decode()


def _rule(client: Client, **typed: str) -> str:
    form = {"category": "", "product": "", "variant": "", "kind": "percent", "value": "5", "rounding": "jiao", **typed}
    return client.post("/manage/listings/pricerule/add/", form, follow=True).content.decode()


def test_a_rule_is_added_changed_and_removed(shop: Reseller) -> None:
    on_sale()
    client = owner_of(shop)
    assert "+5%" in _rule(client)
    with schema_context(shop.schema_name):
        rule = PriceRule.objects.get()
    address = f"/manage/listings/pricerule/{rule.pk}"
    client.post(f"{address}/change/", {"kind": "fixed", "value": "0.50", "rounding": "none"})
    with schema_context(shop.schema_name):
        assert PriceRule.objects.values_list("kind", "value", "rounding").get() == ("fixed", Decimal("0.50"), "none")
    client.post(f"{address}/delete/", {"post": "yes"})
    with schema_context(shop.schema_name):
        assert not PriceRule.objects.exists()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"value": "100.01"}, "加价最多 100%"),
        ({"value": "-1"}, "不能小于 0"),
        ({"kind": "fixed", "value": "57.01"}, "最低的供货价是 ¥57.00"),
        ({"value": "abc"}, "输入一个数字"),
        ({"kind": "gift"}, "选择一个有效的选项"),
    ],
)
def test_a_rule_out_of_bounds_is_refused_where_it_was_typed(shop: Reseller, typed: dict[str, str], said: str) -> None:
    on_sale()
    assert said in _rule(owner_of(shop), **typed)
    with schema_context(shop.schema_name):
        assert not PriceRule.objects.exists()
        assert not LogEntry.objects.exists()


def test_a_second_rule_for_the_same_goods_is_refused_above_the_form(shop: Reseller) -> None:
    on_sale()
    client = owner_of(shop)
    _rule(client)
    assert "这个范围已经有一条规则" in _rule(client, value="6")
    with schema_context(shop.schema_name):
        assert PriceRule.objects.values_list("value", flat=True).get() == Decimal("5.00")


def test_the_range_is_what_is_ticked_and_nothing_ticked_is_everything(shop: Reseller) -> None:
    CategoryFactory(slug="games", name="游戏")
    CategoryFactory(slug="films", name="影视")
    client = owner_of(shop)
    for ticked, stored in ((["games"], ["games"]), (["games", "films"], []), ([], []), (["nothing"], [])):
        client.post("/manage/range/", {"categories": ticked})
        assert Reseller.objects.get(pk=shop.pk).categories == stored


def test_a_shop_with_something_else_wrong_is_told_what_and_trades_in_what_it_did(shop: Reseller) -> None:
    CategoryFactory(slug="games", name="游戏")
    Reseller.objects.filter(pk=shop.pk).update(credit_code="123")
    answer = owner_of(shop).post("/manage/range/", {"categories": ["games"]})
    assert (answer.status_code, "信用代码：" in answer.content.decode()) == (422, True)
    assert Reseller.objects.get(pk=shop.pk).categories == []


LOOK = {
    "name": "星光卡盟", "name_en": "Starlight", "tagline": "", "tagline_en": "", "brand_color": "#FFC53D",
    "radius": "round",
    "support": "help@star.example", "is_open": "on",
}  # fmt: skip


def test_the_look_is_saved_and_the_shop_wears_it(shop: Reseller) -> None:
    on_sale()
    client = owner_of(shop)
    assert client.post("/manage/look/", LOOK)["Location"] == "/manage/look/"
    changed = Reseller.objects.get(pk=shop.pk)
    assert (changed.name, changed.brand_color, changed.radius, changed.is_open) == (
        "星光卡盟",
        "#FFC53D",
        "round",
        True,
    )
    page = client.get("/").content.decode()
    assert "星光卡盟" in page


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"brand_color": "red"}, "颜色应像"),
        ({"brand_color": "#12345"}, "颜色应像"),
        ({"brand_color": "#0B62D6;}</style>"}, "颜色应像"),
        ({"name": ""}, "必填项"),
        ({"name": "长" * 41}, "40"),
        ({"radius": "wild"}, "选择一个有效的选项"),
    ],
)
def test_a_look_that_cannot_be_changes_nothing(shop: Reseller, typed: dict[str, str], said: str) -> None:
    before = Reseller.objects.values().get(pk=shop.pk)
    answer = owner_of(shop).post("/manage/look/", {**LOOK, **typed})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert Reseller.objects.values().get(pk=shop.pk) == before


@pytest.mark.parametrize(
    ("color", "said"),
    [
        ("#0B62D6", "颜色按你选的用"),
        ("#FFC53D", "颜色按你选的用"),
        ("#E8590C", "按钮改用 #C64C0A"),
        ("nothing", "填一个颜色"),
    ],
)
def test_a_colour_is_shown_with_its_contrast_before_it_is_saved(shop: Reseller, color: str, said: str) -> None:
    answer = owner_of(shop).get("/manage/look/swatches/", {"brand_color": color})
    assert said in answer.content.decode()
    assert ("对比度" in answer.content.decode() or "按钮文字" in answer.content.decode()) == (color != "nothing")


def test_one_shops_owner_changes_one_shop(shop: Reseller, other_shop: Reseller) -> None:
    before = Reseller.objects.values().get(pk=other_shop.pk)
    owner_of(shop).post("/manage/look/", LOOK)
    assert Reseller.objects.values().get(pk=other_shop.pk) == before
