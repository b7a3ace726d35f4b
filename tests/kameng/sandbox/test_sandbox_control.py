"""The control endpoints' shapes, which other people's scripts stand on, and what they do with bad input."""

import socket
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from kameng.sandbox import keys
from kameng.sandbox.book import Book
from tests.kameng.sandbox.running import RunningSandbox


def test_it_says_that_it_is_well(sandbox: RunningSandbox) -> None:
    assert sandbox.client.get(f"{sandbox.url}/healthz").json() == {"ok": True}


def test_suppliers_are_listed_with_how_they_behave(sandbox: RunningSandbox) -> None:
    listed = sandbox.read("suppliers/")
    assert [(row["code"], row["protocol"]) for row in listed] == list(keys.SUPPLIERS.items())
    # Whoever came later came at the end: their ports do not move.
    assert list(keys.SUPPLIERS)[:7] == ["xinghe", "lantian", "yunka", "baihe", "huayu", "shanhe", "tongxin"]
    for row in listed:
        assert (row["mode"], row["rate"], row["base_url"]) == ("ok", 1.0, sandbox.supplier(row["code"])["base_url"])


def test_steering_sets_the_mode_and_forgets_the_last_one(sandbox: RunningSandbox) -> None:
    set_to = sandbox.steer("suppliers/xinghe", mode="slow", rate=0.5, latency_ms=1500)
    assert (set_to["mode"], set_to["rate"], set_to["latency_ms"]) == ("slow", 0.5, 1500)
    again = sandbox.steer("suppliers/xinghe", mode="reject")
    assert (again["mode"], again["rate"], again["latency_ms"]) == ("reject", 1.0, 0)
    kept = sandbox.steer("suppliers/xinghe", balance="1.00")
    assert (kept["mode"], kept["balance"]) == ("reject", "1.00")
    sandbox.steer("reset")
    assert sandbox.read("suppliers/xinghe")["mode"] == "ok"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("suppliers/xinghe", {"mode": "broken"}),
        ("suppliers/xinghe", {"mode": "down", "rate": 2}),
        ("suppliers/xinghe", {"mode": "down", "rate": "half"}),
        ("suppliers/xinghe", {"mode": "slow", "latency_ms": -1}),
        ("suppliers/xinghe", {"mode": "slow", "latency": 1}),
        ("suppliers/xinghe", {"mode": "malformed", "variant": "xml"}),
        ("suppliers/xinghe", {"balance": "much"}),
        ("suppliers/xinghe/prices", {"1001": "-1"}),
        ("suppliers/xinghe/stock", {"1001": 3, "1002": -1}),
        ("suppliers/xinghe/stock", {"1001": "many"}),
        ("suppliers/xinghe/stock", {"1001": True}),
        ("gateways/alipay", {"refund": "perhaps"}),
        ("gateways/alipay/pay", {}),
        ("gateways/alipay/pay", {"payment": "P1", "amount": "1e3"}),
        ("gateways/alipay/pay", {"payment": "P1", "notify": "never"}),
        ("gateways/alipay/pay", {"payment": "P1", "changes": "x"}),
    ],
)
def test_a_mistake_is_answered_clearly_and_changes_nothing(
    sandbox: RunningSandbox, path: str, body: dict[str, Any]
) -> None:
    before = [sandbox.read("suppliers/"), sandbox.read("gateways/")]
    reply = sandbox.client.post(f"{sandbox.url}/_control/{path}", json=body)
    assert (reply.status_code, set(reply.json())) == (400, {"error", "message"})
    assert [sandbox.read("suppliers/"), sandbox.read("gateways/")] == before


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "suppliers/nobody", 404),
        ("GET", "gateways/nobody/book", 404),
        ("GET", "nothing", 404),
        ("DELETE", "suppliers/xinghe", 405),
        ("GET", "gateways/alipay/pay", 405),
    ],
)
def test_what_does_not_exist_says_so(sandbox: RunningSandbox, method: str, path: str, status: int) -> None:
    reply = sandbox.client.request(method, f"{sandbox.url}/_control/{path}")
    assert (reply.status_code, set(reply.json())) == (status, {"error", "message"})


