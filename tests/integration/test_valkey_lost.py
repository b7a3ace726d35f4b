"""Valkey is a bell and a cache: emptied or gone, everything that was paid for still arrives."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from tests.live.buying import RANKED, buy
from tests.live.platform import Good, Platform
from tests.live.shopper import Shopper, until

pytestmark = pytest.mark.integration

ORDERS = 200
SUPPLIER_SECONDS = 8
DELIVERED_SECONDS = 60


@pytest.fixture
def platform(platform: Platform) -> Iterator[Platform]:
    yield platform
    process = platform.valkey.process
    if process is not None and not process.alive():
        process.start()
        platform.valkey.wait()


def test_two_hundred_orders_arrive_while_valkey_is_emptied_and_then_killed(platform: Platform) -> None:
    goods = platform.goods("topup", 2) + platform.goods("code", 2)
    broker = redis.Redis.from_url(platform.valkey.url)
    platform.suppliers("async", "xinghe", "yunka", latency_ms=SUPPLIER_SECONDS * 1000)
    with ThreadPoolExecutor(8) as pool:
        orders = list(pool.map(lambda place: _ordered(platform, goods[place % 4]), range(ORDERS)))
        for place, (_, _, payment) in enumerate(orders):
            platform.pay("alipay", payment)
            if place % 20 == 0:
                broker.flushall()
        until(lambda: _lines(platform, goods)["waiting"] == 0, limit=DELIVERED_SECONDS)
        broker.flushall()
        under_way = ORDERS - _lines(platform, goods)["delivered"]
        assert platform.valkey.process is not None
        platform.valkey.process.kill()
        assert under_way > ORDERS // 5, "too few are under way for this to show anything"
        until(lambda: _lines(platform, goods)["delivered"] == ORDERS, limit=DELIVERED_SECONDS)
        ends = Counter(pool.map(lambda order: order[0].read(order[1]).status, orders))
    assert ends == {"fulfilled": ORDERS}
    everybody = [entry["code"] for entry in platform.sandbox.read("suppliers/")]
    for good in goods:
        # Not all of it by the first in rank: too many at once are sent on to the others.
        booked = [row for code in everybody for row in platform.booked(code, good)]
        assert [(row["times"], row["state"]) for row in booked] == [(1, "succeeded")] * (ORDERS // 4)
        assert platform.booked(RANKED[good.kind][0], good)


def _ordered(platform: Platform, good: Good) -> tuple[Shopper, str, str]:
    shopper = platform.shopper(good.host)
    number = shopper.place(good.sku, good.account)
    return shopper, number, shopper.open(number).number


def _lines(platform: Platform, goods: list[Good]) -> Counter[str]:
    """How many lines are in which state: from the database, because two hundred questions a second are a load."""
    found: Counter[str] = Counter()
    for slug in ("house", "yueyou"):
        query = f"SELECT status, count(*) FROM shop_{slug}.orders_orderline WHERE sku = ANY(%s) GROUP BY status"
        found.update(dict(platform.sql(query, [[good.sku for good in goods]])))
    return found


def test_without_valkey_one_can_still_buy(platform: Platform) -> None:
    assert platform.valkey.process is not None
    platform.valkey.process.kill()
    for kind in ("topup", "code"):
        buy(platform, kind).delivered_by(1)
