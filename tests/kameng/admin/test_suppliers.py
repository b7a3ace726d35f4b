"""Suppliers, offers, our own codes and merchant accounts: secrets are written and never shown."""

import json
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from catalog.models import Revision, Variant
from fulfillment.suppliers.models import StockCode, Supplier, SupplierOffer
from fulfillment.suppliers.stock_room import code_open
from kameng.alerts.models import Alert
from payments.merchants.models import GatewayAccount
from payments.merchants.services import gateway_account_change, gateway_accounts_change_due
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import (
    GatewayAccountFactory,
    SupplierFactory,
    VariantFactory,
    on_sale,
    stocked,
)
from tests.staff import code_of, operator, rows_form, with_second_factor


@pytest.fixture(autouse=True)
def _in_public(db: None) -> None:
    connection.set_schema_to_public()  # type: ignore[attr-defined]


def _revision() -> int:
    return Revision.objects.values_list("number", flat=True).get()


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


def test_a_table_of_states_is_pasted_as_it_is_and_checked(db: None) -> None:
    config = {"userid": "20817", "apikey": "key-1", "states": {"0": "accepted", "1": "delivered", "2": "lost"}}
    form = {"code": "talk", "adapter": "yrapi", "name": "话费", "base_url": "https://hf.example/yrapi.php"}
    client = operator()
    refused = client.post("/admin/suppliers/supplier/add/", form | {"config": json.dumps(config)})
    assert "states: 2 must be one of" in refused.content.decode()
    assert not Supplier.objects.filter(code="talk").exists()
    config["states"] = {"0": "accepted", "1": "delivered", "2": "failed"}
    assert client.post("/admin/suppliers/supplier/add/", form | {"config": json.dumps(config)}).status_code == 302
    stored = Supplier.objects.get(code="talk").config
    assert json.loads(stored["states"]) == config["states"]


def test_people_need_neither_address_nor_keys(db: None) -> None:
    form = {"code": "people", "adapter": "manual", "name": "人工代办", "base_url": "", "config": ""}
    assert operator().post("/admin/suppliers/supplier/add/", form).status_code == 302
    assert Supplier.objects.get(code="people").config == {}


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
    assert operator().post("/admin/suppliers/supplieroffer/", rows_form("form", rows)).status_code == 302
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
    shown = operator().post("/admin/suppliers/supplieroffer/", rows_form("form", rows)).content.decode()
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


def test_an_account_keeps_its_keys_to_itself(gateway_double: type[ScriptedGateway]) -> None:
    account = GatewayAccountFactory(code="main", config={"app_id": "2021000", "app_private_key": "very-secret-1"})
    client = operator()
    address = f"/admin/merchants/gatewayaccount/{account.pk}/change/"
    shown = client.get(address).content.decode()
    assert "app_id、app_private_key" in shown
    for secret in ("2021000", "very-secret-1"):
        assert secret not in shown
    form = {"name": "主账户", "schema_name": "shop_one", "position": "3", "config": '{"app_private_key": "newer-2"}',
            "fee_percent": "0.38", "fee_bearer": "owner"}  # fmt: skip
    assert "先启用两步验证" in client.post(address, form).content.decode()
    key = with_second_factor("public", "operator")
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    assert "验证码不对" in client.post(address, form | {"second_factor": "123"}).content.decode()
    account.refresh_from_db()
    assert (account.name, account.next_at) == ("main", None)
    answer = client.post(address, form | {"second_factor": code_of(key)}, follow=True)
    assert "newer-2" not in answer.content.decode()
    account.refresh_from_db()
    assert account.config == {"app_id": "2021000", "app_private_key": "very-secret-1"}
    assert account.next_config == {"app_id": "2021000", "app_private_key": "newer-2"}
    assert Alert.objects.get(kind="merchant.keys_changing").closed_at is None
    assert (account.name, account.schema_name, account.position, account.is_active) == ("主账户", "shop_one", 3, False)
    assert (account.fee_percent, account.fee_bearer) == (Decimal("0.380"), "owner")
    for wrong in ("-1", "10", "0.6666", "six"):
        assert client.post(address, {**form, "fee_percent": wrong}).status_code == 200, "drawn again, not saved"
    account.refresh_from_db()
    assert account.fee_percent == Decimal("0.380")


def test_new_keys_count_a_day_later_unless_somebody_takes_them_back(gateway_double: type[ScriptedGateway]) -> None:
    account = GatewayAccountFactory.create(code="main", config={"app_private_key": "old"})
    change = partial(gateway_account_change, account_id=account.pk, actor="staff:operator")
    change(config={"app_private_key": "old"})
    assert not Alert.objects.exists()
    change(config={"app_private_key": "mallory"})
    address = f"/admin/merchants/gatewayaccount/{account.pk}/change/"
    taken_back = {"name": account.name, "schema_name": "", "position": "0", "is_active": "on", "take_back": "on",
                  "fee_percent": "0", "fee_bearer": "platform"}  # fmt: skip
    assert operator().post(address, taken_back).status_code == 302
    with time_machine.travel(timezone.now() + timedelta(days=2)):
        assert gateway_accounts_change_due() == 0
    change(config={"app_private_key": "new"})
    for late, counted, kept in ((timedelta(hours=23), 0, "old"), (timedelta(hours=25), 1, "new")):
        with time_machine.travel(timezone.now() + late):
            assert gateway_accounts_change_due() == counted
        account.refresh_from_db()
        assert account.config == {"app_private_key": kept}
    assert not Alert.objects.filter(closed_at=None).exists()
    assert account.next_sealed == ""


def test_keys_that_a_gateway_cannot_read_are_refused_without_being_quoted(db: None) -> None:
    form = {
        "code": "main", "gateway": "alipay", "name": "支付宝", "schema_name": "", "position": "0", "is_active": "on",
        "fee_percent": "0", "fee_bearer": "platform",
        "config": json.dumps({"app_id": "1", "seller_id": "2", "app_private_key": "very-secret-1",
                              "alipay_public_key": "nonsense", "base_url": "https://openapi.alipay.com/gateway.do"}),
    }  # fmt: skip
    client = operator()
    key = with_second_factor("public", "operator")
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    answer = client.post("/admin/merchants/gatewayaccount/add/", form | {"second_factor": code_of(key)})
    assert "配置不完整或读不懂" in answer.content.decode()
    assert "very-secret-1" not in answer.content.decode()
    assert not GatewayAccount.objects.exists()
