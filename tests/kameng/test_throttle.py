"""Limits: so many in a window, for one shop, and open when nobody can count."""

import secrets
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import caches
from django.core.cache.backends.redis import RedisCache
from django_tenants.utils import schema_context

from kameng.core import throttle
from kameng.core.throttle import Counters, TooMany, allow, require
from resellers.models import Reseller


@pytest.fixture(autouse=True)
def _a_window_that_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far from its edge, with counters and a memory of failures that no other test has used."""
    start = (time.time() // 3600) * 3600 + 60.5
    monkeypatch.setattr(time, "time", lambda: start)
    monkeypatch.setattr(throttle, "counters", Counters())
    monkeypatch.setattr(caches["default"], "key_prefix", secrets.token_hex(4))


def test_the_first_ones_are_allowed_and_the_rest_is_told_how_long_to_wait(shop: Reseller) -> None:
    answers = [allow("test", "who", limit=3, seconds=3600) for _ in range(5)]
    assert answers == [0, 0, 0, 3540, 3540]


def test_others_scopes_and_shops_count_for_themselves(shop: Reseller, other_shop: Reseller) -> None:
    assert [allow("test", "who", limit=1, seconds=3600) for _ in range(2)] == [0, 3540]
    assert allow("test", "somebody else", limit=1, seconds=3600) == 0
    assert allow("another", "who", limit=1, seconds=3600) == 0
    with schema_context(other_shop.schema_name):
        assert allow("test", "who", limit=1, seconds=3600) == 0


def test_the_next_window_begins_anew(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [allow("test", "who", limit=1, seconds=60) for _ in range(2)] == [0, 60]
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    assert allow("test", "who", limit=1, seconds=60) == 0


def test_a_refusal_says_when_to_come_back(shop: Reseller) -> None:
    require("test", "who", limit=1, seconds=3600)
    with pytest.raises(TooMany) as refused:
        require("test", "who", limit=1, seconds=3600)
    assert (refused.value.status, refused.value.code) == (429, "too_many")
    assert refused.value.extra == {"retry_after": 3540}


def _stored() -> dict[str, int]:
    """The keys of this test in Redis, and how many seconds each has left."""
    backend: Any = caches["default"]
    client = backend._cache.get_client()
    return {key.decode(): client.ttl(key) for key in client.scan_iter(match=f"*:{backend.key_prefix}:*", count=1000)}


def test_who_is_counted_cannot_be_read_from_the_cache(shop: Reseller) -> None:
    allow("test", "192.0.2.7", limit=1, seconds=3600)
    assert len(_stored()) == 1
    assert "192.0.2" not in str(_stored())


def test_a_counter_goes_away_by_itself(shop: Reseller) -> None:
    assert allow("test", "who", limit=1, seconds=2) == 0
    [(key, seconds)] = _stored().items()
    assert key.startswith("shop_one:")
    assert 1 <= seconds <= 3


def test_the_bench_counts_but_is_never_refused(shop: Reseller, settings: Any) -> None:
    settings.BENCH = True
    assert [allow("test", "who", limit=1, seconds=3600) for _ in range(3)] == [0, 0, 0]
    settings.BENCH = False
    assert allow("test", "who", limit=3, seconds=3600) == 3540


@pytest.fixture
def frozen() -> Iterator[int]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield server.getsockname()[1]


def _points_at(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    away = RedisCache(f"redis://127.0.0.1:{port}/0", {"OPTIONS": options})
    monkeypatch.setattr(throttle, "cache", away)


def test_without_redis_nothing_is_limited_and_hardly_anybody_waits(
    frozen: int, shop: Reseller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _points_at(frozen, monkeypatch)
    begun = time.perf_counter()
    assert [allow("test", "who", limit=1, seconds=3600) for _ in range(200)] == [0] * 200
    assert time.perf_counter() - begun < 1
    assert throttle.counters.failures == 1
    assert "nothing is limited" in caplog.text


def test_a_redis_that_comes_back_is_asked_again(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "counters", Counters(rest_seconds=0.05))
    with monkeypatch.context() as away:
        _points_at(1, away)
        assert [allow("test", "who", limit=1, seconds=3600) for _ in range(3)] == [0, 0, 0]
    time.sleep(0.06)
    assert [allow("test", "who", limit=1, seconds=3600) for _ in range(2)] == [0, 3540]


def test_a_bug_is_not_taken_for_an_outage(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> bool:
        raise TypeError("bug")

    monkeypatch.setattr(throttle, "cache", type("Broken", (), {"make_and_validate_key": staticmethod(broken)}))
    with pytest.raises(TypeError):
        allow("test", "who", limit=1, seconds=3600)
