"""Paying from a purse: a payment like any other, made and booked in one step, with nobody to ask.

The merchant account of each kind stands for all purses of it. It collects nothing from shoppers, so it is switched off
for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from django.db import transaction
from django.db.models import Sum

from customers.coupons.services import coupon_give_back, coupon_take
from customers.points import points_charge, points_give_back
from customers.wallets import wallet_charge, wallet_give_back
from kameng.core import sql
from kameng.core.ids import routed_id, shop_id_of
from orders.events import event_write
from orders.exceptions import OrderNotPayable
from orders.models import Order
from orders.services import settle
from orders.states import order_lock
from payments.collecting import settled
from payments.fees import fee_now
from payments.merchants.models import GatewayAccount
from payments.merchants.services import account_named
from payments.models import Payment, Refund
from payments.postings import payment_booked
from payments.selectors import payments_of
from payments.services import NUMBER_LENGTH, confirmed_total, payment_transition
from resellers.clients.services import client_charge, client_give_back
from resellers.ledger.purses import Movement


@dataclass(frozen=True)
class Purse:
    """One kind. `gateway` is the payment's, and the code of the merchant account; `take` raises a `Problem` where there
    is not as much, and must hold against two orders at once, as `give_back` must against two refunds."""

    gateway: str
    name: str
    take: Callable[[Movement], None]
    give_back: Callable[[Movement], None]


CHANNEL = "balance"
COUPON = Purse("coupon", "优惠券", coupon_take, coupon_give_back)
PREPAID = Purse("prepaid", "下游客户余额", client_charge, client_give_back)
WALLET = Purse("wallet", "顾客余额", wallet_charge, wallet_give_back)
POINTS = Purse("points", "顾客积分", points_charge, points_give_back)
#: By the gateway that a payment from one names.
PURSES: Mapping[str, Purse] = {purse.gateway: purse for purse in (COUPON, POINTS, PREPAID, WALLET)}
#: Those that hold no money: what they paid lowers what has to be paid.
WITHOUT_MONEY = frozenset({COUPON.gateway, POINTS.gateway})


@transaction.atomic
def purse_pay(
    *, order_id: int, purse: Purse, holder_id: int, shop_id: int, actor: str, amount: Decimal | None = None
) -> Payment:
    """Pay an order from a purse, or `amount` yuan of it before anybody was asked for the rest.

    Raises `OrderNotPayable`, also where `amount` is not a part of what is missing, or leaves some of it and a gateway
    has been asked, and what the purse raises; nothing has moved then.
    """
    order = order_lock(order_id)
    earlier = payments_of(order_id)
    missing = order.total - confirmed_total(earlier)
    amount = missing if amount is None else amount
    is_asked = any(one.gateway not in PURSES for one in earlier)
    if order.status != Order.Status.PENDING or not 0 < amount <= missing or (is_asked and amount < missing):
        raise OrderNotPayable
    number = routed_id(shop_id, NUMBER_LENGTH)
    payment = Payment(
        order=order,
        number=number,
        account_id=_account(purse).pk,
        gateway=purse.gateway,
        channel=CHANNEL,
        amount=amount,
        holder_id=holder_id,
        expires_at=order.expires_at,
    )
    sql.insert(payment)
    payment.reference = number
    purse.take(_movement(payment, order, amount))
    payment.fee, payment.fee_bearer = fee_now(payment)
    payment_transition(payment, to=Payment.Status.CONFIRMED)
    payment_booked(payment, order)
    event_write(order, "payment.created", actor=actor, payment=number, gateway=purse.gateway)
    event_write(order, "payment.confirmed", actor=actor, payment=number, amount=str(amount), surplus=False)
    if settle(order=order, paid=order.total - missing + amount, actor=actor):
        settled(payment, order)
    return payment


def purse_give_back(payment: Payment, order: Order, *, amount: Decimal, refund: str) -> None:
    """So much of a payment from a purse goes back into it, for the refund of that number; under the order's lock."""
    earlier = payment.refunds.filter(status=Refund.Status.SUCCEEDED).aggregate(total=Sum("amount"))["total"] or 0
    movement = replace(_movement(payment, order, amount, refund), left=payment.amount - earlier - amount)
    PURSES[payment.gateway].give_back(movement)


def _movement(payment: Payment, order: Order, amount: Decimal, refund: str = "") -> Movement:
    if payment.holder_id is None:
        raise ValueError(f"payment {payment.number} came from nobody's purse")
    shop_id = shop_id_of(payment.number) or 0
    return Movement(payment.holder_id, amount, payment.account_id, shop_id, order.number, payment.number, refund)


def _account(purse: Purse) -> GatewayAccount:
    """The merchant account of all purses of a kind; made by the first payment from one."""
    known = account_named(purse.gateway)
    if known is not None:
        return known
    made, _ = GatewayAccount.objects.get_or_create(
        code=purse.gateway,
        defaults={"gateway": purse.gateway, "name": purse.name, "is_active": False, "sealed_config": ""},
    )
    return made
