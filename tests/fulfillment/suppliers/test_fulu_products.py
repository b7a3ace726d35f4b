"""Fulu's list of goods: signed as everything else, a price that is missing, goods that are sold out."""

import json
from decimal import Decimal
from typing import Any

import pytest

from fulfillment.suppliers.base import SupplierProduct, SupplierSilent
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import FuluSide, answer, payload
from tests.fulfillment.suppliers.wire import Answer, Reset, Server, Silence

SIDE = FuluSide()
GOODS: dict[str, Any] = payload("fulu", "goods_info")["result"]
LIST: dict[str, Any] = payload("fulu", "goods_list")


def told(result: Any) -> Answer:
    return SIDE.envelope({"code": 0, "message": "接口调用成功", "result": result})


def asked(server: Server) -> tuple[str, dict[str, Any]]:
    envelope = json.loads(server.asked[-1].body)
    return envelope["method"], json.loads(envelope["biz_content"])


def test_goods_are_listed_with_what_they_cost_us(server: Server, http: HttpClient) -> None:
    server.answers.append(told(LIST["result"]))
    page = SIDE.adapter(server.url, http).products("")
    assert asked(server) == ("fulu.goods.list.get", {})
    assert page.next_cursor == ""
    assert page.products[:2] == (
        SupplierProduct("10000001", "腾讯Q币直充1元", Decimal("0.968")),
        SupplierProduct("10000587", "测试卡密商品", Decimal("48.5")),
    )
    assert [line.is_available for line in page.products] == [True, True, False, False]


@pytest.mark.parametrize("price", [0, "0.00", None, "", "免费", -1, True])
def test_a_missing_price_is_none_and_not_zero(server: Server, http: HttpClient, price: object) -> None:
    goods = GOODS | {"purchase_price": price}
    server.answers += [told([goods]), told(goods)]
    adapter = SIDE.adapter(server.url, http)
    (line,) = adapter.products("").products
    assert (line.sku, line.cost) == ("10000001", None)
    assert adapter.price("10000001") is None


def test_goods_without_a_number_that_can_be_bought_are_not_listed(server: Server, http: HttpClient) -> None:
    server.answers.append(told([GOODS | {"product_id": 0}, GOODS | {"product_id": "点券/1"}, GOODS]))
    assert [line.sku for line in SIDE.adapter(server.url, http).products("").products] == ["10000001"]


def test_an_empty_list_is_a_list(server: Server, http: HttpClient) -> None:
    server.answers.append(told([]))
    assert SIDE.adapter(server.url, http).products("").products == ()


@pytest.mark.parametrize(
    "reply",
    [
        *(Silence(), Reset(), Answer(500, b"{}"), Answer(200, b"[]"), Answer(200, b"<html>")),
        *(told(GOODS), told([1]), told([[]]), told([GOODS | {"product_id": None}]), told("[]"), told(1)),
        answer(json.loads(told([GOODS]).body) | {"sign": "0" * 32}),
        answer(json.loads(told([GOODS]).body) | {"result": [GOODS]}),
        *(SIDE.told("refused_signature"), SIDE.told("refused_stock"), SIDE.told("duplicate")),
    ],
)
def test_what_is_no_signed_list_of_goods_is_silence(
    server: Server, http: HttpClient, reply: Answer | Silence | Reset
) -> None:
    server.answers.append(reply)
    with pytest.raises(SupplierSilent):
        SIDE.adapter(server.url, http).products("")


@pytest.mark.parametrize(
    ("changes", "price"),
    [
        ({}, Decimal("0.968")),
        ({"stock_status": "警报"}, Decimal("0.968")),
        ({"stock_status": "断货"}, None),
        ({"sales_status": "下架"}, None),
        ({"sales_status": None}, None),
        ({"product_id": 10000002}, None),
    ],
)
def test_a_price_is_that_of_goods_that_can_be_bought(
    server: Server, http: HttpClient, changes: dict[str, Any], price: Decimal | None
) -> None:
    server.answers.append(told(GOODS | changes))
    assert SIDE.adapter(server.url, http).price("10000001") == price
    assert asked(server) == ("fulu.goods.info.get", {"product_id": 10000001})


def test_what_they_do_not_sell_has_no_price(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("refused_product"))
    assert SIDE.adapter(server.url, http).price("10000001") is None


def test_phone_credit_is_no_product_and_nobody_is_asked(server: Server, http: HttpClient) -> None:
    assert SIDE.adapter(server.url, http).price("mobile:50") is None
    assert server.asked == []


@pytest.mark.parametrize("reply", [Silence(), Reset(), told([GOODS]), told({}), SIDE.told("refused_signature")])
def test_a_price_that_nobody_tells_is_silence(
    server: Server, http: HttpClient, reply: Answer | Silence | Reset
) -> None:
    server.answers.append(reply)
    with pytest.raises(SupplierSilent):
        SIDE.adapter(server.url, http).price("10000001")
