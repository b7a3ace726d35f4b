"""What money that comes in, and goes back, moves in the platform's book.

What came in for an order is owed to its shopper until it has bought something or is on its way back; what is on its way
back is owed until the gateway has sent it. What the gateway keeps is a cost of the platform, or is taken from what the
shop's owner earns.

Where the owner collects (`payments.collecting`), the money lies in an account of theirs and is theirs once the goods
have arrived; what the goods cost is held from their deposit until the platform has earned it, or until the shopper has
their money back.
"""

from datetime import datetime
from decimal import Decimal
from itertools import takewhile

from customers.models import Route
from customers.wallets import wallet_refunded
from kameng.core.ids import shop_id_of
from kameng.core.money import quantize
from orders.holds import hold_change
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
        _lies(payment, amount),
        Move(Name.ORDERS, -amount, shop_id),
        _borne(payment, fee),
        _lies(payment, -fee),
    ]
    post(key, kind, moves, shop_id=shop_id, order_number=order.number)


def _lies(payment: Payment, amount: Decimal) -> Move:
    """So much more at the gateway."""
    return Move(Name.OWN_CLEARING if payment.owner_collects else Name.CLEARING, amount, payment.account_id)


def _borne(payment: Payment, fee: Decimal) -> Move:
    """So much more of a payment's fee, for who bears it."""
    if payment.owner_collects:
        return Move(Name.TAKINGS, fee, shop_id_of(payment.number) or 0)
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
        taken = _taken_back(refund, payment, order, line)
    owed = Move(Name.REFUNDS, -amount, shop_id)
    post(f"refund_due:{refund.number}", Kind.REFUND_DUE, [*taken, owed], shop_id=shop_id, order_number=order.number)


def _taken_back(refund: Refund, payment: Payment, order: Order, line: OrderLine) -> list[Move]:
    """What a delivered line had earned, in proportion; what its goods cost an owner who collects is held again."""
    shop_id, amount = shop_id_of(payment.number) or 0, refund.amount
    if payment.owner_collects:
        supply = _supply_share(refund, line)
        hold_change(order, supply)
        held = Move(Name.DEPOSIT_HELD, -supply, shop_id)
        return [Move(Name.SALES, supply), held, Move(Name.TAKINGS, amount, shop_id)]
    shop = shop_of_number(payment.number)
    supply = amount if shop is not None and shop.is_house else _supply_share(refund, line)
    return [Move(Name.SALES, supply), Move(Name.PENDING, amount - supply, shop_id)]


def refund_booked(refund: Refund, payment: Payment, order: Order) -> None:
    """The gateway has sent it back, and with it `fee_returned` of its fee; nothing is held for it any more. Or it is in
    the customer's wallet, and stays with the platform."""
    shop_id = shop_id_of(payment.number) or 0
    if refund.route == Route.WALLET:
        _into_wallet(refund, order, shop_id)
        return
    fee = -refund.fee_returned
    moves = [
        Move(Name.REFUNDS, refund.amount, shop_id),
        _lies(payment, -refund.amount),
        Move(Name.FEES, fee, payment.account_id) if _is_the_platforms(refund, payment) else _borne(payment, fee),
        _lies(payment, -fee),
    ]
    if payment.owner_collects and refund.line is not None:
        supply = _supply_share(refund, refund.line)
        hold_change(order, -supply)
        moves += [Move(Name.DEPOSIT_HELD, supply, shop_id), Move(Name.DEPOSIT, -supply, shop_id)]
    post(f"refund:{refund.number}", Kind.REFUND, moves, shop_id=shop_id, order_number=order.number)


def _into_wallet(refund: Refund, order: Order, shop_id: int) -> None:
    if order.customer_id is None:
        raise ValueError(f"refund {refund.number} goes into nobody's wallet")
    held = wallet_refunded(shop_id=shop_id, customer_id=order.customer_id, amount=refund.amount)
    moves = [Move(Name.REFUNDS, refund.amount, shop_id), held]
    post(f"refund:{refund.number}", Kind.REFUND, moves, shop_id=shop_id, order_number=order.number)


def _fee_waived(refund: Refund, payment: Payment, order: Order) -> None:
    """What was never delivered costs its shop's owner nothing: the platform bears that part of the fee."""
    if payment.fee_bearer == FeeBearer.OWNER and _is_the_platforms(refund, payment):
        moves = [Move(Name.FEES, refund.fee, payment.account_id), _borne(payment, -refund.fee)]
        shop_id = shop_id_of(payment.number) or 0
        post(f"fee_waived:{refund.number}", Kind.FEE_WAIVED, moves, shop_id=shop_id, order_number=order.number)


def _is_the_platforms(refund: Refund, payment: Payment) -> bool:
    """Whether the platform bears the fee of what goes back; never where it was paid to an owner's own gateway."""
    return _is_undelivered(refund) and not payment.owner_collects


def _supply_share(refund: Refund, line: OrderLine) -> Decimal:
    """What the goods cost for which a refund gives the money back: by all that was returned of the line up to it, less
    what was by those before, so that the parts of a whole line cost as much as the line."""
    decided = sorted(line.refunds.exclude(status__in=Refund.UNDECIDED), key=_place)
    earlier = takewhile(lambda known: known.pk != refund.pk, decided)
    alike = [known.amount for known in earlier if _is_undelivered(known) == _is_undelivered(refund)]
    before = sum(alike, Decimal(0))

    def part(amount: Decimal) -> Decimal:
        return quantize(amount * line.supply_price / line.price)

    return part(before + refund.amount) - part(before)


def _place(refund: Refund) -> tuple[datetime, int]:
    """Refunds, as they are stored, in the order in which they were decided about: one that waited for a second person
    counts from then."""
    return refund.decided_at or refund.created_at, refund.pk


def _is_undelivered(refund: Refund) -> bool:
    return refund.line_id is None or refund.cause.startswith(UNDELIVERED)
