"""What an owner changes about single goods by hand, kept with what stood before, so that it can be taken back.

Each change is a `Repricing` like one of many prices, and undone by the same service (`repricing_undo`). Its entries are
the prices as there, and beside them names and what is shown: `level` says which.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from decimal import Decimal
from enum import StrEnum
from typing import Any

from django.db import transaction

from catalog.listings.models import Listing, PriceRule, Repricing
from catalog.listings.plans import wish_json
from catalog.listings.services import listing_reset, listing_save, listings_show, prices_lock
from catalog.listings.wishes import Level
from catalog.models import Variant
from kameng.core.ids import random_id


class Said(StrEnum):
    """What an owner says of a variant beside its price, as `level` of an entry."""

    NAME = "name"
    VISIBLE = "visible"


SAID = frozenset(Said)


def listing_edit(
    *, shop_id: int, variant_id: int, price: Decimal | None, name: str, is_visible: bool, actor: str
) -> None:
    """`listing_save`, kept as a change. Raises as that does."""
    with _kept([variant_id], actor=actor):
        listing_save(shop_id=shop_id, variant_id=variant_id, price=price, name=name, is_visible=is_visible)


def listing_edit_reset(*, shop_id: int, variant_id: int, actor: str) -> None:
    """`listing_reset`, kept as a change."""
    with _kept([variant_id], actor=actor):
        listing_reset(shop_id=shop_id, variant_id=variant_id)


def listings_edit_visible(*, shop_id: int, variant_ids: Collection[int], is_visible: bool, actor: str) -> int:
    """`listings_show`, kept as one change."""
    with _kept(variant_ids, actor=actor):
        return listings_show(shop_id=shop_id, variant_ids=variant_ids, is_visible=is_visible)


@contextmanager
def _kept(variant_ids: Collection[int], *, actor: str) -> Iterator[None]:
    """Everything that is done inside to these variants is one change; what changes nothing is none."""
    with transaction.atomic():
        prices_lock()
        before = said_of(variant_ids)
        yield
        after = said_of(variant_ids)
        entries = [
            {"level": level, "whose": whose, "before": said, "since": since, "after": after[level, whose][0]}
            for (level, whose), (said, since) in before.items()
            if said != after[level, whose][0]
        ]
        if not entries:
            return
        changed = {entry["whose"] for entry in entries}
        Repricing.objects.create(
            key=random_id(20),
            scope=Repricing.Scope.CHOSEN,
            scope_name=_name(changed)[:80],
            mode=Repricing.BY_HAND,
            rounding=PriceRule.Rounding.NONE,
            entries=entries,
            changed=len(changed),
            skipped=0,
            actor=actor,
        )


def said_of(variant_ids: Collection[int]) -> dict[tuple[str, int], tuple[Any, str | None]]:
    """What the owner says of variants at the moment, and since when the price stands: by level and variant."""
    rows = {row.variant_id: row for row in Listing.objects.filter(variant_id__in=variant_ids)}
    said: dict[tuple[str, int], tuple[Any, str | None]] = {}
    for variant_id in dict.fromkeys(variant_ids):
        row = rows.get(variant_id) or Listing(variant_id=variant_id)
        since = row.updated_at.isoformat() if row.price is not None else None
        said[Level.OWN.value, variant_id] = wish_json(row.price), since
        said[Said.NAME.value, variant_id] = row.name, None
        said[Said.VISIBLE.value, variant_id] = row.is_visible, None
    return said


def _name(variant_ids: Collection[int]) -> str:
    """What a single one is called; many have no name."""
    if len(variant_ids) != 1:
        return ""
    (variant,) = Variant.objects.filter(pk__in=variant_ids).select_related("product")
    return f"{variant.product.name} {variant.name}"
