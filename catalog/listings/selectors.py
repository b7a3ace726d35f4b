"""Every variant of the platform's catalogue as its owner sees it: what it costs, what it sells for, and why."""

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from catalog import pricing, search
from catalog.listings.models import Listing, Placement, PriceRule
from catalog.listings.shelf import in_shops_order
from catalog.listings.wishes import Level, Wishes, wishes_of
from catalog.models import Variant
from catalog.selectors import (
    CatalogCategory,
    CatalogProduct,
    CatalogVariant,
    Revisions,
    as_supplied,
    catalog,
    revisions,
)
from compliance.gate.subjects import Standing
from compliance.models import Kind
from compliance.selectors import permits_of
from compliance.validity import Permits
from resellers.context import in_english
from resellers.models import Reseller


@dataclass(frozen=True, slots=True)
class PricedVariant:
    """One variant in one shop. Amounts in yuan; `supply` is what the shop pays us, never less than our cost."""

    id: int
    sku: str
    product_id: int
    product_name: str
    category: str
    icon: str
    name: str
    own_name: str
    official: Decimal
    supply: Decimal
    price: Decimal
    own_price: Decimal | None
    #: Whose wish decided the price, and the rule if it was one.
    because: pricing.Because
    rule: pricing.PriceRule | None
    #: The wish lay below what the shop pays, and was lifted to it.
    raised: bool
    is_visible: bool
    is_available: bool
    is_overridden: bool
    #: The supply price rose after the owner named a price, which stays where it is.
    is_outdated: bool
    #: What the gate says of the own name; only what is clear is on sale.
    standing: str
    #: The names of the papers that its category requires of the shop, and that the shop does not have today.
    lacks: tuple[str, ...]
    #: Off sale at the moment, because every supplier asks more than the shop pays.
    is_too_dear: bool
    #: The highest price that the shop may ask.
    cap: Decimal
    #: Why this price may not be sold at, and the variant is therefore hidden until the owner changes it.
    breach: pricing.Breach | None
    #: A markup reached above the cap, and was held there.
    lowered: bool
    #: The supply price rose, and left less than `MARGIN_ALARM_PERCENT` of a margin that the owner had before.
    is_thin: bool
    is_featured: bool
    #: What the shop calls the product, and whether shoppers see that: what the gate doubts waits.
    own_product_name: str
    is_product_name_held: bool

    @property
    def is_alarming(self) -> bool:
        """Something that only another price can put right."""
        return self.is_visible and (self.is_thin or self.breach is not None)

    @property
    def is_held(self) -> bool:
        """Kept from sale by the gate."""
        return self.standing != Standing.CLEAR

    @property
    def margin(self) -> Decimal:
        """What the shop keeps of one piece."""
        return self.price - self.supply

    @property
    def margin_percent(self) -> Decimal:
        """The same as percent of what it pays."""
        return self.margin * 100 / self.supply


@dataclass(frozen=True)
class PricedGoods:
    """Everything the shop may sell, in the shop's order."""

    categories: tuple[CatalogCategory, ...]
    variants: tuple[PricedVariant, ...]
    #: Product ids with their search texts, and once more with those of the shop's own names.
    index: tuple[tuple[int, str], ...]
    #: The owner has an order of products that is not the platform's.
    is_placed: bool = False

    def find(self, query: str) -> list[PricedVariant]:
        """Variants whose product or own text answers a query, best first."""
        wanted = query.strip()
        ranked = dict.fromkeys(search.rank(wanted, self.index))
        places = {product_id: place for place, product_id in enumerate(ranked)}
        folded = search.fold(wanted)
        found = []
        for variant in self.variants:
            texts = (variant.sku, variant.name, variant.own_name)
            is_named = bool(folded) and any(folded in search.fold(text) for text in texts)
            if is_named or variant.product_id in places:
                found.append((places.get(variant.product_id, len(places)), variant))
        found.sort(key=lambda entry: entry[0])
        return [variant for _place, variant in found]


def priced_goods(shop: Reseller, *, is_placed: bool = True) -> PricedGoods:
    """All active variants of the categories that the shop trades in, hidden ones too, called as the reader's language
    has it; where nobody looks at their order or at what is recommended, not `is_placed`.

    Four queries at most, two more where papers are required of shops.
    """
    current = revisions(shop_id=shop.pk)
    permits = permits_of(shop) if current.asks_papers else Permits()
    products, categories = _goods(shop, current)
    listings = {listing.variant_id: listing for listing in Listing.objects.all()}
    wishes = wishes_of(PriceRule.objects.all(), listings.values())
    placements = {placed.product_id: placed for placed in Placement.objects.all()} if is_placed else {}
    nowhere, english = Placement(), in_english()
    return PricedGoods(
        categories=tuple(replace(one, name=one.name_en) if english and one.name_en else one for one in categories),
        variants=tuple(
            _priced_variant(
                product,
                variant,
                wishes,
                listings.get(variant.id),
                lacks=lacks,
                placement=placements.get(product.id, nowhere),
                english=english,
            )
            for product in in_shops_order(products, placements)
            for lacks in [_lacks(permits, product)]
            for variant in product.variants
        ),
        index=(
            *((product.id, product.search_text) for product in products),
            *((placement.product_id, placement.search_text) for placement in placements.values() if placement.name),
        ),
        is_placed=any(placement.position is not None for placement in placements.values()),
    )


