"""Reading payments where it happens often."""

from kameng.core import sql
from payments.models import Payment

_ONE = f"SELECT {sql.columns(Payment)} FROM payments_payment WHERE id = %s"
_OF_ORDER = sql.InEachShop(
    f"SELECT {sql.columns(Payment)} FROM payments_payment WHERE order_id = %s ORDER BY id", by=["web"]
)
_LOCKED = sql.InEachShop(f"{_OF_ORDER} FOR UPDATE", by=["web"])
_WITH_NUMBER = sql.InEachShop(
    "SELECT id, order_id FROM payments_payment WHERE number = %s AND account_id = %s", by=["web"]
)
_CONFIRMED = "SELECT FROM payments_payment WHERE id = %s AND reference = %s AND status = 'confirmed'"


def payment_known(payment_id: int) -> Payment | None:
    """An attempt, or nothing."""
    for payment in sql.instances(Payment, _ONE, [payment_id]):
        return payment
    return None


def payments_of(order_id: int, *, lock: bool = False) -> list[Payment]:
    """An order's attempts, oldest first; `lock` them only under the order's lock."""
    return sql.instances(Payment, _LOCKED if lock else _OF_ORDER, [order_id])


def payment_with_number(number: str, *, account_id: int) -> tuple[int, int] | None:
    """The ids of an attempt at that account and of its order."""
    for payment_id, order_id in sql.rows(_WITH_NUMBER, [number, account_id]):
        return payment_id, order_id
    return None


def is_confirmed(payment_id: int, *, reference: str) -> bool:
    """Whether that money is booked already, by the gateway's own number."""
    return bool(sql.rows(_CONFIRMED, [payment_id, reference]))


def order_id_of(payment_id: int) -> int:
    """The id of an attempt's order. Raises `Payment.DoesNotExist`."""
    for (order_id,) in sql.rows("SELECT order_id FROM payments_payment WHERE id = %s", [payment_id]):
        return int(order_id)
    raise Payment.DoesNotExist
