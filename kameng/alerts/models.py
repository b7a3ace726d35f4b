"""What a person should know about and do something about."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Alert(models.Model):
    """One condition that somebody should look at, from when it was first seen until it is over or put aside.

    `kind` and `subject` say what it is about (`supplier.balance_low`, `xinghe`); while it is open there is one row of
    it, however often it is seen again. The words come from `kind` and `data`, in the reader's language.
    """

    class Level(models.TextChoices):
        """How soon."""

        URGENT = "urgent", _("紧急")
        WARNING = "warning", _("注意")

    kind = models.CharField(_("种类"), max_length=40)
    subject = models.CharField(_("对象"), max_length=80)
    level = models.CharField(_("级别"), max_length=8, choices=Level, default=Level.WARNING)
    data = models.JSONField(_("详情"), default=dict, blank=True)
    url = models.CharField(_("去处理"), max_length=200, blank=True)
    times = models.PositiveIntegerField(_("次数"), default=1)
    created_at = models.DateTimeField(_("首次"), db_default=Now())
    seen_at = models.DateTimeField(_("最近"), db_default=Now())
    closed_at = models.DateTimeField(_("结束"), null=True, blank=True)
    #: Empty where the condition ended by itself.
    closed_by = models.CharField(_("谁处理"), max_length=80, blank=True)

    class Meta:
        verbose_name = _("提醒")
        verbose_name_plural = _("提醒")
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(closed_at__isnull=True), name="alert_one_open_per_subject"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"
