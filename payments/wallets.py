"""Paying from the wallet of whoever is signed in: all that is missing, at once."""

from decimal import Decimal

from django.db import transaction

from customers.exceptions import SignInRequired
from customers.models import Customer
from orders.exceptions import GoodsTakenDown, SellerUnlicensed
from orders.keeping import order_keep
from orders.models import Order
from orders.selectors import order_told
from payments.models import Payment
from payments.purses import WALLET, purse_pay
from payments.selectors import payments_of
from payments.services import confirmed_total


def missing_of(order: Order) -> Decimal:
    """What an order still needs, in yuan."""
    return order.total - confirmed_total(payments_of(order.pk))


@transaction.atomic
def wallet_pay(*, order: Order, customer: Customer | None, shop_id: int) -> Payment:
    """Pay what the order still needs; it belongs to the customer's account then, if to nobody's before.

    Raises `SignInRequired`, also for another's order, `WalletShort`, `OrderNotPayable`, `GoodsTakenDown` or
    `SellerUnlicensed`; nothing has moved then.
    """
    if customer is None or order.customer_id not in (None, customer.pk):
        raise SignInRequired
    _title, stopped = order_told(order)
    if stopped:
        raise GoodsTakenDown if stopped == "taken_down" else SellerUnlicensed
    order_keep(order_id=order.pk, customer=customer, is_own_device=False)
    return purse_pay(order_id=order.pk, purse=WALLET, holder_id=customer.pk, shop_id=shop_id, actor="shopper")
