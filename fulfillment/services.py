"""From paid to delivered: who is asked, and what is done next.

One active attempt at a time, committed before a byte is sent; what an answer means is booked by `fulfillment.outcomes`.
Locks are taken along the flow: order, then fulfillment, then supplier order; none is held while a supplier is called.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils import timezone

from catalog.models import Category, Variant
from fulfillment.by_owner import REFUND_REASONS, due_write, ended_without
from fulfillment.calls import after_lost, alone_with, call_supplier, session_lost
from fulfillment.models import Fulfillment, SupplierOrder
from fulfillment.outcomes import outcome_apply, outcome_book, with_line
from fulfillment.selectors import attempts_of, order_id_of_work, work_known, works_of
from fulfillment.states import BuyStatus, Status, fulfillment_transition, supplier_order_transition
from fulfillment.suppliers.base import Outcome
from fulfillment.suppliers.breaker import NOT_CLOSED
from fulfillment.suppliers.choosing import Chosen, by_hand, is_ours, is_taken_down, offers_ranked, somebody_rests
from fulfillment.suppliers.limits import Place, asking, held, place_take
from fulfillment.suppliers.models import Supplier
from fulfillment.suppliers.owners import HANDS
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.services import availability_refresh
from kameng.core import sql
from kameng.core.deadlines import awake
from kameng.core.ids import routed_id
from kameng.outbox.services import publish
from orders.models import Order
from orders.selectors import lines_of
from orders.states import line_short, order_lock, order_recount
from resellers.models import Reseller

REFERENCE_LENGTH = 19
#: A sent attempt without a result for this long is nobody's any more: its worker died or lost the reply.
ABANDONED_SECONDS = 30
#: Somebody else is talking to the supplier about the same attempt: look again after this many seconds.
BUSY_SECONDS = 2.0
#: As many as may are talking to every supplier that is left: look again after this many seconds.
CROWDED_SECONDS = 0.5
#: Everybody who is left rests behind a breaker: look again after a share of the time waited so far, so that the many
#: who wait out an outage do not look all the time; within these limits in seconds.
RESTING_SHARE, RESTING_SHORTEST, RESTING_LONGEST = 0.1, 2.0, 20.0
RESTING = "渠道暂停采购，等它恢复"
#: Why nothing is bought: what had paid for the order never came.
DISPROVED = "付款不成立，停止采购"
#: Why money goes back for what was paid before the platform took it down.
TAKEN_DOWN = "商品已被平台下架，没有到账的自动退款"


@dataclass(frozen=True)
class _Step:
    """What is to be done outside a transaction: buy (a new attempt) or ask (about a known one), or just wait."""

    supplier_order: SupplierOrder | None = None
    is_new: bool = False
    intended: float | None = None
    wait: float | None = None
    #: The right to call, taken before anything was written down.
    place: Place | None = None


_OPEN = sql.InEachShop(
    f"""
INSERT INTO fulfillment_fulfillment (line_id, status, attempts, note)
SELECT line.id, 'queued', 0, ''
  FROM orders_orderline AS line
 WHERE line.order_id = %s AND line.status = 'queued'
 ORDER BY line.position
    ON CONFLICT (line_id) DO NOTHING RETURNING {sql.columns(Fulfillment)}
