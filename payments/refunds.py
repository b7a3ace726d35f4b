"""Returning money: once for each cause, never more than came in, and asked about until the gateway's last word."""

import logging
from collections.abc import Iterable, Iterator
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.db.models.functions import Now
from django.utils import timezone

from customers.models import Route
from kameng.core.ids import ROUTE_LENGTH, random_id
from kameng.outbox.services import publish
from orders.decisions import decisions_moot
from orders.events import event_write
from orders.models import Decision, Order, OrderLine
from orders.states import line_transition, order_lock, order_recount, order_transition
from payments.collecting import disproved
from payments.exceptions import IllegalTransition, RefundTooEarly, RefundTooLarge
from payments.fees import fee_share
from payments.gateways.base import (
    GatewayRefused,
    GatewayUnavailable,
    GatewayUnknown,
    RefundRequest,
    RefundResult,
    RefundStatus,
)
from payments.gateways.registry import gateway_class
from payments.merchants.services import account_known, gateway_of, gateway_trouble
from payments.models import Payment, Refund
from payments.points import points_return
from payments.postings import refund_booked, refund_due
from payments.purses import PURSES, WITHOUT_MONEY, purse_give_back

logger = logging.getLogger(__name__)

NUMBER_LENGTH = 24
#: Pauses between questions, by the refund's age in seconds.
PAUSES = ((5, 1), (60, 5), (600, 30), (86_400, 300))
SURPLUS = "surplus"
#: Why money goes back by itself: the order has it already, or the owner's deposit does not reach for the goods.
NOT_NEEDED, NOT_SUPPLIED = "重复或多余付款，自动退回", "店铺暂时供不了货，自动退回"
#: How the causes of what goes back for a part, and of what people ask for, begin.
SHORT, ASKED = "short:", "ask:"
#: The code of a refund that may have gone through where sending it again could return the money twice.
UNCLEAR = "unclear"
#: The code of one that a person has returned.
BY_HAND = "by_hand"

Status = Refund.Status


def refund_transition(refund: Refund, *, to: Refund.Status, fields: tuple[str, ...] = ()) -> None:
    """The only door for a refund's status; the row must be locked. Raises `IllegalTransition`."""
    origin = Status(refund.status)
    if to not in Refund.TRANSITIONS.get(origin, set()):
        raise IllegalTransition(f"refund {refund.number}: {origin} → {to}")
    refund.status = to
    refund.save(update_fields=["status", *fields])


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
            _short_returned(line, "system")
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


def refund_run(*, refund_id: int) -> float | None:
    """Tell the gateway, or ask it; seconds until the next question. The number makes repeating harmless."""
    refund = Refund.objects.select_related("payment").filter(pk=refund_id).first()
    if refund is None or refund.status not in (Status.CREATED, Status.PENDING):
        return None
    payment = refund.payment
    if payment.gateway in PURSES or refund.route == Route.WALLET:
        _to_purse(refund.pk)
        return None
    account = account_known(payment.account_id)
    gateway = gateway_of(account)
    if not gateway.refund_repeats and not _only_once(refund):
        return None
    try:
        result: RefundResult | None = None
        if refund.status == Status.PENDING and gateway.refund_repeats:
            result = gateway.refund_query(payment=payment.number, refund=refund.number)
        if result is None or result.status == RefundStatus.MISSING:
            result = gateway.refund(
                RefundRequest(
                    payment=payment.number,
                    reference=payment.reference,
                    refund=refund.number,
                    amount=refund.amount,
                    total=payment.amount,
                    reason=refund.reason,
                    notify_url=f"{settings.WEBHOOK_BASE_URL}/webhooks/payments/{account.code}/",
                )
            )
    except GatewayRefused as refused:
        result = RefundResult(refund=refund.number, status=RefundStatus.FAILED, code=refused.code)
    except (GatewayUnavailable, GatewayUnknown) as failed:
        logger.warning("refund %s: %s", refund.number, failed)
        gateway_trouble(account, failed)
        if gateway.refund_repeats:
            return _pause(refund)
        result = RefundResult(refund=refund.number, status=RefundStatus.FAILED, code=UNCLEAR)
    refund_apply(refund_id=refund.pk, result=result, actor="system")
    return None if result.status in (RefundStatus.SUCCEEDED, RefundStatus.FAILED) else _pause(refund)


@transaction.atomic
def _to_purse(refund_id: int) -> None:
    """What was paid from a purse goes back there, and what the shopper wants in their wallet goes in, in the step that
    says so."""
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    order = order_lock(refund.payment.order_id)
    refund = Refund.objects.select_related("payment").select_for_update(of=("self",)).get(pk=refund_id)
    if refund.status in (Status.SUCCEEDED, Status.FAILED):
        return
    if refund.route == Route.SOURCE:
        purse_give_back(refund.payment, order, amount=refund.amount, refund=refund.number)
    done = RefundResult(refund=refund.number, status=RefundStatus.SUCCEEDED, reference=refund.number)
    refund_apply(refund_id=refund_id, result=done, actor="system")


