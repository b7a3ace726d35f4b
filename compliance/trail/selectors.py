"""Reading the audit trail, however long it is."""

import json
from collections.abc import Iterator
from datetime import date, datetime, time

from django.db.models import QuerySet
from django.utils import timezone

from compliance.trail.models import AuditEntry

BLOCK = 1000


def entries_of(*, subject: str = "", since: date | None = None) -> QuerySet[AuditEntry]:
    """The entries about one thing (`license:12`), or about all of a kind (`license`), from a day of ours on."""
    found = AuditEntry.objects.all()
    if subject:
        found = found.filter(subject=subject) if ":" in subject else found.filter(subject__startswith=f"{subject}:")
    if since is not None:
        found = found.filter(at__gte=timezone.make_aware(datetime.combine(since, time.min)))
    return found


def in_order(found: QuerySet[AuditEntry]) -> Iterator[AuditEntry]:
    """Each of them in the order of the chain, a block of them in memory at a time."""
    found = found.order_by("sequence")
    block = list(found[:BLOCK])
    while block:
        yield from block
        block = list(found.filter(sequence__gt=block[-1].sequence)[:BLOCK])


def json_line(entry: AuditEntry) -> str:
    """An entry as a line of an export."""
    return json.dumps(entry.written_down(), ensure_ascii=False)
