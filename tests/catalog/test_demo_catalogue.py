import re
import subprocess
import sys
import tomllib
from copy import deepcopy
from decimal import Decimal
from importlib.resources import files

import pytest

from catalog import demo
from catalog.demo import CatalogueError, build
from catalog.search import rank, search_text

CATALOGUE = demo.load()
PRODUCTS = CATALOGUE.products
#: Unlawful goods of this trade, and what only an unlawful seller promises.
UNLAWFUL = re.compile(
    r"外挂|脚本|代练|破解|盗版|共享|合租|租号|成品号|博彩|彩票|赌|比特币|泰达|USDT|翻墙|VPN|加速器|免实名|内部渠道|官方授权"
)


def shared_and_shelves():
    folder = files("catalog.demo")
    shared = tomllib.loads((folder / "catalogue.toml").read_text(encoding="utf-8"))
    row = {
        "slug": "probe",
        "name": "试充",
        "name_en": "Probe",
        "brand": "valve",
        "kind": "topup",
        "icon": "steam",
        "aliases": [],
        "summary": "一句话。",
        "summary_en": "One sentence.",
        "notes": ["一行。"],
        "notes_en": ["One line."],
        "account": ["qq"],
        "variants": [{"sku": "probe-1", "name": "1 点", "name_en": "1 point", "official": "1.00", "supply": "0.95"}],
    }
    shared["popular"]["products"] = []
    shared["brand"] = {"valve": ["维尔福", "Valve"]}
    return shared, {"pc-games": [row]}, row


def test_there_is_enough_of_everything():
    assert len(CATALOGUE.categories) >= 12
    assert len(PRODUCTS) >= 72
    assert sum(len(product.variants) for product in PRODUCTS) >= 340
    assert {product.kind for product in PRODUCTS} == {"topup", "phone", "data", "membership", "code"}
    assert {product.category for product in PRODUCTS} == {category.slug for category in CATALOGUE.categories}


def test_the_most_popular_products_come_first_and_positions_have_no_gaps():
    assert [product.position for product in PRODUCTS] == list(range(len(PRODUCTS)))
    assert PRODUCTS[0].slug == "honor-of-kings"
    assert len({product.category for product in PRODUCTS[:12]}) >= 5


def test_amounts_of_a_product_rise_in_price_within_a_unit():
    for product in PRODUCTS:
        counted = [
            (v.face_value, v.official_price) for v in product.variants if v.unit in {"元", "美元", "港币", "日元"}
        ]
        assert counted == sorted(counted), product.slug


def test_every_amount_of_yuan_costs_its_face_value():
    for product in PRODUCTS:
        for variant in product.variants:
            if variant.unit == "元":
                assert variant.official_price == variant.face_value, variant.sku


@pytest.mark.parametrize("kind", ["topup", "phone", "data", "membership", "code"])
def test_every_product_says_how_it_arrives_and_when_money_comes_back(kind):
    for product in PRODUCTS:
        if product.kind == kind:
            assert "退款" in product.notes, product.slug
            assert "efunded" in product.notes_en, product.slug
            assert len(product.notes.split("\n")) == len(product.notes_en.split("\n")) >= 4, product.slug


def test_nothing_unlawful_or_unproven_is_offered():
    for product in PRODUCTS:
        texts = [product.name, product.summary, product.notes, *(variant.name for variant in product.variants)]
        assert not UNLAWFUL.search("\n".join(texts)), product.slug


def test_english_texts_are_english():
    han = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")
    for product in PRODUCTS:
        texts = [
            product.name_en,
            product.summary_en,
            product.notes_en,
            *(v.name_en + v.note_en for v in product.variants),
        ]
        for field in product.account_fields:
            texts += [field.label_en, field.help_en, *(choice.label_en for choice in field.choices)]
        assert not han.search("\n".join(texts)), product.slug


def test_texts_fit_the_columns_they_are_stored_in():
    columns = [
        (80, [product.name for product in PRODUCTS]),
        (120, [product.name_en for product in PRODUCTS]),
        (40, [alias for product in PRODUCTS for alias in product.aliases]),
        (60, [variant.name for product in PRODUCTS for variant in product.variants]),
        (80, [variant.name_en for product in PRODUCTS for variant in product.variants]),
    ]
    assert [text for width, texts in columns for text in texts if len(text) > width] == []


def test_a_stored_account_field_is_plain_json():
    field = next(p for p in PRODUCTS if p.slug == "honor-of-kings").account_fields[1].as_json()
    assert field["name"] == "server"
    assert field["choices"][0] == {"value": "wx-android", "label": "微信区·安卓", "label_en": "WeChat, Android"}
    assert set(field) == {
        "name",
        "label",
        "label_en",
        "type",
        "required",
        "pattern",
        "choices",
        "example",
        "help",
        "help_en",
    }


