"""Forgetting who an order was for. What was bought, paid and delivered stays, under pseudonyms.

A pseudonym is a keyed fingerprint: two orders for one account can still be told to be that, and nobody without the key
finds out whose it is. The order cannot be looked up, revealed or settled any more.
"""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from customers.models import Route
from fulfillment.models import Fulfillment, SupplierOrder
from kameng.core.encryption import digest
from kameng.core.problems import Problem
from orders.events import event_write
from orders.models import Order, OrderEvent, OrderLine
from orders.states import order_lock
from payments.collecting import OPEN
from payments.models import Payment, Refund

#: Says where an account is, and nothing about whose it is.
IMPERSONAL_FIELDS = frozenset({"server", "zone", "carrier"})
#: Shorter texts stand everywhere by accident, and identify nobody.
SHORTEST_TRACE = 5
OVER = (
    *(Order.Status.FULFILLED, Order.Status.REFUNDED, Order.Status.PARTLY_REFUNDED),
    *(Order.Status.EXPIRED, Order.Status.CANCELED),
)
_SETTLED = (Refund.Status.SUCCEEDED, Refund.Status.REJECTED)


class NotOver(Problem):
    """Something may still have to be delivered or returned, for which the account is needed."""

    code = "not_over"
    status = 409
    message = _("这一单还没有办完（待付款、充值中或退款中），办完以后才能删除")


def is_over(order: Order) -> bool:
    """Whether nothing is under way for an order."""
    if order.status not in OVER:
        return False
    lines = OrderLine.objects.filter(order=order)
    under_way = (
        Payment.objects.filter(order=order, status__in=OPEN),
        Refund.objects.filter(payment__order=order).exclude(status__in=_SETTLED),
        SupplierOrder.objects.filter(fulfillment__line__order=order, status__in=SupplierOrder.ACTIVE),
        # A part that nobody had is paid back after the rest has arrived.
        lines.filter(short_quantity__gt=0, order__status=Order.Status.FULFILLED),
    )
    return not any(rows.exists() for rows in under_way)


def pseudonym(value: str) -> str:
    """What stands for something personal; the same for equal values."""
    return f"#{digest(value, purpose='forgotten')[:16]}"


@transaction.atomic
def order_forget(*, order_id: int, actor: str) -> bool:
    """Put pseudonyms in the place of contact and account, wherever the shop has written them down. False where that was
    done before. Raises `NotOver`.
    """
    order = order_lock(order_id)
    if order.forgotten_at is not None:
        return False
    if not is_over(order):
        raise NotOver
    lines = list(OrderLine.objects.filter(order=order))
    personal = _personal(order, lines)
    _forget_traces(order, _Traces(personal))
    for line in lines:
        line.account = [_pseudonymous(entry) for entry in line.account]
    OrderLine.objects.bulk_update(lines, ["account"])
    # What a minor has spent counts until the month is over, whoever asks to be forgotten: those fingerprints stay.
    Fulfillment.objects.filter(line__order=order).update(sealed_note="")
    Payment.objects.filter(order=order).update(payer_digest="", qr="", url="", call="")
    # The key of a form is a fingerprint of its browser; that of a program is its own, and still finds the order.
    key = None if (order.idempotency_key or "").startswith("web:") else order.idempotency_key
    Order.objects.filter(pk=order.pk).update(
        contact="", contact_digest=pseudonym(f"{order.contact_digest}/{order.number}"), device_digest="",
        address_digest="", request_digest="", idempotency_key=key, age="", forgotten_at=Now(),
        customer=None, refund_to=Route.SOURCE,
    )  # fmt: skip
    event_write(order, "order.forgotten", actor=actor)
    return True


def _personal(order: Order, lines: Iterable[OrderLine]) -> set[str]:
    """All that says whose the order was, as it was typed and as it was shown."""
    values = {order.contact}
    for line in lines:
        for entry in line.account:
            if entry["name"] not in IMPERSONAL_FIELDS:
                values |= {entry["value"], entry.get("shown") or ""}
    return values - {""}


def _pseudonymous(entry: dict[str, str]) -> dict[str, str]:
    if entry["name"] in IMPERSONAL_FIELDS:
        return entry
    kept = {name: text for name, text in entry.items() if name not in ("shown", "shown_en")}
    return {**kept, "value": pseudonym(entry["value"])}


class _Traces:
    """Finds personal values inside other texts: as they are, in JSON and in an address, in either case."""

    def __init__(self, values: Iterable[str]) -> None:
        self._stands_for: dict[str, str] = {}
        for value in values:
            if len(value) >= SHORTEST_TRACE:
                for written in (value, json.dumps(value)[1:-1], quote(value), quote(value, safe="")):
                    self._stands_for[written.lower()] = pseudonym(value)
        longest_first = sorted(self._stands_for, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)

    def out_of(self, text: str) -> str:
        """The text with pseudonyms in their places."""
        if not self._stands_for:
            return text
        return self._pattern.sub(lambda found: self._stands_for[found[0].lower()], text)


def _forget_traces(order: Order, traces: _Traces) -> None:
    """What suppliers answered and what people noted may name the account."""
    texts: tuple[tuple[QuerySet[Any], tuple[str, ...]], ...] = (
        (SupplierOrder.objects.filter(fulfillment__line__order=order), ("message", "evidence", "supplier_reference")),
        (Fulfillment.objects.filter(line__order=order), ("note",)),
        (Refund.objects.filter(payment__order=order), ("note", "rejection")),
    )
    for rows, names in texts:
        for row in rows:
            found = {name: getattr(row, name) for name in names}
            clean = {name: traces.out_of(text) for name, text in found.items()}
            changed = {
                name: text[: row._meta.get_field(name).max_length or None]
                for name, text in clean.items()
                if text != found[name]
            }
            if changed:
                type(row)._default_manager.filter(pk=row.pk).update(**changed)
    for event in OrderEvent.objects.filter(order=order).exclude(data={}):
        said = json.dumps(event.data)
        if (clean_said := traces.out_of(said)) != said:
            OrderEvent.objects.filter(pk=event.pk).update(data=json.loads(clean_said))
