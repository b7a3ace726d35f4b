"""From paid to delivered: who is asked, what their answer means, and what reaches the shopper.

One active attempt at a time, committed before a byte is sent. Buying elsewhere is allowed only after a definite no;
whatever is unclear is asked about until it is clear, or handed to a person. Locks are taken along the flow: order, then
fulfillment, then supplier order; none is held while a supplier is called.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.conf import settings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.utils import timezone

from catalog.models import Variant
from fulfillment.calls import CODES, alone_with, awake, call_supplier, is_ours
from fulfillment.exceptions import IllegalTransition
from fulfillment.models import Fulfillment, SupplierOrder
from fulfillment.selectors import (
    attempt_known,
    attempts_of,
    order_id_of_attempt,
    order_id_of_work,
    work_known,
    works_of,
)
from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.services import (
    adapter_of,
    availability_refresh,
    offers_ranked,
    supplier_eliminate,
    supplier_known,
)
from fulfillment.suppliers.stock_room import codes_keep
from kameng.core import sql
from kameng.core.ids import routed_id
from kameng.outbox.services import publish
from orders.models import Order, OrderLine
from orders.selectors import lines_of
from orders.services import event_write, line_transition, order_lock, order_recount
from resellers.models import Reseller

logger = logging.getLogger(__name__)

REFERENCE_LENGTH = 19
#: A sent attempt without a result for this long is nobody's any more: its worker died or lost the reply.
ABANDONED_SECONDS = 30
#: Pauses in seconds between questions, by how often was asked.
ACCEPTED_PAUSES = (0.5, 1, 1, 2, 3, 5, 5, 10, 10, 30, 30, 60)
UNKNOWN_PAUSES = (1, 3, 5, 10, 20, 30, 60, 60, 120, 300)
#: Somebody else is talking to the supplier about the same attempt: look again after this many seconds.
BUSY_SECONDS = 2.0

Status = Fulfillment.Status
BuyStatus = SupplierOrder.Status
LineStatus = OrderLine.Status

_LINE_OF = {
    Status.QUEUED: LineStatus.QUEUED,
    Status.BUYING: LineStatus.BUYING,
    Status.VERIFYING: LineStatus.VERIFYING,
    Status.MANUAL: LineStatus.MANUAL,
    Status.DELIVERED: LineStatus.DELIVERED,
    Status.FAILED: LineStatus.FAILED,
}
#: Definite: the supplier did not and will not deliver this attempt.
_DEFINITE_NO = {OutcomeKind.NOT_SENT, OutcomeKind.REFUSED, OutcomeKind.FAILED}


@dataclass(frozen=True)
class _Step:
    """What is to be done outside a transaction: buy (a new attempt) or ask (about a known one), or just wait."""

    supplier_order: SupplierOrder | None = None
    is_new: bool = False
    intended: float | None = None
    wait: float | None = None


def fulfillment_transition(fulfillment: Fulfillment, *, to: Fulfillment.Status, actor: str, note: str = "") -> None:
    """The only door for a fulfillment's status, its line with it; the order must be locked. Staying is not a step."""
    origin = Status(fulfillment.status)
    if origin == to:
        return
    if to not in Fulfillment.TRANSITIONS.get(origin, set()):
        raise IllegalTransition(f"fulfillment {fulfillment.pk}: {origin} → {to}")
    fulfillment.status, fulfillment.note = to, note[:200]
    fields = ["status", "note", "attempts"]
    if to in (Status.DELIVERED, Status.FAILED):
        fulfillment.finished_at = Now()
        fields.append("finished_at")
    fulfillment.save(update_fields=fields)
    line_transition(fulfillment.line, to=_LINE_OF[to], actor=actor)


def supplier_order_transition(buy: SupplierOrder, *, to: SupplierOrder.Status, fields: tuple[str, ...] = ()) -> None:
    """The only door for an attempt's status; the order must be locked. Staying is not a step."""
    origin = BuyStatus(buy.status)
    if origin != to and to not in SupplierOrder.TRANSITIONS.get(origin, set()):
        raise IllegalTransition(f"supplier order {buy.reference}: {origin} → {to}")
    buy.status = to
    if to not in SupplierOrder.ACTIVE:
        buy.finished_at = Now()
        fields = (*fields, "finished_at")
    buy.save(update_fields=["status", *fields])


