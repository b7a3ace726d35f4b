"""What a shop wishes its goods to cost, as values; and what a variant costs there, decided in this one place."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from catalog import pricing
from catalog.listings.models import Listing, PriceRule
from catalog.selectors import CatalogProduct, CatalogVariant


class Level(StrEnum):
    """Who can wish: a variant by a price of its own, and the four levels of rules."""

    OWN = "own"
    VARIANT = "variant"
    PRODUCT = "product"
    CATEGORY = "category"
    SHOP = "shop"


#: Whose wish: the platform's id of a variant, product or category, 0 for the whole shop.
Whose = tuple[Level, int]
#: A named price in yuan, a rule, or nothing.
Wish = Decimal | pricing.PriceRule | None


@dataclass(frozen=True)
class Wishes:
    """All wishes of one shop, and since when each of them stands."""

    by: Mapping[Whose, Decimal | pricing.PriceRule] = field(default_factory=dict)
    since: Mapping[Whose, datetime] = field(default_factory=dict)

    def of(self, level: Level, whose: int) -> Wish:
        """What somebody wishes."""
        return self.by.get((level, whose))

    def changed(self, edits: Mapping[Whose, Wish]) -> "Wishes":
        """The same with other wishes in the place of some; None takes one away."""
        merged = {**self.by, **edits}
        return replace(self, by={whose: wish for whose, wish in merged.items() if wish is not None})

    def price(self, product: CatalogProduct, variant: CatalogVariant) -> pricing.Price:
        """What a variant costs in the shop. An owner's own good costs what they say with it."""
        own = self.by.get((Level.OWN, variant.id))
        return pricing.selling_price(
            self._rules(product, variant),
            variant=variant.id,
            product=product.id,
            category=product.category_id,
            official=variant.official_price,
            supply=variant.supply_price,
            cost=variant.cost,
            own_price=variant.own_price or (own if isinstance(own, Decimal) else None),
            cap=variant.cap,
        )

    def rule(self, product: CatalogProduct, variant: CatalogVariant) -> pricing.PriceRule | None:
        """The narrowest rule that speaks about a variant."""
        rules = self._rules(product, variant)
        return rules.decide(variant=variant.id, product=product.id, category=product.category_id)[1]

    def decided_at(self, product: CatalogProduct, variant: CatalogVariant) -> datetime | None:
        """Since when the wish stands that decides about a variant; None where nobody has wished."""
        return next((self.since.get(whose) for whose in ladder(product, variant) if whose in self.by), None)

    def _rules(self, product: CatalogProduct, variant: CatalogVariant) -> pricing.Rules:
        def at(level: Level, whose: int) -> dict[int, pricing.PriceRule]:
            rule = self.by.get((level, whose))
            return {whose: rule} if isinstance(rule, pricing.PriceRule) else {}

        return pricing.Rules(
            at(Level.SHOP, 0).get(0),
            at(Level.CATEGORY, product.category_id),
            at(Level.PRODUCT, product.id),
            at(Level.VARIANT, variant.id),
        )


def ladder(product: CatalogProduct, variant: CatalogVariant) -> tuple[Whose, ...]:
    """Who may have wished something for a variant, narrowest first."""
    return (
        (Level.OWN, variant.id),
        (Level.VARIANT, variant.id),
        (Level.PRODUCT, product.id),
        (Level.CATEGORY, product.category_id),
        (Level.SHOP, 0),
    )


def whose_rule(row: PriceRule) -> Whose:
    """Whom a rule belongs to."""
    if row.variant_id:
        return Level.VARIANT, row.variant_id
    if row.product_id:
        return Level.PRODUCT, row.product_id
    if row.category_id:
        return Level.CATEGORY, row.category_id
    return Level.SHOP, 0


def wishes_of(rules: Iterable[PriceRule], listings: Iterable[Listing]) -> Wishes:
    """A shop's rows as wishes."""
    by: dict[Whose, Decimal | pricing.PriceRule] = {}
    since: dict[Whose, datetime] = {}
    for row in rules:
        whose = whose_rule(row)
        by[whose] = pricing.PriceRule(pricing.Kind(row.kind), row.value, pricing.Rounding(row.rounding))
        since[whose] = row.updated_at
    for listing in listings:
        if listing.price is not None:
            by[Level.OWN, listing.variant_id] = listing.price
            since[Level.OWN, listing.variant_id] = listing.updated_at
    return Wishes(by, since)
