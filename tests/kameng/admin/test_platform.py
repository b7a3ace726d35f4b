"""Shops, catalogue, suppliers, stock and accounts, as operators change them: by services, with secrets never shown."""

import json
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_tenants.utils import schema_context, schema_exists
from pytest_django import DjangoAssertNumQueries

from catalog.models import Product, Revision, Variant
from fulfillment.suppliers.models import StockCode, Supplier, SupplierOffer
from fulfillment.suppliers.stock_room import code_open
from kameng.accounts.models import User
from payments.merchants.models import GatewayAccount
from resellers.models import Domain, Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import (
    CategoryFactory,
    GatewayAccountFactory,
    OfferFactory,
    ProductFactory,
    SupplierFactory,
    VariantFactory,
    on_sale,
    stocked,
)
from tests.staff import operator, owner_of, visitor

FIELD = {
    "name": "uid", "type": "text", "required": True, "label": "角色编号", "label_en": "ID", "pattern": "[0-9]{6,12}",
    "example": "482019375",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _in_public(db: None) -> None:
    connection.set_schema_to_public()  # type: ignore[attr-defined]


def _revision() -> int:
    return Revision.objects.values_list("number", flat=True).get()


# --- shops ------------------------------------------------------------------------------------------------------------

SHOP = {"slug": "star", "name": "星光卡盟", "host": "Star.Test.", "owner": "boss", "owner_password": "correct-horse-7"}


def test_a_shop_is_opened_with_its_owner_and_sells_at_once(db: None) -> None:
    variant = on_sale()
    answer = operator().post("/admin/resellers/reseller/add/", SHOP)
    assert answer.status_code == 302, answer.content.decode()
    shop = Reseller.objects.get(slug="star")
    assert (shop.schema_name, [domain.domain for domain in shop.domains.all()]) == ("shop_star", ["star.test"])
    client = visitor("star.test")
    assert variant.product.name in client.get("/").content.decode()
    signed_in = client.post("/manage/login/?next=/manage/", {"username": "boss", "password": "correct-horse-7"})
    assert signed_in["Location"] == "/manage/"
    assert client.get("/manage/").status_code == 200


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"slug": "Star"}, "代号只能用小写字母"),
        ({"slug": "1star"}, "代号只能用小写字母"),
        ({"slug": "one"}, "已存在"),
        ({"host": "one.test"}, "已经属于别的店铺"),
        ({"host": "not a host"}, "不是一个域名"),
        ({"host": ""}, "开新店要填这一项"),
        ({"owner_password": ""}, "开新店要填这一项"),
        ({"owner_password": "short"}, "8"),
        ({"name": ""}, "必填项"),
    ],
)
def test_a_shop_that_cannot_be_opened_leaves_nothing_behind(typed: dict[str, str], said: str) -> None:
    before = (Reseller.objects.count(), Domain.objects.count())
    answer = operator().post("/admin/resellers/reseller/add/", {**SHOP, **typed})
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert (Reseller.objects.count(), Domain.objects.count()) == before
    assert not schema_exists("shop_star")
    assert "correct-horse-7" not in answer.content.decode()


def _shop_form(shop: Reseller, **changes: str) -> dict[str, str]:
    domains = list(shop.domains.order_by("pk"))
    form = {
        "name": shop.name, "is_open": "on", "owner": "owner", "owner_password": "",
        "domains-TOTAL_FORMS": str(len(domains)), "domains-INITIAL_FORMS": str(len(domains)),
    }  # fmt: skip
    for place, domain in enumerate(domains):
        form |= {f"domains-{place}-id": str(domain.pk), f"domains-{place}-tenant": str(shop.pk)}
        form |= {f"domains-{place}-domain": domain.domain}
        if domain.is_primary:
            form[f"domains-{place}-is_primary"] = "on"
    return {**form, **changes}


def test_a_shop_is_closed_renamed_and_given_hosts(db: None) -> None:
    shop = Reseller.objects.get(slug="one")
    client = operator()
    address = f"/admin/resellers/reseller/{shop.pk}/change/"
    form = _shop_form(shop, name="新名字", **{"domains-TOTAL_FORMS": "2", "domains-1-tenant": str(shop.pk)})
    form |= {"domains-1-id": "", "domains-1-domain": "Second.TEST", "domains-1-is_primary": "on"}
    del form["is_open"]
    assert client.post(address, form).status_code == 302
    shop.refresh_from_db()
    assert (shop.name, shop.is_open) == ("新名字", False)
    assert set(shop.domains.values_list("domain", "is_primary")) == {("one.test", False), ("second.test", True)}
    form = _shop_form(shop, **{"domains-1-DELETE": "on"})
    assert client.post(address, form).status_code == 302
    assert list(shop.domains.values_list("domain", "is_primary")) == [("one.test", True)]


