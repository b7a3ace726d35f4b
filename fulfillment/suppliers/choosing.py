"""Who is asked for a variant, in which order, and why."""

import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django_tenants.utils import get_public_schema_name

from fulfillment.suppliers.base import Capability, SupplierMisconfigured
from fulfillment.suppliers.breaker import State, probe_take
from fulfillment.suppliers.connections import adapter_of, supplier_known
from fulfillment.suppliers.licensed import licensed
from fulfillment.suppliers.models import Supplier, SupplierOffer
from kameng.core import sql

#: An offer that has no score yet is taken for an average one.
UNSCORED = 50.0
#: How many of those that were passed over a purchase remembers.
REMEMBERED = 6


@dataclass
class Chosen:
    """An offer whose turn it is: `why` goes into `SupplierOrder.choice`."""

    offer: SupplierOffer
    why: dict[str, Any]


#: What the platform has taken down is bought from nobody: in the one shop whose listing it is, or everywhere.
_TAKEN_DOWN_HERE = sql.InEachShop(
    """
SELECT FROM listings_listing AS listing WHERE listing.variant_id = %(variant)s AND listing.standing = 'taken_down'
""",
    by=["worker"],
)
_TAKEN_DOWN = """
(SELECT product.standing FROM public.catalog_variant AS variant
   JOIN public.catalog_product AS product ON product.id = variant.product_id
  WHERE variant.id = %(variant)s) = 'taken_down'
"""
#: Every active offer; `left_out` is the word for why nobody buys there now, empty where somebody may.
_RANKED = f"""
SELECT {sql.columns(SupplierOffer, of="offer")}, coalesce(breaker.state, 'closed') AS breaker_state,
       coalesce(rule.is_pinned, FALSE) AS is_pinned,
       CASE WHEN %(here)s OR {_TAKEN_DOWN} THEN 'taken_down'
            WHEN offer.supplier_id = ANY(%(tried)s::bigint[]) THEN 'asked_before'
            WHEN NOT supplier.is_active THEN 'supplier_inactive'
            WHEN supplier.eliminated_at IS NOT NULL THEN 'eliminated'
            WHEN rule.is_excluded THEN 'excluded'
            WHEN NOT {licensed(variant_id="offer.variant_id", supplier_code="supplier.code")} THEN 'unlicensed'
            WHEN offer.standing <> 'clear' THEN 'unscreened'
            WHEN breaker.state = 'open' THEN 'breaker_open'
            WHEN NOT offer.is_listed THEN 'unlisted'
            WHEN offer.stock = 0 THEN 'out_of_stock'
            WHEN offer.cost IS NULL THEN 'unknown_cost'
            WHEN offer.cost > %(highest)s THEN 'loss'
            ELSE '' END AS left_out
  FROM public.suppliers_supplieroffer AS offer
  JOIN public.suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
  LEFT JOIN public.suppliers_supplierbreaker AS breaker ON breaker.supplier_id = supplier.id
  LEFT JOIN LATERAL (
       SELECT bool_or(word.kind = 'pin') AS is_pinned, bool_or(word.kind = 'exclude') AS is_excluded
         FROM public.suppliers_rankingrule AS word
         JOIN public.catalog_variant AS variant ON variant.id = offer.variant_id
         JOIN public.catalog_product AS product ON product.id = variant.product_id
        WHERE word.supplier_id = offer.supplier_id
          AND (word.expires_at IS NULL OR word.expires_at > statement_timestamp())
          AND (word.variant_id IS NULL OR word.variant_id = offer.variant_id)
          AND (word.category_id IS NULL OR word.category_id = product.category_id)) AS rule ON TRUE
 WHERE offer.variant_id = %(variant)s AND offer.is_active
 ORDER BY coalesce(rule.is_pinned, FALSE) DESC, coalesce(offer.score, {UNSCORED}) DESC,
          offer.rank, offer.cost, offer.id
"""


def _ranked(*, variant_id: int, highest_cost: Decimal, tried: Collection[int]) -> list[Any]:
    """All active offers, in the current shop or, for operators, on the platform."""
    here = is_taken_down_here(variant_id)
    told = {"variant": variant_id, "highest": highest_cost, "tried": list(tried), "here": here}
    return sql.instances_anywhere(SupplierOffer, _RANKED, told)


def is_taken_down_here(variant_id: int) -> bool:
    """Whether the platform has taken the current shop's listing of a variant down; operators are in no shop."""
    is_public = connection.schema_name == get_public_schema_name()  # type: ignore[attr-defined]
    return not is_public and bool(sql.rows(_TAKEN_DOWN_HERE, {"variant": variant_id}))


def is_taken_down(variant_id: int) -> bool:
    """Whether the platform has taken a variant down, everywhere or in the current shop."""
    ((everywhere,),) = sql.rows_anywhere(f"SELECT {_TAKEN_DOWN}", {"variant": variant_id})
    return bool(everywhere) or is_taken_down_here(variant_id)


