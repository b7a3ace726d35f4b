"""What a shopper pays for one variant, decided in one place.

Three amounts in yuan belong to a variant: its *official* price (the publisher's), its *supply* price (what a shop
owes the platform for it) and, where a supplier has quoted, its live *cost*. A shop adds a markup to the supply price,
or names a price of its own. The narrowest wish decides: own price, then the rule for the variant, its product, its
category, the whole shop; a shop without any wish sells at the official price.

No wish reaches below the floor: the supply price, raised to the cost where that is higher. Rounding goes up to the
grid of the rule, so it never breaks the floor either.

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
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from kameng.core.money import CENT


class Kind(StrEnum):
    """How a rule's value is read."""

    PERCENT = "percent"
    FIXED = "fixed"


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
    """A markup over the supply price: `value` is percent or yuan by `kind`.

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
        """The wished price over a supply price: rounded up to the grid, but not yet held at the floor."""
        markup = supply * self.value / 100 if self.kind is Kind.PERCENT else self.value
        return round_up(max(supply + markup, Decimal(0)), self.rounding)


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
    `raised` says that the wish lay below it and was lifted.
    """

    amount: Decimal
    official: Decimal
    supply: Decimal
    because: Because
    raised: bool = False

    @property
    def margin(self) -> Decimal:
        """The shop's share, never negative."""
        return self.amount - self.supply


def round_up(amount: Decimal, rounding: Rounding) -> Decimal:
    """The first price on the grid that is not below `amount` (which must not be negative), with two decimals."""
    step, offset = _GRIDS[rounding]
    steps = ((amount - offset) / step).to_integral_value(ROUND_CEILING)
    return max(steps * step + offset, offset).quantize(CENT)


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
) -> Price:
    """The price of a variant in a shop.

    `variant`, `product` and `category` are ids, the rest are yuan; `cost` is the live cost of the supplier who would
    be asked first, or None where nobody quoted; `own_price` is the price that the shop's listing names. An own price
    is kept as it is, without rounding, unless it lies below the floor. Raises `ValueError` for an amount that is
    negative or not finite.
    """
    for amount in (official, supply, cost, own_price):
        if amount is not None and not (amount.is_finite() and amount >= 0):
            raise ValueError(f"not a price: {amount}")
    floor = round_up(supply if cost is None else max(supply, cost), Rounding.NONE)
    official = round_up(official, Rounding.NONE)
    if own_price is not None:
        because, rounding, wish = Because.OWN_PRICE, Rounding.NONE, round_up(own_price, Rounding.NONE)
    else:
        because, rule = rules.decide(variant=variant, product=product, category=category)
        rounding, wish = (rule.rounding, rule.apply(floor)) if rule else (Rounding.NONE, official)
    amount = wish if wish >= floor else round_up(floor, rounding)
    return Price(amount=amount, official=official, supply=floor, because=because, raised=wish < floor)
