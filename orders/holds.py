"""What an order holds of its shop's deposit: the supply price of goods that the shopper pays to the owner for.

It is held when a payment to the owner is opened, or with the order itself where nobody else collects; and until that
comes to nothing, the goods have arrived, or the shopper has their money back. `Order.held` and the book change in one
transaction, under the order's lock.
"""

from decimal import Decimal

from kameng.core import sql
from orders.models import Order
from resellers.deposits.services import deposit_take
from resellers.ledger.posting import Kind, Move, Name, post

#: Of what has not arrived; and of what may still do so.
_SUPPLY = """
SELECT coalesce(sum(supply_price * CASE WHEN status = 'delivered' THEN short_quantity ELSE quantity END), 0)
  FROM orders_orderline WHERE order_id = %s
"""
_UNDER_WAY = """
SELECT coalesce(sum(supply_price * quantity), 0) FROM orders_orderline
 WHERE order_id = %s AND status IN ('queued', 'buying', 'verifying', 'manual')
"""
_CHANGE = "UPDATE orders_order SET held = held + %s WHERE id = %s"


def hold_take(order: Order, *, shop_id: int) -> bool:
    """Hold the supply price of what has not arrived, as far as that is not done. False where the deposit is too small:
    nothing has moved then.

    The order's row must be locked; the shop's is from here on.
    """
    ((supply,),) = sql.rows(_SUPPLY, [order.pk])
    missing: Decimal = supply - order.held
    if missing <= 0:
        return True
    if not deposit_take(
        shop_id=shop_id, amount=missing, key=_key("deposit_hold", order, shop_id), order_number=order.number
    ):
        return False
    hold_change(order, missing)
    return True


def hold_free(order: Order, *, shop_id: int) -> None:
    """Nobody is going to pay the owner: all that is held goes back. The order's row must be locked."""
    _free(order, order.held, shop_id)


def hold_trim(order: Order, *, shop_id: int) -> None:
    """Nobody has paid, though it had seemed so: only what may still arrive is held, and the rest goes back. Said again,
    nothing is left of the rest. The order's row must be locked."""
    ((needed,),) = sql.rows(_UNDER_WAY, [order.pk])
    _free(order, order.held - needed, shop_id)


def _free(order: Order, amount: Decimal, shop_id: int) -> None:
    if amount <= 0:
        return
    moves = [Move(Name.DEPOSIT_HELD, amount, shop_id), Move(Name.DEPOSIT, -amount, shop_id)]
    key = _key("deposit_free", order, shop_id)
    post(key, Kind.DEPOSIT_FREE, moves, shop_id=shop_id, order_number=order.number)
    hold_change(order, -amount)


def hold_change(order: Order, amount: Decimal) -> None:
    """So much more, or less, is held for the order: for whoever writes the journal that says so."""
    sql.execute(_CHANGE, [amount, order.pk])
    order.held += amount


def _key(what: str, order: Order, shop_id: int) -> str:
    """An order may hold and let go several times, once under each of its locks."""
    return f"{what}:{shop_id}:{order.pk}:{order.locked_at.timestamp():.6f}"
