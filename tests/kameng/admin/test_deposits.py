"""A deposit as its owner meets it, and as operators do."""

from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django_tenants.utils import schema_context

from payments.exceptions import MethodUnavailable
from payments.merchants.models import GatewayAccount
from resellers.deposits.models import TopUp
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import GatewayAccountFactory, on_sale, open_payment, place
from tests.flows import TOPPED_UP, fulfill, paid
from tests.own_collection import fund, own_till, purse
from tests.resellers.withdrawals.test_services import earn
from tests.staff import code_of, operator, owner_of, with_second_factor

OWNERS, DESK = "/manage/deposit/", "/admin/deposits/"
NOTHING = Decimal(0)


def desk_of(username: str) -> tuple[Client, str]:
    """An operator with a second factor, in public; and its key."""
    client = operator(username=username)
    key = with_second_factor("public", username)
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    return client, key


def test_an_owner_moves_money_with_one_code_and_sees_what_is_held(shop: Reseller) -> None:
    earn(shop, Decimal(100))
    owner = owner_of(shop)
    wish = {"act": "put_in", "amount": "80.00", "key": "once"}
    assert owner.post(OWNERS, wish | {"code": "123456"}).status_code == 422
    assert "启用两步验证以后才能转" in owner.get(OWNERS).content.decode()
    key = with_second_factor(shop.schema_name, "owner")
    assert owner.post(OWNERS, wish | {"code": "0"}).status_code == 422
    assert purse(shop) == (NOTHING, NOTHING)
    refused = owner.post(OWNERS, wish | {"amount": "100.01", "code": code_of(key)})
    assert refused.status_code == 422
    assert "最多能转 100.00 元" in refused.content.decode()
    for _ in range(2):
        assert owner.post(OWNERS, wish).status_code == 302
    assert owner.post(OWNERS, {"act": "take_out", "amount": "30.00", "key": "back"}).status_code == 302
    assert owner.post(OWNERS, {"act": "warn", "floor": "12.50"}).status_code == 302
    assert owner.post(OWNERS, {"act": "warn", "floor": "-1"}).status_code == 422
    assert owner.post(OWNERS, {"act": "steal"}).status_code == 404
    assert purse(shop) == (Decimal(50), NOTHING)
    page = owner.get(OWNERS).content.decode()
    assert "¥50.00" in page
    assert "现在低于 ¥12.50 时" in page
    with schema_context(shop.schema_name):
        assert LogEntry.objects.filter(change_message__contains="保证金").count() == 4


def test_a_transfer_takes_two_operators(shop: Reseller) -> None:
    (first, first_key), (second, second_key) = desk_of("first"), desk_of("second")
    told = {"act": "record", "shop": str(shop.pk), "amount": "100.00", "reference": "BANK 0001"}
    assert first.post(DESK, told | {"code": "1"}).status_code == 422
    assert not TopUp.objects.exists()
    assert first.post(DESK, told | {"code": code_of(first_key)}).status_code == 302
    seen = TopUp.objects.get()
    word = {"act": "confirm", "top_up": str(seen.pk)}
    assert "等另一位运营复核" in first.get(DESK).content.decode()
    first.post(DESK, word)
    assert purse(shop) == (NOTHING, NOTHING)
    second.post(DESK, word)
    assert purse(shop) == (NOTHING, NOTHING)
    for _ in range(2):
        assert second.post(DESK, word | {"code": code_of(second_key)}).status_code == 302
    assert purse(shop) == (Decimal(100), NOTHING)
    seen.refresh_from_db()
    assert (seen.recorded_by, seen.closed_by) == ("staff:first", "staff:second")
    first.post(DESK, told | {"reference": "BANK0002"})
    wrong = TopUp.objects.get(reference="BANK0002")
    first.post(DESK, {"act": "reject", "top_up": str(wrong.pk), "reason": ""})
    first.post(DESK, {"act": "reject", "top_up": str(wrong.pk), "reason": "没有收到"})
    wrong.refresh_from_db()
    assert (wrong.status, wrong.reason) == ("rejected", "没有收到")
    for unknown in ({"act": "confirm", "top_up": "x"}, {"act": "confirm", "top_up": "0"}, {"act": "x"}):
        assert first.post(DESK, unknown).status_code == 404
    page = first.get(DESK + "?state=confirmed").content.decode()
    assert "BANK0001" in page
    assert "低于提醒线" in page


