"""What a shop can be opened on, and what each one is on. All of it is the platform's, and in public."""

from datetime import date, timedelta
from decimal import Decimal

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from resellers.context import in_english
from resellers.models import Reseller

CODE_LENGTH = 12


class Plan(models.Model):
    """What an owner can choose. Amounts in yuan, shares in percent."""

    code = models.SlugField(_("代号"), max_length=20, unique=True)
    name = models.CharField(_("名称"), max_length=20)
    name_en = models.CharField(_("英文名称"), max_length=40, blank=True)
    opening_fee = models.DecimalField(
        _("开店费"), max_digits=10, decimal_places=2, validators=[MinValueValidator(0)], help_text=_("元，开店时收一次")
    )
    yearly_rent = models.DecimalField(
        _("年费"), max_digits=10, decimal_places=2, validators=[MinValueValidator(Decimal("0.01"))],
        help_text=_("元，开店时收第一年的，之后每年续"),
    )  # fmt: skip
    supply_discount = models.DecimalField(
        _("供货价优惠"), max_digits=4, decimal_places=2, default=0,
        validators=[MinValueValidator(0), MaxValueValidator(20)],
        help_text=_("百分之几；供货价再低也不会低于平台的成本"),
    )  # fmt: skip
    commission = models.DecimalField(
        _("邀请佣金"), max_digits=4, decimal_places=2, default=0,
        validators=[MinValueValidator(0), MaxValueValidator(50)],
        help_text=_("百分之几；邀请来的店主一年内付的开店费和年费里，邀请人得这么多"),
    )  # fmt: skip
    features = ArrayField(models.CharField(max_length=40), verbose_name=_("卖点"), default=list, blank=True)
    features_en = ArrayField(models.CharField(max_length=80), verbose_name=_("英文卖点"), default=list, blank=True)
    position = models.PositiveSmallIntegerField(_("排序"), default=0)
    is_offered = models.BooleanField(_("可以选"), default=True)

    class Meta:
        verbose_name = _("套餐")
        verbose_name_plural = _("套餐")
        ordering = ["position", "pk"]
        constraints = [
            models.CheckConstraint(condition=Q(opening_fee__gte=0, yearly_rent__gt=0), name="plan_costs_something"),
            models.CheckConstraint(
                condition=Q(supply_discount__gte=0, supply_discount__lte=20, commission__gte=0, commission__lte=50),
                name="plan_shares_are_shares",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def label(self) -> str:
        """Its name in the reader's language."""
        return (in_english() and self.name_en) or self.name

    @property
    def first_price(self) -> Decimal:
        """What opening on it costs: the fee, and the first year."""
        return self.opening_fee + self.yearly_rent


class Subscription(models.Model):
    """A time for which a shop was paid for, on the terms of a plan as they were then. Rows are only ever added; one
    whose money went back is marked."""

    class Kind(models.TextChoices):
        """What it was bought as."""

        OPENING = "opening", _("开店")
        RENEWAL = "renewal", _("续费")
        UPGRADE = "upgrade", _("升级")
        GRANTED = "granted", _("平台给的")

    class PaidBy(models.TextChoices):
        """Where the money came from."""

        ORDER = "order", _("在线付款")
        BALANCE = "balance", _("可提现余额")
        NOBODY = "nobody", _("没有收钱")

    #: What makes it happen once: `application:<code>`, `balance:<shop>:<key>`.
    key = models.CharField(max_length=80, unique=True)
    shop = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("店铺"), related_name="+")
    plan = models.ForeignKey(Plan, models.PROTECT, verbose_name=_("套餐"), related_name="subscriptions")
    kind = models.CharField(_("类型"), max_length=10, choices=Kind)
    begins_at = models.DateTimeField(_("从"))
    until = models.DateTimeField(_("到"))
    price_paid = models.DecimalField(_("实付"), max_digits=10, decimal_places=2)
    paid_by = models.CharField(_("付款方式"), max_length=10, choices=PaidBy)
    #: Of the house shop, where it was paid for there.
    order_number = models.CharField(_("订单号"), max_length=16, blank=True)
    supply_discount = models.DecimalField(_("供货价优惠"), max_digits=4, decimal_places=2)
    commission = models.DecimalField(_("邀请佣金"), max_digits=4, decimal_places=2)
    actor = models.CharField(_("经手"), max_length=80)
    created_at = models.DateTimeField(_("时间"), db_default=Now())
    #: All that was paid for it went back, and so did the time that it brought.
    taken_back_at = models.DateTimeField(_("收回时间"), null=True)

    class Meta:
        verbose_name = _("套餐记录")
        verbose_name_plural = _("套餐记录")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(until__gt=F("begins_at")), name="subscription_lasts"),
            models.CheckConstraint(condition=Q(price_paid__gte=0), name="subscription_price_not_negative"),
        ]
        indexes = [models.Index(fields=["shop", "-id"], name="subscription_of_shop")]

    def __str__(self) -> str:
        return f"{self.shop_id}: {self.plan_id} → {self.until:%Y-%m-%d}"

    @property
    def last_day(self) -> date:
        """The last day that is paid for, since it ends with a midnight."""
        return timezone.localdate(self.until - timedelta(seconds=1))


