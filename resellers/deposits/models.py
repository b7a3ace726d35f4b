"""Transfers of owners that operators have seen arrive."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from resellers.models import Reseller


class TopUp(models.Model):
    """A transfer for a shop's deposit: one person writes down that it came, another one has seen it too."""

    class Status(models.TextChoices):
        """Where it stands."""

        RECORDED = "recorded", _("待复核")
        CONFIRMED = "confirmed", _("已入账")
        REJECTED = "rejected", _("已作废")

    shop = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("店铺"), related_name="+")
    amount = models.DecimalField(_("金额"), max_digits=12, decimal_places=2)
    #: What the bank calls the transfer.
    reference = models.CharField(_("转账凭证号"), max_length=64)
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.RECORDED)
    recorded_by = models.CharField(_("登记人"), max_length=80)
    recorded_at = models.DateTimeField(_("登记时间"), db_default=Now())
    closed_by = models.CharField(_("复核人"), max_length=80, blank=True)
    closed_at = models.DateTimeField(_("复核时间"), null=True, blank=True)
    reason = models.CharField(_("作废原因"), max_length=200, blank=True)

    class Meta:
        verbose_name = _("保证金充值")
        verbose_name_plural = _("保证金充值")
        constraints = [
            models.UniqueConstraint(
                fields=["reference"], condition=~Q(status="rejected"), name="top_up_of_a_transfer_once"
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="top_up_amount_positive"),
            models.CheckConstraint(
                condition=~Q(status="confirmed") | (~Q(closed_by="") & ~Q(closed_by=F("recorded_by"))),
                name="top_up_confirmed_by_another",
            ),
        ]
        indexes = [
            models.Index(fields=["shop", "-id"], name="top_up_of_shop"),
            models.Index(fields=["status", "id"], name="top_up_waiting"),
        ]

    def __str__(self) -> str:
        return self.reference
