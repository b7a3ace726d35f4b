"""Talking to a supplier about one attempt: what is asked, by one worker at a time where it matters; never raises."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from django.conf import settings
from django.db import Error, InterfaceError, OperationalError, connection

from fulfillment.models import SupplierOrder
from fulfillment.suppliers.base import Attempt, Capability, Outcome, OutcomeKind, SupplierMisconfigured
from fulfillment.suppliers.breaker import call_judge
from fulfillment.suppliers.calling import sent_by
from fulfillment.suppliers.choosing import by_hand, is_ours
from fulfillment.suppliers.connections import adapter_of, supplier_known
from fulfillment.suppliers.loss_guard import Purchase, price_refused, purchase_refused
from fulfillment.suppliers.models import Supplier
from fulfillment.suppliers.rates import charged_in_yuan, limit_in
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.results import Flow, call_record
from kameng.core.deadlines import awake

logger = logging.getLogger(__name__)

#: A purchase that was committed to longer ago than this is not sent any more, but asked about: by the time it arrived,
#: somebody else might have taken over. Far below `ABANDONED_SECONDS`, so that connecting and sending fit in between.
SEND_WITHIN_SECONDS = 8
#: A session that has said nothing for so long while it is alone with an attempt is ended: no step takes longer, which
#: is a few calls (a token, a price, the purchase), each of them bounded by the supplier's `total_seconds`.
ALONE_SECONDS, CALLS_OF_A_STEP = 60.0, 4
_ALONE = """
WITH tried AS MATERIALIZED (SELECT pg_try_advisory_lock(hashtextextended(%s, 0)) AS locked)
SELECT locked, CASE WHEN locked THEN set_config('idle_session_timeout', %s, FALSE) END FROM tried
"""
_NOT_ALONE = "SELECT pg_advisory_unlock(hashtextextended(%s, 0)); RESET idle_session_timeout"
#: The kind of goods that come back as codes; all others arrive at an account.
CODES = "code"


def attempt_of(buy: SupplierOrder, supplier: Supplier) -> Attempt:
    """An attempt as adapters are told it."""
    line = buy.fulfillment.line
    return Attempt(
        reference=buy.reference,
        sku=buy.supplier_sku,
        quantity=buy.quantity,
        account=line.account_values,
        max_cost=limit_in(supplier.currency, line.price * buy.quantity),
        callback_url=f"{settings.WEBHOOK_BASE_URL}/webhooks/suppliers/{supplier.code}/",
        supplier_reference=buy.supplier_reference,
        wants_codes=line.kind == CODES,
    )


def in_yuan(outcome: Outcome, supplier: Supplier) -> Outcome:
    """What a supplier said, with its cost carried over from the supplier's currency."""
    return replace(outcome, cost=charged_in_yuan(outcome.cost, supplier.currency)) if outcome.cost else outcome


def _purchase_of(buy: SupplierOrder) -> Purchase:
    paid = buy.fulfillment.line.price * buy.quantity
    return Purchase(offer_id=buy.offer_id, sku=buy.supplier_sku, quantity=buy.quantity, paid=paid)


@contextmanager
def alone_with(buy: SupplierOrder) -> Iterator[bool]:
    """Whether nobody else talks to the supplier about this attempt at this moment.

    It matters where a question is the purchase sent again: two at once could buy twice. The lock is the session's,
    since no transaction is open during a call, and goes with the connection if the worker dies. If it does not die but
    stops, the server ends a session that says nothing for longer than any call may take: the lock is free then, whoever
    takes it asks, and the worker that goes on has no session to book with what it no longer knows (`after_lost`).
    """
    supplier = supplier_known(buy.supplier_id)
    try:
        adapter = adapter_of(supplier)
    except SupplierMisconfigured:
        yield True
        return
    if buy.supplier_reference or Capability.QUERY_BY_OUR_NUMBER in adapter.capabilities:
        yield True
        return
    most = max(ALONE_SECONDS, float(supplier.total_seconds) * CALLS_OF_A_STEP)
    with connection.cursor() as cursor:
        cursor.execute(_ALONE, [buy.reference, f"{most:.0f}s"])
        locked = bool(cursor.fetchone()[0])
    try:
        yield locked
    finally:
        if locked:
            with suppress(Error), connection.cursor() as cursor:
                cursor.execute(_NOT_ALONE, [buy.reference])


