"""Why an order is refused."""

from django.utils.translation import gettext_lazy as _

from kameng.core.problems import Problem


class OrderInvalid(Problem):
    """The request cannot become an order as it is; `fields` say where."""

    code = "invalid"
    status = 422
    message = _("有几处需要修改")


class SkuUnknown(Problem):
    """This shop does not sell such a thing."""

    code = "unknown_sku"
    status = 404
    message = _("本店没有这个面额")


class SkuUnavailable(Problem):
    """On the shelf, but not to be had now."""

    code = "unavailable"
    status = 409
    message = _("这个面额刚刚下架，换一个面额试试")


class PriceChanged(Problem):
    """The total is not what the shopper was shown."""

    code = "price_changed"
    status = 409
    message = _("价格变了，请确认新的价格")


class IdempotencyConflict(Problem):
    """The key was used for another request."""

    code = "idempotency_conflict"
    status = 409
    message = _("这个 Idempotency-Key 已用于另一个请求")


class TooManyUnpaid(Problem):
    """Unpaid orders must be paid or run out first."""

    code = "too_many_unpaid"
    status = 429
    message = _("未付款的订单太多了，请先付款或等它们过期")


class ShopClosed(Problem):
    """No new orders."""

    code = "shop_closed"
    status = 403
    message = _("本店暂停营业。已付款的订单照常处理")


class ShopCannotTake(Problem):
    """The shop cannot take this order now; why is between its owner and the platform."""

    code = "shop_cannot_take"
    status = 409
    message = _("本店现在接不了这单，请稍后再试，或换一个便宜些的面额")


class OrderNotPayable(Problem):
    """Paid, expired or canceled."""

    code = "not_payable"
    status = 409
    message = _("这个订单不能再付款了")


class GoodsTakenDown(Problem):
    """The platform has taken down what was ordered, before it was paid."""

    code = "taken_down"
    status = 409
    message = _("商品刚被平台下架，这个订单不能再付款，没有扣款")


class SellerUnlicensed(Problem):
    """The shop has lost a paper that its category requires, between ordering and paying."""

    code = "seller_unlicensed"
    status = 409
    message = _("这家店现在不能卖这类商品，这个订单不能再付款，没有扣款")


class IllegalTransition(Exception):
    """A bug or a lost race: the state machine does not allow this step."""


class NotKept(Problem):
    """It is in somebody else's account."""

    code = "not_kept"
    status = 409
    message = _("这一单已经存在另一个账号里了")
