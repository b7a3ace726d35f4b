"""A client orders, and takes back: the same orders, payments and refunds as everybody's, by the same services."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.db import transaction
from django.db.models.functions import Now

from fulfillment.models import Fulfillment, SupplierOrder
from fulfillment.states import fulfillment_transition
from kameng.core.problems import StrOrPromise
from kameng.outbox.services import publish
from kameng.supply.exceptions import PriceAboveLimit, ReferenceTaken, TooLate
from kameng.supply.models import ClientOrder
from orders.exceptions import IdempotencyConflict, OrderInvalid
from orders.models import Order, OrderLine
from orders.selectors import lines_of
from orders.services import Buyer, LineRequest, order_place
from orders.states import order_lock
from payments.purses import PREPAID, purse_pay
from resellers.clients.models import Client
from resellers.models import Reseller

#: Soon after an order was placed somebody looks for its end; later less often (`kameng.supply.callbacks`).
FIRST_LOOK_SECONDS = 1
#: In these states of its work an order may be taken back, if nothing was bought.
_EARLY = (Fulfillment.Status.QUEUED, Fulfillment.Status.BUYING)


@dataclass(frozen=True)
class Wish:
    """What a client asks for. `reference` is its own number, `max_cost` the most that all of it may cost."""

    reference: str
    sku: str
    quantity: int
    account: Mapping[str, str]
    max_cost: Decimal | None = None

    @property
    def digest(self) -> str:
        """The fingerprint of the request, to tell a repetition from another one under the same reference."""
        cost = None if self.max_cost is None else f"{self.max_cost:.2f}"
        body = [self.sku, self.quantity, sorted(self.account.items()), cost]
        return hashlib.sha256(json.dumps(body, ensure_ascii=False).encode()).hexdigest()


def client_order_of(client_id: int, reference: str) -> ClientOrder | None:
    """A client's order by the client's own number."""
    return ClientOrder.objects.filter(client_id=client_id, reference=reference).first()


def client_order_place(*, shop: Reseller, client: Client, key: str, wish: Wish) -> ClientOrder:
    """Place an order and pay it from the client's balance, both or neither. The same wish again is the same order.

    Raises `ReferenceTaken`, `PriceAboveLimit`, `BalanceShort`, and what `order_place` raises, with the fields of the
    wish; nothing is stored then, and nothing has moved.
    """
    if known := _known(client, wish):
        return known
    line = LineRequest(wish.sku, wish.quantity, wish.account)
    try:
        with transaction.atomic():
            placed = order_place(
                shop=shop,
                lines=[line],
                contact=client.contact,
                buyer=Buyer(pays_at_once=True),
                idempotency_key=_idempotency_key(client, wish.reference),
            )
            if placed.is_new:
                return _taken_on(placed.order, shop=shop, client=client, key=key, wish=wish)
    except IdempotencyConflict:
        raise ReferenceTaken from None
    except OrderInvalid as invalid:
        raise OrderInvalid(fields=_of_wish(invalid.fields)) from None
    # Another request of the same reference was a moment quicker, and has ended by now.
    known = _known(client, wish)
    if known is None:
        raise ReferenceTaken
    return known


def _known(client: Client, wish: Wish) -> ClientOrder | None:
    known = client_order_of(client.pk, wish.reference)
    if known is not None and known.request_digest != wish.digest:
        raise ReferenceTaken
    return known


def _idempotency_key(client: Client, reference: str) -> str:
    return f"supply:{client.pk}:{hashlib.sha256(reference.encode()).hexdigest()}"


def _of_wish(fields: Mapping[str, StrOrPromise]) -> dict[str, StrOrPromise]:
    return {name.removeprefix("lines.0."): text for name, text in fields.items()}


def _taken_on(order: Order, *, shop: Reseller, client: Client, key: str, wish: Wish) -> ClientOrder:
    if wish.max_cost is not None and order.total > wish.max_cost:
        raise PriceAboveLimit(extra={"amount": f"{order.total:.2f}", "max_cost": f"{wish.max_cost:.2f}"})
    asked = ClientOrder.objects.create(
        order=order, client_id=client.pk, key=key, reference=wish.reference, request_digest=wish.digest
    )
    purse_pay(order_id=order.pk, purse=PREPAID, holder_id=client.pk, shop_id=shop.pk, actor="client")
    publish("client_order.follow", delay=FIRST_LOOK_SECONDS, client_order_id=asked.pk)
    return asked


@transaction.atomic
def client_order_cancel(*, client_order_id: int) -> None:
    """Take an order back of which nothing was bought; its price goes back by itself. Safe to say twice.

    Raises `TooLate`. Whoever buys holds the order's lock while deciding to, so that the two cannot both happen.
    """
    asked = ClientOrder.objects.get(pk=client_order_id)
    order = order_lock(asked.order_id)
    asked.refresh_from_db()
    if asked.canceled_at is not None:
        return
    (line,) = lines_of(order.pk)
    if order.status != Order.Status.PAID or line.status not in (OrderLine.Status.QUEUED, OrderLine.Status.BUYING):
        raise TooLate
    work, _made = Fulfillment.objects.get_or_create(line=line)
    bought = SupplierOrder.objects.filter(fulfillment=work).exclude(status=SupplierOrder.Status.REJECTED)
    if work.status not in _EARLY or work.delivered_quantity or bought.exists():
        raise TooLate
    line.order = order
    work.line = line
    fulfillment_transition(work, to=Fulfillment.Status.FAILED, actor="client", note="下游客户取消")
    publish("line.failed", line_id=line.pk)
    asked.canceled_at = Now()
    asked.save(update_fields=["canceled_at"])
