"""What an owner changes about the platform's goods: own prices, names, what is shown, and markups.

All of it is the current shop's, in whose schema the caller is; each change moves the shop's revision.
"""

from collections.abc import Collection, Sequence
from decimal import Decimal

from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from catalog import pricing
from catalog.listings.exceptions import ListingInvalid, PriceRuleInvalid
from catalog.listings.models import Listing, Placement, PriceRule
from catalog.listings.product_names import PLACES_NOTHING
from catalog.listings.screened import listing_screen, listing_subject
from catalog.models import Product, Variant
from catalog.selectors import cap_of, revisions
from catalog.supply_discount import discounted
from compliance.gate.services import subject_withdraw
from compliance.gate.subjects import Standing
from kameng.core.money import CENT
from resellers.services import shop_touch

#: A shop may ask for at most twice what it pays: more would not be a markup but a mistake.
HIGHEST_PERCENT = Decimal(100)
LONGEST_NAME = 60
#: A row that is as good as none.
SAYS_NOTHING = Q(price=None, name="", is_visible=True, position=None, standing=Standing.CLEAR)


def prices_lock() -> None:
    """Wait until nobody else changes prices of this shop; until the transaction ends, nobody will.

    Taken before anything else is, so that nobody who holds it waits for somebody who waits for it.
    """
    with connection.cursor() as cursor:
        schema_name = connection.schema_name  # type: ignore[attr-defined]
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"prices:{schema_name}"])


@transaction.atomic
def listing_save(
    *, shop_id: int, variant_id: int, price: Decimal | None, name: str, is_visible: bool
) -> Listing | None:
    """Write what the owner overrides for a variant; with nothing overridden, the row goes and None comes back.

    `price` in yuan, None for "by rule". A name of the owner's is screened: `standing` tells what came of it. What the
    platform has taken down keeps its row, and stays off sale until a person says otherwise. Raises `ListingInvalid` for
    a price below what the shop pays, or above twice that, and `ContentBlocked` for a name that may not be.
    """
    prices_lock()
    active = Variant.objects.filter(pk=variant_id, is_active=True, product__owner=None).select_related(
        "product__category"
    )
    variant = active.select_for_update(of=("self",)).first()
    if variant is None:
        raise ListingInvalid(_("主站已经下架了这个面额"))
    name = " ".join(name.split())
    if len(name) > LONGEST_NAME:
        raise ListingInvalid(fields={"name": _("太长了，最多 %(limit)s 个字符") % {"limit": LONGEST_NAME}})
    if price is not None:
        _check_price(variant, price, revisions(shop_id=shop_id).supply_discount)
    listing = Listing.objects.select_for_update().filter(variant_id=variant_id).first()
    is_taken_down = listing is not None and listing.standing == Standing.TAKEN_DOWN
    says_nothing = price is None and not name and is_visible
    if says_nothing and not is_taken_down and (listing is None or listing.position is None):
        Listing.objects.filter(variant_id=variant_id).delete()
        listing = None
        subject_withdraw(subject=listing_subject(variant_id))
    else:
        listing = listing or Listing(variant_id=variant_id)
        listing.price, listing.name, listing.is_visible = price, name, is_visible
        listing.save()
        listing.standing = listing_screen(listing)
    shop_touch(shop_id=shop_id)
    return listing


@transaction.atomic
def listing_reset(*, shop_id: int, variant_id: int) -> None:
    """Sell a variant as the platform offers it and the rules price it.

    One that was taken down loses what the owner says of it, and stays off sale.
    """
    prices_lock()
    listing = Listing.objects.select_for_update().filter(variant_id=variant_id).first()
    if listing is None:
        return
    if listing.standing == Standing.TAKEN_DOWN:
        listing.price, listing.name, listing.is_visible, listing.position = None, "", True, None
        listing.save()
        listing_screen(listing)
    else:
        listing.delete()
        subject_withdraw(subject=listing_subject(variant_id))
    shop_touch(shop_id=shop_id)


def _check_price(variant: Variant, price: Decimal, discount: Decimal) -> None:
    if not price.is_finite() or price <= 0 or price != price.quantize(CENT):
        raise ListingInvalid(fields={"price": _("售价应是大于 0 的金额，最多两位小数")})
    floor = floor_of(variant, discount)
    if price < floor:
        raise ListingInvalid(fields={"price": _("不能低于供货价 ¥%(floor)s") % {"floor": floor}})
    highest = floor * (1 + HIGHEST_PERCENT / 100)
    if price > highest:
        raise ListingInvalid(
            fields={"price": _("不能高于供货价的两倍（¥%(highest)s）") % {"highest": highest.quantize(CENT)}}
        )
    cap = cap_of(variant, variant.product.category)
    if price > cap:
        raise ListingInvalid(fields={"price": _("不能高于平台的最高售价 ¥%(cap)s（按官方价算）") % {"cap": cap}})


