"""Callbacks that no supplier sent, and true ones that come too often: nothing is delivered by them, or once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.live.buying import Purchase, buy
from tests.live.callbacks import (
    Callback,
    compact,
    dujiao_signed,
    forged_dujiao,
    forged_fulu,
    fulu_content,
    fulu_sign,
)
from tests.live.platform import Platform
from tests.live.shopper import until

pytestmark = pytest.mark.integration

FIRST = ("xinghe", "yunka")
#: Long enough for fifty requests on a busy machine.
LONG_MS = 15_000


def _secrets(platform: Platform, supplier: str) -> dict[str, str]:
    config: dict[str, str] = platform.sandbox.supplier(supplier)["config"]
    return config


def _reference(bought: Purchase) -> str:
    (row,) = bought.platform.booked(bought.suppliers[0], bought.good)
    return str(row["reference"])


def _state(platform: Platform, bought: Purchase) -> tuple[Any, ...]:
    """Everything that a forged callback must leave alone."""
    kept = platform.sql("SELECT count(*) FROM inbox_inboxevent WHERE subject = %s", [_reference(bought)])
    ordered = bought.shopper.read(bought.number)
    return ordered, bought.shopper.happened(bought.number), bought.trade, bought.charged, kept


def _under_way(platform: Platform) -> tuple[Purchase, Purchase]:
    """A top-up and a code that their suppliers have taken on, and will not deliver for a while."""
    platform.suppliers("async", *FIRST, latency_ms=LONG_MS, callbacks="lost")
    topup, code = (buy(platform, kind) for kind in ("topup", "code"))
    for bought in (topup, code):
        until(lambda bought=bought: bought.charged == (1, 0))  # type: ignore[misc]
        until(lambda bought=bought: "line.buying" in bought.shopper.happened(bought.number) or bought.line == "buying")  # type: ignore[misc]
    return topup, code


def test_forged_callbacks_are_refused_and_move_nothing(platform: Platform) -> None:
    topup, code = _under_way(platform)
    references = _reference(topup), _reference(code)
    own, others = _secrets(platform, "yunka"), _secrets(platform, "baihe")
    fulu, other_fulu = _secrets(platform, "xinghe")["app_secret"], _secrets(platform, "lantian")["app_secret"]
    forged = [
        *forged_dujiao("yunka", own, others, references[1], references[0]),
        *forged_fulu("xinghe", fulu, other_fulu, references[0], references[1]),
    ]
    # Another supplier's true signature, at its own address, about an order that is not its own.
    body = next(callback.body for what, callback in forged if what == "no headers")
    forged.append(("another supplier's own callback", Callback("baihe", body, dujiao_signed(others, body))))
    told = fulu_content(references[0])
    signed = compact(told | {"sign": fulu_sign(other_fulu, told)})
    forged.append(("another supplier's own callback, Fulu", Callback("lantian", signed)))
    assert len(forged) >= 20
    before = [_state(platform, bought) for bought in (topup, code)]
    replies = {f"{callback.to}: {what}": callback.post(platform).status for what, callback in forged}
    assert {what: status for what, status in replies.items() if status < 400 or status >= 500} == {}
    assert [_state(platform, bought) for bought in (topup, code)] == before
    _finished(platform, topup, code)


def test_a_true_bell_a_hundred_times_is_one_delivery(platform: Platform) -> None:
    topup, code = _under_way(platform)
    told = fulu_content(_reference(topup))
    bell = Callback("xinghe", compact(told | {"sign": fulu_sign(_secrets(platform, "xinghe")["app_secret"], told)}))
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: bell.post(platform), range(100)))
    assert set(replies) == {(200, b"success")}
    # This signature proves no result: the supplier was asked, and it says that it is not done.
    assert topup.line == "buying"
    ((kept,),) = platform.sql("SELECT count(*) FROM inbox_inboxevent WHERE subject = %s", [_reference(topup)])
    assert kept == 1
    _finished(platform, topup, code)


def _finished(platform: Platform, *purchases: Purchase) -> None:
    """The suppliers hand over what they took on; it arrives as if nothing had been."""
    platform.suppliers("ok", *FIRST)
    for bought in purchases:
        bought.delivered_by(1, limit=LONG_MS / 1000 + 30)
        assert bought.charged == (1, 0)
        assert bought.shopper.happened(bought.number).count("line.delivered") == 1