class Tenure(models.Model):
    """How a shop stands now. What orders ask in the statement that they are placed by, so no clock has to run for it.

    A shop without a row, such as the house shop, has no end and no discount.
    """

    shop = models.OneToOneField(Reseller, models.DO_NOTHING, primary_key=True, related_name="tenure")
    #: The subscription whose terms hold.
    subscription = models.ForeignKey(Subscription, models.DO_NOTHING, null=True, related_name="+")
    paid_until = models.DateTimeField(_("到期"), null=True)
    #: By which warning of this end operators were told last (`resellers.plans.warnings`): days, 0 once it is over.
    told_days = models.PositiveSmallIntegerField(null=True)
    supply_discount = models.DecimalField(_("供货价优惠"), max_digits=4, decimal_places=2, default=0)
    suspended_at = models.DateTimeField(_("停业时间"), null=True)
    suspended_reason = models.CharField(_("停业原因"), max_length=200, blank=True)
    closed_at = models.DateTimeField(_("关店时间"), null=True)
    closed_reason = models.CharField(_("关店原因"), max_length=200, blank=True)
    #: Steps of the set-up (`kameng.manage.checklist`) that the owner wants left as they are.
    kept_steps = ArrayField(models.CharField(max_length=20), default=list, blank=True)

    class Meta:
        verbose_name = _("店铺状态")
        verbose_name_plural = _("店铺状态")
        constraints = [
            models.CheckConstraint(
                condition=Q(suspended_at__isnull=True) | ~Q(suspended_reason=""), name="tenure_suspended_for_a_reason"
            ),
            models.CheckConstraint(
                condition=Q(closed_at__isnull=True) | ~Q(closed_reason=""), name="tenure_closed_for_a_reason"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shop_id} → {self.paid_until}"

    @property
    def last_day(self) -> date | None:
        """The last day that is paid for; None where there is no end."""
        return timezone.localdate(self.paid_until - timedelta(seconds=1)) if self.paid_until else None


class Application(models.Model):
    """Somebody wants to open a shop, or to pay for another year, and pays for it with an order of the house shop.

    While it waits for its money it holds the subdomain.
    """

    class Kind(models.TextChoices):
        """What it asks for."""

        OPENING = "opening", _("开店")
        RENEWAL = "renewal", _("续费")

    class Status(models.TextChoices):
        """Where it stands; late money may still find a lapsed one."""

        WAITING = "waiting", _("等付款")
        DONE = "done", _("已办好")
        LAPSED = "lapsed", _("没有付款")
        REFUSED = "refused", _("没有办成")

    class Refusal(models.TextChoices):
        """Why it could not be done once it was paid for. The money goes back by itself."""

        TAKEN = "taken", _("这个地址在你付款之前已经由别人开了店")
        NAME = "name", _("这个店名没有通过审核")
        GONE = "gone", _("这家店已经关闭")
        CHANGED = "changed", _("这家店在你付款之前换了套餐，请按新套餐续费")
        WRONG = "wrong", _("付款和申请对不上")

    class Focus(models.TextChoices):
        """What is going to be sold; `resellers.plans.focus` knows the shelves."""

        GAMES = "games", _("游戏")
        LIFE = "life", _("生活服务")
        EVERYTHING = "everything", _("全部")

    code = models.CharField(_("申请编号"), max_length=CODE_LENGTH, unique=True)
    kind = models.CharField(_("类型"), max_length=10, choices=Kind)
    plan = models.ForeignKey(Plan, models.PROTECT, verbose_name=_("套餐"), related_name="+")
    #: The shop to be opened, as it was written; empty for a renewal.
    slug = models.CharField(_("二级域名"), max_length=40, blank=True)
    name = models.CharField(_("店名"), max_length=40, blank=True)
    focus = models.CharField(_("经营方向"), max_length=12, choices=Focus, blank=True)
    username = models.CharField(_("登录名"), max_length=60, blank=True)
    #: Hashed as accounts have it, and only until the account is there.
    password = models.CharField(max_length=128, blank=True)
    #: The shop that was opened, or that is renewed.
    shop = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("店铺"), null=True, related_name="+")
    inviter = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("邀请人"), null=True, related_name="+")
    order_number = models.CharField(_("订单号"), max_length=16, blank=True)
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.WAITING)
    refusal = models.CharField(_("原因"), max_length=10, choices=Refusal, blank=True)
    #: Until when the subdomain is held for it.
    reserved_until = models.DateTimeField(_("保留到"), null=True)
    terms_at = models.DateTimeField(_("同意条款的时间"), db_default=Now())
    created_at = models.DateTimeField(_("申请时间"), db_default=Now())

    class Meta:
        verbose_name = _("开店申请")
        verbose_name_plural = _("开店申请")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["slug"],
                condition=Q(kind="opening", status="waiting"),
                name="application_holds_its_subdomain_alone",
            ),
            models.CheckConstraint(
                condition=~Q(status="refused") | ~Q(refusal=""), name="application_refused_for_a_reason"
            ),
        ]
        indexes = [models.Index(fields=["order_number"], name="application_of_order")]

    def __str__(self) -> str:
        return self.code