def test_a_payment_that_nobody_asked_for_is_not_found(sandbox: RunningSandbox) -> None:
    reply = sandbox.client.post(f"{sandbox.url}/_control/gateways/wechatpay/pay", json={"payment": "P1"})
    assert (reply.status_code, reply.json()["error"]) == (404, "not_found")
    assert sandbox.book("gateways", "wechatpay") == []


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff\xfe"])
def test_a_body_that_is_not_an_object_is_refused(sandbox: RunningSandbox, body: bytes) -> None:
    reply = sandbox.client.post(f"{sandbox.url}/_control/suppliers/xinghe", content=body)
    assert (reply.status_code, reply.json()["error"]) == (400, "bad_request")


def test_a_foreign_host_name_is_turned_away(sandbox: RunningSandbox) -> None:
    reply = sandbox.client.post(f"{sandbox.url}/_control/reset", headers={"Host": "attacker.example:8900"})
    assert reply.status_code == 403


def test_a_gateway_can_be_broken(sandbox: RunningSandbox) -> None:
    url = sandbox.merchant("alipay")["base_url"]
    sandbox.steer("gateways/alipay", mode="error")
    assert sandbox.client.get(url).status_code == 502
    sandbox.steer("gateways/alipay", mode="reset")
    with pytest.raises(httpx.ReadError):
        sandbox.client.get(url)
    sandbox.steer("gateways/alipay", mode="slow", latency_ms=300)
    began = time.monotonic()
    sandbox.client.get(url)
    assert time.monotonic() - began >= 0.3
    sandbox.steer("gateways/alipay", mode="hang")
    with pytest.raises(httpx.ReadTimeout):
        sandbox.client.get(url, timeout=0.3)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GARBAGE\r\n\r\n", b"400"),
        (b"GET http://example.com/ HTTP/1.1\r\nHost: localhost\r\n\r\n", b"400"),
        (b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n", b"400"),
        (b"POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"GET /healthz HTTP/1.0\r\n\r\n", b"200"),
        (b"GET /%zz/\xff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", b"404"),
    ],
)
def test_raw_input_of_any_kind_gets_an_answer(sandbox: RunningSandbox, sent: bytes, status: bytes) -> None:
    port = urlsplit(sandbox.url).port
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(sent)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.split(b" ")[1] == status
    assert sandbox.client.get(f"{sandbox.url}/healthz").status_code == 200


def test_requests_in_one_packet_are_answered_one_after_the_other(sandbox: RunningSandbox) -> None:
    port = urlsplit(sandbox.url).port
    one = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    last = one.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(one + one + last)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert answer.count(b'{"ok":true}') == 3


def test_what_is_left_is_kept_until_everything_is_made_well(sandbox: RunningSandbox) -> None:
    assert sandbox.steer("suppliers/xinghe/stock", **{"1001": 3, "1002": 0}) == {
        "ok": True,
        "stock": {"1001": 3, "1002": 0},
    }
    assert sandbox.steer("suppliers/xinghe/stock", **{"1002": None})["stock"] == {"1001": 3}
    sandbox.steer("reset")
    assert sandbox.steer("suppliers/xinghe/stock")["stock"] == {}


def test_a_book_that_is_opened_again_knows_what_is_left(tmp_path: Path) -> None:
    book = Book(tmp_path / "book.sqlite3")
    book.stock["xinghe"] = {"1001": 3}
    book.save_stock("xinghe")
    book.close()
    again = Book(tmp_path / "book.sqlite3")
    assert again.stock == {"xinghe": {"1001": 3}}
    again.clear()
    again.close()
    assert Book(tmp_path / "book.sqlite3").stock == {}
