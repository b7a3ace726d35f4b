"""Answers of the database that hardly ever change, kept by a process for about a second.

What is kept may be that old, so it must be something whose change need not be seen at once; what must be, is asked in
the transaction that depends on it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Generic, TypeVar

FRESH_SECONDS = 1.0

_Key = TypeVar("_Key", bound=Hashable)
_Answer = TypeVar("_Answer")


class Remembered(Generic[_Key, _Answer]):
    """The answers to one question, by what was asked; at most `size` of them, the longest unused forgotten first."""

    def __init__(self, size: int = 4096) -> None:
        self._size = size
        self._known: OrderedDict[_Key, tuple[float, _Answer]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _Key, ask: Callable[[], _Answer]) -> _Answer:
        """The answer, asked for if it is not fresh. What `ask` raises is not kept."""
        now = time.monotonic()
        known = self._known.get(key)
        if known is not None and now - known[0] < FRESH_SECONDS:
            return known[1]
        answer = ask()
        with self._lock:
            self._known[key] = (now, answer)
            self._known.move_to_end(key)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
        return answer

    def forget(self) -> None:
        """Drop everything: for the process that has just changed something, and for tests."""
        with self._lock:
            self._known.clear()
