"""How long a deposit lasts, and when its owner is to be warned. Pure."""

from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

#: What was held in so many days says what a day takes.
DAYS_LOOKED_AT = 7


@dataclass(frozen=True, slots=True)
class Outlook:
    """A deposit, in yuan: what is free of it, what a day takes by the last days, and below what its owner is warned."""

    free: Decimal
    daily: Decimal
    line: Decimal

    @property
    def is_low(self) -> bool:
        """Its owner is warned."""
        return self.free < self.line

    @property
    def days(self) -> Decimal | None:
        """For how many days it lasts if those to come are like the last ones, never rounded up; None where nothing was
        held in them."""
        if self.daily <= 0:
            return None
        return max(self.free / self.daily, Decimal(0)).quantize(Decimal("0.1"), rounding=ROUND_DOWN)


def outlook(*, free: Decimal, daily: Decimal, floor: Decimal, warning_days: int) -> Outlook:
    """Warn while it lasts `warning_days` at least, and never later than at `floor` yuan: the only measure for a shop of
    which nothing was held in the last days."""
    return Outlook(free, daily, max(floor, daily * warning_days))
