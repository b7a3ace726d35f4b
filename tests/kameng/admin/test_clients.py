"""Clients as their shop's owner meets them: opened, given money and keys, and what they were told."""

import re
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django_tenants.utils import schema_context

from kameng.supply.models import ClientCallback, ClientOrder
from resellers.clients.models import Client, ClientKey
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name
from resellers.models import Reseller
from tests.factories import on_sale
from tests.flows import outbox
from tests.kameng.supply.downstream import Downstream, open_client
from tests.resellers.withdrawals.test_services import earn
from tests.staff import code_of, owner_of, with_second_factor

LIST = "/manage/clients/"
WISH = {"act": "credit", "amount": "200.00", "key": "once"}


def page_of(client: Client) -> str:
    return f"{LIST}{client.pk}/"


def test_without_a_second_factor_nothing_moves(shop: Reseller) -> None:
    earn(shop, Decimal(1000))
    owner, client = owner_of(shop), open_client(shop)
    assert 'href="/manage/second-factor/"' in owner.get(page_of(client)).content.decode()
    for typed in (WISH, {"act": "issue"}, {"act": "address", "callback_url": "http://127.0.0.1:9/"}):
        assert owner.post(page_of(client), typed | {"code": "123456"}).status_code == 422
    client.refresh_from_db()
    assert (client.balance, client.callback_url, client.keys.count()) == (Decimal(0), "", 0)


def test_a_client_is_opened_given_money_and_a_key_that_is_shown_once(shop: Reseller) -> None:
    earn(shop, Decimal(1000))
    owner = owner_of(shop)
    key = with_second_factor(shop.schema_name, "owner")
    assert owner.post(LIST, {"name": "青山站", "contact": "nobody"}).status_code == 422
    assert owner.post(LIST, {"name": "青山站", "contact": "buyer@qingshan.example"}).status_code == 302
    assert owner.post(LIST, {"name": "青山站", "contact": "buyer@qingshan.example"}).status_code == 422
    client = Client.objects.get()
    assert owner.post(page_of(client), WISH | {"code": code_of(key), "amount": "1000.01"}).status_code == 422
    for _ in range(2):
        assert owner.post(page_of(client), WISH).status_code == 302
    client.refresh_from_db()
    assert client.balance == Decimal("200.00")
    assert balances_of(shop.pk, Name.AVAILABLE)[Name.AVAILABLE] == Decimal("800.00")
    issued = owner.post(page_of(client), {"act": "issue"})
    assert issued.status_code == 200
    assert "no-store" in issued.headers["Cache-Control"]
    secret = ClientKey.objects.get().secret
    assert secret in issued.content.decode()
    assert owner.post(page_of(client), {"act": "issue"}).status_code == 200
    assert owner.post(page_of(client), {"act": "issue"}).status_code == 422
    page = owner.get(page_of(client)).content.decode()
    assert secret not in page
    assert len(re.findall(r"ks_[0-9a-f]{24}", page)) == 2
    with schema_context(shop.schema_name):
        written = " ".join(LogEntry.objects.values_list("change_message", flat=True))
    assert secret not in written
    assert "余额变动 200.00 元" in written


def test_a_key_is_revoked_and_a_callback_sent_again_without_a_code(shop: Reseller) -> None:
    downstream = Downstream(open_client(shop, balance="100.00"))
    downstream.order("A-1", on_sale().sku, account={"uid": "482019375"})
    told = ClientCallback.objects.create(client_order=ClientOrder.objects.get(), told="failed", status="given_up")
    owner, address = owner_of(shop), page_of(downstream.client)
    assert "A-1" in owner.get(address).content.decode()
    assert owner.post(address, {"act": "resend", "row": str(told.pk)}).status_code == 302
    assert outbox("client_callback.send") == [{"callback_id": told.pk}]
    row = str(ClientKey.objects.get().pk)
    assert owner.post(address, {"act": "revoke", "row": row}).status_code == 302
    assert ClientKey.objects.get().revoked_by == "staff:owner"
    for typed in ({"act": "revoke", "row": "0"}, {"act": "resend", "row": "x"}, {"act": "nothing"}):
        assert owner.post(address, typed).status_code == 404


def test_an_owner_sees_their_own_clients_only(shop: Reseller, other_shop: Reseller) -> None:
    theirs = open_client(other_shop, name="别处")
    owner = owner_of(shop)
    assert "别处" not in owner.get(LIST).content.decode()
    assert owner.get(page_of(theirs)).status_code == 404


@pytest.mark.parametrize("is_house", [False, True])
def test_money_is_never_made(shop: Reseller, is_house: bool) -> None:
    Reseller.objects.filter(pk=shop.pk).update(is_house=is_house)
    shop.refresh_from_db()
    earn(shop, Decimal("50.00"))
    owner, client = owner_of(shop), open_client(shop)
    key = with_second_factor(shop.schema_name, "owner")
    answer = owner.post(page_of(client), WISH | {"code": code_of(key)})
    held = balances_of(shop.pk, Name.AVAILABLE, Name.TRANSFERS)
    client.refresh_from_db()
    if is_house:
        assert (answer.status_code, client.balance, held[Name.TRANSFERS]) == (302, Decimal(200), Decimal(200))
    else:
        assert (answer.status_code, client.balance, held[Name.AVAILABLE]) == (422, Decimal(0), Decimal("50.00"))