def after_lost(outcome: Outcome) -> Outcome:
    """What may still be booked of an answer by a worker that lost its session during the call, and with it the right to
    be alone: what came, came; a no may be older than somebody else's yes."""
    if outcome.kind in (OutcomeKind.NOT_SENT, OutcomeKind.REFUSED, OutcomeKind.FAILED, OutcomeKind.NOT_FOUND):
        return replace(outcome, kind=OutcomeKind.UNKNOWN, eliminates=False)
    return outcome


def call_supplier(buy: SupplierOrder, *, is_new: bool, intended: float | None = None) -> Outcome:
    """Buy or ask, and write down how that went. What is our own is not judged.

    `intended` is when a new purchase was committed to, by `awake`. A worker that was held up since then sends nothing
    and answers "unknown": another may have taken the attempt over meanwhile, and asking is safe in any case. The clock
    is looked at here, and again right before the purchase is written to a connection that is open.
    """
    supplier = supplier_known(buy.supplier_id)
    begun = time.monotonic()
    outcome = _called(buy, supplier, is_new=is_new, intended=intended)
    if is_ours(supplier) or by_hand(supplier):
        return outcome
    seconds = time.monotonic() - begun
    flow = Flow.SUBMIT if is_new else Flow.QUERY
    try:
        call_record(supplier_id=supplier.pk, flow=flow, outcome=outcome, seconds=seconds)
        is_probe = buy.choice.get("by") == "probe"
        call_judge(supplier_id=supplier.pk, outcome=outcome, seconds=seconds, is_probe=is_probe, flow=flow)
    except (OperationalError, InterfaceError):
        if not session_lost():
            raise
        logger.warning("supplier order %s: the session was lost during the call", buy.reference)
        return after_lost(outcome)
    return outcome


def session_lost() -> bool:
    """Whether this thread's session has ended, outside of a transaction: the next statement begins a new one."""
    if connection.in_atomic_block or (connection.connection is not None and connection.is_usable()):
        return False
    connection.close()
    return True


def _called(buy: SupplierOrder, supplier: Supplier, *, is_new: bool, intended: float | None) -> Outcome:
    """An adapter should not raise; if it does after sending, nobody knows what happened."""
    try:
        adapter = adapter_of(supplier)
    except SupplierMisconfigured as error:
        kind = OutcomeKind.NOT_SENT if is_new else OutcomeKind.UNKNOWN
        return Outcome(kind, code="misconfigured", message=str(error)[:200], eliminates=is_new)
    if is_new and (refused := purchase_refused(_purchase_of(buy), supplier=supplier, adapter=adapter)):
        return refused
    attempt = attempt_of(buy, supplier)
    if is_new and intended is not None and (late := awake() - intended) > SEND_WITHIN_SECONDS:
        logger.warning("supplier order %s was not sent: %.1f s since it was committed to", buy.reference, late)
        return Outcome(OutcomeKind.UNKNOWN, code=Reason.HELD_UP, message=f"not sent, held up for {late:.0f} s")
    send_by = intended + SEND_WITHIN_SECONDS if is_new and intended is not None else None
    try:
        with sent_by(send_by):
            outcome = in_yuan(adapter.submit(attempt) if is_new else adapter.query(attempt), supplier)
    except Exception as error:  # a bug in an adapter must not lose a purchase that may have happened
        logger.exception("adapter %s raised for %s", supplier.adapter, buy.reference)
        return Outcome(OutcomeKind.UNKNOWN, code="adapter_error", message=type(error).__name__)
    if is_new and (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, Reason.PRICE_ABOVE_LIMIT):
        price_refused(_purchase_of(buy), supplier=supplier, adapter=adapter)
    return outcome
