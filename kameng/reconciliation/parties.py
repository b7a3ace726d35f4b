"""Whose bills there are: merchant accounts whose gateway writes bills, and suppliers."""

from collections.abc import Iterator
from dataclasses import dataclass

from fulfillment.suppliers.models import Supplier
from kameng.reconciliation.models import Side
from payments.gateways.base import Billing, GatewayMisconfigured
from payments.gateways.registry import gateway_class
from payments.merchants.models import GatewayAccount

#: Codes that we hold are bought long before they are sold, and shops are opened by ourselves: nobody sends a bill.
WITHOUT_BILLS = ("stock", "opening")


@dataclass(frozen=True)
class Party:
    """A merchant account or a supplier; `currency` is what its bills are in."""

    side: Side
    owner_id: int
    code: str
    name: str
    currency: str = "CNY"


def gateway_parties() -> Iterator[Party]:
    """Every merchant account that can be asked for its bill, also one that collects no more."""
    for account in GatewayAccount.objects.all():
        if has_bills(account):
            yield Party(Side.GATEWAY, account.pk, account.code, account.name)


def has_bills(account: GatewayAccount) -> bool:
    """Whether the account's gateway writes bills at all."""
    try:
        return issubclass(gateway_class(account.gateway), Billing)
    except GatewayMisconfigured:
        return False


def without_bills() -> list[GatewayAccount]:
    """The accounts whose gateway writes none: what they collected is held against our own book alone."""
    return [account for account in GatewayAccount.objects.all() if not has_bills(account)]


def supplier_parties() -> list[Party]:
    """Every supplier that may send a bill."""
    return [supplier_party(found) for found in Supplier.objects.exclude(adapter__in=WITHOUT_BILLS).order_by("name")]


def supplier_party(supplier: Supplier) -> Party:
    """A supplier as a party."""
    return Party(Side.SUPPLIER, supplier.pk, supplier.code, supplier.name, supplier.currency)


def party_of(code: str) -> Party | None:
    """The account or supplier of that code; an account comes first."""
    account = GatewayAccount.objects.filter(code=code).first()
    if account is not None:
        return Party(Side.GATEWAY, account.pk, account.code, account.name)
    supplier = Supplier.objects.exclude(adapter__in=WITHOUT_BILLS).filter(code=code).first()
    return supplier_party(supplier) if supplier is not None else None
