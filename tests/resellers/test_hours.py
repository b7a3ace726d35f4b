"""When somebody answers."""

from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from resellers.hours import Week, after_open, is_open, next_change, read, words, written

CHINA = ZoneInfo("Asia/Shanghai")
DAILY = read(",".join(["09:00-22:00"] * 7))
NIGHTS = read(",,,,20:00-02:00,20:00-02:00,")
OFFICE = read(",".join(["09:00-18:00"] * 5) + ",10:00-12:00,")


def at(text: str) -> datetime:
    """In the week of Monday, 2026-11-30."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=CHINA)


@pytest.mark.parametrize(
    ("week", "moment", "is_there", "until"),
    [
        (DAILY, "11-30T08:59", False, "11-30T09:00"), (DAILY, "11-30T09:00", True, "11-30T22:00"),
        (DAILY, "11-30T22:00", False, "12-01T09:00"), (NIGHTS, "12-05T01:00", True, "12-05T02:00"),
        (NIGHTS, "12-05T02:00", False, "12-05T20:00"), (NIGHTS, "12-06T01:59", True, "12-06T02:00"),
        (NIGHTS, "12-06T02:00", False, "12-11T20:00"), (OFFICE, "12-06T12:00", False, "12-07T09:00"),
    ],
)  # fmt: skip
def test_somebody_is_there_or_not_and_until_when(week: Week, moment: str, is_there: bool, until: str) -> None:
    assert is_open(week, at(moment)) is is_there
    assert next_change(week, at(moment)) == at(until)


def test_nothing_said_is_nothing_shown_and_never_changes() -> None:
    for text in ("", ",,,,,,"):
        assert read(text) == ()
        assert (words(read(text)), next_change(read(text), at("11-30T08:00"))) == ("", None)
    assert written([None] * 7) == ""


def test_days_that_are_alike_are_told_together() -> None:
    assert words(DAILY) == "09:00–22:00"
    assert words(OFFICE) == "周一至周五 09:00–18:00，周六 10:00–12:00"
    assert words(NIGHTS) == "周五至周六 20:00–02:00"
    assert read(written(OFFICE)) == OFFICE
    assert OFFICE[0] == (time(9), time(18))


@pytest.mark.parametrize(
    "text", ["09:00-22:00", "9:00-22:00,,,,,,", "24:00-25:00,,,,,,", "<b>,,,,,,", "0９:00-22:00,,,,,,", "x" * 100]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not"):
        read(text)


@pytest.mark.parametrize(
    ("week", "moment", "minutes", "over"),
    [
        (DAILY, "11-30T10:00", 60, "11-30T11:00"), (DAILY, "11-30T21:30", 60, "12-01T09:30"),
        (DAILY, "11-30T23:00", 30, "12-01T09:30"), (NIGHTS, "12-05T01:30", 60, "12-05T20:30"),
        (OFFICE, "12-05T08:00", 4320, "12-16T14:00"), ((), "11-30T23:00", 30, "11-30T23:30"),
    ],
)  # fmt: skip
def test_a_time_of_which_only_the_hours_count(week: Week, moment: str, minutes: int, over: str) -> None:
    assert after_open(week, at(moment), minutes) == at(over)
