"""Callbacks of a described supplier: believed as far as their signature goes, and never where they free an attempt."""

import hmac
import json
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest

from fulfillment.suppliers.base import CallbackRefused, Capability, OutcomeKind
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.side_generic import GENERIC as SIDE
from tests.fulfillment.suppliers.side_generic import changed, described
from tests.fulfillment.suppliers.sides import CODES, NOW, REFERENCE


def test_a_genuine_callback_tells_the_end(http: HttpClient) -> None:
    adapter = SIDE.adapter("https://them.example", http)
    claim = adapter.parse_callback(headers={}, body=SIDE.callback())
    assert claim.reference == REFERENCE
    assert claim.outcome is not None
    assert (claim.outcome.kind, claim.outcome.supplier_reference) == (OutcomeKind.DELIVERED, SIDE.order_no)
    assert SIDE.secret not in claim.outcome.evidence
    assert adapter.callback_reply(accepted=True) == (200, "text/plain", b"ok")
    assert adapter.callback_reply(accepted=False) == (400, "text/plain", b"fail")


@pytest.mark.parametrize("state", ["3", "8", ""])
def test_a_callback_frees_nothing(http: HttpClient, state: str) -> None:
    claim = SIDE.adapter("https://them.example", http).parse_callback(headers={}, body=SIDE.callback(state=state))
    assert (claim.reference, claim.outcome) == (REFERENCE, None)


def test_a_callback_whose_signature_leaves_the_result_open_only_rings(http: HttpClient) -> None:
    adapter = SIDE.speaking(changed("callback.covers_result", False), "https://them.example", http)
    assert adapter.parse_callback(headers={}, body=SIDE.callback()).outcome is None
    assert Capability.CALLBACK_COVERS_RESULT not in adapter.capabilities


def test_codes_in_a_callback_are_checked(http: HttpClient) -> None:
    adapter = SIDE.speaking(changed("callback.codes", "cards"), "https://them.example", http)
    good = adapter.parse_callback(headers={}, body=SIDE.callback(cards="\n".join(CODES[:2])))
    assert good.outcome is not None
    assert good.outcome.items == CODES[:2]
    assert adapter.parse_callback(headers={}, body=SIDE.callback(cards="请联系客服")).outcome is None


def forged(**changes: str) -> bytes:
    """A genuine callback whose fields were changed after it was signed."""
    fields = dict(parse_qsl(SIDE.callback().decode()))
    return urlencode(fields | changes).encode()


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (forged(state="1"), "bad signature"),
        (forged(out_order_no=REFERENCE[::-1]), "bad signature"),
        (forged(sign=""), "bad signature"),
        (forged(sign="0" * 32), "bad signature"),
        (forged(extra="1"), "bad signature"),
        (urlencode([(k, v) for k, v in parse_qsl(SIDE.callback().decode()) if k != "sign"]).encode(), "bad signature"),
        (SIDE.callback() + b"&state=2", "a repeated name"),
        (SIDE.callback(timestamp=str(NOW - 301)), "stale"),
        (SIDE.callback(timestamp=str(NOW + 301)), "stale"),
        (SIDE.callback(timestamp=""), "stale"),
        (SIDE.callback(timestamp="１７９５３３３５６０"), "stale"),
        (SIDE.callback(out_order_no=""), "missing_fields"),
        (SIDE.callback(order_no="a b"), "missing_fields"),
        (b"\xff=\xfe", "not a form"),
        (b"", "bad signature"),
        (b'{"out_order_no":"1"}', "bad signature"),
        (b"&".join([b"a=1"] * 101), "not a form"),
    ],
)
def test_a_forged_callback_is_refused(http: HttpClient, body: bytes, why: str) -> None:
    with pytest.raises(CallbackRefused, match=why):
        SIDE.adapter("https://them.example", http).parse_callback(headers={}, body=body)


def in_json() -> dict[str, Any]:
    """A description whose callback is JSON, signed in a header with a list of fields."""
    mapping = described()
    mapping["callback"] |= {
        "encoding": "json",
        "signature": {
            "algorithm": "hmac-sha256",
            "fields": ["out_order_no", "order_no", "state", "timestamp"],
            "join": "values",
            "separator": "|",
            "header": "X-Sign",
        },
    }
    return mapping


def test_a_callback_in_json_signed_in_a_header(http: HttpClient) -> None:
    adapter = SIDE.speaking(in_json(), "https://them.example", http)
    fields = {"out_order_no": REFERENCE, "order_no": SIDE.order_no, "state": 2, "timestamp": NOW, "more": [1]}
    text = f"{REFERENCE}|{SIDE.order_no}|2|{NOW}"
    sign = hmac.new(SIDE.secret.encode(), text.encode(), "sha256").hexdigest()
    claim = adapter.parse_callback(headers={"x-sign": sign}, body=json.dumps(fields).encode())
    assert claim.outcome is not None
    assert claim.outcome.kind is OutcomeKind.DELIVERED
    for headers, change in (
        ({}, {}),
        ({"x-sign": sign[:-1]}, {}),
        ({"x-sign": sign}, {"state": 3}),
        ({"x-sign": sign}, {"state": [2]}),
        ({"x-sign": sign}, {"state": None}),
    ):
        with pytest.raises(CallbackRefused):
            adapter.parse_callback(headers=headers, body=json.dumps(fields | change).encode())
    with pytest.raises(CallbackRefused, match="unreadable"):
        adapter.parse_callback(headers={"x-sign": sign}, body=b"out_order_no=1")
