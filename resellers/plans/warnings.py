"""Telling operators that a shop's time ends, or is over. Owners read the same on their first page, worked out as it is
asked for: nothing here has to run for a shop to close in time, or for its owner to know.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from kameng.alerts.services import alert_end, alert_raise
from resellers.plans.models import Tenure
from resellers.plans.standing import days_left
from resellers.plans.terms import TOLD_DAYS, told

EXPIRING, EXPIRED = "plan.expiring", "plan.expired"
#: Told of an end that is past.
_OVER = 0


@transaction.atomic
def tenures_watch(*, now: datetime | None = None) -> int:
    """Give the warnings that are due, each once, the latest in the place of the one before; how many were given now.

    Run by beat once an hour. An hour in which nobody looked is made up for.
    """
    now = now or timezone.now()
    near = Tenure.objects.select_for_update(of=("self",), skip_locked=True).select_related("shop")
    near = near.filter(Q(told_days=None) | Q(told_days__gt=_OVER), closed_at=None)
    given = 0
    for tenure in near.filter(paid_until__lte=now + timedelta(days=max(TOLD_DAYS) + 1)).order_by("pk"):
        due = _due(tenure, now)
        if due is None or (tenure.told_days is not None and tenure.told_days <= due):
            continue
        warning_end(tenure)
        alert_raise(
            EXPIRING if due else EXPIRED,
            subject=tenure.shop.slug,
            url="/admin/tenures/",
            shop=tenure.shop.slug,
            valid_until=str(tenure.last_day),
        )
        tenure.told_days = due
        tenure.save(update_fields=["told_days"])
        given += 1
    return given


def _due(tenure: Tenure, now: datetime) -> int | None:
    if tenure.paid_until is None:
        return None
    return _OVER if tenure.paid_until <= now else told(days_left(tenure.paid_until, now))


def warning_end(tenure: Tenure) -> None:
    """What was warned of is another end by now, or none. The row first: whoever is warning at this moment has it."""
    tenure.told_days = None
    tenure.save(update_fields=["told_days"])
    for kind in (EXPIRING, EXPIRED):
        alert_end(kind, subject=tenure.shop.slug)
