"""A shop's goods by program."""

import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import pytest

from catalog.listings.models import Listing, PriceRule
from catalog.models import Product, Revision
from catalog.search import search_text
from resellers.models import Reseller
from resellers.services import shop_touch
from tests.factories import CategoryFactory, ProductFactory, VariantFactory, code_on_sale, on_sale
from tests.program import Program, fields, refusal

pytestmark = pytest.mark.usefixtures("supplier_double")


@pytest.fixture
def program(shop: Reseller) -> Program:
    return Program()


def slugs(reply: object) -> list[str]:
    return [product["slug"] for product in json.loads(reply.content)["results"]]  # type: ignore[attr-defined]


def named(name: str, *aliases: str) -> Any:
    return ProductFactory(name=name, aliases=list(aliases), search_text=search_text(name=name, aliases=aliases))


def test_the_list_says_what_there_is_and_from_which_price(program: Program, shop: Reseller) -> None:
    dear, card = on_sale(), code_on_sale()
    VariantFactory(product=dear.product, official_price=Decimal("30.00"), supply_price=Decimal("28.00"))
    PriceRule.objects.create(kind="fixed", value=Decimal("1.10"), variant=card)
    shop_touch(shop_id=shop.pk)
    assert program.get("products/").json() == {
        "results": [
            {
                "slug": dear.product.slug,
                "name": dear.product.name,
                "category": dear.product.category.slug,
                "kind": "topup",
                "from_price": "60.00",
            },
            {
                "slug": card.product.slug,
                "name": card.product.name,
                "category": card.product.category.slug,
                "kind": "code",
                "from_price": "58.10",
            },
        ],
        "next": None,
    }


def test_a_category_and_a_search_narrow_the_list(program: Program) -> None:
    hok = on_sale(product=named("王者荣耀 点券", "农药"))
    peace = on_sale(product=named("和平精英 点券"))
    assert slugs(program.get("products/?q=农药")) == [hok.product.slug]
    assert slugs(program.get("products/?q=wzry")) == [hok.product.slug]
    assert slugs(program.get("products/?q=点券")) == [hok.product.slug, peace.product.slug]
    assert slugs(program.get(f"products/?q=点券&category={peace.product.category.slug}")) == [peace.product.slug]
    assert slugs(program.get(f"products/?category={hok.product.category.slug}&q=&cursor=")) == [hok.product.slug]
    assert slugs(program.get("products/?category=nothing")) == []
    assert slugs(program.get("products/?q=zzzz")) == []
    assert slugs(program.get("products/?q=%00")) == []
    assert len(slugs(program.get("products/?q=%20&unknown=1"))) == 2


def test_pages_follow_each_other_until_the_end(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("catalog.listings.api.PAGE_SIZE", 2)
    shared = CategoryFactory()
    wanted = [on_sale(product__category=shared).product.slug for _ in range(5)]
    on_sale()
    path, seen, pages = f"products/?category={shared.slug}", [], 0
    while path:
        reply = program.get(path)
        seen += slugs(reply)
        pages += 1
        following = reply.json()["next"]
        if following is None:
            break
        parts = urlsplit(following)
        assert (parts.scheme, parts.netloc, parts.path) == ("http", "one.test", "/api/v1/products/")
        path = f"products/?{parts.query}"
    assert (seen, pages) == (wanted, 3)


def test_a_product_that_goes_between_two_pages_loses_no_other(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("catalog.listings.api.PAGE_SIZE", 2)
    monkeypatch.setattr("kameng.core.remembered.FRESH_SECONDS", 0)
    first, second, third, fourth = [on_sale().product for _ in range(4)]
    following = urlsplit(program.get("products/").json()["next"]).query
    Product.objects.filter(pk=first.pk).update(is_active=False)
    Revision.bump()
    assert slugs(program.get(f"products/?{following}")) == [third.slug, fourth.slug]
    Product.objects.filter(pk=second.pk).update(is_active=False)
    Revision.bump()
    assert set(slugs(program.get(f"products/?{following}"))) <= {third.slug, fourth.slug}


@pytest.mark.parametrize("cursor", ["x", "....", "MTA", "é", "a" * 5000, "LTEuYQ", "OTk5OS54"])
def test_a_cursor_that_is_none_is_malformed_or_the_end(program: Program, cursor: str) -> None:
    on_sale()
    reply = program.get(f"products/?cursor={cursor}")
    if reply.status_code == 200:
        assert reply.json()["next"] is None
    else:
        assert (refusal(reply), fields(reply)) == ((400, "malformed"), ["cursor"])


def test_a_product_shows_its_form_and_its_variants_in_the_shops_words(program: Program, shop: Reseller) -> None:
    form = [
        {
            "name": "server",
            "label": "区服",
            "label_en": "Server",
            "type": "select",
            "required": True,
            "pattern": "",
            "choices": [{"value": "ios", "label": "苹果", "label_en": "iOS"}, {"value": "android", "label": "安卓"}],
            "example": "ios",
            "help": "看这里",
            "help_en": "look here",
        }
    ]
    variant = on_sale(product__account_fields=form, name_en="600 Tokens")
    gone = VariantFactory(product=variant.product, max_quantity=3)
    Listing.objects.create(variant=variant, price=Decimal("58.88"), name="超值 600")
    shop_touch(shop_id=shop.pk)
    shown = program.get(f"products/{variant.product.slug}/").json()
    assert list(shown) == ["slug", "name", "kind", "asks_age", "account_fields", "variants"]
    assert shown["account_fields"] == [
        {
            "name": "server",
            "label": "区服",
            "type": "select",
            "required": True,
            "pattern": "",
            "choices": [{"value": "ios", "label": "苹果"}, {"value": "android", "label": "安卓"}],
            "example": "ios",
        }
    ]
    assert [list(entry.values()) for entry in shown["variants"]] == [
        [variant.sku, "超值 600", "58.88", "60.00", True, 10],
        [gone.sku, "600 点券", "60.00", "60.00", False, 3],
    ]
    english = program.get(f"products/{variant.product.slug}/", accept_language="en").json()
    assert english["account_fields"][0]["label"] == "Server"
    assert [choice["label"] for choice in english["account_fields"][0]["choices"]] == ["iOS", "安卓"]


def test_what_this_shop_does_not_sell_is_not_found(program: Program, shop: Reseller) -> None:
    variant, elsewhere = on_sale(), on_sale()
    Reseller.objects.filter(pk=shop.pk).update(categories=[variant.product.category.slug])
    shop_touch(shop_id=shop.pk)
    assert refusal(program.get(f"products/{elsewhere.product.slug}/")) == (404, "not_found")
    assert refusal(program.get("products/nothing/")) == (404, "not_found")
    assert slugs(program.get("products/")) == [variant.product.slug]


@pytest.mark.parametrize("method", ["post", "put", "delete", "options"])
def test_nobody_changes_goods_here(program: Program, method: str) -> None:
    slug = on_sale().product.slug
    for path in ("products/", f"products/{slug}/"):
        reply = program.send(method, path)
        assert refusal(reply) == (405, "method_not_allowed")
        assert reply.headers["Allow"] == "GET, HEAD"
