"""Every variant of the platform's catalogue as its owner sees it: what it costs, what it sells for, and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.utils import timezone

from catalog import pricing, search
from catalog.listings.models import Listing, PriceRule
from catalog.listings.shelf import rules_of
from catalog.selectors import Catalog, CatalogCategory, CatalogProduct, CatalogVariant, catalog, revisions
from catalog.supply_discount import discounted
from compliance.gate.subjects import Standing
from compliance.models import Kind
from compliance.selectors import permits_of
from compliance.validity import Permits
from resellers.models import Reseller


@dataclass(frozen=True, slots=True)
class OwnVariant:
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
class OwnGoods:
    """Everything the shop may sell, in the platform's order."""

    categories: tuple[CatalogCategory, ...]
    variants: tuple[OwnVariant, ...]
    #: Product ids with their search texts.
    index: tuple[tuple[int, str], ...]

    def find(self, query: str) -> list[OwnVariant]:
        """Variants whose product or own text answers a query, best first."""
        wanted = query.strip()
        places = {product_id: place for place, product_id in enumerate(search.rank(wanted, self.index))}
        folded = search.fold(wanted)
        found = []
        for variant in self.variants:
            texts = (variant.sku, variant.name, variant.own_name)
            is_named = bool(folded) and any(folded in search.fold(text) for text in texts)
            if is_named or variant.product_id in places:
                found.append((places.get(variant.product_id, len(places)), variant))
        found.sort(key=lambda entry: entry[0])
        return [variant for _place, variant in found]


def own_goods(shop: Reseller) -> OwnGoods:
    """All active variants of the categories that the shop trades in, hidden ones too.

    Three queries, two more where papers are required of shops.
    """
    current = revisions(shop_id=shop.pk)
    permits = permits_of(shop) if current.asks_papers else Permits()
    source = catalog(revision=current.catalog)
    return _own_goods(
        shop, source, PriceRule.objects.all(), Listing.objects.all(), permits=permits, discount=current.supply_discount
    )


def _own_goods(
    shop: Reseller,
    source: Catalog,
    rules: Iterable[PriceRule],
    listings: Iterable[Listing],
    *,
    permits: Permits,
    discount: Decimal,
) -> OwnGoods:
    priced_by = rules_of(rules)
    own = {listing.variant_id: listing for listing in listings}
    wanted = set(shop.categories)
    shown = [product for product in source.products if product.is_on_shelves]
    products = [product for product in shown if not wanted or product.category in wanted]
    not_shown = {product.category for product in source.products} - {product.category for product in shown}
    return OwnGoods(
        categories=tuple(
            category
            for category in source.categories
            if (not wanted or category.slug in wanted) and category.slug not in not_shown
        ),
        variants=tuple(
            _own_variant(product, variant, priced_by, own.get(variant.id), lacks=lacks, discount=discount)
            for product in products
            for lacks in [_lacks(permits, product)]
            for variant in product.variants
        ),
        index=tuple((product.id, product.search_text) for product in products),
    )


def _lacks(permits: Permits, product: CatalogProduct) -> tuple[str, ...]:
    kinds = permits.lacking(product.category, product.brand_slug, on=timezone.localdate())
    return tuple(str(Kind(kind).label) for kind in kinds)


def _own_variant(
    product: CatalogProduct,
    variant: CatalogVariant,
    rules: pricing.Rules,
    listing: Listing | None,
    *,
    lacks: tuple[str, ...],
    discount: Decimal,
) -> OwnVariant:
    _because, rule = rules.decide(variant=variant.id, product=product.id, category=product.category_id)
    price = pricing.selling_price(
        rules,
        variant=variant.id,
        product=product.id,
        category=product.category_id,
        official=variant.official_price,
        supply=discounted(variant.supply_price, discount),
        cost=variant.cost,
        own_price=listing.price if listing is not None else None,
    )
    return OwnVariant(
        id=variant.id,
        sku=variant.sku,
        product_id=product.id,
        product_name=product.name,
        category=product.category,
        icon=product.icon,
        name=variant.name,
        own_name=listing.name if listing is not None else "",
        official=price.official,
        supply=price.supply,
        price=price.amount,
        own_price=listing.price if listing is not None else None,
        because=price.because,
        rule=None if price.because is pricing.Because.OWN_PRICE else rule,
        raised=price.raised,
        is_visible=listing is None or listing.is_visible,
        is_available=variant.is_available and variant.cost is not None,
        is_overridden=listing is not None,
        is_outdated=listing is not None
        and listing.price is not None
        and variant.supply_raised_at is not None
        and listing.updated_at < variant.supply_raised_at,
        standing=listing.standing if listing is not None else Standing.CLEAR,
        lacks=lacks,
        is_too_dear=not variant.is_available and variant.cost is not None and variant.cost > variant.supply_price,
    )
