"""How suppliers did: every call, every attempt that ended, and whether a supplier is asked at the moment."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from catalog.models import Category, Variant
from fulfillment.suppliers.models.supplier import Supplier


class SupplierCall(models.Model):
    """One exchange with a supplier: what the breaker and the health strip stand on. Kept for eight days."""

    class Flow(models.TextChoices):
        """What the call was for."""

        SUBMIT = "submit", _("下单")
        QUERY = "query", _("查询")
        PROBE = "probe", _("探测")

    supplier = models.ForeignKey(Supplier, models.PROTECT, verbose_name=_("供应商"), related_name="calls")
    flow = models.CharField(_("用途"), max_length=8, choices=Flow)
    #: How it ended: an `OutcomeKind`, with the reason's code.
    kind = models.CharField(_("结果"), max_length=16)
    code = models.CharField(_("答复代码"), max_length=64, blank=True)
    #: Whether it counts against the supplier: no connection, no answer, nothing that can be read, or a refusal that is
    #: not about the order itself.
    is_failure = models.BooleanField(_("失败"), default=False)
    milliseconds = models.PositiveIntegerField(_("耗时"), default=0)
    created_at = models.DateTimeField(_("时间"), db_default=Now())

    class Meta:
        verbose_name = _("供应商调用")
        verbose_name_plural = _("供应商调用")
        indexes = [models.Index(fields=["supplier", "-created_at"], name="supplier_call_newest")]

    def __str__(self) -> str:
        return f"{self.supplier_id} {self.flow} {self.kind}"


class SupplierResult(models.Model):
    """How one attempt to buy ended, whichever shop it was for: what ranking stands on. `seconds` from the intent to
    the end, `cost` in yuan for the whole attempt."""

    class Status(models.TextChoices):
        """The end; a reversal is another row's correction and keeps its first end's time."""

        SUCCEEDED = "succeeded", _("成功")
        PARTIAL = "partial", _("部分成功")
        REJECTED = "rejected", _("未成")
        REVERSED = "reversed", _("被撤销")

    supplier = models.ForeignKey(Supplier, models.PROTECT, verbose_name=_("供应商"), related_name="results")
    variant = models.ForeignKey(Variant, models.PROTECT, verbose_name=_("面额"), related_name="results")
    category = models.ForeignKey(Category, models.PROTECT, verbose_name=_("类目"), related_name="results")
    schema_name = models.CharField(_("店铺"), max_length=63)
    reference = models.CharField(_("采购单号"), max_length=19, unique=True)
    status = models.CharField(_("结果"), max_length=16, choices=Status)
    code = models.CharField(_("答复代码"), max_length=64, blank=True)
    quantity = models.PositiveIntegerField(_("数量"))
    cost = models.DecimalField(_("成本"), max_digits=14, decimal_places=4)
    seconds = models.FloatField(_("用时"))
    #: The rejection was about the order (a wrong account), which says nothing about the supplier.
    is_about_order = models.BooleanField(default=False)
    is_exploration = models.BooleanField(_("试探"), default=False)
    created_at = models.DateTimeField(_("时间"), db_default=Now())

    class Meta:
        verbose_name = _("采购结果")
        verbose_name_plural = _("采购结果")
        indexes = [
            models.Index(fields=["supplier", "-created_at"], name="supplier_result_newest"),
            models.Index(fields=["category", "-created_at"], name="supplier_result_category"),
            models.Index(fields=["variant", "-created_at"], name="supplier_result_variant"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.status}"


class SupplierBreaker(models.Model):
    """Whether a supplier is asked at the moment. No row is the same as closed.

    `retry_at` is when an open breaker lets one order through, `probe_until` until when that one order is somebody's.
    """

    class State(models.TextChoices):
        """Closed: asked as ranked. Open: not asked. Half open: one order at a time."""

        CLOSED = "closed", _("正常")
        OPEN = "open", _("熔断")
        HALF_OPEN = "half_open", _("试探")

    supplier = models.OneToOneField(Supplier, models.CASCADE, primary_key=True, related_name="breaker")
    state = models.CharField(_("状态"), max_length=16, choices=State, default=State.CLOSED)
    reason = models.CharField(_("原因"), max_length=120, blank=True)
    #: How often it opened again without having closed: each time it waits longer.
    trips = models.PositiveSmallIntegerField(_("连续熔断"), default=0)
    #: How many orders worked while it is half open.
    successes = models.PositiveSmallIntegerField(_("试探成功"), default=0)
    opened_at = models.DateTimeField(_("熔断时间"), null=True, blank=True)
    retry_at = models.DateTimeField(_("下次试探"), null=True, blank=True)
    probe_until = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(_("恢复时间"), null=True, blank=True)

    class Meta:
        verbose_name = _("熔断")
        verbose_name_plural = _("熔断")
        constraints = [
            models.CheckConstraint(
                condition=Q(state="closed") | Q(opened_at__isnull=False, retry_at__isnull=False),
                name="supplier_breaker_open_knows_when_to_retry",
            )
        ]

    def __str__(self) -> str:
        return f"{self.supplier_id} {self.state}"


class SupplierIncident(models.Model):
    """One time that the breaker was open, from the first failure that opened it. What happened meanwhile counts as one
    event for ranking, however many attempts ran into it, because the breaker is what kept others away."""

    supplier = models.ForeignKey(Supplier, models.CASCADE, verbose_name=_("供应商"), related_name="incidents")
    reason = models.CharField(_("原因"), max_length=120)
    started_at = models.DateTimeField(_("开始"))
    ended_at = models.DateTimeField(_("结束"), null=True, blank=True)

    class Meta:
        verbose_name = _("故障")
        verbose_name_plural = _("故障")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["supplier"], condition=Q(ended_at__isnull=True), name="supplier_incident_one_open"
            )
        ]

    def __str__(self) -> str:
        return f"{self.supplier_id} {self.started_at:%F %T}"
