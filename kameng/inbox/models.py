"""What gateways and suppliers told us, as it came."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class InboxEvent(models.Model):
    """A verified notice, stored raw and once.

    An `unapplied` one is under way, or its booking broke down: then it is applied later. A `refused` one is genuine but
    cannot be acted on (wrong amount, unknown order): it is kept and shown to operators.
    """

    class Verdict(models.TextChoices):
        """What we made of it."""

        UNAPPLIED = "unapplied", _("尚未处理")
        ACCEPTED = "accepted", _("已处理")
        IGNORED = "ignored", _("无需处理")
        REFUSED = "refused", _("需要人工核对")

    source = models.CharField(_("来源"), max_length=16)
    account = models.CharField(_("账户"), max_length=64)
    event_id = models.CharField(_("事件编号"), max_length=128)
    schema_name = models.CharField(_("店铺"), max_length=63, blank=True)
    subject = models.CharField(_("关联单号"), max_length=64, blank=True, db_index=True)
    headers = models.JSONField(_("请求头"), default=dict)
    body = models.BinaryField(_("原文"))
    verdict = models.CharField(_("处理"), max_length=16, choices=Verdict)
    reason = models.CharField(_("原因"), max_length=200, blank=True)
    received_at = models.DateTimeField(_("收到时间"), db_default=Now())

    class Meta:
        verbose_name = _("收到的通知")
        verbose_name_plural = _("收到的通知")
        constraints = [
            models.UniqueConstraint(fields=["source", "account", "event_id"], name="inbox_event_stored_once"),
            models.CheckConstraint(condition=~Q(event_id=""), name="inbox_event_has_id"),
        ]
        indexes = [
            BrinIndex(fields=["received_at"], autosummarize=True, name="inbox_event_when"),
            # As long as what is under way, however many notices there are.
            models.Index(fields=["received_at"], condition=Q(verdict="unapplied"), name="inbox_event_unapplied"),
        ]

    def __str__(self) -> str:
        return f"{self.source}:{self.account}:{self.event_id}"
