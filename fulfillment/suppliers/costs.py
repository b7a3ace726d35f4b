"""What a change of cost leads to, in one place: who can be bought from, what shops pay, what leaves sale.

Whoever changes an offer or a supplier calls `availability_refresh` in the same transaction. The variants are locked
first and looked at afterwards, so that of two who come at once the second one sees what the first one wrote.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import transaction

from catalog.models import Revision
from fulfillment.suppliers.base import Capability, SupplierMisconfigured
from fulfillment.suppliers.connections import adapter_of
from fulfillment.suppliers.licensed import licensed
from fulfillment.suppliers.models import Supplier
from kameng.alerts.models import Alert
from kameng.alerts.services import alerts_end, alerts_raise
from kameng.core import sql
from resellers.services import shop_touch

#: The currency in which everything is kept.
YUAN = "CNY"
#: In yuan for one piece; what is said to be dearer is a mistake.
HIGHEST_COST = Decimal(1_000_000)

#: Alerts: a variant left sale, because every offer costs more than the shops pay; a supply price was raised.
ABOVE_SUPPLY, SUPPLY_RAISED = "cost.above_supply", "cost.supply_raised"
#: A cost that only a person can know was typed long ago: told after this share of the time for which it counts.
GROWN_OLD, TYPED_COST_TOLD_AT = "cost.typed_long_ago", 2 / 3

#: Which offers can be bought at all, over `offer` and `supplier`.
BUYABLE = f"""
       offer.is_active AND offer.cost IS NOT NULL AND offer.is_listed AND coalesce(offer.stock, 1) > 0
   AND offer.standing = 'clear'
   AND supplier.is_active AND supplier.eliminated_at IS NULL
   AND (supplier.adapter <> 'stock' OR EXISTS (
        SELECT FROM public.suppliers_stockcode AS code
         WHERE code.variant_id = offer.variant_id AND code.supplier_id = supplier.id AND code.reference = ''))
   AND {licensed(variant_id="offer.variant_id", supplier_code="supplier.code")}
"""

_LOCK = "SELECT id FROM public.catalog_variant WHERE {which} ORDER BY id FOR UPDATE"
_OF_SUPPLIERS = "id IN (SELECT variant_id FROM public.suppliers_supplieroffer WHERE supplier_id = ANY(%s::bigint[]))"
_OF_CATEGORY = "product_id IN (SELECT id FROM public.catalog_product WHERE category_id = %s)"

#: The best offer is the first one in the order of asking that costs no more than the shops pay; where there is none,
#: the cheapest, whose cost says how far the supply price would have to rise.
_DECIDE = f"""
WITH wanted AS (
    SELECT variant.id, variant.sku, variant.supply_price, variant.cost, variant.is_available, category.supply_markup,
           product.owner_id,
           variant.is_active AND product.is_active AND category.is_active AS is_sold
      FROM public.catalog_variant AS variant
      JOIN public.catalog_product AS product ON product.id = variant.product_id
      JOIN public.catalog_category AS category ON category.id = product.category_id
     WHERE variant.id = ANY(%s::bigint[])
), best AS (
    SELECT DISTINCT ON (offer.variant_id) offer.variant_id, offer.cost
      FROM public.suppliers_supplieroffer AS offer
      JOIN public.suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
      JOIN wanted ON wanted.id = offer.variant_id
     WHERE {BUYABLE}
     ORDER BY offer.variant_id, offer.cost > wanted.supply_price,
              CASE WHEN offer.cost > wanted.supply_price THEN offer.cost END, offer.rank, offer.cost, offer.id
), priced AS (
    SELECT wanted.*, best.cost AS best_cost,
           CASE WHEN best.cost > wanted.supply_price AND wanted.supply_markup IS NOT NULL
                THEN round(ceil(best.cost * (100 + wanted.supply_markup)) / 100, 2)
                ELSE wanted.supply_price END AS supply_now
      FROM wanted LEFT JOIN best ON best.variant_id = wanted.id
), decided AS (
    -- A breaker says who can be reached, and nothing about what goods cost.
    SELECT priced.*, EXISTS (
           SELECT FROM public.suppliers_supplieroffer AS offer
             JOIN public.suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
            WHERE offer.variant_id = priced.id AND offer.cost <= priced.supply_now AND {BUYABLE}
              AND NOT EXISTS (SELECT FROM public.suppliers_supplierbreaker AS breaker
                               WHERE breaker.supplier_id = supplier.id AND breaker.state = 'open')) AS is_on_sale
      FROM priced
), changed AS (
    UPDATE public.catalog_variant AS variant
       SET is_available = decided.is_on_sale,
           cost = coalesce(decided.best_cost, variant.cost), supply_price = decided.supply_now,
           supply_raised_at = CASE WHEN decided.supply_now > variant.supply_price THEN statement_timestamp()
                                   ELSE variant.supply_raised_at END
      FROM decided
     WHERE variant.id = decided.id
       AND (variant.is_available, variant.cost, variant.supply_price) IS DISTINCT FROM
           (decided.is_on_sale, coalesce(decided.best_cost, variant.cost),
            decided.supply_now)
    RETURNING variant.id
)
SELECT decided.sku, decided.is_sold, decided.supply_price, decided.supply_now, decided.best_cost,
       changed.id IS NOT NULL AS is_changed, decided.owner_id
  FROM decided LEFT JOIN changed ON changed.id = decided.id
