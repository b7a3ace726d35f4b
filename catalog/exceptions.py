"""Why the catalogue does not change."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class CatalogInvalid(Problem):
    """What was asked for cannot be put on a shelf; `fields` say why."""

    code = "catalog_invalid"
    message = _("有几处需要修改")
