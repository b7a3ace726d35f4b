"""Why the supply API refuses something about an order."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import NotFound, Problem


class ReferenceTaken(Problem):
    """The client has used this reference for another request."""

    code = "reference_taken"
    status = 409
    message = _("这个单号已用于另一笔订单")


class PriceAboveLimit(Problem):
    """The order costs more than `max_cost`; `amount` says what."""

    code = "price_above_limit"
    status = 409
    message = _("现价高于你给的上限")


class TooLate(Problem):
    """Something was bought, or is being bought: it cannot be taken back."""

    code = "too_late"
    status = 409
    message = _("已经开始采购，不能再取消")


class NoSuchOrder(NotFound):
    """The client has no order of that reference."""

    code = "no_such_order"
    message = _("没有这个订单")
