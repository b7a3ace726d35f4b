"""Answers that are asked for together, or vouched for."""

from collections.abc import Callable, Hashable, Mapping

import pytest

from kameng.core.remembered import Remembered, Together, Witness

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


class Witnessed:
    """Answers that are numbers which can be changed, in two parts that one witness vouches for."""

    def __init__(self) -> None:
        self.moment, self.alone, self.looks = 1000.0, 0, 0
        self.answers = dict.fromkeys(KEYS, 1)
        self.first: Callable[[], None] = lambda: None
        self.meanwhile: Callable[[], None] = lambda: None
        self.is_settled = True
        self.witness = Witness(self._ask, settled=lambda: self.is_settled)
        self.known: Remembered[int, tuple[int, int]] = Remembered(
            witness=self.witness, part=lambda answer: answer[0] % 2
        )

    def _ask(self) -> Mapping[Hashable, object]:
        self.looks += 1
        self.first()
        seen: Mapping[Hashable, object] = {
            part: [self.answers[key] for key in KEYS if key % 2 == part] for part in (0, 1)
        }
        self.meanwhile()
        self.moment += 0.01
        return seen

    def _one(self, key: int) -> tuple[int, int]:
        self.alone += 1
        self.moment += 0.001
        return key, self.answers[key]

    def all(self) -> list[int]:
        """What is known of every key."""
        return [self.known.get(key, lambda key=key: self._one(key))[1] for key in KEYS]  # type: ignore[misc]

    def questions(self) -> tuple[int, int]:
        """How often answers, and the witness, were asked for since the last time."""
        found = self.alone, self.looks
        self.alone = self.looks = 0
        return found


@pytest.fixture
def witnessed(monkeypatch: pytest.MonkeyPatch) -> Witnessed:
    found = Witnessed()
    monkeypatch.setattr("kameng.core.remembered.time.monotonic", lambda: found.moment)
    found.all()
    found.moment += 1.1
    found.all()
    assert found.questions() == (2 * len(KEYS), 1)
    return found


def test_what_was_read_before_the_witness_is_asked_for_once_more_and_then_vouched_for(witnessed: Witnessed) -> None:
    witnessed.moment += 1.1
    witnessed.all()
    assert witnessed.questions() == (Witness.MANY, 1)  # these were read before anybody had looked at the witness
    for _ in range(5):
        witnessed.moment += 1.1
        assert set(witnessed.all()) == {1}
        assert witnessed.questions() == (0, 1)


def test_what_has_changed_is_asked_for_with_its_part_alone(witnessed: Witnessed) -> None:
    witnessed.moment += 1.1
    witnessed.all()
    witnessed.questions()
    witnessed.answers[4] = 2
    witnessed.moment += 0.9
    witnessed.all()
    assert witnessed.questions() == (0, 0)  # nothing is a second old
    witnessed.moment += 0.2
    assert [key for key, answer in zip(KEYS, witnessed.all(), strict=True) if answer == 2] == [4]
    assert witnessed.questions() == (len(KEYS) // 2, 1)


def test_what_changes_while_the_witness_is_looked_at_is_not_vouched_for(witnessed: Witnessed) -> None:
    witnessed.moment += 1.1
    witnessed.all()
    witnessed.questions()

    def change() -> None:
        witnessed.answers[4], witnessed.moment = 2, witnessed.moment + 0.1

    witnessed.meanwhile = change
    witnessed.moment += 1.1
    assert set(witnessed.all()) == {1}  # as it was when the witness was asked
    witnessed.meanwhile = lambda: None
    witnessed.moment += 1.1
    assert witnessed.all()[4] == 2


def test_what_is_read_while_the_witness_is_looked_at_may_have_been_another(witnessed: Witnessed) -> None:
    def read_and_change() -> None:
        witnessed.moment += 0.1
        witnessed.known.put(4, (4, 1), read_at=witnessed.moment)
        witnessed.moment += 0.1
        witnessed.answers[4] = 2

    witnessed.first = read_and_change
    witnessed.moment += 1.1
    witnessed.all()
    witnessed.first = lambda: None
    witnessed.moment += 1.1
    assert witnessed.all()[4] == 2


def test_nothing_is_vouched_for_that_was_read_before_it_was_known_to_be_the_same(witnessed: Witnessed) -> None:
    witnessed.known.put(4, (4, 7), read_at=witnessed.moment - 2)
    assert witnessed.all()[4] == 1


def test_what_a_transaction_reads_is_not_vouched_for_and_no_transaction_asks_the_witness(witnessed: Witnessed) -> None:
    witnessed.moment += 1.1
    witnessed.all()
    witnessed.moment += 1.1
    witnessed.questions()
    witnessed.is_settled = False
    witnessed.known.put(4, (4, 7), read_at=witnessed.moment)  # of an earlier moment, or undone a moment later
    witnessed.all()
    assert witnessed.questions() == (len(KEYS) - 1, 0)
    witnessed.is_settled = True
    witnessed.moment += 1.1
    assert witnessed.all()[4] == 1
    assert witnessed.questions() == (len(KEYS), 0)
    witnessed.moment += 1.1
    witnessed.all()
    assert witnessed.questions() == (Witness.MANY - 1, 1)


def test_no_answer_that_is_vouched_for_is_more_than_a_second_old(witnessed: Witnessed) -> None:
    witnessed.moment += 1.1
    witnessed.all()
    witnessed.moment += 1.1
    witnessed.known.put(4, (4, 1), read_at=witnessed.moment - 0.6)
    witnessed.all()  # the witness is looked at, for the others
    witnessed.answers[4] = 2
    witnessed.moment += 0.5
    assert witnessed.all()[4] == 1
    witnessed.moment += 0.6
    assert witnessed.all()[4] == 2


def test_few_answers_are_not_worth_the_witness(witnessed: Witnessed) -> None:
    witnessed.moment += 3
    for key in range(3):
        witnessed.known.get(key, lambda: (0, 1))
    assert witnessed.questions() == (0, 0)
