"""Purses: what pays for an order without coming from a gateway: a balance, points, a coupon.

What is paid from one passes through the clearing of the merchant account that stands for its kind, and leaves nothing
there: the payment debits it as any other does, and the purse's own journal credits it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from resellers.ledger.posting import Kind, Move, Name, post


@dataclass(frozen=True, slots=True)
class Movement:
    """So much out of a purse for a payment, or back into it for one of its refunds; in yuan.

    `holder_id` says whose purse it is, by the ids of its kind; `account_id` is the merchant account that stands for the
    kind. `refund` is empty on the way out; on the way back, `left` of the payment stays where it is.
    """

    holder_id: int
    amount: Decimal
    account_id: int
    shop_id: int
    order_number: str
    payment: str
    refund: str = ""
    left: Decimal = Decimal(0)


def purse_spent(kind: Kind, borne: Sequence[Move], movement: Movement) -> None:
    """Write that the purse paid; `borne` says where the amount was, and sums to it."""
    _write(kind, f"{kind}:{movement.payment}", [*borne, _clearing(movement, -movement.amount)], movement)


def purse_refilled(kind: Kind, borne: Sequence[Move], movement: Movement) -> None:
    """Write that it has that much back, once for each refund; `borne` says where it is, and sums to less than zero by
    it."""
    _write(kind, f"{kind}:{movement.refund}", [_clearing(movement, movement.amount), *borne], movement)


def _clearing(movement: Movement, amount: Decimal) -> Move:
    return Move(Name.CLEARING, amount, movement.account_id)


def _write(kind: Kind, key: str, moves: Sequence[Move], movement: Movement) -> None:
    post(key, kind, list(moves), shop_id=movement.shop_id, order_number=movement.order_number)
