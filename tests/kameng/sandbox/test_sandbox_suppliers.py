"""Each way in which a supplier can misbehave, seen by a client and by the supplier's own book."""

import time
from typing import Any

import httpx
import pytest

from tests.kameng.sandbox.clients import DujiaoClient, FuluClient
from tests.kameng.sandbox.running import RunningSandbox, Shop, until

CARD = "fulu.order.card.add"
QUERY = "fulu.order.info.get"
ORDER = {"sku_id": 1001, "quantity": 1, "downstream_order_no": "S1"}


@pytest.fixture
def dujiao(sandbox: RunningSandbox) -> DujiaoClient:
    given = sandbox.supplier("yunka")
    config = given["config"]
    return DujiaoClient(given["base_url"], config["api_key"], config["api_secret"], sandbox.client)


@pytest.fixture
def fulu(sandbox: RunningSandbox) -> FuluClient:
    given = sandbox.supplier("xinghe")
    config = given["config"]
    return FuluClient(given["base_url"], config["app_key"], config["app_secret"], sandbox.client)


def card(reference: str, quantity: int = 1) -> dict[str, Any]:
    return {"product_id": 2001, "buy_num": quantity, "customer_order_no": reference}


def delivered(client: DujiaoClient, order_id: int) -> list[str]:
    order = until(lambda: _if_done(client.call("GET", f"/orders/{order_id}")[1]))
    return [code for code in order["fulfillment"]["payload"].split("\n") if code]


def _if_done(order: dict[str, Any]) -> dict[str, Any] | None:
    return order if "fulfillment" in order else None


@pytest.mark.parametrize(
    ("reason", "status", "dujiao_code", "fulu_code"),
    [
        ("stock", 409, "insufficient_stock", 3003),
        ("balance", 402, "insufficient_balance", 4001),
        ("product", 400, "sku_unavailable", 3001),
        ("price", 400, "product_unavailable", 3008),
        ("account", 400, "bad_request", 3005),
        ("credentials", 401, "invalid_api_key", 1002),
    ],
)
def test_reject_refuses_orders_for_the_reason_given_and_enters_nothing(
    sandbox: RunningSandbox,
    dujiao: DujiaoClient,
    fulu: FuluClient,
    reason: str,
    status: int,
    dujiao_code: str,
    fulu_code: int,
) -> None:
    for code in ("yunka", "xinghe"):
        sandbox.steer(f"suppliers/{code}", mode="reject", reason=reason)
    found, refused = dujiao.call("POST", "/orders", ORDER)
    assert (found, refused["error_code"]) == (status, dujiao_code)
    assert fulu.call(CARD, **card("S1")) == (fulu_code, None)
    assert dujiao.call("POST", "/ping")[0] == 200
    assert sandbox.book("suppliers", "yunka") == sandbox.book("suppliers", "xinghe") == []


def test_down_refuses_connections_until_it_is_over(sandbox: RunningSandbox, dujiao: DujiaoClient) -> None:
    assert dujiao.call("POST", "/ping")[0] == 200
    sandbox.steer("suppliers/yunka", mode="down")
    for _ in range(2):
        with pytest.raises(httpx.ConnectError):
            dujiao.send("POST", "/orders", ORDER)
    shared = DujiaoClient(sandbox.url, dujiao.key, dujiao.secret, sandbox.client, prefix="/suppliers/yunka")
    with pytest.raises(httpx.ReadError):
        shared.send("POST", "/orders", ORDER)
    assert sandbox.book("suppliers", "yunka") == []
    sandbox.steer("suppliers/yunka", mode="ok")
    assert dujiao.call("POST", "/orders", ORDER)[0] == 200


def test_down_for_a_share_resets_that_share_of_calls(sandbox: RunningSandbox, dujiao: DujiaoClient) -> None:
    def draw() -> list[bool]:
        sandbox.steer("suppliers/yunka", mode="down", rate=0.5, seed=7)
        reached = []
        for _ in range(20):
            try:
                reached.append(dujiao.call("POST", "/ping")[0] == 200)
            except httpx.TransportError:
                reached.append(False)
        return reached

    first = draw()
    assert 0 < sum(first) < 20
    assert draw() == first


