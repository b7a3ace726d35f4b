"""What moved, between which accounts. Rows are only ever added; the database refuses anything else."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from resellers.models import Reseller


class Account(models.Model):
    """A place where money can be. Opened by the first entry that needs it (`resellers.ledger.posting`)."""

    class Name(models.TextChoices):
        """What lies there; `owner` says whose, where there are many."""

        CLEARING = "clearing", _("收款账户余额")
        ORDERS = "orders", _("未完成订单")
        REFUNDS = "refunds", _("应退款")
        SALES = "sales", _("供货收入")
        COST = "cost", _("采购成本")
        SUPPLIER = "supplier", _("应付供应商")
        INVENTORY = "inventory", _("自有库存")
        DUPLICATES = "duplicates", _("重复供货")
        FEES = "fees", _("支付手续费")
        PENDING = "pending", _("店主待结算")
        AVAILABLE = "available", _("店主可提现")
        WITHDRAWALS = "withdrawals", _("提现中")
        PAYOUTS = "payouts", _("已打给店主")
        WITHDRAWAL_FEES = "withdrawal_fees", _("提现手续费收入")
        PREPAID = "prepaid", _("下游客户预存款")
        TRANSFERS = "transfers", _("线下收款")
        DEPOSIT = "deposit", _("保证金")
        DEPOSIT_HELD = "deposit_held", _("冻结的保证金")
        TOP_UPS = "top_ups", _("店主充入的保证金")
        OWN_CLEARING = "own_clearing", _("店主自收账户余额")
        TAKINGS = "takings", _("店主自收")
        RENTS = "rents", _("年费收入")
        COMMISSIONS = "commissions", _("邀请佣金")
        WALLET = "wallet", _("顾客余额")
        POINTS = "points", _("顾客积分")
        COUPONS = "coupons", _("平台承担的优惠")

    #: Grow by positive entries; all others are what we owe or have earned, and grow by negative ones.
    DEBIT = frozenset({
        *(Name.CLEARING, Name.COST, Name.INVENTORY, Name.DUPLICATES, Name.FEES, Name.TRANSFERS),
        *(Name.TOP_UPS, Name.OWN_CLEARING, Name.COMMISSIONS, Name.COUPONS),
    })  # fmt: skip
    #: What an order's owner has of it directly: what they collected, less what it cost them of their deposit.
    DIRECT = (Name.TAKINGS, Name.DEPOSIT, Name.DEPOSIT_HELD)

    name = models.CharField(_("科目"), max_length=16, choices=Name)
    #: A merchant account's, a supplier's, a shop's or a client's id; 0 where there is one for the platform.
    owner = models.BigIntegerField(_("归属"), default=0)

    class Meta:
        verbose_name = _("科目")
        verbose_name_plural = _("科目")
        constraints = [models.UniqueConstraint(fields=["name", "owner"], name="ledger_account_once")]

    def __str__(self) -> str:
        return f"{self.name}:{self.owner}"


class Journal(models.Model):
    """One thing that happened to money. Its entries sum to zero when the transaction ends."""

    class Kind(models.TextChoices):
        """What happened."""

        PAYMENT = "payment", _("收款")
        DISPROVED = "disproved", _("收款不成立")
        DELIVERY = "delivery", _("交付")
        SUPPLY = "supply", _("采购")
        DUPLICATE = "duplicate", _("重复供货")
        CLAIM = "claim", _("向渠道索回")
        REFUND_DUE = "refund_due", _("应退")
        REFUND = "refund", _("退款")
        FEE_WAIVED = "fee_waived", _("手续费改由平台承担")
        SETTLEMENT = "settlement", _("结算")
        WITHDRAWAL = "withdrawal", _("申请提现")
        PAYOUT = "payout", _("提现打款")
        WITHDRAWAL_BACK = "withdrawal_back", _("提现退回")
        CLIENT_CREDIT = "client_credit", _("下游客户充值")
        CLIENT_PAID = "client_paid", _("下游客户用余额付款")
        CLIENT_BACK = "client_back", _("退回下游客户余额")
        TOP_UP = "top_up", _("充值保证金")
        DEPOSIT_IN = "deposit_in", _("可提现转保证金")
        DEPOSIT_OUT = "deposit_out", _("保证金转可提现")
        DEPOSIT_HOLD = "deposit_hold", _("冻结保证金")
        DEPOSIT_FREE = "deposit_free", _("解冻保证金")
        RENT = "rent", _("用余额付年费")
        COMMISSION = "commission", _("邀请佣金")
        COMMISSION_BACK = "commission_back", _("退回佣金")
        COUPON_PAID = "coupon_paid", _("用券抵扣")
        COUPON_BACK = "coupon_back", _("退回券抵扣")
        WALLET_PAID = "wallet_paid", _("用余额付款")
        WALLET_BACK = "wallet_back", _("退回余额付款")
        POINTS_EARNED = "points_earned", _("送积分")
        POINTS_TAKEN = "points_taken", _("收回积分")
        POINTS_PAID = "points_paid", _("用积分抵扣")
        POINTS_BACK = "points_back", _("退回积分抵扣")

    #: What makes it happen once: `payment:<number>`.
    key = models.CharField(max_length=80, unique=True)
    kind = models.CharField(_("类型"), max_length=16, choices=Kind)
    shop = models.ForeignKey(
        Reseller, models.DO_NOTHING, verbose_name=_("店铺"), null=True, db_constraint=False, related_name="+"
    )
    order_number = models.CharField(_("订单号"), max_length=16, blank=True)
    #: How many entries belong to it, so that none can be added later.
    size = models.PositiveSmallIntegerField()
    posted_at = models.DateTimeField(_("记账时间"), db_default=Now())

    class Meta:
        verbose_name = _("分录")
        verbose_name_plural = _("分录")
        constraints = [models.CheckConstraint(condition=Q(size__gte=2), name="ledger_journal_has_two_sides")]
        indexes = [
            models.Index(fields=["shop", "order_number"], name="ledger_journal_order"),
            BrinIndex(fields=["posted_at"], autosummarize=True, name="ledger_journal_when"),
        ]

    def __str__(self) -> str:
        return self.key


class Entry(models.Model):
    """So much more (positive: debit) or less (negative: credit) on one account, in yuan."""

    journal = models.ForeignKey(Journal, models.DO_NOTHING, related_name="entries")
    #: No constraint: rows of busy accounts would be locked by every transaction, and accounts cannot be deleted.
    account = models.ForeignKey(Account, models.DO_NOTHING, db_constraint=False, related_name="entries", db_index=False)
    amount = models.DecimalField(_("金额"), max_digits=18, decimal_places=4)

    class Meta:
        verbose_name = _("分录行")
        verbose_name_plural = _("分录行")
        constraints = [models.CheckConstraint(condition=~Q(amount=0), name="ledger_entry_moves_something")]
        indexes = [models.Index(fields=["account", "id"], include=["amount"], name="ledger_entry_tail")]

    def __str__(self) -> str:
        return f"{self.account_id}: {self.amount}"


class Balance(models.Model):
    """The sum of an account's entries up to `upto`, so that reading one adds only the few since then."""

    account = models.OneToOneField(Account, models.DO_NOTHING, primary_key=True, related_name="balance")
    upto = models.BigIntegerField()
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    taken_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("余额")
        verbose_name_plural = _("余额")

    def __str__(self) -> str:
        return f"{self.account_id}: {self.amount}"


