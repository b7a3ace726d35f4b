"""Points for money that was paid: given when the goods have arrived, taken back when their price goes back, spent.

The shop's owner bears them from what the order earns them, and never more than that; for the house shop, the platform.
"""

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from django.db import connection, transaction

from customers.models import Customer
from customers.points import PER_YUAN, points_give, points_take, worth
from kameng.core import sql
from orders.events import event_write
from orders.exceptions import OrderNotPayable
from orders.keeping import order_keep
from orders.models import Order, OrderLine
from orders.states import order_lock
from payments.models import Payment, Refund
from payments.postings import UNDELIVERED
from payments.purses import POINTS, PURSES, purse_pay
from payments.selectors import payments_of
from payments.wallets import missing_of
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller
from resellers.selectors import shop_in

_GIVEN = """
SELECT coalesce(-sum(entry.amount), 0) * %(per_yuan)s
  FROM public.ledger_journal AS journal
  JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id
  JOIN public.ledger_account AS account ON account.id = entry.account_id AND account.name = 'points'
 WHERE journal.key = %(key)s
"""
#: What an order has left to its owner so far, after coupons and fees that they bear.
_EARNED = """
SELECT coalesce(-sum(entry.amount), 0)
  FROM public.ledger_journal AS journal
  JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id
  JOIN public.ledger_account AS account ON account.id = entry.account_id
 WHERE journal.shop_id = %(shop)s AND journal.order_number = %(order)s
   AND account.name = 'pending' AND account.owner = %(shop)s
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """So many points could pay so much of an order."""

    points: int
    amount: Decimal


def points_offer(*, shop: Reseller, order: Order, customer: Customer | None) -> Offer | None:
    """What the customer's points could pay of the order: a part of the price that the shop's owner has set. None where
    that is nothing."""
    is_open = order.status == Order.Status.PENDING and not shop.collects_alone
    if customer is None or not is_open or order.customer_id not in (None, customer.pk):
        return None
    if any(one.gateway == POINTS.gateway for one in payments_of(order.pk)):
        return None
    most = _floor(order.total * shop.points_limit_percent)
    points = min(customer.points, most, _floor(missing_of(order) * PER_YUAN))
    return Offer(points, worth(points)) if points > 0 else None


@transaction.atomic
def points_use(*, shop: Reseller, order_id: int, customer: Customer) -> Payment:
    """Pay with points as much as they may. Raises `OrderNotPayable`, also once a gateway was asked, and `PointsShort`;
    nothing has moved then."""
    order = order_lock(order_id)
    customer.refresh_from_db(fields=["points"])
    offer = points_offer(shop=shop, order=order, customer=customer)
    if offer is None:
        raise OrderNotPayable
    order_keep(order_id=order_id, customer=customer, is_own_device=False)
    return purse_pay(
        order_id=order_id, purse=POINTS, holder_id=customer.pk, shop_id=shop.pk, actor="shopper", amount=offer.amount
    )


@transaction.atomic
def points_earn(*, line_id: int) -> None:
    """A line has arrived: give its customer points for the money that paid for it. Once, however often it is said.

    Nothing where an owner has collected, from whom the platform takes nothing, or where the price is on its way back.
    """
    order = order_lock(OrderLine.objects.values_list("order_id", flat=True).get(pk=line_id))
    line = OrderLine.objects.get(pk=line_id)
    shop = shop_in(connection.schema_name)  # type: ignore[attr-defined]
    if shop is None or order.customer_id is None or order.owner_collects or line.status != OrderLine.Status.DELIVERED:
        return
    key = _key(shop, line)
    if _decided(line) or sql.rows_anywhere("SELECT FROM public.ledger_journal WHERE key = %s", [key]):
        return
    points = _floor(_money_of(order, line) * shop.points_per_yuan)
    if not shop.is_house:
        came = line.quantity - line.short_quantity
        margin = (line.price - line.supply_price) * came
        ((earned,),) = sql.rows_anywhere(_EARNED, {"shop": shop.pk, "order": order.number})
        points = min(points, _floor(min(margin, earned) * PER_YUAN))
    if points > 0:
        owed = points_give(shop_id=shop.pk, customer_id=order.customer_id, points=points)
        moves = [_borne(shop, worth(points)), owed]
        post(key, Kind.POINTS_EARNED, moves, shop_id=shop.pk, order_number=order.number)
        event_write(order, "points.earned", actor="system", line=line, points=points)


def points_return(refund: Refund, order: Order) -> None:
    """Money of a delivered line goes back: take back what it had earned, as far as that is still there; under the
    order's lock. What has been spent already is the shop's loss, and the order's history says so."""
    line = refund.line
    if line is None or refund.cause.startswith(UNDELIVERED) or refund.payment.gateway in PURSES:
        return
    shop = shop_in(connection.schema_name)  # type: ignore[attr-defined]
    if shop is None or order.customer_id is None:
        return
    ((given,),) = sql.rows_anywhere(_GIVEN, {"key": _key(shop, line), "per_yuan": PER_YUAN})
    money = _money_of(order, line)
    if not given or not money:
        return
    before = sum((one.amount for one in _decided(line) if one.pk != refund.pk), Decimal(0))

    def part(returned: Decimal) -> int:
        return _floor(given * min(returned, money) / money)

    due = part(before + refund.amount) - part(before)
    taken, owed = points_take(shop_id=shop.pk, customer_id=order.customer_id, points=due)
    moves = [owed, _borne(shop, -worth(taken))]
    post(f"points_taken:{refund.number}", Kind.POINTS_TAKEN, moves, shop_id=shop.pk, order_number=order.number)
    event_write(order, "points.taken", actor="system", line=line, points=taken, gone=due - taken)


def _key(shop: Reseller, line: OrderLine) -> str:
    return f"points_earned:{shop.pk}:{line.pk}"


def _borne(shop: Reseller, amount: Decimal) -> Move:
    """So much more that points cost, for who gives them."""
    return Move(Name.COUPONS, amount) if shop.is_house else Move(Name.PENDING, amount, shop.pk)


def _decided(line: OrderLine) -> list[Refund]:
    """Money of what arrived that goes back, or is back."""
    refunds = line.refunds.exclude(status__in=Refund.UNDECIDED).exclude(payment__gateway__in=PURSES)
    return [refund for refund in refunds if not refund.cause.startswith(UNDELIVERED)]


def _money_of(order: Order, line: OrderLine) -> Decimal:
    """How much of what arrived of a line was paid in money: as much as of the whole order."""
    paid = [one for one in payments_of(order.pk) if one.status == Payment.Status.CONFIRMED and not one.is_surplus]
    money = sum((one.amount for one in paid if one.gateway not in PURSES), Decimal(0))
    return (line.amount - line.short_amount) * money / order.total


def _floor(amount: Decimal) -> int:
    return int(amount.to_integral_value(ROUND_FLOOR))
