"""Whether a shop takes orders, by how long it is paid for and what operators decided.

Pages ask here, a second late at most. Orders ask the database in the statement that they begin with
(`catalog.selectors.revisions`), so nothing has to run for a shop to close in time.
"""

from datetime import datetime
from enum import StrEnum

from django.utils import timezone

from resellers.models import Reseller
from resellers.plans.models import Tenure
from resellers.plans.terms import days_between


class Standing(StrEnum):
    """Why it takes none, the reason that lasts longest first; or that it does."""

    OPEN = "open"
    CLOSED = "closed"
    SUSPENDED = "suspended"
    EXPIRED = "expired"


#: The same for the database, over `tenure`, which may be missing.
TAKES_ORDERS = """
coalesce(tenure.closed_at IS NULL AND tenure.suspended_at IS NULL
         AND coalesce(tenure.paid_until > statement_timestamp(), TRUE), TRUE)
"""


def tenure_of(shop: Reseller) -> Tenure | None:
    """The row as it was read with the shop (`resellers.hosts`), or now; None for a shop that has no end."""
    try:
        found: Tenure = shop.tenure
    except Tenure.DoesNotExist:
        return None
    return found


def standing(tenure: Tenure | None, now: datetime) -> Standing:
    """How a shop stands at a moment."""
    if tenure is None:
        return Standing.OPEN
    if tenure.closed_at is not None:
        return Standing.CLOSED
    if tenure.suspended_at is not None:
        return Standing.SUSPENDED
    if tenure.paid_until is not None and tenure.paid_until <= now:
        return Standing.EXPIRED
    return Standing.OPEN


def standing_of(shop: Reseller) -> Standing:
    """How it stands now."""
    return standing(tenure_of(shop), timezone.now())


def days_left(paid_until: datetime, now: datetime) -> int:
    """Whole days after today for which a shop is paid; `paid_until` is the midnight at which the last one ends."""
    return max(days_between(timezone.localdate(now), timezone.localdate(paid_until)) - 1, 0)
