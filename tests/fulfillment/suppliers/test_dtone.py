"""DT One's own ways: classes of states, errors by number, numbers of the whole world, callbacks of anybody."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from fulfillment.suppliers.base import (
    CallbackRefused,
    Capability,
    Connection,
    OutcomeKind,
    SupplierMisconfigured,
)
from fulfillment.suppliers.dtone import transformers
from fulfillment.suppliers.dtone.adapter import DtOneAdapter
from fulfillment.suppliers.reasons import Reason
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.side_dtone import DtOneSide
from tests.fulfillment.suppliers.sides import CALLBACK_URL, CODES, PHONE, REFERENCE, answer, payload
from tests.fulfillment.suppliers.wire import Answer, Server

SIDE = DtOneSide()


def at_home(server: Server, http: HttpClient, **config: str) -> DtOneAdapter:
    """A connection whose bare numbers are Chinese."""
    known = {"api_key": SIDE.key, "api_secret": SIDE.secret, "calling_code": "86", **config}
    return DtOneAdapter(Connection("yuanyang", f"{server.url}/v1", known, currency="USD"), http)


def errors(*numbers: int, status: int) -> Answer:
    return answer({"errors": [{"code": number, "message": "as documented"} for number in numbers]}, status)


def of_class(kind: object, **changes: Any) -> Answer:
    return SIDE.told(
        "submitted", status={"id": 1, "message": "WORDS", "class": {"id": kind, "message": "X"}}, **changes
    )


# --- buying -----------------------------------------------------------------------------------------------------------


def test_a_purchase_is_created_and_confirmed_in_one_step(server: Server, http: HttpClient) -> None:
    server.answers.append(SIDE.accepted())
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/v1/async/transactions")
    assert asked.headers["authorization"] == SIDE.authorization()
    assert json.loads(asked.body) == {
        "external_id": REFERENCE,
        "product_id": 5310,
        "auto_confirm": True,
        "credit_party_identifier": {"mobile_number": "+6598123456"},
        "callback_url": CALLBACK_URL,
    }
    assert (outcome.kind, outcome.supplier_reference) == (OutcomeKind.ACCEPTED, "3981640212")
    assert outcome.cost == Decimal("7.17")


def test_what_is_over_at_once_is_told_at_once(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    server.answers.extend([SIDE.told("completed", 201), SIDE.told("completed_pin", 201), SIDE.told("rejected", 201)])
    assert adapter.submit(SIDE.attempt()).kind is OutcomeKind.DELIVERED
    bought = adapter.submit(SIDE.attempt(codes=1))
    assert (bought.kind, bought.items) == (OutcomeKind.DELIVERED, ("KQ7M-2XWZ-4T8H-RB5N",))
    refused = adapter.submit(SIDE.attempt())
    assert (refused.kind, refused.eliminates) == (OutcomeKind.FAILED, False)
    assert refused.message == "rejected operator currently unavailable"


@pytest.mark.parametrize(
    ("written", "calling_code", "sent"),
    [
        ("+6598123456", "", "+6598123456"),
        (" +65 9812-3456 ", "86", "+6598123456"),
        ("00 65 98123456", "", "+6598123456"),
        ("+1 (415) 555.0100", "", "+14155550100"),
        (PHONE, "86", f"+86{PHONE}"),
        (PHONE, "", None),
        ("098123456", "65", None),
        ("+0123456789", "", None),
        ("+65", "", None),
        ("+65981234567890123", "", None),
        ("+６５９８１２３４５６", "", None),
        ("nobody", "86", None),
        ("", "86", None),
    ],
)
def test_a_number_is_sent_only_if_its_country_is_certain(written: str, calling_code: str, sent: str | None) -> None:
    assert transformers.mobile_number(written, calling_code) == sent


def test_goods_for_nobody_are_not_sent(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    for account in ({}, {"phone": PHONE}, {"account": " "}, {"account": "x" * 65}, {"email": "kameng@example.com"}):
        outcome = adapter.submit(replace(SIDE.attempt(), account=account))
        assert (outcome.kind, outcome.code) == (OutcomeKind.NOT_SENT, Reason.MISSING_ACCOUNT)
    assert server.asked == []


@pytest.mark.parametrize(
    ("account", "party"),
    [
        ({"account": "482019375", "server": "EU"}, {"account_number": "482019375", "account_qualifier": "EU"}),
        ({"uid": "482019375", "zone": "2"}, {"account_number": "482019375", "account_qualifier": "2"}),
        ({"uid": "4820", "phone": PHONE}, {"account_number": "4820", "mobile_number": f"+86{PHONE}"}),
        ({"phone": "+6598123456", "server": "EU"}, {"mobile_number": "+6598123456"}),
    ],
)
def test_the_account_goes_where_they_expect_it(
    server: Server, http: HttpClient, account: Mapping[str, str], party: Mapping[str, str]
) -> None:
    server.answers.append(SIDE.accepted())
    outcome = at_home(server, http).submit(replace(SIDE.attempt(), account=account))
    assert json.loads(server.asked[0].body)["credit_party_identifier"] == party
    for value in (*account.values(), *party.values()):
        assert len(value) < 4 or value not in outcome.evidence


@pytest.mark.parametrize(("number", "reason"), [(key, why) for key, why in transformers.REFUSALS.items()])
def test_each_refusal_counts_with_its_status_alone(
    server: Server, http: HttpClient, number: tuple[int, int], reason: Reason
) -> None:
    status, code = number
    adapter = SIDE.adapter(server.url, http)
    server.answers.extend([errors(code, status=status), errors(code, status=422), errors(code, 1007999, status=status)])
    refused = adapter.submit(SIDE.attempt())
    assert (refused.kind, refused.code) == (OutcomeKind.REFUSED, reason)
    assert refused.eliminates == (code in {1000401, 1006001})
    assert f'"error_code":"{code}"' in refused.evidence
    for _ in range(2):
        assert adapter.submit(SIDE.attempt()).kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (400, 1007001, Reason.DUPLICATE),
        (404, 1000404, Reason.UNKNOWN_CODE),
        (404, 1006009, Reason.UNKNOWN_CODE),
        (400, 1007500, Reason.UNKNOWN_CODE),
        (429, 1000429, Reason.HTTP_STATUS),
        (500, 1009001, Reason.HTTP_STATUS),
        (503, 1009503, Reason.HTTP_STATUS),
        (500, 1006001, Reason.HTTP_STATUS),
    ],
)
def test_what_may_have_been_bought_is_unknown(
    server: Server, http: HttpClient, status: int, code: int, reason: Reason
) -> None:
    server.answers.append(errors(code, status=status))
    outcome = SIDE.adapter(server.url, http).submit(SIDE.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.UNKNOWN, reason, False)


# --- asking -----------------------------------------------------------------------------------------------------------


def test_a_purchase_without_their_number_is_asked_by_ours(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    listed = Answer(200, json.dumps([payload("dtone", "completed")]).encode())
    server.answers.extend([listed, SIDE.told("completed")])
    assert adapter.query(SIDE.attempt()).kind is OutcomeKind.DELIVERED
    assert adapter.query(SIDE.attempt(asked=True)).kind is OutcomeKind.DELIVERED
    assert [asked.path for asked in server.asked] == [
        f"/v1/transactions?external_id={REFERENCE}",
        "/v1/transactions/3981640212",
    ]


def test_only_their_own_word_says_that_there_is_none(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    one = payload("dtone", "completed")
    server.answers.extend(
        [
            SIDE.told("not_found", 404),
            SIDE.told("not_found", 404),
            SIDE.told("not_found", 400),
            Answer(404, b"<html>not here</html>"),
            Answer(200, b"[]"),
            Answer(200, json.dumps([one, one]).encode()),
            Answer(200, json.dumps(one).encode()),
            Answer(200, json.dumps([one | {"external_id": REFERENCE[::-1]}]).encode()),
        ]
    )
    missing = adapter.query(SIDE.attempt())
    assert (missing.kind, missing.code) == (OutcomeKind.NOT_FOUND, Reason.NO_SUCH_ORDER)
    vanished = adapter.query(SIDE.attempt(asked=True))
    assert (vanished.kind, vanished.code) == (OutcomeKind.UNKNOWN, Reason.NO_SUCH_ORDER)
    codes = [adapter.query(SIDE.attempt()) for _ in range(6)]
    assert {outcome.kind for outcome in codes} == {OutcomeKind.UNKNOWN}
    assert [outcome.code for outcome in codes] == [
        Reason.UNKNOWN_CODE,
        Reason.HTTP_STATUS,
        Reason.NO_SUCH_ORDER,
        Reason.OTHER_ORDER,
        Reason.UNREADABLE,
        Reason.OTHER_ORDER,
    ]


@pytest.mark.parametrize(
    ("kind", "end", "code"),
    [
        (1, OutcomeKind.ACCEPTED, ""),
        (2, OutcomeKind.ACCEPTED, ""),
        (3, OutcomeKind.FAILED, Reason.FAILED),
        (4, OutcomeKind.FAILED, Reason.CANCELED),
        (5, OutcomeKind.ACCEPTED, ""),
        (7, OutcomeKind.DELIVERED, ""),
        (8, OutcomeKind.REVERSED, Reason.REFUNDED),
        (9, OutcomeKind.FAILED, Reason.FAILED),
        *((odd, OutcomeKind.UNKNOWN, Reason.UNKNOWN_STATE) for odd in (0, 6, 10, -7, "7", True, 7.0, None)),
    ],
)
def test_the_class_of_a_state_decides_alone(
    server: Server, http: HttpClient, kind: object, end: OutcomeKind, code: str
) -> None:
    server.answers.append(of_class(kind))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (end, code)


@pytest.mark.parametrize("status", [None, {}, {"class": None}, {"class": 7}, {"id": 7, "message": "COMPLETED"}, "7"])
def test_a_status_without_its_class_is_unknown(server: Server, http: HttpClient, status: object) -> None:
    server.answers.append(SIDE.told("completed", status=status))
    assert SIDE.adapter(server.url, http).query(SIDE.attempt(asked=True)).kind is OutcomeKind.UNKNOWN


def test_a_pin_where_none_belongs_is_for_a_person(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    pin = {"code": CODES[0], "serial": None}
    server.answers.extend([SIDE.told("completed", pin=pin), SIDE.told("declined", pin=pin)])
    for _ in range(2):
        outcome = adapter.query(SIDE.attempt(asked=True))
        assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.UNKNOWN_STATE)
        assert CODES[0] not in repr(outcome)


@pytest.mark.parametrize(
    ("pin", "items", "reason"),
    [
        ({"code": CODES[0], "serial": "8801234567"}, (f"8801234567 {CODES[0]}",), ""),
        ({"code": CODES[0], "serial": " "}, (CODES[0],), ""),
        ({"code": CODES[0], "serial": CODES[0]}, (CODES[0],), ""),
        ({"code": CODES[0]}, (CODES[0],), ""),
        ({"code": None, "serial": "8801234567"}, (), Reason.EMPTY_CODE),
        ({"code": "pending", "serial": "8801234567"}, (), Reason.PLACEHOLDER),
        ({"code": 4810293, "serial": None}, (), Reason.MISSING_FIELDS),
        ({"code": CODES[0], "serial": 88}, (), Reason.MISSING_FIELDS),
        (None, (), Reason.EMPTY_CODE),
        ([CODES[0]], (), Reason.MISSING_FIELDS),
    ],
)
def test_a_code_comes_with_its_serial_number(
    server: Server, http: HttpClient, pin: object, items: tuple[str, ...], reason: str
) -> None:
    server.answers.append(SIDE.told("completed_pin", pin=pin))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(codes=1, asked=True))
    assert (outcome.items, outcome.code) == (items, reason)
    assert outcome.kind is (OutcomeKind.DELIVERED if items else OutcomeKind.UNKNOWN)
    assert CODES[0] not in outcome.evidence + repr(outcome)


def test_another_product_or_number_is_another_purchase(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    server.answers.extend([SIDE.told("completed", product={"id": 5311}), SIDE.told("completed", id=3981640213)])
    for _ in range(2):
        outcome = adapter.query(SIDE.attempt(asked=True))
        assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.OTHER_ORDER)


@pytest.mark.parametrize(
    "wholesale",
    [
        None,
        {"amount": 7.12, "fee": 0, "unit": "EUR", "unit_type": "CURRENCY"},
        {"amount": 0, "fee": 0, "unit": "USD", "unit_type": "CURRENCY"},
        {"amount": {"min": 1, "max": 2}, "fee": 0, "unit": "USD", "unit_type": "CURRENCY"},
        {"amount": 7.12, "fee": "much", "unit": "USD", "unit_type": "CURRENCY"},
    ],
)
def test_a_cost_that_is_not_told_in_our_currency_is_none(server: Server, http: HttpClient, wholesale: object) -> None:
    server.answers.append(SIDE.told("completed", prices={"wholesale": wholesale, "retail": None}))
    outcome = SIDE.adapter(server.url, http).query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.cost) == (OutcomeKind.DELIVERED, None)


# --- taking back ------------------------------------------------------------------------------------------------------


def test_a_purchase_is_taken_back_while_it_is_not_confirmed(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    told = [("cancelled", 202), ("not_cancellable", 400), ("not_found", 404), ("submitted", 202), ("cancelled", 200)]
    server.answers.extend(SIDE.told(name, status) for name, status in told)
    canceled = adapter.cancel(SIDE.attempt(asked=True))
    assert (canceled.kind, canceled.code) == (OutcomeKind.FAILED, Reason.CANCELED)
    assert (server.asked[0].method, server.asked[0].path) == ("POST", "/v1/transactions/3981640212/cancel")
    late = adapter.cancel(SIDE.attempt(asked=True))
    assert (late.kind, late.code) == (OutcomeKind.UNKNOWN, Reason.TOO_LATE)
    assert {adapter.cancel(SIDE.attempt(asked=True)).kind for _ in range(3)} == {OutcomeKind.UNKNOWN}
    assert adapter.cancel(SIDE.attempt()).code == Reason.NO_REFERENCE
    assert len(server.asked) == 5


# --- callbacks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "event"),
    [("callback", "3981640212:7"), ("callback_reversed", "3981640212:8"), ("declined", "3981640212:9")],
)
def test_a_callback_rings_and_proves_nothing(server: Server, http: HttpClient, name: str, event: str) -> None:
    adapter = SIDE.adapter(server.url, http)
    claim = adapter.parse_callback(headers={}, body=json.dumps(payload("dtone", name)).encode())
    assert (claim.reference, claim.event_id, claim.outcome) == (REFERENCE, f"{REFERENCE}:{event}", None)
    assert not {Capability.CALLBACK_SIGNED, Capability.CALLBACK_COVERS_RESULT} & adapter.capabilities


@pytest.mark.parametrize(
    "changes",
    [
        {"external_id": None},
        {"external_id": ""},
        {"external_id": "x" * 41},
        {"id": None},
        {"id": "1/../2"},
        {"status": None},
        {"status": {"id": 70000, "message": "COMPLETED"}},
    ],
)
def test_a_callback_about_nothing_is_refused(server: Server, http: HttpClient, changes: dict[str, object]) -> None:
    adapter = SIDE.adapter(server.url, http)
    body = json.dumps({**payload("dtone", "callback"), **changes}).encode()
    for broken in (body, b"", b"[]", body[:-3]):
        with pytest.raises(CallbackRefused, match="malformed"):
            adapter.parse_callback(headers={}, body=broken)


def test_a_callback_is_answered_with_success(server: Server, http: HttpClient) -> None:
    adapter = SIDE.adapter(server.url, http)
    assert adapter.callback_reply(accepted=True)[0] == 200
    assert adapter.callback_reply(accepted=False)[0] == 400


# --- configuration ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("calling_code", ["0", "086", "8612", "china"])
def test_a_calling_code_that_is_none_is_refused(server: Server, http: HttpClient, calling_code: str) -> None:
    with pytest.raises(SupplierMisconfigured, match="calling_code"):
        at_home(server, http, calling_code=calling_code)


@pytest.mark.parametrize("calling_code", ["86", "+86", " 86 "])
def test_a_calling_code_is_read_as_people_write_it(server: Server, http: HttpClient, calling_code: str) -> None:
    server.answers.append(SIDE.accepted())
    at_home(server, http, calling_code=calling_code).submit(replace(SIDE.attempt(), account={"phone": PHONE}))
    assert json.loads(server.asked[0].body)["credit_party_identifier"] == {"mobile_number": f"+86{PHONE}"}
