"""What becomes of refunds that were decided: a gateway is told and asked until its last word, or a purse is refilled;
the books and the order hear of it."""

import logging
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now
from django.utils import timezone

from customers.models import Route
from kameng.outbox.services import publish
from orders.decisions import decisions_moot
from orders.events import event_write
from orders.models import Decision, Order, OrderLine
from orders.states import line_transition, order_lock, order_recount, order_transition
from payments.exceptions import IllegalTransition
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
from payments.models import Refund
from payments.postings import refund_booked
from payments.purses import PURSES, purse_give_back

logger = logging.getLogger(__name__)

#: Pauses between questions, by the refund's age in seconds.
PAUSES = ((5, 1), (60, 5), (600, 30), (86_400, 300))
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
        short_returned(line, actor)


def short_returned(line: OrderLine, actor: str) -> None:
    """An order of which everything arrived but a part of this line is partly refunded once that part's price is back.

    As long as other lines are under way the order's state is theirs; when they have arrived, `line_refund` looks again.
    """
    is_back = line.short_quantity > 0 and _returned(line) >= line.short_amount
    if is_back and line.order.status == Order.Status.FULFILLED:
        order_transition(line.order, to=Order.Status.PARTLY_REFUNDED, actor=actor)


def _returned(line: OrderLine) -> Decimal:
    """What is back for certain."""
    return line.refunds.filter(status=Status.SUCCEEDED).aggregate(total=Sum("amount"))["total"] or Decimal(0)
