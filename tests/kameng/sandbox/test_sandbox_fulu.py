"""The Fulu sandbox, with a small client written from the public documents."""

import json
import re
import time
from typing import Any

import pytest

from kameng.sandbox import crypto
from tests.kameng.sandbox.clients import FuluClient
from tests.kameng.sandbox.running import RunningSandbox, Shop, until

CARD = "fulu.order.card.add"
DIRECT = "fulu.order.direct.add"
MOBILE = "fulu.order.mobile.add"
QUERY = "fulu.order.info.get"


@pytest.fixture
def client(sandbox: RunningSandbox, shop: Shop) -> FuluClient:
    sandbox.steer("suppliers/xinghe", callback_url=f"{shop.url}/callback")
    given = sandbox.supplier("xinghe")
    assert given["protocol"] == "fulu"
    config = given["config"]
    return FuluClient(given["base_url"], config["app_key"], config["app_secret"], sandbox.client)


def finished(client: FuluClient, reference: str) -> dict[str, Any]:
    def ask() -> dict[str, Any] | None:
        code, order = client.call(QUERY, customer_order_no=reference)
        assert code == 0
        return order if order["order_state"] in {"success", "failed"} else None

    return until(ask)


def test_the_published_signature_and_cards_are_reproduced() -> None:
    secret = "0a091b3aa4324435aab703142518a8f7"
    client = FuluClient("", "", secret, None)  # type: ignore[arg-type]
    published = '{"name":"OpenApi2.0对接专用商户","balance":344283.1608,"is_open":1}'
    assert client.sign(published) == "af223d55aaab949a4061d651cc4b2765"
    sealed = "12nCp6X/nALmrvr1erxK+D4L8n/kqz/RItKWUfvZrCU="
    assert crypto.ecb_seal(secret, client.decrypt(sealed)) == sealed


def test_a_direct_order_is_accepted_then_processed_then_told(
    client: FuluClient, sandbox: RunningSandbox, shop: Shop
) -> None:
    content = {"product_id": 1001, "buy_num": 1, "charge_account": "赵云 1 区", "customer_order_no": "S1"}
    code, order = client.call(DIRECT, **content)
    assert (code, order["order_state"], order["customer_order_no"]) == (0, "untreated", "S1")
    assert finished(client, "S1")["order_state"] == "success"

    (callback,) = shop.wait_for(1)
    told = json.loads(callback.body)
    sign = told.pop("sign")
    assert sign == client.sign(json.dumps(told, ensure_ascii=False, separators=(",", ":")))
    assert (told["customer_order_no"], told["order_status"], told["order_id"]) == ("S1", "success", order["order_id"])
    assert sandbox.book("suppliers", "xinghe") == [
        {
            "reference": "S1",
            "sku": "1001",
            "quantity": 1,
            "charged": "10.00",
            "times": 1,
            "state": "succeeded",
            "codes": [],
        }
    ]


def test_cards_come_encrypted_as_many_as_were_bought(client: FuluClient, sandbox: RunningSandbox) -> None:
    code, order = client.call(CARD, product_id=2001, buy_num=3, customer_order_no="S1")
    assert (code, "cards" in order) == (0, False)
    cards = finished(client, "S1")["cards"]
    codes = [client.decrypt(card["card_pwd"]) for card in cards]
    assert len(set(codes)) == 3
    assert all(re.fullmatch(r"[A-Z2-9]{4}-[A-Z2-9]{4}-[A-Z2-9]{4}", code) for code in codes)
    assert sandbox.book("suppliers", "xinghe")[0]["codes"] == codes


def test_phone_credit_costs_its_face_value(client: FuluClient, sandbox: RunningSandbox) -> None:
    code, _ = client.call(MOBILE, charge_phone="13800138000", charge_value=50, customer_order_no="S1")
    assert code == 0
    row = sandbox.book("suppliers", "xinghe")[0]
    assert (row["sku"], row["charged"]) == ("50", "50")
    code, _ = client.call(MOBILE, charge_phone="12345", charge_value=50, customer_order_no="S2")
    assert code == 2001
    assert len(sandbox.book("suppliers", "xinghe")) == 1


def test_a_number_is_used_once(client: FuluClient, sandbox: RunningSandbox) -> None:
    content = {"product_id": 2001, "buy_num": 1, "customer_order_no": "S1"}
    assert client.call(CARD, **content)[0] == 0
    assert client.call(CARD, **content) == (3000, None)
    row = sandbox.book("suppliers", "xinghe")[0]
    assert (row["times"], row["charged"]) == (1, "10.00")


