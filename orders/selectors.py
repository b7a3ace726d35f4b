"""Reading orders where it happens often."""

from django.db import connection

from catalog.listings.permits import unlicensed
from kameng.core import sql
from orders.models import Order, OrderLine

_BY_NUMBER = f"SELECT {sql.columns(Order)} FROM orders_order WHERE number = %s"
_LINES = f"SELECT {sql.columns(OrderLine)} FROM orders_orderline WHERE order_id = %s ORDER BY position"
_TOLD = sql.InEachShop("""
SELECT concat_ws(' ', line.product_name, line.variant_name), line.variant_id, listing.standing = 'taken_down'
  FROM orders_orderline AS line LEFT JOIN listings_listing AS listing ON listing.variant_id = line.variant_id
 WHERE line.order_id = %s ORDER BY line.position
""")
#: Apart from what the shop's own tables say, for it need not be planned anew in each shop.
_STOPPED = f"""
SELECT coalesce(bool_or(product.standing = 'taken_down'), FALSE),
       coalesce(bool_or({unlicensed(product="product", schema_name="%(schema)s")}), FALSE)
  FROM public.catalog_variant AS variant JOIN public.catalog_product AS product ON product.id = variant.product_id
 WHERE variant.id = ANY(%(variants)s::bigint[])
"""


def order_by_number(number: str) -> Order | None:
    """The order of this number, as it is stored (`kameng.core.ids.normalize`)."""
    for order in sql.instances(Order, _BY_NUMBER, [number]):
        return order
    return None


def order_status(order_id: int) -> str:
    """Where an order stands. Raises `Order.DoesNotExist`."""
    for (status,) in sql.rows("SELECT status FROM orders_order WHERE id = %s", [order_id]):
        return str(status)
    raise Order.DoesNotExist


def order_told(order_id: int) -> tuple[str, str]:
    """What a gateway is told that the order is about, its first line; and why it may not be paid any more: `taken_down`
    by the platform, or `unlicensed`, where the shop lacks a paper today that its category requires. Empty where it may.
    """
    schema_name: str = connection.schema_name  # type: ignore[attr-defined]
    lines = sql.rows(_TOLD, [order_id])
    variants = [variant_id for _, variant_id, _ in lines]
    ((taken_down, unlicensed_here),) = sql.rows_anywhere(_STOPPED, {"variants": variants, "schema": schema_name})
    if taken_down or any(here for *_, here in lines):
        return str(lines[0][0]), "taken_down"
    return str(lines[0][0]), "unlicensed" if unlicensed_here else ""


def lines_of(order_id: int) -> list[OrderLine]:
    """An order's lines in their order."""
    return sql.instances(OrderLine, _LINES, [order_id])
