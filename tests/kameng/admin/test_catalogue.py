"""The platform's goods as operators change them: by services, and never so that they cannot be sold."""

import json
from decimal import Decimal

import pytest
from django.db import connection

from catalog.models import Product, Revision, Variant
from tests.compliance.gate import DOUBTFUL, UNLAWFUL, doubtful_words
from tests.factories import (
    CategoryFactory,
    ProductFactory,
    VariantFactory,
)
from tests.staff import operator, rows_form

FIELD = {
    "name": "uid", "type": "text", "required": True, "label": "角色编号", "label_en": "ID", "pattern": "[0-9]{6,12}",
    "example": "482019375",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_public(db: None) -> None:
    connection.set_schema_to_public()  # type: ignore[attr-defined]


def _revision() -> int:
    return Revision.objects.values_list("number", flat=True).get()


def _product_form(product: Product | None = None, /, **changes: str) -> dict[str, str]:
    category = product.category if product else CategoryFactory(slug="games", name="手机游戏")
    form = {
        "slug": "honor", "kind": "topup", "category": str(category.pk), "brand": "", "position": "0", "is_active": "on",
        "name": "王者荣耀", "name_en": "Honor of Kings", "aliases": "农药、王者，hok", "summary": "", "summary_en": "",
        "icon": "", "notes": "", "notes_en": "", "account_fields": json.dumps([FIELD]),
        "variants-TOTAL_FORMS": "1", "variants-INITIAL_FORMS": "0", "variants-0-sku": "hok-60",
        "variants-0-name": "60 点券", "variants-0-official_price": "6.00", "variants-0-supply_price": "5.70",
        "variants-0-max_quantity": "1", "variants-0-position": "0", "variants-0-is_active": "on",
    }  # fmt: skip
    return {**form, **changes}


def test_a_product_is_added_and_found_by_every_name_it_has(db: None) -> None:
    before = _revision()
    answer = operator().post("/admin/catalog/product/add/", _product_form())
    assert answer.status_code == 302, answer.content.decode()
    product = Product.objects.get(slug="honor")
    assert product.aliases == ["农药", "王者", "hok"]
    assert set(product.account_fields[0]) == {*FIELD, "help", "help_en", "choices"}
    for text in ("wangzherongyao", "wzry", "农药", "60点券", "手机游戏"):
        assert text in product.search_text
    variant = product.variants.get()
    assert (variant.sku, variant.supply_price, variant.is_available) == ("hok-60", Decimal("5.70"), False)
    assert _revision() > before


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"account_fields": "{"}, "不是 JSON"),
        ({"account_fields": "[]"}, "至少要问一项"),
        ({"account_fields": json.dumps([{**FIELD, "pattern": "(a+)+$"}])}, "第 1 项"),
        ({"account_fields": json.dumps([{**FIELD, "type": "password"}])}, "type 只能是"),
        ({"account_fields": json.dumps([{**FIELD, "name": "UID!"}])}, "小写字母"),
        ({"account_fields": json.dumps([{**FIELD, "example": "abc"}])}, "example 不符合"),
        ({"account_fields": json.dumps([{**FIELD, "onload": "x"}])}, "没有 onload 这个键"),
        ({"account_fields": json.dumps([FIELD, FIELD])}, "两项同名"),
        ({"kind": "code"}, "账号表单要留空"),
        ({"variants-0-supply_price": "0"}, "价格要大于 0"),
        ({"variants-0-max_quantity": "5"}, "直充一单只能充一次"),
        ({"variants-0-sku": "bad sku"}, "有效"),
        ({"slug": "中文"}, "有效"),
    ],
)
def test_a_product_that_cannot_be_sold_is_refused_and_nothing_is_written(typed: dict[str, str], said: str) -> None:
    form = _product_form(**typed)
    before = _revision()
    answer = operator().post("/admin/catalog/product/add/", form)
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not Product.objects.exists()
    assert not Variant.objects.exists()
    assert _revision() == before


def test_a_used_code_is_not_changed_and_a_denomination_not_removed(db: None) -> None:
    product = ProductFactory(slug="honor")
    variant = VariantFactory(product=product, sku="hok-60", max_quantity=1)
    form = _product_form(product, **{"variants-INITIAL_FORMS": "1", "variants-0-id": str(variant.pk)})
    client = operator()
    address = f"/admin/catalog/product/{product.pk}/change/"
    assert "编码用过就不能改" in client.post(address, {**form, "variants-0-sku": "hok-61"}).content.decode()
    assert client.post(address, {**form, "variants-0-DELETE": "on", "variants-0-name": "六十"}).status_code == 302
    variant.refresh_from_db()
    assert (variant.sku, variant.name) == ("hok-60", "六十")
    assert "六十" in Product.objects.get(pk=product.pk).search_text


def test_a_renamed_category_is_found_by_its_new_name(db: None) -> None:
    product = ProductFactory()
    form = {"name": "掌上游戏", "name_en": "", "icon": "", "position": "0", "is_active": "on"}
    operator().post(f"/admin/catalog/category/{product.category_id}/change/", form)
    product.refresh_from_db()
    assert "zhangshangyouxi" in product.search_text


def test_prices_in_the_list_are_saved_row_by_row_and_a_bad_one_saves_none(db: None) -> None:
    first, second = VariantFactory(max_quantity=1), VariantFactory(max_quantity=1)
    client = operator()
    rows = [
        {"id": first.pk, "official_price": "61.00", "supply_price": "58.00", "is_active": "on"},
        {"id": second.pk, "official_price": "60.00", "supply_price": "57.00", "is_active": False},
    ]
    assert client.post("/admin/catalog/variant/", rows_form("form", rows)).status_code == 302
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.official_price, first.supply_price, second.is_active) == (Decimal("61.00"), Decimal("58.00"), False)
    rows[0]["supply_price"], rows[1]["supply_price"] = "59.00", "-1"
    answer = client.post("/admin/catalog/variant/", rows_form("form", rows))
    assert "价格要大于 0" in answer.content.decode()
    first.refresh_from_db()
    assert first.supply_price == Decimal("58.00")


def test_what_may_not_be_sold_is_refused_in_the_form_and_what_is_doubtful_says_what_to_change() -> None:
    doubtful_words()
    client, form = operator(), _product_form()
    for field, where in (("name", "name"), ("variants-0-name", None)):
        refused = client.post("/admin/catalog/product/add/", {**form, field: UNLAWFUL})
        errors = refused.context["adminform"].form.errors
        said = errors[where][0] if where else refused.context["adminform"].form.non_field_errors()[0]
        assert "“外挂” 属于“游戏外挂与脚本”" in said
    assert not Product.objects.exists()
    saved = client.post("/admin/catalog/product/add/", {**form, "summary": DOUBTFUL}, follow=True)
    told = [str(message) for message in saved.context["messages"]]
    assert any("审核通过前不上架" in sentence for sentence in told)
    assert any("“星彩渠道”" in sentence for sentence in told)
    assert Product.objects.get().standing == "flagged"
