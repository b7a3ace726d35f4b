"""A shop's orders: the commitment, its lines, and what happened to them."""

from datetime import datetime
from decimal import Decimal

from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from customers.models import Customer, Route
from kameng.core.fields import public_key
from kameng.core.ids import grouped


class Order(models.Model):
    """What a shopper committed to pay. Its state is arithmetic over its payments, lines and refunds."""

    class Status(models.TextChoices):
        """Where the order stands."""

        PENDING = "pending", _("待付款")
        PAID = "paid", _("已付款")
        FULFILLED = "fulfilled", _("已到账")
        EXPIRED = "expired", _("已过期")
        CANCELED = "canceled", _("已取消")
        REFUNDED = "refunded", _("已退款")
        PARTLY_REFUNDED = "partly_refunded", _("部分退款")

    #: Anything absent is final. Money may arrive late: an expired or canceled order can still be paid.
    TRANSITIONS = {
        Status.PENDING: {Status.PAID, Status.EXPIRED, Status.CANCELED},
        Status.EXPIRED: {Status.PAID},
        Status.CANCELED: {Status.PAID},
        Status.PAID: {Status.FULFILLED, Status.REFUNDED, Status.PARTLY_REFUNDED},
        Status.FULFILLED: {Status.REFUNDED, Status.PARTLY_REFUNDED},
        Status.PARTLY_REFUNDED: {Status.REFUNDED},
    }

    number = models.CharField(_("订单号"), max_length=16, unique=True)
    status = models.CharField(_("状态"), max_length=16, choices=Status, default=Status.PENDING)
    contact = models.CharField(_("联系方式"), max_length=120)
    total = models.DecimalField(_("金额"), max_digits=12, decimal_places=2)
    language = models.CharField(_("语言"), max_length=8, default="zh-hans")
    #: It was paid to the shop's owner, not to the platform. Settled with the payment that paid for it.
    owner_collects = models.BooleanField(_("店主自收"), default=False, db_default=False)
    #: So much of the shop's deposit is held for it, in yuan (`orders.holds`).
    held = models.DecimalField(_("冻结的保证金"), max_digits=12, decimal_places=2, default=0, db_default=0)
    #: It was held when the order was placed, and stays until that is paid or over: nobody else collects for the shop.
    held_at_once = models.BooleanField(_("下单即冻结"), default=False, db_default=False)
    #: How old the shopper said they are (`catalog.ages.Age`), where the goods ask for it.
    age = models.CharField(_("声明的年龄"), max_length=8, blank=True, default="", db_default="")
    #: Whose account it belongs to, if anybody's: they placed it while signed in, or kept it there later.
    customer = models.ForeignKey(
        Customer,
        models.PROTECT,
        verbose_name=_("顾客账号"),
        null=True,
        blank=True,
        db_index=False,
        related_name="orders",
    )
    #: Where refunds go of what a gateway of the platform's has collected for it.
    refund_to = models.CharField(
        _("退款去向"), max_length=8, choices=Route, default=Route.SOURCE, db_default=Route.SOURCE
    )
    #: Fingerprints: who may look without proof (`device`), and what limits count (`contact`, `address`).
    device_digest = models.CharField(max_length=64, blank=True, editable=False)
    address_digest = models.CharField(max_length=64, blank=True, editable=False)
    contact_digest = models.CharField(max_length=64, editable=False)
    idempotency_key = models.CharField(max_length=128, null=True, editable=False)
    request_digest = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("下单时间"), db_default=Now())
    expires_at = models.DateTimeField(_("付款截止"))
    checked_at = models.DateTimeField(_("核对时间"), null=True, blank=True)
    #: When the shopper confirmed that it is not taken back without a reason, and in which words (`orders.no_return`).
    no_return_at = models.DateTimeField(_("确认不支持无理由退货的时间"), null=True, blank=True)
    no_return_wording = models.CharField(_("确认的文字"), max_length=16, blank=True, default="", db_default="")
    paid_at = models.DateTimeField(_("付款时间"), null=True, blank=True)
    finished_at = models.DateTimeField(_("完成时间"), null=True, blank=True)
    #: Since when what had paid for it is known never to have come, and nothing else has: nothing is bought meanwhile.
    disproved_at = models.DateTimeField(_("付款不成立的时间"), null=True, blank=True, editable=False)
    #: When contact and account were replaced by pseudonyms; nobody can prove from then on that it is theirs.
    forgotten_at = models.DateTimeField(_("删除个人信息的时间"), null=True, blank=True, editable=False)
    #: When the row was locked, by the database's clock (`orders.states.order_lock`); not stored.
    locked_at: datetime

    class Meta:
        verbose_name = _("订单")
        verbose_name_plural = pgettext_lazy("多个", "订单")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["idempotency_key"], name="order_once_per_key"),
            models.CheckConstraint(condition=Q(total__gt=0), name="order_total_positive"),
            models.CheckConstraint(condition=Q(held__gte=0), name="order_holds_something_or_nothing"),
        ]
        indexes = [
            models.Index(fields=["-created_at"], name="order_newest"),
            models.Index(fields=["contact_digest"], condition=Q(status="pending"), name="order_unpaid_contact"),
            models.Index(fields=["address_digest"], condition=Q(status="pending"), name="order_unpaid_address"),
            # Who buys here (`kameng.manage.customers`), and finding an order by a whole contact.
            models.Index(fields=["contact_digest", "-id"], name="order_of_contact"),
            models.Index(fields=["customer", "-id"], condition=Q(customer__isnull=False), name="order_of_customer"),
            models.Index(fields=["device_digest", "-id"], condition=~Q(device_digest=""), name="order_device"),
            models.Index(fields=["created_at"], condition=Q(forgotten_at__isnull=True), name="order_not_forgotten"),
        ]

    def __str__(self) -> str:
        return self.grouped_number

    @property
    def grouped_number(self) -> str:
        """The number as people read it: four groups of four."""
        return grouped(self.number)


