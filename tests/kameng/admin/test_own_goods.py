"""An owner's own goods in a browser: writing one, importing codes, and delivering by hand."""

from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django_tenants.utils import schema_context

from catalog.models import Product
from compliance.gate.models import Refusal
from compliance.models import Requirement
from fulfillment.models import SupplierOrder
from fulfillment.suppliers.models import StockCode, StockImport
from resellers.models import Reseller
from tests import remembered
from tests.factories import CategoryFactory, own_good
from tests.flows import delivered_codes, drain, fulfill, paid, states
from tests.staff import owner_of, visitor

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


def typed(shelf: int, **fields: str) -> dict[str, str]:
    """The form of a good with one amount, as a browser sends it."""
    return {
        "name": "听力课兑换码", "category": str(shelf), "summary": "", "notes": "", "how": "stock",
        "hand_minutes": "60", "variants-TOTAL_FORMS": "1", "variants-INITIAL_FORMS": "0",
        "variants-0-name": "季卡", "variants-0-price": "29.90", "accounts-TOTAL_FORMS": "1",
        "accounts-INITIAL_FORMS": "0", "accounts-0-label": "", **fields,
    }  # fmt: skip


@pytest.fixture
def client(shop: Reseller) -> Client:
    return owner_of(shop)


def said(client: Client, address: str, form: dict[str, Any] | None = None) -> tuple[int, str]:
    """Status and text of an answer, after what it leads to."""
    answer = client.get(address) if form is None else client.post(address, form, follow=True)
    return answer.status_code, answer.content.decode()


def test_a_good_is_written_and_on_sale_as_soon_as_it_has_codes(shop: Reseller, client: Client) -> None:
    category = CategoryFactory.create()
    status, shown = said(client, "/manage/own/new/", typed(category.pk))
    assert status == 200
    assert "听力课兑换码：库存" in shown
    product = Product.objects.get(owner=shop)
    assert "没有库存" in said(client, "/manage/own/")[1]
    file = SimpleUploadedFile("codes.csv", "AAAA-1111\r\nBBBB-2222\r\nAAAA-1111\r\n缺货\r\n".encode("gb18030"))
    variant = product.variants.get()
    status, shown = said(client, f"/manage/own/{product.pk}/codes/", {"variant": variant.pk, "codes": "", "file": file})
    assert status == 200
    assert "导入中 0%" in shown
    assert 'http-equiv="refresh"' in shown
    drain()
    batch = StockImport.objects.get()
    shown = said(client, f"/manage/own/imports/{batch.pk}/")[1]
    assert "已完成" in shown
    assert "第 3 行" in shown
    assert "第 4 行" in shown
    assert "AAAA" not in shown
    assert "refresh" not in shown
    assert "在库 2" in said(client, "/manage/own/")[1]
    page = visitor("one.test").get(f"/p/{product.slug}/").content.decode()
    assert "付款后直接出卡密" in page
    # Taken back only by somebody who says so.
    assert "请先勾选" in said(client, f"/manage/own/imports/{batch.pk}/", {})[1]
    assert "撤回没卖出的 2 个" in said(client, f"/manage/own/imports/{batch.pk}/", {"sure": "1"})[1]
    assert not StockCode.objects.exists()


def test_what_the_shop_lacks_for_its_own_goods_is_named_when_they_are_saved_and_in_the_list(
    shop: Reseller, client: Client
) -> None:
    shelf = CategoryFactory.create(slug="papered")
    Requirement.objects.create(category="papered", kind="brand", holder_kind="supplier")
    _status, answer = said(client, "/manage/own/new/", typed(shelf.pk))
    assert "这个类目要有：品牌授权" in answer
    _status, listed = said(client, "/manage/own/")
    assert "缺证照" in listed
    assert "这个类目要有：品牌授权" in listed
    Requirement.objects.all().delete()
    _status, listed = said(client, "/manage/own/")
    assert "缺证照" not in listed


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"codes": " \n"}, "里面没有卡密"),
        ({"codes": "SECRET-1111", "file": b"A1B2-1"}, "只能用一个"),
        ({"codes": "SECRET-1111\n" * 8000}, "请改用文件"),
        ({"codes": "", "file": b"PK\x03\x04"}, "另存为"),
    ],
)
def test_a_list_that_cannot_be_read_is_refused_and_codes_do_not_come_back(
    shop: Reseller, client: Client, given: dict[str, Any], says: str
) -> None:
    variant = own_good(shop)
    if "file" in given:
        given = {**given, "file": SimpleUploadedFile("a.txt", given["file"])}
    address = f"/manage/own/{variant.product_id}/codes/"
    status, shown = said(client, address, {"variant": variant.pk, **given})
    assert (status, says in shown, "SECRET" in shown) == (422, True, False)
    assert not StockImport.objects.exists()


