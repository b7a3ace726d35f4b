"""Collecting money: opening an attempt, and the one way into the books (`asking.py` goes on from there).

Locks are taken along the flow, order before payment, and sums are taken under the order's lock. No transaction is open
while a gateway is called.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from django.conf import settings
from django.db import transaction

from kameng.core import sql
from kameng.core.encryption import digest
from kameng.core.ids import routed_id
from kameng.outbox.services import publish
from orders.events import event_write
from orders.exceptions import GoodsTakenDown, OrderNotPayable, SellerUnlicensed
from orders.models import Order
from orders.selectors import order_told
from orders.services import settle
from orders.states import lines_return, order_lock, order_proved
from payments.collecting import OPEN, DepositShort, ended, hold_before_payment, is_superfluous, settled
from payments.exceptions import GatewayDown, IllegalTransition, MethodUnavailable, PayerUnknown
from payments.fees import fee_now
from payments.gateways.base import (
    Channel,
    ChargeRequest,
    GatewayError,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayStatus,
    GatewayUnavailable,
    GatewayUnknown,
    InApp,
    PaymentResult,
)
from payments.merchants.models import GatewayAccount
from payments.merchants.services import account_known, accounts_for_shop, gateway_of, gateway_trouble
from payments.models import Payment
from payments.postings import payment_booked
from payments.selectors import order_id_of, payments_of
from resellers.deposits.services import deposit_short

logger = logging.getLogger(__name__)

NUMBER_LENGTH = 24
#: A link for a phone's browser lives five minutes; a younger one is handed out again.
LINK_SECONDS = 240
#: Pauses between scheduled questions, by the attempt's age in seconds.
FOLLOW_PAUSES = ((30, 10), (300, 30), (3600, 60))

Status = Payment.Status


class Verdict(StrEnum):
    """What telling the books about a payment led to."""

    CONFIRMED = "confirmed"
    REPEATED = "repeated"
    SURPLUS = "surplus"
    REFUSED = "refused"
    NOTHING = "nothing"


@dataclass(frozen=True)
class Applied:
    """The verdict and, for a refusal, what did not match."""

    verdict: Verdict
    reason: str = ""


#: Only from the state that the caller saw. What a confirmation brings is written with it, and with nothing else.
_STEP = sql.InEachShop(
    """
UPDATE payments_payment
   SET status = %(to)s, reference = %(reference)s, is_surplus = %(is_surplus)s, fee = %(fee)s,
       fee_bearer = %(fee_bearer)s,
       confirmed_at = CASE WHEN %(confirms)s THEN statement_timestamp() ELSE confirmed_at END
 WHERE id = %(payment)s AND status = %(origin)s
""",
    by=["web"],
)


def payment_transition(payment: Payment, *, to: Payment.Status) -> None:
    """The only door for a payment's status; the row must be locked. Raises `IllegalTransition`.

    `reference`, `is_surplus`, `fee` and `fee_bearer` are written as the payment has them.
    """
    origin = Status(payment.status)
    if to not in Payment.TRANSITIONS.get(origin, set()):
        raise IllegalTransition(f"payment {payment.number}: {origin} → {to}")
    step = {
        "payment": payment.pk, "origin": origin, "to": to, "reference": payment.reference,
        "is_surplus": payment.is_surplus, "fee": payment.fee, "fee_bearer": payment.fee_bearer,
        "confirms": to == Status.CONFIRMED,
    }  # fmt: skip
    if sql.execute(_STEP, step) != 1:
        raise IllegalTransition(f"payment {payment.number} is not {origin} any more")
    payment.status = to


def payment_start(
    *, order: Order, shop_id: int, gateway: str, channel: str, client_ip: str, return_url: str, payer: str = ""
) -> Payment:
    """Open an attempt to collect what the order still needs, or hand out the open one of the same kind again.

    At an account of the shop's owner, the price of the goods is held from the deposit first. `payer` is who pays inside
    an app, as the app names them. Raises `MethodUnavailable`, also where the deposit is short, `PayerUnknown`,
    `OrderNotPayable`, `GoodsTakenDown`, `SellerUnlicensed` or `GatewayDown`.
    """
    account = next((known for known in accounts_for_shop() if known.gateway == gateway), None)
    try:
        adapter = gateway_of(account) if account is not None else None
    except GatewayMisconfigured as error:
        logger.error("gateway account %s is misconfigured: %s", gateway, error)
        adapter = None
    if account is None or adapter is None or channel not in adapter.channels:
        raise MethodUnavailable
    if channel != Channel.JSAPI or not isinstance(adapter, InApp):
        payer = ""
    elif not adapter.is_payer(payer):
        raise PayerUnknown
    title, stopped = order_told(order)
    if stopped:
        raise GoodsTakenDown if stopped == "taken_down" else SellerUnlicensed
    try:
        payment = _open_attempt(order.pk, account, shop_id, Channel(channel), payer)
    except DepositShort:
        deposit_short(shop_id=shop_id)
        raise
    if payment.qr or payment.url or payment.call:
        return payment
    request = ChargeRequest(
        payment=payment.number,
        amount=payment.amount,
        subject=title,
        channel=Channel(channel),
        notify_url=f"{settings.WEBHOOK_BASE_URL}/webhooks/payments/{account.code}/",
        return_url=return_url,
        expires_at=payment.expires_at,
        client_ip=client_ip,
        payer=payer,
    )
    try:
        charged = adapter.charge(request)
    except GatewayRefused as refused:
        logger.warning("payment %s refused by %s: %s", payment.number, account.code, refused)
        _give_up(payment)
        if not Order.objects.filter(pk=order.pk, status=Order.Status.PENDING).exists():
            raise OrderNotPayable from refused
        raise GatewayDown from refused
    except (GatewayUnavailable, GatewayUnknown) as failed:
        logger.warning("payment %s: %s did not answer: %s", payment.number, account.code, failed)
        gateway_trouble(account, failed)
        raise GatewayDown from failed
    # Whatever happened meanwhile keeps its place: a notice may be quicker than this reply.
    call = json.dumps(dict(charged.call)) if charged.call else ""
    if sql.execute(_OPENED, [charged.qr, charged.url, call, payment.pk]):
        payment.qr, payment.url, payment.call, payment.status = charged.qr, charged.url, call, Status.PENDING
        return payment
    payment.refresh_from_db()
    if payment.status in (Status.FAILED, Status.CANCELED):
        raise GatewayDown
    return payment


_OPENED = sql.InEachShop(
    """
