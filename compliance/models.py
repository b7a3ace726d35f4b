"""Who may deal in what: public, and read with the suppliers.

This stage comes before the catalogue and the suppliers and therefore names them by what never changes: a category by
its slug, a brand by its slug, a supplier by its code.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


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
    says by which it was replaced: rows are never overwritten nor deleted.
    """

    class Holder(models.TextChoices):
        """Whose paper it is."""

        SUPPLIER = "supplier", _("供应商")

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
    #: The day for which the watch last looked at it, and the shortest notice that it gave: 30, 7, 1 or 0 days.
    watched_on = models.DateField(null=True, editable=False)
    warned_days = models.PositiveSmallIntegerField(null=True, editable=False)
    created_by = models.CharField(_("录入人"), max_length=80)
    created_at = models.DateTimeField(_("录入时间"), db_default=Now())

    class Meta:
        verbose_name = _("证照")
        verbose_name_plural = _("证照")
        ordering = ["holder", "kind", "pk"]
        indexes = [models.Index(fields=["holder_kind", "holder", "kind"], name="license_of_holder")]
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_until__isnull=True) | Q(valid_until__gte=F("valid_from")),
                name="license_ends_after_it_begins",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.number}"


class Requirement(models.Model):
    """What is sold in a category must come from somebody with a license of this kind."""

    category = models.CharField(_("类目"), max_length=40)
    kind = models.CharField(_("种类"), max_length=20, choices=Kind)
    created_by = models.CharField(_("录入人"), max_length=80)
    created_at = models.DateTimeField(_("录入时间"), db_default=Now())

    class Meta:
        verbose_name = _("类目要求")
        verbose_name_plural = _("类目要求")
        ordering = ["category", "kind"]
        constraints = [models.UniqueConstraint(fields=["category", "kind"], name="requirement_once")]

    def __str__(self) -> str:
        return f"{self.category}: {self.get_kind_display()}"
