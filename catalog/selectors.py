"""The platform's catalogue as values: read once, kept by each process, shared by all its shops."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db.models import QuerySet

from catalog.fees import fee_of
from catalog.models import Category, Product, Variant
from catalog.pricing import price_cap
from catalog.supply_discount import discounted
from compliance.gate.subjects import Standing
from compliance.held import IN_FORCE, TODAY
from kameng.core import sql
from resellers.plans.standing import TAKES_ORDERS


@dataclass(frozen=True, slots=True)
class CatalogVariant:
    """One thing to buy, before any shop's price."""

    id: int
    sku: str
    name: str
    name_en: str
    note: str
    note_en: str
    official_price: Decimal
    #: What the shop pays, by its plan.
    supply_price: Decimal
    #: The same without a plan: where the cost is above it, nobody is sold to.
    full_supply_price: Decimal
    cost: Decimal | None
    #: The highest price that a shop may ask.
    cap: Decimal
    max_quantity: int
    is_available: bool
    supply_raised_at: datetime | None
    #: What the owner asks for a good of their own: nobody's rules change it.
    own_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CatalogProduct:
    """One thing to show, with what can be bought of it."""

    id: int
    slug: str
    kind: str
    category_id: int
    category: str
    name: str
    name_en: str
    icon: str
    summary: str
    summary_en: str
    notes: str
    notes_en: str
    brand: str
    brand_slug: str
    account_fields: tuple[Mapping[str, Any], ...]
    aliases: tuple[str, ...]
    search_text: str
    position: int
    limits_minors: bool
    #: Where not, the house shop sells it by a page of its own, and nobody else does.
    is_on_shelves: bool
    variants: tuple[CatalogVariant, ...]
    #: An owner's own good that is delivered by hand, within so many minutes.
    hand_minutes: int | None = None
    hand_in_hours: bool = False


@dataclass(frozen=True, slots=True)
class CatalogCategory:
    """One shelf."""

    id: int
    slug: str
    name: str
    name_en: str
    icon: str


@dataclass(frozen=True)
class Catalog:
    """Everything that is on sale on the platform."""

    revision: int
    categories: tuple[CatalogCategory, ...]
    products: tuple[CatalogProduct, ...]


@dataclass(frozen=True)
class Revisions:
    """What a shelf must be built from to be current, and the database's clock at that moment."""

    catalog: int
    shop: int
    now: datetime
    #: Which of the shop's papers count changes with the days: a number for the last day on which that turned, or 0.
    turned: int
    #: Whether any category requires papers of this shop.
    asks_papers: bool

    #: By the shop's plan, in percent of every supply price.
    supply_discount: Decimal
    #: Whether the shop is paid for, and nobody has closed it (`resellers.plans.standing`).
    takes_orders: bool

    @property
    def key(self) -> tuple[int, int, int]:
        """What a shelf goes by."""
        return self.catalog, self.shop, self.turned


#: A catalogue into which nobody has put anything yet has no number: 0.
_REVISIONS = f"""
SELECT shop.id, coalesce(catalog.number, 0), shop.revision, statement_timestamp(), coalesce((
         SELECT max(turn.day) - date '2000-01-01'
           FROM public.compliance_license AS paper
          CROSS JOIN LATERAL (VALUES (paper.valid_from), (paper.valid_until + 1)) AS turn (day)
          WHERE paper.holder_kind = 'seller' AND paper.holder = shop.slug AND {IN_FORCE} AND turn.day <= {TODAY}), 0),
       NOT shop.is_house AND EXISTS (
         SELECT FROM public.compliance_requirement AS asked WHERE asked.holder_kind = 'seller'),
       coalesce(tenure.supply_discount, 0), {TAKES_ORDERS}
  FROM public.resellers_reseller AS shop
  LEFT JOIN public.catalog_revision AS catalog ON catalog.id = 1
  LEFT JOIN public.plans_tenure AS tenure ON tenure.shop_id = shop.id
 WHERE shop.id = ANY(%s::bigint[])
"""


