"""Asking for money, and each step of it: the row, its state and the book in one transaction."""

from dataclasses import dataclass
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.core.ids import random_id
from kameng.core.money import quantize
from kameng.core.problems import Problem
from resellers.ledger.balances import balances_of
from resellers.ledger.locks import shop_lock
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller
from resellers.withdrawals.models import Withdrawal
from resellers.withdrawals.payees import payee_usable

Status = Withdrawal.Status
NUMBER_LENGTH = 12
SHORTEST_REASON = 4


class WithdrawalRefused(Problem):
    """Money cannot be asked for like that; `fields` say why."""

    code = "withdrawal_refused"


class WithdrawalClosed(Problem):
    """It has gone on meanwhile, and this step is over."""

    code = "withdrawal_closed"
    status = 409
    message = gettext_lazy("这笔提现已经往下走了，刷新再看")


class NeedsAnother(Problem):
    """Two people must agree, and this is the first of them again."""

    code = "needs_another"
    message = gettext_lazy("这笔超过了双人复核的额度，要另一位运营来批准")


@dataclass(frozen=True, slots=True)
class Terms:
    """What one shop may take out at once, in yuan, and what it costs."""

    minimum: Decimal
    fixed: Decimal
    percent: Decimal

    def fee(self, amount: Decimal) -> Decimal:
        """Of so much, in whole fen."""
        return quantize(self.fixed + amount * self.percent / 100)


def terms_of(shop: Reseller) -> Terms:
    """The shop's own, else the platform's."""
    own = (shop.withdrawal_minimum, shop.withdrawal_fee, shop.withdrawal_fee_percent)
    general = (settings.WITHDRAWAL_MINIMUM, settings.WITHDRAWAL_FEE, settings.WITHDRAWAL_FEE_PERCENT)
    return Terms(*(ours if ours is not None else theirs for ours, theirs in zip(own, general, strict=True)))


def _refused(text: str) -> WithdrawalRefused:
    return WithdrawalRefused(text, fields={"amount": text})


@transaction.atomic
def withdrawal_request(*, shop_id: int, amount: Decimal, key: str, actor: str) -> Withdrawal:
    """Ask for `amount` yuan of what is available, fee included. The same `key` again gives the same withdrawal.

    Raises `WithdrawalRefused`, and `PayeeRefused` where there is nobody to pay yet.
    """
    shop = shop_lock(shop_id)
    if known := Withdrawal.objects.filter(shop_id=shop_id, key=key).first():
        return known
    if shop.is_house:
        raise WithdrawalRefused(_("直营店的钱就是平台的，不用提现"))
    terms = terms_of(shop)
    if amount != quantize(amount):
        raise _refused(_("金额最多两位小数"))
    if amount < max(terms.minimum, Decimal("0.01")):
        raise _refused(_("最少提 %(minimum)s 元") % {"minimum": terms.minimum})
    fee = terms.fee(amount)
    if fee >= amount:
        raise _refused(_("手续费要 %(fee)s 元，提这么少就没有了") % {"fee": fee})
    payee = payee_usable(shop_id)
    available = balances_of(shop_id, Name.AVAILABLE)[Name.AVAILABLE]
    if amount > available:
        raise _refused(_("最多能提 %(available)s 元") % {"available": f"{max(available, Decimal(0)):.2f}"})
    asked = Withdrawal.objects.create(
        number=random_id(NUMBER_LENGTH),
        key=key,
        shop_id=shop_id,
        payee=payee,
        amount=amount,
        fee=fee,
        needs_two=amount >= settings.WITHDRAWAL_SECOND_APPROVAL,
        requested_by=actor,
    )
    moves = [Move(Name.AVAILABLE, amount, shop_id), Move(Name.WITHDRAWALS, -amount, shop_id)]
    post(f"withdrawal:{asked.number}", Kind.WITHDRAWAL, moves, shop_id=shop_id)
    return asked


def _locked(withdrawal_id: int) -> Withdrawal:
    return Withdrawal.objects.select_for_update().get(pk=withdrawal_id)


