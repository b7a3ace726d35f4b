"""Coupons. Public, because the platform's own hold in every shop, and because the platform's book knows them by id."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Product
from customers.coupons.discount import Terms
from resellers.models import Reseller


class Coupon(models.Model):
    """One coupon, that many may use. What it gives is never changed, so that its name is true of whoever used it."""

    class Kind(models.TextChoices):
        """How `value` is meant."""

        AMOUNT = "amount", _("减金额")
        PERCENT = "percent", _("打折")

    class Bearer(models.TextChoices):
        """Who pays for it."""

        OWNER = "owner", _("店主承担")
        PLATFORM = "platform", _("平台承担")

    #: The shop in which it holds; every one where there is none, which only the platform's do.
    shop = models.ForeignKey(
        Reseller, models.DO_NOTHING, verbose_name=_("店铺"), null=True, blank=True, related_name="+"
    )
    #: As it is compared: letters are capital.
    code = models.CharField(_("券码"), max_length=20)
    kind = models.CharField(_("类型"), max_length=8, choices=Kind)
    #: Yuan, or percent off.
    value = models.DecimalField(_("优惠"), max_digits=8, decimal_places=2)
    #: The most that a percentage takes off, in yuan.
    cap = models.DecimalField(_("最多减"), max_digits=8, decimal_places=2, null=True, blank=True)
    threshold = models.DecimalField(_("满多少可用"), max_digits=8, decimal_places=2, default=0)
    #: What it is for: all goods, a category's, or a product's.
    category = models.ForeignKey(
        Category, models.PROTECT, verbose_name=_("类目"), null=True, blank=True, related_name="+", db_index=False
    )
    product = models.ForeignKey(
        Product, models.PROTECT, verbose_name=_("商品"), null=True, blank=True, related_name="+", db_index=False
    )
    starts_at = models.DateTimeField(_("开始时间"))
    ends_at = models.DateTimeField(_("结束时间"), null=True, blank=True)
    #: How many orders may use it, and how many of one contact in one shop.
    use_limit = models.PositiveIntegerField(_("总张数"), null=True, blank=True)
    contact_limit = models.PositiveSmallIntegerField(_("每人限用"), default=1)
    #: How many orders have it, and what it has taken off, in yuan, less what came back.
    used = models.PositiveIntegerField(_("已用"), default=0, editable=False)
    given = models.DecimalField(_("已优惠"), max_digits=14, decimal_places=2, default=0, editable=False)
    borne_by = models.CharField(_("谁承担"), max_length=8, choices=Bearer)
    is_paused = models.BooleanField(_("已停用"), default=False)
    created_at = models.DateTimeField(_("创建时间"), db_default=Now())
    created_by = models.CharField(_("谁创建"), max_length=80)

    class Meta:
        verbose_name = _("优惠券")
        verbose_name_plural = _("优惠券")
        ordering = ["-pk"]
        #: No page of the framework's admin shows it.
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["code", "shop"], name="coupon_code_once", nulls_distinct=False),
            models.CheckConstraint(
                condition=Q(use_limit__isnull=True) | Q(used__lte=F("use_limit")), name="coupon_never_over_used"
            ),
            models.CheckConstraint(condition=Q(given__gte=0), name="coupon_gives_something_or_nothing"),
            models.CheckConstraint(
                condition=Q(kind="amount", cap__isnull=True) | Q(kind="percent", value__lt=100),
                name="coupon_percent_is_a_part",
            ),
            models.CheckConstraint(
                condition=Q(value__gt=0, threshold__gte=0, contact_limit__gte=1) & (Q(cap__isnull=True) | Q(cap__gt=0)),
                name="coupon_terms_make_sense",
            ),
            models.CheckConstraint(
                condition=Q(category__isnull=True) | Q(product__isnull=True), name="coupon_has_one_scope"
            ),
            models.CheckConstraint(
                condition=Q(borne_by="platform") | Q(shop__isnull=False), name="coupon_of_an_owner_has_a_shop"
            ),
            models.CheckConstraint(
                condition=Q(ends_at__isnull=True) | Q(ends_at__gt=F("starts_at")), name="coupon_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return self.code

    @property
    def terms(self) -> Terms:
        """What it gives, for the arithmetic."""
        return Terms(
            is_percent=self.kind == self.Kind.PERCENT,
            value=self.value,
            threshold=self.threshold,
            cap=self.cap,
            category_id=self.category_id,
            product_id=self.product_id,
            within_margin=self.borne_by == self.Bearer.OWNER,
        )
