"""Reading withdrawals: a shop's own, and what waits for operators."""

from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name
from resellers.withdrawals.models import Payee, Withdrawal
from resellers.withdrawals.payees import payee_of

Status = Withdrawal.Status
TONES = {
    Status.REQUESTED: "info",
    Status.APPROVED: "info",
    Status.PAID: "ok",
    Status.REJECTED: "bad",
    Status.CANCELED: "neutral",
}


def withdrawals_of(shop_id: int) -> QuerySet[Withdrawal]:
    """A shop's, the newest first."""
    return Withdrawal.objects.filter(shop_id=shop_id).select_related("payee").order_by("-pk")


def payee_pending(shop_id: int) -> Payee | None:
    """The account that has taken another one's place and cannot be used yet."""
    payee = payee_of(shop_id)
    return payee if payee is not None and payee.usable_at > timezone.now() else None


@dataclass(frozen=True, slots=True)
class Review:
    """What an operator should know before they agree; sums in yuan."""

    pending: Decimal
    available: Decimal
    withdrawn: Decimal
    paid: int
    rejected: int
    #: Nothing was ever paid to this account.
    is_first_payee: bool
    #: The shop has written another account down since.
    is_old_payee: bool


def review_of(asked: Withdrawal) -> Review:
    """What the shop has, and how its earlier withdrawals ended."""
    held = balances_of(asked.shop_id, Name.PENDING, Name.AVAILABLE)
    before = Withdrawal.objects.filter(shop_id=asked.shop_id).exclude(pk=asked.pk)
    paid = Q(status=Status.PAID)
    sums = before.aggregate(
        withdrawn=Sum("amount", filter=paid),
        paid=Count("pk", filter=paid),
        rejected=Count("pk", filter=Q(status=Status.REJECTED)),
    )
    current = payee_of(asked.shop_id)
    return Review(
        pending=held[Name.PENDING],
        available=held[Name.AVAILABLE],
        withdrawn=sums["withdrawn"] or Decimal(0),
        paid=sums["paid"],
        rejected=sums["rejected"],
        is_first_payee=not before.filter(paid, payee_id=asked.payee_id).exists(),
        is_old_payee=current is not None and current.pk != asked.payee_id,
    )
