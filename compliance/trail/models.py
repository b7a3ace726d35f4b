"""The audit trail of the whole platform, in public."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from compliance.trail.chain import moment


class AuditEntry(models.Model):
    """One thing that somebody decided. Added by `services.entry_append`, never changed, never removed.

    The database holds that (`migrations/0002_held_by_the_database.sql`), and `audit` I12 that nobody got around it.
    """

    #: 1, 2, 3 …: its place in the chain.
    sequence = models.BigIntegerField(_("序号"), primary_key=True)
    at = models.DateTimeField(_("时间"))
    #: As histories name people: `staff:<username>`, or `system`.
    actor = models.CharField(_("谁"), max_length=80)
    #: What it is about, by kind and number or name: `license:12`.
    subject = models.CharField(_("对象"), max_length=120)
    action = models.CharField(_("动作"), max_length=40)
    data = models.JSONField(_("内容"), default=dict)
    previous = models.CharField(_("上一条的哈希"), max_length=64)
    hash = models.CharField(_("哈希"), max_length=64)

    class Meta:
        verbose_name = _("审计记录")
        verbose_name_plural = _("审计记录")
        ordering = ["sequence"]
        indexes = [models.Index(fields=["subject", "sequence"], name="trail_entry_of_subject")]
        constraints = [
            models.CheckConstraint(condition=Q(subject__regex="^[a-z_]+:.+"), name="trail_entry_has_a_subject"),
            models.CheckConstraint(condition=~Q(actor="") & ~Q(action=""), name="trail_entry_says_who_did_what"),
        ]

    def __str__(self) -> str:
        return f"#{self.sequence} {self.action} {self.subject}"

    def written_down(self) -> dict[str, Any]:
        """The entry as others get it (`chain.py`)."""
        return {
            "sequence": self.sequence,
            "at": moment(self.at),
            "actor": self.actor,
            "subject": self.subject,
            "action": self.action,
            "data": self.data,
            "previous": self.previous,
            "hash": self.hash,
        }


class Head(models.Model):
    """Where the chain ends: one row, which moves on with each entry, so that a chain that was cut off is found."""

    sequence = models.BigIntegerField()
    hash = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("审计链末端")
        verbose_name_plural = _("审计链末端")
        constraints = [models.CheckConstraint(condition=Q(id=1), name="trail_head_is_one")]

    def __str__(self) -> str:
        return f"#{self.sequence} {self.hash}"