def test_hang_never_answers(sandbox: RunningSandbox, dujiao: DujiaoClient) -> None:
    sandbox.steer("suppliers/yunka", mode="hang")
    dujiao.http = httpx.Client(timeout=0.5, trust_env=False)
    with pytest.raises(httpx.ReadTimeout):
        dujiao.send("POST", "/orders", ORDER)
    assert sandbox.book("suppliers", "yunka") == []


def test_slow_charges_at_once_and_answers_later(sandbox: RunningSandbox, dujiao: DujiaoClient) -> None:
    sandbox.steer("suppliers/yunka", mode="slow", latency_ms=600)
    began = time.monotonic()
    assert dujiao.call("POST", "/orders", ORDER)[0] == 200
    assert time.monotonic() - began >= 0.6
    impatient = httpx.Client(timeout=0.2, trust_env=False)
    dujiao.http = impatient
    with pytest.raises(httpx.ReadTimeout):
        dujiao.send("POST", "/orders", ORDER | {"downstream_order_no": "S2"})
    assert [row["times"] for row in sandbox.book("suppliers", "yunka")] == [1, 1]


def test_charge_then_500_has_taken_the_money(sandbox: RunningSandbox, dujiao: DujiaoClient, fulu: FuluClient) -> None:
    for code in ("yunka", "xinghe"):
        sandbox.steer(f"suppliers/{code}", mode="charge_then_500")
    assert dujiao.send("POST", "/orders", ORDER).status_code == 500
    assert fulu.send(CARD, card("S1")).status_code == 500
    code, order = until(lambda: _if_success(fulu.call(QUERY, customer_order_no="S1")))
    assert (code, len(order["cards"])) == (0, 1)
    for code in ("yunka", "xinghe"):
        (row,) = sandbox.book("suppliers", code)
        assert (row["reference"], row["times"], row["charged"]) == ("S1", 1, "10.00")


def _if_success(reply: tuple[int, Any]) -> tuple[int, Any] | None:
    return reply if reply[1]["order_state"] == "success" else None


def test_charge_then_reset_has_taken_the_money_and_repeating_finds_it(
    sandbox: RunningSandbox, dujiao: DujiaoClient
) -> None:
    sandbox.steer("suppliers/yunka", mode="charge_then_reset")
    with pytest.raises(httpx.ReadError):
        dujiao.send("POST", "/orders", ORDER)
    sandbox.steer("suppliers/yunka", mode="ok")
    bought = dujiao.buy("S1", quantity=1)
    assert len(delivered(dujiao, bought["order_id"])) == 1
    (row,) = sandbox.book("suppliers", "yunka")
    assert (row["times"], row["charged"]) == (1, "10.00")


def test_malformed_replies_take_the_money_all_the_same(sandbox: RunningSandbox, dujiao: DujiaoClient) -> None:
    sandbox.steer("suppliers/yunka", mode="malformed", variant="html")
    reply = dujiao.send("POST", "/orders", ORDER)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    sandbox.steer("suppliers/yunka", mode="malformed", variant="empty")
    assert dujiao.send("POST", "/orders", ORDER | {"downstream_order_no": "S2"}).content == b""
    sandbox.steer("suppliers/yunka", mode="malformed", variant="truncated")
    with pytest.raises(httpx.RemoteProtocolError):
        dujiao.send("POST", "/orders", ORDER | {"downstream_order_no": "S3"})
    assert [row["reference"] for row in sandbox.book("suppliers", "yunka")] == ["S1", "S2", "S3"]


def test_malformed_takes_turns_unless_told_which(sandbox: RunningSandbox, fulu: FuluClient) -> None:
    sandbox.steer("suppliers/xinghe", mode="malformed")
    seen = []
    for number in range(4):
        try:
            reply = fulu.send(CARD, card(f"S{number}"))
            seen.append("html" if b"<html>" in reply.content else "few" if reply.content else "empty")
        except httpx.RemoteProtocolError:
            seen.append("truncated")
    assert seen == ["html", "truncated", "empty", "few"]
    sandbox.steer("suppliers/xinghe", mode="ok")
    counts = [len(_cards(fulu, f"S{number}")) for number in range(4)]
    assert counts == [1, 1, 1, 0]


