"""One word and one colour for an order in a list of the people behind the shop."""

from collections.abc import Collection

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from orders.models import Order, OrderLine
from resellers.plans.skus import Kind, kind_of

Badge = tuple[str, str | Promise]

_LINE = OrderLine.Status
_ORDER_BADGES: dict[str, Badge] = {
    Order.Status.PENDING: ("neutral", _("待付款")),
    Order.Status.PAID: ("info", _("充值中")),
    Order.Status.FULFILLED: ("ok", _("已到账")),
    Order.Status.EXPIRED: ("neutral", _("超时取消")),
    Order.Status.CANCELED: ("neutral", _("已取消")),
    Order.Status.REFUNDED: ("neutral", _("已退款")),
    Order.Status.PARTLY_REFUNDED: ("warn", _("部分退款")),
}
#: Nothing is topped up where a plan was bought.
_PLAN_BADGES: dict[str, dict[str, Badge]] = {
    kind: {Order.Status.PAID: ("info", _("办理中")), Order.Status.FULFILLED: ("ok", done)}
    for kind, done in ((Kind.OPENING, _("已开通")), (Kind.RENEWAL, _("已续期")))
}
#: What a paid order's lines say about it; the first that is there decides.
_UNDER_WAY: tuple[tuple[str, Badge], ...] = (
    (_LINE.MANUAL, ("bad", _("人工处理"))),
    (_LINE.VERIFYING, ("warn", _("核实中"))),
    (_LINE.BUYING, ("info", _("充值中"))),
    (_LINE.QUEUED, ("info", _("排队中"))),
    (_LINE.FAILED, ("warn", _("退款中"))),
)
_LINE_BADGES: dict[str, Badge] = {
    _LINE.WAITING: ("neutral", _LINE.WAITING.label),
    _LINE.QUEUED: ("info", _LINE.QUEUED.label),
    _LINE.BUYING: ("info", _LINE.BUYING.label),
    _LINE.VERIFYING: ("warn", _LINE.VERIFYING.label),
    _LINE.MANUAL: ("bad", _LINE.MANUAL.label),
    _LINE.DELIVERED: ("ok", _LINE.DELIVERED.label),
    _LINE.FAILED: ("warn", _LINE.FAILED.label),
    _LINE.REFUNDED: ("neutral", _LINE.REFUNDED.label),
}


def order_badge(status: str, line_statuses: Collection[str], *, product_slug: str = "", sku: str = "") -> Badge:
    """The state of an order as tone and word; the product and sku are those of its first line. Raises `KeyError` for a
    state that does not exist."""
    plan = _PLAN_BADGES.get(kind_of(product_slug, sku), {})
    if status == Order.Status.PAID:
        for line_status, badge in _UNDER_WAY:
            if line_status in line_statuses:
                return plan.get(status, badge) if line_status == _LINE.BUYING else badge
    return plan.get(status, _ORDER_BADGES[status])


def badge_of(order: Order) -> Badge:
    """The state of an order; prefetch the lines."""
    lines = order.lines.all()
    bought = {"product_slug": lines[0].product_slug, "sku": lines[0].sku} if lines else {}
    return order_badge(order.status, {line.status for line in lines}, **bought)


def line_badge(line: OrderLine) -> Badge:
    """The state of a line."""
    badges = _PLAN_BADGES.get(kind_of(line.product_slug, line.sku), {})
    if line.status == _LINE.DELIVERED and badges:
        return badges[Order.Status.FULFILLED]
    return _LINE_BADGES[line.status]
