"""Who has a case in hand, and appeals: public, like the cases themselves."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from compliance.gate.models import Case


class Claim(models.Model):
    """Somebody looks at a case, and nobody else decides about it until then."""

    case = models.OneToOneField(Case, models.CASCADE, verbose_name=_("审核案件"), primary_key=True)
    by = models.CharField(_("处理人"), max_length=80)
    until = models.DateTimeField(_("占用到"))

    class Meta:
        verbose_name = _("处理中")
        verbose_name_plural = _("处理中")

    def __str__(self) -> str:
        return f"{self.case_id} {self.by}"


class Appeal(models.Model):
    """What an owner says against a decision: once for each, and somebody else than before decides about it."""

    class Outcome(models.TextChoices):
        """What came of it."""

        OPEN = "open", _("待复核")
        UPHELD = "upheld", _("维持原决定")
        REVERSED = "reversed", _("撤销原决定")

    case = models.OneToOneField(Case, models.PROTECT, verbose_name=_("审核案件"), related_name="appeal")
    text = models.TextField(_("申诉理由"))
    by = models.CharField(_("申诉人"), max_length=80)
    at = models.DateTimeField(_("申诉时间"), db_default=Now())
    due_at = models.DateTimeField(_("期限"))
    #: Who made the decision that it is against.
    against = models.CharField(_("原决定人"), max_length=80)
    outcome = models.CharField(_("结果"), max_length=8, choices=Outcome, default=Outcome.OPEN)
    decided_by = models.CharField(_("复核人"), max_length=80, blank=True)
    decided_at = models.DateTimeField(_("复核时间"), null=True, blank=True)
    statement = models.TextField(_("给店主的说明"), blank=True)

    class Meta:
        verbose_name = _("申诉")
        verbose_name_plural = _("申诉")
        ordering = ["due_at", "pk"]
        indexes = [models.Index(fields=["due_at", "id"], condition=Q(outcome="open"), name="appeal_queue")]
        constraints = [
            models.CheckConstraint(
                condition=Q(outcome="open", decided_at__isnull=True)
                | (~Q(outcome="open") & Q(decided_at__isnull=False)),
                name="appeal_decided_has_a_time",
            ),
            models.CheckConstraint(condition=~Q(decided_by=F("against")), name="appeal_decided_by_somebody_else"),
        ]

    def __str__(self) -> str:
        return f"{self.case_id} {self.outcome}"
