"""Writing the audit trail."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction

from compliance.trail.chain import digest, plain
from compliance.trail.models import AuditEntry
from kameng.core import sql

_HEAD = "SELECT sequence, hash, clock_timestamp() FROM public.trail_head FOR UPDATE"


class HeadMissing(Exception):
    """Nobody knows where the chain ends. It is not begun anew: somebody has to look what became of it."""


@transaction.atomic
def entry_append(*, actor: str, subject: str, action: str, data: Mapping[str, object] | None = None) -> AuditEntry:
    """Write down what somebody decided, in the transaction in which it is done: both stay, or neither.

    `subject` is a kind with a number or a name (`license:12`), `action` a code (`license.revoked`). Nothing here can
    ever be taken back, so no secret and nothing of a shopper belongs into `data`. Everybody else who decides waits
    from here to the end of the transaction: call it last. Raises `TypeError` for data without an encoding of its own,
    and `HeadMissing`.
    """
    said = plain(data or {})
    sequence, previous, at = _head()
    entry = AuditEntry(
        sequence=sequence + 1, at=at, actor=actor, subject=subject, action=action, data=said, previous=previous
    )
    entry.hash = digest(entry.written_down())
    entry.save(force_insert=True)
    return entry


def _head() -> tuple[int, str, datetime]:
    """The last entry's place and hash, and the time; nobody else gets them until the transaction ends."""
    for sequence, last, now in sql.rows_anywhere(_HEAD, []):
        return sequence, last, now
    raise HeadMissing
