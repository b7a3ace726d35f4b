"""Why nothing came of it."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class PlanRefused(Problem):
    """A shop cannot change its plan, or its standing, like that; nothing has moved."""

    code = "plan_refused"
    status = 409
    message = _("套餐没有变")


class PlanChanged(PlanRefused):
    """What was paid for another year was the rent of a plan that the shop has no more; nothing has moved."""

    code = "plan_changed"
    message = _("这家店换了套餐，请按新套餐续费")


class PlanInvalid(Problem):
    """A plan cannot be like that; `fields` say why."""

    code = "plan_invalid"
    message = _("套餐没有保存")


class ApplicationInvalid(Problem):
    """A shop cannot be applied for like that; `fields` say why, and nothing is held."""

    code = "application_invalid"
    message = _("有几处需要修改")
