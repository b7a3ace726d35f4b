"""Answers that are asked for together."""

from collections.abc import Callable, Mapping

import pytest

from kameng.core.remembered import Together

KEYS = range(20)


class Asked:
    """A question whose answer is a number that can be changed; counts how often it is asked for one and for many."""

    def __init__(self) -> None:
        self.moment, self.answer, self.alone, self.together = 1000.0, 1, 0, 0
        self.meanwhile: Callable[[], None] = lambda: None
        self.known: Together[int, int] = Together(one=self._one, many=self._many)

    def _one(self, _key: int) -> int:
        self.alone += 1
        return self.answer

    def _many(self, known: Mapping[int, int]) -> Mapping[int, int]:
        self.together += 1
        answers = dict.fromkeys(known, self.answer)
        self.meanwhile()
        return answers

    def all(self) -> set[int]:
        """What is known of every key."""
        return {self.known.get(key) for key in KEYS}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()
    monkeypatch.setattr("kameng.core.remembered.time.monotonic", lambda: found.moment)
    found.all()
    found.moment += 1.1
    found.all()
    assert (found.alone, found.together) == (len(KEYS), 1)
    return found


def test_many_are_asked_for_before_any_is_a_second_old(asked: Asked) -> None:
    asked.answer = 2
    asked.moment += 0.5
    assert asked.all() == {1}
    asked.moment += 0.2
    assert asked.all() == {2}
    assert (asked.alone, asked.together) == (len(KEYS), 2)


def test_nobody_waits_for_the_question_of_another(asked: Asked) -> None:
    heard = []
    asked.meanwhile = lambda: heard.append(asked.all())
    asked.answer = 2
    asked.moment += 0.7
    assert asked.all() == {2}
    assert heard == [{1}]
    assert (asked.alone, asked.together) == (len(KEYS), 2)


def test_a_question_that_takes_long_makes_no_answer_older_than_a_second(asked: Asked) -> None:
    def takes_long() -> None:
        asked.answer, asked.moment = 3, asked.moment + 0.4
        assert asked.all() == {3}

    asked.meanwhile = takes_long
    asked.answer = 2
    asked.moment += 0.7
    # What others have asked for since is newer, and stays.
    assert asked.all() == {3}
    assert (asked.alone, asked.together) == (2 * len(KEYS), 2)


def test_few_are_asked_for_alone_again(asked: Asked) -> None:
    asked.moment += 2.1
    assert [asked.known.get(key) for key in range(3)] == [1] * 3
    assert (asked.alone, asked.together) == (len(KEYS) + 3, 1)


def test_after_a_pause_many_are_asked_for_together_at_once(asked: Asked) -> None:
    asked.moment += 10
    asked.answer = 2
    assert asked.all() == {2}
    assert (asked.alone, asked.together) == (len(KEYS) + Together.MANY, 2)