@pytest.fixture
def here(shop: Reseller, gateway_double: type[ScriptedGateway], supplier_double: type[ScriptedSupplier]) -> Reseller:
    own_till(shop)
    return shop


def test_the_first_page_warns_of_a_deposit_that_runs_out(here: Reseller) -> None:
    owner = owner_of(here)
    assert "保证金不够了" in owner.get("/manage/").content.decode()
    fund(here, "600")
    page = owner.get("/manage/").content.decode()
    assert "保证金" not in page.split("要留意的")[1]
    assert "保证金不够了" not in page
    variant = on_sale(max_quantity=10)
    with schema_context(here.schema_name):
        open_payment(here, place(here, variant, quantity=10))
    page = owner.get("/manage/").content.decode()
    assert "保证金只剩 ¥30.00" in page
    assert "保证金不够了" not in page
    with schema_context(here.schema_name), pytest.raises(MethodUnavailable):
        open_payment(here, place(here, variant))
    assert "保证金不够了" in owner.get("/manage/").content.decode()
    assert "联系店主充值" in operator().get("/admin/alerts/").content.decode()


def test_the_owners_statements_say_that_the_money_is_theirs_already(here: Reseller) -> None:
    fund(here, "100")
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(here, on_sale())
    fulfill(order)
    owner = owner_of(here)
    page = owner.get(f"/manage/orders/order/{order.pk}/change/").content.decode()
    for word in ("顾客直接付到你的账户", "−¥57.00", "−¥0.36", "¥2.64"):
        assert word in page
    assert "可提现时间" not in page
    page = owner.get("/manage/statement/").content.decode()
    for word in ("已直接收到", "保证金扣 ¥57.00", "保证金（含冻结）", "本月订单的供货价", "充值保证金", "¥43.00"):
        assert word in page
    lines = b"".join(owner.get("/manage/statement/csv/")).decode("utf-8-sig").splitlines()
    row = next(line for line in lines if line.startswith(order.grouped_number))
    assert row.split(",")[4:] == ["60.00", "57.00", "0.36", "0.00", "2.64", "0.00", "", "2.64", "57.00", "0.00"]
    assert lines[-4:] == [
        "保证金（含冻结）,期初,0.00", "保证金（含冻结）,本月订单的供货价,-57.00",
        "保证金（含冻结）,充值保证金,100.00", "保证金（含冻结）,期末,43.00",
    ]  # fmt: skip
    assert "待结算,期末,0.00" in lines
    book = operator().get("/admin/book/").content.decode()
    for word in ("借贷相等", "店主自收账户余额", "¥59.64"):
        assert word in book


def test_an_operator_opens_an_owners_account_and_whose_it_is_stays(here: Reseller) -> None:
    GatewayAccount.objects.all().delete()
    desk, key = desk_of("operator")
    form = {
        "code": "own", "gateway": "scripted", "name": "x", "position": "0", "is_active": "on", "fee_percent": "0",
        "fee_bearer": "owner", "owner_collects": "on", "config": "{}", "second_factor": code_of(key),
    }  # fmt: skip
    address = "/admin/merchants/gatewayaccount/"
    assert "只能给一家分站" in desk.post(f"{address}add/", form).content.decode()
    assert not GatewayAccount.objects.exists()
    assert desk.post(f"{address}add/", form | {"schema_name": here.schema_name}).status_code == 302
    account = GatewayAccount.objects.get()
    assert account.owner_collects
    del form["owner_collects"]
    change = f"{address}{account.pk}/change/"
    assert "不能换给别的店" in desk.post(change, form | {"schema_name": "shop_two"}).content.decode()
    assert desk.post(change, form | {"schema_name": here.schema_name, "name": "y"}).status_code == 302
    account.refresh_from_db()
    assert (account.name, account.owner_collects, account.schema_name) == ("y", True, here.schema_name)


def test_nobody_is_warned_who_collects_nothing(shop: Reseller) -> None:
    """An empty deposit keeps shoppers from an account of the owner's own, and from nothing else."""
    owner, alarm = owner_of(shop), "买家付不到你的账户"
    page = owner.get(OWNERS).content.decode()
    assert alarm not in page
    assert "现在用不上" in page
    GatewayAccountFactory(schema_name=shop.schema_name, owner_collects=True)
    assert alarm in owner.get(OWNERS).content.decode()
