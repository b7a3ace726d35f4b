"""Finds due work without a broker: a thread inside the worker that looks once a second."""

import logging
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import close_old_connections, connection

from kameng.core import sql
from kameng.outbox.services import Claim, Dispatcher, claim, run

logger = logging.getLogger(__name__)

_T = TypeVar("_T")

PAUSE_SECONDS = 1.0
_BEAT = """
INSERT INTO public.outbox_heartbeat (name, seen_at) VALUES (%s, statement_timestamp())
ON CONFLICT (name) DO UPDATE SET seen_at = EXCLUDED.seen_at
"""
THREADS = 4


class Poller:
    """Claims what is due and works it off with a few threads of its own. Outlives a database that goes away."""

    def __init__(self, dispatch: Dispatcher, *, threads: int = THREADS, pause: float = PAUSE_SECONDS) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._dispatch = dispatch
        self._pause = pause
        self._threads = threads
        self._free = threading.Semaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="poller")
        self._stop = threading.Event()
        self._beat_due = 0.0
        self._thread = threading.Thread(target=self._loop, name="poller", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Take no new work; what is in hand is finished, or found again when its lease runs out."""
        self._stop.set()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _loop(self) -> None:
        while not self._stop.is_set():
            found = self._guarded(self._round, default=0)
            if not found:
                self._stop.wait(self._pause)
        connection.close()

    def _round(self) -> int:
        """Claim as much as there are free threads; how much that was."""
        if time.monotonic() >= self._beat_due:
            sql.execute_anywhere(_BEAT, [self.name])
            self._beat_due = time.monotonic() + self._pause
        free = 0
        while free < self._threads and self._free.acquire(blocking=False):
            free += 1
        claims: list[Claim] = []
        try:
            claims = claim(limit=free) if free else []
        finally:
            # Also when the database refuses: a thread that is never given back is one that never works again.
            for _ in range(free - len(claims)):
                self._free.release()
        for claimed in claims:
            self._pool.submit(self._work, claimed)
        if not free:
            self._stop.wait(0.05)
            return 1
        return len(claims)

    def _work(self, claimed: Claim) -> None:
        try:
            self._guarded(lambda: run(claimed, self._dispatch), default=False)
        finally:
            self._free.release()

    def _guarded(self, work: Callable[[], _T], *, default: _T) -> _T:
        """Run with a usable connection; a database that is away is waited for, not died of."""
        close_old_connections()
        try:
            return work()
        except Exception:
            logger.exception("poller: %s", self.name)
            connection.close()
            self._stop.wait(self._pause)
            return default
        finally:
            close_old_connections()