""",
    by=["worker"],
)


def order_fulfill(*, order_id: int) -> float | None:
    """A paid order: open the work for each line. A single line is worked on at once, several each on their own."""
    with transaction.atomic():
        order = order_lock(order_id)
        opened = sql.instances(Fulfillment, _OPEN, [order_id])
        lines = lines_of(order_id)
        if len(lines) > 1:
            for work in opened:
                publish("fulfillment.run", fulfillment_id=work.pk)
            return None
        works = opened or works_of(order_id)
        if not works:
            return None
        (work,) = works
        step = _next_step(with_line(work, order, lines), [] if opened else attempts_of(work.pk))
    return _carry_on(work.pk, step)


def fulfillment_run(*, fulfillment_id: int) -> float | None:
    """Take the work as far as it goes now; seconds until it should be looked at again, or None at its end."""
    return _carry_on(fulfillment_id, _look(fulfillment_id))


def _carry_on(fulfillment_id: int, step: _Step) -> float | None:
    while True:
        if step.supplier_order is None:
            return step.wait
        with held(step.place):
            if step.is_new:
                wait = _called(step.supplier_order, is_new=True, intended=step.intended)
            else:
                wait = _asked(step.supplier_order)
        if wait is None or wait > 0:
            return wait
        step = _look(fulfillment_id)


def _asked(buy: SupplierOrder) -> float | None:
    if ended := ended_without(buy.fulfillment):
        return outcome_apply(supplier_order_id=buy.pk, outcome=ended, actor="worker")
    with asking(buy.supplier_id) as may_ask:
        return _called(buy, is_new=False) if may_ask else CROWDED_SECONDS


def _called(buy: SupplierOrder, *, is_new: bool, intended: float | None = None) -> float | None:
    with alone_with(buy) as alone:
        if not alone:
            return BUSY_SECONDS
        return _booked(buy.pk, call_supplier(buy, is_new=is_new, intended=intended))


def _booked(supplier_order_id: int, outcome: Outcome) -> float | None:
    """Tell the books; in a new session where the one before was lost, or codes would be lost with it."""
    try:
        return outcome_apply(supplier_order_id=supplier_order_id, outcome=outcome, actor="worker")
    except (OperationalError, InterfaceError):
        if not session_lost():
            raise
        return outcome_apply(supplier_order_id=supplier_order_id, outcome=after_lost(outcome), actor="worker")


@transaction.atomic
def _look(fulfillment_id: int) -> _Step:
    order = order_lock(order_id_of_work(fulfillment_id))
    work = with_line(work_known(fulfillment_id), order, lines_of(order.pk))
    return _next_step(work, attempts_of(fulfillment_id))


def _next_step(work: Fulfillment, attempts: list[SupplierOrder]) -> _Step:
    if work.status in (Status.DELIVERED, Status.FAILED):
        return _Step()
    active = next((buy for buy in attempts if buy.status in SupplierOrder.ACTIVE), None)
    if active is None:
        # While a person decides, the supplier may be asked, but nothing is bought.
        return _Step() if work.status == Status.MANUAL else _intend(work, attempts)
    active.fulfillment = work
    if active.status == BuyStatus.INTENDED:
        age = (timezone.now() - active.created_at).total_seconds()
        if age < ABANDONED_SECONDS:
            # Somebody is calling the supplier at this moment.
            return _Step(wait=ABANDONED_SECONDS - age + 1)
        supplier_order_transition(active, to=BuyStatus.UNKNOWN)
        fulfillment_transition(work, to=Status.VERIFYING, actor="worker", note="提交后没有记录到结果")
    return _Step(supplier_order=active)


def _intend(work: Fulfillment, attempts: Sequence[SupplierOrder]) -> _Step:
    """Commit to one attempt at the best supplier that is left, or say that nobody can deliver.

    Our own shelf is in this very database: what it gives, or does not have, is booked in the same transaction. Who is
    asked too much at the moment is passed over, and so is whose breaker opened since they were ranked; if all that are
    left are asked too much, the work waits a moment. It waits longer for
    those that are left alone because they are in trouble or could not be reached, as long as the shopper was promised.
    For an order that nobody has paid for after all, nothing is bought.
    """
    if work.line.order.disproved_at is not None:
        _nobody_left(work, attempts, note=DISPROVED)
        return _Step()
    line, is_busy = work.line, False
    unreached = _unreached(attempts)
    tried = {buy.supplier_id for buy in attempts}
    if unreached and _pause_is_over(work, attempts):
        tried -= unreached
    draw = "" if attempts else f"{connection.schema_name}:{work.pk}"  # type: ignore[attr-defined]
    chosen = offers_ranked(variant_id=line.variant_id, highest_cost=line.price, tried=tried, draw=draw)
    for choice in chosen:
        supplier = choice.offer.supplier
        if is_ours(supplier):
            wait = _from_our_shelf(work, choice)
            if wait is None or wait > 0:
                return _Step(wait=wait)
            continue
        place = None if by_hand(supplier) else place_take(supplier)
        if place is None and not by_hand(supplier):
            is_busy = True
            continue
        intended = awake()  # not after the row's own time
        buy = _attempt(work, choice)
        if buy is None:
            if place is not None:
                place.give_back()
            continue
        if supplier.code == HANDS:
            due_write(work)
        if work.status != Status.BUYING:
            fulfillment_transition(work, to=Status.BUYING, actor="worker")
        else:
            work.save(update_fields=["attempts"])
        return _Step(supplier_order=buy, is_new=True, intended=intended, place=place)
    wait = CROWDED_SECONDS if is_busy else _patience(work, attempts)
    if wait is not None:
        if len(attempts) < work.attempts:
            work.save(update_fields=["attempts"])  # our own shelf was asked, and nobody after it
        return _Step(wait=wait)
    _nobody_left(work, attempts)
    return _Step()


def _unreached(attempts: Sequence[SupplierOrder]) -> set[int]:
    """Suppliers that said no to nothing: whenever they were asked, they refused the connection, so that it is certain
    that nothing was bought, and that nothing is known against buying there later."""
    refused = {buy.supplier_id for buy in attempts if buy.code != Reason.NO_CONNECTION or buy.asked}
    return {buy.supplier_id for buy in attempts} - refused


def _pause_is_over(work: Fulfillment, attempts: Sequence[SupplierOrder]) -> bool:
    """Whether suppliers that could not be reached may be tried again: a while after the last attempt, and in time."""
    order = work.line.order
    since = (order.locked_at - max(buy.created_at for buy in attempts)).total_seconds()
    return since >= _pause(order) and _patience_left(order) > 0


def _patience(work: Fulfillment, attempts: Sequence[SupplierOrder]) -> float | None:
    """Seconds until the work is looked at again, where those who are left only rest (behind a breaker that is open, or
    half open and tried by another order) or could not be reached. None where there is nobody to wait for, or no time
    left.

    The wait ends long before the time that the shopper was told, so that what is bought last can still end in it.
    """
    line, unreached = work.line, _unreached(attempts)
    refused = {buy.supplier_id for buy in attempts} - unreached
    left = _patience_left(line.order)
    if left <= 0 or not somebody_rests(
        variant_id=line.variant_id, highest_cost=line.price, tried=refused, unreached=unreached
    ):
        return None
    if work.note != RESTING:
        work.note = RESTING
        work.save(update_fields=["note"])
    return min(_pause(line.order), left)


def _pause(order: Order) -> float:
    """Seconds between two looks at an order that waits for a supplier: more, the longer it lasts."""
    waited = (order.locked_at - order.paid_at).total_seconds() if order.paid_at else 0.0
    return min(max(waited * RESTING_SHARE, RESTING_SHORTEST), RESTING_LONGEST)


def _patience_left(order: Order) -> float:
    """Seconds for which an order may still wait for a supplier, by the database's clock."""
    patience = min(settings.OUTAGE_PATIENCE_SECONDS, settings.UNKNOWN_LIMIT_SECONDS / 2)
    return patience - (order.locked_at - order.paid_at).total_seconds() if order.paid_at else 0.0