_OPEN = f"""
INSERT INTO fulfillment_fulfillment (line_id, status, attempts, note)
SELECT line.id, 'queued', 0, ''
  FROM orders_orderline AS line
 WHERE line.order_id = %s AND line.status = 'queued'
   AND NOT EXISTS (SELECT FROM fulfillment_fulfillment AS work WHERE work.line_id = line.id)
 ORDER BY line.position RETURNING {sql.columns(Fulfillment)}
"""


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
        step = _next_step(_about(work, order, lines), [] if opened else attempts_of(work.pk))
    return _carry_on(work.pk, step)


def fulfillment_run(*, fulfillment_id: int) -> float | None:
    """Take the work as far as it goes now; seconds until it should be looked at again, or None at its end."""
    return _carry_on(fulfillment_id, _look(fulfillment_id))


def _carry_on(fulfillment_id: int, step: _Step) -> float | None:
    while True:
        if step.supplier_order is None:
            return step.wait
        with alone_with(step.supplier_order) as alone:
            if not alone:
                return BUSY_SECONDS
            outcome = call_supplier(step.supplier_order, is_new=step.is_new, intended=step.intended)
            wait = outcome_apply(supplier_order_id=step.supplier_order.pk, outcome=outcome, actor="worker")
        if wait is None or wait > 0:
            return wait
        step = _look(fulfillment_id)


def _about(work: Fulfillment, order: Order, lines: Iterable[OrderLine]) -> Fulfillment:
    """The work with its line and its order, which are read already."""
    work.line = next(line for line in lines if line.pk == work.line_id)
    work.line.order = order
    return work


@transaction.atomic
def _look(fulfillment_id: int) -> _Step:
    order = order_lock(order_id_of_work(fulfillment_id))
    work = _about(work_known(fulfillment_id), order, lines_of(order.pk))
    return _next_step(work, attempts_of(fulfillment_id))


def _next_step(work: Fulfillment, attempts: list[SupplierOrder]) -> _Step:
    if work.status in (Status.DELIVERED, Status.FAILED):
        return _Step()
    active = next((buy for buy in attempts if buy.status in SupplierOrder.ACTIVE), None)
    if active is None:
        # While a person decides, the supplier may be asked, but nothing is bought.
        return _Step() if work.status == Status.MANUAL else _intend(work, [buy.supplier_id for buy in attempts])
    active.fulfillment = work
    if active.status == BuyStatus.INTENDED:
        age = (timezone.now() - active.created_at).total_seconds()
        if age < ABANDONED_SECONDS:
            # Somebody is calling the supplier at this moment.
            return _Step(wait=ABANDONED_SECONDS - age + 1)
        supplier_order_transition(active, to=BuyStatus.UNKNOWN)
        fulfillment_transition(work, to=Status.VERIFYING, actor="worker", note="提交后没有记录到结果")
    return _Step(supplier_order=active)


def _intend(work: Fulfillment, tried: list[int]) -> _Step:
    """Commit to one attempt at the best supplier that is left, or say that nobody can deliver.

    Our own shelf is in this very database: what it gives, or does not have, is booked in the same transaction.
    """
    line = work.line
    for offer in offers_ranked(variant_id=line.variant_id, highest_cost=line.price, tried=tried):
        at_once = is_ours(offer.supplier)
        work.attempts += 1
        # Whatever our own shelf answers, or whoever is asked after it, leads to a step that also writes the count.
        if work.status != Status.BUYING and not at_once:
            fulfillment_transition(work, to=Status.BUYING, actor="worker")
        elif not at_once:
            work.save(update_fields=["attempts"])
        buy = SupplierOrder(
            fulfillment=work,
            supplier_id=offer.supplier_id,
            offer_id=offer.pk,
            sequence=work.attempts,
            reference=routed_id(_shop_id(), REFERENCE_LENGTH),
            supplier_sku=offer.supplier_sku,
            quantity=line.quantity,
            cost=offer.cost * line.quantity if offer.cost else Decimal(0),
        )
        intended = awake()  # not after the row's own time
        sql.insert(buy)
        if not at_once:
            return _Step(supplier_order=buy, is_new=True, intended=intended)
        wait = _book(buy, call_supplier(buy, is_new=True), actor="worker")
        if wait is None or wait > 0:
            return _Step(wait=wait)
    fulfillment_transition(work, to=Status.FAILED, actor="worker", note="所有渠道都明确失败")
    publish("line.failed", line_id=line.pk)
    return _Step()


