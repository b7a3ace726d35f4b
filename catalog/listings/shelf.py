"""A shop's shelf: the platform's catalogue with this shop's choice, names and prices.

Built from two revisions and the days of the shop's papers, kept by each process, and thrown away when one of these
numbers has moved on: what the shop lacks a paper for today is not on it. Looking costs one query a second, for one shop
or many; ordering asks the database for the numbers in its own transaction, so a price that is charged is never older
than that transaction.

Most shops change nothing about the catalogue. What they show is built once for all that show the same, so that a
thousand of them cost a process hardly more than one.
"""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from threading import Lock
from typing import Any

from django.utils import timezone

from catalog import pricing, search
from catalog.listings.models import Listing, Placement, PriceRule
from catalog.listings.wishes import Wishes, wishes_of
from catalog.phone_numbers import with_carrier
from catalog.selectors import (
    Catalog,
    CatalogCategory,
    CatalogProduct,
    CatalogVariant,
    Revisions,
    as_supplied,
    catalog,
    owned_products,
    revisions,
    revisions_of,
)
from compliance.gate.subjects import Standing
from compliance.selectors import permits_of
from compliance.validity import Permits
from kameng.core.remembered import Together
from resellers.models import Reseller

REMEMBERED_SHELVES = 4096
#: Of those, the ones that share nothing with others: each takes as much memory as the catalogue.
REMEMBERED_OWN_SHELVES = 64
#: Kinds of shelves that several shops have alike: by plan, categories and papers.
REMEMBERED_ALIKE = 16


@dataclass(frozen=True, slots=True)
class ShelfVariant:
    """One thing to buy, as this shop sells it."""

    id: int
    sku: str
    name: str
    name_en: str
    note: str
    note_en: str
    price: Decimal
    official_price: Decimal
    #: What the shop owes the platform for it, in yuan.
    supply_price: Decimal
    because: str
    max_quantity: int
    is_available: bool


@dataclass(frozen=True, slots=True)
class ShelfProduct:
    """One thing to show, with at least one variant."""

    id: int
    slug: str
    kind: str
    category: str
    name: str
    name_en: str
    icon: str
    summary: str
    summary_en: str
    notes: str
    notes_en: str
    brand: str
    account_fields: tuple[Mapping[str, Any], ...]
    position: int
    #: Whoever buys it says how old they are, and minors have their limits.
    limits_minors: bool
    from_price: Decimal
    is_available: bool
    variants: tuple[ShelfVariant, ...]
    #: The owner delivers it by hand, within so many minutes.
    hand_minutes: int | None = None
    hand_in_hours: bool = False


@dataclass(frozen=True)
class Shelf:
    """Everything on sale in one shop at one moment."""

    key: tuple[int, int, int]
    categories: tuple[CatalogCategory, ...]
    products: tuple[ShelfProduct, ...]
    by_slug: Mapping[str, ShelfProduct]
    #: Also what stands on no shelf, and is only sold by a page of its own.
    by_sku: Mapping[str, tuple[ShelfProduct, ShelfVariant]]
    #: Product ids with their search texts, in the shop's order; what the shop calls them is another text beside them.
    index: tuple[tuple[int, str], ...]
    #: What the owner recommends on the first page.
    featured: tuple[ShelfProduct, ...] = ()
    #: Slugs of what would be shown, and has no amount that may be sold at its price at the moment.
    resting: frozenset[str] = frozenset()
    #: Nothing of it belongs to another shop's shelf too.
    is_own: bool = field(default=True, compare=False)

    def in_category(self, slug: str) -> list[ShelfProduct]:
        """The products of a category in the shop's order."""
        return [product for product in self.products if product.category == slug]

    def find(self, query: str) -> list[ShelfProduct]:
        """Products by name, alias or pinyin, best first."""
        by_id = {product.id: product for product in self.products}
        return [by_id[found] for found in dict.fromkeys(search.rank(query, self.index))]


