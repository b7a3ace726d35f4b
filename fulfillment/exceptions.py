"""Why goods do not move."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class NothingToReveal(Problem):
    """The order has no codes, or not yet."""

    code = "nothing_to_reveal"
    status = 409
    message = _("卡密还没有到，到了会显示在这里")


class IllegalTransition(Exception):
    """A bug or a lost race: the state machine does not allow this step."""