def test_what_may_not_be_sold_is_refused_with_the_rules_words_and_what_is_doubtful_waits(
    shop: Reseller, client: Client
) -> None:
    category = CategoryFactory.create()
    status, shown = said(client, "/manage/own/new/", typed(category.pk, name="王者荣耀透视外挂 自瞄辅助"))
    assert (status, "外挂" in shown) == (422, True)
    assert not Product.objects.filter(owner=shop).exists()
    assert Refusal.objects.get().schema_name == shop.schema_name
    status, shown = said(client, "/manage/own/new/", typed(category.pk, **{"variants-0-official_price": "299"}))
    assert (status, "等平台审核" in shown) == (200, True)
    assert "待审核" in said(client, "/manage/own/")[1]
    assert f"/manage/own/{Product.objects.get(owner=shop).pk}/" in said(client, "/manage/cases/")[1]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"variants-0-price": ""}, "面额和售价要一起填"),
        ({"variants-0-price": "0.01"}, "价格应在"),
        ({"how": "hand_account"}, "至少要问一项"),
        ({"category": "0"}, "有效的选项"),
        ({"how": "hand_account", "accounts-0-label": "区服", "accounts-0-type": "select"}, "至少要有两个不同的选项"),
    ],
)
def test_a_form_that_cannot_be_is_said_so(shop: Reseller, client: Client, fields: dict[str, str], says: str) -> None:
    status, shown = said(client, "/manage/own/new/", typed(CategoryFactory.create().pk, **fields))
    assert (status, says in shown) == (422, True)
    assert not Product.objects.filter(owner=shop).exists()


def test_its_buttons_recommend_it_place_it_and_say_that_a_new_fee_is_known(
    shop: Reseller, client: Client, settings: Any
) -> None:
    variant = own_good(shop)
    for act, shown in (("feature", "取消推荐"), ("unfeature", "推荐到首页"), ("front", "排到最前")):
        assert shown in said(client, "/manage/own/", {"row": variant.product_id, "act": act})[1]
    assert client.post("/manage/own/", {"row": variant.product_id, "act": "none"}).status_code == 404
    settings.OWN_GOODS_FEE_PERCENT = Decimal(3)
    assert "平台服务费变了" in said(client, "/manage/")[1]
    assert "现在每卖 ¥100 收 ¥3.00" in said(client, "/manage/own/")[1]
    assert "现在每卖" not in said(client, "/manage/own/", {"act": "fee_seen"})[1]


def test_it_is_changed_and_taken_off_sale_by_its_owner_alone(
    shop: Reseller, other_shop: Reseller, client: Client
) -> None:
    variant = own_good(shop, by_hand=30)
    address = f"/manage/own/{variant.product_id}/"
    change = typed(
        variant.product.category_id, **{
            "how": "hand_account", "accounts-0-label": "区服", "accounts-0-type": "select",
            "accounts-0-choices": "一区，二区", "variants-0-variant_id": str(variant.pk), "variants-0-price": "25",
        }
    )  # fmt: skip
    assert said(client, address, change)[0] == 200
    variant.refresh_from_db()
    assert (variant.own_price, variant.name) == (Decimal(25), "季卡")
    product = Product.objects.get(pk=variant.product_id)
    assert [choice["label"] for choice in product.account_fields[0]["choices"]] == ["一区", "二区"]
    shown = visitor("one.test").get(f"/p/{product.slug}/").content.decode()
    assert "店主手工交付，1 小时内" in shown
    stranger = owner_of(other_shop)
    assert said(stranger, address)[0] == 404
    assert said(stranger, "/manage/own/", {"row": str(product.pk), "act": "hide"})[0] == 404
    assert visitor("two.test").get(f"/p/{product.slug}/").status_code == 404
    assert "已下架" in said(client, "/manage/own/", {"row": str(product.pk), "act": "hide"})[1]
    remembered.forget()
    assert visitor("one.test").get(f"/p/{product.slug}/").status_code == 404


def test_what_waits_for_the_owner_is_counted_delivered_and_refused(shop: Reseller, client: Client) -> None:
    first, second = [paid(shop, own_good(shop, by_hand=30, kind="code")) for _ in range(2)]
    for order in (first, second):
        fulfill(order)
    assert "2 单等你手工交付" in said(client, "/manage/")[1]
    shown = said(client, "/manage/orders/by-hand/")[1]
    assert shown.index(first.grouped_number) < shown.index(second.grouped_number)
    assert "还剩 29 分" in shown
    with schema_context(shop.schema_name):
        buys = list(SupplierOrder.objects.order_by("pk"))
    wrong = {"buy": buys[0].pk, "act": "deliver", "text": "CODE-1111\nCODE-2222"}
    status, shown = said(client, "/manage/orders/by-hand/", wrong)
    assert (status, "要 1 个卡密，填了 2 个" in shown, "CODE-1111" in shown) == (422, True, False)
    assert "已交付" in said(client, "/manage/orders/by-hand/", {**wrong, "text": "CODE-1111"})[1]
    refusal = {"buy": buys[1].pk, "act": "refuse", "reason": "owner_empty"}
    assert "已退款给买家" in said(client, "/manage/orders/by-hand/", refusal)[1]
    drain()
    with schema_context(shop.schema_name):
        assert (states(first)[0], states(second)[0]) == ("fulfilled", "refunded")
        assert delivered_codes(first) == ["CODE-1111"]
    assert "已经结束了" in said(client, "/manage/orders/by-hand/", {**wrong, "text": "CODE-3333"})[1]
