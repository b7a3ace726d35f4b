"""Pictures of shops, in public."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from resellers.models import Reseller


class BrandPicture(models.Model):
    """A picture as we put it together (`kameng.core.pictures`). Its name says what is in it, so it never changes."""

    class Use(models.TextChoices):
        """Where it is shown."""

        LOGO = "logo", _("标志")
        FAVICON = "favicon", _("网站图标")

    class State(models.TextChoices):
        """Whether it is shown. What it took the place of is kept, for whoever takes that decision back."""

        SHOWN = "shown", _("展示中")
        WAITING = "waiting", _("未展示")
        TAKEN_DOWN = "taken_down", _("已下架")
        BEFORE = "before", _("被换下")

    shop = models.ForeignKey(Reseller, models.DO_NOTHING, verbose_name=_("店铺"), related_name="+")
    use = models.CharField(_("用途"), max_length=8, choices=Use)
    #: As `Reseller.logo_picture` and its address have it: digest, size and kind.
    name = models.CharField(max_length=40, editable=False)
    data = models.BinaryField(editable=False)
    state = models.CharField(_("状态"), max_length=10, choices=State, default=State.SHOWN, db_default=State.SHOWN)
    #: What its like is found by (`compliance.screening.pictures`); empty where nobody has looked.
    fingerprint = models.TextField(editable=False, blank=True, default="", db_default="")
    created_by = models.CharField(_("谁上传"), max_length=80)
    created_at = models.DateTimeField(_("上传时间"), db_default=Now())

    class Meta:
        verbose_name = _("店铺图片")
        verbose_name_plural = _("店铺图片")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["shop", "use", "state"], name="brand_picture_one_a_state")]

    def __str__(self) -> str:
        return self.name
