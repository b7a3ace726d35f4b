"""A shop's money coming in and going back: one attempt, one row."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from customers.models import Route
from kameng.core.fields import public_key
from orders.models import Order, OrderLine
from payments.merchants.models import FeeBearer


class Payment(models.Model):
    """One attempt to collect. `number` is ours at the gateway (its out_trade_no); `reference` is the gateway's."""

    class Status(models.TextChoices):
        """Where the attempt stands."""

        CREATED = "created", _("已创建")
        PENDING = "pending", _("等待付款")
        CONFIRMED = "confirmed", _("已收款")
        FAILED = "failed", _("未成功")
        CANCELED = "canceled", _("已关闭")

    #: Money may arrive after we gave up on an attempt: anything may become confirmed. What is confirmed stays so,
    #: unless the gateway itself says that it was another payment (`payments.contradictions`).
    TRANSITIONS = {
        Status.CREATED: {Status.PENDING, Status.CONFIRMED, Status.FAILED, Status.CANCELED},
        Status.PENDING: {Status.CONFIRMED, Status.FAILED, Status.CANCELED},
        Status.FAILED: {Status.CONFIRMED},
        Status.CANCELED: {Status.CONFIRMED},
        Status.CONFIRMED: {Status.FAILED},
    }

    order = models.ForeignKey(Order, models.PROTECT, verbose_name=_("订单"), related_name="payments")
    number = models.CharField(_("支付单号"), max_length=32, unique=True)
    account = public_key("merchants.GatewayAccount", _("收款账户"), db_index=False)
    #: The account is the shop owner's own: the money is theirs from the start, and never the platform's.
    owner_collects = models.BooleanField(_("店主自收"), default=False, db_default=False)
    gateway = models.CharField(_("支付方式"), max_length=20)
    channel = models.CharField(_("渠道"), max_length=8)
    amount = models.DecimalField(_("金额"), max_digits=12, decimal_places=2)
    status = models.CharField(_("状态"), max_length=16, choices=Status, default=Status.CREATED)
    reference = models.CharField(_("渠道单号"), max_length=64, blank=True)
    qr = models.CharField(max_length=512, blank=True, editable=False)
    url = models.TextField(blank=True, editable=False)
    #: What a page inside the app hands to the app, as JSON, and a fingerprint of who alone can pay it there.
    call = models.TextField(blank=True, default="", db_default="", editable=False)
    payer_digest = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    #: Whose purse it was paid from (`payments.purses`), by the ids of that kind; none where a gateway collected.
    holder_id = models.BigIntegerField(null=True, editable=False)
    #: Money that the order did not need: it was covered already. It goes back by itself.
    is_surplus = models.BooleanField(_("多付"), default=False)
    #: What the gateway keeps of it, and who bears that: by the account's terms when the payment was booked.
    fee = models.DecimalField(_("手续费"), max_digits=12, decimal_places=2, default=0, db_default=0)
    fee_bearer = models.CharField(
        _("手续费由谁承担"), max_length=8, choices=FeeBearer, default=FeeBearer.PLATFORM, db_default=FeeBearer.PLATFORM
    )
    asked_at = models.DateTimeField(_("上次查询"), null=True, blank=True)
    created_at = models.DateTimeField(_("创建时间"), db_default=Now())
    #: When it was last chosen again, where there are others; none where it never was.
    chosen_at = models.DateTimeField(null=True, editable=False)
    expires_at = models.DateTimeField(_("付款截止"))
    confirmed_at = models.DateTimeField(_("入账时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("收款")
        verbose_name_plural = _("收款")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(condition=Q(fee__gte=0, fee__lt=F("amount")), name="payment_fee_is_a_part"),
            models.UniqueConstraint(
                fields=["account", "reference"], condition=~Q(reference=""), name="payment_reference_unique_per_account"
            ),
            models.CheckConstraint(
                condition=~Q(status="confirmed") | Q(confirmed_at__isnull=False), name="payment_confirmed_has_time"
            ),
        ]

    def __str__(self) -> str:
        return self.number


class Refund(models.Model):
    """One attempt to return money of one payment; `number` is the gateway's key against returning it twice.

    What a person asks for above a limit waits for another one. Until then it holds its amount and nothing has moved.
    """

    class Status(models.TextChoices):
        """Where the attempt stands."""

        WAITING = "waiting", _("等复核")
        REJECTED = "rejected", _("未批准")
        CREATED = "created", _("待提交")
        PENDING = "pending", _("退款中")
        SUCCEEDED = "succeeded", _("已退款")
        FAILED = "failed", _("需要人工处理")

    TRANSITIONS = {
        Status.WAITING: {Status.CREATED, Status.REJECTED},
        Status.CREATED: {Status.PENDING, Status.SUCCEEDED, Status.FAILED},
        Status.PENDING: {Status.SUCCEEDED, Status.FAILED},
        Status.FAILED: {Status.CREATED, Status.PENDING, Status.SUCCEEDED},
    }
    #: Nobody has decided yet that it goes back, or somebody that it does not: the gateway was never told.
    UNDECIDED = frozenset({Status.WAITING, Status.REJECTED})

    payment = models.ForeignKey(Payment, models.PROTECT, verbose_name=_("收款"), related_name="refunds", db_index=False)
    line = models.ForeignKey(
        OrderLine, models.PROTECT, verbose_name=_("订单行"), null=True, blank=True, related_name="refunds"
    )
    number = models.CharField(_("退款单号"), max_length=32)
    amount = models.DecimalField(_("金额"), max_digits=12, decimal_places=2)
    #: Where it goes: settled when it was decided about.
    route = models.CharField(_("退款去向"), max_length=8, choices=Route, default=Route.SOURCE, db_default=Route.SOURCE)
    #: So much of the payment's fee falls on it, and so much of that the gateway has given back.
    fee = models.DecimalField(_("手续费"), max_digits=12, decimal_places=2, default=0, db_default=0)
    fee_returned = models.DecimalField(_("退回的手续费"), max_digits=12, decimal_places=2, default=0, db_default=0)
    reason = models.CharField(_("原因"), max_length=80)
    #: Why this refund exists, once: `line:7`, `surplus`. A second request for the same cause finds the first.
    cause = models.CharField(max_length=40, editable=False)
    status = models.CharField(_("状态"), max_length=16, choices=Status, default=Status.CREATED)
    reference = models.CharField(_("渠道单号"), max_length=64, blank=True)
    code = models.CharField(_("渠道答复"), max_length=64, blank=True)
    actor = models.CharField(_("发起"), max_length=80)
    #: What whoever asked for it goes by; empty for those that no person asked for.
    note = models.CharField(_("依据"), max_length=200, blank=True, default="", db_default="")
    #: Settled when it was asked for: a limit that is changed later changes nothing for it.
    needs_two = models.BooleanField(_("要两人批准"), default=False, db_default=False)
    decided_by = models.CharField(_("谁复核"), max_length=80, blank=True, default="", db_default="")
    decided_at = models.DateTimeField(_("复核时间"), null=True, blank=True)
    rejection = models.CharField(_("不批准的原因"), max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(_("创建时间"), db_default=Now())
    finished_at = models.DateTimeField(_("完成时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("退款")
        verbose_name_plural = _("退款")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(fields=["number"], name="refund_number_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive"),
            models.CheckConstraint(
                condition=Q(fee__gte=0, fee__lte=F("amount"), fee_returned__gte=0, fee_returned__lte=F("fee")),
                name="refund_fee_is_a_part",
            ),
            models.UniqueConstraint(fields=["payment", "cause"], name="refund_once_per_cause"),
            models.CheckConstraint(
                condition=Q(needs_two=False)
                | Q(status__in=["waiting", "rejected"])
                | (~Q(decided_by="") & ~Q(decided_by=F("actor"))),
                name="refund_approved_by_another",
            ),
        ]

    def __str__(self) -> str:
        return self.number
