"""How old shoppers may say that they are, where a category asks for it."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Age(TextChoices):
    """The ages between which what minors may spend changes."""

    ADULT = "adult", _("已满 18 岁")
    FROM_16 = "16-17", _("16–17 岁")
    FROM_8 = "8-15", _("8–15 岁")
    BELOW_8 = "under-8", _("未满 8 岁")
