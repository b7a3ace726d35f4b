"""Several threads at one thing, each with a connection of its own, and a place to wait between reading and writing."""

from collections.abc import Callable
from threading import Barrier, BrokenBarrierError, Thread, get_ident
from types import ModuleType
from typing import Any

import pytest
from django.db import connection, connections
from django.db.models import QuerySet

from orders import states as order_states
from payments import selectors as payment_selectors
from resellers.models import Reseller

#: How long somebody waits for one who is held up by a lock and will not come.
BRIEFLY = 0.4
#: How long somebody waits for one who will come, however busy the machine is.
SURELY = 20.0


class Meeting:
    """Where all meet before any goes on; whoever waits in vain goes on alone, and so do all who come later."""

    def __init__(self, parties: int = 2, *, patience: float = BRIEFLY) -> None:
        self._barrier = Barrier(parties)
        self._patience = patience

    def wait(self) -> bool:
        """Whether all came."""
        try:
            self._barrier.wait(self._patience)
        except BrokenBarrierError:
            return False
        return True


def at_once(shop: Reseller, *works: Callable[[], Any]) -> list[Any]:
    """Start everything at the same moment, inside the shop; what each returned or raised, in order."""
    start = Barrier(len(works))
    results: list[Any] = [None] * len(works)

    def run(place: int, work: Callable[[], Any]) -> None:
        try:
            connection.set_tenant(shop)  # type: ignore[attr-defined]
            connection.ensure_connection()
            start.wait(10)
            results[place] = work()
        except Exception as error:
            results[place] = error
        finally:
            connections.close_all()

    threads = [Thread(target=run, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive(), "a thread is stuck"
    return results


def without_row_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every `FOR UPDATE` away, and the condition behind each step: what the locks are for shows without them."""
    monkeypatch.setattr(QuerySet, "select_for_update", lambda self, **_: self.all())
    _strike(monkeypatch, order_states, "_LOCK", " FOR UPDATE")
    _strike(monkeypatch, order_states, "_ORDER_STEP", " AND status = %(origin)s")
    _strike(monkeypatch, order_states, "_LINE_STEP", " AND status = %(origin)s")
    _strike(monkeypatch, payment_selectors, "_LOCKED", " FOR UPDATE")


def _strike(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, words: str) -> None:
    statement: str = getattr(module, name)
    assert statement.count(words) == 1, f"{name} has no {words!r} to take away"
    monkeypatch.setattr(module, name, statement.replace(words, ""))


def pause_after(monkeypatch: pytest.MonkeyPatch, target: str, *, parties: int = 2, patience: float = BRIEFLY) -> None:
    """Whoever has called `target` waits for the others before going on."""
    _pause(monkeypatch, target, Meeting(parties, patience=patience), before=False)


def pause_before(monkeypatch: pytest.MonkeyPatch, target: str, *, parties: int = 2, patience: float = BRIEFLY) -> None:
    """Whoever is about to call `target` waits for the others first."""
    _pause(monkeypatch, target, Meeting(parties, patience=patience), before=True)


def _pause(monkeypatch: pytest.MonkeyPatch, target: str, meeting: Meeting, *, before: bool) -> None:
    module, _, name = target.rpartition(".")
    original = getattr(__import__(module, fromlist=[name]), name)
    came: set[int] = set()

    def once() -> None:
        """Whoever comes by again goes on: the others may be held up by what it has written meanwhile."""
        if (who := get_ident()) not in came:
            came.add(who)
            meeting.wait()

    def waiting(*args: Any, **options: Any) -> Any:
        if before:
            once()
        result = original(*args, **options)
        if not before:
            once()
        return result

    monkeypatch.setattr(target, waiting)
