"""What a coupon does on a shop's shelf: for how much of what is on sale it takes more than its seller earns."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from math import ceil

from catalog.listings.shelf import Shelf
from catalog.models import Category
from customers.coupons.discount import Goods, Terms, discount_of


@dataclass(frozen=True, slots=True)
class Reach:
    """Of `count` amounts on sale that it can be used for, each bought alone and as often as that takes: the names of
    those for which it does not hold, since it takes more than the seller earns; and the most it takes of what they earn
    with any other, in percent."""

    count: int
    blocked: tuple[str, ...]
    most: Decimal | None


def reach_of(terms: Terms, shelf: Shelf) -> Reach:
    """How far it goes on what is on the shelf now."""
    count, blocked, shares = 0, [], []
    # As if it were given away: whether it may be is asked below.
    free = replace(terms, within_margin=False)
    for name, goods in _on_shelf(shelf, terms):
        taken = discount_of(free, [goods]).amount
        if not taken:
            continue
        count += 1
        if terms.within_margin and taken > goods.margin:
            blocked.append(name)
        elif goods.margin:
            shares.append(taken * 100 / goods.margin)
    return Reach(count, tuple(blocked), max(shares, default=None))


def _on_shelf(shelf: Shelf, terms: Terms) -> Iterator[tuple[str, Goods]]:
    categories = dict(Category.objects.values_list("slug", "pk"))
    for product in shelf.products:
        for variant in product.variants:
            quantity = min(variant.max_quantity, max(1, ceil(terms.threshold / variant.price)))
            margin = (variant.price - variant.supply_price) * quantity
            category_id = categories.get(product.category)
            yield f"{product.name} {variant.name}", Goods(variant.price * quantity, margin, category_id, product.id)