def _shop_id() -> int:
    tenant = connection.tenant  # type: ignore[attr-defined]
    shop_id = getattr(tenant, "pk", None)
    if shop_id is None:
        shop_id = Reseller.objects.values_list("pk", flat=True).get(schema_name=tenant.schema_name)
    return int(shop_id)


@transaction.atomic
def outcome_apply(*, supplier_order_id: int, outcome: Outcome, actor: str) -> float | None:
    """Book how a call to a supplier ended, however often and by whichever way it was heard.

    Returns seconds after which to look again, 0 for "go on with the next supplier", None at the end of the work.
    """
    order = order_lock(order_id_of_attempt(supplier_order_id))
    buy = attempt_known(supplier_order_id)
    buy.fulfillment = _about(work_known(buy.fulfillment_id), order, lines_of(order.pk))
    return _book(buy, outcome, actor)


def _book(buy: SupplierOrder, outcome: Outcome, actor: str) -> float | None:
    if buy.status not in SupplierOrder.ACTIVE:
        _late(buy, outcome, actor)
        # Another attempt may be open by now, and whoever looks after the work must go on with that one.
        return None if buy.fulfillment.status in (Status.DELIVERED, Status.FAILED) else 0
    buy.code, buy.message = _text(outcome.code, 64), _text(outcome.message, 200)
    buy.evidence = _text(outcome.evidence, 4000) or buy.evidence
    buy.supplier_reference = _text(outcome.supplier_reference, 64) or buy.supplier_reference
    noted = ("code", "message", "evidence", "supplier_reference")
    if outcome.eliminates:
        supplier_eliminate(supplier_id=buy.supplier_id, reason=f"{buy.code} {buy.message}".strip())
    if outcome.kind == OutcomeKind.DELIVERED:
        return _delivered(buy, outcome, noted, actor)
    if outcome.kind in _DEFINITE_NO:
        return _rejected(buy, outcome, noted, actor)
    if outcome.kind == OutcomeKind.NOT_FOUND:
        return _missing(buy, noted, actor)
    if outcome.kind == OutcomeKind.ACCEPTED:
        return _accepted(buy, noted, actor)
    if outcome.kind in (OutcomeKind.PARTIAL, OutcomeKind.REVERSED):
        return _to_people(buy, noted, actor, note=f"渠道答复 {outcome.kind}，需要人工核对")
    return _unknown(buy, noted, actor)


def _text(said: str, length: int) -> str:
    """What somebody else wrote, as the database can store it."""
    return said.replace("\0", "")[:length]


def _late(buy: SupplierOrder, outcome: Outcome, actor: str) -> None:
    """Word about an attempt that has an end already: evidence, and an alarm where it contradicts that end.

    Codes that come after we gave up on the attempt were paid for: they are kept under its reference, for people.
    """
    contradicts = (outcome.kind == OutcomeKind.DELIVERED) != (buy.status == BuyStatus.SUCCEEDED)
    if contradicts and outcome.kind in {OutcomeKind.DELIVERED, OutcomeKind.REVERSED, OutcomeKind.PARTIAL}:
        line = buy.fulfillment.line
        kept = _keep(buy, outcome) if line.kind == CODES and outcome.kind == OutcomeKind.DELIVERED else []
        logger.error("supplier order %s is %s, but the supplier now says %s", buy.reference, buy.status, outcome.kind)
        event_write(
            line.order,
            "supplier.contradiction",
            actor=actor,
            line=line,
            reference=buy.reference,
            says=outcome.kind,
            codes_kept=len(kept),
        )