def test_the_last_host_and_anothers_host_stay_where_they_are(db: None) -> None:
    shop = Reseller.objects.get(slug="one")
    client = operator()
    address = f"/admin/resellers/reseller/{shop.pk}/change/"
    assert "最后一个域名" in client.post(address, _shop_form(shop, **{"domains-0-DELETE": "on"})).content.decode()
    form = _shop_form(shop, **{"domains-TOTAL_FORMS": "2", "domains-1-tenant": str(shop.pk), "domains-1-id": ""})
    assert client.post(address, {**form, "domains-1-domain": "TWO.test"}).status_code == 200
    assert list(shop.domains.values_list("domain", flat=True)) == ["one.test"]
    assert Domain.objects.get(domain="two.test").tenant.slug == "two"


def test_an_owners_password_is_reset_without_being_shown(db: None) -> None:
    shop = Reseller.objects.get(slug="one")
    answer = operator().post(
        f"/admin/resellers/reseller/{shop.pk}/change/", _shop_form(shop, owner_password="another-horse-8"), follow=True
    )
    assert "another-horse-8" not in answer.content.decode()
    with schema_context(shop.schema_name):
        assert User.objects.get(username="owner").check_password("another-horse-8")
    assert not User.objects.filter(username="owner").exists()


def test_the_operations_host_is_no_shop(db: None) -> None:
    public = Reseller.objects.get(schema_name="public")
    client = operator()
    assert client.get(f"/admin/resellers/reseller/{public.pk}/change/").status_code == 302
    assert "operations" not in client.get("/admin/resellers/reseller/").content.decode().partition("result_list")[2]


# --- catalogue --------------------------------------------------------------------------------------------------------


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


def _rows(prefix: str, rows: list[dict[str, Any]]) -> dict[str, str]:
    """A list that is edited in place, as its form sends it."""
    form = {f"{prefix}-TOTAL_FORMS": str(len(rows)), f"{prefix}-INITIAL_FORMS": str(len(rows)), "_save": "1"}
    for place, row in enumerate(rows):
        form |= {f"{prefix}-{place}-{name}": str(value) for name, value in row.items() if value is not False}
    return form


def test_prices_in_the_list_are_saved_row_by_row_and_a_bad_one_saves_none(db: None) -> None:
    first, second = VariantFactory(max_quantity=1), VariantFactory(max_quantity=1)
    client = operator()
    rows = [
        {"id": first.pk, "official_price": "61.00", "supply_price": "58.00", "is_active": "on"},
        {"id": second.pk, "official_price": "60.00", "supply_price": "57.00", "is_active": False},
    ]
    assert client.post("/admin/catalog/variant/", _rows("form", rows)).status_code == 302
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.official_price, first.supply_price, second.is_active) == (Decimal("61.00"), Decimal("58.00"), False)
    rows[0]["supply_price"], rows[1]["supply_price"] = "59.00", "-1"
    answer = client.post("/admin/catalog/variant/", _rows("form", rows))
    assert "价格要大于 0" in answer.content.decode()
    first.refresh_from_db()
    assert first.supply_price == Decimal("58.00")


# --- suppliers and offers ---------------------------------------------------------------------------------------------

#: As long as the protocol wants them.
SECRETS = json.dumps({"app_key": "key-1", "app_secret": "very-secret-1".ljust(32, "x")})
NEWER = "newer-2".ljust(32, "x")


