"""What a shopper pays for one variant, decided in one place.

Three amounts in yuan belong to a variant: its *official* price (the publisher's), its *supply* price (what a shop
owes the platform for it) and, where a supplier has quoted, its live *cost*. A shop adds a markup to the supply price,
or names a price of its own. The narrowest wish decides: own price, then the rule for the variant, its product, its
category, the whole shop. A level that says nothing inherits from the next wider one; a shop that says nothing at all
sells at the official price.

Two red lines hold every price. The *floor* is the supply price, raised to the cost where that is higher; rounding goes
up to the grid of the rule, so it never breaks the floor. The *cap* is so many percent of the official price. A markup
is held between the two. A price that somebody has named is nobody's to change: where it is outside, it is in breach,
and not sold until its owner has looked.

>>> rules = Rules(
...     shop=PriceRule(Kind.PERCENT, Decimal("4"), Rounding.JIAO),
...     by_category={7: PriceRule(Kind.FIXED, Decimal("0.30"))},
... )
>>> tokens = dict(variant=41, product=9, category=3, official=Decimal("60.00"), supply=Decimal("57.00"))
>>> price = selling_price(rules, **tokens)
>>> price.amount, price.margin, price.because.value
(Decimal('59.30'), Decimal('2.30'), 'shop')
>>> selling_price(rules, **tokens | {"category": 7}).amount
Decimal('57.30')
>>> dumped = selling_price(rules, **tokens, own_price=Decimal("50.00"))
>>> dumped.amount, dumped.because.value, dumped.raised
(Decimal('57.00'), 'own_price', True)
>>> selling_price(rules, **tokens, cost=Decimal("58.1201")).supply
Decimal('58.13')
>>> selling_price(Rules(), **tokens).amount
Decimal('60.00')
>>> dumped.breach.value, selling_price(rules, **tokens, cap=Decimal("59.00")).amount
('below_floor', Decimal('59.00'))
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from kameng.core.money import CENT


class Kind(StrEnum):
    """How a rule's value is read."""

    PERCENT = "percent"
    FIXED = "fixed"
    #: No markup, but the price itself.
    PRICE = "price"


class Rounding(StrEnum):
    """The grid that a rule's result is rounded up to."""

    NONE = "none"
    JIAO = "jiao"
    HALF = "half"
    YUAN = "yuan"
    NINE = "nine"


class Because(StrEnum):
    """Whose wish decided a price, narrowest first."""

    OWN_PRICE = "own_price"
    VARIANT = "variant"
    PRODUCT = "product"
    CATEGORY = "category"
    SHOP = "shop"
    PLATFORM = "platform"


class Breach(StrEnum):
    """Which red line keeps a price from being sold at."""

    BELOW_FLOOR = "below_floor"
    ABOVE_CAP = "above_cap"
    #: What the shop owes is above the cap: there is no price at which this could be sold.
    NO_ROOM = "no_room"


#: Grid as (step, offset) in yuan: prices are offset + n × step. `NINE` gives 9.90, 10.90, 11.90 …
_GRIDS: Mapping[Rounding, tuple[Decimal, Decimal]] = {
    Rounding.NONE: (CENT, Decimal(0)),
    Rounding.JIAO: (Decimal("0.1"), Decimal(0)),
    Rounding.HALF: (Decimal("0.5"), Decimal(0)),
    Rounding.YUAN: (Decimal(1), Decimal(0)),
    Rounding.NINE: (Decimal(1), Decimal("0.9")),
}


@dataclass(frozen=True, slots=True)
class PriceRule:
    """A markup over the supply price, in percent or yuan by `kind`, or the price itself.

    A negative value is a wish to sell below the supply price and ends at the floor. Raises `ValueError` for a value
    that is not finite.
    """

    kind: Kind
    value: Decimal
    rounding: Rounding = Rounding.NONE

    def __post_init__(self) -> None:
        if not self.value.is_finite():
            raise ValueError("a markup must be a finite number")

    def apply(self, supply: Decimal) -> Decimal:
        """The wished price over a supply price: rounded up to the grid, but not yet held between the red lines."""
        if self.kind is Kind.PRICE:
            wish = self.value
        else:
            wish = supply + (supply * self.value / 100 if self.kind is Kind.PERCENT else self.value)
        return round_up(max(wish, Decimal(0)), self.rounding)


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one shop, by the platform's ids."""

    shop: PriceRule | None = None
    by_category: Mapping[int, PriceRule] = field(default_factory=dict)
    by_product: Mapping[int, PriceRule] = field(default_factory=dict)
    by_variant: Mapping[int, PriceRule] = field(default_factory=dict)

    def decide(self, *, variant: int, product: int, category: int) -> tuple[Because, PriceRule | None]:
        """The narrowest rule that speaks about a variant, and whose it is."""
        if rule := self.by_variant.get(variant):
            return Because.VARIANT, rule
        if rule := self.by_product.get(product):
            return Because.PRODUCT, rule
        if rule := self.by_category.get(category):
            return Because.CATEGORY, rule
        if self.shop:
            return Because.SHOP, self.shop
        return Because.PLATFORM, None


