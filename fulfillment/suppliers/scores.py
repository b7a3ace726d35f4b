"""Scores of all offers, computed from what happened and kept beside them, so that choosing is one look."""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from django.db import transaction

from catalog.models import Category
from fulfillment.suppliers.licensed import IS_LICENSED
from fulfillment.suppliers.models import RankingWeights, Supplier, SupplierOffer
from fulfillment.suppliers.ranking import ENOUGH_ATTEMPTS, Figures, Score, Weights, score
from kameng.alerts.services import alert_end, alert_raise
from kameng.core import sql

#: Attempts older than this say nothing any more; one of yesterday counts half as much as one of now.
DAYS, HALF_LIFE_HOURS = 8, 24
#: An incident counts half as much after so long.
INCIDENT_HALF_LIFE_HOURS = 6
#: Questions of the last month, and those still open.
AFTER_SALES_DAYS = 30
#: A category leans on one supplier where that one carries so much of the week's cost, of so many attempts at least.
DEPENDENT_SHARE, DEPENDENT_ATTEMPTS = 0.6, 20
DEPENDENCE = "supplier.dependence"
#: Two beats at once compute once.
LOCK = 0x6B6D01

#: What began while the breaker was open, or as it opened, is the incident's.
_BY = """
SELECT result.supplier_id, result.{scope} AS scope, count(*) AS counted, sum(weight) AS attempts,
       coalesce(sum(weight) FILTER (WHERE result.status = 'succeeded'), 0) AS succeeded,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY result.seconds) FILTER (WHERE result.status = 'succeeded') AS p50,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY result.seconds) FILTER (WHERE result.status = 'succeeded') AS p90
  FROM public.suppliers_supplierresult AS result,
       LATERAL (SELECT power(0.5::float, extract(epoch FROM statement_timestamp() - result.created_at)::float / 3600
                                         / %(half_life)s) AS weight) AS decayed
 WHERE result.created_at > statement_timestamp() - %(days)s * interval '1 day' AND NOT result.is_about_order
   AND NOT EXISTS (
       SELECT FROM public.suppliers_supplierincident AS incident
        WHERE incident.supplier_id = result.supplier_id
          AND result.created_at - result.seconds * interval '1 second'
              BETWEEN incident.started_at - interval '5 seconds' AND coalesce(incident.ended_at, statement_timestamp()))
 GROUP BY result.supplier_id, result.{scope}
"""
_INCIDENTS = """
SELECT incident.supplier_id, sum(power(0.5::float, ago.seconds / 3600 / %(half_life)s))
  FROM public.suppliers_supplierincident AS incident,
       LATERAL (SELECT extract(epoch FROM statement_timestamp()
                               - coalesce(incident.ended_at, statement_timestamp()))::float
                       AS seconds) AS ago
 WHERE ago.seconds < %(days)s * 86400
 GROUP BY incident.supplier_id
"""
_AFTER_SALES = """
SELECT supplier_id, avg(extract(epoch FROM coalesce(answered_at, statement_timestamp()) - asked_at))::float / 3600
  FROM public.suppliers_aftersalesrequest
 WHERE answered_at IS NULL OR answered_at > statement_timestamp() - %(days)s * interval '1 day'
 GROUP BY supplier_id
"""
_STORE = """
UPDATE public.suppliers_supplieroffer AS offer
   SET score = fresh.score, score_parts = fresh.parts::jsonb, scored_at = statement_timestamp()
  FROM unnest(%(ids)s::bigint[], %(scores)s::float[], %(parts)s::text[]) AS fresh (id, score, parts)
 WHERE offer.id = fresh.id
   AND (offer.score IS NULL OR offer.score <> fresh.score OR offer.score_parts <> fresh.parts::jsonb)
"""


@dataclass(frozen=True)
class _Known:
    """Everything that is known of suppliers, in the shape in which it is looked up."""

    by_category: dict[tuple[int, int], Figures]
    by_variant: dict[tuple[int, int], Figures]
    incidents: dict[int, float]
    after_sales: dict[int, float]


def scores_refresh() -> int:
    """Compute every offer's score anew; how many changed. Five statements, however many there are."""
    with transaction.atomic():
        if sql.rows_anywhere("SELECT pg_try_advisory_xact_lock(%s)", [LOCK]) == [(False,)]:
            return 0
        known = _known()
        weights = weights_by_category()
        offers = list(
            SupplierOffer.objects.filter(is_active=True)
            .select_related("supplier", "variant__product")
            .annotate(is_licensed=IS_LICENSED)
        )
        cheapest = _cheapest(offers)
        fresh = [(offer.pk, _score_of(offer, known, weights, cheapest.get(offer.variant_id))) for offer in offers]
        return sql.execute_anywhere(
            _STORE,
            {
                "ids": [pk for pk, _ in fresh],
                "scores": [found.total for _, found in fresh],
                "parts": [json.dumps(found.as_json()) for _, found in fresh],
            },
        )


