"""The codes we hold, ours and owners', and how they came in."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from catalog.models import Variant
from fulfillment.suppliers.models.supplier import Supplier
from kameng.core.encryption import seal, unseal


class StockImport(models.Model):
    """One list of codes, pasted or in a file, that is put on the shelf part by part. Of lines that were left out only
    the numbers are kept, as ranges: `problems` is `{"repeated" | "known" | "bad": [[first, last], …]}`."""

    variant = models.ForeignKey(Variant, models.PROTECT, verbose_name=_("面额"), related_name="imports")
    supplier = models.ForeignKey(Supplier, models.PROTECT, verbose_name=_("来源"), related_name="+")
    #: Of the shop whose owner brought it.
    schema_name = models.CharField(_("店铺"), max_length=63)
    source = models.CharField(_("文件"), max_length=120)
    lines = models.PositiveIntegerField(_("行数"))
    done = models.PositiveIntegerField(_("已处理"), default=0)
    added = models.PositiveIntegerField(_("入库"), default=0)
    repeated = models.PositiveIntegerField(_("文件内重复"), default=0)
    known = models.PositiveIntegerField(_("以前有过"), default=0)
    bad = models.PositiveIntegerField(_("不像卡密"), default=0)
    problems = models.JSONField(default=dict, editable=False)
    actor = models.CharField(_("谁"), max_length=80)
    created_at = models.DateTimeField(_("时间"), db_default=Now())
    finished_at = models.DateTimeField(_("完成时间"), null=True)
    undone_at = models.DateTimeField(_("撤销时间"), null=True)
    undone_by = models.CharField(_("谁撤销的"), max_length=80, blank=True)
    withdrawn = models.PositiveIntegerField(_("撤回"), default=0)

    class Meta:
        verbose_name = _("卡密导入")
        verbose_name_plural = _("卡密导入")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["schema_name", "-id"], name="stock_import_of_shop")]

    def __str__(self) -> str:
        return f"#{self.pk}"

    @property
    def percent(self) -> int:
        """How far it has come."""
        return self.done * 100 // self.lines if self.lines else 100


class StockImportPart(models.Model):
    """Lines that wait to be put on the shelf, sealed; gone once they are there."""

    batch = models.ForeignKey(StockImport, models.CASCADE, related_name="parts")
    #: The number of its first line in the whole.
    first = models.PositiveIntegerField()
    sealed = models.TextField(editable=False)

    class Meta:
        verbose_name = _("待入库的卡密")
        verbose_name_plural = _("待入库的卡密")
        constraints = [models.UniqueConstraint(fields=["batch", "first"], name="stock_import_part_once")]

    def __str__(self) -> str:
        return f"#{self.batch_id}/{self.first}"

    @property
    def text(self) -> str:
        """The lines in clear. Raises `Unreadable`."""
        return unseal(self.sealed, context=f"stock-import:{self.batch_id}/{self.first}")

    @text.setter
    def text(self, lines: str) -> None:
        self.sealed = seal(lines, context=f"stock-import:{self.batch_id}/{self.first}")


class StockCode(models.Model):
    """A secret with at most one owner: loaded by us or by a shop's owner, or bought from a supplier for an order.

    `reference` is the supplier order that took it. The digest is unique over the platform, so that no code is stocked
    or delivered twice, whoever sold it.
    """

    variant = models.ForeignKey(Variant, models.PROTECT, verbose_name=_("面额"), related_name="codes")
    supplier = models.ForeignKey(Supplier, models.PROTECT, verbose_name=_("来源"), related_name="codes")
    sealed = models.TextField(editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    reference = models.CharField(_("采购单号"), max_length=32, blank=True)
    schema_name = models.CharField(_("店铺"), max_length=63, blank=True)
    #: The import that brought it, where one did that can be undone.
    batch = models.ForeignKey(
        StockImport, models.DO_NOTHING, verbose_name=_("导入"), null=True, db_index=False, related_name="+"
    )
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
