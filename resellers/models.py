"""Shops: who owns one, where it answers and how it looks."""

from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, URLValidator
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from resellers.hours import hours_text
from resellers.registrations import credit_code, icp_number, telecom_license

SCHEMA_PREFIX = "shop_"


class Reseller(TenantMixin):
    """A shop with a schema of its own: the house shop or a sub-site.

    The row of schema `public` is the operations host.
    """

    class Radius(models.TextChoices):
        """How round the corners are."""

        SQUARE = "square", _("方")
        NORMAL = "normal", _("默认")
        ROUND = "round", _("圆")

    class Density(models.TextChoices):
        """How close together things stand."""

        COMFORTABLE = "comfortable", _("舒适")
        COMPACT = "compact", _("紧凑")

    class ThemeDefault(models.TextChoices):
        """Light or dark, until a visitor chooses."""

        SYSTEM = "system", _("跟随系统")
        LIGHT = "light", _("浅色")
        DARK = "dark", _("深色")

    auto_create_schema = False
    auto_drop_schema = False

    slug = models.SlugField(_("代号"), max_length=40, unique=True)
    name = models.CharField(_("店名"), max_length=40)
    name_en = models.CharField(_("英文店名"), max_length=60, blank=True)
    tagline = models.CharField(_("一句话介绍"), max_length=80, blank=True)
    tagline_en = models.CharField(_("英文介绍"), max_length=120, blank=True)
    is_house = models.BooleanField(_("直营"), default=False)
    is_open = models.BooleanField(_("营业中"), default=True)
    brand_color = models.CharField(
        _("品牌色"), max_length=7, default="#0B62D6", validators=[RegexValidator(r"^#[0-9A-Fa-f]{6}$")]
    )
    radius = models.CharField(_("圆角"), max_length=8, choices=Radius, default=Radius.NORMAL)
    density = models.CharField(
        _("疏密"), max_length=12, choices=Density, default=Density.COMFORTABLE, db_default=Density.COMFORTABLE
    )
    theme_default = models.CharField(
        _("默认主题"), max_length=8, choices=ThemeDefault, default=ThemeDefault.SYSTEM, db_default=ThemeDefault.SYSTEM
    )
    #: A mark in `static/icons/shops/`; the owner's own pictures (`resellers.brand`), by their names, come before it.
    logo = models.CharField(_("标志"), max_length=40, blank=True)
    logo_picture = models.CharField(max_length=40, blank=True, default="", db_default="", editable=False)
    favicon_picture = models.CharField(max_length=40, blank=True, default="", db_default="", editable=False)
    announcement = models.CharField(_("公告"), max_length=200, blank=True)
    announcement_en = models.CharField(_("英文公告"), max_length=300, blank=True)
    #: Between which moments it is shown; without one, from ever and for good.
    announcement_from = models.DateTimeField(_("公告开始"), null=True, blank=True)
    announcement_until = models.DateTimeField(_("公告结束"), null=True, blank=True)
    support = models.CharField(_("客服方式"), max_length=120, blank=True)
    #: When somebody answers, as `resellers.hours` writes it.
    hours = models.CharField(
        _("客服时间"), max_length=100, blank=True, default="", db_default="", validators=[hours_text]
    )
    #: Who is behind the shop, and under which numbers that is registered: at the foot of each page, to be looked up.
    company = models.CharField(_("经营主体"), max_length=120, blank=True, default="", db_default="")
    credit_code = models.CharField(
        _("统一社会信用代码"), max_length=18, blank=True, default="", db_default="", validators=[credit_code]
    )
    telecom_license = models.CharField(
        _("增值电信业务经营许可证"), max_length=60, blank=True, default="", db_default="", validators=[telecom_license]
    )
    icp = models.CharField(
        _("ICP 备案号"), max_length=40, blank=True, default="", db_default="", validators=[icp_number]
    )
    license_url = models.CharField(
        _("执照核验链接"), max_length=300, blank=True, default="", db_default="",
        validators=[URLValidator(schemes=["https", "http"])],
    )  # fmt: skip
    settlement_days = models.PositiveSmallIntegerField(
        _("结算天数"), default=7, validators=[MaxValueValidator(90)],
        help_text=_("交付满这么多天，店主赚的钱转为可提现"),
    )  # fmt: skip
    #: This shop's own terms of taking money out; empty where the platform's hold (`settings.WITHDRAWAL_…`).
    withdrawal_minimum = models.DecimalField(
        _("最低提现"), max_digits=10, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)],
        help_text=_("元，留空按平台的"),
    )  # fmt: skip
    withdrawal_fee = models.DecimalField(
        _("每笔提现手续费"), max_digits=10, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)],
        help_text=_("元，留空按平台的"),
    )  # fmt: skip
    withdrawal_fee_percent = models.DecimalField(
        _("提现费率"), max_digits=5, decimal_places=2, null=True, blank=True,
        validators=[MinValueValidator(0), MaxValueValidator(50)],
        help_text=_("百分之几，加在每笔手续费上；留空按平台的"),
    )  # fmt: skip
    #: Empty where the platform's holds (`settings.DEPOSIT_WARNING`).
    deposit_warning = models.DecimalField(
        _("保证金提醒线"), max_digits=12, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(0)],
        help_text=_("元，留空按平台的"),
    )  # fmt: skip
    #: What of it was held a day, in yuan, on the average of the last seven (`deposits_reckon`).
    deposit_daily = models.DecimalField(
        _("每天冻结的保证金"), max_digits=12, decimal_places=2, default=0, db_default=0, editable=False
    )
    #: Its owner collects for themselves, and by no other way: what follows from its merchant accounts, written down
    #: whenever those change (`payments.merchants.alone`), because orders know of no account.
    collects_alone = models.BooleanField(_("只有店主自己收款"), default=False, db_default=False, editable=False)
    #: How many points a customer gets for a yuan, none where it is zero; and how many percent of an order they may pay.
    points_per_yuan = models.PositiveSmallIntegerField(_("每元送积分"), default=0, db_default=0, editable=False)
    points_limit_percent = models.PositiveSmallIntegerField(_("积分最多抵"), default=20, db_default=20, editable=False)
    categories = ArrayField(
        models.SlugField(max_length=40), verbose_name=_("经营类目"), default=list, blank=True,
        help_text=_("留空表示经营全部类目"),
    )  # fmt: skip
    #: Grows with every change to what the shop's pages show; cached pages and shelves of an older number are dropped.
    revision = models.PositiveBigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(_("开店时间"), db_default=Now())

    class Meta:
        verbose_name = _("店铺")
        verbose_name_plural = _("店铺")

    def __str__(self) -> str:
        return self.name


