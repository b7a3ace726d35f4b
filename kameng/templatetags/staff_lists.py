"""What the models' lists draw beyond the theme."""

from typing import Any

from django import template
from django.contrib.admin.views.main import ChangeList

register = template.Library()


@register.simple_tag
def first_filter(changelist: ChangeList) -> list[dict[str, Any]]:
    """The choices of a list's first filter, each with its address."""
    return [dict(choice) for spec in changelist.filter_specs[:1] for choice in spec.choices(changelist)]