@pytest.mark.parametrize(
    ("query", "slug"),
    [
        ("wzry", "honor-of-kings"),
        ("农药", "honor-of-kings"),
        ("吃鸡", "peacekeeper-elite"),
        ("aqy", "iqiyi-gold"),
        ("爱奇艺会员", "iqiyi-gold"),
        ("b站", "bilibili"),
        ("Ｓｔｅａｍ", "steam-us"),
        ("苹果充值", "app-store-cn"),
        ("话费", "china-mobile-credit"),
        ("联通", "china-unicom-credit"),
        ("jdek", "jd-ecard"),
        ("office2024", "office-2024"),
        ("win11", "windows-11"),
        ("月卡 绿钻", "qq-music"),
    ],
)
def test_the_usual_searches_find_the_product_first(query, slug):
    brands = {brand.slug: brand.name for brand in CATALOGUE.brands}
    shelf = [
        (
            product.slug,
            search_text(
                name=product.name,
                name_en=product.name_en,
                aliases=product.aliases,
                context=[brands[product.brand], *(variant.name for variant in product.variants)],
            ),
        )
        for product in PRODUCTS
    ]
    assert rank(query, shelf)[0] == slug


def test_loading_needs_no_django():
    program = "import sys; from catalog.demo import load; load(); assert 'django' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True).stderr == ""


def test_the_probe_is_right_so_that_each_fault_below_is_the_only_one():
    shared, shelves, _ = shared_and_shelves()
    product = build(shared, shelves).products[0]
    assert (product.slug, product.category, product.variants[0].supply_price) == ("probe", "pc-games", Decimal("0.95"))


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"kind": "loan"}, "'loan' is missing or unknown"),
        ({"kind": "code"}, "sells codes but asks for an account"),
        ({"kind": "phone"}, "must ask for a phone number and nothing else"),
        ({"account": []}, "asks for no account"),
        ({"account": ["fax"]}, "'fax' is missing or unknown"),
        ({"account": ["qq", "qq"]}, "asks for the same account field twice"),
        ({"account": [{"use": "qq", "example": "abc"}]}, "an example outside its pattern"),
        ({"account": [{"use": "qq", "example": "100000000"}]}, "an example that suppliers refuse"),
        ({"account": [{"use": "qq", "pattern": "(a+)+"}]}, "a pattern that browsers may refuse"),
        ({"account": [{"use": "qq", "name": "password"}]}, "field 'password' is not one of"),
        ({"account": [{"use": "server-tencent", "example": "moon"}]}, "an example that is no choice"),
        ({"brand": "nobody"}, "has the unknown brand 'nobody'"),
        ({"slug": "Probe"}, "'Probe' is not a slug"),
        ({"summary_en": ""}, "probe lacks a text"),
        ({"notes_en": []}, "notes that differ between languages"),
        ({"variants": []}, "probe has no variants"),
    ],
)
def test_a_faulty_product_is_refused_by_name(fault, complaint):
    shared, shelves, row = shared_and_shelves()
    row.update(fault)
    with pytest.raises(CatalogueError, match=re.escape(complaint)):
        build(shared, shelves)


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"supply": "1.01"}, "supplied at 1.010 of the official price"),
        ({"supply": "0.74"}, "supplied at 0.740 of the official price"),
        ({"supply": "9,5"}, "not an amount: '9,5'"),
        ({"official": "0.00"}, "has no official price"),
        ({"sku": "probe_1"}, "'probe_1' is not a slug"),
        ({"sku": "p" * 41}, "longer than 40 characters"),
        ({"max_quantity": 2}, "tops up more than once"),
        ({"max_quantity": 0}, "a limit outside 1 to 100"),
        ({"note": "最常买"}, "a note in one language only"),
        ({"face": "5"}, "a face value or a unit, but not both"),
    ],
)
def test_a_faulty_variant_is_refused_by_name(fault, complaint):
    shared, shelves, row = shared_and_shelves()
    row["variants"][0].update(fault)
    with pytest.raises(CatalogueError, match=re.escape(complaint)):
        build(shared, shelves)


def test_two_products_may_not_share_a_slug_or_a_sku():
    shared, shelves, row = shared_and_shelves()
    shelves["video"] = [deepcopy(row)]
    with pytest.raises(CatalogueError, match="product given twice: probe"):
        build(shared, shelves)
    shelves["video"][0]["slug"] = "other"
    with pytest.raises(CatalogueError, match="sku given twice: probe-1"):
        build(shared, shelves)


def test_a_popular_product_must_exist():
    shared, shelves, _ = shared_and_shelves()
    shared["popular"]["products"] = ["ghost"]
    with pytest.raises(CatalogueError, match="popular products that do not exist: ghost"):
        build(shared, shelves)
