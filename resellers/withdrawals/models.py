"""Who is paid, what was asked for, and the files that it was paid by."""

import json
from decimal import Decimal

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from kameng.core import encryption
from resellers.models import Reseller


class Payee(models.Model):
    """Where a shop's money goes. A change is a new row, so that each withdrawal keeps the one it was asked for with."""

    class Kind(models.TextChoices):
        """What kind of account."""

        ALIPAY = "alipay", _("支付宝")
        BANK = "bank", _("银行卡")

    shop = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("店铺"), related_name="+")
    kind = models.CharField(_("方式"), max_length=8, choices=Kind)
    sealed = models.TextField(editable=False)
    #: What of it may be shown: `张* 138****5678`.
    hint = models.CharField(pgettext_lazy("提现", "收款账户"), max_length=80)
    #: From when on money may be asked for to it; later than `created_at` where it took another one's place.
    usable_at = models.DateTimeField(_("可用时间"), db_default=Now())
    created_at = models.DateTimeField(_("填写时间"), db_default=Now())
    created_by = models.CharField(_("谁填的"), max_length=80)
    #: Taken back before it became usable: the one before it counts again.
    canceled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = pgettext_lazy("提现", "收款账户")
        verbose_name_plural = pgettext_lazy("提现", "收款账户")
        indexes = [models.Index(fields=["shop", "-id"], name="payee_of_shop")]

    def __str__(self) -> str:
        return self.hint

    @property
    def details(self) -> dict[str, str]:
        """`name`, `account`, and the `bank` of a card, in clear."""
        told: dict[str, str] = json.loads(encryption.unseal(self.sealed, context=f"payee:{self.shop_id}"))
        return told

    @details.setter
    def details(self, value: dict[str, str]) -> None:
        self.sealed = encryption.seal(json.dumps(value, ensure_ascii=False), context=f"payee:{self.shop_id}")


class PayoutBatch(models.Model):
    """One file of what was to be paid: its rows never change, so that it can be had again as it was."""

    number = models.CharField(_("批次号"), max_length=16, unique=True)
    kind = models.CharField(_("方式"), max_length=8, choices=Payee.Kind)
    count = models.PositiveIntegerField(_("笔数"))
    total = models.DecimalField(_("金额"), max_digits=14, decimal_places=2)
    created_at = models.DateTimeField(_("导出时间"), db_default=Now())
    created_by = models.CharField(_("谁导出"), max_length=80)

    class Meta:
        verbose_name = _("打款批次")
        verbose_name_plural = _("打款批次")

    def __str__(self) -> str:
        return self.number


class Withdrawal(models.Model):
    """One wish for money, from asking to the end. `amount` leaves what is available; `fee` of it stays with us."""

    class Status(models.TextChoices):
        """Where it stands."""

        REQUESTED = "requested", _("审核中")
        APPROVED = "approved", _("待打款")
        PAID = "paid", _("已打款")
        REJECTED = "rejected", _("已拒绝")
        CANCELED = "canceled", _("已撤回")

    TRANSITIONS = {
        Status.REQUESTED: {Status.APPROVED, Status.REJECTED, Status.CANCELED},
        Status.APPROVED: {Status.PAID, Status.REJECTED},
    }
    #: The money is on its way: neither the owner's to take nor gone.
    OPEN = frozenset({Status.REQUESTED, Status.APPROVED})
    #: It went back to where it came from.
    BACK = frozenset({Status.REJECTED, Status.CANCELED})

    number = models.CharField(_("提现单号"), max_length=16, unique=True)
    #: Sent with the form, so that a form that is sent twice asks once.
    key = models.CharField(max_length=40)
    shop = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("店铺"), related_name="+")
    payee = models.ForeignKey(
        Payee, models.PROTECT, verbose_name=pgettext_lazy("提现", "收款账户"), related_name="withdrawals"
    )
    amount = models.DecimalField(_("提现金额"), max_digits=12, decimal_places=2)
    fee = models.DecimalField(_("手续费"), max_digits=12, decimal_places=2)
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.REQUESTED)
    #: Settled when it was asked for: a limit that is changed later changes nothing for it.
    needs_two = models.BooleanField(_("要两人批准"), default=False)
    requested_by = models.CharField(_("申请人"), max_length=80)
    requested_at = models.DateTimeField(_("申请时间"), db_default=Now())
    #: The first of two; empty where one is enough.
    seconded_by = models.CharField(_("初审人"), max_length=80, blank=True)
    approved_by = models.CharField(_("批准人"), max_length=80, blank=True)
    approved_at = models.DateTimeField(_("批准时间"), null=True, blank=True)
    batch = models.ForeignKey(
        PayoutBatch, models.PROTECT, verbose_name=_("打款批次"), null=True, blank=True, related_name="withdrawals"
    )
    #: What the bank or Alipay calls the payout.
    reference = models.CharField(_("打款凭证号"), max_length=64, blank=True)
    reason = models.CharField(_("拒绝原因"), max_length=200, blank=True)
    closed_by = models.CharField(_("谁办结"), max_length=80, blank=True)
    closed_at = models.DateTimeField(_("办结时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("提现")
        verbose_name_plural = _("提现")
        constraints = [
            models.UniqueConstraint(fields=["shop", "key"], name="withdrawal_asked_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="withdrawal_amount_positive"),
            models.CheckConstraint(condition=Q(fee__gte=0, fee__lt=F("amount")), name="withdrawal_leaves_something"),
            models.CheckConstraint(
                condition=~Q(status__in=["approved", "paid"], needs_two=True)
                | (~Q(seconded_by="") & ~Q(seconded_by=F("approved_by"))),
                name="withdrawal_approved_by_two",
            ),
        ]
        indexes = [
            models.Index(fields=["shop", "-id"], name="withdrawal_of_shop"),
            models.Index(fields=["status", "id"], name="withdrawal_waiting"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def payout(self) -> Decimal:
        """What arrives, in yuan."""
        return self.amount - self.fee