def offers_ranked(
    *, variant_id: int, highest_cost: Decimal, tried: Collection[int], draw: str = ""
) -> Iterator[Chosen]:
    """Whom to ask for a variant, one after the other: pinned, then by score.

    Left out are what was taken down, unknown cost, loss, who was tried for this line before, who has none, is excluded,
    eliminated, paused, without a required license, not passed by the gate or behind an open breaker. `highest_cost` in
    yuan for one piece: what the shopper paid for it. A half-open supplier comes first for the one order that may try
    it. Of the orders, told apart by `draw`, a small share begins with another than the first, so that it is known how
    the others do.
    """
    offers = _ranked(variant_id=variant_id, highest_cost=highest_cost, tried=tried)
    for offer in offers:
        offer.supplier = supplier_known(offer.supplier_id)
    able = [offer for offer in offers if not offer.left_out]
    in_trial = [offer for offer in able if offer.breaker_state == State.HALF_OPEN]
    ranked = [offer for offer in able if offer.breaker_state == State.CLOSED]
    left_out = [_passed(offer, offer.left_out) for offer in offers if offer.left_out]
    left_out += [_passed(offer, "probe_taken") for offer in in_trial]
    order = [_chosen(offer, ranked, left_out, "pin" if offer.is_pinned else "score") for offer in ranked]
    if len(order) == 1 and order[0].why["by"] == "score":
        order[0].why["by"] = "only"
    if draw and len(order) > 1 and not ranked[0].is_pinned and not is_ours(ranked[0].supplier):
        order = _explored(order, ranked, left_out, draw)
    return _in_turn(order, [_chosen(offer, able, [], "probe") for offer in in_trial])


def offers_order(*, variant_id: int, highest_cost: Decimal) -> list[int]:
    """The ids of the offers that an order would be bought at, first to last, without reading their suppliers."""
    offers = _ranked(variant_id=variant_id, highest_cost=highest_cost, tried=())
    return [offer.pk for offer in offers if not offer.left_out]


def somebody_rests(
    *, variant_id: int, highest_cost: Decimal, tried: Collection[int], unreached: Collection[int] = ()
) -> bool:
    """Whether one who could deliver is left out for nothing but its breaker: open, or half open and tried by another
    order at this moment; or because it is one of the `unreached`, whose breaker has not opened."""
    offers = _ranked(variant_id=variant_id, highest_cost=highest_cost, tried=tried)
    return any(
        (offer.left_out == "breaker_open" and offer.is_listed and offer.stock != 0 and _pays(offer, highest_cost))
        or (not offer.left_out and (offer.breaker_state == State.HALF_OPEN or offer.supplier_id in unreached))
        for offer in offers
    )


def _pays(offer: SupplierOffer, highest_cost: Decimal) -> bool:
    return offer.cost is not None and offer.cost <= highest_cost


def _in_turn(order: list[Chosen], in_trial: list[Chosen]) -> Iterator[Chosen]:
    for choice in in_trial:
        if probe_take(supplier_id=choice.offer.supplier_id):
            yield choice
    yield from order


#: Why those that rank higher were passed over, by why this one was chosen.
_PASSED_FOR = {"score": "asked_before", "pin": "pinned", "explore": "explored", "probe": "explored"}


def _chosen(offer: Any, among: list[Any], left_out: list[dict[str, str]], by: str) -> Chosen:
    better = among[: among.index(offer)]
    passed = [_passed(other, _PASSED_FOR[by]) for other in better] + left_out
    place = {"place": len(better) + 1, "of": len(among), "score": offer.score}
    return Chosen(offer, {"by": by, **place, "instead_of": passed[:REMEMBERED]})


def _passed(offer: Any, reason: str) -> dict[str, str]:
    return {"name": offer.supplier.name, "reason": reason}


def _explored(order: list[Chosen], ranked: list[Any], left_out: list[dict[str, str]], draw: str) -> list[Chosen]:
    number = zlib.crc32(draw.encode())
    if number % 100 >= settings.SUPPLIER_EXPLORATION_PERCENT:
        return order
    others = [place for place, offer in enumerate(ranked) if place and not by_hand(offer.supplier)]
    if not others:
        return order
    place = others[number // 100 % len(others)]
    return [_chosen(ranked[place], ranked, left_out, "explore"), *order[:place], *order[place + 1 :]]


def is_ours(supplier: Supplier) -> bool:
    """Whether buying there is nothing but a change in our own database."""
    return _has(supplier, Capability.SAME_DATABASE)


def by_hand(supplier: Supplier) -> bool:
    """Whether our own people deliver, and nobody is called."""
    return _has(supplier, Capability.MANUAL)


def _has(supplier: Supplier, capability: Capability) -> bool:
    try:
        return capability in adapter_of(supplier).capabilities
    except SupplierMisconfigured:
        return False
