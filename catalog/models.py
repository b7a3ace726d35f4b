"""What is sold: public, archived and never deleted. What has an owner is that shop's alone (ADR 30), everything else
is the platform's and read by every shop."""

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from compliance.gate.subjects import Standing
from kameng.core.revisions import moved_on
from resellers.models import Reseller


class Category(models.Model):
    """A shelf."""

    slug = models.SlugField(_("代号"), max_length=40, unique=True)
    name = models.CharField(_("名称"), max_length=40)
    name_en = models.CharField(_("英文名称"), max_length=60, blank=True)
    icon = models.CharField(_("图标"), max_length=40, blank=True)
    position = models.PositiveIntegerField(_("排序"), default=0)
    #: Where costs rise above the supply price: the new one is cost plus so many percent. Empty: off sale until a person
    #: has looked.
    supply_markup = models.DecimalField(
        _("供货加价 %"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("成本高过供货价时，供货价自动涨到成本加这么多；留空就先下架，等人处理"),
    )
    #: How much of the official price a shop may ask; empty where the platform's holds (`settings.PRICE_CAP_PERCENT`).
    price_cap_percent = models.PositiveSmallIntegerField(
        _("最高卖到官方价的 %"),
        null=True,
        blank=True,
        validators=[MinValueValidator(100), MaxValueValidator(1000)],
        help_text=_("店铺售价不能超过官方价的百分之几；留空按平台的"),
    )
    limits_minors = models.BooleanField(
        _("未成年人限额"),
        default=False,
        db_default=False,
        help_text=_("下单时请买家声明年龄，未成年人按每次和每月的限额购买，商品页有提示；游戏类目要打开"),
    )
    is_active = models.BooleanField(_("启用"), default=True)

    class Meta:
        verbose_name = _("类目")
        verbose_name_plural = _("类目")
        ordering = ["position", "pk"]

    def __str__(self) -> str:
        return self.name


class Brand(models.Model):
    """Who makes or issues the product."""

    slug = models.SlugField(_("代号"), max_length=40, unique=True)
    name = models.CharField(_("名称"), max_length=60)
    name_en = models.CharField(_("英文名称"), max_length=60, blank=True)

    class Meta:
        verbose_name = _("品牌")
        verbose_name_plural = _("品牌")
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class Product(models.Model):
    """What is shown. `account_fields` is the form that says whose account is topped up; codes have none."""

    class Kind(models.TextChoices):
        """The five kinds of goods."""

        TOPUP = "topup", _("游戏直充")
        PHONE = "phone", _("话费")
        DATA = "data", _("流量")
        MEMBERSHIP = "membership", _("会员直充")
        CODE = "code", _("卡密")

    category = models.ForeignKey(Category, models.PROTECT, verbose_name=_("类目"), related_name="products")
    brand = models.ForeignKey(
        Brand, models.PROTECT, verbose_name=_("品牌"), null=True, blank=True, related_name="products"
    )
    slug = models.SlugField(_("代号"), max_length=60, unique=True)
    kind = models.CharField(_("类型"), max_length=16, choices=Kind)
    name = models.CharField(_("名称"), max_length=80)
    name_en = models.CharField(_("英文名称"), max_length=120, blank=True)
    icon = models.CharField(_("图标"), max_length=60, blank=True)
    summary = models.CharField(_("简介"), max_length=200, blank=True)
    summary_en = models.CharField(_("英文简介"), max_length=300, blank=True)
    notes = models.TextField(_("购买须知"), blank=True)
    notes_en = models.TextField(_("英文须知"), blank=True)
    account_fields = models.JSONField(_("账号表单"), default=list, blank=True)
    aliases = ArrayField(models.CharField(max_length=40), verbose_name=_("别名"), default=list, blank=True)
    search_text = models.TextField(_("搜索文本"), blank=True, editable=False)
    position = models.PositiveIntegerField(_("热度排序"), default=0)
    is_active = models.BooleanField(_("在售"), default=True)
    #: What the platform itself sells to owners (plans) stands on nobody's shelf: the house shop has pages for it.
    is_on_shelves = models.BooleanField(_("上货架"), default=True, db_default=True, editable=False)
    #: What the gate says of all its texts (`catalog.screened`); a row that did not pass it is not on sale.
    standing = models.CharField(
        _("合规状态"), max_length=10, choices=Standing, default=Standing.FLAGGED, db_default=Standing.FLAGGED,
        editable=False,
    )  # fmt: skip
    #: The one shop that sells it, and delivers it: an owner's own good. Empty for what the platform sells.
    owner = models.ForeignKey(
        Reseller, models.DO_NOTHING, verbose_name=_("店主"), null=True, editable=False, related_name="+", db_index=False
    )
    #: An own good that the owner delivers by hand: within so many minutes; empty where codes lie in stock.
    hand_minutes = models.PositiveSmallIntegerField(_("人工交付时限（分钟）"), null=True, editable=False)
    #: Only minutes in which the shop answers are counted.
    hand_in_hours = models.BooleanField(_("只算客服时间"), default=False, db_default=False, editable=False)

    class Meta:
        verbose_name = _("商品")
        verbose_name_plural = _("商品")
        ordering = ["position", "pk"]
        indexes = [models.Index(fields=["owner"], condition=Q(owner__isnull=False), name="product_of_owner")]
        constraints = [
            models.CheckConstraint(
                condition=Q(hand_minutes__isnull=True) | Q(owner__isnull=False, hand_minutes__range=(10, 4320)),
                name="product_by_hand_has_owner_and_deadline",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Variant(models.Model):
    """What is bought (面额). Prices in yuan: `official_price` is the issuer's, `supply_price` what a shop pays us."""

    product = models.ForeignKey(Product, models.PROTECT, verbose_name=_("商品"), related_name="variants")
    sku = models.SlugField(_("面额编码"), max_length=40, unique=True)
    name = models.CharField(_("面额"), max_length=60)
    name_en = models.CharField(_("英文面额"), max_length=80, blank=True)
    note = models.CharField(_("短注"), max_length=16, blank=True)
    note_en = models.CharField(_("英文短注"), max_length=24, blank=True)
    official_price = models.DecimalField(_("官方价"), max_digits=12, decimal_places=2)
    supply_price = models.DecimalField(_("供货价"), max_digits=12, decimal_places=2)
    #: What the owner asks for a good of their own; its `supply_price` is what the platform takes of that.
    own_price = models.DecimalField(_("售价"), max_digits=12, decimal_places=2, null=True, editable=False)
    max_quantity = models.PositiveIntegerField(_("每单上限"), default=1, validators=[MinValueValidator(1)])
    #: Told by the suppliers' side, so that a page need not ask: what the first-ranked offer costs, and whether any can
    #: be bought.
    cost = models.DecimalField(_("成本"), max_digits=14, decimal_places=4, null=True, editable=False)
    is_available = models.BooleanField(_("有货"), default=False, editable=False)
    #: When the supply price last rose: shops that named a price of their own before then have to look at it again.
    supply_raised_at = models.DateTimeField(_("供货价上调时间"), null=True, editable=False)
    position = models.PositiveIntegerField(_("排序"), default=0)
    is_active = models.BooleanField(_("在售"), default=True)

    class Meta:
        verbose_name = _("面额")
        verbose_name_plural = _("面额")
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(official_price__gt=0), name="variant_official_price_positive"),
            models.CheckConstraint(condition=Q(supply_price__gt=0), name="variant_supply_price_positive"),
            models.CheckConstraint(condition=Q(max_quantity__gte=1), name="variant_max_quantity_positive"),
            models.CheckConstraint(
                condition=Q(own_price__isnull=True) | Q(own_price__gte=F("supply_price")),
                name="variant_own_price_covers_the_fee",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} {self.name}"


class Revision(models.Model):
    """One row: a number that grows with every change to the catalogue or to what is available."""

    number = models.PositiveBigIntegerField(default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="revision_is_one_row")]

    def __str__(self) -> str:
        return str(self.number)

    @staticmethod
    def bump() -> None:
        """Say that something changed."""
        if not Revision.objects.filter(pk=1).update(number=moved_on("number")):
            Revision.objects.bulk_create([Revision(pk=1)], ignore_conflicts=True)
