"""The history of an order: one line for each thing that happened to it, written where it happens."""

import json
from typing import Any

from kameng.core import sql
from orders.models import Order, OrderLine

_EVENT = sql.InEachShop(
    """
INSERT INTO orders_orderevent (order_id, line_id, name, from_status, to_status, actor, data)
VALUES (%s, %s, %s, %s, %s, %s, %s)
""",
    by=["web"],
)


def event_write(
    order: Order,
    name: str,
    *,
    actor: str,
    line: OrderLine | None = None,
    from_status: str = "",
    to_status: str = "",
    **data: Any,
) -> None:
    """Leave one line in the order's history. `data` must be JSON and hold no secret."""
    line_id = line.pk if line is not None else None
    sql.later(_EVENT, [order.pk, line_id, name, from_status, to_status, actor, json.dumps(data)])
