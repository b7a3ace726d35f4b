"""Time and money of plans. Pure.

>>> upgrade_price(fees=(Decimal(0), Decimal(200)), rents=(Decimal(99), Decimal(499)), days_left=73)
Decimal('280.00')
>>> year_after(date(2028, 2, 29))
datetime.date(2029, 2, 28)
"""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from kameng.core.money import CENT

#: An owner is told so many days before the end.
TOLD_DAYS = (30, 7, 1)
#: A rent is for so many days, whatever the year.
DAYS_OF_A_YEAR = 365


def year_after(day: date) -> date:
    """The same day a year later; the 28th where there is no 29th of February."""
    try:
        return day.replace(year=day.year + 1)
    except ValueError:
        return day.replace(year=day.year + 1, day=28)


def days_between(today: date, end: date) -> int:
    """Whole days that are left, never less than none."""
    return max((end - today).days, 0)


def upgrade_price(*, fees: tuple[Decimal, Decimal], rents: tuple[Decimal, Decimal], days_left: int) -> Decimal:
    """What changing to a dearer plan costs, in yuan: the difference of the opening fees, and that of the rents for the
    days that are left, half a fen up. `fees` and `rents` are those of the plan before and of the new one; what the new
    one has less of is not given back.
    """
    if days_left < 0:
        raise ValueError(f"not a number of days: {days_left}")
    fee = max(fees[1] - fees[0], Decimal(0))
    rent = max(rents[1] - rents[0], Decimal(0)) * days_left / DAYS_OF_A_YEAR
    return (fee + rent).quantize(CENT, ROUND_HALF_UP)


def share(amount: Decimal, percent: Decimal) -> Decimal:
    """So many percent of an amount, half a fen up."""
    return (amount * percent / 100).quantize(CENT, ROUND_HALF_UP)


def told(days_left: int) -> int | None:
    """By which of the warnings an owner is told at this moment; None while the end is far."""
    return min((days for days in TOLD_DAYS if days_left <= days), default=None)
