"""A new encryption key takes over from an old one, and nothing is lost on the way."""

import base64
import secrets
from datetime import date
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from compliance.models import Kind
from compliance.scans.models import Scan
from compliance.services import Terms, license_add
from fulfillment.suppliers.models import StockCode, StockImport, StockImportPart, Supplier
from fulfillment.suppliers.stock_room import code_open
from kameng.accounts.models import SecondFactor
from kameng.core.encryption import Unreadable, newest_key_id
from payments.merchants.models import GatewayAccount
from resellers.clients.keys import client_key_issue
from resellers.clients.models import ClientKey
from resellers.models import Reseller
from resellers.withdrawals.models import Payee
from tests.factories import GatewayAccountFactory, SupplierFactory, stocked
from tests.kameng.supply.downstream import open_client
from tests.resellers.withdrawals.test_services import pay_to
from tests.staff import owner_of, with_second_factor

CODES = ["CARD-1", "CARD-2", "CARD-3"]
LICENSE = Terms(kind=Kind.BUSINESS, number="1", issuer="某局", valid_from=date(2026, 1, 1))


def key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture
def old(settings: Any, shop: Reseller) -> str:
    """A key, and things sealed with it."""
    settings.ENCRYPTION_KEYS = [key()]
    till = GatewayAccountFactory.create(code="till", config={"app_private_key": "pem"})
    till.next_config = {"app_private_key": "newer"}
    till.save()
    supplier = SupplierFactory.create(code="far")
    supplier.config = {"api_secret": "theirs"}
    supplier.save()
    batch = StockImport.objects.create(
        variant=stocked(CODES), supplier=supplier, schema_name=shop.schema_name, source="a.txt", lines=1, actor="owner"
    )
    part = StockImportPart(batch=batch, first=1)
    part.text = "CARD-4"
    part.save()
    pay_to(shop)
    owner_of(shop)
    with_second_factor(shop.schema_name, "owner")
    client_key_issue(client_id=open_client(shop).pk, actor="staff:owner")
    scan = Scan(
        license=license_add(supplier="far", terms=LICENSE, actor="staff:li"),
        kind="png",
        width=1,
        height=1,
        sha256="0" * 64,
        created_by="staff:li",
    )
    scan.data = b"picture"
    scan.save()
    return str(settings.ENCRYPTION_KEYS[0])


def opened() -> tuple[dict[str, object], dict[str, str], list[str], dict[str, str], int]:
    return (
        GatewayAccount.objects.get(code="till").config,
        Supplier.objects.get(code="far").config,
        [code_open(code) for code in StockCode.objects.order_by("pk")],
        Payee.objects.get().details,
        sum(map(len, (SecondFactor.objects.get().key, ClientKey.objects.get().secret)))
        + len(str(GatewayAccount.objects.get().next_config["app_private_key"]))
        + len(Scan.objects.get().data)
        + len(StockImportPart.objects.get().text),
    )


def sealed() -> list[str]:
    return [
        GatewayAccount.objects.get(code="till").sealed_config,
        Supplier.objects.get(code="far").sealed_config,
        *StockCode.objects.order_by("pk").values_list("sealed", flat=True),
        Payee.objects.get().sealed,
        SecondFactor.objects.get().sealed_key,
        ClientKey.objects.get().sealed,
        GatewayAccount.objects.get().next_sealed,
        Scan.objects.get().sealed,
        StockImportPart.objects.get().sealed,
    ]


def test_what_the_old_key_sealed_opens_with_the_new_one_alone(
    settings: Any, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = opened()
    settings.ENCRYPTION_KEYS = [key(), old]

    call_command("reseal")

    assert capsys.readouterr().out.splitlines() == [
        "merchant accounts: 1 resealed",
        "suppliers: 1 resealed",
        "codes: 3 resealed",
        "codes that are being imported: 1 resealed",
        "owners' notes: 0 resealed",
        "scans: 1 resealed",
        "payees: 1 resealed",
        "second factors: 1 resealed",
        "clients' keys: 1 resealed",
        "merchant accounts' next keys: 1 resealed",
    ]
    settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS[:1]
    payee = {"name": "张三", "account": "13812345678"}
    assert (
        opened() == before == ({"app_private_key": "pem"}, {"api_secret": "theirs"}, CODES, payee, 32 + 43 + 5 + 7 + 6)
    )
    assert all(text.startswith(f"{newest_key_id()}.") for text in sealed())


def test_a_second_run_changes_nothing(settings: Any, old: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings.ENCRYPTION_KEYS = [key(), old]
    call_command("reseal")
    after_first = sealed()
    capsys.readouterr()

    call_command("reseal")

    assert sealed() == after_first
    assert capsys.readouterr().out.splitlines()[2] == "codes: 0 resealed"


def test_what_cannot_be_opened_is_counted_and_left_as_it_is(
    settings: Any, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sealed()
    settings.ENCRYPTION_KEYS = [key()]

    with pytest.raises(CommandError, match="keep every older key"):
        call_command("reseal")

    assert sealed() == before
    assert capsys.readouterr().out.splitlines()[2] == "codes: 0 resealed, 3 cannot be opened with any key there is"
    with pytest.raises(Unreadable):
        opened()
