"""The heading in the operators' menu under which everything about suppliers stands."""

from django.utils.translation import gettext_lazy

GROUP = gettext_lazy("供应")
