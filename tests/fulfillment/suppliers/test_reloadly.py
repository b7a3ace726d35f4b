"""What is the protocol's own: two services, cards as a second question, its states."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fulfillment.suppliers.base import CallbackRefused, OutcomeKind
from fulfillment.suppliers.reasons import Reason
from kameng.core.http import HttpClient, Reply
from tests.fulfillment.suppliers.side_reloadly import RELOADLY as SIDE
from tests.fulfillment.suppliers.sides import CODES, PHONE, REFERENCE, answer, payload
from tests.fulfillment.suppliers.test_replies import JSON, TEXTS, harmless
from tests.fulfillment.suppliers.wire import Answer, Reset, Server, Silence


def cards(*pairs: tuple[str, str | None]) -> Answer:
    return answer([{"cardNumber": number, "pinCode": pin} for number, pin in pairs])


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_a_top_up_is_asked_for_with_operator_amount_and_phone(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.told("topup_async"))
    attempt = replace(SIDE.attempt(), account={"phone": "+86 138-1234-5678"})
    outcome = SIDE.adapter(server.url, http).submit(attempt)
    assert (outcome.kind, outcome.supplier_reference) == (OutcomeKind.ACCEPTED, "4602843")
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/topups-async")
    assert asked.headers["authorization"] == f"Bearer {SIDE.token}"
    assert asked.headers["accept"] == "application/com.reloadly.topups-v1+json"
    assert json.loads(asked.body) == {
        "operatorId": 86,
        "amount": 3.52,
        "useLocalAmount": False,
        "customIdentifier": REFERENCE,
        "recipientPhone": {"countryCode": "CN", "number": "+8613812345678"},
    }
    assert "8613812345678" not in outcome.evidence


def test_cards_that_are_there_at_once_come_with_the_purchase(server: Server, http: HttpClient) -> None:
    server.answers += [SIDE.told("order", product=SIDE.bought(2)), cards((CODES[0], "4711"), (CODES[1], ""))]
    attempt = replace(SIDE.attempt(codes=2), account={"uid": "482019375"})
    outcome = SIDE.adapter(server.url, http).submit(attempt)
    assert (outcome.kind, outcome.items) == (OutcomeKind.DELIVERED, (f"{CODES[0]} 4711", CODES[1]))
    assert (outcome.supplier_reference, outcome.cost) == ("4602843", Decimal("17.52"))
    bought, fetched = server.asked
    assert (bought.path, fetched.method, fetched.path) == ("/orders", "GET", "/orders/transactions/4602843/cards")
    assert bought.headers["accept"] == fetched.headers["accept"] == "application/com.reloadly.giftcards-v1+json"
    assert json.loads(bought.body) == {
        "productId": 10,
        "quantity": 2,
        "unitPrice": 15,
        "customIdentifier": REFERENCE,
        "senderName": "Kameng",
        "productAdditionalRequirements": {"userId": "482019375"},
    }
    assert not any(secret in outcome.evidence for secret in (*CODES, "4711", "482019375"))


@pytest.mark.parametrize("lost", [Silence(), Reset(), Answer(404, b"{}"), Answer(502, b"<html>")])
def test_cards_that_cannot_be_fetched_yet_are_asked_for_later(
    server: Server, http: HttpClient, lost: Answer | Silence | Reset
) -> None:
    server.answers += [SIDE.told("order"), lost, SIDE.before_goods(1), cards((CODES[0], None))]
    adapter = SIDE.adapter(server.url, http)
    outcome = adapter.submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code, outcome.supplier_reference) == (OutcomeKind.ACCEPTED, "", "4602843")
    assert adapter.query(SIDE.attempt(codes=1, asked=True)).items == CODES[:1]


def test_cards_of_another_number_than_bought_are_kept_for_a_person(server: Server, http: HttpClient) -> None:
    server.answers += [SIDE.told("order"), cards((CODES[0], None), (CODES[1], None))]
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code, outcome.supplier_reference) == (
        OutcomeKind.UNKNOWN,
        Reason.WRONG_COUNT,
        "4602843",
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sku": "86:3.52"}, Reason.WRONG_KIND),
        ({"sku": "CN:86:3.52", "wants_codes": True}, Reason.WRONG_KIND),
        ({"quantity": 2}, Reason.WRONG_KIND),
        ({"account": {}}, Reason.MISSING_ACCOUNT),
        ({"account": {"phone": "my phone"}}, Reason.MISSING_ACCOUNT),
        *(
            ({"sku": sku}, Reason.BAD_SKU)
            for sku in ("CN:86", "CN:86:0", "CN:86:0.00", "cn:86:1", "CN:0:1", "CN:86:1e3")
        ),
    ],
)
def test_what_cannot_be_said_in_their_words_is_not_sent(
    server: Server, http: HttpClient, changes: dict[str, Any], reason: Reason
) -> None:
    outcome = SIDE.adapter(server.url, http).submit(replace(SIDE.attempt(), **changes))
    assert (outcome.kind, outcome.code, server.asked) == (OutcomeKind.NOT_SENT, reason, [])


def test_nobody_calls_back(http: HttpClient) -> None:
    with pytest.raises(CallbackRefused):
        SIDE.adapter("http://127.0.0.1:1", http).parse_callback(headers={}, body=b"{}")


# --- what is answered -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"status": "SUCCESSFUL"}, OutcomeKind.DELIVERED, ""),
        ({"status": "PENDING"}, OutcomeKind.ACCEPTED, ""),
        ({"status": "PROCESSING"}, OutcomeKind.ACCEPTED, ""),
        ({"status": "FAILED"}, OutcomeKind.FAILED, Reason.FAILED),
        ({"status": "REFUNDED", "operatorTransactionId": None}, OutcomeKind.FAILED, Reason.REFUNDED),
        ({"status": "REFUNDED"}, OutcomeKind.REVERSED, Reason.REFUNDED),
        ({"status": None}, OutcomeKind.UNKNOWN, Reason.MISSING_FIELDS),
        ({"status": "DONE"}, OutcomeKind.UNKNOWN, Reason.UNKNOWN_STATE),
        ({"transactionId": 1}, OutcomeKind.UNKNOWN, Reason.OTHER_ORDER),
        ({"transactionId": None}, OutcomeKind.UNKNOWN, Reason.MISSING_FIELDS),
        ({"customIdentifier": None}, OutcomeKind.UNKNOWN, Reason.OTHER_ORDER),
    ],
)
def test_states_of_a_top_up(
    server: Server, http: HttpClient, changes: dict[str, Any], kind: OutcomeKind, code: str
) -> None:
    server.answers.append(SIDE.reported(**changes))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (kind, code)
    assert server.asked[0].path == f"/topups/reports/transactions?customIdentifier={REFERENCE}"


@pytest.mark.parametrize("status", ["SUCCESSFUL", "FAILED"])
def test_a_pin_is_no_charged_phone(server: Server, http: HttpClient, status: str) -> None:
    server.answers.append(SIDE.reported("report_pin", status=status))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.UNKNOWN_STATE)
    assert "773709733038289" not in outcome.evidence


@pytest.mark.parametrize(
    ("status", "then", "kind"),
    [
        ("PENDING", None, OutcomeKind.ACCEPTED),
        ("FAILED", None, OutcomeKind.FAILED),
        ("REFUNDED", cards(), OutcomeKind.FAILED),
        ("REFUNDED", Answer(404, b'{"message":"No message available"}'), OutcomeKind.FAILED),
        ("REFUNDED", cards((CODES[0], None)), OutcomeKind.REVERSED),
        ("REFUNDED", Answer(404, b"<html>"), OutcomeKind.UNKNOWN),
        ("REFUNDED", Answer(500, b"[]"), OutcomeKind.UNKNOWN),
        ("REFUNDED", Silence(), OutcomeKind.UNKNOWN),
        ("SUCCESSFUL", Answer(404, b"{}"), OutcomeKind.UNKNOWN),
        ("SUCCESSFUL", Answer(200, b'{"content":[]}'), OutcomeKind.UNKNOWN),
        ("SUCCESSFUL", cards(), OutcomeKind.UNKNOWN),
        ("SUCCESSFUL", answer([{"cardNumber": True}]), OutcomeKind.UNKNOWN),
        ("SUCCESSFUL", answer([{"cardNumber": 6120200345149064, "pinCode": 5821}]), OutcomeKind.DELIVERED),
    ],
)
def test_states_of_a_gift_card(
    server: Server, http: HttpClient, status: str, then: Answer | Silence | None, kind: OutcomeKind
) -> None:
    server.answers.append(SIDE.reported("report_order", status=status))
    server.answers += [then] if then is not None else []
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(codes=1, asked=True))
    assert (outcome.kind, outcome.supplier_reference) == (kind, "4602843")
    assert outcome.items == (("6120200345149064 5821",) if kind is OutcomeKind.DELIVERED else ())
    assert len(server.asked) == (1 if then is None else 2)


@pytest.mark.parametrize("product", [{"productId": 11}, {"quantity": 2}, {"quantity": None}])
def test_an_order_of_other_cards_is_not_ours(server: Server, http: HttpClient, product: dict[str, Any]) -> None:
    server.answers.append(SIDE.reported("report_order", product=SIDE.bought(1) | product))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.OTHER_ORDER)


@pytest.mark.parametrize(
    ("changes", "asked", "kind", "code"),
    [
        ({}, False, OutcomeKind.NOT_FOUND, Reason.NO_SUCH_ORDER),
        ({}, True, OutcomeKind.UNKNOWN, Reason.NO_SUCH_ORDER),
        ({"totalElements": 3}, False, OutcomeKind.UNKNOWN, Reason.MISSING_FIELDS),
        ({"totalElements": None}, False, OutcomeKind.UNKNOWN, Reason.MISSING_FIELDS),
        ({"content": None}, False, OutcomeKind.UNKNOWN, Reason.MISSING_FIELDS),
        ({"content": [None]}, False, OutcomeKind.UNKNOWN, Reason.MISSING_FIELDS),
        ({"content": [{"customIdentifier": REFERENCE}] * 2}, False, OutcomeKind.UNKNOWN, Reason.DUPLICATE),
        ({"content": [{"customIdentifier": REFERENCE}, {}]}, False, OutcomeKind.UNKNOWN, Reason.OTHER_ORDER),
    ],
)
def test_only_an_empty_report_says_that_there_is_no_such_order(
    server: Server, http: HttpClient, changes: dict[str, Any], asked: bool, kind: OutcomeKind, code: Reason
) -> None:
    server.answers.append(SIDE.told("report_empty", **changes))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(asked=asked))
    assert (outcome.kind, outcome.code) == (kind, code)


@pytest.mark.parametrize(
    ("status", "changes", "kind", "code"),
    [
        (400, {"errorCode": "INSUFFICIENT_BALANCE"}, OutcomeKind.REFUSED, Reason.NO_BALANCE),
        (400, {"errorCode": "MAX_DAILY_TRANSACTION_COUNT_REACHED"}, OutcomeKind.REFUSED, Reason.NO_BALANCE),
        (400, {"errorCode": "INVALID_AMOUNT_FOR_OPERATOR"}, OutcomeKind.REFUSED, Reason.PRODUCT_UNAVAILABLE),
        (
            400,
            {"errorCode": "OPERATOR_UNAVAILABLE_OR_CURRENTLY_INACTIVE"},
            OutcomeKind.REFUSED,
            Reason.PRODUCT_UNAVAILABLE,
        ),
        (400, {"errorCode": "INVALID_RECIPIENT_PHONE"}, OutcomeKind.REFUSED, Reason.BAD_ACCOUNT),
        (400, {"errorCode": "PHONE_RECENTLY_RECHARGED"}, OutcomeKind.REFUSED, Reason.BAD_REQUEST),
        (400, payload("reloadly", "refused_price"), OutcomeKind.REFUSED, Reason.PRODUCT_UNAVAILABLE),
        (400, payload("reloadly", "refused_product"), OutcomeKind.REFUSED, Reason.OUT_OF_STOCK),
        (400, payload("reloadly", "duplicate"), OutcomeKind.UNKNOWN, Reason.DUPLICATE),
        (400, {"errorCode": "TRANSACTION_CANNOT_BE_PROCESSED_AT_THE_MOMENT"}, OutcomeKind.UNKNOWN, Reason.UNKNOWN_CODE),
        (400, {"errorCode": None, "message": "No: Invalid price"}, OutcomeKind.UNKNOWN, Reason.UNKNOWN_CODE),
        (400, {"errorCode": ["INSUFFICIENT_BALANCE"]}, OutcomeKind.UNKNOWN, Reason.UNKNOWN_CODE),
        (500, {"errorCode": "INSUFFICIENT_BALANCE"}, OutcomeKind.UNKNOWN, Reason.HTTP_STATUS),
    ],
)
def test_only_listed_refusals_free_the_purchase(
    server: Server, http: HttpClient, status: int, changes: dict[str, Any], kind: OutcomeKind, code: Reason
) -> None:
    server.answers.append(SIDE.told("refused_balance", status, **changes))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (kind, code)
    assert outcome.eliminates == (code is Reason.NO_BALANCE)


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        ({}, Decimal("3.41")),
        ({"fee": 0.5}, Decimal("3.91")),
        ({"balanceInfo": {"cost": 3.45, "currencyCode": "USD"}}, Decimal("3.45")),
        ({"balanceInfo": {"cost": 3.45, "currencyCode": "EUR"}}, Decimal("3.41")),
        ({"balanceInfo": {"cost": 0, "currencyCode": "USD"}}, Decimal("3.41")),
        ({"requestedAmountCurrencyCode": "EUR"}, None),
        ({"discountCurrencyCode": "EUR"}, None),
        ({"requestedAmount": None}, None),
        ({"discount": 9}, None),
        ({"discount": "some"}, None),
    ],
)
def test_a_cost_is_what_the_account_paid_in_its_currency(
    server: Server, http: HttpClient, changes: dict[str, Any], cost: Decimal | None
) -> None:
    server.answers.append(SIDE.reported(**changes))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt())
    assert (outcome.kind, outcome.cost) == (OutcomeKind.DELIVERED, cost)


@pytest.mark.parametrize(
    ("changes", "cost"),
    [
        ({}, Decimal("17.52")),
        ({"currencyCode": "EUR"}, None),
        ({"amount": 0}, None),
        ({"amount": None}, None),
        ({"balanceInfo": {"cost": 17.03, "currencyCode": "USD"}}, Decimal("17.03")),
    ],
)
def test_a_card_costs_what_the_account_paid(
    server: Server, http: HttpClient, changes: dict[str, Any], cost: Decimal | None
) -> None:
    server.answers += [SIDE.reported("report_order", **changes), cards((CODES[0], None))]
    assert SIDE.adapter(server.url, http).query(SIDE.attempt(codes=1)).cost == cost


class Scripted(HttpClient):
    """Gives its replies one by one, the last for ever."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        send_by: float | None = None,
    ) -> Reply:
        return Reply(200, {}, self.bodies.pop(0) if len(self.bodies) > 1 else self.bodies[0])


