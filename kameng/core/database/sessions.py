"""Sessions that the threads of a process leave to each other, so that a shop is served by one that knows it.

PostgreSQL learns a shop's tables in each session anew, and keeps what it has learned for as long as the session lives
(a third of a megabyte for each shop, and up to twice as much for how orders are run there). Where each thread has a
session of its own, the steps of one order meet a handful that have never seen the shop. Here whoever needs a session
takes the one that has, if it is free, and gives it back at the end of the request or the task
(docs/adr/0044-sessions-go-with-shops.md, docs/adr/0053-orders-have-sessions-of-their-own.md).

Orders and readers have sessions of their own: a page needs little of a shop, and what it needs is soon learned, so it
neither keeps an order waiting nor fills the session that knows how orders are run there with shops of which it knows
nothing else.

Only web and worker share; a command has one thread, and what it sets for its session ends with it.
"""

import os
import time
from threading import Condition
from weakref import WeakSet

from django.conf import settings
from psycopg2 import Error

from kameng.core.database.session import Session

#: A session that knows so many shops gets no others. It may come to see some more on its way, as an order's
#: does at the house shop; one that went through so many as the sweep is ended.
MOST_SHOPS, WANDERED = 200, 400
#: For so long an order waits for the one that knows its shop while somebody has it, in seconds: a request has it for 5
#: to 20 ms, and to learn the shop takes another as long, and a processor.
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
        self._idle: list[Session] = []
        #: Those that somebody has, unless they were ended.
        self._taken: WeakSet[Session] = WeakSet()
        #: Of the process that this one was forked from: not ours to use, nor to end by forgetting them.
        self._inherited: list[Session] = []
        self._given = Condition()
        os.register_at_fork(after_in_child=self._leave_to_parent)

    def take(self, path: str, *, orders: bool = False) -> Session | None:
        """A session that is alive, one that knows the shop of `path` if there is one, or None: then make one.

        It is one of those for `orders`, or of those for everything else.
        """
        while (found := self._choose(path, orders)) is not None:
            if _is_alive(found):
                return found
            found.close()
        return None

    def made(self, session: Session, *, orders: bool = False) -> None:
        """There is a new one, and somebody has it."""
        session.is_for_orders = orders
        with self._given:
            self._taken.add(session)

    def _choose(self, path: str, orders: bool) -> Session | None:
        with self._given:
            if orders:
                self._given.wait_for(lambda: not self._is_in_hand(path), PATIENCE)
            free = [one for one in self._idle if one.is_for_orders is orders]
            if knowing := [one for one in free if path in one.known]:
                found = max(knowing, key=lambda one: (path in one.planned, one.used_at))
            elif learning := [one for one in free if len(one.known) < MOST_SHOPS]:
                found = min(learning, key=lambda one: len(one.known))
            else:
                return None
            self._idle.remove(found)
            self._taken.add(found)
            return found

    def _is_in_hand(self, path: str) -> bool:
        """Whether an order has the only one that knows the shop."""
        in_hand = any(path in one.known and one.is_for_orders and not one.closed for one in self._taken)
        return in_hand and not any(path in one.known and one.is_for_orders for one in self._idle)

    def give(self, session: Session) -> None:
        """Nobody needs it any more. One with something under way, or that holds a lock, is ended."""
        now = session.used_at = time.monotonic()
        is_spent = now - session.born_at > OLDEST or len(session.known) > WANDERED
        if is_spent or session.left_behind or not session.rest():
            session.close()
            return
        ended: list[Session] = []
        known = 0
        with self._given:
            self._taken.discard(session)
            waiting = sorted([*self._idle, session], key=lambda one: (not one.is_for_orders, -one.used_at))
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
