"""Talking to a supplier about one attempt: what is asked, by one worker at a time where it matters; never raises."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from django.conf import settings
from django.db import Error, connection

from fulfillment.models import SupplierOrder
from fulfillment.suppliers.base import Attempt, Capability, Outcome, OutcomeKind, SupplierMisconfigured
from fulfillment.suppliers.loss_guard import Purchase, price_refused, purchase_refused
from fulfillment.suppliers.models import Supplier
from fulfillment.suppliers.rates import charged_in_yuan, limit_in
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.services import adapter_of, supplier_known

logger = logging.getLogger(__name__)

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


def is_ours(supplier: Supplier) -> bool:
    """Whether buying there is nothing but a change in our own database."""
    try:
        return Capability.SAME_DATABASE in adapter_of(supplier).capabilities
    except SupplierMisconfigured:
        return False


def is_by_hand(supplier: Supplier) -> bool:
    """Whether our own people deliver, and nobody is called."""
    try:
        return Capability.MANUAL in adapter_of(supplier).capabilities
    except SupplierMisconfigured:
        return False


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


def call_supplier(buy: SupplierOrder, *, is_new: bool) -> Outcome:
    """Buy or ask. An adapter should not raise; if it does after sending, nobody knows what happened."""
    supplier = supplier_known(buy.supplier_id)
    try:
        adapter = adapter_of(supplier)
    except SupplierMisconfigured as error:
        kind = OutcomeKind.NOT_SENT if is_new else OutcomeKind.UNKNOWN
        return Outcome(kind, code="misconfigured", message=str(error)[:200], eliminates=is_new)
    if is_new and (refused := purchase_refused(_purchase_of(buy), supplier=supplier, adapter=adapter)):
        return refused
    attempt = attempt_of(buy, supplier)
    try:
        outcome = in_yuan(adapter.submit(attempt) if is_new else adapter.query(attempt), supplier)
    except Exception as error:  # a bug in an adapter must not lose a purchase that may have happened
        logger.exception("adapter %s raised for %s", supplier.adapter, buy.reference)
        return Outcome(OutcomeKind.UNKNOWN, code="adapter_error", message=type(error).__name__)
    if is_new and (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, Reason.PRICE_ABOVE_LIMIT):
        price_refused(_purchase_of(buy), supplier=supplier, adapter=adapter)
    return outcome
