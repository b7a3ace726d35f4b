"""Reading works and attempts where it happens often."""

from fulfillment.models import Fulfillment, SupplierOrder
from kameng.core import sql

_WORK = f"SELECT {sql.columns(Fulfillment)} FROM fulfillment_fulfillment WHERE id = %s"
_ATTEMPT = f"SELECT {sql.columns(SupplierOrder)} FROM fulfillment_supplierorder WHERE id = %s"
_ATTEMPTS = (
    f"SELECT {sql.columns(SupplierOrder)} FROM fulfillment_supplierorder WHERE fulfillment_id = %s ORDER BY sequence"
)
_WORKS = f"""
SELECT {sql.columns(Fulfillment, of="work")}
  FROM fulfillment_fulfillment AS work JOIN orders_orderline AS line ON line.id = work.line_id
 WHERE line.order_id = %s ORDER BY work.id
"""
_ORDER_OF_WORK = """
SELECT line.order_id FROM fulfillment_fulfillment AS work JOIN orders_orderline AS line ON line.id = work.line_id
 WHERE work.id = %s
"""
_ORDER_OF_ATTEMPT = """
SELECT line.order_id
  FROM fulfillment_supplierorder AS buy
  JOIN fulfillment_fulfillment AS work ON work.id = buy.fulfillment_id
  JOIN orders_orderline AS line ON line.id = work.line_id
 WHERE buy.id = %s
"""


def works_of(order_id: int) -> list[Fulfillment]:
    """The duties that an order has led to so far."""
    return sql.instances(Fulfillment, _WORKS, [order_id])


def work_known(fulfillment_id: int) -> Fulfillment:
    """One of them. Raises `Fulfillment.DoesNotExist`."""
    for work in sql.instances(Fulfillment, _WORK, [fulfillment_id]):
        return work
    raise Fulfillment.DoesNotExist


def attempts_of(fulfillment_id: int) -> list[SupplierOrder]:
    """The attempts of a duty, first to last."""
    return sql.instances(SupplierOrder, _ATTEMPTS, [fulfillment_id])


def attempt_known(supplier_order_id: int) -> SupplierOrder:
    """One attempt. Raises `SupplierOrder.DoesNotExist`."""
    for buy in sql.instances(SupplierOrder, _ATTEMPT, [supplier_order_id]):
        return buy
    raise SupplierOrder.DoesNotExist


def order_id_of_work(fulfillment_id: int) -> int:
    """The id of the order that a duty is for. Raises `Fulfillment.DoesNotExist`."""
    for (order_id,) in sql.rows(_ORDER_OF_WORK, [fulfillment_id]):
        return int(order_id)
    raise Fulfillment.DoesNotExist


def order_id_of_attempt(supplier_order_id: int) -> int:
    """The id of the order that an attempt is for. Raises `SupplierOrder.DoesNotExist`."""
    for (order_id,) in sql.rows(_ORDER_OF_ATTEMPT, [supplier_order_id]):
        return int(order_id)
    raise SupplierOrder.DoesNotExist