#: Whatever makes the shelves of shops alike that have no wishes of their own.
_Alike = tuple[int, Decimal, bool, frozenset[str], frozenset[tuple[str, str]]]

_shelves: OrderedDict[int, Shelf] = OrderedDict()
_numbers: Together[int, Revisions] = Together(
    one=lambda shop_id: revisions(shop_id=shop_id), many=lambda known: revisions_of(known)
)
_own: OrderedDict[int, None] = OrderedDict()
_alike: OrderedDict[_Alike, Shelf] = OrderedDict()
_lock = Lock()


def shelf(shop: Reseller) -> Shelf:
    """The shelf to look at: at most a second old."""
    known = _shelves.get(shop.pk)
    return known if known is not None and known.key == key_now(shop) else shelf_now(shop)[0]


def shelf_now(shop: Reseller) -> tuple[Shelf, Revisions]:
    """The shelf to sell from: current in this transaction, with the database's clock."""
    current = revisions(shop_id=shop.pk)
    built = _shelves.get(shop.pk)
    if built is None or built.key != current.key:
        built = _build(shop, catalog(revision=current.catalog), current)
    _remember(shop, built, current)
    return built, current


def _remember(shop: Reseller, built: Shelf, current: Revisions) -> None:
    _numbers.put(shop.pk, current)
    with _lock:
        _shelves[shop.pk] = built
        _shelves.move_to_end(shop.pk)
        _own.pop(shop.pk, None)
        if built.is_own:
            _own[shop.pk] = None
        while len(_own) > REMEMBERED_OWN_SHELVES:
            del _shelves[_own.popitem(last=False)[0]]
        while len(_shelves) > REMEMBERED_SHELVES:
            _own.pop(_shelves.popitem(last=False)[0], None)


def key_now(shop: Reseller) -> tuple[int, int, int]:
    """The numbers of the current shelf, at most a second old: what is drawn from it is current as long as they are."""
    return _numbers.get(shop.pk).key


def forget() -> None:
    """Drop every shelf: for tests."""
    with _lock:
        _shelves.clear()
        _own.clear()
        _alike.clear()
    _numbers.forget()


def _build(shop: Reseller, source: Catalog, current: Revisions) -> Shelf:
    permits = permits_of(shop) if current.asks_papers else Permits()
    today = timezone.localdate(current.now)
    own = owned_products(shop.pk)
    closed = frozenset(
        sort
        for sort in {(product.category, product.brand_slug) for product in (*source.products, *own)}
        if permits.lacking(*sort, on=today)
    )
    listings = {listing.variant_id: listing for listing in Listing.objects.all()}
    rules = list(PriceRule.objects.all())
    placements = {placement.product_id: placement for placement in Placement.objects.all()}
    supplied = as_supplied(source.products, current.supply_discount)
    if own or listings or rules or placements:
        wishes = wishes_of(rules, listings.values())
        return _stock(shop, source, current, [*supplied, *own], closed, listings, wishes, placements)
    alike = (source.revision, current.supply_discount, shop.is_house, frozenset(shop.categories), closed)
    known = _alike.get(alike)
    if known is None:
        known = replace(_stock(shop, source, current, supplied, closed, {}, Wishes(), {}), is_own=False)
        with _lock:
            _alike[alike] = known
            while len(_alike) > REMEMBERED_ALIKE:
                _alike.popitem(last=False)
    return replace(known, key=current.key)


