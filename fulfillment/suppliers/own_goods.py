"""An owner's own goods: writing one, with what can be bought of it and where that comes from.

They are rows of the catalogue that have an owner, pass the same gate, and are sold, paid and delivered as all are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.exceptions import CatalogInvalid
from catalog.fees import fee_of
from catalog.models import Category, Product, Variant
from catalog.selectors import cap_of
from catalog.services import MOST_PER_ORDER, product_save, shelves_move, variant_save, variants_screen
from fulfillment.suppliers.owners import offers_write
from kameng.core.ids import random_id
from kameng.core.problems import Problem
from resellers.models import Reseller

MOST_GOODS, MOST_VARIANTS = 200, 10
#: Minutes that an owner may promise, from 10 on to three days.
DEADLINES = (10, 30, 60, 120, 360, 720, 1440, 2880, 4320)
HIGHEST_PRICE = Decimal(100_000)


class NoOwnGoods(Problem):
    """The shop sells none."""

    code = "no_own_goods"
    status = 409
    message = gettext_lazy("直营店是平台自己的店，商品在运营台维护")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be bought of a good; amounts in yuan. No official price is the price itself."""

    name: str
    price: Decimal
    official_price: Decimal | None = None
    max_quantity: int = 1
    #: Of the variant that this is from now on; a new one where there is none.
    variant_id: int | None = None


def goods_of_owner(shop: Reseller) -> "QuerySet[Product]":
    """All of them, those that are off sale too, the newest first."""
    found = Product.objects.filter(owner=shop).select_related("category").prefetch_related("variants")
    return found.order_by("-is_active", "-pk")


def categories_of(shop: Reseller) -> "QuerySet[Category]":
    """Where an owner can put a good: what the shop trades in."""
    found = Category.objects.filter(is_active=True).exclude(products__is_on_shelves=False)
    return found.filter(slug__in=shop.categories) if shop.categories else found


@transaction.atomic
def own_good_save(*, shop: Reseller, product: Product, wanted: Sequence[Wanted]) -> Product:
    """Write a good, new or changed, and what can be bought of it; variants that are not named leave sale.

    All of it is screened at once: `standing` tells what came of it, and only what is clear is on sale. Raises
    `CatalogInvalid`, `NoOwnGoods`, and `ContentBlocked` for what may not be sold; nothing has moved then.
    """
    if shop.is_house:
        raise NoOwnGoods
    _check(shop, product, wanted)
    # Before the shop's row, as those lock who look at its stock.
    list(Variant.objects.select_for_update().filter(product=product.pk).order_by("pk"))
    if product.pk is None:
        if Product.objects.filter(owner=shop).count() >= MOST_GOODS:
            raise CatalogInvalid(_("自有商品最多 %(limit)s 个，请先改用已经下架的") % {"limit": MOST_GOODS})
        product.owner, product.slug = shop, f"own-{random_id(10).lower()}"
        product.position = 0
    product.icon = product.category.icon
    product_save(product=product)
    known = {variant.pk: variant for variant in product.variants.all()}
    named = {one.variant_id for one in wanted}
    for place, one in enumerate(wanted):
        variant = known.get(one.variant_id or 0) or Variant(product=product, sku=f"own-{random_id(10).lower()}")
        variant.name, variant.position, variant.is_active = one.name, place, True
        variant.own_price, variant.supply_price = one.price, fee_of(one.price)
        variant.official_price = one.official_price or one.price
        variant.max_quantity = one.max_quantity if product.kind == Product.Kind.CODE else 1
        variant_save(variant=variant, is_one_of_many=True)
    Variant.objects.filter(pk__in=known.keys() - named).update(is_active=False)
    product.standing = variants_screen(product_id=product.pk)
    offers_write(Product.objects.prefetch_related("variants").get(pk=product.pk))
    return product


@transaction.atomic
def own_good_show(*, shop: Reseller, product_id: int, is_active: bool) -> Product:
    """Put a good on sale again, or off sale; what was paid is still delivered. Raises `Product.DoesNotExist`."""
    product = Product.objects.select_for_update(no_key=True).get(pk=product_id, owner=shop)
    Product.objects.filter(pk=product.pk).update(is_active=is_active)
    shelves_move(product)
    product.is_active = is_active
    return product


def fee_changed(shop: Reseller) -> bool:
    """Whether the platform takes another part of what is on sale than when the owner last saw to it."""
    return any(variant.supply_price != fee_of(variant.own_price) for variant in _priced(shop))


@transaction.atomic
def fee_seen(*, shop: Reseller) -> int:
    """The owner knows what is taken now; how many variants that changes. What orders pay does not depend on it."""
    changed = [
        variant
        for variant in _priced(shop).select_for_update(of=("self",)).order_by("pk")
        if variant.supply_price != fee_of(variant.own_price)
    ]
    for variant in changed:
        variant.supply_price = fee_of(variant.own_price)
    return Variant.objects.bulk_update(changed, ["supply_price"])


def _priced(shop: Reseller) -> "QuerySet[Variant, Any]":
    return Variant.objects.filter(product__owner=shop, own_price__isnull=False, is_active=True)


def _check(shop: Reseller, product: Product, wanted: Sequence[Wanted]) -> None:
    if not categories_of(shop).filter(pk=product.category_id).exists():
        raise CatalogInvalid(fields={"category": _("店里不卖这个类目，请在「经营类目」里加上，或换一个")})
    if product.hand_minutes is not None and product.hand_minutes not in DEADLINES:
        raise CatalogInvalid(fields={"hand_minutes": _("请选一个交付时限")})
    if not 1 <= len(wanted) <= MOST_VARIANTS:
        raise CatalogInvalid(fields={"variants": _("至少要有一个面额，最多 %(limit)s 个") % {"limit": MOST_VARIANTS}})
    if len({one.name for one in wanted}) != len(wanted):
        raise CatalogInvalid(fields={"variants": _("有两个面额同名")})
    for one in wanted:
        if problem := _wrong(product.category, one):
            raise CatalogInvalid(
                fields={"variants": _("%(name)s：%(problem)s") % {"name": one.name, "problem": problem}}
            )


def _wrong(category: Category, one: Wanted) -> str:
    for amount in (one.price, one.official_price):
        if amount is not None and not Decimal("0.02") <= amount <= HIGHEST_PRICE:
            return _("价格应在 ¥0.02 到 ¥%(highest)s 之间") % {"highest": HIGHEST_PRICE}
    cap = cap_of(Variant(official_price=one.official_price or one.price), category)
    if one.price > cap:
        return _("售价不能超过原价的上限 ¥%(cap)s") % {"cap": cap}
    if not 1 <= one.max_quantity <= MOST_PER_ORDER:
        return _("每单上限应在 1 到 %(limit)s 之间") % {"limit": MOST_PER_ORDER}
    return ""
