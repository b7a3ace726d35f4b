"""Numbers that say whether something kept is still current."""

from django.db import models
from django.db.models import F, Func
from django.db.models.functions import Cast, Greatest


class _Microseconds(Func):
    """The database's clock at this very statement, not at the transaction's beginning."""

    template = "(extract(epoch FROM clock_timestamp()) * 1000000)"
    output_field = models.DecimalField()


def moved_on(field: str) -> Greatest:
    """The next number after `field`, for an update.

    Counting by one would give the number of a change that was rolled back to the next change, and whoever had built
    something from the first would take it for the second. The clock is never set back to a number already given.
    """
    return Greatest(F(field) + 1, Cast(_Microseconds(), models.BigIntegerField()))
