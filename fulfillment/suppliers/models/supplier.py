"""Whom the platform buys from, and what they offer."""

import json
from decimal import Decimal

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from catalog.models import Variant
from compliance.gate.subjects import Standing
from kameng.core import encryption


class Supplier(models.Model):
    """One connection to one supplier; its secrets are sealed and never shown again.

    Limits hold for all workers together. Times are in seconds; an empty one is the protocol's or the platform's own.
    """

    class Standing(models.TextChoices):
        """How near the supplier is to whoever makes the goods."""

        OFFICIAL = "official", _("官方直供")
        AGENT = "agent", _("一级代理")
        RESELLER = "reseller", _("普通货源")

    code = models.SlugField(_("代号"), max_length=40, unique=True)
    name = models.CharField(_("名称"), max_length=60)
    adapter = models.CharField(_("接口"), max_length=20)
    base_url = models.URLField(_("接口地址"), blank=True)
    sealed_config = models.TextField(editable=False, blank=True)
    currency = models.CharField(_("结算币种"), max_length=3, default="CNY")
    standing = models.CharField(_("资质"), max_length=16, choices=Standing, default=Standing.RESELLER)
    #: What somebody who has to decide about an unclear purchase should know: whom to call, when, where to look.
    instructions = models.TextField(_("处理说明"), blank=True, max_length=2000)
    max_concurrent = models.PositiveSmallIntegerField(_("同时请求上限"), default=16, validators=[MinValueValidator(1)])
    max_per_minute = models.PositiveIntegerField(_("每分钟请求上限"), default=1200, validators=[MinValueValidator(1)])
    connect_seconds = models.DecimalField(_("连接时限"), max_digits=5, decimal_places=1, default=Decimal(2))
    read_seconds = models.DecimalField(_("应答时限"), max_digits=5, decimal_places=1, default=Decimal(8))
    total_seconds = models.DecimalField(_("总时限"), max_digits=5, decimal_places=1, default=Decimal(15))
    #: The safe window: how long after submitting, and how far apart twice, "no such order" is believed.
    not_found_grace = models.PositiveIntegerField(_("查无此单宽限"), null=True, blank=True)
    not_found_window = models.PositiveIntegerField(_("查无此单间隔"), null=True, blank=True)
    #: How long an unclear purchase is asked about before a person decides.
    unknown_limit = models.PositiveIntegerField(_("未知转人工"), null=True, blank=True)
    balance = models.DecimalField(_("余额"), max_digits=16, decimal_places=4, null=True, blank=True)
    balance_at = models.DateTimeField(_("余额时间"), null=True, blank=True)
    balance_floor = models.DecimalField(_("余额提醒线"), max_digits=16, decimal_places=4, null=True, blank=True)
    is_active = models.BooleanField(_("启用"), default=True)
    #: Set when the supplier said that nothing can succeed there now (credentials, balance); a person clears it.
    eliminated_reason = models.CharField(_("停用原因"), max_length=120, blank=True)
    eliminated_at = models.DateTimeField(_("停用时间"), null=True, blank=True)
    updated_at = models.DateTimeField(_("更新时间"), auto_now=True)

    class Meta:
        verbose_name = _("供应商")
        verbose_name_plural = _("供应商")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(max_concurrent__gte=1, max_per_minute__gte=1), name="supplier_limits_let_something_through"
            ),
            models.CheckConstraint(
                condition=Q(connect_seconds__gt=0, read_seconds__gt=0, total_seconds__gte=F("connect_seconds")),
                name="supplier_deadlines_positive",
            ),
        ]

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
    """A supplier's product line for one of our variants. `cost` in yuan; without it, no sale.

    Who is asked first follows from `score`, which is computed from results; `rank` settles ties, and the order before
    there are any. What a price list said is kept beside it: `list_price` in the supplier's currency, `stock` where it
    told one, `is_listed` until it drops the line.
    """

    supplier = models.ForeignKey(Supplier, models.PROTECT, verbose_name=_("供应商"), related_name="offers")
    variant = models.ForeignKey(Variant, models.PROTECT, verbose_name=_("面额"), related_name="offers")
    supplier_sku = models.CharField(_("对方编码"), max_length=64)
    cost = models.DecimalField(_("成本"), max_digits=14, decimal_places=4, null=True, blank=True)
    rank = models.PositiveSmallIntegerField(_("名次"), default=1)
    list_price = models.DecimalField(_("对方报价"), max_digits=14, decimal_places=4, null=True, blank=True)
    #: A price so far from the one before that a person has to confirm it; as long as it stands here, no cost is known.
    proposed_price = models.DecimalField(_("待确认报价"), max_digits=14, decimal_places=4, null=True, blank=True)
    stock = models.PositiveIntegerField(_("对方库存"), null=True, blank=True)
    is_listed = models.BooleanField(_("对方在售"), default=True)
    #: What the list calls it, and what the gate says of that (`suppliers.screened`).
    listed_name = models.CharField(_("对方名称"), max_length=120, blank=True, db_default="", editable=False)
    standing = models.CharField(
        _("合规状态"),
        max_length=10,
        choices=Standing,
        default=Standing.CLEAR,
        db_default=Standing.CLEAR,
        editable=False,
    )
    synced_at = models.DateTimeField(_("同步时间"), null=True, blank=True)
    score = models.FloatField(_("得分"), null=True, blank=True)
    #: How the score came about: each part with its figure, its weight and what it rests on.
    score_parts = models.JSONField(_("得分构成"), default=dict, blank=True)
    scored_at = models.DateTimeField(_("评分时间"), null=True, blank=True)
    is_active = models.BooleanField(_("启用"), default=True)
    updated_at = models.DateTimeField(_("更新时间"), auto_now=True)

    class Meta:
        verbose_name = _("渠道报价")
        verbose_name_plural = _("渠道报价")
        ordering = ["variant_id", "rank", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["supplier", "variant"], name="supplier_offer_one_per_variant"),
            models.CheckConstraint(condition=Q(cost__isnull=True) | Q(cost__gt=0), name="supplier_offer_cost_positive"),
            models.CheckConstraint(
                condition=Q(cost__isnull=True) | Q(proposed_price__isnull=True),
                name="supplier_offer_unconfirmed_has_no_cost",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.variant} ← {self.supplier}"
