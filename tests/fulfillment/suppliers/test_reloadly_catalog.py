"""What Reloadly sells and costs, whose a phone is, and what is in the account."""

from decimal import Decimal
from typing import Any

import pytest

from fulfillment.suppliers.base import AccountVerdict, SupplierProduct, SupplierSilent
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.side_reloadly import RELOADLY as SIDE
from tests.fulfillment.suppliers.sides import answer, payload
from tests.fulfillment.suppliers.wire import Answer, Reset, Server, Silence

UNREADABLE = [
    *(Silence(), Reset(), Answer(500, b"{}"), Answer(200, b"[]"), Answer(200, b"{}"), Answer(200, b"<html>")),
    *(SIDE.told("products", content=None), SIDE.told("products", content=[1]), SIDE.told("products", last=None)),
    *(SIDE.told("products", content=[{}]), SIDE.told("invalid_token", 403)),
]


def row(name: str, place: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = payload("reloadly", name)["content"][place]
    return found


def test_gift_cards_are_listed_by_face_value_then_operators_by_amount(server: Server, http: HttpClient) -> None:
    server.answers += [SIDE.told("products", last=False), SIDE.told("products"), SIDE.told("operators")]
    adapter = SIDE.adapter(server.url, http)
    first = adapter.products("")
    second = adapter.products(first.next_cursor)
    third = adapter.products(second.next_cursor)
    assert [page.next_cursor for page in (first, second, third)] == ["giftcards:2", "topups:1", ""]
    assert [asked.path for asked in server.asked] == [
        "/products?size=100&page=1",
        "/products?size=100&page=2",
        "/operators?includeBundles=true&includeData=true&suggestedAmounts=true&size=100&page=1",
    ]
    lines = {line.sku: line for line in (*first.products, *third.products)}
    assert lines["914:29.99"] == SupplierProduct("914:29.99", "EA 12 month (Xbox) 29.99 USD", Decimal("26.2914"))
    # A range is listed with round amounts and its ends.
    assert [sku for sku in lines if sku.startswith("5:")] == ["5:1", "5:2", "5:3", "5:5", "5:10", "5:12.5"]
    assert lines["5:10"].cost == Decimal("10.65")
    # Counted in another currency than the account: no price, and not zero.
    assert lines["1:25"].cost is None
    assert lines["TH:729:0.41"].cost == Decimal("0.41")
    assert lines["HT:173:15"] == SupplierProduct("HT:173:15", "Digicel Haiti 15 USD", Decimal("13.2"))
    assert "HT:173:3" not in lines
    assert not lines["US:581:5"].is_available  # a PIN


@pytest.mark.parametrize("told", UNREADABLE)
def test_a_list_that_cannot_be_read_is_no_list(
    server: Server, http: HttpClient, told: Answer | Silence | Reset
) -> None:
    server.answers.append(told)
    with pytest.raises(SupplierSilent):
        SIDE.adapter(server.url, http).products("")


@pytest.mark.parametrize(
    ("sku", "changes", "cost"),
    [
        ("914:29.99", {}, Decimal("26.2914")),
        ("914:29.990", {}, Decimal("26.2914")),
        ("914:30", {}, None),
        ("914:29.99", {"productId": 915}, None),
        ("914:29.99", {"status": "INACTIVE"}, None),
        ("914:29.99", {"senderCurrencyCode": "EUR"}, None),
        ("914:29.99", {"senderFee": "free"}, None),
        ("914:29.99", {"discountPercentage": -3}, None),
        ("914:29.99", {"senderFeePercentage": 2}, Decimal("26.8912")),
        ("914:29.99", {"discountPercentage": 100, "senderFee": None}, None),
        ("914:29.99", {"recipientCurrencyCode": "EUR"}, Decimal("26.2914")),
        ("914:29.99", {"fixedRecipientToSenderDenominationsMap": {"29.99": 0}}, None),
        (
            "914:29.99",
            {"recipientCurrencyCode": "EUR", "fixedRecipientToSenderDenominationsMap": [{"20.00": 22}, {"29.99": 33}]},
            Decimal("28.88"),
        ),
        ("914:29.99", {"recipientCurrencyCode": "EUR", "fixedRecipientToSenderDenominationsMap": None}, None),
        (
            "914:29.99",
            {
                "recipientCurrencyCode": "EUR",
                "fixedRecipientToSenderDenominationsMap": None,
                "recipientCurrencyToSenderCurrencyExchangeRate": 1.1,
            },
            Decimal("28.8706"),
        ),
        (
            "914:17.5",
            {"denominationType": "RANGE", "minRecipientDenomination": 10, "maxRecipientDenomination": 20},
            Decimal("15.55"),
        ),
        ("914:21", {"denominationType": "RANGE", "minRecipientDenomination": 10, "maxRecipientDenomination": 20}, None),
        ("914:21", {"denominationType": "RANGE", "minRecipientDenomination": None}, None),
    ],
)
def test_what_a_card_costs(
    server: Server, http: HttpClient, sku: str, changes: dict[str, Any], cost: Decimal | None
) -> None:
    server.answers.append(answer(row("products") | changes))
    assert SIDE.adapter(server.url, http).price(sku) == cost
    assert server.asked[0].path == "/products/914"


@pytest.mark.parametrize(
    ("sku", "changes", "cost"),
    [
        ("HT:173:15", {}, Decimal("13.2")),
        ("HT:173:15", {"fees": {"international": 0.25, "internationalPercentage": 1}}, Decimal("13.6")),
        ("HT:173:15", {"fees": {"international": "?"}}, None),
        ("HT:173:15", {"internationalDiscount": None}, Decimal("15")),
        ("HT:173:4.99", {}, None),
        ("HT:173:71", {}, None),
        ("TH:173:15", {}, None),
        ("HT:173:15", {"pin": True}, None),
        ("HT:173:15", {"senderCurrencyCode": "CNY"}, None),
        ("HT:173:15", {"denominationType": "FIXED", "fixedAmounts": [5, 15.0]}, Decimal("13.2")),
        ("HT:173:15", {"denominationType": "FIXED", "fixedAmounts": [5, "15,0"]}, None),
    ],
)
def test_what_airtime_costs(
    server: Server, http: HttpClient, sku: str, changes: dict[str, Any], cost: Decimal | None
) -> None:
    server.answers.append(SIDE.told("operator", **changes))
    assert SIDE.adapter(server.url, http).price(sku) == cost
    assert server.asked[0].path == "/operators/173"


@pytest.mark.parametrize(
    "gone", [SIDE.told("refused_product", 400), Answer(404, b'{"status":404,"error":"Not Found"}')]
)
def test_goods_that_are_gone_have_no_price(server: Server, http: HttpClient, gone: Answer) -> None:
    server.answers.append(gone)
    assert SIDE.adapter(server.url, http).price("914:29.99") is None
    assert SIDE.adapter(server.url, http).price("no such sku") is None
    assert len(server.asked) == 1


@pytest.mark.parametrize("told", [Silence(), Reset(), Answer(500, b"{}"), Answer(404, b"<html>"), Answer(400, b"{}")])
def test_a_price_that_nobody_tells_is_silence(server: Server, http: HttpClient, told: Answer | Silence | Reset) -> None:
    server.answers.append(told)
    with pytest.raises(SupplierSilent):
        SIDE.adapter(server.url, http).price("914:29.99")


@pytest.mark.parametrize(
    ("found", "wanted", "verdict"),
    [
        (SIDE.told("operator"), None, AccountVerdict.OK),
        (
            SIDE.told("operator", operatorId=174, name="Natcom Haiti"),
            SIDE.told("operator"),
            AccountVerdict.WRONG_REGION,
        ),
        # The same network's data and bundles, flagged or only named so.
        (
            SIDE.told("operator", operatorId=174, name="Natcom Haiti"),
            SIDE.told("operator", bundle=True),
            AccountVerdict.UNAVAILABLE,
        ),
        (
            SIDE.told("operator", operatorId=172, name="Digicel Haiti Special Bundle"),
            SIDE.told("operator"),
            AccountVerdict.UNAVAILABLE,
        ),
        (SIDE.told("operator", operatorId=174), Answer(404, b"{}"), AccountVerdict.UNAVAILABLE),
        (SIDE.told("operator", operatorId=174, name="Natcom"), Silence(), AccountVerdict.UNAVAILABLE),
        (SIDE.told("undetected", 404), None, AccountVerdict.UNAVAILABLE),
        (SIDE.told("operator", operatorId=None, id=None), None, AccountVerdict.UNAVAILABLE),
        (Silence(), None, AccountVerdict.UNAVAILABLE),
        (Answer(200, b"[]"), None, AccountVerdict.UNAVAILABLE),
        (Answer(500, b"{}"), None, AccountVerdict.UNAVAILABLE),
    ],
)
def test_a_phone_belongs_to_the_operator_of_the_sku_or_certainly_to_another(
    server: Server,
    http: HttpClient,
    found: Answer | Silence,
    wanted: Answer | Silence | None,
    verdict: AccountVerdict,
) -> None:
    server.answers += [found, *([wanted] if wanted is not None else [])]
    checked = SIDE.adapter(server.url, http).check_account("HT:173:15", {"phone": "+509 3637 7111"})
    assert checked.verdict is verdict
    paths = ["/operators/auto-detect/phone/%2B50936377111/countries/HT", "/operators/173"]
    assert [asked.path for asked in server.asked] == paths[: 1 if wanted is None else 2]


@pytest.mark.parametrize(
    ("sku", "account"), [("5:25", {"phone": "50936377111"}), ("HT:173:15", {}), ("x", {"phone": "1"})]
)
def test_what_is_no_phone_is_not_checked(server: Server, http: HttpClient, sku: str, account: dict[str, str]) -> None:
    assert SIDE.adapter(server.url, http).check_account(sku, account).verdict is AccountVerdict.UNAVAILABLE
    assert server.asked == []


@pytest.mark.parametrize(
    ("told", "balance"),
    [
        (SIDE.told("balance"), Decimal("1000")),
        (SIDE.told("balance", currencyCode="EUR"), None),
        (SIDE.told("balance", balance=None), None),
        (SIDE.told("balance", balance=-1), None),
        (SIDE.told("balance", 404), None),
        (Silence(), None),
    ],
)
def test_the_balance_is_told_in_the_currency_of_the_connection(
    server: Server, http: HttpClient, told: Answer | Silence, balance: Decimal | None
) -> None:
    server.answers.append(told)
    assert SIDE.adapter(server.url, http).balance() == balance