#: The values by which an account is found: not those that thousands share, of fields that say only where it is.
TYPED = '$[*] ? (@.name != "server" && @.name != "zone").value'


class OrderLine(models.Model):
    """One variant for one account, with everything that must not change later copied from the catalogue."""

    class Status(models.TextChoices):
        """Where the goods are."""

        WAITING = "waiting", _("待付款")
        QUEUED = "queued", _("排队中")
        BUYING = "buying", _("充值中")
        VERIFYING = "verifying", _("核实中")
        MANUAL = "manual", _("人工处理")
        DELIVERED = "delivered", _("已到账")
        FAILED = "failed", _("未充成")
        REFUNDED = "refunded", _("已退款")

    TRANSITIONS = {
        Status.WAITING: {Status.QUEUED},
        Status.QUEUED: {Status.BUYING, Status.VERIFYING, Status.DELIVERED, Status.FAILED, Status.MANUAL},
        Status.BUYING: {Status.VERIFYING, Status.DELIVERED, Status.FAILED, Status.MANUAL},
        Status.VERIFYING: {Status.BUYING, Status.DELIVERED, Status.FAILED, Status.MANUAL},
        Status.MANUAL: {Status.BUYING, Status.VERIFYING, Status.DELIVERED, Status.FAILED},
        Status.FAILED: {Status.REFUNDED},
        Status.DELIVERED: {Status.REFUNDED},
    }

    order = models.ForeignKey(Order, models.CASCADE, verbose_name=_("订单"), related_name="lines")
    position = models.PositiveSmallIntegerField(default=0)
    variant = public_key("catalog.Variant", _("面额"), db_index=False)
    sku = models.CharField(_("面额编码"), max_length=40)
    kind = models.CharField(_("类型"), max_length=16)
    product_slug = models.CharField(max_length=60)
    product_name = models.CharField(_("商品"), max_length=80)
    product_name_en = models.CharField(max_length=120, blank=True)
    variant_name = models.CharField(_("面额"), max_length=60)
    variant_name_en = models.CharField(max_length=80, blank=True)
    icon = models.CharField(max_length=60, blank=True)
    quantity = models.PositiveIntegerField(_("数量"))
    #: How many of them nobody could deliver although the others arrived: their price goes back.
    short_quantity = models.PositiveIntegerField(_("缺少数量"), db_default=0)
    price = models.DecimalField(_("单价"), max_digits=12, decimal_places=2)
    official_price = models.DecimalField(_("官方价"), max_digits=12, decimal_places=2)
    supply_price = models.DecimalField(_("供货价"), max_digits=12, decimal_places=2)
    #: What the shopper typed, by field name, and how the form labelled it then:
    #: `[{"name","label","label_en","value","shown","shown_en"}]`.
    account = models.JSONField(_("充值账号"), default=list, blank=True)
    status = models.CharField(_("状态"), max_length=16, choices=Status, default=Status.WAITING)
    finished_at = models.DateTimeField(_("完成时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("订单行")
        verbose_name_plural = _("订单行")
        ordering = ["order_id", "position"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=1), name="order_line_quantity_positive"),
            models.CheckConstraint(condition=Q(short_quantity__lt=F("quantity")), name="order_line_short_of_some"),
            models.CheckConstraint(condition=Q(price__gt=0), name="order_line_price_positive"),
            models.CheckConstraint(condition=Q(price__gte=F("supply_price")), name="order_line_price_covers_supply"),
        ]
        indexes = [
            # Finding orders by a whole account (`orders.search`).
            GinIndex(
                Func("account", Value(TYPED), function="jsonb_path_query_array"),
                name="order_line_typed",
                fastupdate=False,
            )
        ]

    def __str__(self) -> str:
        return f"{self.product_name} {self.variant_name} × {self.quantity}"

    @property
    def amount(self) -> Decimal:
        """What the line costs the shopper, in yuan."""
        return self.price * self.quantity

    @property
    def short_amount(self) -> Decimal:
        """What the part costs that nobody could deliver, in yuan."""
        return self.price * self.short_quantity

    @property
    def account_values(self) -> dict[str, str]:
        """The account as suppliers are told it: field name to value."""
        return {entry["name"]: entry["value"] for entry in self.account}


