"""A merchant account that is new beside others collects a day later: it leads money elsewhere just as other keys do."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from kameng.alerts.models import Alert
from payments.exceptions import MethodUnavailable
from payments.gateways.registry import GATEWAYS
from payments.merchants import services
from payments.merchants.models import GatewayAccount
from payments.merchants.services import (
    COOL_OFF,
    NEW_ACCOUNT,
    accounts_for_shop,
    gateway_account_enable,
    gateway_account_open,
    gateway_account_place,
    gateway_account_save,
    gateway_accounts_change_due,
)
from resellers.models import Reseller
from tests.doubles import ScriptedGateway
from tests.factories import on_sale, open_payment, place
from tests.staff import code_of, operator, owner_of, with_second_factor


@pytest.fixture(autouse=True)
def _two_gateways(gateway_double: type[ScriptedGateway], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(GATEWAYS, "other", ScriptedGateway)


def opened(code: str, schema_name: str = "", **terms: Any) -> GatewayAccount:
    wish = {"gateway": "scripted", "config": {"key": code}, "is_active": True, "actor": "staff:mallory", **terms}
    return gateway_account_open(code=code, schema_name=schema_name, **wish)


def collecting() -> list[str]:
    """Through which accounts the current shop collects."""
    services.forget()
    return [account.code for account in accounts_for_shop()]


def test_the_very_first_collects_at_once_and_whatever_comes_beside_it_a_day_later(shop: Reseller) -> None:
    assert opened("first").counts_from is None
    own = opened("own", shop.schema_name, owner_collects=True)
    other = opened("other", gateway="other")
    assert collecting() == ["first"]
    assert set(Alert.objects.values_list("kind", "subject", "level", "data__by")) == {
        (NEW_ACCOUNT, code, "urgent", "staff:mallory") for code in ("own", "other")
    }
    order = place(shop, on_sale())
    assert open_payment(shop, order).account_id not in (own.pk, other.pk)
    with time_machine.travel(timezone.now() + COOL_OFF - timedelta(minutes=1)):
        gateway_accounts_change_due()
        assert collecting() == ["first"]
    with time_machine.travel(timezone.now() + COOL_OFF + timedelta(minutes=1)):
        assert set(collecting()) == {"own", "other"}
        gateway_accounts_change_due()
        own.refresh_from_db()
        assert (own.counts_from, set(collecting())) == (None, {"own", "other"})
    assert not Alert.objects.filter(closed_at=None).exists()


def test_switching_the_others_off_first_is_no_way_around(shop: Reseller) -> None:
    gateway_account_enable(account_id=opened("first").pk, is_active=False)
    thief = opened("thief", shop.schema_name)
    assert (collecting(), thief.counts_from is not None) == ([], True)
    with pytest.raises(MethodUnavailable):
        open_payment(shop, place(shop, on_sale()))
    gateway_account_enable(account_id=thief.pk, is_active=False)
    assert not Alert.objects.filter(closed_at=None).exists()


def test_neither_is_opening_it_where_nobody_collects_and_moving_it(shop: Reseller, other_shop: Reseller) -> None:
    first = opened("first", shop.schema_name)
    thief = opened("thief", other_shop.schema_name)
    assert (first.counts_from, thief.counts_from) == (None, None)
    for target in ("", shop.schema_name):
        GatewayAccount.objects.filter(pk=thief.pk).update(schema_name=other_shop.schema_name, counts_from=None)
        gateway_account_place(
            account_id=thief.pk, name="x", schema_name=target, position=0, fee_percent=Decimal(0),
            fee_bearer="platform", actor="staff:mallory",
        )  # fmt: skip
        assert collecting() == ["first"]
        assert Alert.objects.get(kind=NEW_ACCOUNT, closed_at=None).subject == "thief"


def test_a_code_that_is_taken_is_no_way_to_other_keys(shop: Reseller) -> None:
    first = opened("first")
    with pytest.raises(ValidationError):
        opened("first", shop.schema_name)
    first.refresh_from_db()
    assert (first.schema_name, first.config) == ("", {"key": "first"})


def test_whoever_is_at_the_machine_itself_waits_for_nothing(shop: Reseller) -> None:
    for code in ("first", "second"):
        gateway_account_save(code=code, gateway="scripted", config={}, schema_name=shop.schema_name)
    assert collecting() == ["second"]


def test_operators_and_the_owner_read_that_it_waits(shop: Reseller) -> None:
    opened("first")
    form = {
        "code": "thief", "gateway": "scripted", "name": "新账户", "schema_name": shop.schema_name, "position": "0",
        "is_active": "on", "fee_percent": "0", "fee_bearer": "platform", "config": "{}",
    }  # fmt: skip
    client = operator()
    key = with_second_factor("public", "operator")
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    form["second_factor"] = code_of(key)
    assert client.post("/admin/merchants/gatewayaccount/add/", form).status_code == 302
    assert GatewayAccount.objects.get(code="thief").counts_from is not None
    assert "还没开始收款" in client.get("/admin/merchants/gatewayaccount/").content.decode()
    assert "正在变更：新账户" in owner_of(shop).get("/manage/").content.decode()
