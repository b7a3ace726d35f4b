"""The codes we hold."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from catalog.models import Variant
from fulfillment.suppliers.models.supplier import Supplier


class StockCode(models.Model):
    """A secret with at most one owner: loaded by us, or bought from a supplier for an order.

    `reference` is the supplier order that took it. The digest is unique over the platform, so that no code is stocked
    or delivered twice, whoever sold it.
    """

    variant = models.ForeignKey(Variant, models.PROTECT, verbose_name=_("面额"), related_name="codes")
    supplier = models.ForeignKey(Supplier, models.PROTECT, verbose_name=_("来源"), related_name="codes")
    sealed = models.TextField(editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    reference = models.CharField(_("采购单号"), max_length=32, blank=True)
    schema_name = models.CharField(_("店铺"), max_length=63, blank=True)
    added_at = models.DateTimeField(_("入库时间"), db_default=Now())
    taken_at = models.DateTimeField(_("出库时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("卡密库存")
        verbose_name_plural = _("卡密库存")
        constraints = [
            models.CheckConstraint(
                condition=Q(reference="", taken_at__isnull=True) | (~Q(reference="") & Q(taken_at__isnull=False)),
                name="stock_code_taken_has_owner",
            )
        ]
        indexes = [
            models.Index(fields=["variant", "id"], condition=Q(reference=""), name="stock_code_free"),
            models.Index(fields=["reference"], condition=~Q(reference=""), name="stock_code_owner"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"
