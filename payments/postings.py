"""What money that comes in, and goes back, moves in the platform's book.

What came in for an order is owed to its shopper until it has bought something or is on its way back; what is on its way
back is owed until the gateway has sent it. What the gateway keeps is a cost of the platform, or is taken from what the
shop's owner earns.
"""

from decimal import Decimal

from kameng.core.ids import shop_id_of
from kameng.core.money import quantize
from orders.models import Order, OrderLine
from payments.merchants.models import FeeBearer
from payments.models import Payment, Refund
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.selectors import shop_of_number

#: Refunds of what was never delivered; any other of a line takes back what its delivery had earned.
UNDELIVERED = ("line:", "short:")


def payment_booked(payment: Payment, order: Order) -> None:
    """A gateway has collected. `confirmed_at` still is that of an earlier confirmation that was disproved, if any."""
    again = f":{payment.confirmed_at.timestamp():.6f}" if payment.confirmed_at else ""
    _payment(f"payment:{payment.number}{again}", Kind.PAYMENT, payment, order)


def payment_unbooked(payment: Payment, order: Order) -> None:
    """It never had; `confirmed_at` says which confirmation is taken back."""
    if payment.confirmed_at is None:
        raise ValueError(f"payment {payment.number} was never confirmed")
    moment = f"{payment.confirmed_at.timestamp():.6f}"
    _payment(f"disproved:{payment.number}:{moment}", Kind.DISPROVED, payment, order, sign=-1)


def _payment(key: str, kind: Kind, payment: Payment, order: Order, *, sign: int = 1) -> None:
    shop_id = shop_id_of(payment.number) or 0
    amount, fee = sign * payment.amount, sign * payment.fee
    moves = [
        Move(Name.CLEARING, amount, payment.account_id),
        Move(Name.ORDERS, -amount, shop_id),
        _borne(payment, fee),
        Move(Name.CLEARING, -fee, payment.account_id),
    ]
    post(key, kind, moves, shop_id=shop_id, order_number=order.number)


def _borne(payment: Payment, fee: Decimal) -> Move:
    """So much more of a payment's fee, for who bears it."""
    if payment.fee_bearer == FeeBearer.OWNER:
        return Move(Name.PENDING, fee, shop_id_of(payment.number) or 0)
    return Move(Name.FEES, fee, payment.account_id)


def refund_due(refund: Refund, payment: Payment, order: Order, line: OrderLine | None) -> None:
    """So much goes back: it is no longer there to buy something, or is taken from what had been earned with it."""
    shop_id, amount = shop_id_of(payment.number) or 0, refund.amount
    if _is_undelivered(refund):
        taken = [Move(Name.ORDERS, amount, shop_id)]
        _fee_waived(refund, payment, order)
    else:
        if line is None:
            raise ValueError(f"refund {refund.number} takes back a line and names none")
        shop = shop_of_number(payment.number)
        supply = amount if shop is not None and shop.is_house else quantize(amount * line.supply_price / line.price)
        taken = [Move(Name.SALES, supply), Move(Name.PENDING, amount - supply, shop_id)]
    owed = Move(Name.REFUNDS, -amount, shop_id)
    post(f"refund_due:{refund.number}", Kind.REFUND_DUE, [*taken, owed], shop_id=shop_id, order_number=order.number)


def refund_booked(refund: Refund, payment: Payment, order: Order) -> None:
    """The gateway has sent it back, and with it `fee_returned` of its fee."""
    shop_id = shop_id_of(payment.number) or 0
    fee = -refund.fee_returned
    moves = [
        Move(Name.REFUNDS, refund.amount, shop_id),
        Move(Name.CLEARING, -refund.amount, payment.account_id),
        Move(Name.FEES, fee, payment.account_id) if _is_undelivered(refund) else _borne(payment, fee),
        Move(Name.CLEARING, -fee, payment.account_id),
    ]
    post(f"refund:{refund.number}", Kind.REFUND, moves, shop_id=shop_id, order_number=order.number)


def _fee_waived(refund: Refund, payment: Payment, order: Order) -> None:
    """What was never delivered costs its shop's owner nothing: the platform bears that part of the fee."""
    if payment.fee_bearer == FeeBearer.OWNER:
        moves = [Move(Name.FEES, refund.fee, payment.account_id), _borne(payment, -refund.fee)]
        shop_id = shop_id_of(payment.number) or 0
        post(f"fee_waived:{refund.number}", Kind.FEE_WAIVED, moves, shop_id=shop_id, order_number=order.number)


def _is_undelivered(refund: Refund) -> bool:
    return refund.line_id is None or refund.cause.startswith(UNDELIVERED)
