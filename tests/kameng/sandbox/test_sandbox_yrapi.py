"""The yrapi sandbox, with a small client written from the public documents."""

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from tests.kameng.sandbox.running import RunningSandbox, Shop, until


@dataclass
class YrapiClient:
    url: str
    userid: str
    apikey: str
    notify_url: str
    http: httpx.Client

    def sign(self, fields: dict[str, str]) -> str:
        text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
        return hashlib.md5(f"{text}&apikey={self.apikey}".encode()).hexdigest().upper()

    def call(self, what: str, *, sign: str = "", **fields: str) -> tuple[int, str, Any]:
        form = {"userid": self.userid, **fields}
        reply = self.http.post(f"{self.url}/index/{what}", data=form | {"sign": sign or self.sign(form)})
        assert reply.status_code == 200
        told = reply.json()
        return told["errno"], told["errmsg"], told["data"]

    def recharge(self, number: str, **changes: str) -> tuple[int, str, Any]:
        order = {"out_trade_num": number, "product_id": "68", "mobile": "13812345678", "notify_url": self.notify_url}
        return self.call("recharge", **(order | changes))


@pytest.fixture
def client(sandbox: RunningSandbox, shop: Shop) -> YrapiClient:
    given = sandbox.supplier("tongxin")
    assert given["protocol"] == "yrapi"
    config = given["config"]
    return YrapiClient(given["base_url"], config["userid"], config["apikey"], f"{shop.url}/callback", sandbox.client)


def state(client: YrapiClient, number: str) -> int:
    errno, _, orders = client.call("check", out_trade_nums=number)
    assert errno == 0
    return int(orders[0]["state"])


def test_an_order_is_taken_then_charged_then_told(client: YrapiClient, sandbox: RunningSandbox, shop: Shop) -> None:
    sandbox.steer("suppliers/tongxin/prices", **{"68": "94.80"})
    errno, _, order = client.recharge("S1")
    assert (errno, order["out_trade_num"], order["total_price"]) == (0, "S1", "94.8000")
    assert state(client, "S1") == 0
    until(lambda: state(client, "S1") == 1)
    (callback,) = shop.wait_for(1)
    told = dict(parse_qsl(callback.body.decode(), keep_blank_values=True))
    sign = told.pop("sign")
    assert sign == client.sign(told)
    assert (told["out_trade_num"], told["state"], told["order_number"]) == ("S1", "1", order["order_number"])
    (row,) = sandbox.book("suppliers", "tongxin")
    assert (row["reference"], row["charged"], row["times"], row["state"]) == ("S1", "94.80", 1, "succeeded")


def test_a_wrong_number_fails_and_costs_nothing(client: YrapiClient, sandbox: RunningSandbox, shop: Shop) -> None:
    client.recharge("S2", mobile="13800000000")
    until(lambda: state(client, "S2") == 2)
    (callback,) = shop.wait_for(1)
    assert dict(parse_qsl(callback.body.decode()))["state"] == "2"
    assert sandbox.book("suppliers", "tongxin")[0]["times"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sign": "0" * 32}, "签名错误"),
        ({"userid": "1"}, "未开通的商户ID"),
        ({"product_id": "NO-1"}, "未找到相关产品"),
        ({"price": "1.00"}, "成本限制"),
        ({"mobile": ""}, "手机号格式不正确"),
        ({"notify_url": ""}, "参数错误"),
    ],
)
def test_what_is_wrong_is_refused_and_charges_nothing(
    client: YrapiClient, sandbox: RunningSandbox, changes: dict[str, str], said: str
) -> None:
    errno, message, _ = client.recharge("S3", **changes)
    assert errno == 1
    assert message.startswith(said)
    assert sandbox.book("suppliers", "tongxin") == []
    assert client.call("check", out_trade_nums="S3")[2] == []


def test_a_number_is_used_once(client: YrapiClient, sandbox: RunningSandbox) -> None:
    assert client.recharge("S4")[0] == 0
    assert client.recharge("S4", mobile="13900000001")[:2] == (1, "已经存在相同商户订单号的订单")
    assert len(sandbox.book("suppliers", "tongxin")) == 1


def test_account_and_goods_are_told(client: YrapiClient, sandbox: RunningSandbox) -> None:
    sandbox.steer("suppliers/tongxin", balance="100.00")
    sandbox.steer("suppliers/tongxin/prices", **{"68": "94.80"})
    assert client.call("user")[2]["balance"] == "100.0000"
    ((product,),) = [category["products"] for category in client.call("product")[2]]
    assert (product["id"], product["price"]) == ("68", "94.8000")
    assert client.recharge("S5")[0] == 0
    assert client.recharge("S6")[:2] == (1, "余额不足")
