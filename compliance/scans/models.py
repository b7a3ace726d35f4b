"""Scans, in public."""

import base64

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from compliance.models import License
from kameng.core import encryption


class Scan(models.Model):
    """A picture of a license, as we wrote it anew (`pictures.py`), sealed. PNG is how some were kept before."""

    class Kind(models.TextChoices):
        """What the picture is written in."""

        PNG = "png", "PNG"
        JPEG = "jpeg", "JPEG"

    license = models.ForeignKey(License, models.PROTECT, verbose_name=_("证照"), related_name="scans")
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
        constraints = [models.UniqueConstraint(fields=["license", "sha256"], name="scan_once_for_a_license")]

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
    def _context(self) -> str:
        return f"scan:{self.license_id}:{self.sha256}"