"""


@dataclass(frozen=True, slots=True)
class _Decided:
    """What one variant's offers led to. Amounts in yuan."""

    sku: str
    is_sold: bool
    supply_before: Decimal
    supply: Decimal
    cost: Decimal | None
    is_changed: bool
    #: Whose own good it is, if anybody's: only that shop's pages show it.
    owner_id: int | None

    @property
    def is_too_dear(self) -> bool:
        """It could be bought, but only at a loss."""
        return self.is_sold and self.cost is not None and self.cost > self.supply


@transaction.atomic
def availability_refresh(
    *,
    variant_ids: Iterable[int] | None = None,
    supplier_ids: Iterable[int] | None = None,
    category_id: int | None = None,
) -> int:
    """Tell the catalogue what can be bought and what it costs, for everything if nothing is named.

    Where all offers cost more than the supply price, that one rises to cost plus the category's markup (and never falls
    by itself), or, without a markup, the variant leaves sale; both are told to operators, and to owners by what their
    own pages compute from it. Returns how many variants changed; pages are rebuilt only then.
    """
    which: str = "TRUE"
    parameters: list[Any] = []
    if variant_ids is not None:
        which, parameters = "id = ANY(%s::bigint[])", [list(variant_ids)]
    elif supplier_ids is not None:
        which, parameters = _OF_SUPPLIERS, [list(supplier_ids)]
    elif category_id is not None:
        which, parameters = _OF_CATEGORY, [category_id]
    locked = [pk for (pk,) in sql.rows_anywhere(sql.Report(_LOCK.format(which=which)), parameters)]
    if not locked:
        return 0
    decided = [_Decided(*row) for row in sql.rows_anywhere(sql.Report(_DECIDE), [locked])]
    _tell_operators(decided)
    changed = [variant.owner_id for variant in decided if variant.is_changed]
    if None in changed:
        Revision.bump()
    for shop_id in sorted({owner_id for owner_id in changed if owner_id is not None}):
        shop_touch(shop_id=shop_id)
    return len(changed)


def _tell_operators(decided: list[_Decided]) -> None:
    dear = {variant.sku: _amounts(variant) for variant in decided if variant.is_too_dear}
    alerts_raise(ABOVE_SUPPLY, dear)
    alerts_end(ABOVE_SUPPLY, [variant.sku for variant in decided if variant.sku not in dear])
    raised = {variant.sku: _amounts(variant) for variant in decided if variant.supply > variant.supply_before}
    alerts_raise(SUPPLY_RAISED, raised)


def _amounts(variant: _Decided) -> dict[str, Any]:
    amounts = {"before": str(variant.supply_before), "supply": str(variant.supply), "cost": str(variant.cost)}
    return {"sku": variant.sku, **amounts}


def list_only_suppliers() -> list[int]:
    """Suppliers whose costs are known from their price list alone: an old cost cannot be asked about before buying."""
    found = []
    for supplier in Supplier.objects.all():
        try:
            can = adapter_of(supplier).capabilities
        except SupplierMisconfigured:
            continue
        if Capability.CATALOG in can and not can & {Capability.PRICE, Capability.COST_GUARD}:
            found.append(supplier.pk)
    return found