@settings(deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(["transactionId", "customIdentifier", "status", "product", "amount", "balanceInfo"]),
        JSON,
        max_size=2,
    ),
    status=st.sampled_from(["SUCCESSFUL", "PENDING", "FAILED", "REFUNDED", "successful", ""]),
    told=st.lists(st.fixed_dictionaries({}, optional={"cardNumber": TEXTS | JSON, "pinCode": TEXTS | JSON}), max_size=3)
    | JSON,
    codes=st.integers(0, 2),
    submit=st.booleans(),
)
def test_no_transaction_delivers_what_is_not_there(
    changes: dict[str, Any], status: str, told: Any, codes: int, submit: bool
) -> None:
    row = payload("reloadly", "order" if codes else "report_topup")
    row = row if codes else row["content"][0]
    row = row | {"product": SIDE.bought(codes), "status": status} | changes
    first = json.dumps(row if submit else {"content": [row], "totalElements": 1}).encode()
    adapter = SIDE.adapter("http://127.0.0.1:1", Scripted(first, json.dumps(told).encode()))
    attempt = SIDE.attempt(codes=codes, asked=not submit)
    outcome = adapter.submit(attempt) if submit else adapter.query(attempt)
    harmless(outcome, codes)
    assert outcome.kind not in {OutcomeKind.REFUSED, OutcomeKind.NOT_FOUND, OutcomeKind.NOT_SENT}
    assert PHONE not in outcome.evidence