def _keep(buy: SupplierOrder, outcome: Outcome) -> list[int]:
    """Store the codes that came for an attempt; the ids of those that are its own."""
    return codes_keep(
        supplier_id=buy.supplier_id,
        variant_id=buy.fulfillment.line.variant_id,
        reference=buy.reference,
        schema_name=connection.schema_name,  # type: ignore[attr-defined]
        codes=[item for item in outcome.items if item.strip()],
    )


def _delivered(buy: SupplierOrder, outcome: Outcome, noted: tuple[str, ...], actor: str) -> float | None:
    work, line = buy.fulfillment, buy.fulfillment.line
    stock_ids: list[int | None] = [None]
    if line.kind == CODES:
        if len(outcome.items) != buy.quantity or not all(item.strip() for item in outcome.items):
            buy.code, buy.message = "wrong_count", f"{len(outcome.items)} of {buy.quantity} codes"
            return _unknown(buy, noted, actor)
        kept = _keep(buy, outcome)
        if len(kept) != buy.quantity:
            # A code somebody already owns is no delivery. What was fresh stays with this attempt, for people to look
            # at.
            buy.code, buy.message = (
                "code_seen_before",
                f"{buy.quantity - len(kept)} of {buy.quantity} codes seen before",
            )
            logger.error("supplier order %s: %s", buy.reference, buy.message)
            event_write(line.order, "supplier.code_seen_before", actor=actor, line=line, reference=buy.reference)
            return _rejected(buy, outcome, noted, actor)
        stock_ids = list(kept)
    if outcome.cost is not None:
        buy.cost = outcome.cost
        noted = (*noted, "cost")
    supplier_order_transition(buy, to=BuyStatus.SUCCEEDED, fields=noted)
    sql.later(_DELIVER, [work.pk, buy.pk, stock_ids])
    fulfillment_transition(work, to=Status.DELIVERED, actor=actor)
    order_recount(line.order, actor=actor)
    return None


_DELIVER = """
INSERT INTO fulfillment_delivery (fulfillment_id, supplier_order_id, stock_code_id, position)
SELECT %s, %s, code, place - 1 FROM unnest(%s::bigint[]) WITH ORDINALITY AS kept (code, place)
"""


def _rejected(buy: SupplierOrder, outcome: Outcome, noted: tuple[str, ...], actor: str) -> float | None:
    work = buy.fulfillment
    supplier_order_transition(buy, to=BuyStatus.REJECTED, fields=noted)
    event_write(
        work.line.order, "supplier.rejected", actor=actor, line=work.line, reference=buy.reference, code=buy.code
    )
    if outcome.code == "out_of_stock":
        publish("variant.refresh", variant_sku=work.line.sku)
    if work.status == Status.VERIFYING:
        fulfillment_transition(work, to=Status.BUYING, actor=actor)
    return 0


def _go_on(work: Fulfillment, *, to: Fulfillment.Status, actor: str) -> None:
    """No end yet. What waits for a person goes on waiting: only an end, or that person, takes it from there."""
    if work.status != Status.MANUAL:
        fulfillment_transition(work, to=to, actor=actor)


def _accepted(buy: SupplierOrder, noted: tuple[str, ...], actor: str) -> float | None:
    if timezone.now() - buy.created_at > timedelta(seconds=settings.ACCEPTED_LIMIT_SECONDS):
        return _to_people(buy, noted, actor, note="渠道受理后一直没有结果")
    buy.asked += 1
    buy.missing_since = None
    supplier_order_transition(buy, to=BuyStatus.ACCEPTED, fields=(*noted, "asked", "missing_since"))
    _go_on(buy.fulfillment, to=Status.BUYING, actor=actor)
    return ACCEPTED_PAUSES[min(buy.asked, len(ACCEPTED_PAUSES)) - 1]


