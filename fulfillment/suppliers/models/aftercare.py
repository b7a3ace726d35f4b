"""What is settled with a supplier afterwards: questions about an attempt, and goods that were bought twice."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from catalog.models import Variant
from fulfillment.suppliers.models.supplier import Supplier


class AfterSalesRequest(models.Model):
    """We asked a supplier about one attempt; how long it takes to answer is a part of its score."""

    class Answer(models.TextChoices):
        """What the supplier did about it."""

        REPLACED = "replaced", _("已补发")
        REFUNDED = "refunded", _("已退款")
        CONFIRMED = "confirmed", _("确认已到账")
        REFUSED = "refused", _("拒绝")
        OTHER = "other", _("其他")

    supplier = models.ForeignKey(Supplier, models.PROTECT, verbose_name=_("供应商"), related_name="after_sales")
    schema_name = models.CharField(_("店铺"), max_length=63)
    reference = models.CharField(_("采购单号"), max_length=19)
    question = models.CharField(_("问题"), max_length=400)
    asked_by = models.CharField(_("谁问的"), max_length=80)
    asked_at = models.DateTimeField(_("提问时间"), db_default=Now())
    answer = models.CharField(_("结果"), max_length=16, choices=Answer, blank=True)
    answer_text = models.CharField(_("答复"), max_length=400, blank=True)
    answered_by = models.CharField(_("谁记的"), max_length=80, blank=True)
    answered_at = models.DateTimeField(_("答复时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("售后问询")
        verbose_name_plural = _("售后问询")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(answer="", answered_at__isnull=True) | (~Q(answer="") & Q(answered_at__isnull=False)),
                name="after_sales_request_answered_has_time",
            ),
            models.UniqueConstraint(
                fields=["reference"], condition=Q(answer=""), name="after_sales_request_one_open_per_attempt"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.asked_at:%F %T}"


class DuplicateSupply(models.Model):
    """A supplier delivered, and charged, after the goods had come from elsewhere or the money had gone back. `cost` in
    yuan is our loss until it is claimed back; `codes` of them lie sealed under the attempt's reference."""

    class Status(models.TextChoices):
        """What became of it."""

        OPEN = "open", _("待处理")
        CLAIMED = "claimed", _("已索回")
        ABSORBED = "absorbed", _("自行承担")

    supplier = models.ForeignKey(Supplier, models.PROTECT, verbose_name=_("供应商"), related_name="duplicates")
    variant = models.ForeignKey(Variant, models.PROTECT, verbose_name=_("面额"), related_name="duplicates")
    schema_name = models.CharField(_("店铺"), max_length=63)
    reference = models.CharField(_("采购单号"), max_length=19, unique=True)
    quantity = models.PositiveIntegerField(_("数量"))
    codes = models.PositiveIntegerField(_("卡密数"), default=0)
    cost = models.DecimalField(_("成本"), max_digits=14, decimal_places=4)
    status = models.CharField(_("状态"), max_length=16, choices=Status, default=Status.OPEN)
    note = models.CharField(_("说明"), max_length=200, blank=True)
    actor = models.CharField(_("谁"), max_length=80, blank=True)
    created_at = models.DateTimeField(_("发现时间"), db_default=Now())
    closed_at = models.DateTimeField(_("处理时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("重复供货")
        verbose_name_plural = _("重复供货")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return self.reference