def _score_of(offer: Any, known: _Known, weights: dict[int | None, Weights], cheapest: Decimal | None) -> Score:
    supplier, category_id = offer.supplier, offer.variant.product.category_id
    figures = known.by_variant.get((supplier.pk, offer.variant_id))
    scope = "variant"
    if figures is None or figures.counted < ENOUGH_ATTEMPTS:
        figures, scope = known.by_category.get((supplier.pk, category_id), Figures()), "category"
    if supplier.adapter == "stock":
        # Nobody is asked and nothing can be late: what lies there is there.
        figures = replace(figures, p50=0.0, p90=0.0)
    figures = replace(
        figures,
        incidents=known.incidents.get(supplier.pk, 0.0),
        after_sales_hours=known.after_sales.get(supplier.pk),
        cost=offer.cost,
        cheapest=cheapest,
        standing=supplier.standing,
        is_licensed=offer.is_licensed,
    )
    return score(figures, weights.get(category_id) or weights[None], scope=scope)


def _known() -> _Known:
    told = {"half_life": float(HALF_LIFE_HOURS), "days": DAYS}
    incidents = sql.rows_anywhere(sql.Report(_INCIDENTS), {"half_life": float(INCIDENT_HALF_LIFE_HOURS), "days": DAYS})
    return _Known(
        by_category=_figures(sql.rows_anywhere(sql.Report(_BY.format(scope="category_id")), told)),
        by_variant=_figures(sql.rows_anywhere(sql.Report(_BY.format(scope="variant_id")), told)),
        incidents={pk: float(sum_) for pk, sum_ in incidents},
        after_sales=dict(sql.rows_anywhere(sql.Report(_AFTER_SALES), {"days": AFTER_SALES_DAYS})),
    )


def _figures(rows: Iterable[Any]) -> dict[tuple[int, int], Figures]:
    return {
        (supplier_id, scope): Figures(
            attempts=float(attempts), succeeded=float(succeeded), counted=counted, p50=p50, p90=p90
        )
        for supplier_id, scope, counted, attempts, succeeded, p50, p90 in rows
    }


def _cheapest(offers: Iterable[SupplierOffer]) -> dict[int, Decimal]:
    costs: dict[int, list[Decimal]] = defaultdict(list)
    for offer in offers:
        if offer.cost is not None and offer.supplier.is_active:
            costs[offer.variant_id].append(offer.cost)
    return {variant_id: min(found) for variant_id, found in costs.items()}


def weights_by_category() -> dict[int | None, Weights]:
    """Weights by category; under None those of all the others."""
    found: dict[int | None, Weights] = {None: Weights()}
    for row in RankingWeights.objects.all():
        found[row.category_id] = Weights(row.success, row.speed, row.cost, row.after_sales, row.standing)
    return found


_WEEK = """
SELECT category_id, supplier_id, count(*) AS attempts, sum(cost) FILTER (WHERE status <> 'rejected') AS cost
  FROM public.suppliers_supplierresult
 WHERE created_at > statement_timestamp() - interval '7 days'
 GROUP BY category_id, supplier_id
"""
_ALTERNATIVES = """
SELECT DISTINCT product.category_id, supplier.code
  FROM public.suppliers_supplieroffer AS offer
  JOIN public.suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
  JOIN public.catalog_variant AS variant ON variant.id = offer.variant_id
  JOIN public.catalog_product AS product ON product.id = variant.product_id
 WHERE offer.is_active AND supplier.is_active AND supplier.eliminated_at IS NULL
 ORDER BY supplier.code
"""


@transaction.atomic
def dependence_watch() -> None:
    """Say where a category leans on one supplier, and on whom it could lean as well; take it back where it is over."""
    week: dict[int, dict[int, tuple[int, Decimal]]] = defaultdict(dict)
    for category_id, supplier_id, attempts, cost in sql.rows_anywhere(sql.Report(_WEEK), []):
        week[category_id][supplier_id] = (attempts, cost or Decimal(0))
    codes = dict(Supplier.objects.values_list("pk", "code"))
    others: dict[int, list[str]] = defaultdict(list)
    for category_id, code in sql.rows_anywhere(sql.Report(_ALTERNATIVES), []):
        others[category_id].append(code)
    for category in Category.objects.all():
        carried = week.get(category.pk, {})
        whole = sum((cost for _, cost in carried.values()), Decimal(0))
        largest = max(carried, key=lambda pk: carried[pk][1], default=None)
        share = float(carried[largest][1] / whole) if largest is not None and whole else 0.0
        enough = sum(attempts for attempts, _ in carried.values()) >= DEPENDENT_ATTEMPTS
        if largest is None or share <= DEPENDENT_SHARE or not enough:
            alert_end(DEPENDENCE, subject=category.slug)
            continue
        alert_raise(
            DEPENDENCE,
            subject=category.slug,
            supplier=codes[largest],
            share=round(share, 3),
            alternatives=[code for code in others[category.pk] if code != codes[largest]],
        )
