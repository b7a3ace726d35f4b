"""What one shop does with the platform's catalogue. A shop without a row here sells all of it."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from compliance.gate.subjects import Standing
from kameng.core.fields import public_key


class Listing(models.Model):
    """What the owner overrides for one variant: the price, the name, whether it is shown, and where."""

    variant = public_key("catalog.Variant", _("面额"), db_index=False)
    price = models.DecimalField(_("自定售价"), max_digits=12, decimal_places=2, null=True, blank=True)
    name = models.CharField(_("自定名称"), max_length=60, blank=True)
    is_visible = models.BooleanField(_("展示"), default=True)
    position = models.PositiveIntegerField(_("排序"), null=True, blank=True)
    #: What the gate says of the owner's own name (`catalog.listings.screened`); without one there is nothing to say.
    standing = models.CharField(
        _("合规状态"),
        max_length=10,
        choices=Standing,
        default=Standing.CLEAR,
        db_default=Standing.CLEAR,
        editable=False,
    )
    updated_at = models.DateTimeField(_("更新时间"), auto_now=True)

    class Meta:
        verbose_name = _("自定商品")
        verbose_name_plural = _("自定商品")
        constraints = [
            models.UniqueConstraint(fields=["variant"], name="listing_one_per_variant"),
            models.CheckConstraint(condition=Q(price__isnull=True) | Q(price__gt=0), name="listing_price_positive"),
        ]

    def __str__(self) -> str:
        return self.name or str(self.variant)


class PriceRule(models.Model):
    """The owner's markup over the supply price, or a price: for one variant, product or category, or (with none) the
    whole shop. No row is no wish: the next wider one applies."""

    class Kind(models.TextChoices):
        """Percent of the supply price, yuan on top of it, or the price itself."""

        PERCENT = "percent", _("加百分比")
        FIXED = "fixed", _("加固定金额")
        PRICE = "price", _("一口价")

    class Rounding(models.TextChoices):
        """The grid that a price is rounded up to."""

        NONE = "none", _("到分")
        JIAO = "jiao", _("到角")
        HALF = "half", _("到五角")
        YUAN = "yuan", _("到元")
        NINE = "nine", _("尾数九角")

    category = public_key("catalog.Category", _("类目"), null=True, db_index=False)
    product = public_key("catalog.Product", _("商品"), null=True, db_index=False)
    variant = public_key("catalog.Variant", _("面额"), null=True, db_index=False)
    kind = models.CharField(_("方式"), max_length=8, choices=Kind)
    value = models.DecimalField(_("数值"), max_digits=8, decimal_places=2)
    rounding = models.CharField(_("取整"), max_length=8, choices=Rounding, default=Rounding.NONE)
    created_at = models.DateTimeField(_("创建时间"), db_default=Now())
    updated_at = models.DateTimeField(_("更新时间"), auto_now=True, db_default=Now())

    class Meta:
        verbose_name = pgettext_lazy("一条", "定价规则")
        verbose_name_plural = _("定价规则")
        constraints = [
            models.UniqueConstraint(
                fields=["category", "product", "variant"], name="price_rule_one_per_scope", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(category__isnull=True, product__isnull=True)
                | Q(category__isnull=True, variant__isnull=True)
                | Q(product__isnull=True, variant__isnull=True),
                name="price_rule_one_scope",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


class Placement(models.Model):
    """What the owner makes of a product: its place among all of them, whether the first page recommends it, and what
    the shop calls it."""

    product = public_key("catalog.Product", _("商品"), db_index=False)
    position = models.PositiveIntegerField(_("排序"), null=True, blank=True)
    is_featured = models.BooleanField(_("首页推荐"), default=False)
    name = models.CharField(_("自定商品名"), max_length=60, blank=True, default="", db_default="")
    #: By what the own name is found (`catalog.search`).
    search_text = models.TextField(blank=True, default="", db_default="", editable=False)
    #: What the gate says of the own name (`catalog.listings.product_names`): only a clear one is shown.
    standing = models.CharField(
        _("合规状态"),
        max_length=10,
        choices=Standing,
        default=Standing.CLEAR,
        db_default=Standing.CLEAR,
        editable=False,
    )

    class Meta:
        verbose_name = _("商品位置")
        verbose_name_plural = _("商品位置")
        constraints = [models.UniqueConstraint(fields=["product"], name="placement_one_per_product")]

    def __str__(self) -> str:
        return self.name or str(self.product)

    @property
    def shown_name(self) -> str:
        """What the shop calls the product; nothing where that is as the platform does."""
        return self.name if self.standing == Standing.CLEAR else ""


class Repricing(models.Model):
    """One change that an owner made and can take back, with what stood before: of many prices, as it was previewed
    and applied (`catalog.listings.plans`), or of single goods by hand (`catalog.listings.edits`)."""

    class Scope(models.TextChoices):
        """What it was about."""

        SHOP = "shop", _("全店")
        CATEGORY = "category", _("类目")
        PRODUCT = "product", _("商品")
        CHOSEN = "chosen", _("选中的面额")

    class Mode(models.TextChoices):
        """What was done to prices."""

        PERCENT = "percent", _("加百分比")
        FIXED = "fixed", _("加固定金额")
        PRICE = "price", _("一口价")
        INHERIT = "inherit", _("恢复继承")

    #: Stands for no mode: prices, names or what is shown were written by hand, as `entries` say.
    BY_HAND = "by_hand"

    #: Made with the preview: applying twice is applying once.
    key = models.CharField(_("预览号"), max_length=32)
    scope = models.CharField(_("范围"), max_length=10, choices=Scope)
    scope_name = models.CharField(_("范围名称"), max_length=80, blank=True)
    mode = models.CharField(_("方式"), max_length=10, choices=[*Mode.choices, (BY_HAND, _("手动修改"))])
    value = models.DecimalField(_("数值"), max_digits=12, decimal_places=2, null=True)
    rounding = models.CharField(_("取整"), max_length=8, choices=PriceRule.Rounding)
    #: Each wish that was written: whose, what stood before, what stood afterwards; by hand also names and what is
    #: shown.
    entries = models.JSONField(_("改动"))
    changed = models.PositiveIntegerField(_("改了几个面额"))
    skipped = models.PositiveIntegerField(_("跳过几个"))
    actor = models.CharField(_("谁"), max_length=80)
    created_at = models.DateTimeField(_("时间"), db_default=Now())
    undone_at = models.DateTimeField(_("撤销时间"), null=True)
    undone_by = models.CharField(_("谁撤销的"), max_length=80, blank=True)
    #: Of `entries`, those that somebody had changed since, and were left as they are.
    left = models.JSONField(_("没有撤销的"), default=list)

    class Meta:
        verbose_name = _("批量改价")
        verbose_name_plural = _("批量改价")
        constraints = [models.UniqueConstraint(fields=["key"], name="repricing_once")]

    def __str__(self) -> str:
        if self.mode == self.BY_HAND and self.scope_name:
            return self.scope_name
        return f"{self.get_scope_display()} {self.scope_name}".strip()
