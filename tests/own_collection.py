"""A shop whose owner collects through an account of their own, and what that needs."""

from decimal import Decimal

from kameng.audit.services import invariants, verdict_of
from payments.merchants.models import GatewayAccount
from resellers.deposits.top_ups import top_up_confirm, top_up_record
from resellers.ledger.balances import balances, balances_of
from resellers.ledger.posting import Name
from resellers.models import Reseller
from tests.factories import GatewayAccountFactory

PAID, SUPPLY, FEE = Decimal("60.00"), Decimal("57.00"), Decimal("0.36")


def own_till(shop: Reseller, **fields: object) -> GatewayAccount:
    """The owner's own account, whose gateway keeps 0.6 %."""
    return GatewayAccountFactory.create(
        schema_name=shop.schema_name, owner_collects=True, fee_percent=Decimal("0.6"), **fields
    )


def fund(shop: Reseller, amount: Decimal | str) -> None:
    """A transfer that two people have seen."""
    reference = f"BANK{len(balances())}{amount}"
    seen = top_up_record(shop_id=shop.pk, amount=Decimal(amount), reference=reference, actor="first")
    top_up_confirm(top_up_id=seen.pk, actor="second")


def purse(shop: Reseller) -> tuple[Decimal, Decimal]:
    """What is left of the deposit, and what is held of it."""
    held = balances_of(shop.pk, Name.DEPOSIT, Name.DEPOSIT_HELD)
    return held[Name.DEPOSIT], held[Name.DEPOSIT_HELD]


def book() -> dict[str, Decimal]:
    """What lies where, without the suppliers and without accounts on which nothing is."""
    return {
        str(name): amount
        for (name, _owner), amount in balances().items()
        if amount and name not in (Name.COST, Name.SUPPLIER)
    }


def audited(shop: Reseller) -> list[str]:
    """What I1 and I11 find wrong in the shop and the book."""
    asked = [invariant for invariant in invariants() if invariant.code in ("I1", "I11")]
    return [example for invariant in asked for example in verdict_of(invariant, [shop]).examples]
