"""What was screened and what came of it, and what waits for a person: public, whichever shop it is about.

A subject is named by kind, schema and id, because this stage comes before the rows that it judges.
"""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from compliance.gate.subjects import Subject
from compliance.screening.listing import Verdict
from compliance.screening.rules import Severity

_VERDICTS = {Verdict.CLEAR: _("通过"), Verdict.FLAGGED: _("待审核"), Verdict.BLOCKED: _("拦下")}


class SubjectKind(models.TextChoices):
    """What is screened; `settings.SCREENED_SUBJECTS` says who keeps the rows."""

    PRODUCT = "product", _("平台商品")
    LISTING = "listing", _("分站商品")
    PLACEMENT = "placement", _("分站商品名")
    SHOP = "shop", _("店铺文字")
    OFFER = "offer", _("渠道报价")
    CATEGORY = "category", _("类目名称")
    OWN_GOOD = "own_good", _("店主自有商品")
    PICTURE = "picture", _("店铺图片")


class Version(models.Model):
    """The exact texts that a digest stands for, by field, as they were written. Written once."""

    digest = models.CharField(_("摘要"), max_length=64, primary_key=True)
    texts = models.JSONField(_("文字"))

    class Meta:
        verbose_name = _("被筛查的文字")
        verbose_name_plural = _("被筛查的文字")

    def __str__(self) -> str:
        return self.digest[:12]


class _OfSubject(models.Model):
    """A row about a subject. `subject_id` is the row's key in `schema_name`; for a listing, its variant's,
    for a placement or an owner's own good, its product's; a picture goes by its place (`compliance.gate.pictures`)."""

    subject_kind = models.CharField(_("对象类型"), max_length=10, choices=SubjectKind)
    schema_name = models.CharField(_("模式"), max_length=63)
    subject_id = models.PositiveBigIntegerField(_("编号"))

    class Meta:
        abstract = True

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return Subject(self.subject_kind, self.schema_name, self.subject_id)


class Screening(_OfSubject):
    """One look at one version of a subject by one state of the rules. Only ever added.

    `findings` are objects with `category`, `rule`, `severity`, `field`, `start`, `end`, `text` and `because` (places
    again), `field` and places in the owner's own fields; a finding without a place has an empty field. One about a
    picture has `alike` (`compliance.screening.pictures.Alike`), and no place in its field.
    """

    digest = models.CharField(_("摘要"), max_length=64)
    #: `compliance.rules.book_now`: grows with every change to a rule; 0 for those that come with the software.
    rules_version = models.PositiveBigIntegerField(_("规则版本"))
    verdict = models.CharField(_("结论"), max_length=8, choices=list(_VERDICTS.items()))
    findings: "models.JSONField[Any, Any]" = models.JSONField(_("命中"), default=list)
    at = models.DateTimeField(_("时间"), db_default=Now())

    class Meta:
        verbose_name = _("筛查记录")
        verbose_name_plural = _("筛查记录")
        ordering = ["-pk"]
        indexes = [
            models.Index(fields=["subject_kind", "schema_name", "subject_id", "-id"], name="screening_of_subject")
        ]

    def __str__(self) -> str:
        return f"{self.subject} {self.verdict}"


