"""Why money does not move."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class MethodUnavailable(Problem):
    """The shop does not collect this way, or not on this device."""

    code = "method_unavailable"
    status = 422
    message = _("这种付款方式现在不能用，请换一种")


class PayerUnknown(Problem):
    """Inside the app only somebody pays whom the app has named."""

    code = "payer_unknown"
    status = 422
    message = _("在 App 里付款要先知道付款人是谁（openid）")


class GatewayDown(Problem):
    """The gateway did not answer; nothing was charged."""

    code = "gateway_unavailable"
    status = 503
    message = _("付款渠道暂时不可用，请换一种方式付款，或稍后再试")


class RefundTooLarge(Problem):
    """More than what was collected and not returned yet."""

    code = "refund_too_large"
    status = 409
    message = _("超过了可退金额")


class RefundTooEarly(Problem):
    """The goods may still arrive; returning the money now could give both."""

    code = "refund_too_early"
    status = 409
    message = _("这一项还在处理中，有了结果才能退款")


class RefundNotStuck(Problem):
    """Only a refund that waits for a person is ended by one."""

    code = "refund_not_stuck"
    status = 409
    message = _("这笔退款不在等人处理，没有记下来")


class RefundRefused(Problem):
    """Money cannot be asked back like that; `fields` say why."""

    code = "refund_refused"


class RefundDecided(Problem):
    """Somebody else has decided meanwhile."""

    code = "refund_decided"
    status = 409
    message = _("这笔退款已经有人复核过了，刷新再看")


class NeedsAnother(Problem):
    """Whoever asked is not who approves."""

    code = "needs_another"
    status = 403
    message = _("要另一位工作人员来批准，发起的人不能批自己的")


class IllegalTransition(Exception):
    """A bug or a lost race: the state machine does not allow this step."""
