"""How much is asked of one supplier at once: by all workers together, and by one worker's threads.

A place for a call is an advisory lock of PostgreSQL, so that it is shared by all workers, needs no Redis, and is given
back with the connection of a worker that dies. Who gets no place sends nothing and has written nothing down.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

from django.conf import settings
from django.db import connection

from fulfillment.suppliers.models import Supplier
from kameng.core import sql
from kameng.core.database.session import Session
from kameng.core.throttle import counters

#: Distinguishes these locks from others of the platform.
LOCK_CLASS = 0x6B6D
#: Places of one supplier are numbered from its id times this.
PLACES = 1024

_TAKE = """
SELECT place FROM generate_series(%(first)s::integer, %(last)s::integer) AS place
 WHERE pg_try_advisory_lock(%(class)s, place) LIMIT 1
"""
_GIVE_BACK = "SELECT pg_advisory_unlock(%s, %s)"

_under_way: Counter[int] = Counter()
#: Questions about purchases, which need no place, and may take as long to be answered.
_questions: Counter[int] = Counter()
#: Re-entrant: a place may be dropped, and so collected, anywhere.
_counting = RLock()


class Place:
    """The right to one call, held by the session in which it was taken.

    One that is dropped, because the transaction in which it was taken came to nothing, is free again as soon as another
    one is taken in that session.
    """

    def __init__(self, supplier_id: int, number: int) -> None:
        self._supplier_id = supplier_id
        self._number = number
        self._session = _session()
        self._is_held = True

    def give_back(self) -> None:
        """Let the next one in. Not in a transaction that has failed."""
        if self._leave():
            if connection.connection is self._session:
                _unlock(self._number)
            else:  # ended, or in other hands
                self._session.left_behind.append(self._number)

    def __del__(self) -> None:
        if self._leave():
            self._session.left_behind.append(self._number)

    def _leave(self) -> bool:
        was_held, self._is_held = self._is_held, False
        if was_held:
            _count(self._supplier_id, -1)
        return was_held


def _session() -> Session:
    """Ours at the moment, which knows what it has locked and could not give back yet."""
    connection.ensure_connection()
    found: Session = connection.connection
    return found


def _count(supplier_id: int, change: int) -> int:
    with _counting:
        _under_way[supplier_id] += change
        return _under_way[supplier_id]


def _unlock(number: int) -> None:
    sql.rows_anywhere(_GIVE_BACK, [LOCK_CLASS, number])


def place_take(supplier: Supplier) -> Place | None:
    """A place for one call to the supplier, or None if there are too many under way, or were in this minute."""
    left_behind = _session().left_behind
    while left_behind:
        _unlock(left_behind.pop())
    if _count(supplier.pk, +1) > settings.SUPPLIER_THREADS:
        _count(supplier.pk, -1)
        return None
    number = None
    try:
        if counters.count(f"supplier-rate:{supplier.pk}", seconds=60, everywhere=True) <= supplier.max_per_minute:
            first = supplier.pk % 2**20 * PLACES
            most = min(supplier.max_concurrent, PLACES)
            found = sql.rows_anywhere(_TAKE, {"first": first, "last": first + most - 1, "class": LOCK_CLASS})
            number = found[0][0] if found else None
    finally:
        if number is None:
            _count(supplier.pk, -1)
    return None if number is None else Place(supplier.pk, number)


@contextmanager
def held(place: Place | None) -> Iterator[None]:
    """Give the place back at the end."""
    try:
        yield
    finally:
        if place is not None:
            place.give_back()


@contextmanager
def asking(supplier_id: int) -> Iterator[bool]:
    """Whether this worker may ask the supplier one more question now: whoever waits for the answers of one that is slow
    leaves a thread to everybody else."""
    with _counting:
        is_free = _questions[supplier_id] < max(1, settings.SUPPLIER_THREADS - 1)
        _questions[supplier_id] += is_free
    try:
        yield is_free
    finally:
        with _counting:
            _questions[supplier_id] -= is_free
