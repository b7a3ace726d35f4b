"""A worker is lost at the worst moment: bought once, delivered once, and nobody else asked before that is known.

| scenario | where |
|---|---|
| killed, several in a row, while a supplier that has charged thinks about its answer | `test_worker_killed.py` |
| killed with the supplier's answer in hand, before it is booked | here |
| killed after the purchase was committed to, before a byte was sent | here |
| stopped for longer than its lease, then woken | here |
"""

import signal
import time

import pytest

from tests.live.accidents import intended, nobody_picks_up, result_held_back
from tests.live.buying import Purchase, buy
from tests.live.platform import SCHEMAS, Platform
from tests.live.shopper import until

pytestmark = pytest.mark.integration

#: Longer than a lease, and than a purchase without a result is left alone.
LEASE_SECONDS = 61
#: Longer than Fulu's "no such order" is doubted.
GRACE_SECONDS = 601


def _again(platform: Platform) -> None:
    platform.worker.start()
    platform.wait_for_worker()
    platform.pass_time(LEASE_SECONDS)


def _deliveries(bought: Purchase) -> int:
    return bought.shopper.happened(bought.number).count("line.delivered")


@pytest.mark.parametrize("kind", ["topup", "code"])
def test_an_answer_that_died_with_its_worker_is_asked_for_again(platform: Platform, kind: str) -> None:
    platform.suppliers("slow", "xinghe", "yunka", latency_ms=2500, callbacks="lost")
    bought = buy(platform, kind)
    until(lambda: bought.charged == (1, 0))
    with result_held_back(bought) as somebody_waits:
        until(somebody_waits, limit=15)
        (row,) = platform.booked(bought.suppliers[0], bought.good)
        assert (row["times"], row["state"]) == (1, "succeeded")
        platform.worker.kill()
    assert bought.line == "buying"
    assert intended(bought), "the answer was booked: the worker was killed too late to show anything"
    _again(platform)
    bought.delivered_by(1)
    assert bought.charged == (1, 0)
    assert _deliveries(bought) == 1


@pytest.mark.parametrize(("kind", "delivered_by"), [("topup", 2), ("code", 1)])
def test_a_purchase_that_was_never_sent_is_made_once_when_that_is_clear(
    platform: Platform, kind: str, delivered_by: int
) -> None:
    first = "xinghe" if kind == "topup" else "yunka"
    with nobody_picks_up(platform, first):
        time.sleep(1.5)  # until the worker knows the longer deadline
        bought = buy(platform, kind)
        until(lambda: intended(bought))
        time.sleep(0.5)
        assert intended(bought), "the connection was refused: the worker never stood between commitment and sending"
        platform.worker.kill()
    assert bought.charged == (0, 0)
    _again(platform)
    if kind == "topup":
        # The supplier knows no such order. Nobody else is asked before that is old enough to be believed.
        bought.shopper.wait_for_line(bought.number, "verifying")
        time.sleep(1.5)
        assert (bought.line, bought.charged) == ("verifying", (0, 0))
        platform.pass_time(GRACE_SECONDS)
    bought.delivered_by(delivered_by)
    assert sum(bought.charged) == 1
    assert _deliveries(bought) == 1


def test_a_worker_that_wakes_after_its_lease_finds_the_work_done(platform: Platform) -> None:
    platform.suppliers("slow", "xinghe", "yunka", latency_ms=2500, callbacks="lost")
    topup, code = (buy(platform, kind) for kind in ("topup", "code"))
    until(lambda: (topup.charged, code.charged) == ((1, 0), (1, 0)))
    platform.worker.signal(signal.SIGSTOP)
    try:
        assert intended(topup)
        assert intended(code)
        with platform.second_worker():
            platform.pass_time(LEASE_SECONDS)
            topup.delivered_by(1)
            # To ask there is to send the purchase again, so nobody does while somebody else may be about to.
            assert code.line in {"buying", "verifying"}
            assert not _submits(platform)
            platform.worker.signal(signal.SIGCONT)
            until(lambda: _submits(platform) == 2)
            code.delivered_by(1)
            time.sleep(1)
    finally:
        platform.worker.signal(signal.SIGCONT)
    for bought in (topup, code):
        assert bought.charged == (1, 0)
        assert _deliveries(bought) == 1
        assert _owned(bought) == 1


def _submits(platform: Platform) -> int:
    """How many purchases have come back to the worker that sent them."""
    return int(platform.sql("SELECT count(*) FROM suppliers_suppliercall WHERE flow = 'submit'")[0][0])


def _owned(bought: Purchase) -> int:
    schema = SCHEMAS[bought.good.host]
    return int(
        bought.platform.sql(
            f"SELECT count(*) FROM {schema}.fulfillment_delivery AS delivery"
            f" JOIN {schema}.fulfillment_fulfillment AS work ON work.id = delivery.fulfillment_id"
            f" JOIN {schema}.orders_orderline AS line ON line.id = work.line_id"
            f" JOIN {schema}.orders_order AS placed ON placed.id = line.order_id WHERE placed.number = %s",
            [bought.number],
        )[0][0]
    )
