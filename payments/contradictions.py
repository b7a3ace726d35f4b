"""One transaction of a gateway, and two payments: a notice was genuine and said something that is not so.

A notice is believed because its signature covers the result (docs/adr/0004-notice-applied-at-once.md). One that names
another payment than was made, over the same amount, is right in everything that can be compared, until its transaction
turns up a second time. The gateway is then asked about both payments, and its answers count for more than its notice:
what was made is booked, and what was not is taken back, for people to look after what was delivered for it.
"""

import logging

from django.db import connection, transaction

from kameng.alerts.services import Level, alert_raise
from kameng.core import sql
from orders.events import event_write
from orders.models import Order
from orders.states import order_disproved, order_lock
from payments.collecting import UNPAID, disproved
from payments.gateways.base import Gateway, GatewayError, GatewayStatus, PaymentResult
from payments.merchants.services import account_known, gateway_of
from payments.models import Payment, Refund
from payments.postings import payment_unbooked
from payments.selectors import payment_known, payments_of
from payments.services import confirmed_total, mismatch, payment_apply, payment_transition

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 60.0
#: What the gateway says of both payments cannot be true; a payment that was booked was never made.
CONTRADICTION, DISPROVED = "payment.contradiction", "payment.disproved"

Status = Payment.Status


def payment_contradicted(*, payment_id: int) -> float | None:
    """A payment's transaction is another's by our books, or the payment was booked under another transaction: ask the
    gateway who is right. Seconds until the next try where it does not answer. Idempotent."""
    payment = payment_known(payment_id)
    if payment is None:
        return None
    gateway = gateway_of(account_known(payment.account_id))
    try:
        said = gateway.query(payment.number)
        if said.status != GatewayStatus.CONFIRMED:
            return None  # the notice was wrong about this one, and was refused
        rival = Payment.objects.filter(account_id=payment.account_id, reference=said.reference).first()
        if rival is not None and rival.pk != payment.pk and not _given_way(rival, gateway, said.reference):
            _told(CONTRADICTION, payment, said.reference)
            return None
    except GatewayError as error:
        logger.warning("payment %s: %s", payment.number, error)
        return AGAIN_SECONDS
    if payment.status == Status.CONFIRMED:
        _rebook(payment, said)
    else:
        payment_apply(payment_id=payment.pk, result=said, actor="schedule")
    return None


def _given_way(rival: Payment, gateway: Gateway, reference: str) -> bool:
    """Whether the payment under which a transaction is booked has none of it, by the gateway's own answer. Raises
    `GatewayError`."""
    said = gateway.query(rival.number)
    if said.status != GatewayStatus.CONFIRMED:
        return _disprove(rival)
    return said.reference != reference and _rebook(rival, said)


def _locked(payment: Payment) -> tuple[Order, Payment]:
    order = order_lock(payment.order_id)
    return order, Payment.objects.select_for_update().get(pk=payment.pk)


@transaction.atomic
def _disprove(known: Payment) -> bool:
    """The gateway was never paid this: take the booking back. Nothing more is bought for it; goods that were delivered
    are not taken back, and where money has been sent after it a person decides; False then."""
    order, payment = _locked(known)
    if (payment.status, payment.reference) != (Status.CONFIRMED, known.reference):
        return True  # somebody else was first
    if payment.refunds.exclude(status=Refund.Status.REJECTED).exists():
        return False
    payment.reference = ""
    payment_transition(payment, to=Status.FAILED)
    payment_unbooked(payment, order)
    if order.status not in UNPAID and confirmed_total(payments_of(order.pk)) < order.total:
        order_disproved(order)
    disproved(payment, order)
    event_write(
        order,
        DISPROVED,
        actor="schedule",
        payment=payment.number,
        amount=str(payment.amount),
        reference=known.reference,
    )
    _told(DISPROVED, payment, known.reference)
    return True


@transaction.atomic
def _rebook(known: Payment, said: PaymentResult) -> bool:
    """A payment was made, and its notice named another transaction: put the right one down. False where it does not
    match in anything else."""
    order, payment = _locked(known)
    before, payment.reference = payment.reference, ""
    if payment.status != Status.CONFIRMED or mismatch(payment, said)[0]:
        return False
    if said.reference != before:
        sql.execute("UPDATE payments_payment SET reference = %s WHERE id = %s", [said.reference, payment.pk])
        event_write(
            order, "payment.rebooked", actor="schedule", payment=payment.number, before=before, reference=said.reference
        )
    return True


def _told(kind: str, payment: Payment, reference: str) -> None:
    alert_raise(
        kind,
        subject=payment.number,
        level=Level.URGENT,
        order=Order.objects.values_list("number", flat=True).get(pk=payment.order_id),
        schema=connection.schema_name,  # type: ignore[attr-defined]
        payment=payment.number,
        transaction=reference,
    )
