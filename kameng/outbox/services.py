"""Publish work, claim it, finish it. PostgreSQL holds the truth; the bell only makes it quick.

A row is claimed with `SKIP LOCKED`, a lease and a fence that grows with every claim. Whoever finishes must still hold
the fence; a handler whose lease ran out may run beside its successor, so handlers are idempotent.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from celery import current_app
from django.db import connection, transaction

from kameng.core import sql

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60
LONGEST_WAIT_SECONDS = 300
BELL_TASK = "kameng.outbox.run"


@dataclass(frozen=True)
class Claim:
    """One row in our hands."""

    id: int
    schema_name: str
    topic: str
    payload: dict[str, Any]
    fence: int
    attempts: int


#: Does the work of a claim. Returns seconds after which the same row is to run again, or None when it is done.
Dispatcher = Callable[[Claim], float | None]


class Bell:
    """Wakes a worker through the broker.

    A broker that fails is left alone for a while: the poller will find the row.
    """

    def __init__(self, rest_seconds: float = 5) -> None:
        self.rest_seconds = rest_seconds
        self.failures = 0
        self._silent_until = 0.0

    def ring(self, event_id: int) -> None:
        """Send the row's id."""
        self.send(BELL_TASK, event_id)

    def send(self, task: str, about: object, *, expires: float | None = None) -> None:
        """Tell a worker about something. Never raises, never takes longer than the broker's socket time-outs."""
        if time.monotonic() < self._silent_until:
            return
        try:
            current_app.send_task(task, args=[about], expires=expires, retry=False, ignore_result=True)
        except Exception as error:  # the broker client raises many kinds; none of them may reach the caller
            self.failures += 1
            self._silent_until = time.monotonic() + self.rest_seconds
            logger.warning("bell: broker unavailable (%s), leaving work to the poller", type(error).__name__)


bell = Bell()


def publish(topic: str, *, delay: float = 0, **payload: Any) -> None:
    """Write work for the current shop, in the current transaction; `delay` in seconds by the database's clock."""
    schema_name = connection.schema_name  # type: ignore[attr-defined]
    work = [schema_name, topic, json.dumps(payload), delay]
    if delay:
        sql.later_anywhere(_PUBLISH, work)
    else:
        ((event_id,),) = sql.rows_anywhere(_PUBLISH, work)
        transaction.on_commit(partial(bell.ring, event_id))


_PUBLISH = """
INSERT INTO public.outbox_outboxevent (schema_name, topic, payload, run_at, fence, attempts, last_error)
VALUES (%s, %s, %s, statement_timestamp() + %s * interval '1 second', 0, 0, '') RETURNING id
"""
_FINISH = "DELETE FROM public.outbox_outboxevent WHERE id = %s AND fence = %s"
_CLAIM_ONE = """
UPDATE public.outbox_outboxevent
   SET lease_until = statement_timestamp() + %s * interval '1 second', fence = fence + 1, attempts = attempts + 1
 WHERE id = %s AND run_at <= statement_timestamp() AND (lease_until IS NULL OR lease_until < statement_timestamp())
RETURNING id, schema_name, topic, payload, fence, attempts
"""
#: Picked first and once: as the update's sub-select it could be run for each row, and take more than its limit.
_CLAIM = """
WITH picked AS MATERIALIZED (
    SELECT id FROM public.outbox_outboxevent
     WHERE run_at <= statement_timestamp() AND (lease_until IS NULL OR lease_until < statement_timestamp())
     ORDER BY run_at LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE public.outbox_outboxevent AS event
   SET lease_until = statement_timestamp() + %s * interval '1 second', fence = fence + 1, attempts = attempts + 1
  FROM picked WHERE event.id = picked.id
RETURNING event.id, schema_name, topic, payload, fence, attempts
"""


def claim(*, limit: int = 1, event_id: int | None = None) -> list[Claim]:
    """Take due rows that nobody has in hand."""
    if event_id is None:
        found = sql.rows_anywhere(sql.Report(_CLAIM), [limit, LEASE_SECONDS])
    else:
        found = sql.rows_anywhere(_CLAIM_ONE, [LEASE_SECONDS, event_id])
    return [
        Claim(pk, schema_name, topic, json.loads(payload), fence, attempts)
        for pk, schema_name, topic, payload, fence, attempts in found
    ]


def run(claimed: Claim, dispatch: Dispatcher) -> bool:
    """Do the work of one claim and finish its row. False if it failed; it then runs again after a growing pause."""
    try:
        again = dispatch(claimed)
    except Exception as error:  # whatever a handler raises, the row must come back
        logger.exception("outbox: %s of %s failed (attempt %d)", claimed.topic, claimed.schema_name, claimed.attempts)
        _release(claimed, delay=_pause(claimed.attempts), error=f"{type(error).__name__}: {error}")
        return False
    if again is None:
        sql.execute_anywhere(
            "DELETE FROM public.outbox_outboxevent WHERE id = %s AND fence = %s", [claimed.id, claimed.fence]
        )
    else:
        _release(claimed, delay=again, error="")
    return True


def _pause(attempts: int) -> float:
    """Seconds before the next try: doubled with each failure, up to a limit."""
    return min(2.0 ** min(attempts, 16), LONGEST_WAIT_SECONDS)


def _release(claimed: Claim, *, delay: float, error: str) -> None:
    sql.execute_anywhere(
        "UPDATE public.outbox_outboxevent SET lease_until = NULL, last_error = %s, "
        "attempts = CASE WHEN %s = '' THEN 0 ELSE attempts END, "
        "run_at = statement_timestamp() + %s * interval '1 second' WHERE id = %s AND fence = %s",
        [error[:2000], error, delay, claimed.id, claimed.fence],
    )
