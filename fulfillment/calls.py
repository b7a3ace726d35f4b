"""Talking to a supplier about one attempt: what is asked, by one worker at a time where it matters; never raises."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from django.conf import settings
from django.db import Error, connection

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
    since no transaction is open during a call, and goes with the connection if the worker dies.
    """
    try:
        adapter = adapter_of(supplier_known(buy.supplier_id))
    except SupplierMisconfigured:
        yield True
        return
    if buy.supplier_reference or Capability.QUERY_BY_OUR_NUMBER in adapter.capabilities:
        yield True
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [buy.reference])
        locked = bool(cursor.fetchone()[0])
    try:
        yield locked
    finally:
        if locked:
            with suppress(Error), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [buy.reference])


def call_supplier(buy: SupplierOrder, *, is_new: bool, intended: float | None = None) -> Outcome:
    """Buy or ask, and write down how that went. What is our own is not judged.

    `intended` is when a new purchase was committed to, by `awake`. A worker that was held up since then sends nothing
    and answers "unknown": another may have taken the attempt over meanwhile, and asking is safe in any case. The clock
    is looked at here, and again right before the purchase is written to a connection that is open.
    """
    supplier = supplier_known(buy.supplier_id)
    begun = time.monotonic()
    outcome = _called(buy, supplier, is_new=is_new, intended=intended)
    if not (is_ours(supplier) or by_hand(supplier)):
        seconds = time.monotonic() - begun
        flow = Flow.SUBMIT if is_new else Flow.QUERY
        call_record(supplier_id=supplier.pk, flow=flow, outcome=outcome, seconds=seconds)
        is_probe = buy.choice.get("by") == "probe"
        call_judge(supplier_id=supplier.pk, outcome=outcome, seconds=seconds, is_probe=is_probe, flow=flow)
    return outcome


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
