"""A shop calls a whole product by a name of its own: everywhere in that shop, once nobody doubts it."""

from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import schema_context

from catalog.listings.models import Placement
from catalog.listings.product_names import product_rename
from catalog.listings.selectors import priced_goods
from catalog.listings.services import products_feature
from catalog.listings.shelf import shelf_now
from catalog.models import Product, Variant
from compliance.gate.models import Case
from compliance.gate.services import case_decide, subject_take_down
from resellers.models import Reseller
from tests.compliance.gate import DOUBTFUL, UNLAWFUL, doubtful_words
from tests.factories import on_sale, place
from tests.staff import owner_of

pytestmark = pytest.mark.usefixtures("supplier_double")


@pytest.fixture
def variant(shop: Reseller) -> Variant:
    """Of a product that the platform calls 星河 点券."""
    doubtful_words()
    found = on_sale()
    Product.objects.filter(pk=found.product_id).update(name="星河 点券", search_text="星河点券\n\n\n\n\n\n")
    return found


def _named(shop: Reseller) -> list[str]:
    with schema_context(shop.schema_name):
        return [product.name for product in shelf_now(shop)[0].products]


def _post(shop: Reseller, variant: Variant, name: str) -> Any:
    return owner_of(shop).post(f"/manage/products/{variant.product_id}/", {"name": name}, follow=True)


def test_it_is_shown_found_and_ordered_by_its_own_name_in_that_shop_alone(
    shop: Reseller, other_shop: Reseller, variant: Variant
) -> None:
    answer = _post(shop, variant, "  银河  充值 ")
    assert "店铺页面一秒内更新" in answer.content.decode()
    slug, at = variant.product.slug, {"host": "one.test"}
    for path in ("/", f"/p/{slug}/", "/search/?q=yinhe", "/search/?q=星河点券", f"/api/v1/products/{slug}/"):
        assert "银河 充值" in Client(headers=at).get(path).content.decode(), path
    assert _named(other_shop) == ["星河 点券"]
    with schema_context(shop.schema_name):
        shelf = shelf_now(shop)[0]
        assert [product.id for product in shelf.find("河")] == [variant.product_id]
        assert place(shop, variant).lines.get().product_name == "银河 充值"
        own = priced_goods(shop)
        assert [one.own_product_name for one in own.find("银河")] == ["银河 充值"]
    assert "店里叫“银河 充值”" in owner_of(shop).get("/manage/goods/").content.decode()
    _post(shop, variant, "")
    assert _named(shop) == ["星河 点券"]
    with schema_context(shop.schema_name):
        assert not Placement.objects.exists()


def test_a_doubtful_name_waits_and_the_platforms_is_shown_meanwhile(shop: Reseller, variant: Variant) -> None:
    answer = _post(shop, variant, DOUBTFUL).content.decode()
    assert ("通过之前店里显示主站的名称" in answer, "“星彩渠道”" in answer) == (True, True)
    case = Case.objects.get()
    assert (case.subject_kind, case.state, _named(shop)) == ("placement", "open", ["星河 点券"])
    case_decide(case_id=case.pk, digest=case.digest, to="approved", actor="staff:li", reasons=["authorized"])
    assert _named(shop) == [DOUBTFUL]
    subject_take_down(subject=case.subject, actor="staff:li", statement="不行")
    assert _named(shop) == ["星河 点券"]
    page = owner_of(shop).get("/manage/cases/").content.decode()
    assert f"/manage/products/{variant.product_id}/" in page
    # What was taken down stays so, whatever else the owner does with the product.
    with schema_context(shop.schema_name):
        products_feature(shop_id=shop.pk, product_ids=[variant.product_id], is_featured=True)
        products_feature(shop_id=shop.pk, product_ids=[variant.product_id], is_featured=False)
        assert product_rename(shop_id=shop.pk, product_id=variant.product_id, name="") == "taken_down"


def test_a_name_that_may_not_be_is_refused_and_nothing_is_saved(shop: Reseller, variant: Variant) -> None:
    answer = owner_of(shop).post(f"/manage/products/{variant.product_id}/", {"name": UNLAWFUL})
    assert (answer.status_code, "“外挂”" in answer.content.decode()) == (422, True)
    with schema_context(shop.schema_name):
        assert not Placement.objects.exists()
    assert owner_of(shop).get("/manage/products/999999/").status_code == 404
