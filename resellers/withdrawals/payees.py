"""Where a shop's money goes: written down sealed, changed only with time to notice."""

import re
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from kameng.alerts.services import alert_end, alert_raise
from kameng.core.problems import Problem
from resellers.models import Reseller
from resellers.withdrawals.models import Payee

#: So long nothing can be taken out to an account that has taken another one's place. The pages say 24 hours.
COOL_OFF = timedelta(hours=24)
_PHONE = re.compile(r"1[3-9][0-9]{9}", re.ASCII)
_MAIL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)
_CARD = re.compile(r"[0-9]{10,24}", re.ASCII)
#: A person's or a company's name: letters of any script, and what stands between them.
_NAME = re.compile(r"[^\W\d_][\w ·.()（）&-]{1,59}")
_BANK = re.compile(r"[^\W\d_][\w ()（）-]{1,59}")


class PayeeRefused(Problem):
    """Nobody can be paid there, or not yet; `fields` say why."""

    code = "payee_refused"


def payee_of(shop_id: int) -> Payee | None:
    """The account that was written down last, usable or not yet."""
    return Payee.objects.filter(shop_id=shop_id, canceled_at__isnull=True).order_by("-pk").first()


def payee_usable(shop_id: int) -> Payee:
    """The account that money may be asked for to. Raises `PayeeRefused`: none yet, or changed a moment ago."""
    payee = payee_of(shop_id)
    if payee is None:
        raise PayeeRefused(_("先填收款账户"))
    if payee.usable_at > timezone.now():
        at = timezone.localtime(payee.usable_at)
        raise PayeeRefused(_("收款账户刚改过，%(at)s 起才能提现") % {"at": f"{at:%m-%d %H:%M}"})
    return payee


def _checked(kind: str, name: str, account: str, bank: str) -> dict[str, str]:
    """What is kept. Nothing in it can begin a formula. Raises `PayeeRefused`."""
    name, account, bank = " ".join(name.split()), "".join(account.split()), " ".join(bank.split())
    wrong: dict[str, str] = {}
    if not _NAME.fullmatch(name):
        wrong["name"] = _("填实名认证的姓名或公司全称")
    if kind == Payee.Kind.ALIPAY and not (_PHONE.fullmatch(account) or _MAIL.fullmatch(account)):
        wrong["account"] = _("支付宝账号是手机号或邮箱")
    if kind == Payee.Kind.BANK:
        if not _CARD.fullmatch(account):
            wrong["account"] = _("卡号只有数字，10 到 24 位")
        if not _BANK.fullmatch(bank):
            wrong["bank"] = _("填开户行，例如 招商银行深圳科技园支行")
    if kind not in Payee.Kind.values:
        wrong["kind"] = _("选一种收款方式")
    if wrong:
        raise PayeeRefused(fields=wrong)
    told = {"name": name, "account": account}
    return told | {"bank": bank} if kind == Payee.Kind.BANK else told


def masked(told: dict[str, str]) -> str:
    """`张* 138****5678`: enough to know it again, too little to use it."""
    name, account = told["name"], told["account"]
    local, at, domain = account.partition("@")
    if at:
        account = f"{local[:2]}***@{domain}"
    elif _PHONE.fullmatch(account):
        account = f"{account[:3]}****{account[-4:]}"
    else:
        account = f"**** {account[-4:]}"
    hidden = "*" * min(len(name) - 1, 4)
    return " ".join(part for part in (f"{name[:1]}{hidden}", told.get("bank", "")[:20], account) if part)


@transaction.atomic
def payee_save(*, shop_id: int, kind: str, name: str, account: str, bank: str = "", actor: str) -> Payee:
    """Write down where a shop's money goes. One that takes another's place is usable after a day, and told of.

    The same again changes nothing. Raises `PayeeRefused`.
    """
    told = _checked(kind, name, account, bank)
    shop = Reseller.objects.select_for_update().get(pk=shop_id)
    known = payee_of(shop_id)
    if known is not None and known.kind == kind and known.details == told:
        return known
    payee = Payee(shop_id=shop_id, kind=kind, hint=masked(told), created_by=actor)
    payee.details = told
    if known is not None:
        payee.usable_at = timezone.now() + COOL_OFF
    payee.save()
    if known is not None:
        alert_raise(
            "payee.changed", subject=shop.slug, url=f"/admin/withdrawals/?shop={shop.slug}", shop=shop.name,
            before=known.hint, after=payee.hint, by=actor,
        )  # fmt: skip
    payee.refresh_from_db()
    return payee


@transaction.atomic
def payee_cancel(*, shop_id: int, actor: str) -> Payee | None:
    """Take a change back before it counts: the account before it counts again. None where there is nothing to take
    back. `actor` is told to operators, who were told of the change."""
    shop = Reseller.objects.select_for_update().get(pk=shop_id)
    payee = payee_of(shop_id)
    if payee is None or payee.usable_at <= timezone.now():
        return None
    Payee.objects.filter(pk=payee.pk).update(canceled_at=Now())
    alert_end("payee.changed", subject=shop.slug)
    return payee_of(shop_id)
