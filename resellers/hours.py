"""When a shop's people answer: a range a day, what that is in words, and whether they do now. Pure.

Written as seven ranges from Monday on, with commas between: `09:00-22:00`, or nothing for a day off. A range that ends
before it begins ends on the next day. All days empty means that nothing was said.
"""

import re
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

DAYS = 7
_RANGE = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)

Range = tuple[time, time]
Week = tuple[Range | None, ...]


def read(text: str) -> Week:
    """The week in a text; none where nothing was said. Raises `ValueError`."""
    if not text.strip(","):
        return ()
    parts = text.split(",")
    if len(parts) != DAYS:
        raise ValueError("not seven days")
    return tuple(_range(part) if part else None for part in parts)


def hours_text(text: str) -> None:
    """Seven ranges, or nothing. Raises `ValidationError`."""
    try:
        read(text)
    except ValueError as error:
        raise ValidationError(_("客服时间要写成 09:00-22:00 这样")) from error


def written(week: Sequence[Range | None]) -> str:
    """The text of a week."""
    days = [f"{day[0]:%H:%M}-{day[1]:%H:%M}" if day else "" for day in week]
    return ",".join(days) if any(days) else ""


def is_open(week: Week, at: datetime) -> bool:
    """Whether somebody answers at a moment, by the clock of its own time zone."""
    return any(begins <= at < ends for begins, ends in _spans(week, at))


def next_change(week: Week, at: datetime) -> datetime | None:
    """When that will next be otherwise; never where nothing was said, or somebody always answers."""
    moments = {moment for span in _spans(week, at) for moment in span if moment > at}
    now = is_open(week, at)
    return next((moment for moment in sorted(moments) if is_open(week, moment) is not now), None)


def after_open(week: Week, at: datetime, minutes: int) -> datetime:
    """When so many minutes will have passed in which somebody answers; where nothing was said, somebody always does."""
    left, moment = timedelta(minutes=minutes), at
    if not any(week):
        return at + left
    while True:
        for begins, ends in sorted(_spans(week, moment)):
            begins = max(begins, moment)
            if ends <= begins:
                continue
            if left <= ends - begins:
                return begins + left
            left, moment = left - (ends - begins), ends


def words(week: Week) -> str:
    """`每天 09:00–22:00`, or the days that are alike, together; empty where nothing was said."""
    if not week:
        return ""
    names = (_("周一"), _("周二"), _("周三"), _("周四"), _("周五"), _("周六"), _("周日"))
    told = []
    first = 0
    for day in range(1, DAYS + 1):
        if day < DAYS and week[day] == week[first]:
            continue
        known = week[first]
        if known is not None:
            text = f"{known[0]:%H:%M}–{known[1]:%H:%M}"
            if day - first == DAYS:
                return text
            days = names[first]
            if day - first > 1:
                days = _("%(first)s至%(last)s") % {"first": names[first], "last": names[day - 1]}
            told.append(_("%(days)s %(hours)s") % {"days": days, "hours": text})
        first = day
    return _("，").join(told)


def _range(text: str) -> Range:
    found = _RANGE.fullmatch(text)
    if found is None:
        raise ValueError(f"not a range: {text[:20]!r}")
    first, second, third, fourth = (int(part) for part in found.groups())
    return time(first, second), time(third, fourth)


def _spans(week: Week, at: datetime) -> list[tuple[datetime, datetime]]:
    """Yesterday's range to those of a week from now, as moments."""
    if not week:
        return []
    days = [at.date() + timedelta(days=ahead) for ahead in range(-1, DAYS + 1)]
    return [_span(day, known, at) for day in days if (known := week[day.weekday()]) is not None]


def _span(day: date, known: Range, at: datetime) -> tuple[datetime, datetime]:
    begins, ends = (datetime.combine(day, clock, at.tzinfo) for clock in known)
    return begins, ends if ends > begins else ends + timedelta(days=1)
