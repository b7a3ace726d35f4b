"""What became of an attempt to collect: asked by pages that wait, on schedule, and when the order is over.

No transaction is open while a gateway is called.
"""

import logging
from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from kameng.outbox.services import publish
from orders.models import Order
from orders.selectors import order_status
from orders.states import order_lock
from payments.collecting import OPEN, ended, let_go
from payments.gateways.base import (
    GatewayError,
    GatewayStatus,
    GatewayUnavailable,
)
from payments.merchants.services import account_known, gateway_of, gateway_trouble
from payments.models import Payment
from payments.selectors import payment_known, payments_of
from payments.services import FOLLOW_PAUSES, Verdict, payment_apply, payment_ask, payment_transition
from resellers.selectors import shop_in

logger = logging.getLogger(__name__)

#: An attempt is asked about at most this often by pages that wait for it: less than the pause between two questions of
#: a page, so that each of those leads to one of these.
ASK_SECONDS = 3
#: How long after its last moment a payment may still be on its way.
GRACE_SECONDS = 120

Status = Payment.Status


def payments_ask_if_due(*, order: Order, actor: str) -> None:
    """For a page that waits: ask about open attempts, but not more often than every few seconds over all pages.

    A gateway that does not answer is no reason to show an error: the next question comes soon.
    """
    due = Q(asked_at__isnull=True, created_at__lt=Now() - timedelta(seconds=ASK_SECONDS)) | Q(
        asked_at__lt=Now() - timedelta(seconds=ASK_SECONDS)
    )
    for payment_id in order.payments.filter(status__in=OPEN).values_list("pk", flat=True):
        if Payment.objects.filter(due, pk=payment_id).update(asked_at=Now()):
            try:
                payment_ask(payment_id=payment_id, actor=actor)
            except GatewayError as error:
                logger.info("payment #%s: %s", payment_id, error)


def payment_follow(*, payment_id: int) -> float | None:
    """Ask on schedule until the attempt has an end; seconds until the next question. Also what finds a lost notice."""
    payment = payment_known(payment_id)
    if payment is None or payment.status not in OPEN:
        return None
    age = (timezone.now() - payment.created_at).total_seconds()
    pause = next((pause for limit, pause in FOLLOW_PAUSES if age < limit), 300)
    over = timezone.now() - payment.expires_at
    try:
        if over > timedelta(0) or order_status(payment.order_id) != Order.Status.PENDING:
            return _close(payment, certain=over > timedelta(seconds=GRACE_SECONDS)) and pause
        payment_ask(payment_id=payment_id, actor="schedule")
    except GatewayUnavailable as error:
        logger.warning("payment %s: %s", payment.number, error)
    except GatewayError as error:
        logger.warning("payment %s cannot be asked about: %s", payment.number, error)
        gateway_trouble(account_known(payment.account_id), error)
    return float(pause)


def _close(payment: Payment, *, certain: bool) -> float | None:
    """Make an attempt impossible, or find that it was paid. None when that is certain, seconds otherwise.

    A trade the gateway does not know may still be opened by a shopper who has the code before them, until its last
    moment; only then is not knowing it the end.
    """
    gateway = gateway_of(account_known(payment.account_id))
    result = gateway.close(payment.number)
    applied = payment_apply(payment_id=payment.pk, result=result, actor="schedule")
    if applied.verdict == Verdict.REFUSED:
        # Wrong money is for people; asking again would only hear of it again.
        _end(payment, Status.FAILED)
        return None
    if result.status in (GatewayStatus.CONFIRMED, GatewayStatus.CLOSED):
        return None
    if result.status == GatewayStatus.MISSING and certain:
        _end(payment, Status.CANCELED)
        return None
    return 60.0


@transaction.atomic
def _end(payment: Payment, to: Payment.Status) -> None:
    order = order_lock(payment.order_id)
    fresh = Payment.objects.select_for_update().get(pk=payment.pk)
    if fresh.status in OPEN:
        payment_transition(fresh, to=to)
        ended(fresh, order)


def payments_close(*, order_id: int) -> None:
    """The order is over: close what is open at gateways; each attempt is followed on its own schedule after that, and
    where none is open, nothing of the deposit is held for the order any more."""
    for payment in Payment.objects.filter(order_id=order_id, status__in=OPEN):
        try:
            _close(payment, certain=False)
        except GatewayError as error:
            logger.warning("payment %s could not be closed yet: %s", payment.number, error)
    with transaction.atomic():
        order = order_lock(order_id)
        if order.status in (Order.Status.EXPIRED, Order.Status.CANCELED):
            shop = shop_in(connection.schema_name)  # type: ignore[attr-defined]
            if order.held and shop is not None:
                let_go(order, payments_of(order.pk), shop_id=shop.pk)
            for payment_id in order.payments.filter(status=Status.CONFIRMED).values_list("pk", flat=True):
                publish("payment.surplus", payment_id=payment_id)
