"""The dujiao-next sandbox, with a small client written from the public document."""

import json
import threading
import time
from typing import Any

import pytest

from tests.kameng.sandbox.clients import DujiaoClient
from tests.kameng.sandbox.running import RunningSandbox, Shop, until


@pytest.fixture
def client(sandbox: RunningSandbox) -> DujiaoClient:
    given = sandbox.supplier("yunka")
    assert given["protocol"] == "dujiao"
    config = given["config"]
    return DujiaoClient(given["base_url"], config["api_key"], config["api_secret"], sandbox.client)


def finished(client: DujiaoClient, order_id: int) -> dict[str, Any]:
    def ask() -> dict[str, Any] | None:
        status, order = client.call("GET", f"/orders/{order_id}")
        assert status == 200
        return order if order["status"] in {"delivered", "completed", "canceled"} else None

    return until(ask)


def test_a_bought_order_is_paid_then_delivered(client: DujiaoClient, sandbox: RunningSandbox) -> None:
    bought = client.buy("S1")
    assert (bought["status"], bought["amount"], bought["currency"]) == ("paid", "20.00", "CNY")
    order = finished(client, bought["order_id"])
    assert order["status"] == "completed"
    assert (order["fulfillment"]["status"], order["fulfillment"]["type"]) == ("delivered", "auto")
    codes = order["fulfillment"]["payload"].split("\n")
    assert len(set(codes)) == 2
    assert sandbox.book("suppliers", "yunka") == [
        {
            "reference": "S1",
            "sku": "1001",
            "quantity": 2,
            "charged": "20.00",
            "times": 1,
            "state": "succeeded",
            "codes": codes,
        }
    ]


def test_a_repeated_number_returns_the_same_order_whatever_its_state(
    client: DujiaoClient, sandbox: RunningSandbox
) -> None:
    sandbox.steer("suppliers/yunka", delivery_ms=60_000)
    first = client.buy("S1")
    assert client.buy("S1") == first
    status, canceled = client.call("POST", f"/orders/{first['order_id']}/cancel")
    assert (status, canceled["status"]) == (200, "canceled")
    again = client.buy("S1")
    assert (again["order_id"], again["status"]) == (first["order_id"], "canceled")
    row = sandbox.book("suppliers", "yunka")[0]
    assert (row["times"], row["charged"], row["state"]) == (0, "0", "canceled")


