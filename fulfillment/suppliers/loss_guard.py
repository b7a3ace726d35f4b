"""The loss guard: stands before every purchase, outside any transaction, and lets nothing through at a loss.

Whom it stops, nothing was sent to: the next supplier is asked. It says `NOT_SENT`, and speaks about our costs, not
about how the supplier is doing.
"""

import logging
from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings

from fulfillment.suppliers.base import Capability, Outcome, OutcomeKind, SupplierAdapter, SupplierSilent
from fulfillment.suppliers.models import Supplier
from fulfillment.suppliers.prices import offer_price_told, plain
from fulfillment.suppliers.rates import yuan_per_unit
from fulfillment.suppliers.reasons import Reason
from kameng.core import sql

logger = logging.getLogger(__name__)

_COST = """
SELECT cost, supplier_sku, synced_at > statement_timestamp() - %s * interval '1 minute'
  FROM public.suppliers_supplieroffer WHERE id = %s
"""


@dataclass(frozen=True, slots=True)
class Purchase:
    """What is about to be bought: so many pieces of an offer, for which the shopper paid so much in yuan."""

    offer_id: int
    sku: str
    quantity: int
    paid: Decimal


def purchase_refused(purchase: Purchase, *, supplier: Supplier, adapter: SupplierAdapter) -> Outcome | None:
    """Why this must not be bought here, or None.

    A cost that was told lately counts as it is, and so does one that a person keeps, where the protocol tells none.
    An older one is held by the protocol's own maximum (`Attempt.max_cost`), or asked about now; if neither can be, it
    is unknown. A live price becomes the offer's cost at once, whatever follows from it.
    """
    can = adapter.capabilities
    if can & {Capability.SAME_DATABASE, Capability.MANUAL}:
        return None
    if yuan_per_unit(supplier.currency) is None:
        return _no(Reason.COST_UNKNOWN, f"no rate for {supplier.currency} that holds")
    if not can & {Capability.PRICE, Capability.CATALOG}:
        return None
    found = sql.rows_anywhere(_COST, [settings.COST_MAX_AGE_MINUTES, purchase.offer_id])
    cost, sku, is_fresh = found[0] if found else (None, "", False)
    if sku == purchase.sku and is_fresh:
        return _judged(cost, purchase)
    if cost is None:
        return _no(Reason.COST_UNKNOWN, "nobody knows what it costs")
    if Capability.COST_GUARD in can:
        return None
    if Capability.PRICE not in can:
        return _no(Reason.COST_UNKNOWN, "the price list is too old")
    return _asked(purchase, supplier, adapter)


def _asked(purchase: Purchase, supplier: Supplier, adapter: SupplierAdapter) -> Outcome | None:
    try:
        price = adapter.price(purchase.sku)
    except SupplierSilent as silent:
        return _no(Reason.COST_UNKNOWN, str(silent))
    except Exception as error:  # a bug in an adapter must not lose the work: nothing was bought
        logger.exception("adapter %s raised for the price of %s", supplier.adapter, purchase.sku)
        return _no(Reason.COST_UNKNOWN, type(error).__name__)
    offer = offer_price_told(offer_id=purchase.offer_id, price=price)
    return _judged(offer.cost, purchase)


def _judged(cost: Decimal | None, purchase: Purchase) -> Outcome | None:
    if cost is None:
        return _no(Reason.COST_UNKNOWN, "nobody knows what it costs")
    if cost * purchase.quantity > purchase.paid:
        return _no(Reason.PRICE_ABOVE_LIMIT, f"{plain(cost)} x {purchase.quantity} > {plain(purchase.paid)}")
    return None


def _no(reason: Reason, why: str) -> Outcome:
    return Outcome(OutcomeKind.NOT_SENT, code=reason, message=why[:200], evidence=why)


def price_refused(purchase: Purchase, *, supplier: Supplier, adapter: SupplierAdapter) -> None:
    """The supplier said that our maximum is too low: the cost that we believed in is wrong, and is asked for again.

    Where it cannot be asked, the cost is unknown until the price list is read, or a person enters it.
    """
    price = None
    if Capability.PRICE in adapter.capabilities:
        try:
            price = adapter.price(purchase.sku)
        except Exception as error:  # no answer: unknown, as it would be without the question
            logger.warning("the price of %s at %s: %s", purchase.sku, supplier.code, error)
    offer_price_told(offer_id=purchase.offer_id, price=price)
