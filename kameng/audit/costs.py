"""I16: what goods cost is known, and no more than shops pay for them, or they are not on sale."""

from kameng.audit.reach import whole
from kameng.audit.reading import Breaches, found

_ON_SALE = """
WITH on_sale AS (
    SELECT variant.id, variant.sku, variant.cost, variant.supply_price
      FROM public.catalog_variant AS variant
      JOIN public.catalog_product AS product ON product.id = variant.product_id
      JOIN public.catalog_category AS category ON category.id = product.category_id
     WHERE variant.is_available AND variant.is_active AND product.is_active AND category.is_active
)
"""
_UNCOVERED = _ON_SALE + (
    "SELECT sku, supply_price, coalesce(cost::text, 'nobody knows how much') AS cost FROM on_sale"
    " WHERE cost IS NULL OR cost > supply_price"
)
_UNOFFERED = (
    _ON_SALE
    + """
SELECT sku, supply_price FROM on_sale
 WHERE NOT EXISTS (
       SELECT FROM public.suppliers_supplieroffer AS offer
         JOIN public.suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
        WHERE offer.variant_id = on_sale.id AND offer.is_active AND offer.is_listed
          AND offer.cost <= on_sale.supply_price AND supplier.is_active AND supplier.eliminated_at IS NULL)
"""
)
_UNCONFIRMED = """
SELECT id, supplier_sku, cost FROM public.suppliers_supplieroffer
 WHERE cost IS NOT NULL AND (proposed_price IS NOT NULL OR cost <= 0)
"""


@whole
def costs_are_known_and_covered() -> Breaches:
    """By what the catalogue was told, and by the offers behind it."""
    yield from found("{sku} is on sale, supplied at {supply_price}, and costs {cost}", _UNCOVERED)
    yield from found("{sku} is on sale, and nobody offers it at {supply_price} or less", _UNOFFERED)
    yield from found("offer #{id} ({supplier_sku}) costs {cost}, which nobody confirmed", _UNCONFIRMED)
