"""Stretches of the flow as the product runs them, for tests that begin in the middle of it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import time_machine
from django.db import connection
from django.db.models import F
from django.utils import timezone

from catalog.models import Variant
from fulfillment.models import Delivery, Fulfillment, SupplierOrder
from fulfillment.services import order_fulfill
from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.models import StockCode, Supplier
from fulfillment.suppliers.stock_room import code_open
from kameng.dispatch import dispatch
from kameng.outbox.models import OutboxEvent
from kameng.outbox.services import claim, run
from orders.models import Order, OrderEvent
from payments.merchants.models import GatewayAccount
from payments.models import Payment, Refund
from payments.services import Applied, payment_apply
from resellers.models import Reseller
from tests.doubles import ScriptedGateway
from tests.factories import GatewayAccountFactory, open_payment, place

REFUSED = Outcome(OutcomeKind.REFUSED, code="out_of_stock", message="nothing left")
NOT_SENT = Outcome(OutcomeKind.NOT_SENT, code="no_connection")
ACCEPTED = Outcome(OutcomeKind.ACCEPTED, supplier_reference="S1")
UNKNOWN = Outcome(OutcomeKind.UNKNOWN, code="no_answer")
NOT_FOUND = Outcome(OutcomeKind.NOT_FOUND, code="no_such_order")
FAILED = Outcome(OutcomeKind.FAILED, code="failed")
TOPPED_UP = Outcome(OutcomeKind.DELIVERED, supplier_reference="S1", cost=Decimal("55.0000"))


def codes(*items: str) -> Outcome:
    """A supplier sends these."""
    return Outcome(OutcomeKind.DELIVERED, items=items, supplier_reference="S1")


def confirm(payment: Payment, /, *, actor: str = "notice", **changes: Any) -> Applied:
    """The gateway says that the payment was made; `changes` make what it says wrong."""
    return payment_apply(
        payment_id=payment.pk, result=ScriptedGateway.pay(payment.number, payment.amount, **changes), actor=actor
    )


def paid(shop: Reseller, variant: Variant, **wishes: Any) -> Order:
    """An order whose money has arrived; nothing was bought for it yet."""
    order = place(shop, variant, **wishes)
    confirm(open_payment(shop, order))
    order.refresh_from_db()
    return order


def fulfill(order: Order) -> float | None:
    """What the worker does first with a paid order."""
    return order_fulfill(order_id=order.pk)


def work_of(order: Order) -> Fulfillment:
    """The work for an order of one line, as stored."""
    return Fulfillment.objects.get(line__order=order)


def states(order: Order) -> tuple[str, ...]:
    """The order's status, then those of its lines, as stored."""
    order.refresh_from_db()
    return (order.status, *order.lines.values_list("status", flat=True))


def events(order: Order, *names: str) -> list[str]:
    """Names of what happened to the order, in order; only those asked for, if any are."""
    happened = OrderEvent.objects.filter(order=order)
    return list((happened.filter(name__in=names) if names else happened).values_list("name", flat=True))


def outbox(topic: str) -> list[dict[str, Any]]:
    """Payloads of the work of a topic, oldest first."""
    return list(OutboxEvent.objects.filter(topic=topic).order_by("pk").values_list("payload", flat=True))


def drain() -> int:
    """Work off every row that is due, as a worker does; how many were run."""
    inside, done = connection.tenant, 0  # type: ignore[attr-defined]
    try:
        while claims := claim(limit=50):
            for claimed in claims:
                run(claimed, dispatch)
                done += 1
    finally:
        connection.set_tenant(inside)  # type: ignore[attr-defined]
    return done


def attempts(order: Order) -> list[tuple[str, str]]:
    """Supplier code and status of each attempt to buy, in order."""
    suppliers = dict(Supplier.objects.values_list("pk", "code"))
    bought = SupplierOrder.objects.filter(fulfillment__line__order=order).order_by("sequence")
    return [(suppliers[buy.supplier_id], buy.status) for buy in bought]


def delivered_codes(order: Order) -> list[str]:
    """What the shopper would see."""
    arrived = Delivery.objects.filter(fulfillment__line__order=order, stock_code__isnull=False).order_by("position")
    codes = StockCode.objects.in_bulk(arrived.values_list("stock_code_id", flat=True))
    return [code_open(codes[delivery.stock_code_id]) for delivery in arrived if delivery.stock_code_id]


def in_a_moment(seconds: float) -> time_machine.travel:
    """Our clock that many seconds from now."""
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=True)


def asked_gateway(verb: str) -> int:
    """How often the gateway was called."""
    return [called for called, _ in ScriptedGateway.calls].count(verb)


def part_payment(order: Order, *, amount: Decimal, status: str = "pending") -> Payment:
    """An attempt to collect a part of the price."""
    account = GatewayAccount.objects.first() or GatewayAccountFactory()
    return Payment.objects.create(
        order=order,
        number=f"PART{Payment.objects.count()}",
        account_id=account.pk,
        gateway="scripted",
        channel="qr",
        amount=amount,
        status=status,
        expires_at=order.expires_at,
    )


def age(payment: Payment, seconds: float) -> None:
    """As if the attempt had been opened that long ago."""
    Payment.objects.filter(pk=payment.pk).update(created_at=F("created_at") - timedelta(seconds=seconds))


def books(order: Order) -> tuple[object, ...]:
    """Everything a refusal must leave as it was."""
    payments = list(order.payments.order_by("pk").values_list("status", "reference", "is_surplus"))
    return states(order), payments, OutboxEvent.objects.count(), Refund.objects.count()