def test_a_supplier_is_added_and_its_secrets_are_never_seen_again(db: None) -> None:
    client = operator()
    form = {
        "code": "river",
        "adapter": "fulu",
        "name": "清河",
        "base_url": "https://river.example/api",
        "config": SECRETS,
    }
    answer = client.post("/admin/suppliers/supplier/add/", form, follow=True)
    assert "very-secret-1" not in answer.content.decode()
    supplier = Supplier.objects.get(code="river")
    assert supplier.config == json.loads(SECRETS)
    assert "very-secret-1" not in supplier.sealed_config
    address = f"/admin/suppliers/supplier/{supplier.pk}/change/"
    shown = client.get(address).content.decode()
    assert "app_key、app_secret" in shown
    assert "key-1" not in shown
    client.post(address, {"name": "清河二", "base_url": supplier.base_url, "config": json.dumps({"app_secret": NEWER})})
    supplier.refresh_from_db()
    assert (supplier.name, supplier.config) == ("清河二", {"app_key": "key-1", "app_secret": NEWER})
    client.post(address, {"name": "清河三", "base_url": supplier.base_url, "config": ""})
    supplier.refresh_from_db()
    assert supplier.config == {"app_key": "key-1", "app_secret": NEWER}
    assert not LogEntry.objects.filter(change_message__contains="newer").exists()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("", "配置不完整"),
        ('{"app_key": "key-1"}', "配置不完整"),
        ('{"app_key": "key-1", "app_secret": "very-secret-1"}', "配置不完整"),
        ("app_key=key-1", "JSON 对象"),
        ('["very-secret-1"]', "JSON 对象"),
        ('{"app_key": 7, "app_secret": "very-secret-1"}', "JSON 对象"),
    ],
)
def test_bad_secrets_are_refused_and_not_sent_back(config: str, said: str) -> None:
    form = {"code": "river", "adapter": "fulu", "name": "清河", "base_url": "https://river.example", "config": config}
    answer = operator().post("/admin/suppliers/supplier/add/", form)
    shown = answer.content.decode()
    assert answer.status_code == 200
    assert said in shown
    assert "very-secret-1" not in shown
    assert "key-1" not in shown
    assert not Supplier.objects.exists()


def test_a_code_that_is_taken_overwrites_nobody(supplier_double: type[ScriptedSupplier]) -> None:
    known = SupplierFactory(code="river", name="旧的")
    form = {"code": "river", "adapter": "fulu", "name": "新的", "base_url": "https://x.example", "config": SECRETS}
    assert "已存在" in operator().post("/admin/suppliers/supplier/add/", form).content.decode()
    known.refresh_from_db()
    assert (known.name, known.adapter) == ("旧的", "scripted")


def _step(client: Client, supplier: Supplier, step: str) -> int:
    url = reverse("operations:supplier_step", urlconf="kameng.urls_operations", args=[supplier.pk, step])
    return client.post(url).status_code


def test_a_paused_supplier_sells_nothing_until_it_is_resumed(supplier_double: type[ScriptedSupplier]) -> None:
    variant = on_sale(suppliers=("first",))
    supplier = Supplier.objects.get()
    client = operator()

    def is_available() -> bool:
        return Variant.objects.values_list("is_available", flat=True).get(pk=variant.pk)

    assert is_available()
    assert _step(client, supplier, "pause") == 302
    assert not is_available()
    assert _step(client, supplier, "resume") == 302
    assert is_available()
    Supplier.objects.update(eliminated_at=timezone.now(), eliminated_reason="no_balance")
    assert "no_balance" in client.get("/admin/suppliers/supplier/").content.decode()
    assert _step(client, supplier, "restore") == 302
    supplier.refresh_from_db()
    assert (supplier.eliminated_at, supplier.eliminated_reason, is_available()) == (None, "", True)
    assert [entry.change_message for entry in LogEntry.objects.order_by("pk")] == ["暂停", "启用", "恢复"]


@pytest.mark.parametrize(("pk", "step"), [(0, "pause"), (None, "delete"), (None, "save")])
def test_a_step_that_does_not_exist_is_not_there(
    supplier_double: type[ScriptedSupplier], pk: int | None, step: str
) -> None:
    supplier = SupplierFactory()
    client = operator()
    assert client.post(f"/admin/suppliers/{supplier.pk if pk is None else pk}/{step}/").status_code == 404
    assert client.get(f"/admin/suppliers/{supplier.pk}/pause/").status_code == 405
    supplier.refresh_from_db()
    assert supplier.is_active


def test_ranks_and_costs_in_the_list_decide_who_is_asked_and_what_it_costs(
    supplier_double: type[ScriptedSupplier],
) -> None:
    variant = on_sale()
    first, second = SupplierOffer.objects.order_by("rank")
    rows = [
        {"id": first.pk, "cost": "55.0000", "rank": "2", "is_active": "on"},
        {"id": second.pk, "cost": "54.5000", "rank": "1", "is_active": "on"},
    ]
    before = _revision()
    assert operator().post("/admin/suppliers/supplieroffer/", _rows("form", rows)).status_code == 302
    variant.refresh_from_db()
    assert variant.cost == Decimal("54.5000")
    assert [offer.supplier.code for offer in SupplierOffer.objects.order_by("rank")] == ["second", "first"]
    assert _revision() > before


