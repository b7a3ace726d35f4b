"""Why a coupon is refused."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem, StrOrPromise


class CouponRefused(Problem):
    """It cannot be used for this order; `fields` say why, to be shown beside the code."""

    code = "invalid"
    message = _("这张券现在用不了")

    def __init__(self, message: StrOrPromise | None = None) -> None:
        super().__init__(message, fields={"coupon": message or self.message})


class CouponUnknown(CouponRefused):
    """There is no such code here; the answer is the same for one of another shop."""

    message = _("没有这张券，请核对券码")


class CouponUnsuited(CouponRefused):
    """Not for this order; it may be for another."""


class CouponInvalid(Problem):
    """A coupon cannot be as it was asked for; `fields` say where."""

    code = "invalid"
    message = _("有几处需要修改")
