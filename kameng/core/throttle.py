"""How often one address, device or order may do something: counters in the cache, in windows of fixed length.

Redis holds nothing that matters: while it is away nothing is limited, and nobody waits for it more than once in a
while. A window begins at a multiple of its length, so around its edge twice the limit may pass. Each shop counts for
itself, because the cache's keys begin with the schema; who is counted is stored as a fingerprint only.
"""

import logging
import math
import time
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.core.cache import cache
from django.utils.translation import gettext_lazy as _
from redis import Redis
from redis.exceptions import RedisError

from kameng.core.encryption import digest
from kameng.core.problems import Problem

logger = logging.getLogger(__name__)


class TooMany(Problem):
    """Too often; `retry_after` in seconds says when to come back."""

    code = "too_many"
    status = 429
    message = _("操作太快了，请稍后再试")


class Counters:
    """Counts in the cache. A cache that fails is left alone for a while, as if nobody had done anything."""

    def __init__(self, rest_seconds: float = 5) -> None:
        self.rest_seconds = rest_seconds
        self.failures = 0
        self._silent_until = 0.0

    def count(self, key: str, *, seconds: int, everywhere: bool = False) -> int:
        """How often this key was counted in its window, this time included; 0 if nobody knows. Never raises.

        A window begins with the first count; with `everywhere` all shops count together.
        """
        if time.monotonic() < self._silent_until:
            return 0
        try:
            stored = f"everywhere:{key}" if everywhere else cache.make_and_validate_key(key)
            # Both commands in one message: a new counter with its end, or the known one, and one more.
            message = _client().pipeline(transaction=False)
            message.set(stored, 0, ex=seconds, nx=True)
            message.incr(stored)
            return int(message.execute()[1])
        except (RedisError, OSError) as error:
            return self._failed(error)

    def known(self, key: str) -> int:
        """How often it was counted in its window; 0 if nobody knows. Never raises."""
        if time.monotonic() < self._silent_until:
            return 0
        try:
            return int(_client().get(cache.make_and_validate_key(key)) or 0)
        except (RedisError, OSError) as error:
            return self._failed(error)

    def _failed(self, error: Exception) -> int:
        self.failures += 1
        self._silent_until = time.monotonic() + self.rest_seconds
        logger.warning("limits: the cache is unavailable (%s), so nothing is limited", type(error).__name__)
        return 0


_clients: WeakKeyDictionary[Any, Redis] = WeakKeyDictionary()


def _client() -> Redis:
    """The connections of Django's cache; its own commands would need three messages to count."""
    backend = cache._cache  # type: ignore[attr-defined]
    client = _clients.get(backend)
    if client is None:
        client = _clients[backend] = backend.get_client(None, write=True)
    return client


counters = Counters()


def allow(scope: str, key: str, *, limit: int, seconds: int, strict: bool = False) -> int:
    """Count one more of `scope` by `key`: 0 if it is one of the first `limit` in these `seconds`, else seconds to wait.

    With `strict` nobody passes while nobody counts. Under `up --bench` it counts, but never refuses.
    """
    name, left = _window(scope, key, seconds)
    counted = counters.count(name, seconds=seconds + 1)
    return 0 if ((counted or not strict) and counted <= limit) or settings.BENCH else left


def wait_for(scope: str, key: str, *, limit: int, seconds: int) -> int:
    """Seconds to wait if `limit` of `scope` by `key` were counted already, else 0; counts nothing."""
    name, left = _window(scope, key, seconds)
    return 0 if settings.BENCH or counters.known(name) < limit else left


def _window(scope: str, key: str, seconds: int) -> tuple[str, int]:
    """What is counted now, and the seconds until something else is."""
    now = time.time()
    window = int(now // seconds)
    name = f"limit:{scope}:{window}:{digest(key, purpose='limit')[:32]}"
    return name, max(1, math.ceil((window + 1) * seconds - now))


def require(scope: str, key: str, *, limit: int, seconds: int) -> None:
    """The same as a refusal. Raises `TooMany`."""
    if retry_after := allow(scope, key, limit=limit, seconds=seconds):
        raise TooMany(extra={"retry_after": retry_after})
