"""What a shop pays for goods by its plan. Pure.

The discount is on the supply price, half a fen up. It is no reason to sell at a loss: whoever prices afterwards raises
what comes of it to the live cost (`catalog.pricing.selling_price`), as any other supply price.

>>> discounted(Decimal("57.00"), Decimal("1.5"))
Decimal('56.15')
"""

from decimal import ROUND_HALF_UP, Decimal

from kameng.core.money import CENT


def discounted(supply: Decimal, percent: Decimal) -> Decimal:
    """The supply price less so many percent, in yuan. Raises `ValueError` for what is no share."""
    if not 0 <= percent <= 100:
        raise ValueError(f"not a discount: {percent}")
    return max((supply * (100 - percent) / 100).quantize(CENT, ROUND_HALF_UP), CENT) if percent else supply
