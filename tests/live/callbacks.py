"""Callbacks to us as suppliers sign them, and as somebody else would try to. Shares no code with the shop."""

import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.live.platform import OPERATIONS, Platform
from tests.live.shopper import Address, Reply

DUJIAO_PATH = "/api/v1/upstream/callback"


@dataclass(frozen=True)
class Callback:
    """One request to us: to which supplier's address, and what."""

    to: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"

    def post(self, platform: Platform) -> Reply:
        """Send it, from an address of nobody in particular."""
        address = Address(platform.port, OPERATIONS, "127.0.0.1")
        return address.send(self.method, f"/webhooks/suppliers/{self.to}/", body=self.body, headers=self.headers)


def compact(content: Any) -> bytes:
    """JSON as both protocols send it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def dujiao_content(reference: str, *, codes: str = "STOLEN-0000-0001") -> dict[str, Any]:
    """That an order is served, with this code."""
    return {
        "event": "order_status_changed", "order_id": 7, "order_no": "DJ7", "downstream_order_no": reference,
        "status": "delivered", "timestamp": int(time.time()),
        "fulfillment": {"type": "auto", "status": "delivered", "payload": codes, "delivery_data": None,
                        "delivered_at": "2026-11-28T00:00:00Z"},
    }  # fmt: skip


def dujiao_signed(
    secrets: Mapping[str, str], body: bytes, *, at: float | None = None, path: str = DUJIAO_PATH, method: str = "POST"
) -> dict[str, str]:
    """The three headers over a body."""
    moment = str(int(time.time() if at is None else at))
    told = f"{method}\n{path}\n{moment}\n{hashlib.md5(body, usedforsecurity=False).hexdigest()}"
    return {
        "Content-Type": "application/json",
        "Dujiao-Next-Api-Key": secrets["api_key"],
        "Dujiao-Next-Timestamp": moment,
        "Dujiao-Next-Signature": hmac.new(secrets["api_secret"].encode(), told.encode(), hashlib.sha256).hexdigest(),
    }


def fulu_content(reference: str) -> dict[str, Any]:
    """That an order succeeded."""
    return {
        "order_id": 7, "charge_finish_time": "2026-11-28 12:00:00", "customer_order_no": reference,
        "order_status": "success", "recharge_description": "充值成功", "product_id": "1", "price": "1.0000",
        "buy_num": "1", "operator_serial_number": "forged7",
    }  # fmt: skip


def fulu_sign(secret: str, content: Mapping[str, Any]) -> str:
    """The signature: sorted characters, then the secret."""
    return hashlib.md5(
        ("".join(sorted(compact(content).decode())) + secret).encode(), usedforsecurity=False
    ).hexdigest()


def forged_dujiao(
    to: str, own: Mapping[str, str], others: Mapping[str, str], reference: str, foreign: str
) -> Iterator[tuple[str, Callback]]:
    """Attempts at one of a supplier's orders; `others` are another supplier's secrets, `foreign` an order there."""
    body = compact(dujiao_content(reference))
    good = dujiao_signed(own, body)
    signature = "Dujiao-Next-Signature"
    yield "no headers", Callback(to, body)
    for name in ("Dujiao-Next-Api-Key", "Dujiao-Next-Timestamp", signature):
        yield f"without {name}", Callback(to, body, {key: value for key, value in good.items() if key != name})
        yield f"empty {name}", Callback(to, body, good | {name: ""})
    yield "flipped signature", Callback(to, body, good | {signature: good[signature][::-1]})
    yield "short signature", Callback(to, body, good | {signature: good[signature][:32]})
    yield "upper-case signature", Callback(to, body, good | {signature: good[signature].upper() + "0"})
    yield "no hex", Callback(to, body, good | {signature: "ÿ" * 64})
    yield "another's secret", Callback(to, body, dujiao_signed({**own, "api_secret": others["api_secret"]}, body))
    yield "another's key and secret", Callback(to, body, dujiao_signed(others, body))
    yield "another's key, own secret", Callback(to, body, dujiao_signed({**own, "api_key": others["api_key"]}, body))
    yield "two minutes old", Callback(to, body, dujiao_signed(own, body, at=time.time() - 120))
    yield "two minutes ahead", Callback(to, body, dujiao_signed(own, body, at=time.time() + 120))
    yield "time in words", Callback(to, body, good | {"Dujiao-Next-Timestamp": "now"})
    yield "negative time", Callback(to, body, good | {"Dujiao-Next-Timestamp": "-1"})
    yield "signed for another path", Callback(to, body, dujiao_signed(own, body, path="/api/v1/upstream/orders"))
    yield "signed for another method", Callback(to, body, dujiao_signed(own, body, method="GET"))
    yield "code exchanged", Callback(to, compact(dujiao_content(reference, codes="STOLEN-0000-0002")), good)
    yield "one space more", Callback(to, body + b" ", good)
    yield "no body", Callback(to, b"", good)
    for what, raw in {"no JSON": b"<html>", "a list": b"[]", "no number": compact({"status": "delivered"})}.items():
        yield what, Callback(to, raw, dujiao_signed(own, raw))
    strange = compact(dujiao_content("000" + "Z" * 16))
    yield "a number of nobody", Callback(to, strange, dujiao_signed(own, strange))
    theirs = compact(dujiao_content(foreign))
    yield "a true signature over another supplier's order", Callback(to, theirs, dujiao_signed(own, theirs))
    yield "an address of nobody", Callback("nobody", body, good)
    yield "read instead of posted", Callback(to, b"", good, method="GET")
    large = compact(dujiao_content(reference) | {"filler": "x" * 70_000})
    yield "too large", Callback(to, large, dujiao_signed(own, large))


def forged_fulu(to: str, secret: str, others: str, reference: str, foreign: str) -> Iterator[tuple[str, Callback]]:
    """The same in the other protocol, whose signature is in the body."""
    content = fulu_content(reference)
    good = fulu_sign(secret, content)
    for what, sign in {
        "empty": "", "nothing": None, "a number": 7, "no ASCII": "ÿ" * 32,
        "another's secret": fulu_sign(others, content),
        "no secret": fulu_sign("", content), "flipped": good[::-1], "short": good[:16], "a list": [good],
    }.items():  # fmt: skip
        yield f"sign: {what}", Callback(to, compact(content | {"sign": sign}))
    yield "without sign", Callback(to, compact(content))
    yield "result exchanged", Callback(to, compact(content | {"order_status": "failed", "sign": good}))
    yield "a field more", Callback(to, compact(content | {"more": 1, "sign": good}))
    yield "no JSON", Callback(to, b"sign=" + good.encode())
    nobody = fulu_content("000" + "Z" * 16)
    yield "a number of nobody", Callback(to, compact(nobody | {"sign": fulu_sign(secret, nobody)}))
    theirs = fulu_content(foreign)
    yield (
        "a true signature over another supplier's order",
        Callback(to, compact(theirs | {"sign": fulu_sign(secret, theirs)})),
    )