UPDATE payments_payment SET qr = %s, url = %s, call = %s, status = 'pending'
 WHERE id = %s AND status IN ('created', 'pending')
""",
    by=["web"],
)


_CHOSEN = "UPDATE payments_payment SET chosen_at = statement_timestamp() WHERE id = %s"


@transaction.atomic
def _open_attempt(order_id: int, account: GatewayAccount, shop_id: int, channel: Channel, payer: str = "") -> Payment:
    order = order_lock(order_id)
    now = order.locked_at
    if order.status != Order.Status.PENDING or order.expires_at <= now:
        raise OrderNotPayable
    attempts = payments_of(order_id)
    missing = order.total - confirmed_total(attempts)
    payer_digest = digest(payer, purpose="payer") if payer else ""
    wanted = (account.pk, channel, missing, payer_digest)
    for known in attempts:
        kind = (known.account_id, known.channel, known.amount, known.payer_digest)
        if known.status in OPEN and kind == wanted:
            if known.url and channel != Channel.PAGE and known.created_at < now - timedelta(seconds=LINK_SECONDS):
                known.url = ""
            if len(attempts) > 1:
                sql.execute(_CHOSEN, [known.pk])
            return known
    if account.owner_collects:
        hold_before_payment(order, shop_id=shop_id, missing=missing)
    payment = Payment(
        order=order,
        number=routed_id(shop_id, NUMBER_LENGTH),
        account_id=account.pk,
        owner_collects=account.owner_collects,
        gateway=account.gateway,
        channel=channel,
        amount=missing,
        payer_digest=payer_digest,
        expires_at=order.expires_at,
    )
    sql.insert(payment)
    event_write(order, "payment.created", actor="shopper", payment=payment.number, gateway=account.gateway)
    publish("payment.follow", delay=FOLLOW_PAUSES[0][1], payment_id=payment.pk)
    return payment


def _give_up(known: Payment) -> None:
    """The gateway would not open the attempt. If it was open before, that may be because it was paid or closed: ask."""
    with transaction.atomic():
        order = order_lock(known.order_id) if known.owner_collects else None
        payment = Payment.objects.select_for_update().get(pk=known.pk)
        if payment.status == Status.CREATED:
            payment_transition(payment, to=Status.FAILED)
            if order is not None:
                ended(payment, order)
    if payment.status == Status.PENDING:
        try:
            payment_ask(payment_id=payment.pk, actor="refusal")
        except GatewayError as error:
            logger.warning("payment %s: %s", payment.number, error)


def confirmed_total(payments: Iterable[Payment]) -> Decimal:
    """What arrived for an order and was not surplus, of all its payments as they are under the order's lock."""
    arrived = (one.amount for one in payments if one.status == Status.CONFIRMED and not one.is_surplus)
    return sum(arrived, Decimal(0))


