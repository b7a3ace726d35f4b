"""Answers of the database that hardly ever change, kept by a process for about a second.

What is kept may be that old, so it must be something whose change need not be seen at once; what must be, is asked in
the transaction that depends on it.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from math import inf
from threading import Lock
from typing import Generic, TypeVar

FRESH_SECONDS = 1.0

_Key = TypeVar("_Key", bound=Hashable)
_Answer = TypeVar("_Answer")


class Witness:
    """Knows whether anything has changed where many answers come from: one cheap question vouches for all of them.

    `ask` gives, for each of some parts, something that changes whenever anything in that part does. It is asked once a
    second at most, and only where many answers would else have to be asked for alone.

    `settled` tells whether what is read now is what everybody sees. In a transaction it may be an earlier moment's, or
    be undone: the witness is not asked then, and does not vouch for what was read.
    """

    #: From so many answers within a second on, the question is worth it.
    MANY = 16
    #: How old its last answer is when it is asked anew, in seconds: the rest of the second is for the question.
    AHEAD = 0.6

    def __init__(
        self, ask: Callable[[], Mapping[Hashable, object]], *, settled: Callable[[], bool] = lambda: True
    ) -> None:
        self._ask, self._asking, self.settled = ask, Lock(), settled
        #: When it was asked last, and for each part what it was and since when it certainly has been.
        self._seen: tuple[float, Mapping[Hashable, tuple[object, float]]] = (-inf, {})
        #: How many answers were in doubt in this second and in the one before, and since when it is counted.
        self._doubts, self._doubts_before, self._counted_since = 0, 0, -inf

    def vouched(self, part: Hashable, read_at: float) -> float | None:
        """Until when what was read of that part since `read_at` certainly stood, if that is less than a second ago."""
        now = time.monotonic()
        is_due = self._is_worth_it(now) and now - self._seen[0] >= self.AHEAD and self.settled()
        if is_due and self._asking.acquire(blocking=False):
            try:
                self._look(now)
            finally:
                self._asking.release()
        asked_at, seen = self._seen
        _, since = seen.get(part, (None, inf))
        return asked_at if since < read_at and now - asked_at < FRESH_SECONDS else None

    def forget(self) -> None:
        """Vouch for nothing any more."""
        self._seen = (-inf, {})
        self._doubts, self._doubts_before, self._counted_since = 0, 0, -inf

    def _look(self, now: float) -> None:
        _, before = self._seen
        current = self._ask()
        answered = time.monotonic()  # what was read earlier may have been another's
        seen = {}
        for part, value in current.items():
            old, since = before.get(part, (None, answered))
            seen[part] = (value, since if old == value else answered)
        self._seen = (now, seen)

    def _is_worth_it(self, now: float) -> bool:
        if now - self._counted_since >= FRESH_SECONDS:
            is_next = now - self._counted_since < 2 * FRESH_SECONDS
            self._doubts_before, self._doubts, self._counted_since = self._doubts if is_next else 0, 0, now
        self._doubts += 1
        return max(self._doubts, self._doubts_before) >= self.MANY


class Remembered(Generic[_Key, _Answer]):
    """The answers to one question, by what was asked; at most `size` of them, the longest unused forgotten first.

    `stands` tells, of an answer that is older than a second, whether it is what would be answered now: worth it where
    that is cheaper to ask. What is answered then is the same object, for all threads. So does a `witness` without being
    asked for each, where `part` tells to which of its parts an answer belongs.
    """

    def __init__(
        self,
        size: int = 4096,
        *,
        stands: Callable[[_Key, _Answer], bool] = lambda _key, _old: False,
        witness: Witness | None = None,
        part: Callable[[_Answer], Hashable] = lambda _answer: None,
    ) -> None:
        self._size, self._stands, self._witness, self._part = size, stands, witness, part
        #: When it was answered, the answer, and whether the witness may vouch for it.
        self._known: OrderedDict[_Key, tuple[float, _Answer, bool]] = OrderedDict()
        self._lock = Lock()

    def get(self, key: _Key, ask: Callable[[], _Answer]) -> _Answer:
        """The answer, asked for if it is not fresh. What `ask` raises is not kept."""
        now = time.monotonic()
        known = self._known.get(key)
        if known is not None and now - known[0] < FRESH_SECONDS:
            return known[1]
        if known is not None and self._witness is not None and known[2]:
            until = self._witness.vouched(self._part(known[1]), known[0])
            if until is not None:
                self._keep(key, known[1], until, settled=True)
                return known[1]
        answer = known[1] if known is not None and self._stands(key, known[1]) else ask()
        self._keep(key, answer, now, settled=self._is_settled())
        return answer

    def put(self, key: _Key, answer: _Answer, *, read_at: float) -> None:
        """What somebody knows who has asked for something else, and began to at that moment (`time.monotonic`)."""
        self._keep(key, answer, read_at, settled=self._is_settled())

    def forget(self) -> None:
        """Drop everything: for the process that has just changed something, and for tests."""
        with self._lock:
            self._known.clear()

    def _is_settled(self) -> bool:
        return self._witness is not None and self._witness.settled()

    def _keep(self, key: _Key, answer: _Answer, at: float, *, settled: bool) -> None:
        with self._lock:
            self._known[key] = (at, answer, settled)
            self._known.move_to_end(key)
            while len(self._known) > self._size:
                self._known.popitem(last=False)


class Together(Generic[_Key, _Answer]):
    """The same where one question can be asked for many at once: as soon as many had to be asked for alone within a
    second, all that were of late are asked for together, and a thousand shops cost one question instead of one each.

    As long as many are asked for, the question is repeated before the answers are a second old, by whoever comes first
    then; others go on with what is known, so that nobody waits for it and nobody asks alone meanwhile.

    `many` gets the keys with what was answered last, which it may answer again where that still stands.
    """

    #: From so many keys within a second on, they are asked for together.
    MANY = 16
    #: For so long after somebody asked for it, a key is asked for with the others, in seconds.
    LATELY = 30.0
    #: How old answers are when they are asked for anew, in seconds: the rest of their second is for the question.
    AHEAD = 0.6

    def __init__(
        self,
        *,
        one: Callable[[_Key], _Answer],
        many: Callable[[Mapping[_Key, _Answer]], Mapping[_Key, _Answer]],
        size: int = 4096,
    ) -> None:
        self._one, self._many, self._size = one, many, size
        #: When it was answered, when it was last asked for, and the answer.
        self._known: OrderedDict[_Key, tuple[float, list[float], _Answer]] = OrderedDict()
        #: How many were asked for alone, and since when they are counted.
        self._alone, self._alone_since = 0, 0.0
        #: When all were asked for together, and whether many are wanted.
        self._asked_at, self._are_many = 0.0, False
        self._lock, self._asking = Lock(), Lock()

    def get(self, key: _Key) -> _Answer:
        """The answer, at most a second old."""
        now = time.monotonic()
        known = self._known.get(key)
        if known is None:
            return self._ask_alone(key, now)
        known[1][0] = now
        is_fresh = now - known[0] < FRESH_SECONDS
        if self._is_due(now, is_fresh=is_fresh) and self._asking.acquire(blocking=False):
            try:
                self._ask_together(now)
            finally:
                self._asking.release()
            known = self._known.get(key)
            is_fresh = known is not None and now - known[0] < FRESH_SECONDS
        return known[2] if known is not None and is_fresh else self._ask_alone(key, now)

    def put(self, key: _Key, answer: _Answer) -> None:
        """What somebody knows who has just asked for themselves."""
        self._keep({key: answer}, time.monotonic())

    def forget(self) -> None:
        """Drop everything."""
        with self._lock:
            self._known.clear()
            self._alone, self._alone_since, self._asked_at, self._are_many = 0, 0.0, 0.0, False

    def _is_due(self, now: float, *, is_fresh: bool) -> bool:
        """Whether all are to be asked for together now."""
        if now - self._asked_at < self.AHEAD:
            return False
        return self._are_many or (
            not is_fresh and self._alone >= self.MANY and now - self._alone_since < 2 * FRESH_SECONDS
        )

    def _ask_together(self, now: float) -> None:
        self._are_many = len(self._used(now, 2 * FRESH_SECONDS)) >= self.MANY
        if self._are_many:
            self._asked_at = now
            self._keep(self._many(dict(self._used(now, self.LATELY))), now)

    def _ask_alone(self, key: _Key, now: float) -> _Answer:
        if now - self._alone_since >= FRESH_SECONDS:
            self._alone, self._alone_since = 0, now
        self._alone += 1
        answer = self._one(key)
        self._keep({key: answer}, now)
        return answer

    def _used(self, now: float, seconds: float) -> list[tuple[_Key, _Answer]]:
        """What was asked for in so many last seconds."""
        with self._lock:
            known = list(self._known.items())
        return [(key, answer) for key, (_at, used, answer) in known if now - used[0] < seconds]

    def _keep(self, answers: Mapping[_Key, _Answer], at: float) -> None:
        with self._lock:
            for key, answer in answers.items():
                known = self._known.get(key)
                if known is None:
                    self._known[key] = (at, [at], answer)
                elif known[0] <= at:  # else somebody has asked since
                    self._known[key] = (at, known[1], answer)
                self._known.move_to_end(key)
            while len(self._known) > self._size:
                self._known.popitem(last=False)
