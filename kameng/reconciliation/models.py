"""Bills as they were read, what came of comparing them, and each thing that did not agree."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from compliance.scans.models import Scan


class Side(models.TextChoices):
    """Whose bill it is."""

    GATEWAY = "gateway", _("支付渠道")
    SUPPLIER = "supplier", _("供应商")


class Statement(models.Model):
    """One merchant account's, or one supplier's, bill of one day of China's calendar, and how ours compared with it.

    Amounts are yuan (a supplier's: its currency). `in` is what came in by payments, or what a supplier charged;
    `back` is what went back. `ours` and `ledger` are the same, of what the bill tells of and of what it should have.
    """

    class Status(models.TextChoices):
        """How far it is."""

        MISSING = "missing", _("账单还没出")
        FAILED = "failed", _("账单读不了")
        DONE = "done", _("已对账")

    side = models.CharField(_("对账方"), max_length=8, choices=Side)
    #: The merchant account's or the supplier's id, and its code, which outlives a change of name.
    owner_id = models.BigIntegerField()
    code = models.CharField(_("代号"), max_length=40)
    day = models.DateField(_("账单日"))
    currency = models.CharField(_("币种"), max_length=8, default="CNY")
    status = models.CharField(_("状态"), max_length=8, choices=Status, default=Status.MISSING)
    message = models.CharField(_("说明"), max_length=200, blank=True)
    #: When the bill that is kept was read; null where there is none. A day that was not over then is not all told.
    fetched_at = models.DateTimeField(_("取得账单"), null=True, blank=True)
    compared_at = models.DateTimeField(_("最近对账"), null=True, blank=True)
    #: Who brought the bill, where a person did.
    uploaded_by = models.CharField(_("上传人"), max_length=80, blank=True)
    rows = models.PositiveIntegerField(_("账单笔数"), default=0)
    matched = models.PositiveIntegerField(_("相符"), default=0)
    #: Ours that may still be told of by the bill of a neighboring day.
    in_transit = models.PositiveIntegerField(_("在途"), default=0)
    theirs_in = models.DecimalField(max_digits=18, decimal_places=4, default=0)
    theirs_back = models.DecimalField(max_digits=18, decimal_places=4, default=0)
    ours_in = models.DecimalField(max_digits=18, decimal_places=4, default=0)
    ours_back = models.DecimalField(max_digits=18, decimal_places=4, default=0)
    ledger_in = models.DecimalField(max_digits=18, decimal_places=4, default=0)
    ledger_back = models.DecimalField(max_digits=18, decimal_places=4, default=0)
    fees = models.DecimalField(_("手续费"), max_digits=18, decimal_places=5, default=0)

    class Meta:
        verbose_name = _("账单")
        verbose_name_plural = _("账单")
        ordering = ["-day", "side", "code"]
        constraints = [models.UniqueConstraint(fields=["side", "owner_id", "day"], name="reconciliation_bill_once")]

    def __str__(self) -> str:
        return f"{self.code} {self.day}"


class Row(models.Model):
    """One row of a bill, kept so that money near midnight is found in the bill of the next day."""

    statement = models.ForeignKey(Statement, models.CASCADE, related_name="lines", db_index=False)
    #: `payment`, `refund` or `supply`.
    kind = models.CharField(max_length=8)
    #: Ours; empty where the other side names none.
    number = models.CharField(max_length=64, blank=True)
    payment = models.CharField(max_length=64, blank=True)
    reference = models.CharField(max_length=64, blank=True)
    amount = models.DecimalField(max_digits=18, decimal_places=4)
    fee = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    currency = models.CharField(max_length=8)
    #: `done`, `open` or `failed`.
    state = models.CharField(max_length=8)
    at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("账单行")
        verbose_name_plural = _("账单行")
        indexes = [
            models.Index(fields=["statement", "kind"], name="reconciliation_row_bill"),
            models.Index(fields=["number"], name="reconciliation_row_number"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number or self.reference}"


class Break(models.Model):
    """One thing that two books do not agree on, from when it was first seen until it is gone or a person ends it.

    Nothing is adjusted by itself. One row for each cause, however often it is seen; what was put aside stays so unless
    its amounts change, what went away and comes back is opened again and keeps its history.
    """

    class Kind(models.TextChoices):
        """What does not agree; `words.py` says what it means and what to do."""

        NOT_OURS = "not_ours", _("渠道有、我方无")
        NOT_THEIRS = "not_theirs", _("我方有、渠道无")
        AMOUNT = "amount", _("金额不一致")
        STATE = "state", _("状态不一致")
        REFUND_NOT_OURS = "refund_not_ours", _("渠道有退款、我方无")
        REFUND_NOT_THEIRS = "refund_not_theirs", _("我方有退款、渠道无")
        REFUND_AMOUNT = "refund_amount", _("退款金额不一致")
        REFUND_STATE = "refund_state", _("退款状态不一致")
        ACCOUNT = "account", _("收款账户不一致")
        FEE = "fee", _("手续费不一致")
        DUPLICATE = "duplicate", _("账单里重复")
        CURRENCY = "currency", _("币种不一致")
        LEDGER = "ledger", _("与账本不一致")
        SUPPLY_NOT_OURS = "supply_not_ours", _("供应商有、我方无")
        SUPPLY_NOT_THEIRS = "supply_not_theirs", _("我方有、供应商无")
        SUPPLY_CHARGED = "supply_charged", _("没买成却扣了款")
        SUPPLY_NOT_CHARGED = "supply_not_charged", _("供应商说没成、我方已到货")
        SUPPLY_AMOUNT = "supply_amount", _("采购金额不一致")
        SUPPLY_STATE = "supply_state", _("采购状态不一致")
        SUPPLY_DUPLICATE = "supply_duplicate", _("供应商重复扣款")
        SUPPLY_CURRENCY = "supply_currency", _("采购币种不一致")
        SUPPLY_LEDGER = "supply_ledger", _("采购与账本不一致")

    class Status(models.TextChoices):
        """Whether somebody has to look."""

        OPEN = "open", _("待处理")
        GONE = "gone", _("已自行消除")
        RESOLVED = "resolved", _("已处理")

    side = models.CharField(_("对账方"), max_length=8, choices=Side)
    owner_id = models.BigIntegerField()
    code = models.CharField(_("代号"), max_length=40)
    day = models.DateField(_("账单日"))
    kind = models.CharField(_("类型"), max_length=20, choices=Kind)
    #: What it is about: our number, or theirs where there is none of ours.
    number = models.CharField(_("单号"), max_length=64)
    reference = models.CharField(_("对方单号"), max_length=64, blank=True)
    schema_name = models.CharField(max_length=63, blank=True)
    order_number = models.CharField(_("订单号"), max_length=16, blank=True)
    #: What each side says, in `currency`; null where it says nothing.
    ours = models.DecimalField(_("我方"), max_digits=18, decimal_places=4, null=True)
    theirs = models.DecimalField(_("对方"), max_digits=18, decimal_places=4, null=True)
    our_state = models.CharField(max_length=16, blank=True)
    their_state = models.CharField(max_length=16, blank=True)
    currency = models.CharField(_("币种"), max_length=8, default="CNY")
    happened_at = models.DateTimeField(_("发生时间"), null=True)
    status = models.CharField(_("状态"), max_length=8, choices=Status, default=Status.OPEN)
    #: The name of who looks after it; accounts are rows of more than one schema, so nothing refers to them.
    assignee = models.CharField(_("处理人"), max_length=150, blank=True)
    first_seen_at = models.DateTimeField(_("首次发现"), db_default=Now())
    seen_at = models.DateTimeField(_("最近一次"), db_default=Now())
    closed_at = models.DateTimeField(_("结束"), null=True, blank=True)

    class Meta:
        verbose_name = _("差异")
        verbose_name_plural = _("差异")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["side", "owner_id", "kind", "number"], name="reconciliation_break_once_per_cause"
            ),
            models.CheckConstraint(
                condition=Q(status="open", closed_at__isnull=True) | Q(~Q(status="open"), closed_at__isnull=False),
                name="reconciliation_break_closed_has_time",
            ),
        ]
        indexes = [
            models.Index(fields=["side", "owner_id", "day"], name="reconciliation_break_bill"),
            models.Index(fields=["status", "day"], name="reconciliation_break_status"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.number}"


class BreakEvent(models.Model):
    """What happened to a break, and who did it: `system` where a comparison did."""

    class Name(models.TextChoices):
        """What."""

        FOUND = "found", _("发现")
        CHANGED = "changed", _("金额有变")
        GONE = "gone", _("再对账时已一致")
        REOPENED = "reopened", _("重新出现")
        ASSIGNED = "assigned", _("指派")
        NOTED = "noted", _("备注")
        RESOLVED = "resolved", _("处理完毕")

    subject = models.ForeignKey(Break, models.CASCADE, related_name="events")
    name = models.CharField(max_length=12, choices=Name)
    actor = models.CharField(max_length=80)
    text = models.CharField(max_length=500, blank=True)
    #: The picture that proves it, where one was asked for.
    proof = models.OneToOneField(Scan, models.PROTECT, null=True, blank=True, related_name="+")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("差异记录")
        verbose_name_plural = _("差异记录")
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.name} {self.actor}"