def _cards(client: FuluClient, reference: str) -> list[dict[str, str]]:
    return until(lambda: _if_success(client.call(QUERY, customer_order_no=reference)))[1]["cards"] or []


def test_few_delivers_one_code_too_few(sandbox: RunningSandbox, dujiao: DujiaoClient) -> None:
    sandbox.steer("suppliers/yunka", mode="malformed", variant="few")
    bought = dujiao.buy("S1", quantity=3)
    assert len(delivered(dujiao, bought["order_id"])) == 2
    assert sandbox.book("suppliers", "yunka")[0]["charged"] == "30.00"


def test_dup_code_delivers_what_somebody_else_has(sandbox: RunningSandbox, dujiao: DujiaoClient) -> None:
    own = delivered(dujiao, dujiao.buy("S1", quantity=1)["order_id"])
    sandbox.steer("suppliers/yunka", mode="dup_code")
    assert delivered(dujiao, dujiao.buy("S2", quantity=1)["order_id"]) == own
    codes = delivered(dujiao, dujiao.buy("S3", quantity=3)["order_id"])
    assert (codes[0], len(set(codes)), set(codes) & set(own)) == (own[0], 3, set(own))


def test_callback_first_comes_before_the_reply(sandbox: RunningSandbox, dujiao: DujiaoClient, shop: Shop) -> None:
    shop.answers = [(200, b'{"ok":true}')]
    sandbox.steer("suppliers/yunka", mode="callback_first")
    bought = dujiao.buy("S1", quantity=1, callback_url=f"{shop.url}/callback")
    answered = time.monotonic()
    (callback,) = shop.notices
    assert callback.at < answered
    assert len(delivered(dujiao, bought["order_id"])) == 1


def test_async_keeps_the_order_open_for_its_latency(sandbox: RunningSandbox, fulu: FuluClient) -> None:
    sandbox.steer("suppliers/xinghe", mode="async", latency_ms=1500)
    began = time.monotonic()
    code, order = fulu.call(CARD, **card("S1"))
    assert (code, order["order_state"], time.monotonic() - began < 1.5) == (0, "untreated", True)
    assert fulu.call(QUERY, customer_order_no="S1")[1]["order_state"] in {"untreated", "processing"}
    assert len(_cards(fulu, "S1")) == 1
    assert time.monotonic() - began >= 1.5


@pytest.mark.parametrize(("mode", "count"), [("lost", 0), ("twice", 2), ("forged", 1)])
def test_callbacks_can_be_lost_doubled_or_forged(
    sandbox: RunningSandbox, dujiao: DujiaoClient, shop: Shop, mode: str, count: int
) -> None:
    shop.answers = [(200, b'{"ok":true}')]
    sandbox.steer("suppliers/yunka", callbacks=mode)
    dujiao.buy("S1", callback_url=f"{shop.url}/callback")
    shop.wait_for(count)
    time.sleep(0.5)
    assert len(shop.notices) == count
    for callback in shop.notices:
        moment = callback.headers["Dujiao-Next-Timestamp"]
        genuine = dujiao.sign("POST", "/api/v1/upstream/callback", moment, callback.body)
        assert (callback.headers["Dujiao-Next-Signature"] == genuine) is (mode != "forged")


def test_a_share_of_calls_is_the_same_each_time(sandbox: RunningSandbox, dujiao: DujiaoClient) -> None:
    def draw() -> list[int]:
        sandbox.steer("suppliers/yunka", mode="reject", rate=0.3, seed=3)
        return [
            dujiao.call("POST", "/orders", ORDER | {"downstream_order_no": f"{time.monotonic_ns()}"})[0]
            for _ in range(30)
        ]

    first = draw()
    assert 3 <= first.count(409) <= 17
    assert draw() == first
