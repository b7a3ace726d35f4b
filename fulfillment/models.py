"""Turning a paid line into goods: the work, each attempt to buy, and what reached the shopper."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from kameng.core.fields import public_key
from orders.models import OrderLine


class Fulfillment(models.Model):
    """The duty to deliver one paid line, or to say definitely that nobody can."""

    class Status(models.TextChoices):
        """Where the work stands."""

        QUEUED = "queued", _("排队中")
        BUYING = "buying", _("采购中")
        VERIFYING = "verifying", _("核实中")
        MANUAL = "manual", _("等人处理")
        DELIVERED = "delivered", _("已交付")
        FAILED = "failed", _("无法交付")

    TRANSITIONS = {
        Status.QUEUED: {Status.BUYING, Status.VERIFYING, Status.DELIVERED, Status.FAILED, Status.MANUAL},
        Status.BUYING: {Status.VERIFYING, Status.DELIVERED, Status.FAILED, Status.MANUAL},
        Status.VERIFYING: {Status.BUYING, Status.DELIVERED, Status.FAILED, Status.MANUAL},
        Status.MANUAL: {Status.BUYING, Status.VERIFYING, Status.DELIVERED, Status.FAILED},
    }

    line = models.OneToOneField(OrderLine, models.PROTECT, verbose_name=_("订单行"), related_name="fulfillment")
    status = models.CharField(_("状态"), max_length=16, choices=Status, default=Status.QUEUED)
    #: How many units have arrived; a part of the line's quantity where a supplier delivered only some.
    delivered_quantity = models.PositiveIntegerField(_("已到数量"), db_default=0)
    #: Grows with each attempt; the last one's place among all that were made.
    attempts = models.PositiveSmallIntegerField(_("采购次数"), default=0)
    note = models.CharField(_("说明"), max_length=200, blank=True)
    #: Until when the shop's owner has to deliver a good of their own by hand; the money goes back by itself then.
    due_at = models.DateTimeField(_("店主交付时限"), null=True)
    #: What the owner wrote to the shopper with it, sealed (`fulfillment.by_owner`).
    sealed_note = models.TextField(editable=False, blank=True, default="", db_default="")
    created_at = models.DateTimeField(_("开始时间"), db_default=Now())
    finished_at = models.DateTimeField(_("完成时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("履约")
        verbose_name_plural = _("履约")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"#{self.pk}"


class SupplierOrder(models.Model):
    """One attempt to buy, committed before a byte is sent. `reference` is our number at the supplier."""

    class Status(models.TextChoices):
        """How the attempt stands; `unknown` means that the supplier may have acted and is being asked."""

        INTENDED = "intended", _("准备提交")
        ACCEPTED = "accepted", _("对方已受理")
        UNKNOWN = "unknown", _("结果未知")
        SUCCEEDED = "succeeded", _("成功")
        PARTIAL = "partial", _("部分成功")
        REJECTED = "rejected", _("未成")
        REVERSED = "reversed", _("被撤销")

    TRANSITIONS = {
        Status.INTENDED: {Status.ACCEPTED, Status.UNKNOWN, Status.SUCCEEDED, Status.PARTIAL, Status.REJECTED},
        Status.ACCEPTED: {Status.UNKNOWN, Status.SUCCEEDED, Status.PARTIAL, Status.REJECTED},
        Status.UNKNOWN: {Status.ACCEPTED, Status.SUCCEEDED, Status.PARTIAL, Status.REJECTED},
        Status.SUCCEEDED: {Status.REVERSED},
        Status.PARTIAL: {Status.REVERSED},
    }
    ACTIVE = (Status.INTENDED, Status.ACCEPTED, Status.UNKNOWN)

    fulfillment = models.ForeignKey(
        Fulfillment, models.PROTECT, verbose_name=_("履约"), related_name="supplier_orders", db_index=False
    )
    supplier = public_key("suppliers.Supplier", _("供应商"), db_index=False)
    offer = public_key("suppliers.SupplierOffer", _("渠道报价"), db_index=False)
    sequence = models.PositiveSmallIntegerField(_("第几次"))
    reference = models.CharField(_("采购单号"), max_length=19, unique=True)
    supplier_reference = models.CharField(_("对方单号"), max_length=64, blank=True)
    supplier_sku = models.CharField(_("对方编码"), max_length=64)
    quantity = models.PositiveIntegerField(_("数量"))
    cost = models.DecimalField(_("成本"), max_digits=14, decimal_places=4)
    status = models.CharField(_("状态"), max_length=16, choices=Status, default=Status.INTENDED)
    code = models.CharField(_("答复代码"), max_length=64, blank=True)
    message = models.CharField(_("答复"), max_length=200, blank=True)
    evidence = models.TextField(_("往来记录"), blank=True)
    #: Why it went there: `{"by": "score|pin|explore|only|probe", "place", "of", "score", "instead_of": [{"name",
    #: "reason"}]}`.
    choice = models.JSONField(_("选择理由"), default=dict, blank=True)
    asked = models.PositiveSmallIntegerField(_("查询次数"), default=0)
    missing_since = models.DateTimeField(_("首次查无此单"), null=True, blank=True)
    created_at = models.DateTimeField(_("提交时间"), db_default=Now())
    finished_at = models.DateTimeField(_("完成时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("采购单")
        verbose_name_plural = _("采购单")
        ordering = ["fulfillment_id", "sequence"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=1), name="supplier_order_quantity_positive"),
            models.UniqueConstraint(fields=["fulfillment", "sequence"], name="supplier_order_sequence_unique"),
            models.UniqueConstraint(
                fields=["fulfillment"],
                condition=Q(status__in=["intended", "accepted", "unknown"]),
                name="supplier_order_one_active_per_fulfillment",
            ),
            models.UniqueConstraint(
                fields=["fulfillment"],
                condition=Q(status="succeeded"),
                name="supplier_order_one_success_per_fulfillment",
            ),
        ]

    def __str__(self) -> str:
        return self.reference


class Delivery(models.Model):
    """One thing that reached the shopper: a code (kept sealed in `StockCode`), or a confirmed top-up of the account."""

    fulfillment = models.ForeignKey(
        Fulfillment, models.PROTECT, verbose_name=_("履约"), related_name="deliveries", db_index=False
    )
    supplier_order = models.ForeignKey(
        SupplierOrder, models.PROTECT, verbose_name=_("采购单"), related_name="deliveries", db_index=False
    )
    stock_code = public_key("suppliers.StockCode", _("卡密"), null=True, db_index=False)
    position = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(_("交付时间"), db_default=Now())

    class Meta:
        verbose_name = _("交付")
        verbose_name_plural = _("交付")
        ordering = ["fulfillment_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["fulfillment", "position"], name="delivery_position_unique"),
            models.UniqueConstraint(fields=["stock_code"], name="delivery_code_once"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"


class DeliveryReveal(models.Model):
    """Somebody looked at the codes of a line, having proved that they are theirs."""

    fulfillment = models.ForeignKey(Fulfillment, models.PROTECT, verbose_name=_("履约"), related_name="reveals")
    actor = models.CharField(_("谁"), max_length=80)
    address_digest = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("查看时间"), db_default=Now())

    class Meta:
        verbose_name = _("查看记录")
        verbose_name_plural = _("查看记录")
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"#{self.pk}"