@pytest.mark.parametrize(
    ("typed", "said"),
    [({"cost": "0"}, "成本要大于 0"), ({"rank": "0"}, "名次从 1 开始"), ({"rank": "-1"}, "大于或等于")],
)
def test_an_offer_out_of_bounds_is_refused_in_its_row(
    supplier_double: type[ScriptedSupplier], typed: dict[str, str], said: str
) -> None:
    on_sale()
    first, second = SupplierOffer.objects.order_by("rank")
    rows = [
        {"id": first.pk, "cost": "50.0000", "rank": "1", "is_active": "on"},
        {"id": second.pk, "cost": "55.0000", "rank": "2", "is_active": "on", **typed},
    ]
    shown = operator().post("/admin/suppliers/supplieroffer/", _rows("form", rows)).content.decode()
    assert shown.count(said) == 1
    first.refresh_from_db()
    assert first.cost == Decimal("55.0000")


def test_a_variant_is_chosen_by_typing_its_name(supplier_double: type[ScriptedSupplier]) -> None:
    variant = on_sale(sku="hok-600")
    found = operator().get(
        "/admin/autocomplete/",
        {"term": "hok", "app_label": "suppliers", "model_name": "supplieroffer", "field_name": "variant"},
    )
    assert [row["id"] for row in found.json()["results"]] == [str(variant.pk)]


# --- stock ------------------------------------------------------------------------------------------------------------


def _own_code_variant() -> tuple[Variant, Supplier]:
    variant = stocked(["OLD1-OLD1"])
    return variant, Supplier.objects.get(code="own")


def test_codes_are_loaded_by_paste_and_file_once_each_and_never_shown(db: None) -> None:
    variant, own = _own_code_variant()
    client = operator()
    file = SimpleUploadedFile("codes.txt", "\ufeffFILE-1111\r\nNEWC-1111\r\n\r\n".encode())
    form = {"variant": variant.pk, "supplier": own.pk, "codes": "NEWC-1111\n OLD1-OLD1 \n\nNEWC-2222", "file": file}
    shown = client.post("/admin/stock/", form, follow=True).content.decode()
    assert "入库 3 个，2 个以前见过，已跳过" in shown
    assert {code_open(code) for code in StockCode.objects.all()} == {"OLD1-OLD1", "NEWC-1111", "NEWC-2222", "FILE-1111"}
    for address in ("/admin/stock/", "/admin/suppliers/stockcode/", "/admin/admin/logentry/"):
        page = client.get(address).content.decode()
        assert "NEWC" not in page
        assert "FILE-1" not in page
    assert LogEntry.objects.get().change_message == "入库卡密 3 个，跳过 2 个"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"codes": ""}, "还没有粘贴卡密"),
        ({"codes": "NEWC-1111\n" + "x" * 401}, "有一行太长"),
        ({"codes": "NEWC-1111", "variant": "0"}, "有效的选项"),
        ({"codes": "NEWC-1111", "supplier": "0"}, "有效的选项"),
        ({"codes": "", "file": SimpleUploadedFile("codes.txt", b"\xff\xfe\x00N")}, "存成 UTF-8"),
    ],
)
def test_codes_that_cannot_be_loaded_do_not_come_back_into_the_page(typed: dict[str, Any], said: str) -> None:
    variant, own = _own_code_variant()
    answer = operator().post("/admin/stock/", {"variant": variant.pk, "supplier": own.pk, **typed})
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert "NEWC" not in answer.content.decode()
    assert StockCode.objects.count() == 1


def test_only_code_variants_and_our_own_shelf_can_be_stocked(supplier_double: type[ScriptedSupplier]) -> None:
    variant, own = _own_code_variant()
    topup, other = VariantFactory(), SupplierFactory()
    client = operator()
    for wrong in ({"variant": topup.pk, "supplier": own.pk}, {"variant": variant.pk, "supplier": other.pk}):
        assert client.post("/admin/stock/", {**wrong, "codes": "NEWC-1111"}).status_code == 422
    assert StockCode.objects.count() == 1


# --- merchant accounts ------------------------------------------------------------------------------------------------