@dataclass(frozen=True, slots=True)
class Price:
    """A price and where it comes from; amounts are yuan with two decimals.

    `supply` is what the shop owes the platform: the variant's supply price, raised to the cost where that is higher.
    `raised` says that the wish lay below it and was lifted, `lowered` that a markup reached above the cap and was held
    there. A price in `breach` must not be sold at.
    """

    amount: Decimal
    official: Decimal
    supply: Decimal
    because: Because
    raised: bool = False
    lowered: bool = False
    breach: Breach | None = None

    @property
    def margin(self) -> Decimal:
        """The shop's share, never negative."""
        return self.amount - self.supply


def round_up(amount: Decimal, rounding: Rounding) -> Decimal:
    """The first price on the grid that is not below `amount` (which must not be negative), with two decimals."""
    step, offset = _GRIDS[rounding]
    steps = ((amount - offset) / step).to_integral_value(ROUND_CEILING)
    return max(steps * step + offset, offset).quantize(CENT)


def price_cap(official: Decimal, percent: Decimal | int) -> Decimal:
    """The highest price in yuan where `percent` of the official price is allowed.

    >>> price_cap(Decimal("59.99"), 150)
    Decimal('89.98')
    """
    return (official * percent / 100).quantize(CENT, rounding=ROUND_FLOOR)


def selling_price(
    rules: Rules,
    *,
    variant: int,
    product: int,
    category: int,
    official: Decimal,
    supply: Decimal,
    cost: Decimal | None = None,
    own_price: Decimal | None = None,
    cap: Decimal | None = None,
) -> Price:
    """The price of a variant in a shop.

    `variant`, `product` and `category` are ids, the rest are yuan; `cost` is the live cost of the supplier who would
    be asked first, or None where nobody quoted; `own_price` is the price that the shop's listing names; `cap` is the
    highest price allowed (`price_cap`), None for any. An own price is kept as it is, without rounding, unless it lies
    below the floor. Raises `ValueError` for an amount that is negative or not finite.
    """
    for amount in (official, supply, cost, own_price, cap):
        if amount is not None and not (amount.is_finite() and amount >= 0):
            raise ValueError(f"not a price: {amount}")
    floor = round_up(supply if cost is None else max(supply, cost), Rounding.NONE)
    official = round_up(official, Rounding.NONE)
    if own_price is not None:
        because, rounding, wish = Because.OWN_PRICE, Rounding.NONE, round_up(own_price, Rounding.NONE)
        is_named = True
    else:
        because, rule = rules.decide(variant=variant, product=product, category=category)
        rounding, wish = (rule.rounding, rule.apply(floor)) if rule else (Rounding.NONE, official)
        is_named = rule is not None and rule.kind is Kind.PRICE
    amount = wish if wish >= floor else round_up(floor, rounding)
    lowered = cap is not None and amount > cap >= floor and not (is_named and wish > cap)
    return Price(
        amount=cap if cap is not None and lowered else amount,
        official=official,
        supply=floor,
        because=because,
        raised=wish < floor,
        lowered=lowered,
        breach=_breach(wish, floor, cap, is_named=is_named),
    )


def _breach(wish: Decimal, floor: Decimal, cap: Decimal | None, *, is_named: bool) -> Breach | None:
    if cap is not None and floor > cap:
        return Breach.NO_ROOM
    if is_named and wish < floor:
        return Breach.BELOW_FLOOR
    if is_named and cap is not None and wish > cap:
        return Breach.ABOVE_CAP
    return None