def test_a_wrong_account_fails_in_the_end_and_costs_nothing(
    client: FuluClient, sandbox: RunningSandbox, shop: Shop
) -> None:
    before = client.call("fulu.user.info.get")[1]["balance"]
    code, _ = client.call(DIRECT, product_id=1001, buy_num=1, charge_account="00000000", customer_order_no="S1")
    assert code == 0
    assert client.call("fulu.user.info.get")[1]["balance"] == before - 10
    assert finished(client, "S1")["order_state"] == "failed"
    assert json.loads(shop.wait_for(1)[0].body)["order_status"] == "failed"
    assert client.call("fulu.user.info.get")[1]["balance"] == before
    row = sandbox.book("suppliers", "xinghe")[0]
    assert (row["charged"], row["times"], row["state"]) == ("0", 0, "failed")


def test_nothing_is_bought_above_the_price_that_the_shop_gets(client: FuluClient, sandbox: RunningSandbox) -> None:
    sandbox.steer("suppliers/xinghe/prices", **{"2001": "48.50"})
    content = {"product_id": 2001, "buy_num": 1, "customer_order_no": "S1"}
    assert client.call(CARD, **content, customer_price=48.49) == (3008, None)
    assert sandbox.book("suppliers", "xinghe") == []
    assert client.call(CARD, **content, customer_price=48.5)[0] == 0
    assert sandbox.book("suppliers", "xinghe")[0]["charged"] == "48.50"


@pytest.mark.parametrize(
    ("method", "content", "code"),
    [
        (CARD, {"product_id": "NO-1", "buy_num": 1, "customer_order_no": "S1"}, 3001),
        (CARD, {"product_id": 1, "buy_num": 0, "customer_order_no": "S1"}, 2001),
        (CARD, {"product_id": 1, "buy_num": 1, "customer_order_no": "S" * 51}, 2001),
        (CARD, {"product_id": 1, "buy_num": 1}, 2001),
        (DIRECT, {"product_id": 1, "buy_num": 1, "customer_order_no": "S1"}, 2001),
        (QUERY, {"customer_order_no": "S1"}, 3009),
        ("fulu.order.nothing.add", {}, 1004),
    ],
)
def test_what_cannot_be_done_has_a_code(
    client: FuluClient, sandbox: RunningSandbox, method: str, content: dict[str, Any], code: int
) -> None:
    assert client.call(method, **content) == (code, None)
    assert sandbox.book("suppliers", "xinghe") == []


@pytest.mark.parametrize(
    ("change", "code"), [({"sign": "0" * 32}, 1002), ({"app_key": "x"}, 1001), ({"sign": ""}, 1000)]
)
def test_a_request_must_be_signed_by_the_merchant(
    client: FuluClient, sandbox: RunningSandbox, change: dict[str, str], code: int
) -> None:
    content = {"product_id": 1, "buy_num": 1, "customer_order_no": "S1"}
    assert client.send(CARD, content, **change).json()["code"] == code
    assert sandbox.book("suppliers", "xinghe") == []


def test_an_empty_purse_refuses(client: FuluClient, sandbox: RunningSandbox) -> None:
    sandbox.steer("suppliers/xinghe", balance="9.99")
    assert client.call(CARD, product_id=1, buy_num=1, customer_order_no="S1") == (4001, None)
    assert sandbox.book("suppliers", "xinghe") == []


def test_goods_are_listed_with_their_price(client: FuluClient, sandbox: RunningSandbox) -> None:
    sandbox.steer("suppliers/xinghe/prices", **{"2001": "48.50"})
    code, goods = client.call("fulu.goods.list.get")
    assert (code, [(good["product_id"], good["purchase_price"]) for good in goods]) == (0, [(2001, 48.5)])
    assert client.call("fulu.goods.info.get", product_id="2001")[1] == goods[0]


def test_a_callback_is_repeated_until_success(client: FuluClient, shop: Shop) -> None:
    shop.answers = [(200, b"ok"), (200, b"success")]
    client.call(CARD, product_id=1, buy_num=1, customer_order_no="S1")
    first, second = shop.wait_for(2)
    assert first.body == second.body
    time.sleep(0.3)
    assert len(shop.notices) == 2
