"""Deciding to return money: once for each cause, and never more than came in. `refund_outcomes` sees it through."""

import logging
from collections.abc import Iterable, Iterator
from decimal import Decimal

from django.db import transaction
from django.db.models import QuerySet, Sum

from customers.models import Route
from kameng.core.ids import ROUTE_LENGTH, random_id
from kameng.outbox.services import publish
from orders.events import event_write
from orders.models import Order, OrderLine
from orders.states import order_lock
from payments.collecting import disproved
from payments.exceptions import RefundTooEarly, RefundTooLarge
from payments.fees import fee_share
from payments.models import Payment, Refund
from payments.points import points_return
from payments.postings import refund_due
from payments.purses import PURSES, WITHOUT_MONEY
from payments.refund_outcomes import short_returned

logger = logging.getLogger(__name__)

NUMBER_LENGTH = 24
SURPLUS = "surplus"
#: Why money goes back by itself: the order has it already, or the owner's deposit does not reach for the goods.
NOT_NEEDED, NOT_SUPPLIED = "重复或多余付款，自动退回", "店铺暂时供不了货，自动退回"
#: How the causes of what goes back for a part, and of what people ask for, begin.
SHORT, ASKED = "short:", "ask:"

Status = Refund.Status


@transaction.atomic
def refund_request(
    *, payment_id: int, amount: Decimal, cause: str, reason: str, actor: str, line_id: int | None = None
) -> Refund:
    """Decide to return money; the gateway is told right afterwards. The same cause is refunded once.

    What goes back is the price of a line that has come to an end, or money that the order does not need. Raises
    `RefundTooEarly` otherwise, and `RefundTooLarge` if more would go out than came in, or than the line cost.
    """
    payment = Payment.objects.get(pk=payment_id)
    order = order_lock(payment.order_id)
    payment = Payment.objects.select_for_update().get(pk=payment_id)
    known = Refund.objects.filter(payment=payment, cause=cause).first()
    if known is not None:
        return known
    refund = Refund(payment=payment, line_id=line_id, amount=amount, cause=cause, reason=reason, actor=actor)
    refund_check(refund, order)
    refund_decide(refund, order)
    return refund


def refund_check(refund: Refund, order: Order) -> None:
    """Whether so much of its payment may go back for what it is for; a new refund, under the order's lock.

    Raises `RefundTooEarly` and `RefundTooLarge`.
    """
    payment, amount = refund.payment, refund.amount
    if amount <= 0 or payment.status != Payment.Status.CONFIRMED or amount > refundable(payment):
        raise RefundTooLarge
    if refund.line_id is not None:
        refund.line = line = OrderLine.objects.get(pk=refund.line_id, order=order)
        if line.status not in (OrderLine.Status.FAILED, OrderLine.Status.DELIVERED):
            raise RefundTooEarly
        if amount > line.amount - _returning(line):
            raise RefundTooLarge
    elif not payment.is_surplus:
        raise RefundTooEarly


def refund_decide(refund: Refund, order: Order) -> None:
    """It goes back: take it from what is there, and let the gateway be told. A refund that nobody has decided about."""
    payment = refund.payment
    refund.number = refund.number or refund_number(payment)
    # Of what was decided: by what only waits, and may come to nothing, the parts would not be the whole.
    before = _sum(payment.refunds.exclude(status__in=Refund.UNDECIDED).exclude(pk=refund.pk))
    refund.fee = fee_share(payment, before=before, amount=refund.amount)
    refund.status = Status.CREATED
    refund.route = refund_route(payment, order)
    refund.save()
    event_write(
        order,
        "refund.created",
        actor=refund.actor,
        refund=refund.number,
        amount=str(refund.amount),
        cause=refund.cause,
        payment=payment.number,
        route=refund.route,
    )
    refund_due(refund, payment, order, refund.line)
    points_return(refund, order)
    publish("refund.run", refund_id=refund.pk)


def refund_route(payment: Payment, order: Order) -> Route:
    """Where money of a payment would go back to if that were decided now. Only what the platform has collected can go
    elsewhere than it came from: what an owner has collected is not the platform's to keep."""
    if order.customer_id is None or payment.owner_collects or payment.gateway in PURSES:
        return Route.SOURCE
    return Route(order.refund_to)


def refund_number(payment: Payment) -> str:
    """A routed id of the payment's own shop."""
    return payment.number[:ROUTE_LENGTH] + random_id(NUMBER_LENGTH - ROUTE_LENGTH)


