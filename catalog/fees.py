"""What the platform takes of an owner's own good: by the fee of today, whenever the good was written."""

from decimal import ROUND_CEILING, Decimal

from django.conf import settings

from kameng.core.money import CENT

#: The same as `fee_of`, over the rows of a variant; `%(fee)s` is the setting.
FEE_SQL = "greatest(ceil(variant.own_price * %(fee)s) / 100, 0.01)"


def fee_of(price: Decimal) -> Decimal:
    """What is taken of one piece at that price, in yuan: rounded up to the cent, and never nothing."""
    fee = price * settings.OWN_GOODS_FEE_PERCENT / 100
    return max(fee.quantize(CENT, rounding=ROUND_CEILING), CENT)
