"""What a change of many prices would do, before anybody does it. Nothing here reads or writes.

About a whole shop, a category or a product, one rule is written, and what is sold there in future inherits it. About
chosen variants, and wherever a price is named, each variant gets its wish, or is skipped with a reason.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from catalog import pricing
from catalog.listings.models import Repricing
from catalog.listings.wishes import Level, Whose, Wish, Wishes, ladder
from catalog.selectors import CatalogProduct, CatalogVariant

Scope, Mode = Repricing.Scope, Repricing.Mode
Piece = tuple[CatalogProduct, CatalogVariant]

_LEVELS = {Scope.SHOP: Level.SHOP, Scope.CATEGORY: Level.CATEGORY, Scope.PRODUCT: Level.PRODUCT}
_BY_WIDTH = (Level.OWN, Level.VARIANT, Level.PRODUCT, Level.CATEGORY, Level.SHOP)


class Skip(StrEnum):
    """Why a variant of the scope keeps its price."""

    BY_HAND = "by_hand"
    BELOW_FLOOR = "below_floor"
    ABOVE_CAP = "above_cap"
    NO_ROOM = "no_room"


@dataclass(frozen=True, slots=True)
class Ask:
    """What an owner wants. `whose` is the category's or product's id, `chosen` the variants'; `value` percent or yuan.

    `over` says that what was fixed more narrowly by hand is to give way.
    """

    scope: str
    mode: str
    value: Decimal | None = None
    rounding: str = "none"
    whose: int = 0
    chosen: frozenset[int] = frozenset()
    over: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One variant of the scope, before and after; what is skipped stays as it was."""

    product: CatalogProduct
    variant: CatalogVariant
    old: pricing.Price
    new: pricing.Price
    skip: Skip | None

    @property
    def is_changed(self) -> bool:
        """Shoppers will see another price, or see it again."""
        return self.skip is None and (self.old.amount, self.old.breach) != (self.new.amount, self.new.breach)


@dataclass(frozen=True)
class Plan:
    """What would be written, and what would come of it."""

    ask: Ask
    edits: dict[Whose, Wish]
    rows: tuple[Row, ...]
    digest: str

    @property
    def changed(self) -> int:
        """How many prices would be others."""
        return sum(row.is_changed for row in self.rows)

    @property
    def skipped(self) -> int:
        """How many variants keep their price, for a reason."""
        return sum(row.skip is not None for row in self.rows)


def plan(pieces: Iterable[Piece], wishes: Wishes, ask: Ask) -> Plan:
    """What an ask would do to the goods of a shop. The digest tells whether anything has moved."""
    covered = [piece for piece in pieces if _is_covered(piece, ask)]
    if ask.scope == Scope.CHOSEN or ask.mode == Mode.PRICE:
        edits, skips = _each(covered, wishes, ask)
    else:
        edits, skips = _whole(covered, wishes, ask)
    edits = {whose: wish for whose, wish in edits.items() if wishes.of(*whose) != wish}
    after = wishes.changed(edits)
    rows = tuple(
        Row(product, variant, wishes.price(product, variant), after.price(product, variant), skips.get(variant.id))
        for product, variant in covered
    )
    return Plan(ask, edits, rows, _digest(ask, edits, wishes, rows))


def wish_json(wish: Wish) -> Any:
    """A wish as it is kept with a change, the same for the same wish."""
    if isinstance(wish, pricing.PriceRule):
        return {"kind": wish.kind.value, "value": f"{wish.value:.2f}", "rounding": wish.rounding.value}
    return None if wish is None else f"{wish:.2f}"


def wish_of(kept: Any) -> Wish:
    """A wish as it was kept."""
    if isinstance(kept, dict):
        kind, rounding = pricing.Kind(kept["kind"]), pricing.Rounding(kept["rounding"])
        return pricing.PriceRule(kind, Decimal(kept["value"]), rounding)
    return None if kept is None else Decimal(kept)


def _is_covered(piece: Piece, ask: Ask) -> bool:
    product, variant = piece
    return {
        Scope.SHOP: True,
        Scope.CATEGORY: product.category_id == ask.whose,
        Scope.PRODUCT: product.id == ask.whose,
        Scope.CHOSEN: variant.id in ask.chosen,
    }[Scope(ask.scope)]


def _rule(ask: Ask) -> pricing.PriceRule | None:
    if ask.mode == Mode.INHERIT or ask.value is None:
        return None
    return pricing.PriceRule(pricing.Kind(ask.mode), ask.value, pricing.Rounding(ask.rounding))


def _whole(covered: Sequence[Piece], wishes: Wishes, ask: Ask) -> tuple[dict[Whose, Wish], dict[int, Skip]]:
    """One rule for all of them."""
    level = _LEVELS[Scope(ask.scope)]
    narrower = _BY_WIDTH[: _BY_WIDTH.index(level)]
    edits: dict[Whose, Wish] = {(level, ask.whose): _rule(ask)}
    skips: dict[int, Skip] = {}
    for product, variant in covered:
        by_hand = [whose for whose in ladder(product, variant) if whose[0] in narrower and wishes.of(*whose)]
        if by_hand and ask.over:
            edits.update(dict.fromkeys(by_hand))
        elif by_hand:
            skips[variant.id] = Skip.BY_HAND
    after = wishes.changed(edits)
    for product, variant in covered:
        if variant.id not in skips and after.price(product, variant).breach is pricing.Breach.NO_ROOM:
            skips[variant.id] = Skip.NO_ROOM
    return edits, skips


def _each(covered: Sequence[Piece], wishes: Wishes, ask: Ask) -> tuple[dict[Whose, Wish], dict[int, Skip]]:
    """A wish for each of them."""
    edits: dict[Whose, Wish] = {}
    skips: dict[int, Skip] = {}
    rule = _rule(ask)
    for product, variant in covered:
        own, narrow = (Level.OWN, variant.id), (Level.VARIANT, variant.id)
        if (wishes.of(*own) or wishes.of(*narrow)) and not (ask.over or ask.mode == Mode.INHERIT):
            skips[variant.id] = Skip.BY_HAND
            continue
        wished: dict[Whose, Wish] = {own: None, narrow: rule}
        if ask.mode == Mode.PRICE and ask.value is not None:
            wished = {own: pricing.round_up(ask.value, pricing.Rounding(ask.rounding)), narrow: None}
        breach = wishes.changed(wished).price(product, variant).breach
        if breach is not None and ask.mode != Mode.INHERIT:
            skips[variant.id] = Skip(breach.value)
        else:
            edits.update(wished)
    return edits, skips


def _digest(ask: Ask, edits: dict[Whose, Wish], wishes: Wishes, rows: Collection[Row]) -> str:
    said = [ask.scope, ask.mode, str(ask.value), ask.rounding, ask.whose, sorted(ask.chosen), ask.over]
    written = [
        [*whose, wish_json(wishes.of(*whose)), wish_json(wish)]
        for whose, wish in sorted(edits.items(), key=lambda edit: edit[0])
    ]
    seen = [
        [row.variant.id, *map(str, (row.old.amount, row.new.amount, row.new.supply, row.variant.cap)), row.skip]
        for row in rows
    ]
    return hashlib.sha256(json.dumps([said, written, seen]).encode()).hexdigest()