def revisions(*, shop_id: int) -> Revisions:
    """The numbers that change whenever the catalogue, the shop's own settings or the days of its papers do."""
    return revisions_of([shop_id])[shop_id]


def revisions_of(shop_ids: Iterable[int]) -> dict[int, Revisions]:
    """The same for several shops at one moment."""
    return {shop_id: Revisions(*current) for shop_id, *current in sql.rows_anywhere(_REVISIONS, [[*shop_ids]])}


def as_supplied(products: Sequence[CatalogProduct], discount: Decimal) -> Sequence[CatalogProduct]:
    """The same goods at the supply prices of a shop whose plan takes so many percent off."""
    if not discount:
        return products
    return [
        replace(
            product,
            variants=tuple(
                replace(variant, supply_price=discounted(variant.supply_price, discount))
                for variant in product.variants
            ),
        )
        for product in products
    ]


_catalog: Catalog | None = None


def catalog(*, revision: int) -> Catalog:
    """The catalogue of a revision or newer."""
    global _catalog
    if _catalog is None or _catalog.revision != revision:
        _catalog = _read(revision)
    return _catalog


def owned_products(shop_id: int) -> list[CatalogProduct]:
    """What is on sale of a shop's own goods, current in this transaction. They are of no other shop's business, and so
    stand in no catalogue that a process keeps."""
    return [_product(product) for product in _on_sale().filter(owner=shop_id)]


def _on_sale() -> QuerySet[Product]:
    return (
        Product.objects.filter(is_active=True, category__is_active=True, standing=Standing.CLEAR)
        .select_related("category", "brand")
        .prefetch_related("variants")
    )


def _read(revision: int) -> Catalog:
    categories = tuple(
        CatalogCategory(category.pk, category.slug, category.name, category.name_en, category.icon)
        for category in Category.objects.filter(is_active=True)
    )
    return Catalog(revision, categories, tuple(_product(product) for product in _on_sale().filter(owner=None)))


def cap_of(variant: Variant, category: Category) -> Decimal:
    """The highest price in yuan that a shop may ask for a variant of a category."""
    return price_cap(variant.official_price, category.price_cap_percent or settings.PRICE_CAP_PERCENT)


def _supply(variant: Variant) -> Decimal:
    """What is taken of an owner's own good is by the fee of today; the row has the one that the owner last saw."""
    return variant.supply_price if variant.own_price is None else fee_of(variant.own_price)


def _product(product: Product) -> CatalogProduct:
    variants = tuple(
        CatalogVariant(
            id=variant.pk,
            sku=variant.sku,
            name=variant.name,
            name_en=variant.name_en,
            note=variant.note,
            note_en=variant.note_en,
            official_price=variant.official_price,
            supply_price=_supply(variant),
            full_supply_price=_supply(variant),
            cost=variant.cost,
            cap=cap_of(variant, product.category),
            max_quantity=variant.max_quantity,
            is_available=variant.is_available,
            supply_raised_at=variant.supply_raised_at,
            own_price=variant.own_price,
        )
        for variant in product.variants.all()
        if variant.is_active
    )
    return CatalogProduct(
        id=product.pk,
        slug=product.slug,
        kind=product.kind,
        category_id=product.category_id,
        category=product.category.slug,
        name=product.name,
        name_en=product.name_en,
        icon=product.icon,
        summary=product.summary,
        summary_en=product.summary_en,
        notes=product.notes,
        notes_en=product.notes_en,
        brand=product.brand.name if product.brand else "",
        brand_slug=product.brand.slug if product.brand else "",
        account_fields=tuple(product.account_fields),
        aliases=tuple(product.aliases),
        search_text=product.search_text,
        position=product.position,
        limits_minors=product.category.limits_minors,
        is_on_shelves=product.is_on_shelves,
        variants=variants,
        hand_minutes=product.hand_minutes,
        hand_in_hours=product.hand_in_hours,
    )


def forget() -> None:
    """Drop the catalogue: for tests."""
    global _catalog
    _catalog = None
