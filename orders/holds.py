"""What an order holds of its shop's deposit: the supply price of goods that the shopper pays to the owner for.

It is held when a payment to the owner is opened, and until that comes to nothing, the goods have arrived, or the
shopper has their money back. `Order.held` and the book change in one transaction, under the order's lock.
"""

from decimal import Decimal

from kameng.core import sql
from orders.models import Order
from resellers.deposits.services import deposit_take
from resellers.ledger.posting import Kind, Move, Name, post

_SUPPLY = "SELECT sum(supply_price * quantity) FROM orders_orderline WHERE order_id = %s"
_CHANGE = "UPDATE orders_order SET held = held + %s WHERE id = %s"


def hold_take(order: Order, *, shop_id: int) -> bool:
    """Hold the order's supply price, unless that is done. False where the deposit is too small: nothing has moved then.

    The order's row must be locked; the shop's is from here on.
    """
    if order.held:
        return True
    ((supply,),) = sql.rows(_SUPPLY, [order.pk])
    if not deposit_take(
        shop_id=shop_id, amount=supply, key=_key("deposit_hold", order, shop_id), order_number=order.number
    ):
        return False
    hold_change(order, supply)
    return True


def hold_free(order: Order, *, shop_id: int) -> None:
    """Nobody is going to pay the owner: all that is held goes back. The order's row must be locked."""
    if not order.held:
        return
    moves = [Move(Name.DEPOSIT_HELD, order.held, shop_id), Move(Name.DEPOSIT, -order.held, shop_id)]
    key = _key("deposit_free", order, shop_id)
    post(key, Kind.DEPOSIT_FREE, moves, shop_id=shop_id, order_number=order.number)
    hold_change(order, -order.held)


def hold_change(order: Order, amount: Decimal) -> None:
    """So much more, or less, is held for the order: for whoever writes the journal that says so."""
    sql.execute(_CHANGE, [amount, order.pk])
    order.held += amount


def _key(what: str, order: Order, shop_id: int) -> str:
    """An order may hold and let go several times, once under each of its locks."""
    return f"{what}:{shop_id}:{order.pk}:{order.locked_at.timestamp():.6f}"