class Day(models.Model):
    """What moved on one day of the site's time zone for one shop, or for none: the entries, added up
    (`resellers.ledger.days`). Amounts in yuan, counts of what they say.
    """

    shop = models.ForeignKey(Reseller, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    day = models.DateField()
    payments = models.IntegerField()
    deliveries = models.IntegerField()
    #: What goes back because it never arrived.
    failures = models.IntegerField()
    refunds = models.IntegerField()
    #: Of the deliveries, how many came so soon after the order was paid for.
    within_5s = models.IntegerField()
    within_15s = models.IntegerField()
    within_1m = models.IntegerField()
    within_5m = models.IntegerField()
    within_30m = models.IntegerField()
    within_2h = models.IntegerField()
    #: What gateways collected and sent back, with how often above.
    received = models.DecimalField(max_digits=20, decimal_places=4)
    refunded = models.DecimalField(max_digits=20, decimal_places=4)
    #: What was paid from customers' and clients' balances, and what went into them instead of to a gateway.
    balance_paid = models.DecimalField(max_digits=20, decimal_places=4, default=0, db_default=0)
    balance_back = models.DecimalField(max_digits=20, decimal_places=4, default=0, db_default=0)
    #: The platform's: what it sold goods for, what else it takes, what it bought them for, and what gateways keep.
    sales = models.DecimalField(max_digits=20, decimal_places=4)
    other = models.DecimalField(max_digits=20, decimal_places=4)
    cost = models.DecimalField(max_digits=20, decimal_places=4)
    fees = models.DecimalField(max_digits=20, decimal_places=4)
    #: What it gives away to shoppers.
    given = models.DecimalField(max_digits=20, decimal_places=4, default=0, db_default=0)
    #: What is left to owners of orders and of those whom they invited.
    owners = models.DecimalField(max_digits=20, decimal_places=4)

    class Meta:
        verbose_name = _("每日汇总")
        verbose_name_plural = _("每日汇总")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["day", "shop"], name="ledger_day_once", nulls_distinct=False)]

    def __str__(self) -> str:
        return f"{self.day} {self.shop_id}"


class Reckoned(models.Model):
    """How far the days have been added up: there is one row."""

    #: Goes up whenever a column of `Day` comes to mean something else.
    MEANING = 2

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    #: Every entry up to this number is in its day.
    upto = models.BigIntegerField(default=0, db_default=0)
    #: When that was all there was; none before the days have caught up for the first time.
    at = models.DateTimeField(null=True)
    #: `meant`, as whoever was here last wrote it. Older code moves `upto` alone, or knows another meaning; so days of
    #: two meanings are never taken for one.
    sense = models.CharField(max_length=40, default="", db_default="")

    class Meta:
        verbose_name = _("汇总进度")
        verbose_name_plural = _("汇总进度")
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(id=1), name="ledger_reckoned_once")]

    def __str__(self) -> str:
        return f"{self.upto}"

    @property
    def meant(self) -> str:
        """What the columns mean now, and up to where."""
        return f"{self.MEANING}:{self.upto}"

    @property
    def is_as_meant(self) -> bool:
        """Whether every day was added up by what the columns mean now."""
        return self.sense == self.meant
