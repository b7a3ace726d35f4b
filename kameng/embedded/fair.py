"""A gunicorn worker that leaves a new connection to the one which has the fewest.

All workers wait at one socket, and of those that wake up the quickest is the one that is warm already: under load from
few keep-alive connections (a reverse proxy, a script) one process served nine tenths of all requests while the other
looked on.
"""

import multiprocessing
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

#: More workers than this share places; they are then a little less fair.
PLACES = 64
UNUSED = -1
#: A connection that nobody else takes for so long is taken after all.
PATIENCE, GLANCES = 0.0002, 10

#: Connections of each worker, in memory that all of them share: made before they are forked.
counts: Any = multiprocessing.RawArray("i", [UNUSED] * PLACES)


def place_of(age: int) -> int:
    """Where a worker counts its connections; `age` is gunicorn's number for it."""
    return age % PLACES


class FairWorker(ThreadWorker):
    """Threads, as gunicorn's own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._place = place_of(self.age)
        self._left_alone = 0

    def notify(self) -> None:
        """Called in each turn of the loop: also tell the others how many connections there are."""
        counts[self._place] = self.nr_conns
        super().notify()

    def accept(self, listener: Any) -> None:
        """Take a connection, unless somebody with fewer is about to."""
        others = [count for place, count in enumerate(counts) if place != self._place and count != UNUSED]
        if others and self.nr_conns > min(others) and self._left_alone < GLANCES:
            self._left_alone += 1
            time.sleep(PATIENCE)
            return
        self._left_alone = 0
        super().accept(listener)
        counts[self._place] = self.nr_conns
