"""Whom the platform buys from, what they offer, and the codes we hold."""

import json

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from catalog.models import Variant
from kameng.core import encryption


class Supplier(models.Model):
    """One connection to one supplier; its secrets are sealed and never shown again."""

    code = models.SlugField(_("代号"), max_length=40, unique=True)
    name = models.CharField(_("名称"), max_length=60)
    adapter = models.CharField(_("接口"), max_length=20)
    base_url = models.URLField(_("接口地址"), blank=True)
    sealed_config = models.TextField(editable=False, blank=True)
    is_active = models.BooleanField(_("启用"), default=True)
    #: Set when the supplier said that nothing can succeed there now (credentials, balance); a person clears it.
    eliminated_reason = models.CharField(_("停用原因"), max_length=120, blank=True)
    eliminated_at = models.DateTimeField(_("停用时间"), null=True, blank=True)
    updated_at = models.DateTimeField(_("更新时间"), auto_now=True)

    class Meta:
        verbose_name = _("供应商")
        verbose_name_plural = _("供应商")
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name

    @property
    def config(self) -> dict[str, str]:
        """The connection's secrets in clear."""
        if not self.sealed_config:
            return {}
        plain: dict[str, str] = json.loads(encryption.unseal(self.sealed_config, context=f"supplier:{self.code}"))
        return plain

    @config.setter
    def config(self, value: dict[str, str]) -> None:
        self.sealed_config = encryption.seal(json.dumps(value), context=f"supplier:{self.code}")


class SupplierOffer(models.Model):
    """A supplier's product line for one of our variants. `rank` 1 is asked first.

    `cost` in yuan; without it, no sale.
    """

    supplier = models.ForeignKey(Supplier, models.PROTECT, verbose_name=_("供应商"), related_name="offers")
    variant = models.ForeignKey(Variant, models.PROTECT, verbose_name=_("面额"), related_name="offers")
    supplier_sku = models.CharField(_("对方编码"), max_length=64)
    cost = models.DecimalField(_("成本"), max_digits=14, decimal_places=4, null=True, blank=True)
    rank = models.PositiveSmallIntegerField(_("名次"), default=1)
    is_active = models.BooleanField(_("启用"), default=True)
    updated_at = models.DateTimeField(_("更新时间"), auto_now=True)

    class Meta:
        verbose_name = _("渠道报价")
        verbose_name_plural = _("渠道报价")
        ordering = ["variant_id", "rank", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["supplier", "variant"], name="supplier_offer_one_per_variant"),
            models.CheckConstraint(condition=Q(cost__isnull=True) | Q(cost__gt=0), name="supplier_offer_cost_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.variant} ← {self.supplier}"


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
