"""Why something about an account is refused."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class AccountRefused(Problem):
    """It cannot be like that; `fields` say why."""

    code = "account_refused"
    message = _("有几处需要修改")


class ContactTaken(Problem):
    """There is an account for that contact already."""

    code = "contact_taken"
    status = 409
    message = _("这个联系方式已经有账号了，请直接登录")


class SignInFailed(Problem):
    """Contact and password open nothing; which of the two is wrong is not said."""

    code = "sign_in_failed"
    message = _("手机号或邮箱、密码不对")


class SignInRequired(Problem):
    """It is spent from an account, and nobody has signed in to one."""

    code = "sign_in_required"
    status = 403
    message = _("用余额付款要先登录顾客账号")


class WalletShort(Problem):
    """There is not as much in the wallet. Nothing has moved."""

    code = "wallet_short"
    status = 409
    message = _("余额不够付这一单，请换一种付款方式")


class PointsShort(Problem):
    """There are not as many points. Nothing has moved."""

    code = "points_short"
    status = 409
    message = _("积分不够，请重新核对")


class WalletNotEmpty(Problem):
    """An account with money in it is not closed."""

    code = "wallet_not_empty"
    status = 409
    message = _("余额里还有钱，用完了再注销")
