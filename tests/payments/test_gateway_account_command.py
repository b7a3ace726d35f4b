"""A merchant account from a file or a pipe."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from kameng.sandbox import keys
from payments.merchants.models import GatewayAccount
from resellers.models import Reseller

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture(scope="module")
def gateways(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sandbox")
    keys.ensure(folder)
    return folder / "gateways"


@pytest.fixture(scope="module")
def config(gateways: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((gateways / "alipay.json").read_text())
    return told


def test_an_account_comes_from_a_file(
    config: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "alipay.json"
    path.write_text(json.dumps(config))

    call_command("gateway_account", "till", gateway="alipay", config=path, name="Till")

    account = GatewayAccount.objects.get(code="till")
    assert (account.gateway, account.name, account.schema_name, account.config) == ("alipay", "Till", "", config)
    said = capsys.readouterr().out
    assert said == "till: alipay, all shops, Till\n"


def test_a_dash_is_standard_input(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(config)))

    call_command("gateway_account", "till", gateway="alipay", config=Path("-"))

    assert GatewayAccount.objects.get(code="till").config == config


def test_an_account_may_be_for_one_shop(config: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(config)))

    call_command("gateway_account", "till", gateway="alipay", config=Path("-"), shop="one")

    account = GatewayAccount.objects.get(code="till")
    assert (account.schema_name, account.owner_collects) == (Reseller.objects.get(slug="one").schema_name, False)


def test_an_account_may_be_the_owners_own(config: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "alipay.json"
    path.write_text(json.dumps(config))
    with pytest.raises(CommandError, match="分站"):
        call_command("gateway_account", "own", gateway="alipay", config=path, owner_collects=True)
    call_command("gateway_account", "own", gateway="alipay", config=path, shop="one", owner_collects=True)
    call_command("gateway_account", "own", gateway="alipay", config=path, shop="one")
    assert GatewayAccount.objects.get().owner_collects


def test_a_certificate_that_does_not_lead_to_the_root_is_refused(gateways: Path, tmp_path: Path) -> None:
    told = json.loads((gateways / "alipay_cert.json").read_text())
    path = tmp_path / "alipay.json"
    path.write_text(json.dumps(told))
    call_command("gateway_account", "till", gateway="alipay", config=path)
    path.write_text(json.dumps(told | {"alipay_root_cert": told["app_cert"]}))
    with pytest.raises(CommandError, match="has signed what"):
        call_command("gateway_account", "till", gateway="alipay", config=path)
    assert GatewayAccount.objects.get().config == told


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Expecting value"),
        ("[]", "must hold a JSON object"),
        ("{}", "app_id is missing"),
    ],
)
def test_what_cannot_be_used_is_refused(monkeypatch: pytest.MonkeyPatch, text: str, said: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))

    with pytest.raises(CommandError, match=said):
        call_command("gateway_account", "till", gateway="alipay", config=Path("-"))

    assert not GatewayAccount.objects.filter(code="till").exists()
