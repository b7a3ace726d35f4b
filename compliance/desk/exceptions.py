"""Why nothing was decided."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class CaseClaimed(Problem):
    """Somebody else has it in hand."""

    code = "case_claimed"
    status = 409
    message = _("另一位同事正在处理这个案件")


class NotTogether(Problem):
    """Cases that have nothing in common are looked at one by one."""

    code = "not_together"
    message = _("只有被同一条规则、同一处文字拦下的案件可以一起决定")


class TooManyTogether(Problem):
    """More than anybody takes in at once."""

    code = "too_many_together"
    message = _("一次最多一起决定 50 个案件")


class AppealTooLate(Problem):
    """The time for it is over."""

    code = "appeal_too_late"
    message = _("决定后 7 天内可以申诉，现在已经过了")


class AppealedBefore(Problem):
    """One for each decision."""

    code = "appealed_before"
    status = 409
    message = _("这个决定已经申诉过了")


class AppealEmpty(Problem):
    """Nothing is said that somebody could look at."""

    code = "appeal_empty"
    message = _("请写明为什么决定不对，5 到 2000 字")


class AppealClosed(Problem):
    """Somebody has decided about it."""

    code = "appeal_closed"
    status = 409
    message = _("这个申诉已经复核过了")


class OwnDecision(Problem):
    """Nobody judges a complaint about themselves."""

    code = "own_decision"
    status = 403
    message = _("申诉要由另一位同事复核，不能复核自己的决定")
