"""A customer's wallet: each movement is one conditional update of the row and its journal in the book.

Only refunds come in, where the shopper chose that, and what orders paid from it and got back. It takes no money, and
is none that could be paid out (docs/adr/0048-customers.md).
"""

from decimal import Decimal

from customers.exceptions import WalletShort
from kameng.core import sql
from resellers.ledger.posting import Kind, Move, Name
from resellers.ledger.purses import Movement, purse_refilled, purse_spent

#: Only while it reaches: two orders at once cannot both spend the last yuan.
_MOVE = """
UPDATE customers_customer SET wallet = wallet + %(amount)s
 WHERE id = %(customer)s AND wallet + %(amount)s >= 0
"""
#: A shop has fewer customers than this.
_CUSTOMERS = 2**32


def book_owner(shop_id: int, customer_id: int) -> int:
    """The owner of a customer's accounts in the book, where ids of one shop's customers would be those of another's."""
    return shop_id * _CUSTOMERS + customer_id


def wallet_charge(movement: Movement) -> None:
    """Pay from the wallet, within the transaction that books the payment. Raises `WalletShort`; nothing has moved
    then."""
    if not sql.execute(_MOVE, {"customer": movement.holder_id, "amount": -movement.amount}):
        raise WalletShort
    purse_spent(Kind.WALLET_PAID, [_held(movement, movement.amount)], movement)


def wallet_give_back(movement: Movement) -> None:
    """What was paid from it is in it again, within the transaction that ends the refund, and so once."""
    _put_in(movement.holder_id, movement.amount)
    purse_refilled(Kind.WALLET_BACK, [_held(movement, -movement.amount)], movement)


def wallet_refunded(*, shop_id: int, customer_id: int, amount: Decimal) -> Move:
    """So much that had been paid elsewhere comes in instead of going back there: in the transaction that ends the
    refund, whose journal takes the move."""
    _put_in(customer_id, amount)
    return Move(Name.WALLET, -amount, book_owner(shop_id, customer_id))


def _put_in(customer_id: int, amount: Decimal) -> None:
    if not sql.execute(_MOVE, {"customer": customer_id, "amount": amount}):
        raise ValueError(f"customer #{customer_id} is gone")


def _held(movement: Movement, amount: Decimal) -> Move:
    return Move(Name.WALLET, amount, book_owner(movement.shop_id, movement.holder_id))
