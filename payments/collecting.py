"""Who collects: the platform, or a shop's owner through a merchant account of their own.

What an owner collects is never the platform's, so the supply price of the goods is held from the shop's deposit
beforehand (`orders.holds`). An order is paid to one of the two, never to both: money that would mix them goes back.
"""

from collections.abc import Sequence
from decimal import Decimal

from kameng.core.ids import shop_id_of
from orders.holds import hold_free, hold_take
from orders.models import Order
from payments.exceptions import MethodUnavailable
from payments.models import Payment
from payments.selectors import payments_of
from resellers.deposits.services import deposit_short

Status = Payment.Status
OPEN = (Status.CREATED, Status.PENDING)
#: The order has not been paid for yet, though it may be over.
UNPAID = (Order.Status.PENDING, Order.Status.EXPIRED, Order.Status.CANCELED)


class DepositShort(MethodUnavailable):
    """The shop's deposit does not reach for the goods. The shopper is told nothing of it."""


def hold_before_payment(order: Order, *, shop_id: int, missing: Decimal) -> None:
    """Hold what the goods cost, before the owner may be paid; the order's row must be locked.

    Raises `DepositShort`, and `MethodUnavailable` where a part has been paid already.
    """
    if missing != order.total:
        raise MethodUnavailable
    if not hold_take(order, shop_id=shop_id):
        raise DepositShort


def is_superfluous(payment: Payment, order: Order, *, arrived: Decimal) -> bool:
    """Whether an order can do nothing with money that comes in now, after `arrived` has; under the order's lock.

    It cannot where it is paid for, except by whoever collected before, whose payment was disproved. Money of an owner
    needs the goods' price on hold; where that was let go, because nobody paid in time, it is held now if it can be.
    """
    if order.status not in UNPAID:
        return arrived >= order.total or payment.owner_collects != order.owner_collects
    if not payment.owner_collects:
        return False
    if arrived > 0 or payment.amount < order.total:
        return True
    if hold_take(order, shop_id=_shop_id(payment)):
        return False
    deposit_short(shop_id=_shop_id(payment))
    return True


def settled(payment: Payment, order: Order) -> None:
    """The payment has paid for the order: what was held for another one, that would have gone to the owner, is free."""
    if order.held and not order.owner_collects:
        hold_free(order, shop_id=_shop_id(payment))


def ended(payment: Payment, order: Order, attempts: Sequence[Payment] = ()) -> None:
    """An attempt came to nothing. Where it was the last one that is open at the owner's accounts, nothing is held."""
    if not order.held or order.status not in UNPAID:
        return
    known = attempts or payments_of(order.pk)
    if not any(one.owner_collects and one.status in OPEN for one in known):
        hold_free(order, shop_id=_shop_id(payment))


def _shop_id(payment: Payment) -> int:
    return shop_id_of(payment.number) or 0
