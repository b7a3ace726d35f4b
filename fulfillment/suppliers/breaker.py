"""Whether a supplier is asked at the moment: one answer for all workers, in PostgreSQL, so that it holds without Redis.

A breaker opens by failures or by slowness of the last minute. While it is open nobody buys there; after a while the
supplier is asked something harmless, and when that works, one order at a time goes there until a few have worked.
`SupplierIncident` remembers from when to when, because ranking counts such a time once (`ranking.py`).
"""

import logging
import time
from decimal import Decimal

from django.db import transaction
from django.utils.translation import gettext_noop

from fulfillment.suppliers.base import Capability, Outcome, OutcomeKind, SupplierAdapter, SupplierMisconfigured
from fulfillment.suppliers.connections import adapter_of, supplier_known
from fulfillment.suppliers.models import Supplier, SupplierBreaker, SupplierCall
from fulfillment.suppliers.results import call_record, is_failure, was_sent
from fulfillment.suppliers.services import availability_refresh
from kameng.alerts.services import Level, alert_end, alert_raise
from kameng.core import sql
from kameng.outbox.services import publish

logger = logging.getLogger(__name__)

State = SupplierBreaker.State
Flow = SupplierCall.Flow

WINDOW_SECONDS = 60
#: So many failures, and such a share of all calls in the window.
FAILURES, SHARE = 5, 0.5
#: The newest calls speak for themselves, or a busy minute that went well would hide the outage that ended it: so many
#: of them failed, or the last ones all did.
#: Purchases are also looked at by themselves: a supplier that breaks down over each of them and then answers every
#: question about it would else look well.
NEWEST, FAILED_OF_NEWEST = 20, 12
#: So many purchases in the window, nine tenths of them slower than half of the supplier's deadline for an answer.
SLOW_CALLS, SLOW_QUANTILE, SLOW_SHARE_OF_DEADLINE = 8, 0.9, Decimal("0.5")
#: Seconds until an order may try it, by how often the breaker opened again without having closed; and until a question
#: that nobody answered is asked again, which risks nothing.
PAUSES = (15, 45, 90, 120)
QUESTION_SECONDS = 10
#: An order that probes holds the place for so long, should its worker die.
PROBE_SECONDS = 40
#: So many purchases must work before everything goes there again.
SUCCESSES = 3
#: How often a half-open breaker is looked at: it may have opened again.
WATCH_SECONDS = 5.0
OPEN_ALERT = "supplier.breaker_open"
#: Why it opened; translated where it is shown.
IN_A_ROW, TOO_MANY, TOO_SLOW = gettext_noop("连续几次都失败"), gettext_noop("最近失败太多"), gettext_noop("最近太慢")


def call_judge(*, supplier_id: int, outcome: Outcome, seconds: float, is_probe: bool, flow: SupplierCall.Flow) -> None:
    """Look at what one call says about the supplier; costs a statement only where something went wrong, or was a probe.

    Outside a transaction: what is decided is decided for everybody.
    """
    if is_probe and flow == Flow.SUBMIT:
        if is_failure(outcome) or was_sent(outcome):
            _probed(supplier_id, worked=not is_failure(outcome))
        else:
            sql.execute_anywhere(_NOT_TRIED, [supplier_id])
    elif is_failure(outcome) or (flow == Flow.SUBMIT and seconds >= _slow(supplier_known(supplier_id))):
        _open_if_bad(supplier_id)


def _slow(supplier: Supplier) -> float:
    return float(supplier.read_seconds * SLOW_SHARE_OF_DEADLINE)


_JUDGE = """
SELECT count(*) FILTER (WHERE is_failure) AS failures, count(*) AS calls,
       count(*) FILTER (WHERE flow = 'submit') AS purchases,
       percentile_disc(%(quantile)s) WITHIN GROUP (ORDER BY milliseconds) FILTER (WHERE flow = 'submit') AS slowest,
       greatest(count(*) FILTER (WHERE is_failure AND newest <= %(newest)s),
                count(*) FILTER (WHERE is_failure AND flow = 'submit' AND newest_of_flow <= %(newest)s)) AS lately,
       greatest(count(*) FILTER (WHERE is_failure AND newest <= %(in_a_row)s),
                count(*) FILTER (WHERE is_failure AND flow = 'submit' AND newest_of_flow <= %(in_a_row)s)) AS in_a_row
  FROM (SELECT *, row_number() OVER (ORDER BY created_at DESC, id DESC) AS newest,
               row_number() OVER (PARTITION BY flow ORDER BY created_at DESC, id DESC) AS newest_of_flow
          FROM public.suppliers_suppliercall
         WHERE supplier_id = %(supplier)s
   AND created_at > greatest(statement_timestamp() - %(window)s * interval '1 second', (
       SELECT closed_at FROM public.suppliers_supplierbreaker WHERE supplier_id = %(supplier)s))) AS call
"""


