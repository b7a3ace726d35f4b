"""Who may deal in what: public, and read with the suppliers.

This stage comes before the catalogue and the suppliers and therefore names them by what never changes: a category by
its slug, a brand by its slug, a supplier by its code, a seller by the slug of the shop.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from compliance.screening.rules import MAX_TERM, WIDE, Category, Severity


class Kind(models.TextChoices):
    """What a license allows."""

    BUSINESS = "business", _("营业执照")
    SOFTWARE_COPYRIGHT = "software_copyright", _("软件著作权")
    PUBLICATION = "publication", _("出版物经营许可证")
    TELECOM = "telecom", _("增值电信业务经营许可证")
    BRAND = "brand", _("品牌授权")
    OPERATOR_AGENCY = "operator_agency", _("运营商代理资格")


class License(models.Model):
    """One paper of one holder. Valid from the first to the last day, both included; without a last day, for good.

    An empty scope is everything; brands and categories narrow it together. A renewal is a new row, and the one before
    says by which it was replaced: rows are never overwritten nor deleted. What an owner hands in counts for nothing
    until an operator has held it against its scan.
    """

    class Holder(models.TextChoices):
        """Whose paper it is: of whom we buy, or of whoever runs a shop."""

        SUPPLIER = "supplier", _("供应商")
        SELLER = "seller", _("店主")

    class Review(models.TextChoices):
        """Whether somebody of the platform has confirmed it."""

        WAITING = "waiting", _("等待核对")
        CONFIRMED = "confirmed", _("已核对")
        SENT_BACK = "sent_back", _("已退回")

    holder_kind = models.CharField(_("持有方类型"), max_length=10, choices=Holder, default=Holder.SUPPLIER)
    holder = models.CharField(_("持有方"), max_length=40)
    kind = models.CharField(_("种类"), max_length=20, choices=Kind)
    number = models.CharField(_("编号"), max_length=80)
    issuer = models.CharField(_("发证机关"), max_length=120)
    categories = ArrayField(models.CharField(max_length=40), verbose_name=_("类目"), default=list, blank=True)
    brands = ArrayField(models.CharField(max_length=40), verbose_name=_("品牌"), default=list, blank=True)
    valid_from = models.DateField(_("生效日"))
    valid_until = models.DateField(_("到期日"), null=True, blank=True)
    note = models.CharField(_("备注"), max_length=400, blank=True)
    replaced_by = models.OneToOneField(
        "self", models.PROTECT, verbose_name=_("续期为"), null=True, blank=True, related_name="replaces"
    )
    revoked_at = models.DateTimeField(_("作废时间"), null=True, blank=True)
    #: What operators record themselves is confirmed by that.
    review = models.CharField(
        _("核对"), max_length=10, choices=Review, default=Review.CONFIRMED, db_default=Review.CONFIRMED, editable=False
    )
    #: What a handed-in renewal replaces once it is confirmed; until then the former one goes on counting.
    renews = models.ForeignKey(
        "self", models.PROTECT, verbose_name=_("续期自"), null=True, blank=True, related_name="renewals"
    )
    reviewed_by = models.CharField(_("核对人"), max_length=80, blank=True, default="", db_default="", editable=False)
    reviewed_at = models.DateTimeField(_("核对时间"), null=True, blank=True, editable=False)
    #: Who has it in hand, and until when nobody else decides about it.
    claimed_by = models.CharField(max_length=80, blank=True, default="", db_default="", editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    #: Why it was sent back or revoked, in codes (`compliance.paper_reasons`), and what the owner is told.
    reasons = ArrayField(
        models.CharField(max_length=40), verbose_name=_("理由"), default=list, db_default=[], blank=True, editable=False
    )
    statement = models.TextField(_("给店主的说明"), blank=True, default="", db_default="", editable=False)
    #: The day for which the watch last looked at it, and the shortest notice that it gave: 30, 7, 1 or 0 days.
    watched_on = models.DateField(null=True, editable=False)
    warned_days = models.PositiveSmallIntegerField(null=True, editable=False)
    created_by = models.CharField(_("录入人"), max_length=80)
    created_at = models.DateTimeField(_("录入时间"), db_default=Now())

    class Meta:
        verbose_name = _("证照")
        verbose_name_plural = _("证照")
        ordering = ["holder", "kind", "pk"]
        indexes = [
            models.Index(fields=["holder_kind", "holder", "kind"], name="license_of_holder"),
            models.Index(fields=["created_at"], condition=Q(review="waiting", revoked_at=None), name="license_waits"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                name="license_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=~Q(review="sent_back") | Q(reviewed_at__isnull=False), name="license_sent_back_has_a_time"
            ),
            models.UniqueConstraint(
                fields=["renews"], condition=Q(review="waiting", revoked_at=None), name="license_one_renewal_waits"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"

    @property
    def in_hand_of(self) -> str:
        """Who has it in hand; empty is nobody."""
        is_held = self.claimed_until is not None and self.claimed_until > timezone.now()
        return self.claimed_by if is_held else ""


class Mark(models.Model):
    """A picture of a protected brand, put together anew: what shops' pictures are held against. Only operators see it.

    `name` is what the brand was called when it was added. One that no longer counts stays, for the cases about it.
    """

    brand = models.CharField(_("品牌"), max_length=40)
    name = models.CharField(_("名称"), max_length=60)
    kind = models.CharField(_("格式"), max_length=8)
    data = models.BinaryField(editable=False)
    #: `compliance.screening.pictures.Fingerprint`.
    fingerprint = models.TextField(editable=False)
    created_by = models.CharField(_("谁上传"), max_length=80)
    created_at = models.DateTimeField(_("上传时间"), db_default=Now())
    retired_at = models.DateTimeField(_("停用时间"), null=True, editable=False)

    class Meta:
        verbose_name = _("品牌参考图")
        verbose_name_plural = _("品牌参考图")
        default_permissions = ()
        ordering = ["brand", "pk"]

    def __str__(self) -> str:
        return f"{self.name} #{self.pk}"


class Requirement(models.Model):
    """What is sold in a category must come from a supplier, or be sold by a seller, with a license of this kind."""

    category = models.CharField(_("类目"), max_length=40)
    holder_kind = models.CharField(
        _("要求谁"),
        max_length=10,
        choices=License.Holder,
        default=License.Holder.SUPPLIER,
        db_default=License.Holder.SUPPLIER,
    )
    kind = models.CharField(_("种类"), max_length=20, choices=Kind)
    created_by = models.CharField(_("录入人"), max_length=80)
    created_at = models.DateTimeField(_("录入时间"), db_default=Now())

    class Meta:
        verbose_name = _("类目要求")
        verbose_name_plural = _("类目要求")
        ordering = ["category", "holder_kind", "kind"]
        constraints = [models.UniqueConstraint(fields=["category", "holder_kind", "kind"], name="requirement_once")]

    def __str__(self) -> str:
        return f"{self.category}: {self.get_kind_display()}"


def _words() -> "ArrayField[list[str], list[str]]":
    return ArrayField(models.CharField(max_length=MAX_TERM), default=list, blank=True)


class Rule(models.Model):
    """A rule of the screening (`compliance.screening.rules.Rule` says what its words mean), as operators keep it.

    Those that come with the software are named by category and code; whoever changes one makes it the operators' own,
    and later versions of the software leave it alone. Rules are switched off, never deleted.
    """

    category = models.CharField(_("违禁类别"), max_length=20, choices=[(one.value, one.label) for one in Category])
    code = models.CharField(_("代码"), max_length=40)
    note = models.CharField(_("说明"), max_length=200)
    severity = models.CharField(_("严重程度"), max_length=6, choices=[(one.value, one.label) for one in Severity])
    is_weak = models.BooleanField(_("只是迹象"), default=False)
    terms, sounds, exact, but_not, near, also, unless = (_words() for _name in range(7))
    window = models.PositiveSmallIntegerField(_("上下文距离"), default=WIDE)
    hits = ArrayField(models.CharField(max_length=200), default=list)
    misses = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    is_active = models.BooleanField(_("启用"), default=True)
    #: Grows with each change: whoever has compiled the rules sees by their sum that they are no longer these.
    version = models.PositiveIntegerField(_("版本"), default=1, editable=False)
    #: Empty as long as it is as it came with the software.
    changed_by = models.CharField(_("修改人"), max_length=80, blank=True, editable=False)
    changed_at = models.DateTimeField(_("修改时间"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("筛查规则")
        verbose_name_plural = _("筛查规则")
        ordering = ["category", "code"]
        constraints = [models.UniqueConstraint(fields=["category", "code"], name="rule_once")]

    def __str__(self) -> str:
        return f"{self.get_category_display()} · {self.code}"


class WordGroup(models.Model):
    """Words that rules have in common and name with an @ before the code, as operators keep them.

    `words` are those that the software comes with, and an upgrade renews them; what operators put in or took out is
    kept beside them and stays. Groups are never deleted: rules may name them.
    """

    code = models.CharField(_("代码"), max_length=40, unique=True)
    note = models.CharField(_("说明"), max_length=200)
    words = ArrayField(models.CharField(max_length=MAX_TERM), verbose_name=_("自带的词"), default=list, editable=False)
    added, retired = _words(), _words()
    #: Titles that all rules together must, and must not, find something in.
    hits = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    misses = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    #: Grows with each change, as that of a rule.
    version = models.PositiveIntegerField(_("版本"), default=1, editable=False)
    changed_by = models.CharField(_("修改人"), max_length=80, blank=True, editable=False)
    changed_at = models.DateTimeField(_("修改时间"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("筛查词组")
        verbose_name_plural = _("筛查词组")
        ordering = ["code"]

    def __str__(self) -> str:
        return f"@{self.code}"

    @property
    def current(self) -> tuple[str, ...]:
        """The words that count."""
        retired = set(self.retired)
        return tuple(dict.fromkeys([*(word for word in self.words if word not in retired), *self.added]))
