"""Notices and callbacks: sent in the background, repeated until they are acknowledged, or spoiled on purpose."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from enum import StrEnum
from typing import Any

from kameng.sandbox.post import Answer, NotDelivered, Outgoing, Postman

log = logging.getLogger("kameng.sandbox")

#: Seconds before each attempt. The real gateways repeat for a day (protocol pages of each); a demo has no day.
ATTEMPTS = (0, 1, 3, 10, 30, 60)
LATE_SECONDS = 90.0


class Delivery(StrEnum):
    """What becomes of a notice. `PROBE` is WeChat Pay's own test of our verification; elsewhere it is `FORGED`."""

    OK = "ok"
    LOST = "lost"
    LATE = "late"
    TWICE = "twice"
    FORGED = "forged"
    PROBE = "probe"


#: Builds one attempt anew, because time and signature change from one to the next.
Build = Callable[[], Outgoing]
Accepted = Callable[[Answer], bool]


class Notifier:
    """Background work of the sandbox: notices, callbacks and everything that happens later."""

    def __init__(self) -> None:
        self.postman = Postman()
        self._tasks: set[asyncio.Task[None]] = set()
        self._room = asyncio.Semaphore(64)

    def send(self, build: Build, accepted: Accepted, *, delivery: Delivery = Delivery.OK, delay: float = 0) -> None:
        """Start sending and return at once."""
        if delivery is Delivery.LOST:
            return
        if delivery is Delivery.LATE:
            delay = delay or LATE_SECONDS
        attempts = (0,) if delivery in {Delivery.FORGED, Delivery.PROBE} else ATTEMPTS
        for _ in range(2 if delivery is Delivery.TWICE else 1):
            self.start(self._deliver(build, accepted, delay, attempts))

    async def send_and_wait(self, build: Build, accepted: Accepted, *, limit: float = 5) -> bool:
        """One attempt, waited for; True where it was acknowledged."""
        try:
            return accepted(await self.postman.post(build(), limit=limit))
        except NotDelivered as error:
            log.info("notice not delivered: %s", error)
            return False

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run in the background until done or `forget`."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def later(self, delay: float, action: Callable[[], None]) -> None:
        """Do something `delay` seconds from now."""

        async def wait() -> None:
            await asyncio.sleep(delay)
            action()

        self.start(wait())

    def forget(self) -> None:
        """Drop everything that is under way."""
        for task in list(self._tasks):
            task.cancel()

    async def _deliver(self, build: Build, accepted: Accepted, delay: float, attempts: tuple[float, ...]) -> None:
        for pause in attempts:
            await asyncio.sleep(delay + pause)
            delay = 0
            async with self._room:
                if await self.send_and_wait(build, accepted, limit=10):
                    return

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("background work failed", exc_info=error)
