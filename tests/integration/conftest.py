"""Real processes against the sandbox: the verdict is what the other side's books say, and the audit."""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bench.accidents import EVERY_SECONDS, Killer
from tests.live.accidents import intended
from tests.live.buying import Purchase, buy
from tests.live.notices import Signer
from tests.live.platform import Platform
from tests.live.shopper import until

SEED, KILLS = 1, 4


@dataclass(frozen=True)
class Accident:
    """What workers had in hand when they were killed; `hits` of the kills hit a purchase of which no end was known."""

    purchases: tuple[Purchase, ...]
    kills: int
    hits: int


@pytest.fixture(scope="session")
def accident(platform_process: Platform) -> Accident:
    """One of two workers is killed every few seconds while suppliers think about orders that they have charged.

    A dead worker's lease runs for a minute, so this happens first and is looked at last.
    """
    platform = platform_process
    sys.stdout.write(f"workers are killed by seed {SEED}\n")
    platform.suppliers("slow", "xinghe", "yunka", latency_ms=5000, callbacks="lost")
    purchases, hits = [], 0
    with platform.second_worker() as second:
        killer, begun = Killer((platform.worker, second), SEED), time.monotonic()
        for kill in range(KILLS):
            next_at = time.monotonic() + EVERY_SECONDS
            gateways = ("alipay", "wechatpay") if kill == 0 else ("alipay",)
            fresh = [buy(platform, kind, gateway) for kind in ("topup", "code") for gateway in gateways]
            purchases += fresh
            until(lambda fresh=fresh: all(bought.charged == (1, 0) for bought in fresh))  # type: ignore[misc]
            if kill:
                time.sleep(max(0.0, next_at - time.monotonic()))
            hits += any(intended(bought) for bought in purchases)
            killer.strike()
        sys.stdout.write(
            f"{killer.kills} kills, {hits} of them with a purchase under way, took {time.monotonic() - begun:.1f} s\n"
        )
        platform.make_well()
        platform.wait_for_worker()
    return Accident(tuple(purchases), killer.kills, hits)


@pytest.fixture
def platform(platform_process: Platform, accident: Accident) -> Iterator[Platform]:
    """Everything running and well; afterwards it is made well again, and every invariant must hold."""
    yield platform_process
    platform_process.make_well()
    platform_process.audit()


@pytest.fixture(scope="session")
def signer(platform_process: Platform) -> Signer:
    """Signs as the gateways do."""
    return Signer(platform_process.sandbox.folder)
