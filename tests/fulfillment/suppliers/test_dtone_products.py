"""What DT One tells before anybody buys: balance, price list, and whose number it is."""

import json
from decimal import Decimal
from typing import Any

import pytest

from fulfillment.suppliers.base import AccountVerdict, SupplierSilent
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.side_dtone import DtOneSide, rows
from tests.fulfillment.suppliers.sides import payload
from tests.fulfillment.suppliers.wire import Answer, Server, Silence

SIDE = DtOneSide()
PHONE = {"phone": "+6598123456"}


def told(fields: Any, status: int = 200, /, **headers: str) -> Answer:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, json.dumps(fields).encode(), (("Content-Type", "application/json"), *pairs))


def balances(*changed: dict[str, Any]) -> Answer:
    (row,) = rows("balances")
    return told([row | changes for changes in changed])


def test_the_balance_is_what_is_available_in_our_currency(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    server.answers.extend(
        [
            balances({"unit": "EUR", "available": 5}, {}),
            balances({"unit": "EUR"}),
            balances({}, {}),
            balances({"available": "?"}),
            balances(),
            told({}, 500),
        ]
    )
    assert adapter.balance() == Decimal("942.31")
    assert [adapter.balance() for _ in range(5)] == [None] * 5


def test_the_price_list_goes_on_where_they_say_so(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    listed = rows("products")
    server.answers.extend(
        [told(listed, X_Next_Page="2"), told(listed), told(listed, X_Next_Page="2"), told([], X_Next_Page="9")]
    )
    first = adapter.products("")
    assert first.next_cursor == "2"
    fixed, ranged = first.products
    assert (fixed.sku, fixed.name, fixed.cost, fixed.stock) == ("5310", "10 SGD", Decimal("7.17"), None)
    assert fixed.is_available
    assert (ranged.sku, ranged.cost, ranged.is_available) == ("5311", None, False)
    assert adapter.products("2").next_cursor == ""
    # A list that leads back, or goes on with nothing, is over.
    assert adapter.products("2").next_cursor == ""
    assert adapter.products("8").next_cursor == ""
    assert [asked.path for asked in server.asked] == [
        f"/v1/products?page={page}&per_page=50" for page in ("1", "2", "2", "8")
    ]


@pytest.mark.parametrize(
    "broken",
    [
        Silence(),
        told({}, 500),
        told({"errors": [{"code": 1000401, "message": "Unauthorized"}]}, 401),
        told({}),
        told([{}]),
        told([7]),
        told([{"id": 5310, "prices": []}]),
    ],
    ids=str,
)
def test_a_price_list_that_cannot_be_read_is_silence(
    server: Server, http: HttpClient, broken: Answer | Silence
) -> None:
    server.answers.append(broken)
    with pytest.raises(SupplierSilent):
        SIDE.adapter(server.url, http).products("")


def test_a_price_is_asked_by_product(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    fixed, ranged = rows("products")
    server.answers.extend(
        [told(fixed), told(ranged), told(payload("dtone", "product_unavailable"), 404), told({}, 404)]
    )
    assert adapter.price("5310") == Decimal("7.17")
    assert adapter.price("5311") is None
    assert adapter.price("5312") is None
    assert adapter.price("steam-wallet-50") is None
    with pytest.raises(SupplierSilent):
        adapter.price("5313")
    assert [asked.path for asked in server.asked] == [f"/v1/products/{sku}" for sku in (5310, 5311, 5312, 5313)]


@pytest.mark.parametrize(
    ("looked_up", "verdict"),
    [
        (told(rows("lookup")), AccountVerdict.OK),
        (told([]), AccountVerdict.NOT_FOUND),
        (told({"errors": [{"code": 1005003, "message": "invalid"}]}, 400), AccountVerdict.NOT_FOUND),
        (told({"errors": [{"code": 1005006, "message": "not found"}]}, 404), AccountVerdict.NOT_FOUND),
        (told([{"id": 1521, "identified": False}, {"id": 1522, "identified": True}]), AccountVerdict.UNAVAILABLE),
        (told([{"id": 1521, "identified": "true"}]), AccountVerdict.UNAVAILABLE),
        (told([{"id": None, "identified": True}]), AccountVerdict.UNAVAILABLE),
        (told({}), AccountVerdict.UNAVAILABLE),
        (told({}, 404), AccountVerdict.UNAVAILABLE),
        (told({"errors": [{"code": 1000429, "message": "slow down"}]}, 429), AccountVerdict.UNAVAILABLE),
        (Silence(), AccountVerdict.UNAVAILABLE),
    ],
)
def test_a_number_is_looked_up_at_the_operator_of_the_product(
    server: Server, http: HttpClient, looked_up: Answer | Silence, verdict: AccountVerdict
) -> None:
    server.answers.extend([told(payload("dtone", "product")), looked_up])
    assert SIDE.adapter(server.url, http).check_account("5310", PHONE).verdict is verdict
    product, lookup = server.asked
    assert (product.path, lookup.method, lookup.path) == ("/v1/products/5310", "POST", "/v1/lookup/mobile-number")
    assert json.loads(lookup.body) == {"mobile_number": "+6598123456"}


def test_what_cannot_be_looked_up_stops_nobody(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    for account in ({}, {"account": "482019375"}, {"phone": "98123456"}):
        assert adapter.check_account("5310", account).verdict is AccountVerdict.UNAVAILABLE
    assert server.asked == []
    server.answers.extend([told(payload("dtone", "product_unavailable"), 404), told(rows("lookup"))])
    assert adapter.check_account("5310", PHONE).verdict is AccountVerdict.UNAVAILABLE
