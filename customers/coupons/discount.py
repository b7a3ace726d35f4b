"""What a coupon takes off an order: values in, values out.

>>> five_off = Terms(is_percent=False, value=Decimal(5), threshold=Decimal(50))
>>> discount_of(five_off, [Goods(amount=Decimal(57), margin=Decimal(7))]).amount
Decimal('5.00')
>>> discount_of(five_off, [Goods(amount=Decimal(48), margin=Decimal(7))]).missing
Decimal('2')
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from kameng.core.money import CENT

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Terms:
    """On what a coupon gives how much: `value` yuan, or percent with at most `cap` yuan, where the goods that it is for
    cost `threshold` yuan or more."""

    is_percent: bool
    value: Decimal
    threshold: Decimal = ZERO
    cap: Decimal | None = None
    category_id: int | None = None
    product_id: int | None = None
    #: Whoever sells the goods bears it: then it never takes more than what they earn with them.
    within_margin: bool = False


@dataclass(frozen=True, slots=True)
class Goods:
    """One line of an order, in yuan: what it costs, and what of that its seller earns."""

    amount: Decimal
    margin: Decimal
    category_id: int | None = None
    product_id: int | None = None


@dataclass(frozen=True, slots=True)
class Discount:
    """What comes off, in yuan: nothing where the coupon is not for these goods, or where `missing` is still missing to
    the threshold."""

    amount: Decimal = ZERO
    missing: Decimal = ZERO


def discount_of(terms: Terms, goods: Sequence[Goods]) -> Discount:
    """What a coupon of such terms takes off these goods, whole fen, rounded down.

    Where it would take more than the seller earns it is as if it were not for these goods: whoever tries coupons must
    not read off what shops pay for them.
    """
    meant = [one for one in goods if _is_for(terms, one)]
    amount = sum((one.amount for one in meant), ZERO)
    if not meant:
        return Discount()
    full = amount * terms.value / 100 if terms.is_percent else terms.value
    most = amount if terms.cap is None else min(amount, terms.cap)
    taken = min(full, most).quantize(CENT, rounding=ROUND_DOWN)
    if terms.within_margin and taken > sum((one.margin for one in meant), ZERO):
        return Discount()
    if amount < terms.threshold:
        return Discount(missing=terms.threshold - amount)
    return Discount(amount=taken)


def _is_for(terms: Terms, goods: Goods) -> bool:
    if terms.product_id is not None:
        return goods.product_id == terms.product_id
    return terms.category_id is None or goods.category_id == terms.category_id
