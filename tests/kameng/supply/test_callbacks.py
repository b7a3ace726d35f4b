"""Telling a client that its order has ended: signed, sent until it is taken, nowhere inside our own network."""

import json
from collections.abc import Iterator

import pytest
from django.test import override_settings

from fulfillment.suppliers.base import CallbackRefused, Connection
from fulfillment.suppliers.registry import adapter_class
from kameng.core.http import HttpClient, NothingSent
from kameng.core.public_address import is_public
from kameng.outbox.models import OutboxEvent
from kameng.supply.callbacks import (
    PAUSES,
    client_callback_resend,
    client_callback_send,
    client_order_follow,
)
from kameng.supply.models import ClientCallback, ClientOrder
from resellers.clients import addresses
from resellers.clients.addresses import callback_address
from resellers.clients.exceptions import ClientRefused
from resellers.clients.services import client_call_at
from tests.doubles import ScriptedSupplier
from tests.factories import code_on_sale
from tests.flows import codes, drain, outbox
from tests.fulfillment.suppliers.wire import Answer, Server
from tests.kameng.supply.downstream import Downstream

CODE = "KM-0001-AAAA"


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def ended(downstream: Downstream, supplier_double: type[ScriptedSupplier], server: Server) -> ClientCallback:
    """What there is to tell of an order whose code has arrived."""
    client_call_at(client_id=downstream.client.pk, address=f"{server.url}/hook/?of=them")
    ScriptedSupplier.on_submit("first", codes(CODE))
    downstream.order("A-1", code_on_sale(suppliers=("first",)).sku)
    asked = ClientOrder.objects.get()
    OutboxEvent.objects.filter(topic="client_order.follow").delete()  # its looks are taken by hand
    assert client_order_follow(client_order_id=asked.pk) == 1.0
    drain()
    for _ in range(2):
        assert client_order_follow(client_order_id=asked.pk) is None
    assert len(outbox("client_callback.send")) == 1
    return ClientCallback.objects.get()


def test_a_callback_is_sent_until_it_is_taken_and_then_no_more(
    ended: ClientCallback, downstream: Downstream, server: Server
) -> None:
    server.answers.extend([Answer(500), Answer(302, b"", (("Location", f"{server.url}/"),)), Answer(204)])
    assert [client_callback_send(callback_id=ended.pk) for _ in range(4)] == [PAUSES[0], PAUSES[1], None, None]
    assert len(server.asked) == 3
    ended.refresh_from_db()
    assert (ended.status, ended.tries, ended.answer) == ("delivered", 3, "204")
    told = json.loads(server.asked[0].body)
    assert told == {"event": "order.ended", "order": str(ended.client_order.order.number), "reference": "A-1",
                    "status": "delivered"}  # fmt: skip
    assert CODE not in server.asked[0].body.decode()
    assert server.asked[0].path == "/hook/?of=them"


def test_our_own_adapter_takes_it_and_nobody_elses(
    ended: ClientCallback, downstream: Downstream, server: Server
) -> None:
    server.answers.append(Answer(204))
    client_callback_send(callback_id=ended.pk)
    (asked,) = server.asked
    config = {"key": downstream.key, "secret": downstream.secret}
    adapter = adapter_class("kameng")(Connection("up", "https://up.example", config), HttpClient())
    assert adapter.parse_callback(headers=asked.headers, body=asked.body).reference == "A-1"
    forged = adapter_class("kameng")(Connection("up", "https://up.example", {**config, "secret": "x"}), HttpClient())
    with pytest.raises(CallbackRefused, match="bad signature"):
        forged.parse_callback(headers=asked.headers, body=asked.body)


def test_one_that_nobody_takes_is_given_up_and_can_be_sent_again(
    ended: ClientCallback, server: Server, supplier_double: type[ScriptedSupplier]
) -> None:
    server.close()
    pauses = [client_callback_send(callback_id=ended.pk) for _ in range(len(PAUSES) + 1)]
    assert pauses == [*PAUSES, None]
    ended.refresh_from_db()
    assert (ended.status, ended.tries) == ("given_up", len(PAUSES) + 1)
    assert ended.answer.startswith("NothingSent")
    client_callback_resend(callback_id=ended.pk)
    assert client_callback_send(callback_id=ended.pk) == PAUSES[0]


@pytest.mark.parametrize(
    "address",
    [
        *("https://10.0.0.1/", "https://192.168.1.1/x", "https://169.254.169.254/latest/", "https://[::1]/"),
        *("https://127.0.0.1/", "https://0.0.0.0/", "https://[::ffff:10.0.0.1]/", "https://[64:ff9b::a00:1]/"),
        *("https://[fd00::1]/", "https://224.0.0.1/", "http://93.184.216.34/", "ftp://93.184.216.34/"),
        *("https://u:p@93.184.216.34/", "https://93.184.216.34/#x", "https://", "not an address", "https://[::1"),
        *("https://2130706433/", "https://0x7f.1/", "https://100.64.0.1/"),
    ],
)
def test_an_address_inside_our_network_is_refused(address: str) -> None:
    with override_settings(PRODUCTION=True), pytest.raises(ClientRefused):
        callback_address(address)


def test_a_public_https_address_is_taken_and_in_the_demo_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    with override_settings(PRODUCTION=True):
        assert callback_address(" https://93.184.216.34/hook/?a=1 ") == "https://93.184.216.34/hook/?a=1"
        assert callback_address("") == ""
    assert callback_address("http://127.0.0.1:8000/hook/") == "http://127.0.0.1:8000/hook/"
    with pytest.raises(ClientRefused):
        callback_address("http://10.0.0.1/")
    monkeypatch.setattr(addresses, "_addresses", lambda *_: ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(ClientRefused, match="内网"):
        callback_address("https://two.example/")


def test_a_name_that_leads_inside_later_is_not_connected_to(server: Server) -> None:
    with pytest.raises(NothingSent, match="not called"):
        HttpClient(connect=1, read=1, total=1, allowed=is_public).request("GET", f"{server.url}/")
    assert server.asked == []
    assert HttpClient(connect=1, read=1, total=1).request("GET", f"{server.url}/").status == 599
