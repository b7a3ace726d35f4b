"""What a shop announced, kept from the moment in which it is shown, so that it can be looked up and said again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q, QuerySet
from django.utils import timezone

from resellers.models import Announcement, Reseller

#: So many are kept of a shop.
MOST = 50


class _Said(NamedTuple):
    text: str
    text_en: str
    since: datetime | None
    until: datetime | None


@contextmanager
def announcement_followed(shop_id: int) -> Iterator[None]:
    """Write down what becomes of a shop's announcement inside; in a transaction, under the lock of the shop's row."""
    before = _said(shop_id)
    yield
    after, now = _said(shop_id), timezone.now()
    going_on = Announcement.objects.filter(shop_id=shop_id, ended_at=None).first()
    if after == before or (going_on is not None and _is_said(going_on, after, now)):
        return
    if going_on is not None and going_on.since is not None and going_on.since > now:
        going_on.delete()
    elif going_on is not None:
        Announcement.objects.filter(pk=going_on.pk).update(ended_at=now)
    elif before.text and (before.since or now) <= now:
        # From before announcements were written down.
        _add(shop_id, before, since=before.since, ended_at=now)
    if after.text:
        _add(shop_id, after, since=max(after.since or now, now))
        kept = Announcement.objects.filter(shop_id=shop_id).order_by("-pk").values("pk")[:MOST]
        Announcement.objects.filter(shop_id=shop_id).exclude(pk__in=kept).delete()


def announcements_past(shop_id: int) -> "QuerySet[Announcement]":
    """Those that are not shown any more, the newest first."""
    now = timezone.now()
    return Announcement.objects.filter(Q(ended_at__isnull=False) | Q(until__lte=now), shop_id=shop_id).order_by("-pk")


def _said(shop_id: int) -> _Said:
    shop = Reseller.objects.select_for_update().get(pk=shop_id)
    return _Said(shop.announcement, shop.announcement_en, shop.announcement_from, shop.announcement_until)


def _is_said(found: Announcement, said: _Said, now: datetime) -> bool:
    begins = said.since if said.since is not None and said.since > now else None
    has_begun = found.since is None or found.since <= now
    same = (found.text, found.text_en, found.until) == (said.text, said.text_en, said.until)
    return same and (has_begun if begins is None else found.since == begins)


def _add(shop_id: int, said: _Said, *, since: datetime | None, ended_at: datetime | None = None) -> None:
    Announcement.objects.create(
        shop_id=shop_id, text=said.text, text_en=said.text_en, since=since, until=said.until, ended_at=ended_at
    )
