"""Reading payments where it happens often."""

from decimal import Decimal
from typing import NamedTuple

from kameng.core import sql
from payments.models import Payment

_OF_ORDER = "SELECT * FROM payments_payment WHERE order_id = %s ORDER BY id"
_LOCKED = f"{_OF_ORDER} FOR UPDATE"
_WITH_NUMBER = "SELECT id, order_id FROM payments_payment WHERE number = %s AND account_id = %s"
_REFUNDS = """
SELECT refund.number, payment.number, refund.status, refund.amount
  FROM payments_refund AS refund JOIN payments_payment AS payment ON payment.id = refund.payment_id
 WHERE payment.order_id = %s ORDER BY refund.id
"""


class RefundOfOrder(NamedTuple):
    """One attempt to return money, with the number of the payment that it is part of; yuan."""

    number: str
    payment: str
    status: str
    amount: Decimal


def refunds_of(order_id: int) -> list[RefundOfOrder]:
    """What went back for an order, or is on its way, oldest first."""
    return [RefundOfOrder(*row) for row in sql.rows(_REFUNDS, [order_id])]


def payment_known(payment_id: int) -> Payment | None:
    """An attempt, or nothing."""
    for payment in Payment.objects.raw("SELECT * FROM payments_payment WHERE id = %s", [payment_id]):
        return payment
    return None


def payments_of(order_id: int, *, lock: bool = False) -> list[Payment]:
    """An order's attempts, oldest first; `lock` them only under the order's lock."""
    return list(Payment.objects.raw(_LOCKED if lock else _OF_ORDER, [order_id]))


def payment_with_number(number: str, *, account_id: int) -> tuple[int, int] | None:
    """The ids of an attempt at that account and of its order."""
    for payment_id, order_id in sql.rows(_WITH_NUMBER, [number, account_id]):
        return payment_id, order_id
    return None


def order_id_of(payment_id: int) -> int:
    """The id of an attempt's order. Raises `Payment.DoesNotExist`."""
    for (order_id,) in sql.rows("SELECT order_id FROM payments_payment WHERE id = %s", [payment_id]):
        return int(order_id)
    raise Payment.DoesNotExist
