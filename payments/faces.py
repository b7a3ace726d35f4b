"""What templates are told of an order's money: what paid a part of it already, and what is left to pay."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Sum
from django.utils.translation import gettext as _

from customers.models import Route
from orders.models import Order
from payments.coupons import coupon_name_of
from payments.models import Payment
from payments.purses import COUPON, WALLET, WITHOUT_MONEY
from payments.selectors import payments_of


@dataclass(frozen=True, slots=True)
class PurseFace:
    """What a purse has paid of an order, in yuan."""

    label: str
    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Due:
    """An order's price, less what purses without money have paid of it: what money has to be paid, or was."""

    purses: Sequence[PurseFace]
    amount: Decimal


def due_of(order: Order) -> Due:
    """The same before and after the money has come."""
    paid = [
        payment
        for payment in payments_of(order.pk)
        if payment.gateway in WITHOUT_MONEY and payment.status == Payment.Status.CONFIRMED and not payment.is_surplus
    ]
    amount = order.total - sum((payment.amount for payment in paid), Decimal(0))
    return Due([purse_face(payment) for payment in paid], amount)


def due_amounts(orders: Sequence[Order]) -> dict[int, Decimal]:
    """Of each order by its id, `due_of(order).amount`; in one query."""
    counts = Payment.objects.filter(order__in=orders, gateway__in=WITHOUT_MONEY, is_surplus=False)
    paid = dict(counts.filter(status=Payment.Status.CONFIRMED).values_list("order_id").annotate(Sum("amount")))
    return {order.pk: order.total - paid.get(order.pk, Decimal(0)) for order in orders}


def purse_face(payment: Payment) -> PurseFace:
    """A payment from a purse."""
    name = coupon_name_of(payment) if payment.gateway == COUPON.gateway else ""
    return PurseFace(gateway_name(payment.gateway), name, payment.amount)


def gateway_name(code: str) -> str:
    """A gateway as people call it."""
    names = {
        "alipay": _("支付宝"),
        "wechatpay": _("微信支付"),
        "epay": _("易支付"),
        "manual": _("转账汇款"),
        "prepaid": _("预存余额"),
        "coupon": _("优惠券"),
        "wallet": _("余额"),
        "points": _("积分"),
    }
    return names.get(code, code)


def refund_method(gateway: str, route: str) -> str:
    """Where a refund goes, as people call it, of a payment by that gateway."""
    return gateway_name(WALLET.gateway if route == Route.WALLET else gateway)
