"""Reading deposits: one shop's state, and everybody's for operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from kameng.alerts.models import Alert
from resellers.deposits.models import TopUp
from resellers.deposits.outlook import Outlook
from resellers.deposits.services import EXHAUSTED, outlook_of
from resellers.ledger.balances import balances
from resellers.ledger.posting import Name
from resellers.models import Reseller

TONES = {TopUp.Status.RECORDED: "info", TopUp.Status.CONFIRMED: "ok", TopUp.Status.REJECTED: "neutral"}


def is_exhausted(shop: Reseller, deposit: Decimal) -> bool:
    """Whether shoppers are turned away: nothing is left, or it was too little for an order."""
    if deposit <= 0:
        return True
    return Alert.objects.filter(kind=EXHAUSTED, subject=shop.slug, closed_at__isnull=True).exists()


def warning_of(shop: Reseller, deposit: Decimal) -> str:
    """`exhausted`, `low`, or empty where the deposit is what its owner wants it to be."""
    if deposit > 0 and not outlook_of(shop, deposit).is_low:
        return ""
    return "exhausted" if is_exhausted(shop, deposit) else "low"


@dataclass(frozen=True, slots=True)
class Deposit:
    """A shop's, in yuan."""

    shop: Reseller
    held: Decimal
    outlook: Outlook

    @property
    def free(self) -> Decimal:
        """What is not held."""
        return self.outlook.free


def deposits() -> list[Deposit]:
    """Every shop's that has one, or had; the smallest first."""
    known: Mapping[tuple[Name, int], Decimal] = balances()
    owners = {owner for name, owner in known if name in (Name.DEPOSIT, Name.DEPOSIT_HELD)}
    found = [
        Deposit(
            shop,
            known.get((Name.DEPOSIT_HELD, shop.pk), Decimal(0)),
            outlook_of(shop, known.get((Name.DEPOSIT, shop.pk), Decimal(0))),
        )
        for shop in Reseller.objects.filter(pk__in=owners)
    ]
    return sorted(found, key=lambda one: one.free)
