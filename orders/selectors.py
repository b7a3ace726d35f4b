"""Reading orders where it happens often."""

from kameng.core import sql
from orders.models import Order, OrderLine

_BY_NUMBER = f"SELECT {sql.columns(Order)} FROM orders_order WHERE number = %s"
_LINES = f"SELECT {sql.columns(OrderLine)} FROM orders_orderline WHERE order_id = %s ORDER BY position"
_TITLE = "SELECT product_name, variant_name FROM orders_orderline WHERE order_id = %s ORDER BY position LIMIT 1"


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


def order_title(order_id: int) -> str:
    """What a gateway is told that the order is about: its first line."""
    return " ".join(sql.rows(_TITLE, [order_id])[0])


def lines_of(order_id: int) -> list[OrderLine]:
    """An order's lines in their order."""
    return sql.instances(OrderLine, _LINES, [order_id])
