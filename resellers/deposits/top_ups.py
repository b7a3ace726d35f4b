"""Transfers into a deposit, by two people: one writes it down, another one has seen it arrive too."""

from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.core.problems import Problem
from resellers.deposits.models import TopUp
from resellers.deposits.services import amount_checked, deposit_grown, refused
from resellers.ledger.locks import shop_lock
from resellers.ledger.posting import Kind, Move, Name, post

Status = TopUp.Status
SHORTEST_REFERENCE, LONGEST_REFERENCE = 4, 64
SHORTEST_REASON = 4


class TopUpClosed(Problem):
    """Somebody has ended it meanwhile."""

    code = "top_up_closed"
    status = 409
    message = gettext_lazy("这笔已经有人处理了，刷新再看")


class NeedsAnother(Problem):
    """Whoever wrote it down is no second witness."""

    code = "needs_another"
    message = gettext_lazy("要另一位运营来复核：登记的人不能自己确认")


@transaction.atomic
def top_up_record(*, shop_id: int, amount: Decimal, reference: str, actor: str) -> TopUp:
    """Write down a transfer that came; it counts once somebody else has confirmed it. Said twice, it came once.

    `reference` is what the bank calls it. Raises `DepositRefused`, also for a transfer that is written down otherwise.
    """
    shop = shop_lock(shop_id)
    amount = amount_checked(shop, amount)
    reference = "".join(reference.split())
    if not SHORTEST_REFERENCE <= len(reference) <= LONGEST_REFERENCE:
        raise refused(_("请填转账凭证的单号，4 到 64 个字符"), "reference")
    known = TopUp.objects.exclude(status=Status.REJECTED).filter(reference=reference).first()
    if known is not None:
        if (known.shop_id, known.amount) == (shop_id, amount):
            return known
        raise refused(_("这个凭证号已经登记过，店铺或金额不一样"), "reference")
    try:
        with transaction.atomic():
            return TopUp.objects.create(shop_id=shop_id, amount=amount, reference=reference, recorded_by=actor)
    except IntegrityError as error:  # for another shop, at this very moment
        raise refused(_("这个凭证号已经登记过，店铺或金额不一样"), "reference") from error


def _locked(top_up_id: int, *, last: TopUp.Status) -> TopUp:
    """As long as it can still become `last`, or is that already. Raises `TopUpClosed`."""
    found = TopUp.objects.select_for_update(of=("self",)).select_related("shop").get(pk=top_up_id)
    if found.status not in (Status.RECORDED, last):
        raise TopUpClosed
    return found


@transaction.atomic
def top_up_confirm(*, top_up_id: int, actor: str) -> TopUp:
    """The second word: from now on it is the shop's deposit. Said twice, it came once.

    Raises `NeedsAnother` for the one who wrote it down, and `TopUpClosed`.
    """
    seen = _locked(top_up_id, last=Status.CONFIRMED)
    if seen.status == Status.CONFIRMED:
        return seen
    if seen.recorded_by == actor:
        raise NeedsAnother
    seen.status, seen.closed_by, seen.closed_at = Status.CONFIRMED, actor, Now()
    seen.save(update_fields=["status", "closed_by", "closed_at"])
    moves = [Move(Name.TOP_UPS, seen.amount, seen.shop_id), Move(Name.DEPOSIT, -seen.amount, seen.shop_id)]
    post(f"top_up:{seen.pk}", Kind.TOP_UP, moves, shop_id=seen.shop_id)
    deposit_grown(seen.shop)
    return seen


@transaction.atomic
def top_up_reject(*, top_up_id: int, reason: str, actor: str) -> TopUp:
    """It did not come, or was written down wrongly: by anybody, with a reason. Safe to say twice.

    Raises `DepositRefused` without a reason, and `TopUpClosed`.
    """
    seen = _locked(top_up_id, last=Status.REJECTED)
    if seen.status == Status.REJECTED:
        return seen
    reason = " ".join(reason.split())[:200]
    if len(reason) < SHORTEST_REASON:
        raise refused(_("请写明原因，至少 %(count)s 个字") % {"count": SHORTEST_REASON}, "reason")
    seen.status, seen.closed_by, seen.closed_at, seen.reason = Status.REJECTED, actor, Now(), reason
    seen.save(update_fields=["status", "closed_by", "closed_at", "reason"])
    return seen