def floor_of(variant: Variant, discount: Decimal) -> Decimal:
    """What a shop pays for a variant, in yuan: the supply price less the percent of its plan, raised to the live cost
    where that is higher."""
    return pricing.selling_price(
        pricing.Rules(),
        variant=variant.pk,
        product=variant.product_id,
        category=0,
        official=variant.official_price,
        supply=discounted(variant.supply_price, discount),
        cost=variant.cost,
    ).supply


@transaction.atomic
def price_rule_save(
    *,
    shop_id: int,
    kind: str,
    value: Decimal,
    rounding: str,
    rule_id: int | None = None,
    category_id: int | None = None,
    product_id: int | None = None,
    variant_id: int | None = None,
) -> PriceRule:
    """Write a markup or a price for one variant, product or category, or (with none) the whole shop.

    `value` is percent of the supply price or yuan by `kind`: from 0 to 100 %; in yuan at most the lowest supply price
    that it applies to; a price must be possible for all that it applies to. Raises `PriceRuleInvalid`.
    """
    prices_lock()
    if kind not in PriceRule.Kind or rounding not in PriceRule.Rounding:
        raise PriceRuleInvalid
    if sum(scope is not None for scope in (category_id, product_id, variant_id)) > 1:
        raise PriceRuleInvalid(_("一条规则只能管一个范围：类目、商品或面额"))
    scope = {"category_id": category_id, "product_id": product_id, "variant_id": variant_id}
    _check_markup(shop_id, kind, value, scope)
    rule = PriceRule.objects.filter(pk=rule_id).first() if rule_id is not None else PriceRule()
    if rule is None:
        raise PriceRuleInvalid(_("这条规则已经删除了"))
    if PriceRule.objects.filter(_same(scope)).exclude(pk=rule.pk).exists():
        raise PriceRuleInvalid(_("这个范围已经有一条规则，请改那一条"))
    rule.category_id, rule.product_id, rule.variant_id = category_id, product_id, variant_id
    rule.kind, rule.value, rule.rounding = kind, value, rounding
    rule.save()
    shop_touch(shop_id=shop_id)
    return rule


@transaction.atomic
def price_rule_delete(*, shop_id: int, rule_id: int) -> None:
    """Forget a markup: the next wider one applies."""
    prices_lock()
    if PriceRule.objects.filter(pk=rule_id).delete()[0]:
        shop_touch(shop_id=shop_id)


def _same(scope: dict[str, int | None]) -> Q:
    wanted = Q()
    for name, value in scope.items():
        wanted &= Q(**{f"{name}__isnull": True}) if value is None else Q(**{name: value})
    return wanted


def _check_markup(shop_id: int, kind: str, value: Decimal, scope: dict[str, int | None]) -> None:
    if not value.is_finite() or value < 0:
        raise PriceRuleInvalid(fields={"value": _("数值不能小于 0")})
    if value != value.quantize(CENT):
        raise PriceRuleInvalid(fields={"value": _("最多两位小数")})
    if kind == PriceRule.Kind.PERCENT:
        if value > HIGHEST_PERCENT:
            raise PriceRuleInvalid(fields={"value": _("加价最多 %(limit)s%%") % {"limit": HIGHEST_PERCENT}})
        return
    covered = Variant.objects.filter(
        is_active=True, product__is_active=True, product__is_on_shelves=True, product__owner=None
    )
    paths = {"category_id": "product__category_id", "product_id": "product_id", "variant_id": "pk"}
    for name, wanted in scope.items():
        if wanted is not None:
            covered = covered.filter(**{paths[name]: wanted})
    variants = list(covered.select_related("product__category"))
    if not variants:
        raise PriceRuleInvalid(_("这个范围里没有在售的面额"))
    discount = revisions(shop_id=shop_id).supply_discount
    if kind == PriceRule.Kind.PRICE:
        _check_price_for_all(value, variants, discount)
        return
    lowest = min(floor_of(variant, discount) for variant in variants)
    if value > lowest:
        text = _("这个范围里最低的供货价是 ¥%(lowest)s，固定加价不能超过它；请改用百分比，或把范围缩小")
        raise PriceRuleInvalid(fields={"value": text % {"lowest": lowest}})