def _stock(
    shop: Reseller, source: Catalog, current: Revisions, supplied: Iterable[CatalogProduct],
    closed: Collection[tuple[str, str]], listings: Mapping[int, Listing], wishes: Wishes,
    placements: Mapping[int, Placement],
) -> Shelf:  # fmt: skip
    """The shelf; `closed` are categories and brands for which the shop lacks a paper."""
    wanted = set(shop.categories)
    products = []
    index = []
    resting = set()
    unlisted = []
    for product in in_shops_order(supplied, placements):
        if not product.is_on_shelves:
            if shop.is_house and product.variants:
                unlisted.append(_product(product, _priced(product, _listed(product, {}), Wishes())))
            continue
        if wanted and product.category not in wanted:
            continue
        if (product.category, product.brand_slug) in closed:
            continue
        listed = _listed(product, listings)
        variants = _priced(product, listed, wishes)
        if variants:
            placement = placements.get(product.id)
            own_name = placement.shown_name if placement is not None else ""
            products.append(_product(product, variants, own_name))
            index.append((product.id, product.search_text))
            if placement is not None and own_name:
                index.append((product.id, placement.search_text))
        elif listed:
            resting.add(product.slug)
    present = {product.category for product in products}
    return Shelf(
        key=current.key,
        categories=tuple(category for category in source.categories if category.slug in present),
        products=tuple(products),
        by_slug={product.slug: product for product in products},
        by_sku={variant.sku: (product, variant) for product in products + unlisted for variant in product.variants},
        index=tuple(index),
        featured=tuple(
            product for product in products if product.id in placements and placements[product.id].is_featured
        ),
        resting=frozenset(resting),
    )


def _priced(
    product: CatalogProduct, listed: Iterable[tuple[CatalogVariant, Listing | None]], wishes: Wishes
) -> tuple[ShelfVariant, ...]:
    return tuple(
        _variant(variant, price, listing)
        for variant, listing in listed
        if (price := wishes.price(product, variant)).breach is None
    )


def in_shops_order(products: Iterable[CatalogProduct], placements: Mapping[int, Placement]) -> list[CatalogProduct]:
    """Those that the owner has placed, then the others as the platform has them."""

    def place(product: CatalogProduct) -> tuple[bool, int]:
        placement = placements.get(product.id)
        position = placement.position if placement is not None else None
        return position is None, position or 0

    return sorted(products, key=place)


def _listed(product: CatalogProduct, listings: Mapping[int, Listing]) -> list[tuple[CatalogVariant, Listing | None]]:
    """What the owner shows of a product, in the shop's order."""
    placed = []
    for place, variant in enumerate(product.variants):
        listing = listings.get(variant.id)
        if listing is not None and not (listing.is_visible and listing.standing == Standing.CLEAR):
            continue
        position = listing.position if listing is not None and listing.position is not None else place
        placed.append((position, place, variant, listing))
    placed.sort(key=lambda entry: entry[:2])
    return [(variant, listing) for _, _, variant, listing in placed]


def _variant(variant: CatalogVariant, price: pricing.Price, listing: Listing | None) -> ShelfVariant:
    own_name = listing.name if listing is not None else ""
    return ShelfVariant(
        id=variant.id,
        sku=variant.sku,
        name=own_name or variant.name,
        name_en=own_name or variant.name_en,
        note=variant.note,
        note_en=variant.note_en,
        price=price.amount,
        official_price=price.official,
        supply_price=price.supply,
        because=price.because.value,
        max_quantity=variant.max_quantity,
        # Without a cost nobody knows whether the sale loses money, so it is not offered.
        is_available=variant.is_available and variant.cost is not None,
    )


def _product(product: CatalogProduct, variants: tuple[ShelfVariant, ...], own_name: str = "") -> ShelfProduct:
    available = [variant.price for variant in variants if variant.is_available]
    return ShelfProduct(
        id=product.id,
        slug=product.slug,
        kind=product.kind,
        category=product.category,
        name=own_name or product.name,
        name_en=own_name or product.name_en,
        icon=product.icon,
        summary=product.summary,
        summary_en=product.summary_en,
        notes=product.notes,
        notes_en=product.notes_en,
        brand=product.brand,
        account_fields=with_carrier(product.kind, product.account_fields),
        position=product.position,
        limits_minors=product.limits_minors,
        from_price=min(available or [variant.price for variant in variants]),
        is_available=bool(available),
        variants=variants,
        hand_minutes=product.hand_minutes,
        hand_in_hours=product.hand_in_hours,
    )