def _only_once(refund: Refund) -> bool:
    """Whether to send what must not be sent twice: it is marked as under way before it is.

    One that is under way already was cut off in the middle, and whether it reached the gateway only a person can find
    out there.
    """
    if refund.status == Status.PENDING:
        unclear = RefundResult(refund=refund.number, status=RefundStatus.FAILED, code=UNCLEAR)
        refund_apply(refund_id=refund.pk, result=unclear, actor="system")
        return False
    with transaction.atomic():
        order_lock(refund.payment.order_id)
        fresh = Refund.objects.select_for_update().get(pk=refund.pk)
        if fresh.status != Status.CREATED:
            return False
        refund_transition(fresh, to=Status.PENDING)
    return True


def _pause(refund: Refund) -> float:
    age = (timezone.now() - refund.created_at).total_seconds()
    return float(next((pause for limit, pause in PAUSES if age < limit), 3600))


@transaction.atomic
def refund_apply(*, refund_id: int, result: RefundResult, actor: str) -> None:
    """Tell the books what a gateway said of a refund, however often."""
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    order = order_lock(refund.payment.order_id)
    refund = Refund.objects.select_for_update().get(pk=refund_id)
    if refund.status == Status.SUCCEEDED:
        return
    if refund.status in Refund.UNDECIDED:
        logger.error("refund %s is %s at the gateway, which was never told of it", refund.number, result.status)
        return
    if result.amount is not None and result.amount != refund.amount:
        _mismatched(refund, order, result.amount, actor)
        return
    was_stuck = refund.status == Status.FAILED
    refund.reference = result.reference or refund.reference
    refund.code = result.code[:64]
    if result.status == RefundStatus.SUCCEEDED:
        refund.finished_at = Now()
        refund.fee_returned = _fee_returned(refund)
        refund_transition(refund, to=Status.SUCCEEDED, fields=("reference", "code", "finished_at", "fee_returned"))
        refund_booked(refund, refund.payment, order)
        if was_stuck:
            decisions_moot(order, kind=Decision.Kind.BY_HAND, subject=refund.pk)
            # Its work ended when it got stuck; whoever waits for the money to be back (`kameng.dispatch`) hears of it.
            publish("refund.run", refund_id=refund.pk)
        event_write(order, "refund.succeeded", actor=actor, refund=refund.number, amount=str(refund.amount))
        if refund.line_id:
            _line_refunded(refund.line_id, actor)
            order_recount(order, actor=actor)
    elif result.status == RefundStatus.FAILED and refund.status != Status.FAILED:
        refund_transition(refund, to=Status.FAILED, fields=("reference", "code"))
        event_write(order, "refund.failed", actor=actor, refund=refund.number, code=refund.code)
        logger.error("refund %s failed at the gateway: %s", refund.number, refund.code)
    elif result.status == RefundStatus.PENDING and refund.status == Status.CREATED:
        refund_transition(refund, to=Status.PENDING, fields=("reference", "code"))


def _fee_returned(refund: Refund) -> Decimal:
    """What came back of the fee: nothing where the gateway was not asked. Of what a person has returned, nobody knows
    that any did: it may have gone another way."""
    if not refund.fee or refund.route == Route.WALLET:
        return Decimal(0)
    gateway = gateway_class(account_known(refund.payment.account_id).gateway)
    return refund.fee if gateway.refund_returns_fee and refund.code != BY_HAND else Decimal(0)


def _mismatched(refund: Refund, order: Order, theirs: Decimal, actor: str) -> None:
    """The gateway says that another amount went back: neither success nor failure, so a person looks at it."""
    if refund.status == Status.FAILED:
        return
    refund.code = "amount_mismatch"
    refund_transition(refund, to=Status.FAILED, fields=("code",))
    event_write(order, "refund.mismatch", actor=actor, refund=refund.number, theirs=str(theirs))
    logger.error("refund %s: the gateway says %s, we said %s", refund.number, theirs, refund.amount)


def _line_refunded(line_id: int, actor: str) -> None:
    line = OrderLine.objects.select_related("order").get(pk=line_id)
    if _returned(line) >= line.amount and line.status in (OrderLine.Status.FAILED, OrderLine.Status.DELIVERED):
        line_transition(line, to=OrderLine.Status.REFUNDED, actor=actor)
    else:
        _short_returned(line, actor)


def _short_returned(line: OrderLine, actor: str) -> None:
    """An order of which everything arrived but a part of this line is partly refunded once that part's price is back.

    As long as other lines are under way the order's state is theirs; when they have arrived, `line_refund` looks again.
    """
    is_back = line.short_quantity > 0 and _returned(line) >= line.short_amount
    if is_back and line.order.status == Order.Status.FULFILLED:
        order_transition(line.order, to=Order.Status.PARTLY_REFUNDED, actor=actor)


def _returned(line: OrderLine) -> Decimal:
    """What is back for certain."""
    return line.refunds.filter(status=Status.SUCCEEDED).aggregate(total=Sum("amount"))["total"] or Decimal(0)
