"""Whether a visit goes on, and which there were."""

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from compliance.visits.models import Visit
from kameng.accounts.models import User
from kameng.accounts.services import visitor_username

SHOWN = 20


def visit_going_on(*, visit_id: object, shop_id: int, user: User) -> Visit | None:
    """The visit under that number, if it is this account's, in this shop, and not over."""
    if not isinstance(visit_id, int):
        return None
    going_on = Visit.objects.filter(pk=visit_id, shop_id=shop_id, ended_at__isnull=True, until__gt=timezone.now())
    found = going_on.first()
    return found if found is not None and visitor_username(found.name) == user.username else None


def visits_of(shop_id: int) -> Sequence[Visit]:
    """The last ones that were made, newest first."""
    return list(Visit.objects.filter(shop_id=shop_id, entered_at__isnull=False)[:SHOWN])


def visits_overdue(*, before: datetime) -> dict[int, list[int]]:
    """Visits that should have been over by then and that nobody wrote down as ended, by the shop that they are in."""
    found: dict[int, list[int]] = {}
    for shop_id, pk in Visit.objects.filter(ended_at__isnull=True, until__lt=before).values_list("shop_id", "pk"):
        found.setdefault(shop_id, []).append(pk)
    return found