def _lacks(permits: Permits, product: CatalogProduct) -> tuple[str, ...]:
    kinds = permits.lacking(product.category, product.brand_slug, on=timezone.localdate())
    return tuple(str(Kind(kind).label) for kind in kinds)


def goods_of(shop: Reseller) -> tuple[list[CatalogProduct], tuple[CatalogCategory, ...]]:
    """What the platform has on sale of what the shop trades in, current in this transaction, at what it costs there."""
    return _goods(shop, revisions(shop_id=shop.pk))


def _goods(shop: Reseller, current: Revisions) -> tuple[list[CatalogProduct], tuple[CatalogCategory, ...]]:
    source = catalog(revision=current.catalog)
    wanted = set(shop.categories)
    shown = [product for product in source.products if product.is_on_shelves]
    not_shown = {product.category for product in source.products} - {product.category for product in shown}
    products = [product for product in shown if not wanted or product.category in wanted]
    return (
        list(as_supplied(products, current.supply_discount)),
        tuple(
            category
            for category in source.categories
            if (not wanted or category.slug in wanted) and category.slug not in not_shown
        ),
    )


def _priced_variant(
    product: CatalogProduct,
    variant: CatalogVariant,
    wishes: Wishes,
    listing: Listing | None,
    *,
    lacks: tuple[str, ...],
    placement: Placement,
    english: bool,
) -> PricedVariant:
    price = wishes.price(product, variant)
    own_price = listing.price if listing is not None else None
    return PricedVariant(
        id=variant.id,
        sku=variant.sku,
        product_id=product.id,
        product_name=(english and product.name_en) or product.name,
        category=product.category,
        icon=product.icon,
        name=(english and variant.name_en) or variant.name,
        own_name=listing.name if listing is not None else "",
        official=price.official,
        supply=price.supply,
        price=price.amount,
        own_price=own_price,
        because=price.because,
        rule=None if price.because is pricing.Because.OWN_PRICE else wishes.rule(product, variant),
        raised=price.raised,
        is_visible=listing is None or listing.is_visible,
        is_available=variant.is_available and variant.cost is not None,
        is_overridden=listing is not None or wishes.of(Level.VARIANT, variant.id) is not None,
        is_outdated=listing is not None
        and listing.price is not None
        and variant.supply_raised_at is not None
        and listing.updated_at < variant.supply_raised_at,
        standing=listing.standing if listing is not None else Standing.CLEAR,
        lacks=lacks,
        is_too_dear=not variant.is_available and variant.cost is not None and variant.cost > variant.full_supply_price,
        cap=variant.cap,
        breach=price.breach,
        lowered=price.lowered,
        is_thin=_is_thin(product, variant, wishes, price),
        is_featured=placement.is_featured,
        own_product_name=placement.name,
        is_product_name_held=placement.standing != Standing.CLEAR,
    )


def _is_thin(product: CatalogProduct, variant: CatalogVariant, wishes: Wishes, price: pricing.Price) -> bool:
    """A percentage keeps its margin whatever the supply price does; who wished after it rose has seen it."""
    rule = None if price.because is pricing.Because.OWN_PRICE else wishes.rule(product, variant)
    if variant.supply_raised_at is None or (rule is not None and rule.kind is pricing.Kind.PERCENT):
        return False
    since = wishes.decided_at(product, variant)
    is_low = price.margin * 100 < price.supply * settings.MARGIN_ALARM_PERCENT
    return is_low and (since is None or since < variant.supply_raised_at)


@dataclass(frozen=True, slots=True)
class LockedVariant:
    """What the platform keeps off sale everywhere: no owner can change that."""

    sku: str
    product_name: str
    name: str
    icon: str
    category: str
    reason: "Lock"


class Lock(StrEnum):
    """Why nobody can sell it."""

    VARIANT_OFF = "variant_off"
    PRODUCT_OFF = "product_off"
    CATEGORY_OFF = "category_off"
    IN_REVIEW = "in_review"
    TAKEN_DOWN = "taken_down"


def locked_goods(shop: Reseller) -> list[LockedVariant]:
    """Variants of what the shop trades in that the platform keeps off sale, and why, in the platform's order."""
    is_on_sale = Q(is_active=True, product__is_active=True, product__category__is_active=True)
    found = Variant.objects.exclude(is_on_sale & Q(product__standing=Standing.CLEAR)).filter(product__owner=None)
    found = found.select_related("product__category")
    if shop.categories:
        found = found.filter(product__category__slug__in=shop.categories)
    return [
        LockedVariant(
            sku=variant.sku,
            product_name=variant.product.name,
            name=variant.name,
            icon=variant.product.icon,
            category=variant.product.category.slug,
            reason=_lock(variant),
        )
        for variant in found.order_by("product__position", "product_id", "position", "pk")
    ]


def _lock(variant: Variant) -> Lock:
    product = variant.product
    if not product.category.is_active:
        return Lock.CATEGORY_OFF
    if product.standing in (Standing.TAKEN_DOWN, Standing.BLOCKED):
        return Lock.TAKEN_DOWN
    if not product.is_active:
        return Lock.PRODUCT_OFF
    return Lock.VARIANT_OFF if not variant.is_active else Lock.IN_REVIEW