def _open_if_bad(supplier_id: int) -> None:
    told = {
        "supplier": supplier_id, "window": WINDOW_SECONDS, "quantile": SLOW_QUANTILE, "newest": NEWEST,
        "in_a_row": FAILURES,
    }  # fmt: skip
    ((failures, calls, purchases, slowest, lately, in_a_row),) = sql.rows_anywhere(sql.Report(_JUDGE), told)
    if in_a_row >= FAILURES:
        breaker_open(supplier_id=supplier_id, reason=IN_A_ROW)
    elif lately >= FAILED_OF_NEWEST or (failures >= FAILURES and failures >= SHARE * calls):
        breaker_open(supplier_id=supplier_id, reason=TOO_MANY)
    elif purchases >= SLOW_CALLS and slowest / 1000 >= _slow(supplier_known(supplier_id)):
        breaker_open(supplier_id=supplier_id, reason=TOO_SLOW)


_OPEN = """
INSERT INTO public.suppliers_supplierbreaker AS known
       (supplier_id, state, reason, trips, successes, opened_at, retry_at)
VALUES (%(supplier)s, 'open', %(reason)s, 1, 0, statement_timestamp(),
        statement_timestamp() + %(pause)s * interval '1 second')
    ON CONFLICT (supplier_id) DO UPDATE
   SET state = 'open', reason = EXCLUDED.reason, trips = 1, successes = 0, opened_at = statement_timestamp(),
       retry_at = EXCLUDED.retry_at, probe_until = NULL, closed_at = NULL
 WHERE known.state = 'closed'
RETURNING supplier_id
"""
_INCIDENT = """
INSERT INTO public.suppliers_supplierincident (supplier_id, reason, started_at)
SELECT %(supplier)s, %(reason)s, coalesce(min(created_at), statement_timestamp())
  FROM public.suppliers_suppliercall
 WHERE supplier_id = %(supplier)s AND is_failure
   AND created_at > statement_timestamp() - %(window)s * interval '1 second'
    ON CONFLICT DO NOTHING
"""


def breaker_open(*, supplier_id: int, reason: str) -> bool:
    """Ask this supplier no more until it works again. True where it was closed; somebody is told once.

    Those who choose know at once; only then is looked through what it leaves on sale, which takes longer. A worker that
    dies in between leaves that to the first look at the breaker (`supplier_probe`).
    """
    told = {"supplier": supplier_id, "reason": reason[:120], "pause": PAUSES[0], "window": WINDOW_SECONDS}
    with transaction.atomic():
        if not sql.rows_anywhere(_OPEN, told):
            return False
        sql.execute_anywhere(_INCIDENT, told)
        code = supplier_known(supplier_id).code
        alert_raise(OPEN_ALERT, subject=code, level=Level.URGENT, reason=reason)
        publish("supplier.probe", delay=PAUSES[0], supplier_id=supplier_id)
    availability_refresh(supplier_ids=[supplier_id])
    return True


_HALF = """
UPDATE public.suppliers_supplierbreaker SET state = 'half_open', probe_until = NULL, successes = 0
 WHERE supplier_id = %s AND state = 'open' AND retry_at <= statement_timestamp() RETURNING supplier_id
"""
_LATER = """
UPDATE public.suppliers_supplierbreaker
   SET state = 'open', trips = trips + 1, successes = 0, probe_until = NULL,
       retry_at = statement_timestamp() + (%(pauses)s::integer[])[least(trips + 1, %(last)s)] * interval '1 second'
 WHERE supplier_id = %(supplier)s AND state = 'half_open'
"""