class Decision(models.Model):
    """What a person decides about an order's money past its usual way: at once up to a limit, and above it when another
    person agrees. Until then nothing has moved."""

    class Kind(models.TextChoices):
        """What is decided."""

        BY_HAND = "by_hand", _("记为已人工退款")
        GIVE_UP = "give_up", _("放弃并退款")
        FAIL = "fail", _("按没充成处理")

    class Status(models.TextChoices):
        """Where it stands."""

        WAITING = "waiting", _("等复核")
        DONE = "done", _("已执行")
        REJECTED = "rejected", _("未批准")
        MOOT = "moot", _("已有结果，不用了")

    #: Without an index: a shop has few decisions, and each index is a page in every shop.
    order = models.ForeignKey(Order, models.PROTECT, verbose_name=_("订单"), related_name="decisions", db_index=False)
    kind = models.CharField(_("事项"), max_length=10, choices=Kind)
    #: The refund, or the work, that it is about; and that row's name for people.
    subject = models.BigIntegerField()
    label = models.CharField(_("对象"), max_length=80)
    amount = models.DecimalField(_("金额"), max_digits=12, decimal_places=2)
    reference = models.CharField(_("凭证单号"), max_length=64, blank=True)
    note = models.CharField(_("依据"), max_length=150)
    status = models.CharField(_("状态"), max_length=10, choices=Status, default=Status.WAITING)
    #: Settled when it was asked for: a limit that is changed later changes nothing for it.
    needs_two = models.BooleanField(_("要两人批准"), default=False)
    actor = models.CharField(_("发起"), max_length=80)
    created_at = models.DateTimeField(_("发起时间"), db_default=Now())
    decided_by = models.CharField(_("谁复核"), max_length=80, blank=True)
    decided_at = models.DateTimeField(_("复核时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("人工决定")
        verbose_name_plural = _("人工决定")
        ordering = ["pk"]
        #: No page of the admin shows it.
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="decision_amount_positive"),
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(status="waiting"), name="decision_waits_once"
            ),
            models.CheckConstraint(
                condition=Q(needs_two=False) | ~Q(status="done") | (~Q(decided_by="") & ~Q(decided_by=F("actor"))),
                name="decision_agreed_by_another",
            ),
        ]

    def __str__(self) -> str:
        return self.label


class MinorSpending(models.Model):
    """What counts towards a declared minor's month: for a line of a marked category, a row for the contact and one for
    the account that it is for (none for codes); of adults nothing. The month over, rows go (`kameng.privacy`)."""

    #: A fingerprint.
    key = models.CharField(max_length=64, editable=False)
    #: Few rows, and always found by their keys.
    line = models.ForeignKey(OrderLine, models.CASCADE, related_name="minor_spending", db_index=False)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("未成年人消费")
        verbose_name_plural = _("未成年人消费")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["key", "line"], name="minor_spending_once")]

    def __str__(self) -> str:
        return f"#{self.pk}"


class OrderEvent(models.Model):
    """One thing that happened to an order, who did it, and when by the database's clock. Never changed."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="events")
    #: Without an index: whoever asks about a line asks about its order.
    line = models.ForeignKey(OrderLine, models.CASCADE, null=True, blank=True, related_name="events", db_index=False)
    name = models.CharField(_("事件"), max_length=40)
    from_status = models.CharField(_("从"), max_length=16, blank=True)
    to_status = models.CharField(_("到"), max_length=16, blank=True)
    actor = models.CharField(_("谁"), max_length=80)
    data = models.JSONField(_("详情"), default=dict, blank=True)
    created_at = models.DateTimeField(_("时间"), db_default=Now())

    class Meta:
        verbose_name = _("订单事件")
        verbose_name_plural = _("订单事件")
        ordering = ["pk"]
        #: Rows lie in the order in which they came, so that the newest are a few blocks at the end.
        indexes = [BrinIndex(fields=["created_at"], autosummarize=True, name="order_event_when")]

    def __str__(self) -> str:
        return self.name
