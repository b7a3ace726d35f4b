"""Raising and ending alerts, from any schema: an alert is public."""

import json
import logging
from collections.abc import Collection, Mapping
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from kameng.alerts.models import Alert
from kameng.core import sql

logger = logging.getLogger(__name__)

Level = Alert.Level

_RAISE = """
INSERT INTO public.alerts_alert AS known (kind, subject, level, data, url, times, closed_by)
VALUES (%(kind)s, %(subject)s, %(level)s, %(data)s, %(url)s, 1, '')
    ON CONFLICT (kind, subject) WHERE closed_at IS NULL
    DO UPDATE SET times = known.times + 1, seen_at = statement_timestamp(), data = EXCLUDED.data,
                  level = EXCLUDED.level, url = EXCLUDED.url
RETURNING times
"""


def alert_raise(kind: str, *, subject: str, level: Alert.Level = Level.WARNING, url: str = "", **data: Any) -> bool:
    """Say that something needs a person; once for a condition, however often it is seen. True the first time.

    `data` must be JSON and hold no secret.
    """
    told = {
        "kind": kind, "subject": subject[:80], "level": str(level), "url": url[:200], "data": json.dumps(data)
    }  # fmt: skip
    ((times,),) = sql.rows_anywhere(_RAISE, told)
    if times == 1:
        logger.error("alert %s %s %s", kind, subject, data)
    return bool(times == 1)


_END = """
UPDATE public.alerts_alert SET closed_at = statement_timestamp(), closed_by = ''
 WHERE kind = %s AND subject = %s AND closed_at IS NULL
"""


def alert_end(kind: str, *, subject: str) -> bool:
    """The condition is over by itself. True where there was such an alert."""
    return sql.execute_anywhere(_END, [kind, subject[:80]]) > 0


@transaction.atomic
def alert_close(*, alert_id: int, actor: str) -> bool:
    """A person has dealt with it; if the condition is seen again, there is a new alert. False if it was closed."""
    changed = Alert.objects.filter(pk=alert_id, closed_at__isnull=True).update(closed_at=Now(), closed_by=actor)
    return changed > 0


_RAISE_ALL = """
INSERT INTO public.alerts_alert AS known (kind, subject, level, data, url, times, closed_by)
SELECT %(kind)s, left(told.subject, 80), %(level)s, told.data::jsonb, '', 1, ''
  FROM unnest(%(subjects)s::text[], %(data)s::text[]) AS told (subject, data)
    ON CONFLICT (kind, subject) WHERE closed_at IS NULL
    DO UPDATE SET times = known.times + 1, seen_at = statement_timestamp(), data = EXCLUDED.data
RETURNING subject, times
"""
_END_ALL = """
UPDATE public.alerts_alert SET closed_at = statement_timestamp(), closed_by = ''
 WHERE kind = %s AND subject = ANY(%s::text[]) AND closed_at IS NULL
"""


def alerts_raise(kind: str, found: Mapping[str, Mapping[str, Any]], *, level: Alert.Level = Level.WARNING) -> None:
    """Raise many alerts of one kind at once: `found` has the data of each subject."""
    if not found:
        return
    told = {
        "kind": kind,
        "level": str(level),
        "subjects": list(found),
        "data": [json.dumps(data) for data in found.values()],
    }
    new = [subject for subject, times in sql.rows_anywhere(_RAISE_ALL, told) if times == 1]
    if new:
        logger.error("alert %s: %s", kind, ", ".join(new[:20]))


def alerts_end(kind: str, subjects: Collection[str]) -> int:
    """These conditions are over by themselves, as far as there were alerts; how many."""
    if not subjects:
        return 0
    return sql.execute_anywhere(_END_ALL, [kind, [subject[:80] for subject in subjects]])


_END_QUIET = """
UPDATE public.alerts_alert SET closed_at = statement_timestamp(), closed_by = ''
 WHERE kind = %s AND closed_at IS NULL AND seen_at < statement_timestamp() - %s * interval '1 second'
"""


def alerts_end_quiet(kind: str, *, seconds: float) -> int:
    """End the alerts of a condition that only shows by being seen again, and was not for so long; how many."""
    return sql.execute_anywhere(_END_QUIET, [kind, seconds])