def test_an_account_keeps_its_keys_to_itself(gateway_double: type[ScriptedGateway]) -> None:
    account = GatewayAccountFactory(code="main", config={"app_id": "2021000", "app_private_key": "very-secret-1"})
    client = operator()
    address = f"/admin/merchants/gatewayaccount/{account.pk}/change/"
    shown = client.get(address).content.decode()
    assert "app_id、app_private_key" in shown
    for secret in ("2021000", "very-secret-1"):
        assert secret not in shown
    form = {"name": "主账户", "schema_name": "shop_one", "position": "3", "config": '{"app_private_key": "newer-2"}'}
    answer = client.post(address, form, follow=True)
    assert "newer-2" not in answer.content.decode()
    account.refresh_from_db()
    assert account.config == {"app_id": "2021000", "app_private_key": "newer-2"}
    assert (account.name, account.schema_name, account.position, account.is_active) == ("主账户", "shop_one", 3, False)


def test_keys_that_a_gateway_cannot_read_are_refused_without_being_quoted(db: None) -> None:
    form = {
        "code": "main", "gateway": "alipay", "name": "支付宝", "schema_name": "", "position": "0", "is_active": "on",
        "config": json.dumps({"app_id": "1", "seller_id": "2", "app_private_key": "very-secret-1",
                              "alipay_public_key": "nonsense", "base_url": "https://openapi.alipay.com/gateway.do"}),
    }  # fmt: skip
    answer = operator().post("/admin/merchants/gatewayaccount/add/", form)
    assert "配置不完整或读不懂" in answer.content.decode()
    assert "very-secret-1" not in answer.content.decode()
    assert not GatewayAccount.objects.exists()


# --- everything -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["catalog/product", "catalog/variant", "suppliers/supplieroffer", "suppliers/stockcode", "resellers/reseller"],
)
def test_fifty_rows_take_few_queries(
    address: str, supplier_double: type[ScriptedSupplier], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    supplier = SupplierFactory()
    for place in range(55):
        OfferFactory(supplier=supplier, variant=VariantFactory(sku=f"v-{place}"))
    stocked([f"CODE-{place:04d}" for place in range(60)])
    client = operator()
    with django_assert_max_num_queries(12):
        shown = client.get(f"/admin/{address}/").content.decode()
    assert shown.count("data-row") == (3 if address == "resellers/reseller" else 50)


def test_what_is_added_and_changed_is_written_down_with_who_did_it(db: None) -> None:
    client = operator()
    client.post("/admin/catalog/brand/add/", {"slug": "acme", "name": "艾克", "name_en": "Acme"})
    entry = LogEntry.objects.get()
    assert (entry.user.get_username(), str(entry.object_repr), entry.is_addition()) == ("operator", "艾克", True)
    assert entry.content_type is not None
    assert entry.content_type.model == "brand"
    assert "艾克" in client.get("/admin/admin/logentry/").content.decode()


def test_a_shops_log_is_its_own(db: None) -> None:
    shop = Reseller.objects.get(slug="one")
    operator().post("/admin/catalog/brand/add/", {"slug": "acme", "name": "艾克", "name_en": "Acme"})
    assert "艾克" not in owner_of(shop).get("/manage/admin/logentry/").content.decode()


def test_staff_are_added_changed_and_shut_out_but_not_by_themselves(db: None) -> None:
    client = operator()
    form = {"username": "zhang", "first_name": "张三", "email": "z@x.example", "new_password": "correct-horse-7"}
    assert client.post("/admin/accounts/user/add/", form).status_code == 302
    zhang = User.objects.get(username="zhang")
    assert (zhang.is_staff, zhang.is_superuser, zhang.check_password("correct-horse-7")) == (True, False, True)
    address = f"/admin/accounts/user/{zhang.pk}/change/"
    client.post(address, {"first_name": "张三", "email": "", "new_password": ""})
    zhang.refresh_from_db()
    assert (zhang.is_active, zhang.check_password("correct-horse-7")) == (False, True)
    me = User.objects.get(username="operator")
    answer = client.post(f"/admin/accounts/user/{me.pk}/change/", {"first_name": "", "email": "", "new_password": ""})
    assert "不能停用自己的账号" in answer.content.decode()
    me.refresh_from_db()
    assert me.is_active


@pytest.mark.parametrize("password", ["", "short1", "12345678", "password"])
def test_a_weak_password_lets_nobody_in(password: str) -> None:
    answer = operator().post("/admin/accounts/user/add/", {"username": "zhang", "new_password": password})
    assert answer.status_code == 200
    assert not User.objects.filter(username="zhang").exists()
