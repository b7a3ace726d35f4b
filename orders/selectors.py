"""Reading orders where it happens often."""

from django.db import connection

from catalog.listings.permits import unlicensed
from kameng.core import sql
from orders.models import Order, OrderLine

_BY_NUMBER = f"SELECT {sql.columns(Order)} FROM orders_order WHERE number = %s"
_LINES = f"SELECT {sql.columns(OrderLine)} FROM orders_orderline WHERE order_id = %s ORDER BY position"
_TOLD = sql.InEachShop(f"""
SELECT concat_ws(' ', line.product_name, line.variant_name), coalesce((
       SELECT CASE WHEN bool_or('taken_down' IN (product.standing, listing.standing)) THEN 'taken_down'
                   WHEN bool_or({unlicensed(product="product", schema_name="%(schema)s")}) THEN 'unlicensed'
                   ELSE '' END
         FROM orders_orderline AS other
         JOIN public.catalog_variant AS variant ON variant.id = other.variant_id
         JOIN public.catalog_product AS product ON product.id = variant.product_id
         LEFT JOIN listings_listing AS listing ON listing.variant_id = other.variant_id
        WHERE other.order_id = line.order_id), '')
  FROM orders_orderline AS line WHERE line.order_id = %(order)s ORDER BY line.position LIMIT 1
""")


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
    title, stopped = sql.rows(_TOLD, {"order": order_id, "schema": schema_name})[0]
    return str(title), str(stopped)


def lines_of(order_id: int) -> list[OrderLine]:
    """An order's lines in their order."""
    return sql.instances(OrderLine, _LINES, [order_id])
