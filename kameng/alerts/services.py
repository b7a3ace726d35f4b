"""Raising and ending alerts, from any schema: an alert is public."""

import json
import logging
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
