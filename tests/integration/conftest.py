"""Real processes against the sandbox: the verdict is what the other side's books say, and the audit."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.live.buying import Purchase, buy
from tests.live.notices import Signer
from tests.live.platform import Platform
from tests.live.shopper import until


@dataclass(frozen=True)
class Accident:
    """What a worker had in hand when it was killed."""

    purchases: tuple[Purchase, ...]


@pytest.fixture(scope="session")
def accident(platform_process: Platform) -> Accident:
    """A worker is killed while suppliers think about orders that they have charged, and another one is started.

    A dead worker's lease runs for a minute, so this happens first and is looked at last.
    """
    platform = platform_process
    platform.suppliers("slow", "xinghe", "yunka", latency_ms=5000, callbacks="lost")
    purchases = tuple(buy(platform, kind, gateway) for kind in ("topup", "code") for gateway in ("alipay", "wechatpay"))
    until(lambda: all(bought.charged == (1, 0) for bought in purchases))
    platform.worker.kill()
    platform.make_well()
    platform.worker.start()
    platform.wait_for_worker()
    return Accident(purchases)


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
