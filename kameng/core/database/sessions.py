"""Sessions that the threads of a process leave to each other, so that a shop is served by one that knows it.

PostgreSQL learns a shop's tables in each session anew, and keeps what it has learned for as long as the session lives
(a quarter of a megabyte for each shop, as much again for how orders are run there). Where each thread has a session of
its own, the steps of one order meet a handful that have never seen the shop. Here whoever needs a session takes the one
that has, if it is free, and gives it back at the end of the request or the task
(docs/adr/0044-sessions-go-with-shops.md).

Only web and worker share; a command has one thread, and what it sets for its session ends with it.
"""

import os
import time
from threading import Condition
from weakref import WeakSet

from django.conf import settings
from psycopg2 import Error

from kameng.core.database.session import Session

#: A session that has seen so many shops gets no others, and one that went through more, as the sweep does, is ended.
MOST_SHOPS = 500
#: For so long one that knows the shop is waited for while somebody has it, in seconds: a request has it for 5 to 20 ms,
#: and to learn the shop takes another as long, and a processor.
PATIENCE = 0.025
#: One that is so old is ended, and one that nobody has needed for so long, in seconds.
OLDEST, IDLEST = 1800.0, 120.0
#: How long an answer of the database vouches for the connection. A restart takes longer, and a statement that fails
#: makes Django ask in any case.
TRUSTED_SECONDS = 1.0


class Sessions:
    """The sessions of a process that nobody has in hand."""

    def __init__(self) -> None:
        #: Whether threads share at all.
        self.shared = False
        #: What is worth planning in each shop, of what this process says.
        self.said: dict[str, None] = {}
        self._idle: list[Session] = []
        #: Those that somebody has, unless they were ended.
        self._taken: WeakSet[Session] = WeakSet()
        #: Of the process that this one was forked from: not ours to use, nor to end by forgetting them.
        self._inherited: list[Session] = []
        self._given = Condition()
        os.register_at_fork(after_in_child=self._leave_to_parent)

    def take(self, path: str, *, waits: bool = False) -> Session | None:
        """A session that is alive, one that knows the shop of `path` if there is one, or None: then make one.

        Who `waits` gives somebody who has it a moment to give it back.
        """
        while (found := self._choose(path, PATIENCE if waits else 0)) is not None:
            if _is_alive(found):
                return found
            found.close()
        return None

    def made(self, session: Session) -> None:
        """There is a new one, and somebody has it."""
        with self._given:
            self._taken.add(session)

    def _choose(self, path: str, patience: float) -> Session | None:
        with self._given:
            if patience:
                self._given.wait_for(lambda: not self._is_in_hand(path), patience)
            if knowing := [one for one in self._idle if path in one.known]:
                found = max(knowing, key=lambda one: (path in one.planned, one.used_at))
            elif learning := [one for one in self._idle if len(one.known) < MOST_SHOPS]:
                found = min(learning, key=lambda one: len(one.known))
            else:
                return None
            self._idle.remove(found)
            self._taken.add(found)
            return found

    def _is_in_hand(self, path: str) -> bool:
        """Whether somebody has the only one that knows the shop."""
        in_hand = any(path in one.known and not one.closed for one in self._taken)
        return in_hand and not any(path in one.known for one in self._idle)

    def give(self, session: Session) -> None:
        """Nobody needs it any more. One with something under way, or that holds a lock, is ended."""
        now = session.used_at = time.monotonic()
        is_spent = now - session.born_at > OLDEST or len(session.known) > MOST_SHOPS
        if is_spent or session.left_behind or not session.rest():
            session.close()
            return
        ended: list[Session] = []
        known = 0
        with self._given:
            self._taken.discard(session)
            waiting = sorted([*self._idle, session], key=lambda one: -one.used_at)
            self._idle = []
            for one in waiting:
                known += len(one.known)
                is_kept = known <= settings.SHOPS_KNOWN and now - one.used_at <= IDLEST
                (self._idle if is_kept else ended).append(one)
            self._given.notify_all()
        for one in ended:
            one.close()

    def close(self) -> None:
        """End those that are idle."""
        with self._given:
            ended, self._idle = self._idle, []
        for one in ended:
            one.close()

    def _leave_to_parent(self) -> None:
        self._given = Condition()
        self._inherited += [*self._idle, *self._taken]
        self._idle, self._taken = [], WeakSet()


def _is_alive(session: Session) -> bool:
    if time.monotonic() - session.used_at < TRUSTED_SECONDS:
        return not session.closed
    try:
        with session.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True


sessions = Sessions()