def _from_our_shelf(work: Fulfillment, choice: Chosen) -> float | None:
    """Whatever our own shelf answers, or whoever is asked after it, leads to a step that also writes the count."""
    buy = _attempt(work, choice)
    return 0 if buy is None else outcome_book(buy, call_supplier(buy, is_new=True), actor="worker")


def _attempt(work: Fulfillment, choice: Chosen) -> SupplierOrder | None:
    """Write down that so much is going to be bought there: what has not arrived yet. None where the breaker has opened
    since the choice was made; the database looks as it writes, so that nobody buys there who came to it later."""
    offer, quantity = choice.offer, work.line.quantity - work.delivered_quantity
    buy = SupplierOrder(
        fulfillment=work,
        supplier_id=offer.supplier_id,
        offer_id=offer.pk,
        sequence=work.attempts + 1,
        reference=routed_id(_shop_id(), REFERENCE_LENGTH),
        supplier_sku=offer.supplier_sku,
        quantity=quantity,
        cost=offer.cost * quantity if offer.cost else Decimal(0),
        choice=choice.why,
    )
    is_probe = choice.why["by"] == "probe"
    if not sql.insert(buy, unless="" if is_probe else NOT_CLOSED, parameters=[] if is_probe else [offer.supplier_id]):
        return None
    work.attempts += 1
    return buy


def _nobody_left(work: Fulfillment, attempts: Sequence[SupplierOrder], *, note: str = "") -> None:
    """Everybody has definitely refused, or nobody may be asked: what did not arrive goes back as money, in this very
    transaction's wake. `note` is why, where it is neither that nor a take-down."""
    line = work.line
    why: dict[str, Any] = {"reason": TAKEN_DOWN} if is_taken_down(line.variant_id) else {}
    if not why and attempts and (reason := REFUND_REASONS.get(attempts[-1].code)):
        why = {"reason": reason}
    if work.delivered_quantity:
        line_short(line, quantity=line.quantity - work.delivered_quantity, actor="worker")
        note = note or why.get("reason", "只到了一部分，其余退款")
        fulfillment_transition(work, to=Status.DELIVERED, actor="worker", note=note)
        order_recount(line.order, actor="worker")
        publish("line.short", line_id=line.pk, **why)
        return
    note = note or why.get("reason", "所有渠道都明确失败")
    fulfillment_transition(work, to=Status.FAILED, actor="worker", note=note)
    publish("line.failed", line_id=line.pk, **why)


def _shop_id() -> int:
    tenant = connection.tenant  # type: ignore[attr-defined]
    shop_id = getattr(tenant, "pk", None)
    if shop_id is None:
        shop_id = Reseller.objects.values_list("pk", flat=True).get(schema_name=tenant.schema_name)
    return int(shop_id)


def category_refresh(*, category_id: int) -> None:
    """A category's markup changed: see what it makes of costs above supply prices."""
    availability_refresh(category_id=category_id)


def licenses_changed(*, suppliers: list[str]) -> None:
    """Licenses of suppliers (by code) began, ended or were changed: see what that leaves on sale."""
    availability_refresh(supplier_ids=list(Supplier.objects.filter(code__in=suppliers).values_list("pk", flat=True)))


def requirements_changed(*, category: str) -> None:
    """A category (by slug) requires other licenses than before: see what that leaves on sale."""
    for category_id in Category.objects.filter(slug=category).values_list("pk", flat=True):
        availability_refresh(category_id=category_id)


def variant_refresh(*, variant_sku: str) -> None:
    """A shelf ran empty, or the supply price changed: see whether the variant can still be sold."""
    availability_refresh(variant_ids=Variant.objects.filter(sku=variant_sku).values_list("pk", flat=True))
