"""Days and scopes of licenses, without a database."""

from datetime import date

import pytest

from compliance.validity import Paper, State, lacking, notice_due, state_of

TODAY = date(2026, 3, 10)


def test_the_first_and_the_last_day_count() -> None:
    paper = Paper("brand", date(2026, 3, 1), date(2026, 3, 31))
    days = {date(2026, 2, 28): False, date(2026, 3, 1): True, date(2026, 3, 31): True, date(2026, 4, 1): False}
    assert {day: paper.holds(day) for day in days} == days
    assert Paper("brand", date(2026, 3, 1)).holds(date(2099, 1, 1))


@pytest.mark.parametrize(
    ("categories", "brands", "category", "brand", "covered"),
    [
        ((), (), "games", "", True),
        (("games",), (), "games", "tencent", True),
        (("games",), (), "software", "tencent", False),
        ((), ("tencent",), "software", "tencent", True),
        ((), ("tencent",), "games", "", False),
        (("games",), ("tencent",), "games", "netease", False),
    ],
)
def test_a_scope_narrows_by_category_and_by_brand(
    categories: tuple[str, ...], brands: tuple[str, ...], category: str, brand: str, covered: bool
) -> None:
    paper = Paper("brand", TODAY, None, frozenset(categories), frozenset(brands))
    assert paper.covers(category, brand) is covered
    found = lacking(["brand"], [paper], category=category, brand=brand, on=TODAY)
    assert found == ([] if covered else ["brand"])


def test_each_kind_is_asked_for_by_itself() -> None:
    papers = [Paper("brand", TODAY), Paper("telecom", date(2025, 1, 1), date(2026, 3, 9))]
    found = lacking(["telecom", "brand", "business"], papers, category="games", brand="", on=TODAY)
    assert found == ["telecom", "business"]
    assert lacking([], [], category="games", brand="", on=TODAY) == []


@pytest.mark.parametrize(
    ("until", "notice", "state"),
    [
        (None, None, State.VALID),
        (date(2026, 4, 10), None, State.VALID),
        (date(2026, 4, 9), 30, State.EXPIRING),
        (date(2026, 3, 18), 30, State.EXPIRING),
        (date(2026, 3, 17), 7, State.EXPIRING),
        (date(2026, 3, 11), 1, State.EXPIRING),
        (date(2026, 3, 10), 1, State.EXPIRING),
        (date(2026, 3, 9), 0, State.EXPIRED),
    ],
)
def test_notices_come_thirty_seven_and_one_days_before_the_end(
    until: date | None, notice: int | None, state: State
) -> None:
    assert notice_due(until, on=TODAY) == notice
    assert state_of(date(2026, 1, 1), until, on=TODAY) is state
    assert state_of(date(2026, 3, 11), None, on=TODAY) is State.FUTURE
