"""Scans, in public."""

import base64

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from compliance.models import License
from kameng.core import encryption


class Scan(models.Model):
    """A picture of a license, or one that proves something else, as we wrote it anew (`pictures.py`), sealed.

    PNG is how some were kept before.
    """

    class Kind(models.TextChoices):
        """What the picture is written in."""

        PNG = "png", "PNG"
        JPEG = "jpeg", "JPEG"

    license = models.ForeignKey(License, models.PROTECT, verbose_name=_("证照"), related_name="scans", null=True)
    #: What it proves something of where that is no license, as the audit trail names it: `break:12`.
    proves = models.CharField(_("证明"), max_length=120, blank=True, default="", db_default="", editable=False)
    kind = models.CharField(_("格式"), max_length=4, choices=Kind)
    width = models.PositiveIntegerField(_("宽"))
    height = models.PositiveIntegerField(_("高"))
    #: Of the picture in clear: the same one again is found by it.
    sha256 = models.CharField(max_length=64, editable=False)
    sealed = models.TextField(editable=False)
    created_by = models.CharField(_("谁上传"), max_length=80)
    created_at = models.DateTimeField(_("上传时间"), db_default=Now())

    class Meta:
        verbose_name = _("证照扫描件")
        verbose_name_plural = _("证照扫描件")
        #: Who may enter the site may look.
        default_permissions = ()
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["license", "sha256"], name="scan_once_for_a_license"),
            models.CheckConstraint(
                condition=Q(license__isnull=False, proves="") | Q(Q(license__isnull=True), ~Q(proves="")),
                name="scan_is_of_one_thing",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.width} × {self.height}"

    @property
    def data(self) -> bytes:
        """The picture in clear."""
        return base64.b64decode(encryption.unseal(self.sealed, context=self._context))

    @data.setter
    def data(self, value: bytes) -> None:
        self.sealed = encryption.seal(base64.b64encode(value).decode(), context=self._context)

    @property
    def subject(self) -> str:
        """What it is of, as the audit trail names it."""
        return self.proves or f"license:{self.license_id}"

    @property
    def _context(self) -> str:
        return f"scan:{self.proves or self.license_id}:{self.sha256}"