class Affiliate(models.Model):
    """A shop's place in the tree of commissions: it invites (0), or was invited by one that does (1).

    There is no deeper one: a composite key of the database says that whoever invites stands at 0 and whoever was
    invited at 1, so that nobody who was invited can invite. More levels are pyramid selling, which the Regulation on
    the Prohibition of Pyramid Selling (禁止传销条例) forbids.
    """

    INVITES, INVITED = 0, 1

    shop = models.OneToOneField(Reseller, models.DO_NOTHING, primary_key=True, related_name="affiliate")
    level = models.PositiveSmallIntegerField()
    inviter = models.ForeignKey("self", models.DO_NOTHING, null=True, related_name="invited")
    inviter_level = models.PositiveSmallIntegerField(null=True)
    since = models.DateTimeField(_("从"), db_default=Now())

    class Meta:
        verbose_name = _("邀请关系")
        verbose_name_plural = _("邀请关系")
        constraints = [
            models.CheckConstraint(
                # A check that comes to nothing (NULL) passes, so each column is said to be there.
                condition=Q(level=0, inviter__isnull=True, inviter_level__isnull=True)
                | Q(level=1, inviter__isnull=False, inviter_level__isnull=False, inviter_level=0),
                name="affiliate_one_level",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.shop_id} ← {self.inviter_id}"


class Commission(models.Model):
    """What an owner gets of what somebody paid whom they invited, in yuan."""

    subscription = models.OneToOneField(Subscription, models.DO_NOTHING, primary_key=True, related_name="paid_on")
    inviter = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("邀请人"), related_name="+")
    percent = models.DecimalField(_("佣金"), max_digits=4, decimal_places=2)
    amount = models.DecimalField(_("金额"), max_digits=10, decimal_places=2)
    #: Given back with refunds of what it was for.
    taken_back = models.DecimalField(_("退回"), max_digits=10, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("佣金")
        verbose_name_plural = _("佣金")
        constraints = [
            models.CheckConstraint(
                condition=Q(amount__gt=0, taken_back__gte=0, taken_back__lte=F("amount")), name="commission_amounts"
            ),
        ]
        indexes = [models.Index(fields=["inviter"], name="commission_of_inviter")]

    def __str__(self) -> str:
        return f"{self.inviter_id}: {self.amount}"