def test_posts_of_one_number_at_once_can_make_two_orders(client: DujiaoClient, sandbox: RunningSandbox) -> None:
    sandbox.steer("suppliers/yunka", mode="ok", latency_ms=300)
    threads = [threading.Thread(target=client.buy, args=("S1",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (row,) = sandbox.book("suppliers", "yunka")
    assert (row["times"], row["charged"]) == (2, "40.00")


def test_what_is_delivered_is_not_canceled(client: DujiaoClient, sandbox: RunningSandbox) -> None:
    bought = client.buy("S1")
    finished(client, bought["order_id"])
    status, refused = client.call("POST", f"/orders/{bought['order_id']}/cancel")
    assert (status, refused["error_code"]) == (409, "cancel_not_allowed")
    assert sandbox.book("suppliers", "yunka")[0]["charged"] == "20.00"


def test_the_callback_is_signed_over_its_fixed_path(client: DujiaoClient, shop: Shop) -> None:
    shop.answers = [(200, b'{"ok":false}'), (200, b'{"ok":true,"message":"received"}')]
    bought = client.buy("S1", callback_url=f"{shop.url}/webhooks/suppliers/yunka/")
    for callback in shop.wait_for(2):
        headers = callback.headers
        moment = headers["Dujiao-Next-Timestamp"]
        expected = client.sign("POST", "/api/v1/upstream/callback", moment, callback.body)
        assert (headers["Dujiao-Next-Signature"], headers["Dujiao-Next-Api-Key"]) == (expected, client.key)
        told = json.loads(callback.body)
        assert (told["order_id"], told["downstream_order_no"]) == (bought["order_id"], "S1")
        assert (told["status"], len(told["fulfillment"]["payload"].split("\n"))) == ("completed", 2)
    time.sleep(0.3)
    assert len(shop.notices) == 2


def test_goods_for_an_account_are_topped_up_by_hand(client: DujiaoClient, sandbox: RunningSandbox) -> None:
    # At work for the second half of it: long enough to be seen by whoever is slow to ask.
    sandbox.steer("suppliers/yunka", delivery_ms=3000)
    bought = client.buy("S1", quantity=1, manual_form_data={"uid": "888888"})
    sandbox.steer("suppliers/yunka", delivery_ms=100)
    until(lambda: client.call("GET", f"/orders/{bought['order_id']}")[1]["status"] == "fulfilling")
    status, refused = client.call("POST", f"/orders/{bought['order_id']}/cancel")
    assert (status, refused["error_code"]) == (409, "cancel_not_allowed")
    order = finished(client, bought["order_id"])
    assert (order["status"], order["fulfillment"]["type"]) == ("delivered", "manual")

    wrong = client.buy("S2", quantity=1, manual_form_data={"uid": "00000000"})
    lost = finished(client, wrong["order_id"])
    assert (lost["status"], lost["refunded_amount"], "fulfillment" in lost) == ("canceled", "10.00", False)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"sku_id": "1001"}, 400, "bad_request"),
        ({"sku_id": 0}, 400, "bad_request"),
        ({"sku_id": None}, 400, "bad_request"),
        ({"sku_id": "NO-1"}, 400, "sku_unavailable"),
        ({"quantity": 0}, 400, "bad_request"),
        ({"quantity": "2"}, 400, "bad_request"),
        ({"callback_url": "ftp://127.0.0.1/"}, 400, "invalid_callback_url"),
        ({"quantity": 10_000_000}, 402, "insufficient_balance"),
    ],
)
def test_bad_orders_are_refused_and_not_entered(
    client: DujiaoClient, sandbox: RunningSandbox, change: dict[str, Any], status: int, code: str
) -> None:
    content = {"sku_id": 1001, "quantity": 1, "downstream_order_no": "S1"} | change
    found, refused = client.call("POST", "/orders", content)
    assert (found, refused["ok"], refused["error_code"]) == (status, False, code)
    assert sandbox.book("suppliers", "yunka") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"Dujiao-Next-Signature": "0" * 64}, "invalid_signature"),
        ({"Dujiao-Next-Api-Key": "dj_x"}, "invalid_api_key"),
        ({"Dujiao-Next-Api-Key": ""}, "missing_auth_headers"),
        ({"moment": "soon"}, "invalid_timestamp"),
        ({"moment": str(int(time.time()) - 3600)}, "timestamp_expired"),
    ],
)
def test_a_request_must_be_signed_and_fresh(
    client: DujiaoClient, sandbox: RunningSandbox, change: dict[str, str], code: str
) -> None:
    content = {"sku_id": 1001, "quantity": 1, "downstream_order_no": "S1"}
    reply = client.send("POST", "/orders", content, **change)
    assert (reply.status_code, reply.json()["error_code"]) == (401, code)
    assert sandbox.book("suppliers", "yunka") == []


def test_the_query_of_an_address_is_not_signed(client: DujiaoClient, sandbox: RunningSandbox) -> None:
    sandbox.steer("suppliers/yunka/prices", **{"1001": "48.50", "1002": "9"})
    status, products = client.call("GET", "/products?page=2&page_size=1")
    assert (status, products["total"], products["page"]) == (200, 2, 2)
    assert [product["skus"][0]["id"] for product in products["items"]] == [1002]
    assert client.call("GET", "/products/1002")[1]["product"]["price_amount"] == "9.00"
    assert client.call("GET", "/products/1003")[1]["error_code"] == "product_not_found"


def test_ping_tells_the_balance_that_orders_use_up(client: DujiaoClient, sandbox: RunningSandbox) -> None:
    sandbox.steer("suppliers/yunka", balance="30.00")
    client.buy("S1")
    status, pong = client.call("POST", "/ping")
    assert (status, pong["ok"], pong["balance"], pong["protocol_version"]) == (200, True, "10.00", "1.0")


def test_an_unknown_order_is_not_found(client: DujiaoClient, sandbox: RunningSandbox) -> None:
    assert client.call("GET", "/orders/1")[0] == 404
    bought = client.buy("S1")
    given = sandbox.supplier("baihe")
    other = DujiaoClient(given["base_url"], given["config"]["api_key"], given["config"]["api_secret"], sandbox.client)
    assert other.call("GET", f"/orders/{bought['order_id']}")[1]["error_code"] == "order_not_found"


def test_the_shared_port_serves_below_a_prefix(client: DujiaoClient, sandbox: RunningSandbox) -> None:
    shared = DujiaoClient(sandbox.url, client.key, client.secret, sandbox.client, prefix="/suppliers/yunka")
    assert shared.buy("S1")["order_id"] == client.buy("S1")["order_id"]
