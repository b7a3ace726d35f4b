"""A shopper's program: order, pay at the other side, ask until it has arrived, look at the code."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from bench.load import Ask, Broken, Pause, Reply, User, request
from bench.stage import HOST

SHOP, SANDBOX = 0, 1
#: A buyer asks whether the goods are there, soon at first, then less and less often.
ASK_FIRST_SECONDS, ASK_GROWTH, ASK_LAST_SECONDS = 0.05, 1.3, 1.0
PATIENCE_SECONDS = 60.0
ENDS = ("fulfilled", "refunded", "partly_refunded")
_contacts = count(1)


@dataclass
class Purchase:
    """One order from its first request to the code; durations in seconds."""

    number: str = ""
    token: str = ""
    payment: str = ""
    status: str = ""
    #: The stable name of the refusal, where the shop would not sell.
    refused: str = ""
    codes: list[str] = field(default_factory=list)
    whole: float = 0.0
    #: From the moment the money was there until the buyer knew that the goods are.
    delivered: float = 0.0
    questions: int = 0
    steps: dict[str, float] = field(default_factory=dict)


def purchase(
    shop_port: int,
    sku: str,
    done: Purchase,
    *,
    reveal: bool = True,
    pay: bool = True,
    host_name: str = HOST,
    account: Mapping[str, str] | None = None,
    patience: float = PATIENCE_SECONDS,
) -> User:
    """Buy one piece. What the shop refuses is noted, everything unexpected is `Broken`."""
    host = f"{host_name}:{shop_port}"
    begun = time.perf_counter()
    placed = yield Ask(SHOP, _order(host, sku, account or {}))
    assert placed is not None
    if placed.status in (409, 422):
        done.refused = str(placed.json()["code"])
        return
    order = _expect(placed, 201)
    done.number, done.token = order["number"], order["token"]
    own = (("Authorization", f"Order {done.token}"),)
    done.steps["order"] = placed.took
    if not pay:
        return
    path = f"/api/v1/orders/{done.number}/"
    opened = yield Ask(
        SHOP, request("POST", f"{path}payments/", host=host, body={"gateway": "alipay", "channel": "qr"}, headers=own)
    )
    assert opened is not None
    done.payment = _expect(opened, 201)["payment"]
    done.steps["payment"] = opened.took
    paid = yield Ask(
        SANDBOX, request("POST", "/_control/gateways/alipay/pay", host="127.0.0.1", body={"payment": done.payment})
    )
    assert paid is not None
    _expect(paid, 200)
    done.steps["pay"] = paid.took
    paid_at = time.perf_counter()
    question, pause = request("GET", path, host=host, headers=own), ASK_FIRST_SECONDS
    while done.status not in ENDS:
        if time.perf_counter() - paid_at > patience:
            raise Broken(f"order {done.number} is {done.status!r} {patience:.0f} s after it was paid")
        yield Pause(pause)
        pause = min(pause * ASK_GROWTH, ASK_LAST_SECONDS)
        answer = yield Ask(SHOP, question)
        assert answer is not None
        done.status = _expect(answer, 200)["status"]
        done.questions += 1
        done.steps["status"] = answer.took
    done.delivered = time.perf_counter() - paid_at
    if reveal and done.status == "fulfilled":
        revealed = yield Ask(SHOP, request("POST", f"{path}reveal/", host=host, headers=own))
        assert revealed is not None
        done.codes = [entry["code"] for entry in _expect(revealed, 200)["codes"]]
        done.steps["reveal"] = revealed.took
    done.whole = time.perf_counter() - begun


def _order(host: str, sku: str, account: Mapping[str, str]) -> bytes:
    contact = f"138{next(_contacts) % 10**8:08d}"
    line = {"sku": sku, "quantity": 1, "account": dict(account)}
    return request(
        "POST", "/api/v1/orders/", host=host, body={"lines": [line], "contact": contact},
        headers=(("Idempotency-Key", secrets.token_hex(16)),),
    )  # fmt: skip


def _expect(reply: Reply, status: int) -> dict[str, Any]:
    if reply.status != status:
        raise Broken(f"{reply.status} instead of {status}: {reply.body[:300]!r}")
    found: dict[str, Any] = reply.json()
    return found