def _step(asked: Withdrawal, to: Withdrawal.Status) -> None:
    if to not in Withdrawal.TRANSITIONS.get(Status(asked.status), ()):
        raise WithdrawalClosed
    asked.status = to


@transaction.atomic
def withdrawal_approve(*, withdrawal_id: int, actor: str) -> Withdrawal:
    """Let it be paid; above the limit the first word of two. Approved already is no mistake.

    Raises `NeedsAnother` for the first one's second word, and `WithdrawalClosed`.
    """
    asked = _locked(withdrawal_id)
    if asked.status == Status.APPROVED:
        return asked
    if asked.needs_two and asked.status == Status.REQUESTED:
        if not asked.seconded_by:
            asked.seconded_by = actor
            asked.save(update_fields=["seconded_by"])
            return asked
        if asked.seconded_by == actor:
            raise NeedsAnother
    _step(asked, Status.APPROVED)
    asked.approved_by, asked.approved_at = actor, Now()
    asked.save(update_fields=["status", "approved_by", "approved_at"])
    return asked


@transaction.atomic
def withdrawal_pay(*, withdrawal_id: int, reference: str, actor: str) -> Withdrawal:
    """It was paid out; `reference` is what the bank or Alipay calls that. Said twice, it was paid once.

    Raises `WithdrawalRefused` without a reference, and `WithdrawalClosed`.
    """
    asked = _locked(withdrawal_id)
    if asked.status == Status.PAID:
        return asked
    reference = "".join(reference.split())
    if not 4 <= len(reference) <= 64:
        text = _("请填打款凭证的单号，4 到 64 个字符")
        raise WithdrawalRefused(text, fields={"reference": text})
    _step(asked, Status.PAID)
    asked.reference, asked.closed_by, asked.closed_at = reference, actor, Now()
    asked.save(update_fields=["status", "reference", "closed_by", "closed_at"])
    moves = [
        Move(Name.WITHDRAWALS, asked.amount, asked.shop_id),
        Move(Name.PAYOUTS, -asked.payout, asked.shop_id),
        Move(Name.WITHDRAWAL_FEES, -asked.fee),
    ]
    post(f"payout:{asked.number}", Kind.PAYOUT, moves, shop_id=asked.shop_id)
    return asked


@transaction.atomic
def withdrawal_reject(*, withdrawal_id: int, reason: str, actor: str) -> Withdrawal:
    """It is not paid, for a reason that the owner reads, and the money is theirs again. Safe to say twice.

    Raises `WithdrawalRefused` without a reason, and `WithdrawalClosed`.
    """
    asked = _locked(withdrawal_id)
    if asked.status == Status.REJECTED:
        return asked
    reason = " ".join(reason.split())[:200]
    if len(reason) < SHORTEST_REASON:
        text = _("请写明原因，至少 %(count)s 个字；店主看得到") % {"count": SHORTEST_REASON}
        raise WithdrawalRefused(text, fields={"reason": text})
    return _back(asked, Status.REJECTED, reason=reason, actor=actor)


@transaction.atomic
def withdrawal_cancel(*, withdrawal_id: int, actor: str) -> Withdrawal:
    """The owner takes it back, as long as nobody has approved it. Safe to say twice. Raises `WithdrawalClosed`."""
    asked = _locked(withdrawal_id)
    if asked.status == Status.CANCELED:
        return asked
    return _back(asked, Status.CANCELED, reason="", actor=actor)


def _back(asked: Withdrawal, to: Withdrawal.Status, *, reason: str, actor: str) -> Withdrawal:
    _step(asked, to)
    asked.reason, asked.closed_by, asked.closed_at = reason, actor, Now()
    asked.save(update_fields=["status", "reason", "closed_by", "closed_at"])
    moves = [Move(Name.WITHDRAWALS, asked.amount, asked.shop_id), Move(Name.AVAILABLE, -asked.amount, asked.shop_id)]
    post(f"withdrawal_back:{asked.number}", Kind.WITHDRAWAL_BACK, moves, shop_id=asked.shop_id)
    return asked