class Domain(DomainMixin):
    """A host of a shop, stored in lower case without port or trailing dot."""

    class Meta:
        verbose_name = _("域名")
        verbose_name_plural = _("域名")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(domain=models.functions.Lower("domain")), name="domain_lower_case"
            )
        ]


class Announcement(models.Model):
    """A line that a shop showed on every page, or shows. One that was replaced before its time came is not kept."""

    shop = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("店铺"), related_name="+")
    text = models.CharField(_("公告"), max_length=200)
    text_en = models.CharField(_("英文公告"), max_length=300, blank=True)
    #: When it was first shown; unknown for those from before this was written down.
    since = models.DateTimeField(_("从"), null=True)
    #: When its own time was over, and when its owner put another in its place or took it away.
    until = models.DateTimeField(_("到"), null=True)
    ended_at = models.DateTimeField(_("撤下时间"), null=True)

    class Meta:
        verbose_name = _("公告")
        verbose_name_plural = _("公告")
        indexes = [models.Index(fields=["shop", "-id"], name="announcement_of_shop")]
        constraints = [
            models.UniqueConstraint(
                fields=["shop"], condition=models.Q(ended_at=None), name="announcement_one_now_per_shop"
            )
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def last_shown(self) -> datetime | None:
        """When shoppers saw it last; None while its end is open."""
        return min((moment for moment in (self.until, self.ended_at) if moment is not None), default=None)
