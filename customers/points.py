"""A customer's points: a hundred are a yuan. Each movement is one conditional update of the row and its journal.

Whoever gives them pays for them then (`payments.points`), so that they cost nobody anything when they are spent.
"""

from decimal import Decimal

from customers.exceptions import PointsShort
from customers.wallets import book_owner
from kameng.core import sql
from resellers.ledger.posting import Kind, Move, Name
from resellers.ledger.purses import Movement, purse_refilled, purse_spent

PER_YUAN = 100

#: Only while they reach: two orders at once cannot both spend the last of them.
_MOVE = """
UPDATE customers_customer SET points = points + %(points)s
 WHERE id = %(customer)s AND points + %(points)s >= 0
"""
#: As many as there are of so many, and how many that was.
_TAKE = """
WITH had AS (SELECT id, least(points, %(points)s) AS taken FROM customers_customer WHERE id = %(customer)s FOR UPDATE)
UPDATE customers_customer AS customer SET points = points - had.taken FROM had WHERE customer.id = had.id
RETURNING had.taken
"""


def worth(points: int) -> Decimal:
    """What so many are worth, in yuan."""
    return Decimal(points) / PER_YUAN


def points_charge(movement: Movement) -> None:
    """Pay with points, within the transaction that books the payment. Raises `PointsShort`; nothing has moved then."""
    if not sql.execute(_MOVE, {"customer": movement.holder_id, "points": -_points(movement.amount)}):
        raise PointsShort
    purse_spent(Kind.POINTS_PAID, [_owed(movement, movement.amount)], movement)


def points_give_back(movement: Movement) -> None:
    """What was paid with them is there again, within the transaction that ends the refund, and so once."""
    _add(movement.holder_id, _points(movement.amount))
    purse_refilled(Kind.POINTS_BACK, [_owed(movement, -movement.amount)], movement)


def points_give(*, shop_id: int, customer_id: int, points: int) -> Move:
    """So many more; the caller's journal takes the move."""
    _add(customer_id, points)
    return Move(Name.POINTS, -worth(points), book_owner(shop_id, customer_id))


def points_take(*, shop_id: int, customer_id: int, points: int) -> tuple[int, Move]:
    """As many as there still are of so many: how many that was, and the move that the caller's journal takes."""
    found = sql.rows(_TAKE, {"customer": customer_id, "points": points})
    taken = int(found[0][0]) if found else 0
    return taken, Move(Name.POINTS, worth(taken), book_owner(shop_id, customer_id))


def _add(customer_id: int, points: int) -> None:
    if not sql.execute(_MOVE, {"customer": customer_id, "points": points}):
        raise ValueError(f"customer #{customer_id} is gone")


def _points(amount: Decimal) -> int:
    points = amount * PER_YUAN
    if points != points.to_integral_value():
        raise ValueError(f"{amount} yuan is no whole number of points")
    return int(points)


def _owed(movement: Movement, amount: Decimal) -> Move:
    return Move(Name.POINTS, amount, book_owner(movement.shop_id, movement.holder_id))