_STATE = """
SELECT state, extract(epoch FROM retry_at - statement_timestamp())::float
  FROM public.suppliers_supplierbreaker WHERE supplier_id = %s
"""


_ASK_AGAIN = """
UPDATE public.suppliers_supplierbreaker SET retry_at = statement_timestamp() + %s * interval '1 second'
 WHERE supplier_id = %s AND state = 'open'
"""


def supplier_probe(*, supplier_id: int) -> float | None:
    """Look after an open breaker: ask something harmless when its time has come. Seconds until the next look, None
    once it is closed."""
    state, left = next(iter(sql.rows_anywhere(_STATE, [supplier_id])), (State.CLOSED, None))
    if state == State.CLOSED:
        return None
    if state == State.HALF_OPEN:
        return WATCH_SECONDS
    if left > 0:
        return float(left)
    if not _answers(supplier_known(supplier_id)):
        sql.execute_anywhere(_ASK_AGAIN, [QUESTION_SECONDS, supplier_id])
        availability_refresh(supplier_ids=[supplier_id])  # whoever opened it may have died before
        return float(QUESTION_SECONDS)
    with transaction.atomic():
        if sql.rows_anywhere(_HALF, [supplier_id]):
            availability_refresh(supplier_ids=[supplier_id])
    return WATCH_SECONDS


def _answers(supplier: Supplier) -> bool:
    """Whether a harmless question is answered; a protocol that has none is taken to be there."""
    try:
        adapter: SupplierAdapter = adapter_of(supplier)
    except SupplierMisconfigured:
        return False
    if Capability.BALANCE not in adapter.capabilities:
        return True
    begun = time.monotonic()
    told = adapter.balance()
    outcome = Outcome(OutcomeKind.UNKNOWN, code="no_answer") if told is None else Outcome(OutcomeKind.ACCEPTED)
    call_record(supplier_id=supplier.pk, flow=Flow.PROBE, outcome=outcome, seconds=time.monotonic() - begun)
    return told is not None


#: A row where orders that are no trial may not buy there now: by the supplier's id.
NOT_CLOSED = "SELECT FROM public.suppliers_supplierbreaker WHERE supplier_id = %s AND state <> 'closed'"
_TAKE = """
UPDATE public.suppliers_supplierbreaker
   SET probe_until = statement_timestamp() + %s * interval '1 second'
 WHERE supplier_id = %s AND state = 'half_open' AND (probe_until IS NULL OR probe_until < statement_timestamp())
"""


def probe_take(*, supplier_id: int) -> bool:
    """Whether this order may be the one that tries a half-open supplier; in the transaction that commits to it."""
    return sql.execute_anywhere(_TAKE, [PROBE_SECONDS, supplier_id]) == 1


#: The order never left: somebody else may try.
_NOT_TRIED = """
UPDATE public.suppliers_supplierbreaker SET probe_until = NULL WHERE supplier_id = %s AND state = 'half_open'
"""
_WORKED = """
UPDATE public.suppliers_supplierbreaker
   SET probe_until = NULL, successes = successes + 1,
       state = CASE WHEN successes + 1 >= %(enough)s THEN 'closed' ELSE state END,
       closed_at = CASE WHEN successes + 1 >= %(enough)s THEN statement_timestamp() ELSE closed_at END
 WHERE supplier_id = %(supplier)s AND state = 'half_open'
RETURNING state
"""
_INCIDENT_OVER = """
UPDATE public.suppliers_supplierincident SET ended_at = statement_timestamp()
 WHERE supplier_id = %s AND ended_at IS NULL
"""


@transaction.atomic
def _probed(supplier_id: int, *, worked: bool) -> None:
    if not worked:
        sql.execute_anywhere(_LATER, {"supplier": supplier_id, "pauses": list(PAUSES), "last": len(PAUSES)})
        availability_refresh(supplier_ids=[supplier_id])
        return
    found = sql.rows_anywhere(_WORKED, {"supplier": supplier_id, "enough": SUCCESSES})
    if found and found[0][0] == State.CLOSED:
        sql.execute_anywhere(_INCIDENT_OVER, [supplier_id])
        alert_end(OPEN_ALERT, subject=supplier_known(supplier_id).code)
        logger.warning("breaker of supplier #%s closed", supplier_id)
