"""Who collects: the platform, or a shop's owner through a merchant account of their own.

What an owner collects is never the platform's, so the supply price of the goods is held from the shop's deposit
beforehand (`orders.holds`). An order is paid to one of the two, never to both: money that would mix them goes back.
"""

from collections.abc import Sequence
from decimal import Decimal

from kameng.core.ids import shop_id_of
from orders.holds import hold_free, hold_take, hold_trim
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
    needs the goods' price on hold; where that was let go, because nobody paid in time, or nobody had paid after all, it
    is held now if it can be.
    """
    is_paid = order.status not in UNPAID
    if is_paid and (arrived >= order.total or payment.owner_collects != order.owner_collects):
        return True
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
    """An attempt came to nothing. Where it was the last one that is open at the owner's accounts, nothing is held; but
    an order that holds from its first moment does so until it is over."""
    if order.status == Order.Status.PENDING and order.held_at_once:
        return
    let_go(order, attempts or payments_of(order.pk), shop_id=_shop_id(payment))


def let_go(order: Order, attempts: Sequence[Payment], *, shop_id: int) -> None:
    """Hold nothing for an order that is not paid for, once nothing is open at the owner's accounts any more; the
    order's row must be locked."""
    if not order.held or order.status not in UNPAID:
        return
    if not any(one.owner_collects and one.status in OPEN for one in attempts):
        hold_free(order, shop_id=shop_id)


def disproved(payment: Payment, order: Order) -> None:
    """What had paid for the order never came, so that nothing can go back to the shopper: of the deposit only that is
    held which the goods cost that are still under way; the order's row must be locked. Called again whenever one of its
    lines has ended."""
    if payment.owner_collects and order.owner_collects and order.status not in UNPAID:
        hold_trim(order, shop_id=_shop_id(payment))


def _shop_id(payment: Payment) -> int:
    return shop_id_of(payment.number) or 0