class Case(_OfSubject):
    """One thing that waits for a person's decision, or had one. A subject has one open case at most.

    An edit moves an open case on to the new version; whoever decides names the version that they saw.
    """

    class Kind(models.TextChoices):
        """Why somebody has to look."""

        FLAGGED = "flagged", _("筛查存疑")
        RESCREENED = "rescreened", _("规则变了")
        RESUBMITTED = "resubmitted", _("下架后修改")
        TAKEN_DOWN = "taken_down", _("直接下架")
        RESTORED = "restored", _("恢复上架")
        APPEALED = "appealed", _("申诉成立")

    class State(models.TextChoices):
        """Where it stands."""

        OPEN = "open", _("待处理")
        APPROVED = "approved", _("通过")
        SENT_BACK = "sent_back", _("退回修改")
        TAKEN_DOWN = "taken_down", _("已下架")
        WITHDRAWN = "withdrawn", _("已撤回")

    TRANSITIONS: dict[str, frozenset[str]] = {
        State.OPEN: frozenset({State.APPROVED, State.SENT_BACK, State.TAKEN_DOWN, State.WITHDRAWN}),
        # Taken back by whoever decided (`gate.second_thoughts.case_reopen`).
        State.APPROVED: frozenset({State.OPEN}),
        State.SENT_BACK: frozenset({State.OPEN}),
        State.TAKEN_DOWN: frozenset({State.OPEN, State.WITHDRAWN}),
    }

    kind = models.CharField(_("来由"), max_length=12, choices=Kind)
    state = models.CharField(_("状态"), max_length=10, choices=State, default=State.OPEN)
    #: What the subject was called when this was opened or moved on.
    title = models.CharField(_("名称"), max_length=160)
    #: None where somebody takes down what no screening ever looked at.
    screening = models.ForeignKey(
        Screening, models.PROTECT, verbose_name=_("筛查记录"), null=True, related_name="cases"
    )
    digest = models.CharField(_("摘要"), max_length=64, blank=True)
    severity = models.CharField(
        _("严重程度"), max_length=6, choices=[(one.value, one.label) for one in Severity], default=Severity.MEDIUM
    )
    opened_at = models.DateTimeField(_("开始"), db_default=Now())
    due_at = models.DateTimeField(_("期限"))
    decided_at = models.DateTimeField(_("决定时间"), null=True, blank=True)
    decided_by = models.CharField(_("决定人"), max_length=80, blank=True)
    reasons = ArrayField(models.CharField(max_length=40), verbose_name=_("理由"), default=list, blank=True)
    #: The version before whoever decided put its words right: what comes back if they take that back.
    amended_from = models.CharField(_("改字前的摘要"), max_length=64, blank=True, default="", db_default="")
    #: What the owner is told.
    statement = models.TextField(_("给店主的说明"), blank=True)

    class Meta:
        verbose_name = _("审核案件")
        verbose_name_plural = _("审核案件")
        ordering = ["due_at", "pk"]
        indexes = [
            models.Index(fields=["due_at", "id"], condition=Q(state="open"), name="case_queue"),
            models.Index(fields=["subject_kind", "schema_name", "subject_id", "-id"], name="case_of_subject"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subject_kind", "schema_name", "subject_id"],
                condition=Q(state="open"),
                name="case_one_open_per_subject",
            ),
            models.CheckConstraint(
                condition=Q(state="open", decided_at__isnull=True) | (~Q(state="open") & Q(decided_at__isnull=False)),
                name="case_decided_has_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.title}"


class Refusal(models.Model):
    """An edit of which nothing was saved, because the gate blocked it. Only ever added (`gate.refusals`).

    What it was about is named as in the other rows. What would have been new by it has a number that no row has.
    """

    subject_kind = models.CharField(_("对象类型"), max_length=10)
    schema_name = models.CharField(_("模式"), max_length=63)
    subject_id = models.PositiveBigIntegerField(_("编号"))
    title = models.CharField(_("名称"), max_length=160)
    #: As those of a screening.
    findings: "models.JSONField[Any, Any]" = models.JSONField(_("命中"))
    rules_version = models.PositiveBigIntegerField(_("规则版本"))
    by = models.CharField(_("谁"), max_length=80)
    #: Whether whoever wrote it signed in to the shop itself: what operators write is not held against its owner.
    is_owners = models.BooleanField(_("店主写的"))
    at = models.DateTimeField(_("时间"), db_default=Now())

    class Meta:
        verbose_name = _("拦下的编辑")
        verbose_name_plural = _("拦下的编辑")
        ordering = ["-pk"]
        indexes = [models.Index(fields=["schema_name", "-id"], name="refusal_of_shop")]

    def __str__(self) -> str:
        return f"{self.subject_kind}:{self.schema_name}/{self.subject_id} {self.title}"
