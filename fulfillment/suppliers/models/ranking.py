"""What operators decide about the order in which suppliers are asked."""

from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Variant
from fulfillment.suppliers.models.supplier import Supplier


class RankingWeights(models.Model):
    """How much each part of a score counts, 0 to 100; for one category, or for all that have no weights of their own.
    Only their proportions matter."""

    category = models.ForeignKey(
        Category, models.CASCADE, verbose_name=_("类目"), null=True, blank=True, related_name="ranking_weights"
    )
    success = models.PositiveSmallIntegerField(_("成功率"), default=45, validators=[MaxValueValidator(100)])
    speed = models.PositiveSmallIntegerField(_("到账速度"), default=20, validators=[MaxValueValidator(100)])
    cost = models.PositiveSmallIntegerField(_("成本"), default=20, validators=[MaxValueValidator(100)])
    after_sales = models.PositiveSmallIntegerField(_("售后响应"), default=10, validators=[MaxValueValidator(100)])
    standing = models.PositiveSmallIntegerField(_("资质"), default=5, validators=[MaxValueValidator(100)])
    updated_at = models.DateTimeField(_("更新时间"), auto_now=True)

    class Meta:
        verbose_name = _("评分权重")
        verbose_name_plural = _("评分权重")
        constraints = [
            models.UniqueConstraint(fields=["category"], nulls_distinct=False, name="ranking_weights_one_per_category"),
            models.CheckConstraint(
                condition=~Q(success=0, speed=0, cost=0, after_sales=0, standing=0),
                name="ranking_weights_weigh_something",
            ),
        ]

    def __str__(self) -> str:
        return str(self.category or _("默认"))


class RankingRule(models.Model):
    """An operator's word against the score: ask this supplier first, or not at all; in one category, for one variant,
    or everywhere. A pin ends by itself."""

    class Kind(models.TextChoices):
        """What is to be done."""

        PIN = "pin", _("置顶")
        EXCLUDE = "exclude", _("排除")

    kind = models.CharField(_("动作"), max_length=8, choices=Kind)
    supplier = models.ForeignKey(Supplier, models.CASCADE, verbose_name=_("供应商"), related_name="ranking_rules")
    category = models.ForeignKey(
        Category, models.CASCADE, verbose_name=_("类目"), null=True, blank=True, related_name="ranking_rules"
    )
    variant = models.ForeignKey(
        Variant, models.CASCADE, verbose_name=_("面额"), null=True, blank=True, related_name="ranking_rules"
    )
    reason = models.CharField(_("理由"), max_length=200)
    actor = models.CharField(_("谁"), max_length=80)
    created_at = models.DateTimeField(_("开始"), db_default=Now())
    expires_at = models.DateTimeField(_("到期"), null=True, blank=True)

    class Meta:
        verbose_name = _("置顶与排除")
        verbose_name_plural = _("置顶与排除")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(category__isnull=True) | Q(variant__isnull=True), name="ranking_rule_one_scope"
            ),
            models.CheckConstraint(
                condition=~Q(kind="pin") | Q(expires_at__isnull=False), name="ranking_rule_pin_expires"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="ranking_rule_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.supplier}"
