"""What a gateway keeps of a payment, who bears it, and which part of it goes with a refund.

The terms of the merchant account count at the moment in which a payment is booked; from then on the payment knows its
fee, and nothing asks for the account's again.
"""

from decimal import Decimal

from kameng.core.money import quantize
from payments.merchants.models import FeeBearer
from payments.merchants.services import account_known
from payments.models import Payment
from resellers.selectors import shop_of_number


def fee_now(payment: Payment) -> tuple[Decimal, FeeBearer]:
    """The fee of a payment that is booked now, in yuan, and who bears it. The house shop's owner is the platform; what
    an owner's own gateway keeps is always theirs to bear."""
    account = account_known(payment.account_id)
    if payment.owner_collects:
        return account.fee_of(payment.amount), FeeBearer.OWNER
    shop = shop_of_number(payment.number)
    is_ours = shop is None or shop.is_house
    return account.fee_of(payment.amount), FeeBearer.PLATFORM if is_ours else FeeBearer(account.fee_bearer)


def fee_share(payment: Payment, *, before: Decimal, amount: Decimal) -> Decimal:
    """The part of a payment's fee that falls on a refund of `amount`, after `before` was refunded; in yuan.

    Of the sum, half up to the fen, less what fell on those before: the parts of a whole payment are its whole fee.
    """
    return _part(payment, before + amount) - _part(payment, before)


def _part(payment: Payment, refunded: Decimal) -> Decimal:
    return quantize(payment.fee * refunded / payment.amount)