def refundable(payment: Payment) -> Decimal:
    """What came in and is not on its way back; take it under the order's lock.

    A failed refund still holds its amount, and so does one that waits for a second person.
    """
    return payment.amount - _sum(payment.refunds.exclude(status=Status.REJECTED))


def covering_payments(order: Order) -> list[Payment]:
    """What has paid for an order, in the order in which it goes back: money first, so that nobody gets a coupon back
    for money. Take it under the order's lock."""
    paid = order.payments.filter(status=Payment.Status.CONFIRMED, is_surplus=False)
    return sorted(paid, key=lambda payment: payment.gateway in WITHOUT_MONEY)


def shares_of(payments: Iterable[Payment], amount: Decimal) -> Iterator[tuple[Payment, Decimal]]:
    """How much of each goes back so that `amount` does, as far as there is as much left of them."""
    for payment in payments:
        share = min(amount, refundable(payment))
        if share > 0:
            yield payment, share
            amount -= share


def _returning(line: OrderLine) -> Decimal:
    """What has been returned for a line, is on its way back or waits for a second person."""
    return _sum(line.refunds.exclude(status=Status.REJECTED))


def _returning_by_itself(line: OrderLine) -> Decimal:
    """The same without what people ask for, which neither stands in for what nobody delivered nor holds it up."""
    return _sum(line.refunds.exclude(cause__startswith=ASKED))


def refund_askable(line: OrderLine) -> Decimal:
    """So much of a line's price a person may return, in yuan: of what arrived, less what was asked for before.

    Take it under the order's lock. The part that nobody delivered goes back by itself, and is left for that.
    """
    if line.status != OrderLine.Status.DELIVERED:
        return Decimal(0)
    asked = _sum(line.refunds.exclude(status=Status.REJECTED).exclude(cause__startswith=SHORT))
    return line.amount - line.short_amount - asked


def _sum(refunds: "QuerySet[Refund]") -> Decimal:
    return refunds.aggregate(total=Sum("amount"))["total"] or Decimal(0)


def line_refund(*, line_id: int, reason: str = "") -> None:
    """Nobody can deliver the line, or a part of it: return what that cost, from the payments that covered the order.

    `reason` is why, where it is not simply that. Where all of it is back already, the order is told so again: it may
    have arrived only after the money had.
    """
    with transaction.atomic():
        order = order_lock(OrderLine.objects.values_list("order_id", flat=True).get(pk=line_id))
        line = OrderLine.objects.get(pk=line_id)
        if line.status == OrderLine.Status.FAILED:
            cause, owed, reason = f"line:{line.pk}", line.amount, reason or "没充成，自动退款"
        elif line.status == OrderLine.Status.DELIVERED and line.short_quantity:
            cause, owed, reason = f"{SHORT}{line.pk}", line.short_amount, reason or "缺少的部分，自动退款"
        else:
            return
        open_amount = owed - _returning_by_itself(line)
        covering = covering_payments(order)
        for payment, share in shares_of(covering, open_amount):
            refund_request(
                payment_id=payment.pk, amount=share, cause=cause, reason=reason, actor="system", line_id=line.pk
            )
            open_amount -= share
        if line.short_quantity:
            line.order = order
            short_returned(line, "system")
        if not covering and (gone := order.payments.filter(owner_collects=True).first()):
            disproved(gone, order)
        if open_amount > 0 and not order.events.filter(name="refund.short", line=line).exists():
            logger.error(
                "line #%s: %s yuan cannot be returned from the payments of order %s", line.pk, open_amount, order.number
            )
            event_write(order, "refund.short", actor="system", line=line, amount=str(open_amount))


def surplus_refund(*, payment_id: int) -> None:
    """The order did not need this money: return what is left of it."""
    with transaction.atomic():
        payment = Payment.objects.get(pk=payment_id)
        order = order_lock(payment.order_id)
        payment = Payment.objects.select_for_update().get(pk=payment_id)
        if payment.status != Payment.Status.CONFIRMED or refundable(payment) <= 0:
            return
        if not payment.is_surplus:
            if order.paid_at is not None:
                return
            payment.is_surplus = True
            payment.save(update_fields=["is_surplus"])
        refund_request(
            payment_id=payment.pk,
            amount=refundable(payment),
            cause=SURPLUS,
            reason=NOT_SUPPLIED if payment.owner_collects and order.paid_at is None else NOT_NEEDED,
            actor="system",
        )
