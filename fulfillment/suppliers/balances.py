"""Our money at suppliers: read in time, told of before it is gone, and back in business once it is there again."""

import logging
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.db.models import Max, Sum
from django.db.models.functions import Now

from fulfillment.suppliers.base import Capability, SupplierMisconfigured
from fulfillment.suppliers.models import Supplier, SupplierOffer, SupplierResult
from fulfillment.suppliers.prices import plain
from fulfillment.suppliers.rates import yuan_per_unit
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.services import adapter_of, supplier_restore
from kameng.alerts.services import Level, alert_end, alert_raise

logger = logging.getLogger(__name__)

#: Where no floor is set, this much of purchases should be left.
RESERVE = timedelta(hours=6)
#: What can be stored; more is a mistake.
HIGHEST_BALANCE = Decimal(10) ** 12
#: Alert: too little money at a supplier.
LOW = "supplier.balance_low"
_BOUGHT = (SupplierResult.Status.SUCCEEDED, SupplierResult.Status.PARTIAL)


@dataclass(frozen=True, slots=True)
class Floor:
    """Below which balance a supplier is running out, in its currency, and whether an operator said so."""

    amount: Decimal
    is_set: bool


def floor_of(supplier: Supplier) -> Floor | None:
    """The operator's floor, or what was bought there in the last six hours; None where that cannot be told."""
    if supplier.balance_floor is not None:
        return Floor(supplier.balance_floor, is_set=True)
    rate = yuan_per_unit(supplier.currency)
    if rate is None:
        return None
    bought = SupplierResult.objects.filter(supplier=supplier, status__in=_BOUGHT, created_at__gt=Now() - RESERVE)
    return Floor((bought.aggregate(sum=Sum("cost"))["sum"] or Decimal(0)) / rate, is_set=False)


def supplier_balance(*, supplier_id: int) -> None:
    """Ask one supplier for our balance and act on it. No answer changes nothing: the time says how old it is."""
    supplier = Supplier.objects.filter(pk=supplier_id, is_active=True).first()
    if supplier is None:
        return
    try:
        adapter = adapter_of(supplier)
        balance = None if adapter.capabilities & {Capability.SAME_DATABASE, Capability.MANUAL} else adapter.balance()
    except SupplierMisconfigured:
        return
    except Exception as error:  # whatever an adapter raises, it is no balance
        logger.warning("the balance at %s: %s", supplier.code, error)
        return
    if balance is None or not balance.is_finite() or abs(balance) >= HIGHEST_BALANCE:
        return
    balance_take(supplier_id=supplier_id, balance=balance)


@transaction.atomic
def balance_take(*, supplier_id: int, balance: Decimal) -> None:
    """Store a balance (in the supplier's currency); raise or end the alert, and restore a supplier that had run dry."""
    supplier = Supplier.objects.select_for_update().get(pk=supplier_id)
    # Not `updated_at`: that says that the connection changed, and costs every process its adapter.
    Supplier.objects.filter(pk=supplier_id).update(balance=balance, balance_at=Now())
    floor = floor_of(supplier)
    if floor is not None and balance < floor.amount:
        alert_raise(
            LOW,
            subject=supplier.code,
            level=Level.URGENT if balance <= 0 else Level.WARNING,
            supplier=supplier.code,
            balance=plain(balance),
            floor=plain(floor.amount.quantize(Decimal("0.01"))),
            currency=supplier.currency,
            is_floor_set=floor.is_set,
        )
    elif floor is not None:
        alert_end(LOW, subject=supplier.code)
        if _ran_dry(supplier) and balance >= max(floor.amount, _dearest(supplier)) and balance > 0:
            logger.warning("supplier %s has a balance again: restored", supplier.code)
            supplier_restore(supplier_id=supplier_id)


def _ran_dry(supplier: Supplier) -> bool:
    return supplier.eliminated_at is not None and supplier.eliminated_reason.split(" ", 1)[0] == Reason.NO_BALANCE


def _dearest(supplier: Supplier) -> Decimal:
    """What one piece of the dearest offer costs, in the supplier's currency: with less it would run dry again."""
    rate = yuan_per_unit(supplier.currency) or Decimal(1)
    offers = SupplierOffer.objects.filter(supplier=supplier, is_active=True)
    return Decimal(offers.aggregate(most=Max("cost"))["most"] or 0) / rate
