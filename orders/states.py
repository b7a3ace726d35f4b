"""The doors through which the state of an order, and of its lines, moves; and the lock under which it may."""

import json
from typing import Any

from kameng.core import sql
from kameng.outbox.services import publish
from orders.events import event_write
from orders.exceptions import IllegalTransition
from orders.models import Order, OrderLine

Status = Order.Status
LineStatus = OrderLine.Status

_LOCK = sql.InEachShop(
    f"""
SELECT {sql.columns(Order)}, statement_timestamp() AS locked_at FROM orders_order WHERE id = %s FOR UPDATE
""",
    by=["web", "worker"],
)


def order_lock(order_id: int) -> Order:
    """The order's row, locked until the transaction ends: the first lock of every flow that moves money or goods.

    `locked_at` is the moment by the database's clock. Raises `Order.DoesNotExist`.
    """
    for order in sql.instances(Order, _LOCK, [order_id]):
        return order
    raise Order.DoesNotExist


#: A step and its event are one statement, and only from the state that the caller saw: neither happens without the
#: other, or twice.
_EVENT_OF_STEP = """
INSERT INTO orders_orderevent (order_id, line_id, name, from_status, to_status, actor, data)
SELECT order_id, line_id, %(name)s, %(origin)s, %(to)s, %(actor)s, %(data)s::jsonb FROM moved ORDER BY line_id
"""
_ORDER_STEP = sql.InEachShop(
    """
WITH moved AS (
    UPDATE orders_order
       SET status = %(to)s, paid_at = CASE WHEN %(pays)s THEN statement_timestamp() ELSE paid_at END,
           finished_at = CASE WHEN %(ends)s THEN statement_timestamp() ELSE finished_at END,
           owner_collects = %(owner_collects)s
     WHERE id = %(order)s AND status = %(origin)s
    RETURNING id AS order_id, NULL::bigint AS line_id)
"""
    + _EVENT_OF_STEP,
    by=["web", "worker"],
)
_LINE_STEP = sql.InEachShop(
    """
WITH moved AS (
    UPDATE orders_orderline
       SET status = %(to)s, finished_at = CASE WHEN %(ends)s THEN statement_timestamp() ELSE finished_at END
     WHERE id = %(line)s AND status = %(origin)s
    RETURNING order_id, id AS line_id)
"""
    + _EVENT_OF_STEP,
    by=["worker"],
)
#: All lines of an order that is paid: none of them has gone anywhere before.
_LINES_STEP = sql.InEachShop(
    """
WITH moved AS (
    UPDATE orders_orderline SET status = %(to)s WHERE order_id = %(order)s AND status = %(origin)s
    RETURNING order_id, id AS line_id)
"""
    + _EVENT_OF_STEP,
    by=["web"],
)
_ENDS = sql.InEachShop("SELECT id, status, short_quantity FROM orders_orderline WHERE order_id = %s", by=["worker"])


def order_transition(order: Order, *, to: Order.Status, actor: str, **data: Any) -> None:
    """The only door for an order's status; the row must be locked. Raises `IllegalTransition`.

    `owner_collects` is written as the order has it.
    """
    origin = Status(order.status)
    if to not in Order.TRANSITIONS.get(origin, set()):
        raise IllegalTransition(f"order {order.number}: {origin} → {to}")
    step = {
        "order": order.pk, "origin": origin, "to": to, "name": f"order.{to}", "actor": actor, "data": json.dumps(data),
        "owner_collects": order.owner_collects, "pays": to == Status.PAID,
        "ends": to in (Status.FULFILLED, Status.REFUNDED, Status.PARTLY_REFUNDED),
    }  # fmt: skip
    if sql.execute(_ORDER_STEP, step) != 1:
        raise IllegalTransition(f"order {order.number} is not {origin} any more")
    order.status = to


def line_transition(line: OrderLine, *, to: OrderLine.Status, actor: str, **data: Any) -> None:
    """The only door for a line's status; its order must be locked. Staying where one is, is not a step.

    Raises `IllegalTransition`.
    """
    origin = LineStatus(line.status)
    if origin == to:
        return
    if to not in OrderLine.TRANSITIONS.get(origin, set()):
        raise IllegalTransition(f"line {line.pk}: {origin} → {to}")
    step = {
        "line": line.pk, "origin": origin, "to": to, "name": f"line.{to}", "actor": actor, "data": json.dumps(data),
        "ends": to in (LineStatus.DELIVERED, LineStatus.REFUNDED),
    }  # fmt: skip
    if sql.execute(_LINE_STEP, step) != 1:
        raise IllegalTransition(f"line {line.pk} is not {origin} any more")
    line.status = to


def lines_queue(order: Order, *, actor: str) -> None:
    """All lines of an order that has just been paid have their work before them; the row must be locked."""
    queued = {"order": order.pk, "origin": LineStatus.WAITING, "to": LineStatus.QUEUED, "actor": actor}
    sql.execute(_LINES_STEP, {**queued, "name": f"line.{LineStatus.QUEUED}", "data": "{}"})


def order_disproved(order: Order) -> None:
    """What had paid for the order never came: nothing more is bought for it. The row must be locked."""
    sql.execute("UPDATE orders_order SET disproved_at = statement_timestamp() WHERE id = %s", [order.pk])
    order.disproved_at = order.locked_at


def order_proved(order: Order) -> None:
    """It is paid for after all: what has not ended is bought. The row must be locked; twice is harmless."""
    if order.disproved_at is not None:
        sql.execute("UPDATE orders_order SET disproved_at = NULL WHERE id = %s", [order.pk])
        order.disproved_at = None


def line_short(line: OrderLine, *, quantity: int, actor: str) -> None:
    """So many of a line's units can be had from nobody, the others arrived; its order must be locked."""
    line.short_quantity = quantity
    line.save(update_fields=["short_quantity"])
    event_write(line.order, "line.short", actor=actor, line=line, quantity=quantity, amount=str(line.short_amount))


def lines_return(order: Order) -> None:
    """What of an order certainly did not arrive is looked at once more by whoever returns money; twice is harmless."""
    lines = sql.rows(_ENDS, [order.pk])
    for line_id, status, short in lines:
        if status == LineStatus.FAILED:
            publish("line.failed", line_id=line_id)
        elif status == LineStatus.DELIVERED and short:
            publish("line.short", line_id=line_id)


def order_recount(order: Order, *, actor: str) -> None:
    """Draw the order's state from its lines; the row must be locked. Called whenever a line reached an end.

    An order that arrived but for a part of a line is fulfilled until the money of that part is back. That may have
    happened while other lines were still under way, so whoever returns money is asked to look once more.
    """
    if order.status not in (Status.PAID, Status.FULFILLED, Status.PARTLY_REFUNDED):
        return
    lines = sql.rows(_ENDS, [order.pk])
    ends = {status for _id, status, _short in lines}
    if ends == {LineStatus.DELIVERED}:
        if order.status == Status.PARTLY_REFUNDED:
            return
        to = Status.FULFILLED
    elif ends == {LineStatus.REFUNDED}:
        to = Status.REFUNDED
    elif ends == {LineStatus.DELIVERED, LineStatus.REFUNDED}:
        to = Status.PARTLY_REFUNDED
    else:
        return
    if to == order.status:
        return
    order_transition(order, to=to, actor=actor)
    if to == Status.FULFILLED:
        for line_id in (line_id for line_id, _status, short in lines if short):
            publish("line.short", line_id=line_id)
