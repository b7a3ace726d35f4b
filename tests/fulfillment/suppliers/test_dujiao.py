"""dujiao-next's own ways: a repeated number returns the same order, goods are fetched, callbacks are signed."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from fulfillment.suppliers.base import (
    CallbackClaim,
    CallbackRefused,
    Capability,
    Connection,
    OutcomeKind,
    SupplierAdapter,
)
from fulfillment.suppliers.dujiao.adapter import DujiaoAdapter
from fulfillment.suppliers.dujiao.signing import signature
from fulfillment.suppliers.reasons import Reason
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import CALLBACK_URL, CODES, NOW, PHONE, REFERENCE, DujiaoSide, answer, payload
from tests.fulfillment.suppliers.wire import Answer, Reset, Server, Silence

SIDE = DujiaoSide()
ORDERS = "/suppliers/yunka/api/v1/upstream/orders"


@pytest.fixture
def adapter(server: Server, http: HttpClient) -> SupplierAdapter:
    return SIDE.adapter(server.url, http)


def asked(server: Server) -> list[str]:
    return [
        f"{request.method} {request.path.removeprefix('/suppliers/yunka/api/v1/upstream')}" for request in server.asked
    ]


def test_an_order_is_signed_over_the_path_as_sent(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.accepted())
    adapter.submit(SIDE.attempt(codes=2))
    (request,) = server.asked
    assert (request.method, request.path) == ("POST", ORDERS)
    assert request.headers["dujiao-next-api-key"] == SIDE.key
    assert request.headers["dujiao-next-timestamp"] == str(NOW)
    assert request.headers["dujiao-next-signature"] == SIDE.sign("POST", ORDERS, NOW, request.body)
    assert json.loads(request.body) == {
        "sku_id": 1,
        "quantity": 2,
        "downstream_order_no": REFERENCE,
        "trace_id": REFERENCE,
        "callback_url": CALLBACK_URL,
    }


def test_the_published_signature_example_holds() -> None:
    body = b'{"sku_id":1,"quantity":1}'
    signed = SIDE.sign("POST", "/api/v1/upstream/orders", 1772366400, body, secret="your_api_secret")
    assert signed == signature(
        "your_api_secret", method="POST", path="/api/v1/upstream/orders", timestamp=1772366400, body=body
    )


def test_a_question_is_signed_over_an_empty_body(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.pending())
    adapter.query(SIDE.attempt(asked=True))
    (request,) = server.asked
    assert request.body == b""
    assert request.headers["dujiao-next-signature"] == SIDE.sign("GET", f"{ORDERS}/101", NOW, b"")


def test_an_account_is_sent_as_the_form_of_a_manual_product(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.accepted())
    adapter.submit(replace(SIDE.attempt(), callback_url=""))
    body = json.loads(server.asked[0].body)
    assert body["manual_form_data"] == {"account": "kameng.buyer@example.com", "phone": PHONE}
    assert "callback_url" not in body


def test_a_question_without_their_number_repeats_ours(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.accepted())
    outcome = adapter.query(SIDE.attempt())
    assert (outcome.kind, outcome.supplier_reference) == (OutcomeKind.ACCEPTED, "101")
    assert asked(server) == ["POST /orders"]


def test_a_repeat_that_finds_a_finished_order_fetches_its_goods(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.extend([SIDE.told("created", status="completed"), SIDE.delivered(CODES[:1])])
    outcome = adapter.query(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.items, outcome.cost) == (OutcomeKind.DELIVERED, CODES[:1], Decimal("9.90"))
    assert asked(server) == ["POST /orders", "GET /orders/101"]


def test_goods_that_are_ready_at_once_come_with_the_purchase(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.extend([SIDE.told("created", status="delivered"), SIDE.delivered(CODES[:2])])
    outcome = adapter.submit(SIDE.attempt(codes=2))
    assert (outcome.kind, outcome.items) == (OutcomeKind.DELIVERED, CODES[:2])


@pytest.mark.parametrize("broken", [Reset(), Silence()])
def test_goods_that_could_not_be_fetched_are_asked_for_later(
    server: Server, adapter: SupplierAdapter, broken: Reset | Silence
) -> None:
    server.answers.extend([SIDE.told("created", status="completed"), broken])
    outcome = adapter.submit(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.supplier_reference) == (OutcomeKind.ACCEPTED, "101")


def test_goods_of_another_order_than_was_asked_for_are_not_taken(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.extend([SIDE.told("created", status="completed"), SIDE.told("order_completed", order_id=102)])
    outcome = adapter.query(SIDE.attempt(codes=1))
    assert (outcome.kind, outcome.code, outcome.items) == (OutcomeKind.UNKNOWN, Reason.OTHER_ORDER, ())
    assert outcome.supplier_reference == "101"


def test_a_repeat_that_finds_a_canceled_order_is_an_end(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.told("created", status="canceled"))
    outcome = adapter.query(SIDE.attempt())
    assert (outcome.kind, outcome.code) == (OutcomeKind.FAILED, Reason.CANCELED)
    assert asked(server) == ["POST /orders"]


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("insufficient_stock", 409, OutcomeKind.NOT_FOUND),
        ("insufficient_balance", 402, OutcomeKind.NOT_FOUND),
        ("sku_unavailable", 400, OutcomeKind.NOT_FOUND),
        ("product_unavailable", 400, OutcomeKind.NOT_FOUND),
        ("bad_request", 400, OutcomeKind.UNKNOWN),
        ("invalid_callback_url", 400, OutcomeKind.UNKNOWN),
        ("invalid_signature", 401, OutcomeKind.UNKNOWN),
        ("internal_error", 500, OutcomeKind.UNKNOWN),
    ],
)
def test_a_repeat_refused_after_the_look_up_means_no_such_order(
    server: Server, adapter: SupplierAdapter, name: str, status: int, kind: OutcomeKind
) -> None:
    server.answers.append(SIDE.told(name, status))
    assert adapter.query(SIDE.attempt()).kind is kind


@pytest.mark.parametrize(
    ("name", "status", "reason", "eliminates"),
    [
        ("bad_request", 400, Reason.BAD_REQUEST, False),
        ("sku_unavailable", 400, Reason.PRODUCT_UNAVAILABLE, False),
        ("product_unavailable", 400, Reason.PRODUCT_UNAVAILABLE, False),
        ("insufficient_stock", 409, Reason.OUT_OF_STOCK, False),
        ("invalid_callback_url", 400, Reason.BAD_CALLBACK_URL, True),
        ("insufficient_balance", 402, Reason.NO_BALANCE, True),
        ("invalid_signature", 401, Reason.BAD_CREDENTIALS, True),
        ("invalid_signature", 403, Reason.BAD_CREDENTIALS, True),
    ],
)
def test_the_documented_refusals_refuse(
    server: Server, adapter: SupplierAdapter, name: str, status: int, reason: Reason, eliminates: bool
) -> None:
    server.answers.append(SIDE.told(name, status))
    outcome = adapter.submit(SIDE.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.REFUSED, reason, eliminates)
    assert outcome.message == payload("dujiao", name)["error_message"]


def test_an_unpaid_order_is_refused_once_it_is_seen_canceled(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.extend([SIDE.told("payment_failed"), SIDE.told("order_canceled")])
    outcome = adapter.submit(SIDE.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.REFUSED, Reason.NO_BALANCE, True)
    assert asked(server) == ["POST /orders", "GET /orders/101"]


def test_a_payment_that_failed_for_another_reason_does_not_eliminate(server: Server, adapter: SupplierAdapter) -> None:
    failed = SIDE.told("payment_failed", error_message="wallet payment failed: record locked")
    server.answers.extend([failed, SIDE.told("order_canceled")])
    outcome = adapter.submit(SIDE.attempt())
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.REFUSED, Reason.PAYMENT_FAILED, False)


@pytest.mark.parametrize(
    ("second", "kind"),
    [
        (SIDE.told("order_paid"), OutcomeKind.ACCEPTED),
        (SIDE.told("order_completed"), OutcomeKind.DELIVERED),
        (SIDE.told("internal_error", 500), OutcomeKind.UNKNOWN),
        (SIDE.told("order_not_found", 404), OutcomeKind.UNKNOWN),
        (Reset(), OutcomeKind.UNKNOWN),
        (Answer(200, b"<html>"), OutcomeKind.UNKNOWN),
    ],
)
def test_an_unpaid_order_that_is_not_seen_canceled_is_no_refusal(
    server: Server, adapter: SupplierAdapter, second: Answer | Reset, kind: OutcomeKind
) -> None:
    server.answers.extend([SIDE.told("payment_failed"), second])
    outcome = adapter.submit(SIDE.attempt(codes=1))
    assert outcome.kind is kind
    assert not outcome.eliminates


def test_a_repeat_whose_payment_failed_leaves_the_first_open(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.extend([SIDE.told("payment_failed"), SIDE.told("order_canceled")])
    outcome = adapter.query(SIDE.attempt())
    assert (outcome.kind, outcome.supplier_reference) == (OutcomeKind.NOT_FOUND, "")


@pytest.mark.parametrize(
    "changes",
    [
        *(
            {"order_id": wrong}
            for wrong in (None, "", "../ping", "1/cancel", "1?x=1", "1 1", "9" * 65, 1.5, True, [101])
        ),
        *({"status": wrong} for wrong in (None, "", 1.5, ["paid"])),
        *({"ok": wrong} for wrong in (None, 1, "true", False)),
    ],
)
def test_an_order_without_its_fields_is_unknown(
    server: Server, adapter: SupplierAdapter, changes: Mapping[str, Any]
) -> None:
    server.answers.append(SIDE.told("created", **changes))
    assert adapter.submit(SIDE.attempt()).kind is OutcomeKind.UNKNOWN


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *(
            (status, OutcomeKind.ACCEPTED)
            for status in ("pending_payment", "paid", "fulfilling", "partially_delivered")
        ),
        *((status, OutcomeKind.FAILED) for status in ("canceled", "cancelled")),
        *((status, OutcomeKind.REVERSED) for status in ("refunded", "partially_refunded")),
        *((status, OutcomeKind.UNKNOWN) for status in ("expired", "archived", "deliver", "0")),
    ],
)
def test_their_states_are_ours(server: Server, adapter: SupplierAdapter, status: str, kind: OutcomeKind) -> None:
    server.answers.append(SIDE.told("order_paid", status=status))
    outcome = adapter.query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.items) == (kind, ())


def test_a_refund_after_delivery_is_a_reversal(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.told("order_completed", status="refunded"))
    outcome = adapter.query(SIDE.attempt(codes=1, asked=True))
    assert (outcome.kind, outcome.items) == (OutcomeKind.REVERSED, ())


def test_a_canceled_order_that_shows_goods_is_unknown(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.told("order_completed", status="canceled"))
    assert adapter.query(SIDE.attempt(codes=1, asked=True)).kind is OutcomeKind.UNKNOWN


def test_what_a_person_wrote_for_one_piece_is_one_item(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.told("order_manual"))
    outcome = adapter.query(SIDE.attempt(codes=1, asked=True))
    assert (outcome.kind, outcome.items) == (OutcomeKind.DELIVERED, ("账号 kameng001\n密码 Qx7rT2mP",))
    assert "Qx7rT2mP" not in repr(outcome) + outcome.evidence


@pytest.mark.parametrize(
    "fulfillment",
    [
        None,
        {},
        [],
        "ABCD-EFGH",
        {"type": "auto", "status": "pending", "payload": CODES[0]},
        {"type": "auto", "status": ["delivered"], "payload": CODES[0]},
        {"type": "auto", "status": "delivered", "payload": None},
        {"type": "auto", "status": "delivered", "payload": [CODES[0]]},
        {"type": "auto", "status": "delivered", "payload": {"code": CODES[0]}},
        {"type": "auto", "status": "delivered", "payload": ""},
        {"type": "auto", "status": "delivered", "payload": " \n \n"},
        {"type": "manual", "status": "delivered", "payload": "库存不足\n请联系客服退款"},
    ],
)
def test_a_finished_order_without_its_goods_is_unknown(
    server: Server, adapter: SupplierAdapter, fulfillment: object
) -> None:
    server.answers.append(SIDE.told("order_completed", fulfillment=fulfillment))
    outcome = adapter.query(SIDE.attempt(codes=1, asked=True))
    assert (outcome.kind, outcome.items) == (OutcomeKind.UNKNOWN, ())


def test_an_apology_for_a_top_up_is_no_delivery(server: Server, adapter: SupplierAdapter) -> None:
    fulfillment = payload("dujiao", "order_manual")["fulfillment"] | {"payload": "充值失败，请联系客服"}
    server.answers.append(SIDE.told("order_manual", fulfillment=fulfillment))
    outcome = adapter.query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.PLACEHOLDER)


@pytest.mark.parametrize(
    "items",
    [[], [None], "1", [{"sku_id": 2, "quantity": 1}], [{"sku_id": 1, "quantity": 2}], [{"sku_id": 1}, {"sku_id": 1}]],
)
def test_an_order_of_other_goods_is_not_ours(server: Server, adapter: SupplierAdapter, items: object) -> None:
    server.answers.append(SIDE.told("order_completed", items=items))
    assert adapter.query(SIDE.attempt(codes=1, asked=True)).kind is OutcomeKind.UNKNOWN


def test_a_repeat_that_returns_another_order_than_before_is_unknown(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.told("created", order_id=102))
    outcome = adapter.submit(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.OTHER_ORDER)


def test_an_order_they_no_longer_know_is_not_simply_missing(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.told("order_not_found", 404))
    outcome = adapter.query(SIDE.attempt(asked=True))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.NO_SUCH_ORDER)


@pytest.mark.parametrize(("currency", "cost"), [("CNY", Decimal("9.90")), (None, Decimal("9.90")), ("USD", None)])
def test_a_cost_in_another_currency_is_no_cost(
    server: Server, adapter: SupplierAdapter, currency: str | None, cost: Decimal | None
) -> None:
    server.answers.append(SIDE.told("created", currency=currency))
    assert adapter.submit(SIDE.attempt()).cost == cost


@pytest.mark.parametrize("amount", ["", "-1", "1e9", "NaN", "９.９", None, True, ["9.90"], "9" * 20])
def test_a_cost_that_is_no_amount_is_no_cost(server: Server, adapter: SupplierAdapter, amount: object) -> None:
    server.answers.append(SIDE.told("created", amount=amount))
    outcome = adapter.submit(SIDE.attempt())
    assert (outcome.kind, outcome.cost) == (OutcomeKind.ACCEPTED, None)


def test_cancel_is_believed_when_they_say_canceled(server: Server, adapter: SupplierAdapter) -> None:
    server.answers.append(SIDE.told("canceled"))
    assert adapter.cancel(SIDE.attempt(asked=True)).kind is OutcomeKind.FAILED
    assert asked(server) == ["POST /orders/101/cancel"]


@pytest.mark.parametrize(
    "reply",
    [
        SIDE.told("cancel_not_allowed", 409),
        SIDE.told("order_not_found", 404),
        SIDE.told("internal_error", 500),
        SIDE.told("canceled", status="paid"),
        SIDE.told("canceled", order_id=102),
        SIDE.told("canceled", ok=False),
        Reset(),
    ],
)
def test_a_cancel_that_is_not_confirmed_leaves_it_open(
    server: Server, adapter: SupplierAdapter, reply: Answer | Reset
) -> None:
    server.answers.append(reply)
    assert adapter.cancel(SIDE.attempt(asked=True)).kind is OutcomeKind.UNKNOWN


def test_an_attempt_without_their_number_cannot_be_canceled(server: Server, adapter: SupplierAdapter) -> None:
    assert adapter.cancel(SIDE.attempt()).code == Reason.NO_REFERENCE
    assert server.asked == []


@pytest.mark.parametrize(
    ("changes", "status", "balance"),
    [
        ({}, 200, Decimal("1000.00")),
        ({"currency": "USD"}, 200, None),
        ({"balance": "-1"}, 200, None),
        ({"ok": False}, 200, None),
        ({}, 500, None),
    ],
)
def test_the_balance_is_asked_with_a_ping(
    server: Server, adapter: SupplierAdapter, changes: Mapping[str, Any], status: int, balance: Decimal | None
) -> None:
    server.answers.append(SIDE.told("ping", status, **changes))
    assert adapter.balance() == balance
    assert asked(server) == ["POST /ping"]


def callback(
    *,
    stamp: int | str = NOW,
    key: str = SIDE.key,
    secret: str = "",
    path: str = "/api/v1/upstream/callback",
    method: str = "POST",
    **changes: Any,
) -> tuple[dict[str, str], bytes]:
    """Headers and body of a callback about our order, wrong where told."""
    fields = payload("dujiao", "callback_fulfilled") | {"downstream_order_no": REFERENCE} | changes
    body = json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()
    headers = {
        "dujiao-next-api-key": key,
        "dujiao-next-timestamp": str(stamp),
        "dujiao-next-signature": SIDE.sign(method, path, stamp, body, secret=secret),
    }
    return headers, body


def test_a_genuine_callback_carries_its_result(adapter: SupplierAdapter) -> None:
    headers, body = callback()
    claim = adapter.parse_callback(headers=headers, body=body)
    assert claim.reference == REFERENCE
    assert claim.outcome is not None
    assert (claim.outcome.kind, claim.outcome.items) == (OutcomeKind.DELIVERED, ("ABCD-EFGH-1234-5678",))
    assert claim.outcome.supplier_reference == "101"
    assert "ABCD-EFGH" not in repr(claim) + claim.outcome.evidence
    assert Capability.CALLBACK_COVERS_RESULT in adapter.capabilities


def test_a_repeated_callback_is_the_same_event(adapter: SupplierAdapter) -> None:
    first, again = callback(), callback(stamp=NOW + 30, timestamp=1772366490)
    events = {adapter.parse_callback(headers=headers, body=body).event_id for headers, body in (first, again)}
    assert events == {"101:completed:served"}


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"status": "paid", "fulfillment": ...}, OutcomeKind.ACCEPTED),
        ({"status": "canceled", "fulfillment": ...}, None),
        ({"status": "refunded"}, OutcomeKind.REVERSED),
        ({"status": "delivered", "fulfillment": ...}, None),
        ({"status": "archived"}, None),
        ({"fulfillment": {"type": "auto", "status": "delivered", "payload": "请联系客服"}}, None),
        ({"fulfillment": {"type": "manual", "status": "delivered", "payload": "账号 abc123\n密码 def456"}}, None),
    ],
)
def test_a_callback_says_only_what_it_proves(
    adapter: SupplierAdapter, changes: Mapping[str, Any], kind: OutcomeKind | None
) -> None:
    headers, body = callback(**changes)
    claim: CallbackClaim = adapter.parse_callback(headers=headers, body=body)
    assert (claim.outcome.kind if claim.outcome else None) == kind


def forged() -> dict[str, tuple[dict[str, str], bytes]]:
    headers, body = callback()
    return {
        "no headers": ({}, body),
        "no key": ({**headers, "dujiao-next-api-key": ""}, body),
        "no time": ({**headers, "dujiao-next-timestamp": ""}, body),
        "no signature": ({**headers, "dujiao-next-signature": ""}, body),
        "other key": callback(key="dj_other"),
        "other secret": callback(secret="other"),
        "other path": callback(path="/api/v1/upstream/orders"),
        "our path": callback(path="/webhooks/suppliers/yunka/"),
        "other method": callback(method="GET"),
        "61 s old": callback(stamp=NOW - 61),
        "61 s early": callback(stamp=NOW + 61),
        "old": callback(stamp=0),
        "other time": ({**headers, "dujiao-next-timestamp": str(NOW + 1)}, body),
        "signed time": callback(stamp=f"+{NOW}"),
        "padded time": callback(stamp=f"0{NOW}"),
        "spaced time": callback(stamp=f" {NOW}"),
        "time in words": callback(stamp="now"),
        "full-width time": callback(stamp="".join(chr(ord(digit) + 0xFEE0) for digit in str(NOW))),
        "upper-case signature": (
            {**headers, "dujiao-next-signature": headers["dujiao-next-signature"].upper()},
            body,
        ),
        "non-ascii signature": ({**headers, "dujiao-next-signature": "签" * 64}, body),
        "other body": (headers, body.replace(b"ABCD", b"EFGH")),
        "other order": (headers, body.replace(REFERENCE.encode(), REFERENCE[::-1].encode())),
        "cut body": (headers, body[:-1]),
        "empty body": (headers, b""),
    }


@pytest.mark.parametrize("what", forged())
def test_forged_callbacks_are_refused(adapter: SupplierAdapter, what: str) -> None:
    headers, body = forged()[what]
    with pytest.raises(CallbackRefused) as refused:
        adapter.parse_callback(headers=headers, body=body)
    assert SIDE.secret not in str(refused.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"downstream_order_no": ...},
        {"downstream_order_no": ""},
        {"status": ...},
        {"order_id": ...},
        {"fulfillment": "x"},
    ],
)
def test_genuine_but_incomplete_callbacks_are_refused(adapter: SupplierAdapter, changes: Mapping[str, Any]) -> None:
    headers, body = callback(**changes)
    with pytest.raises(CallbackRefused, match="malformed"):
        adapter.parse_callback(headers=headers, body=body)


@pytest.mark.parametrize("stamp", [NOW - 60, NOW, NOW + 60])
def test_a_minute_of_difference_is_allowed(adapter: SupplierAdapter, stamp: int) -> None:
    headers, body = callback(stamp=stamp)
    assert adapter.parse_callback(headers=headers, body=body).reference == REFERENCE


def test_they_stop_at_ok(adapter: SupplierAdapter) -> None:
    status, content_type, body = adapter.callback_reply(accepted=True)
    assert (status, content_type, json.loads(body)["ok"]) == (200, "application/json", True)
    status, _, body = adapter.callback_reply(accepted=False)
    assert (status, json.loads(body)["ok"]) == (400, False)


def test_the_real_address_has_no_prefix(http: HttpClient, server: Server) -> None:
    server.answers.append(answer(payload("dujiao", "created")))
    config = {"api_key": SIDE.key, "api_secret": SIDE.secret}
    DujiaoAdapter(Connection("baihe", server.url, config, clock=lambda: NOW), http).submit(SIDE.attempt())
    (request,) = server.asked
    assert request.path == "/api/v1/upstream/orders"
    assert request.headers["dujiao-next-signature"] == SIDE.sign("POST", request.path, NOW, request.body)
