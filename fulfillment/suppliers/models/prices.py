"""What goods cost us: rates of exchange, and what each reading of a supplier's price list changed."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from fulfillment.suppliers.models.supplier import Supplier, SupplierOffer


class ExchangeRate(models.Model):
    """How many yuan one unit of a currency costs us, as of some moment; the newest row of a currency holds."""

    currency = models.CharField(_("币种"), max_length=3)
    yuan = models.DecimalField(_("折人民币"), max_digits=14, decimal_places=6)
    as_of = models.DateTimeField(_("时点"))
    source = models.CharField(_("来源"), max_length=80)
    created_at = models.DateTimeField(_("录入时间"), db_default=Now())

    class Meta:
        verbose_name = _("汇率")
        verbose_name_plural = _("汇率")
        ordering = ["currency", "-as_of"]
        constraints = [
            models.CheckConstraint(condition=Q(yuan__gt=0), name="exchange_rate_positive"),
            models.UniqueConstraint(fields=["currency", "as_of"], name="exchange_rate_once_per_moment"),
        ]

    def __str__(self) -> str:
        return f"1 {self.currency} = {self.yuan} CNY"


class PriceSync(models.Model):
    """One reading of a supplier's price list, page by page; `cursor` is where it goes on if it was interrupted."""

    class Status(models.TextChoices):
        """How far it came."""

        RUNNING = "running", _("进行中")
        DONE = "done", _("完成")
        FAILED = "failed", _("中断")

    supplier = models.ForeignKey(Supplier, models.CASCADE, verbose_name=_("供应商"), related_name="price_syncs")
    status = models.CharField(_("状态"), max_length=8, choices=Status, default=Status.RUNNING)
    cursor = models.CharField(max_length=200, blank=True)
    pages = models.PositiveIntegerField(_("页数"), default=0)
    products = models.PositiveIntegerField(_("商品数"), default=0)
    changes = models.PositiveIntegerField(_("变化数"), default=0)
    problem = models.CharField(_("问题"), max_length=200, blank=True)
    started_at = models.DateTimeField(_("开始"), db_default=Now())
    finished_at = models.DateTimeField(_("结束"), null=True, blank=True)

    class Meta:
        verbose_name = _("价目同步")
        verbose_name_plural = _("价目同步")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["supplier"], condition=Q(status="running"), name="price_sync_one_running_per_supplier"
            )
        ]

    def __str__(self) -> str:
        return f"{self.supplier} {self.started_at:%F %T}"


class PriceChange(models.Model):
    """One difference that a price list made to an offer, or a line of it that no offer takes up yet."""

    class Field(models.TextChoices):
        """What changed."""

        COST = "cost", _("成本")
        STOCK = "stock", _("库存")
        LISTED = "listed", _("对方在售")
        NEW = "new", _("未对应的商品")

    sync = models.ForeignKey(PriceSync, models.CASCADE, verbose_name=_("同步"), related_name="rows")
    offer = models.ForeignKey(SupplierOffer, models.CASCADE, verbose_name=_("渠道报价"), null=True, blank=True)
    supplier_sku = models.CharField(_("对方编码"), max_length=64)
    name = models.CharField(_("对方名称"), max_length=120, blank=True)
    field = models.CharField(_("变化"), max_length=8, choices=Field)
    #: Of a line that no offer takes up: what the gate says of its name.
    verdict = models.CharField(_("筛查结论"), max_length=8, blank=True)
    before = models.CharField(_("原来"), max_length=40, blank=True)
    after = models.CharField(_("现在"), max_length=40, blank=True)

    class Meta:
        verbose_name = _("价目变化")
        verbose_name_plural = _("价目变化")
        ordering = ["pk"]
        indexes = [models.Index(fields=["supplier_sku"], condition=Q(field="new"), name="price_change_new_line")]

    def __str__(self) -> str:
        return f"{self.supplier_sku} {self.field}"
