"""What people write down about accounts without a network: one movement, one row, agreed by two."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from payments.gateways.base import Moved
from payments.merchants.models import GatewayAccount


class Transfer(models.Model):
    """Money that came for a payment, or is to be sent back for a refund; `number` is that one's.

    In public, because the account is one for many shops, and its bank's reference is one over all of them.
    """

    class Kind(models.TextChoices):
        """Which way."""

        IN = "in", _("收款")
        OUT = "out", _("退款")

    class Status(models.TextChoices):
        """Where it stands."""

        ASKED = "asked", _("等登记")
        RECORDED = "recorded", _("等复核")
        CONFIRMED = "confirmed", _("已确认")
        REJECTED = "rejected", _("不成立")

    #: What was recorded wrongly of money to be sent back is to be recorded again; of money that came, anew.
    TRANSITIONS = {
        Status.ASKED: {Status.RECORDED, Status.REJECTED},
        Status.RECORDED: {Status.CONFIRMED, Status.ASKED, Status.REJECTED},
    }
    OPEN = frozenset({Status.ASKED, Status.RECORDED})

    kind = models.CharField(_("方向"), max_length=3, choices=Kind)
    account = models.ForeignKey(GatewayAccount, models.PROTECT, verbose_name=_("收款账户"), related_name="transfers")
    schema_name = models.CharField(_("店铺"), max_length=63)
    order_number = models.CharField(_("订单"), max_length=16)
    number = models.CharField(_("单号"), max_length=32)
    #: What was expected, until somebody has written down what it was.
    amount = models.DecimalField(_("金额"), max_digits=12, decimal_places=2)
    reference = models.CharField(_("银行流水号"), max_length=64, blank=True)
    moved_at = models.DateTimeField(_("到账时间"), null=True, blank=True)
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.ASKED)
    asked_at = models.DateTimeField(_("提出时间"), db_default=Now())
    recorded_by = models.CharField(_("登记人"), max_length=80, blank=True)
    recorded_at = models.DateTimeField(_("登记时间"), null=True, blank=True)
    decided_by = models.CharField(_("复核人"), max_length=80, blank=True)
    decided_at = models.DateTimeField(_("复核时间"), null=True, blank=True)
    #: Of money that came: what the books made of it (`payments.services.Verdict`), and what did not match.
    verdict = models.CharField(_("入账"), max_length=10, blank=True)
    reason = models.CharField(_("原因"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("转账")
        verbose_name_plural = _("转账")
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_amount_positive"),
            models.UniqueConstraint(
                fields=["account", "kind", "reference"],
                condition=~Q(reference="") & ~Q(status="rejected"),
                name="transfer_reference_unique_per_account",
            ),
            models.UniqueConstraint(
                fields=["kind", "number"], condition=Q(status="asked"), name="transfer_asked_for_once"
            ),
            models.UniqueConstraint(
                fields=["number"], condition=Q(kind="out") & ~Q(status="rejected"), name="transfer_sent_back_once"
            ),
            models.CheckConstraint(
                condition=~Q(status__in=["recorded", "confirmed"])
                | (~Q(reference="") & ~Q(recorded_by="") & Q(moved_at__isnull=False)),
                name="transfer_recorded_in_full",
            ),
            models.CheckConstraint(
                condition=~Q(status="confirmed") | (~Q(decided_by="") & ~Q(decided_by=F("recorded_by"))),
                name="transfer_confirmed_by_another",
            ),
        ]
        indexes = [
            models.Index(fields=["number", "kind"], name="transfer_of_number"),
            models.Index(fields=["status", "id"], name="transfer_waiting"),
        ]

    def __str__(self) -> str:
        return self.number

    @property
    def moved(self) -> Moved:
        """For the gateway. Raises `ValueError` before it was recorded."""
        if self.moved_at is None:
            raise ValueError(f"transfer #{self.pk} was not recorded")
        return Moved(self.number, self.reference, self.amount, self.moved_at)
