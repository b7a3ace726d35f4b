"""Who of the platform was let into which shop, in public."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from resellers.models import Reseller


class Visit(models.Model):
    """One ticket into a shop's admin, and the visit that came of it, if it was used in time."""

    shop = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("店铺"), related_name="+")
    #: An operator, as histories name people.
    by = models.CharField(_("谁"), max_length=80)
    reason = models.CharField(_("原因"), max_length=200)
    #: May change goods, prices and the look; else only looks.
    helps = models.BooleanField(_("协助"), default=False)
    asked_at = models.DateTimeField(_("申请时间"), db_default=Now())
    entered_at = models.DateTimeField(_("进入时间"), null=True)
    #: When it is over at the latest.
    until = models.DateTimeField(_("最晚到"), null=True)
    ended_at = models.DateTimeField(_("结束时间"), null=True)

    class Meta:
        verbose_name = _("进店")
        verbose_name_plural = _("进店")
        default_permissions = ()
        ordering = ["-pk"]
        indexes = [models.Index(fields=["shop", "-id"], name="visit_of_shop")]
        constraints = [
            models.CheckConstraint(
                condition=Q(entered_at__isnull=True, until__isnull=True, ended_at__isnull=True)
                | Q(entered_at__isnull=False, until__isnull=False),
                name="visit_ends_where_it_began",
            ),
            models.CheckConstraint(condition=~Q(by="") & ~Q(reason=""), name="visit_of_somebody_for_something"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.by}"

    @property
    def name(self) -> str:
        """The operator's own name."""
        return self.by.removeprefix("staff:")