@transaction.atomic(savepoint=False)
def payment_apply(*, payment_id: int, result: PaymentResult, actor: str, order_id: int | None = None) -> Applied:
    """Tell the books what a gateway said, however often and by whichever way it was heard.

    Money is right when number, merchant, application, amount and currency all match; anything else is refused and left
    in the order's history. Right money is confirmed once; what the order does not need goes back by itself. `order_id`
    spares looking for it.
    """
    order = order_lock(order_id or order_id_of(payment_id))
    attempts = payments_of(order.pk, lock=True)
    payment = next(one for one in attempts if one.pk == payment_id)
    if result.status != GatewayStatus.CONFIRMED:
        if result.status == GatewayStatus.CLOSED and payment.status in OPEN:
            payment_transition(payment, to=Status.CANCELED)
            ended(payment, order, attempts)
        return Applied(Verdict.NOTHING)
    reason, is_another = mismatch(payment, result)
    if reason:
        if _refused_note(order, payment, reason, actor) and is_another:
            publish("payment.contradicted", payment_id=payment.pk)
        return Applied(Verdict.REFUSED, reason)
    if payment.status == Status.CONFIRMED:
        return Applied(Verdict.REPEATED)
    payment.reference = result.reference
    # An order whose payment was disproved after it was paid has not been paid for yet.
    payment.is_surplus = is_superfluous(payment, order, arrived=confirmed_total(attempts))
    payment.fee, payment.fee_bearer = fee_now(payment)
    payment_transition(payment, to=Status.CONFIRMED)
    payment_booked(payment, order)
    event_write(
        order,
        "payment.confirmed",
        actor=actor,
        payment=payment.number,
        amount=str(payment.amount),
        surplus=payment.is_surplus,
    )
    if payment.is_surplus:
        publish("payment.surplus", payment_id=payment.pk)
        return Applied(Verdict.SURPLUS)
    if settle(order=order, paid=confirmed_total(attempts), actor=actor, owner_collects=payment.owner_collects):
        settled(payment, order)
    elif order.paid_at is not None:
        # It had been paid for before, by what never came: what could not go back of that can now.
        if confirmed_total(attempts) >= order.total:
            order_proved(order)
        lines_return(order)
    elif order.status != Order.Status.PENDING:
        # A part of the price arrived for an order that is over: nothing will complete it, so it goes back.
        publish("payment.surplus", payment_id=payment.pk)
    return Applied(Verdict.CONFIRMED)


def _refused_note(order: Order, payment: Payment, reason: str, actor: str) -> bool:
    """Say it once: gateways repeat their notices, and open attempts are asked about every few seconds. True then."""
    known = order.events.filter(name="payment.refused", data__payment=payment.number, data__reason=reason)
    if known.exists():
        return False
    logger.error("payment %s: genuine but wrong: %s", payment.number, reason)
    event_write(order, "payment.refused", actor=actor, payment=payment.number, reason=reason)
    return True


def mismatch(payment: Payment, result: PaymentResult) -> tuple[str, bool]:
    """What a confirmation says otherwise than our books, empty where it is right; and whether that is nothing but the
    transaction, which is booked for another payment, or is another one than this payment's."""
    gateway = gateway_of(account_known(payment.account_id))
    expected = {
        "payment": (payment.number, result.payment),
        "amount": (payment.amount, result.amount),
        "currency": ("CNY", result.currency),
        "merchant": (gateway.merchant, result.merchant),
        "app": (gateway.app, result.app),
    }
    wrong = [f"{name} {theirs} ≠ {ours}" for name, (ours, theirs) in expected.items() if ours != theirs]
    fits, has_reference = not wrong, bool(result.reference)
    if not result.reference:
        wrong.append("no reference")
    elif payment.reference and payment.reference != result.reference:
        wrong.append(f"reference {result.reference} ≠ {payment.reference}")
    elif sql.rows(_TAKEN, [payment.account_id, result.reference, payment.pk]):
        wrong.append(f"reference {result.reference} belongs to another payment")
    return "; ".join(wrong), bool(fits and has_reference and wrong)


_TAKEN = sql.InEachShop(
    "SELECT FROM payments_payment WHERE account_id = %s AND reference = %s AND reference <> '' AND id <> %s", by=["web"]
)


def payment_ask(*, payment_id: int, actor: str) -> Applied:
    """Ask the gateway what became of an attempt, and tell the books. Raises `GatewayError`."""
    payment = Payment.objects.get(pk=payment_id)
    gateway = gateway_of(account_known(payment.account_id))
    return payment_apply(payment_id=payment_id, result=gateway.query(payment.number), actor=actor)


def contradiction(told: PaymentResult, answer: PaymentResult) -> str:
    """Where a gateway's answer says something else than its notice did; empty if it says the same."""
    names = ("status", "payment", "reference", "amount", "currency", "merchant", "app", "method")
    said = {name: (getattr(told, name), getattr(answer, name)) for name in names}
    return "; ".join(f"{name}: told {first}, answered {then}" for name, (first, then) in said.items() if first != then)
