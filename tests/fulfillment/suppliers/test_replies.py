"""Reading, judging and redacting, alone and under whatever a generator makes up."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fulfillment.suppliers
from fulfillment.suppliers.base import Connection, Outcome, OutcomeKind, SupplierMisconfigured
from fulfillment.suppliers.evidence import LIMIT, Evidence, masked, scrubbed
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.registry import ADAPTERS, adapter_class
from fulfillment.suppliers.replies import (
    Unclear,
    amount,
    checked_codes,
    is_placeholder,
    json_object,
    name,
    sku_as_sent,
    whole,
)
from kameng.core.http import HttpClient, Reply
from tests.fulfillment.suppliers.every_side import SIDES
from tests.fulfillment.suppliers.sides import CODES, FuluSide, Side, payload


class Canned(HttpClient):
    """Says the same thing to everything."""

    def __init__(self, status: int, body: bytes) -> None:
        self.reply = Reply(status, {}, body)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        send_by: float | None = None,
    ) -> Reply:
        return self.reply


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=40)
    | st.sampled_from(["success", "paid"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
STATES = st.sampled_from(["success", "completed", "delivered", "failed", "canceled", "processing", "paid", "refunded"])
TEXTS = st.sampled_from(
    ["", " ", "请联系客服", "处理中", CODES[0], CODES[0] + "\n" + CODES[1], "\n", "****", "null", "缺货"]
)


def ask(side: Side, body: bytes, *, status: int = 200, codes: int = 1, submit: bool = False) -> Outcome:
    adapter = side.adapter("http://127.0.0.1:1", Canned(status, body))
    attempt = side.attempt(codes=codes, asked=not submit)
    return adapter.submit(attempt) if submit else adapter.query(attempt)


def harmless(outcome: Outcome, codes: int) -> None:
    """Either no delivery, or one of as many real codes as were bought."""
    if outcome.kind is OutcomeKind.DELIVERED:
        assert len(outcome.items) == codes
        assert not any(is_placeholder(item) for item in outcome.items)
    else:
        assert outcome.items == ()
    assert len(outcome.evidence) <= LIMIT


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.name)
@settings(deadline=None)
@given(body=st.binary(max_size=200), status=st.sampled_from([200, 400, 402, 409, 500]), submit=st.booleans())
def test_no_bytes_are_a_delivery_or_a_refusal(side: Side, body: bytes, status: int, submit: bool) -> None:
    assert ask(side, body, status=status, submit=submit).kind is OutcomeKind.UNKNOWN


@settings(deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(["order_id", "status", "ok", "items", "fulfillment", "amount", "currency"]), JSON, max_size=3
    ),
    fulfillment=st.fixed_dictionaries(
        {}, optional={"payload": TEXTS | JSON, "type": JSON | st.just("manual"), "status": JSON | st.just("delivered")}
    ),
    state=STATES,
    codes=st.integers(0, 2),
    submit=st.booleans(),
)
def test_no_dujiao_order_delivers_what_is_not_there(
    changes: dict[str, Any], fulfillment: dict[str, Any], state: str, codes: int, submit: bool
) -> None:
    fields = payload("dujiao", "order_completed")
    del fields["items"]
    fields = fields | {"status": state, "fulfillment": fulfillment} | changes
    harmless(ask(SIDES[1], json.dumps(fields).encode(), codes=codes, submit=submit), codes)


@settings(deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(
            ["order_id", "customer_order_no", "order_state", "cards", "buy_num", "product_id", "order_price"]
        ),
        JSON,
        max_size=3,
    ),
    cards=st.lists(
        st.fixed_dictionaries(
            {}, optional={"card_pwd": TEXTS.map(FuluSide.seal) | JSON, "card_number": TEXTS.map(FuluSide.seal) | JSON}
        ),
        max_size=3,
    ),
    state=STATES,
    codes=st.integers(0, 2),
    submit=st.booleans(),
)
def test_no_fulu_order_delivers_what_is_not_there(
    changes: dict[str, Any], cards: list[dict[str, Any]], state: str, codes: int, submit: bool
) -> None:
    told = {"cards": cards, "order_state": state, "buy_num": codes or 1} | changes
    body = FuluSide.told("order_cards" if codes else "order_success", **told).body
    harmless(ask(SIDES[0], body, codes=codes, submit=submit), codes)


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.name)
@settings(deadline=None)
@given(fields=st.dictionaries(st.sampled_from(["code", "message", "result", "sign", "ok", "error_code"]), JSON))
@example(fields={"code": 0, "result": "{}", "sign": "x"})
@example(fields={"code": 3004, "message": ["库存不足"]})
@example(fields={"ok": False, "error_code": ["insufficient_stock"]})
@example(fields={"ok": False, "error_code": {"insufficient_stock": 1}})
def test_no_envelope_breaks_the_reader(side: Side, fields: dict[str, Any]) -> None:
    for submit in (True, False):
        outcome = ask(side, json.dumps(fields).encode(), submit=submit)
        assert outcome.kind in {OutcomeKind.UNKNOWN, OutcomeKind.REFUSED, OutcomeKind.NOT_FOUND}
        assert submit or outcome.kind is not OutcomeKind.REFUSED


@pytest.mark.parametrize(
    "code",
    [
        *CODES,
        "AB12-NONE-CD34-TRUE",
        "TEST7-QX2MP",
        "卡号：8800123 密码：Qx7rT2mP",
        "https://redeem.example/k/Qx7rT2mP",
        "1234567",
    ],
)
def test_a_real_code_is_one(code: str) -> None:
    assert not is_placeholder(code)
    assert checked_codes([f"  {code} "], quantity=1) == (code,)


@pytest.mark.parametrize(
    "code", ["AB12\u0000CD34", "AB12\u200bCD34", "AB12\x1b[0mCD34", "AB12\u2028CD34", "AB12\udc00CD34"]
)
def test_a_code_with_something_invisible_inside_is_not_believed(code: str) -> None:
    with pytest.raises(Unclear):
        checked_codes([code], quantity=1)


def test_what_is_invisible_around_a_code_is_left_out() -> None:
    assert checked_codes(["\ufeffAB12-CD34\u200b\r\n"], quantity=1) == ("AB12-CD34",)


@pytest.mark.parametrize(
    ("text", "value"),
    [(5, Decimal(5)), ("9.90", Decimal("9.90")), (Decimal("46.3"), Decimal("46.3")), ("0", Decimal(0))],
)
def test_amounts_are_read(text: object, value: Decimal) -> None:
    assert amount(text) == value


@pytest.mark.parametrize(
    "text",
    [None, True, 1.5, "", "-1", "+1", "1,000", "1e3", "１", "NaN", Decimal("NaN"), Decimal("-1"), 10**9, "9" * 13, []],
)
def test_what_is_no_amount_is_none_and_never_zero(text: object) -> None:
    assert amount(text) is None


@pytest.mark.parametrize(
    ("text", "value"), [(3, 3), ("3", 3), ("-3", -3), (True, None), ("３", None), ("3.0", None), (None, None)]
)
def test_whole_numbers_are_read(text: object, value: int | None) -> None:
    assert whole(text) == value


@pytest.mark.parametrize(
    ("sku", "sent"),
    [("101", 101), ("hok-60", "hok-60"), ("007", "007"), ("9" * 19, "9" * 19), ("0", "0"), ("a b", None), ("１", None)],
)
def test_a_sku_is_sent_as_the_number_it_is(sku: str, sent: object) -> None:
    assert sku_as_sent(sku) == sent
    assert type(sku_as_sent(sku)) is type(sent)


@pytest.mark.parametrize("value", [None, "", "  ", True, 1.5, [], {}])
def test_a_name_must_be_one(value: object) -> None:
    with pytest.raises(Unclear) as unclear:
        name({"key": value}, "key")
    assert unclear.value.reason is Reason.MISSING_FIELDS


def test_fractions_stay_exact() -> None:
    assert json_object(b'{"price":46.30000000000000000001}') == {"price": Decimal("46.30000000000000000001")}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (" 13812345678".strip(), "138****5678"),
        ("482019375", "48****75"),
        ("1234567", "****"),
        ("微信区安卓手机", "****"),
    ],
)
def test_an_account_is_masked(value: str, shown: str) -> None:
    assert masked(value) == shown


def test_a_sentence_loses_what_could_be_a_code() -> None:
    said = scrubbed("order DJ2026 failed: card ABCD-EFGH-1234 for 13812345678, insufficient balance 余额不足")
    assert said == "order … failed: card … for …, insufficient balance 余额不足"


def test_evidence_shows_only_what_is_named() -> None:
    evidence = Evidence(
        plain=frozenset({"id"}), words=frozenset({"message"}), secrets=("quiet-word",), account={"uid": "482019375"}
    )
    evidence.sent("buy", {"id": 7, "charge": "482019375", "note": "free text"})
    told = {
        "id": "A1",
        "message": "no 482019375 quiet-word",
        "code": CODES[0],
        "x" * 50: 1,
        "list": [{"id": 1, "pin": "9"}] * 5,
    }
    evidence.replied(Reply(200, {}, b""), told)
    asked, answered = evidence.text().splitlines()
    assert asked == '→ buy {"id":"7","charge":"48****75","note":"…"}'
    shown = json.loads(answered.removeprefix("← 200 "))
    assert shown["id"] == "A1"
    assert shown["code"] == "…"
    assert shown["list"] == [{"id": "1", "pin": "…"}] * 3 + ["…"]
    assert "quiet-word" not in answered
    assert "482019375" not in answered


def test_evidence_is_short_and_loses_the_codes_it_is_told() -> None:
    evidence = Evidence(plain=frozenset({"id"}), words=frozenset(), secrets=(), account={})
    for _ in range(60):
        evidence.sent("call", {"id": CODES[0], "other": "x" * 100, "id_of_what": 1})
    text = evidence.text([CODES[0]])
    assert len(text) == LIMIT
    assert CODES[0] not in text


def test_the_registry_knows_each_adapter_by_its_code() -> None:
    folders = {path.parent.name for path in Path(fulfillment.suppliers.__path__[0]).glob("*/adapter.py")}
    assert {code: adapter.code for code, adapter in ADAPTERS.items()} == {code: code for code in folders}
    assert adapter_class("fulu") is ADAPTERS["fulu"]
    with pytest.raises(SupplierMisconfigured, match="nobody"):
        adapter_class("nobody")


def test_every_adapter_that_calls_somebody_has_another_side_in_the_contract_suite() -> None:
    ours = {code for code, adapter in ADAPTERS.items() if not adapter.required_config}
    assert {side.name for side in SIDES} | ours == set(ADAPTERS)


def test_a_connection_does_not_print_its_secrets() -> None:
    assert "hush" not in repr(Connection("them", "https://them.example", {"app_secret": "hush"}))