def _unknown(buy: SupplierOrder, noted: tuple[str, ...], actor: str) -> float | None:
    if timezone.now() - buy.created_at > timedelta(seconds=settings.UNKNOWN_LIMIT_SECONDS):
        return _to_people(buy, noted, actor, note="渠道一直没有明确答复")
    buy.asked += 1
    buy.missing_since = None
    supplier_order_transition(buy, to=BuyStatus.UNKNOWN, fields=(*noted, "asked", "missing_since"))
    _go_on(buy.fulfillment, to=Status.VERIFYING, actor=actor)
    return UNKNOWN_PAUSES[min(buy.asked, len(UNKNOWN_PAUSES)) - 1]


def _missing(buy: SupplierOrder, noted: tuple[str, ...], actor: str) -> float | None:
    """The supplier knows no such order: believed after the grace time, when it is said twice, a window apart."""
    now = timezone.now()
    grace = adapter_of(supplier_known(buy.supplier_id)).not_found_grace
    believable_at = buy.created_at + timedelta(seconds=grace)
    if now < believable_at:
        wait = _unknown(buy, noted, actor)
        return None if wait is None else min(max(wait, 1), (believable_at - now).total_seconds() + 1)
    window = timedelta(seconds=settings.NOT_FOUND_WINDOW_SECONDS)
    if buy.missing_since is not None and now - buy.missing_since >= window:
        buy.code = buy.code or "not_found"
        return _rejected(buy, Outcome(OutcomeKind.NOT_FOUND), noted, actor)
    buy.asked += 1
    buy.missing_since = buy.missing_since or now
    supplier_order_transition(buy, to=BuyStatus.UNKNOWN, fields=(*noted, "asked", "missing_since"))
    _go_on(buy.fulfillment, to=Status.VERIFYING, actor=actor)
    return max((buy.missing_since + window - now).total_seconds(), 1)


def _to_people(buy: SupplierOrder, noted: tuple[str, ...], actor: str, *, note: str) -> float | None:
    """A person decides: nothing is bought or refunded by itself from here."""
    supplier_order_transition(buy, to=BuyStatus.UNKNOWN, fields=noted)
    fulfillment_transition(buy.fulfillment, to=Status.MANUAL, actor=actor, note=note)
    logger.error("supplier order %s needs a person: %s", buy.reference, note)
    return None


@transaction.atomic
def fulfillment_retry(*, fulfillment_id: int, actor: str) -> None:
    """An operator wants an open work looked at now: the supplier is asked again, nothing is bought twice."""
    order_id = Fulfillment.objects.values_list("line__order_id", flat=True).get(pk=fulfillment_id)
    order_lock(order_id)
    work = Fulfillment.objects.select_related("line__order").get(pk=fulfillment_id)
    if work.status == Status.MANUAL:
        fulfillment_transition(work, to=Status.VERIFYING, actor=actor)
    if work.status not in (Status.DELIVERED, Status.FAILED):
        event_write(work.line.order, "fulfillment.retried", actor=actor, line=work.line)
        publish("fulfillment.run", fulfillment_id=work.pk)


@transaction.atomic
def fulfillment_give_up(*, fulfillment_id: int, actor: str, reason: str) -> None:
    """An operator has made sure that nothing was delivered: end the work, and the refund starts by itself."""
    order_id = Fulfillment.objects.values_list("line__order_id", flat=True).get(pk=fulfillment_id)
    order_lock(order_id)
    work = Fulfillment.objects.select_related("line__order").get(pk=fulfillment_id)
    if work.status != Status.MANUAL:
        raise IllegalTransition(f"fulfillment {work.pk}: only what waits for a person can be given up")
    for buy in work.supplier_orders.filter(status__in=SupplierOrder.ACTIVE):
        supplier_order_transition(buy, to=BuyStatus.REJECTED)
    fulfillment_transition(work, to=Status.FAILED, actor=actor, note=reason)
    publish("line.failed", line_id=work.line_id)


def variant_refresh(*, variant_sku: str) -> None:
    """A shelf ran empty: see whether the variant can still be sold."""
    availability_refresh(variant_ids=Variant.objects.filter(sku=variant_sku).values_list("pk", flat=True))
