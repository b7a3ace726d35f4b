"""People who sign in: platform staff in public, an owner's staff and members in a shop's schema."""

from typing import TYPE_CHECKING

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import connection, models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from kameng.core import encryption

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser


class Role(models.TextChoices):
    """What somebody of a shop sees to besides its owners, who see to everything (`kameng.manage.rights`)."""

    SUPPORT = "support", _("客服")
    GOODS = "goods", _("商品")
    FINANCE = "finance", _("财务")


class User(AbstractUser):
    """An account of exactly one schema; the same name in another schema is somebody else.

    In a shop, `is_superuser` is one of its owners. What anybody may do is said by sites, by roles
    (`kameng.manage.rights`) and by services, never by the framework's groups and permissions, which have no tables
    here: it is answered that owners have all of them and others none.
    """

    groups = None  # type: ignore[assignment]
    user_permissions = None  # type: ignore[assignment]

    #: Of `Role`; of shops only, and nothing to those who own one.
    roles = ArrayField(
        models.CharField(max_length=10, choices=Role), verbose_name=_("身份"), default=list, db_default=[], blank=True
    )

    def has_perm(self, perm: str, obj: "models.Model | AnonymousUser | None" = None) -> bool:
        """Whether the framework should let them do something: whoever owns or runs the place, while they may enter."""
        return self.is_active and self.is_superuser

    def has_module_perms(self, app_label: str) -> bool:
        """The same for a whole app."""
        return self.is_active and self.is_superuser

    def get_all_permissions(self, obj: object = None) -> set[str]:
        """There are none."""
        return set()


class SecondFactor(models.Model):
    """What somebody has besides their password: an app that makes codes, and codes on paper for when it is gone."""

    user = models.OneToOneField(User, models.CASCADE, primary_key=True, related_name="second_factor")
    sealed_key = models.TextField(editable=False)
    #: Empty until one right code has shown that the app has the key; until then it protects nothing.
    confirmed_at = models.DateTimeField(_("启用时间"), null=True, blank=True)
    #: The step of the last code that was taken: neither it nor an earlier one is taken again.
    last_step = models.BigIntegerField(default=0)
    #: Fingerprints of the recovery codes that are left.
    recovery = ArrayField(models.CharField(max_length=64), default=list)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = _("两步验证")
        verbose_name_plural = _("两步验证")

    def __str__(self) -> str:
        return f"#{self.user_id}"

    @property
    def _context(self) -> str:
        return f"second-factor:{connection.schema_name}:{self.user_id}"  # type: ignore[attr-defined]

    @property
    def key(self) -> str:
        """The shared key, in base 32. Only in the schema that the row belongs to."""
        return encryption.unseal(self.sealed_key, context=self._context)

    @key.setter
    def key(self, value: str) -> None:
        self.sealed_key = encryption.seal(value, context=self._context)
