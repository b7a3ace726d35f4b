"""dujiao-next's price list: pages, stock, and prices that are missing."""

from decimal import Decimal
from typing import Any

import pytest

from fulfillment.suppliers.base import SupplierProduct, SupplierSilent
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import DujiaoSide, answer
from tests.fulfillment.suppliers.wire import Answer, Server

SIDE = DujiaoSide()


def listed(*skus: dict[str, Any], total: int = 1, active: bool = True) -> Answer:
    items = [{"id": 7, "title": {"zh-CN": "点券"}, "is_active": active, "skus": list(skus)}] if skus else []
    return answer({"ok": True, "items": items, "total": total, "page": 1, "page_size": 50})


def sku(number: int, **changes: Any) -> dict[str, Any]:
    plain = {"id": number, "price_amount": "9.50", "stock_status": "unlimited", "stock_quantity": -1, "is_active": True}
    return plain | changes


def test_each_sku_is_a_line_with_its_stock(server: Server, http: HttpClient) -> None:
    server.answers.append(
        listed(sku(1), sku(2, stock_status="in_stock", stock_quantity=3), sku(3, stock_status="out", stock_quantity=0))
    )
    page = SIDE.adapter(server.url, http).products("")
    assert page.products == (
        SupplierProduct("1", "点券", Decimal("9.50")),
        SupplierProduct("2", "点券", Decimal("9.50"), stock=3),
        SupplierProduct("3", "点券", Decimal("9.50"), stock=0, is_available=False),
    )
    assert page.next_cursor == ""


@pytest.mark.parametrize("price", ["0.00", 0, "", None, "-1", "free"])
def test_a_missing_price_is_never_zero(server: Server, http: HttpClient, price: object) -> None:
    server.answers.append(listed(sku(1, price_amount=price)))
    assert SIDE.adapter(server.url, http).products("").products[0].cost is None


def test_a_price_is_looked_for_on_every_page(server: Server, http: HttpClient) -> None:
    server.answers.extend([listed(sku(1), total=51), listed(sku(2, price_amount="4.00"), total=51)])
    assert SIDE.adapter(server.url, http).price("2") == Decimal("4.00")
    assert [asked.path.rpartition("?")[2] for asked in server.asked] == [
        "page=1&page_size=50",
        "page=2&page_size=50",
    ]


@pytest.mark.parametrize("told", [listed(), listed(sku(1, is_active=False)), listed(sku(1), active=False)])
def test_what_cannot_be_bought_has_no_price(server: Server, http: HttpClient, told: Answer) -> None:
    server.answers.append(told)
    assert SIDE.adapter(server.url, http).price("1") is None


@pytest.mark.parametrize(
    "told", [Answer(500, b"{}"), Answer(200, b"<html>"), answer({"ok": True}), SIDE.told("invalid_signature", 401)]
)
def test_a_list_that_cannot_be_read_is_silence(server: Server, http: HttpClient, told: Answer) -> None:
    server.answers.append(told)
    with pytest.raises(SupplierSilent):
        SIDE.adapter(server.url, http).products("")
