"""Reading orders where it happens often."""

import json

from django.db import connection

from catalog.listings.permits import unlicensed
from kameng.core import sql
from orders.models import Order, OrderLine

#: An order's lines: what a gateway is told of each, which variant it is, and whether the platform has taken that down
#: in this shop.
_GOODS = """
SELECT json_agg(json_build_array(concat_ws(' ', line.product_name, line.variant_name), line.variant_id,
                                 coalesce(listing.standing = 'taken_down', FALSE)) ORDER BY line.position)::text
  FROM orders_orderline AS line LEFT JOIN listings_listing AS listing ON listing.variant_id = line.variant_id
 WHERE line.order_id = {order}
"""
_BY_NUMBER = sql.InEachShop(
    f"""
SELECT {sql.columns(Order)}, ({_GOODS.format(order="orders_order.id")}) AS goods FROM orders_order WHERE number = %s
""",
    by=["web"],
)
_LINES = sql.InEachShop(
    f"SELECT {sql.columns(OrderLine)} FROM orders_orderline WHERE order_id = %s ORDER BY position", by=["worker"]
)
#: Apart from what the shop's own tables say, for it need not be planned in each shop.
_STOPPED = f"""
SELECT coalesce(bool_or(product.standing = 'taken_down'), FALSE),
       coalesce(bool_or({unlicensed(product="product", schema_name="%(schema)s")}), FALSE)
  FROM public.catalog_variant AS variant JOIN public.catalog_product AS product ON product.id = variant.product_id
 WHERE variant.id = ANY(%(variants)s::bigint[])
"""


def order_by_number(number: str) -> Order | None:
    """The order of this number, as it is stored (`kameng.core.ids.normalize`), ready to be told of (`order_told`)."""
    for order in sql.instances(Order, _BY_NUMBER, [number]):
        return order
    return None


def order_status(order_id: int) -> str:
    """Where an order stands. Raises `Order.DoesNotExist`."""
    for (status,) in sql.rows("SELECT status FROM orders_order WHERE id = %s", [order_id]):
        return str(status)
    raise Order.DoesNotExist


def order_told(order: Order) -> tuple[str, str]:
    """What a gateway is told that the order is about, its first line; and why it may not be paid any more: `taken_down`
    by the platform, or `unlicensed`, where the shop lacks a paper today that its category requires. Empty where it may.
    """
    schema_name: str = connection.schema_name  # type: ignore[attr-defined]
    goods = getattr(order, "goods", None) or sql.rows(_GOODS.format(order="%s"), [order.pk])[0][0]
    titles, variants, taken_down_here = zip(*json.loads(goods), strict=True)
    told = {"variants": list(variants), "schema": schema_name}
    ((taken_down, is_unlicensed),) = sql.rows_anywhere(_STOPPED, told)
    if taken_down or any(taken_down_here):
        return titles[0], "taken_down"
    return titles[0], "unlicensed" if is_unlicensed else ""


def lines_of(order_id: int) -> list[OrderLine]:
    """An order's lines in their order."""
    return sql.instances(OrderLine, _LINES, [order_id])