def typed_only_suppliers() -> list[int]:
    """Suppliers over whose protocol nobody can learn a cost, nor hold a purchase to one: what a person typed is all
    that is known, and it grows old."""
    found = []
    for supplier in Supplier.objects.all():
        try:
            if is_typed_only(adapter_of(supplier).capabilities):
                found.append(supplier.pk)
        except SupplierMisconfigured:
            continue
    return found


def is_typed_only(can: frozenset[Capability]) -> bool:
    """The same of one protocol. Our own shelf and our own people cost what we say."""
    ways = {Capability.CATALOG, Capability.PRICE, Capability.COST_GUARD, Capability.SAME_DATABASE, Capability.MANUAL}
    return not can & ways


_GROWN_OLD = """
SELECT supplier.code, offer.id, variant.sku, offer.supplier_sku
  FROM public.suppliers_supplieroffer AS offer
  JOIN public.suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
  JOIN public.catalog_variant AS variant ON variant.id = offer.variant_id
 WHERE supplier.id = ANY(%s::bigint[]) AND supplier.is_active AND offer.is_active
   AND (offer.cost IS NOT NULL OR offer.list_price IS NOT NULL)
   AND coalesce(offer.synced_at, offer.updated_at) < statement_timestamp() - %s * interval '1 day'
"""


def typed_costs_watch() -> None:
    """Ask people to look at costs that they typed long ago, well before those count as unknown."""
    days = settings.TYPED_COST_MAX_AGE_DAYS * TYPED_COST_TOLD_AT
    old = {
        f"{code}#{offer}": {"supplier": code, "sku": sku, "supplier_sku": theirs, "days": round(days)}
        for code, offer, sku, theirs in sql.rows_anywhere(sql.Report(_GROWN_OLD), [typed_only_suppliers(), days])
    }
    known = Alert.objects.filter(kind=GROWN_OLD, closed_at=None).exclude(subject__in=old)
    alerts_end(GROWN_OLD, list(known.values_list("subject", flat=True)))
    alerts_raise(GROWN_OLD, old)


#: What an offer costs follows from its listed price alone, once there is one; a cost that a person typed stays.
_RECOMPUTE = """
WITH rate AS (
    SELECT DISTINCT ON (currency) currency, yuan, as_of FROM public.suppliers_exchangerate
     WHERE as_of <= statement_timestamp() ORDER BY currency, as_of DESC
), wrong AS (
    SELECT offer.id, told.cost
      FROM public.suppliers_supplieroffer AS offer
      JOIN public.suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
      LEFT JOIN rate ON rate.currency = supplier.currency
     CROSS JOIN LATERAL (SELECT CASE
           WHEN offer.proposed_price IS NOT NULL THEN NULL
           WHEN supplier.id = ANY(%(list_only)s::bigint[])
                AND offer.synced_at < statement_timestamp() - %(cost_minutes)s * interval '1 minute' THEN NULL
           WHEN supplier.id = ANY(%(typed_only)s::bigint[])
                AND offer.synced_at < statement_timestamp() - %(typed_days)s * interval '1 day' THEN NULL
           WHEN supplier.currency = 'CNY' THEN offer.list_price
           WHEN rate.as_of > statement_timestamp() - %(rate_hours)s * interval '1 hour'
                AND offer.list_price * rate.yuan <= %(highest)s
                THEN ceil(offer.list_price * rate.yuan * 10000) / 10000
           END AS cost) AS told
     WHERE offer.list_price IS NOT NULL AND offer.cost IS DISTINCT FROM told.cost
     ORDER BY offer.id FOR UPDATE OF offer
)
UPDATE public.suppliers_supplieroffer AS offer SET cost = wrong.cost
  FROM wrong WHERE wrong.id = offer.id RETURNING offer.variant_id
"""


@transaction.atomic
def costs_recompute() -> int:
    """Bring every cost in line with its listed price, the rates and their age; how many changed.

    One statement, then the same consequences as after a price list. Idempotent.
    """
    limits = {
        "list_only": list_only_suppliers(),
        "typed_only": typed_only_suppliers(),
        "typed_days": settings.TYPED_COST_MAX_AGE_DAYS,
        "cost_minutes": settings.COST_MAX_AGE_MINUTES,
        "rate_hours": settings.EXCHANGE_RATE_MAX_AGE_HOURS,
        "highest": HIGHEST_COST,
    }
    variants = [pk for (pk,) in sql.rows_anywhere(sql.Report(_RECOMPUTE), limits)]
    if variants:
        availability_refresh(variant_ids=set(variants))
    return len(variants)