def _check_price_for_all(price: Decimal, variants: Sequence[Variant], discount: Decimal) -> None:
    """One price for different amounts is hardly ever meant: it must lie between the red lines of each."""
    floor = max(floor_of(variant, discount) for variant in variants)
    cap = min(cap_of(variant, variant.product.category) for variant in variants)
    if not floor <= price <= cap:
        text = _("一口价要对这个范围里的每个面额都合适：不低于供货价 ¥%(floor)s，不高于最高售价 ¥%(cap)s；请把范围缩小")
        raise PriceRuleInvalid(fields={"value": text % {"floor": floor, "cap": cap}})


@transaction.atomic
def listing_rename(*, shop_id: int, variant_id: int, name: str) -> None:
    """Call a variant by a name of the owner's own, or (with none) as the platform does; its price, and since when it
    stands, remain. Raises `ContentBlocked`."""
    prices_lock()
    listing = Listing.objects.select_for_update().filter(variant_id=variant_id).first()
    listing = listing or Listing.objects.create(variant_id=variant_id)
    Listing.objects.filter(pk=listing.pk).update(name=name)
    listing.name = name
    listing_screen(listing)
    Listing.objects.filter(SAYS_NOTHING, pk=listing.pk).delete()
    shop_touch(shop_id=shop_id)


@transaction.atomic
def listings_show(*, shop_id: int, variant_ids: Collection[int], is_visible: bool) -> int:
    """Show or hide several variants; how many of them the platform knows."""
    prices_lock()
    active = Variant.objects.filter(pk__in=variant_ids, is_active=True, product__owner=None)
    known = set(active.values_list("pk", flat=True))
    rows = {row.variant_id: row for row in Listing.objects.select_for_update().filter(variant_id__in=known)}
    if not is_visible:
        missing = [Listing(variant_id=pk, is_visible=False) for pk in sorted(known - rows.keys())]
        Listing.objects.bulk_create(missing)
    Listing.objects.filter(pk__in=[row.pk for row in rows.values()]).update(is_visible=is_visible)
    Listing.objects.filter(SAYS_NOTHING, variant_id__in=known).delete()
    shop_touch(shop_id=shop_id)
    return len(known)


def _placeable(shop_id: int, product_ids: Collection[int]) -> set[int]:
    """Those of them that stand on the shop's shelves: the platform's, and the owner's own."""
    theirs = Q(owner=None) | Q(owner=shop_id)
    return set(Product.objects.filter(theirs, pk__in=product_ids).values_list("pk", flat=True))


@transaction.atomic
def products_feature(*, shop_id: int, product_ids: Collection[int], is_featured: bool) -> int:
    """Recommend products on the shop's first page, or no longer; how many."""
    prices_lock()
    known = _placeable(shop_id, product_ids)
    Placement.objects.bulk_create(
        [Placement(product_id=pk, is_featured=is_featured) for pk in sorted(known)],
        update_conflicts=True,
        unique_fields=["product"],
        update_fields=["is_featured"],
    )
    Placement.objects.filter(PLACES_NOTHING).delete()
    shop_touch(shop_id=shop_id)
    return len(known)


@transaction.atomic
def products_to_front(*, shop_id: int, product_ids: Sequence[int]) -> int:
    """Put products before all others of the shop, in this order; how many."""
    prices_lock()
    known = _placeable(shop_id, product_ids)
    front = [pk for pk in dict.fromkeys(product_ids) if pk in known]
    behind = Placement.objects.filter(position__isnull=False).exclude(product_id__in=front)
    order = [*front, *behind.order_by("position", "pk").values_list("product_id", flat=True)]
    Placement.objects.bulk_create(
        [Placement(product_id=pk, position=place) for place, pk in enumerate(order)],
        update_conflicts=True,
        unique_fields=["product"],
        update_fields=["position"],
    )
    shop_touch(shop_id=shop_id)
    return len(front)


@transaction.atomic
def products_unplace(*, shop_id: int) -> int:
    """Show products in the platform's order again; how many the owner had placed. What is recommended stays so."""
    prices_lock()
    placed = Placement.objects.filter(position__isnull=False).update(position=None)
    Placement.objects.filter(PLACES_NOTHING).delete()
    shop_touch(shop_id=shop_id)
    return placed
