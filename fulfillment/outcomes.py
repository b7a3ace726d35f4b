"""Booking how a call to a supplier ended, however often and by whichever way it was heard.

Buying elsewhere is allowed only after a definite no; whatever is unclear is asked about until it is clear, or handed to
a person. Locks are taken along the flow: order, then fulfillment, then supplier order.
"""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from fulfillment.calls import CODES
from fulfillment.models import Fulfillment, SupplierOrder
from fulfillment.postings import supply_booked
from fulfillment.selectors import attempt_known, order_id_of_attempt, work_known
from fulfillment.states import BuyStatus, Status, fulfillment_transition, supplier_order_transition
from fulfillment.suppliers.base import Capability, Outcome, OutcomeKind
from fulfillment.suppliers.choosing import by_hand, is_ours
from fulfillment.suppliers.connections import adapter_of, supplier_known
from fulfillment.suppliers.duplicates import duplicate_book
from fulfillment.suppliers.models import Supplier, SupplierResult
from fulfillment.suppliers.owners import is_owners
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.results import result_record
from fulfillment.suppliers.services import supplier_eliminate
from fulfillment.suppliers.stock_room import codes_keep
from kameng.alerts.services import Level, alert_end, alert_raise
from kameng.core import sql
from kameng.outbox.services import publish
from orders.decisions import decisions_moot
from orders.events import event_write
from orders.models import Decision, Order, OrderLine
from orders.selectors import lines_of
from orders.states import order_lock, order_recount

logger = logging.getLogger(__name__)

#: Pauses in seconds between questions, by how often was asked.
ACCEPTED_PAUSES = (0.5, 1, 1, 2, 3, 5, 5, 10, 10, 30, 30, 60)
UNKNOWN_PAUSES = (1, 3, 5, 10, 20, 30, 60, 60, 120, 300)
#: An unclear attempt is asked about for at least so long.
ASKED_SECONDS = 300
NEEDS_PERSON = "attempt.needs_person"

#: Definite: the supplier did not and will not deliver this attempt.
_DEFINITE_NO = {OutcomeKind.NOT_SENT, OutcomeKind.REFUSED, OutcomeKind.FAILED}


def with_line(work: Fulfillment, order: Order, lines: list[OrderLine]) -> Fulfillment:
    """The work with its line and its order, which are read already."""
    work.line = next(line for line in lines if line.pk == work.line_id)
    work.line.order = order
    return work


@transaction.atomic
def outcome_apply(*, supplier_order_id: int, outcome: Outcome, actor: str) -> float | None:
    """Book an outcome, under the order's lock.

    Returns seconds after which to look again, 0 for "go on with the next supplier", None at the end of the work.
    """
    order = order_lock(order_id_of_attempt(supplier_order_id))
    buy = attempt_known(supplier_order_id)
    buy.fulfillment = with_line(work_known(buy.fulfillment_id), order, lines_of(order.pk))
    return outcome_book(buy, outcome, actor)


def outcome_book(buy: SupplierOrder, outcome: Outcome, actor: str) -> float | None:
    """The same for an attempt that is read, with its work and line, under the order's lock."""
    if buy.status not in SupplierOrder.ACTIVE:
        _late(buy, outcome, actor)
        # Another attempt may be open by now, and whoever looks after the work must go on with that one.
        return None if buy.fulfillment.status in (Status.DELIVERED, Status.FAILED) else 0
    if outcome.kind == OutcomeKind.NOT_SENT and buy.status != BuyStatus.INTENDED:
        # Whoever says so came to it late: another has taken the attempt over, and may have sent it.
        outcome = replace(outcome, kind=OutcomeKind.UNKNOWN, code=Reason.HELD_UP)
    waited_for_a_person = buy.fulfillment.status == Status.MANUAL or by_hand(supplier_known(buy.supplier_id))
    wait = _book(buy, outcome, actor)
    if buy.status not in SupplierOrder.ACTIVE:
        _judged(buy)
    if waited_for_a_person and buy.status not in SupplierOrder.ACTIVE:
        alert_end(NEEDS_PERSON, subject=buy.reference)
        decisions_moot(buy.fulfillment.line.order, kind=Decision.Kind.FAIL, subject=buy.pk)
    return wait


def _judged(buy: SupplierOrder) -> None:
    """Let the supplier be judged by how the attempt ended; our own shelf and a shop's owner are not."""
    supplier = supplier_known(buy.supplier_id)
    if is_ours(supplier) or is_owners(supplier):
        return
    result_record(
        supplier_id=buy.supplier_id,
        variant_id=buy.fulfillment.line.variant_id,
        reference=buy.reference,
        status=SupplierResult.Status(buy.status),
        code=buy.code,
        quantity=buy.quantity,
        cost=buy.cost,
        begun_at=buy.created_at,
        is_exploration=buy.choice.get("by") in ("explore", "probe"),
    )


def _book(buy: SupplierOrder, outcome: Outcome, actor: str) -> float | None:
    buy.code, buy.message = _text(outcome.code, 64), _text(outcome.message, 200)
    buy.evidence = _text(outcome.evidence, 4000) or buy.evidence
    buy.supplier_reference = _text(outcome.supplier_reference, 64) or buy.supplier_reference
    noted = ("code", "message", "evidence", "supplier_reference")
    if outcome.eliminates:
        supplier_eliminate(supplier_id=buy.supplier_id, reason=f"{buy.code} {buy.message}".strip())
    if outcome.kind == OutcomeKind.DELIVERED:
        return _delivered(buy, outcome, noted, actor)
    if outcome.kind == OutcomeKind.PARTIAL:
        return _partial(buy, outcome, noted, actor)
    if outcome.kind in _DEFINITE_NO:
        return _rejected(buy, noted, actor)
    if outcome.kind == OutcomeKind.NOT_FOUND:
        return _missing(buy, noted, actor)
    if outcome.kind == OutcomeKind.ACCEPTED:
        return _accepted(buy, noted, actor)
    if outcome.kind == OutcomeKind.REVERSED:
        _reversal_told(buy, actor)
        return _to_people(buy, noted, actor, note="渠道说已撤销，需要人工核对")
    return _unknown(buy, noted, actor)


def _text(said: str, length: int) -> str:
    """What somebody else wrote, as the database can store it."""
    return said.replace("\0", "")[:length]


# --- what arrived -----------------------------------------------------------------------------------------------------


def _delivered(buy: SupplierOrder, outcome: Outcome, noted: tuple[str, ...], actor: str) -> float | None:
    line = buy.fulfillment.line
    if line.kind == CODES and (len(outcome.items) != buy.quantity or not all(item.strip() for item in outcome.items)):
        buy.code, buy.message = "wrong_count", f"{len(outcome.items)} of {buy.quantity} codes"
        return _unknown(buy, noted, actor)
    return _arrived(buy, outcome, noted, actor, quantity=buy.quantity)


def _partial(buy: SupplierOrder, outcome: Outcome, noted: tuple[str, ...], actor: str) -> float | None:
    """Some of it arrived and the rest never will: keep what came, and buy the rest elsewhere.

    What cannot be told in units (a part of a phone's credit), or does not add up, is for a person.
    """
    done, is_code = outcome.done, buy.fulfillment.line.kind == CODES
    if done is None or not 0 <= done <= buy.quantity or (is_code and len(outcome.items) != done):
        buy.code = buy.code or "partial"
        return _to_people(buy, noted, actor, note="渠道只完成了一部分，需要人工核对")
    if done == 0:
        return _rejected(buy, noted, actor)
    return _arrived(buy, outcome, noted, actor, quantity=done)


def _arrived(
    buy: SupplierOrder, outcome: Outcome, noted: tuple[str, ...], actor: str, *, quantity: int
) -> float | None:
    work, line = buy.fulfillment, buy.fulfillment.line
    stock_ids: list[int | None] = [None]
    if outcome.cost is not None:
        buy.cost = outcome.cost
        noted = (*noted, "cost")
    if line.kind == CODES:
        kept = _keep(buy, outcome)
        if len(kept) != quantity:
            return _seen_before(buy, noted, actor, came=quantity, fresh=len(kept))
        stock_ids = list(kept)
    is_all = quantity == buy.quantity
    supplier_order_transition(buy, to=BuyStatus.SUCCEEDED if is_all else BuyStatus.PARTIAL, fields=noted)
    supply_booked(buy, arrived=quantity, is_known=outcome.cost is not None)
    sql.later(_DELIVER, [work.pk, buy.pk, work.delivered_quantity, stock_ids])
    work.delivered_quantity += quantity
    if is_all:
        fulfillment_transition(work, to=Status.DELIVERED, actor=actor)
        order_recount(line.order, actor=actor)
        return None
    event_write(
        line.order, "supplier.partial", actor=actor, line=line, reference=buy.reference, arrived=work.delivered_quantity
    )
    if work.status == Status.BUYING:
        work.save(update_fields=["delivered_quantity"])
    else:
        fulfillment_transition(work, to=Status.BUYING, actor=actor)
    return 0


_DELIVER = sql.InEachShop(
    """
INSERT INTO fulfillment_delivery (fulfillment_id, supplier_order_id, position, stock_code_id)
SELECT %s, %s, %s::integer + place - 1, code FROM unnest(%s::bigint[]) WITH ORDINALITY AS kept (code, place)
""",
    by=["worker"],
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


def _seen_before(buy: SupplierOrder, noted: tuple[str, ...], actor: str, *, came: int, fresh: int) -> float | None:
    """A code somebody already owns is no delivery. We paid for it: what was fresh is kept, the rest is claimed back."""
    line = buy.fulfillment.line
    buy.code, buy.message = "code_seen_before", f"{came - fresh} of {came} codes seen before"
    event_write(line.order, "supplier.code_seen_before", actor=actor, line=line, reference=buy.reference)
    _book_duplicate(buy, quantity=came, codes=fresh, note=buy.message)
    alert_raise(
        "supplier.code_seen_before",
        subject=supplier_known(buy.supplier_id).code,
        level=Level.URGENT,
        reference=buy.reference,
    )
    return _rejected(buy, noted, actor)


# --- what did not -----------------------------------------------------------------------------------------------------


def _rejected(buy: SupplierOrder, noted: tuple[str, ...], actor: str) -> float | None:
    work = buy.fulfillment
    supplier_order_transition(buy, to=BuyStatus.REJECTED, fields=noted)
    event_write(
        work.line.order, "supplier.rejected", actor=actor, line=work.line, reference=buy.reference, code=buy.code
    )
    if buy.code == "out_of_stock":
        publish("variant.refresh", variant_sku=work.line.sku)
    if work.status == Status.VERIFYING:
        fulfillment_transition(work, to=Status.BUYING, actor=actor)
    return 0


def _go_on(work: Fulfillment, *, to: Fulfillment.Status, actor: str) -> None:
    """No end yet. What waits for a person goes on waiting: only an end, or that person, takes it from there."""
    if work.status != Status.MANUAL:
        fulfillment_transition(work, to=to, actor=actor)


def _accepted(buy: SupplierOrder, noted: tuple[str, ...], actor: str) -> float | None:
    if due_at := buy.fulfillment.due_at:
        # It lies with the shop's owner, and nobody has to look before their time is over.
        supplier_order_transition(buy, to=BuyStatus.ACCEPTED, fields=noted)
        _go_on(buy.fulfillment, to=Status.BUYING, actor=actor)
        return max((due_at - timezone.now()).total_seconds(), 0.5)
    if timezone.now() - buy.created_at > timedelta(seconds=settings.ACCEPTED_LIMIT_SECONDS):
        return _to_people(buy, noted, actor, note="渠道受理后一直没有结果")
    if buy.status == BuyStatus.INTENDED and by_hand(supplier_known(buy.supplier_id)):
        _tell_people(buy, note="人工渠道，等人交付")
    buy.asked += 1
    buy.missing_since = None
    supplier_order_transition(buy, to=BuyStatus.ACCEPTED, fields=(*noted, "asked", "missing_since"))
    _go_on(buy.fulfillment, to=Status.BUYING, actor=actor)
    return ACCEPTED_PAUSES[min(buy.asked, len(ACCEPTED_PAUSES)) - 1]


def _unknown(buy: SupplierOrder, noted: tuple[str, ...], actor: str) -> float | None:
    supplier = supplier_known(buy.supplier_id)
    if timezone.now() > _unknown_until(buy, supplier):
        return _to_people(buy, noted, actor, note="渠道一直没有明确答复")
    if not (buy.supplier_reference or adapter_of(supplier).capabilities & _CAN_BE_ASKED):
        return _to_people(buy, noted, actor, note="渠道没有给单号，也不能按我方单号查询")
    buy.asked += 1
    buy.missing_since = None
    supplier_order_transition(buy, to=BuyStatus.UNKNOWN, fields=(*noted, "asked", "missing_since"))
    _go_on(buy.fulfillment, to=Status.VERIFYING, actor=actor)
    return UNKNOWN_PAUSES[min(buy.asked, len(UNKNOWN_PAUSES)) - 1]


def _unknown_until(buy: SupplierOrder, supplier: Supplier) -> datetime:
    """When a person is asked. Shoppers are told a time that runs from their payment: an order that waited before it was
    bought, or was bought a second time, has that much less of it, but is asked about for a few minutes in any case."""
    if supplier.unknown_limit:
        return buy.created_at + timedelta(seconds=supplier.unknown_limit)
    promised = buy.created_at + timedelta(seconds=settings.UNKNOWN_LIMIT_SECONDS)
    if paid_at := buy.fulfillment.line.order.paid_at:
        promised = min(promised, paid_at + timedelta(seconds=settings.UNKNOWN_LIMIT_SECONDS))
    return max(promised, buy.created_at + timedelta(seconds=min(ASKED_SECONDS, settings.UNKNOWN_LIMIT_SECONDS)))


#: What lets an attempt be asked about of which we have no number of theirs.
_CAN_BE_ASKED = {Capability.QUERY_BY_OUR_NUMBER, Capability.REPEAT_RETURNS_SAME}


def _missing(buy: SupplierOrder, noted: tuple[str, ...], actor: str) -> float | None:
    """The supplier knows no such order: believed after the grace time, when it is said twice, a window apart."""
    now = timezone.now()
    supplier = supplier_known(buy.supplier_id)
    grace = supplier.not_found_grace
    believable_at = buy.created_at + timedelta(seconds=adapter_of(supplier).not_found_grace if grace is None else grace)
    if now < believable_at:
        wait = _unknown(buy, noted, actor)
        return None if wait is None else min(max(wait, 1), (believable_at - now).total_seconds() + 1)
    apart = supplier.not_found_window
    window = timedelta(seconds=settings.NOT_FOUND_WINDOW_SECONDS if apart is None else apart)
    if buy.missing_since is not None and now - buy.missing_since >= window:
        buy.code = buy.code or "not_found"
        return _rejected(buy, noted, actor)
    buy.asked += 1
    buy.missing_since = buy.missing_since or now
    supplier_order_transition(buy, to=BuyStatus.UNKNOWN, fields=(*noted, "asked", "missing_since"))
    _go_on(buy.fulfillment, to=Status.VERIFYING, actor=actor)
    return max((buy.missing_since + window - now).total_seconds(), 1)


def _to_people(buy: SupplierOrder, noted: tuple[str, ...], actor: str, *, note: str) -> float | None:
    """A person decides: nothing is bought or refunded by itself from here."""
    supplier_order_transition(buy, to=BuyStatus.UNKNOWN, fields=noted)
    fulfillment_transition(buy.fulfillment, to=Status.MANUAL, actor=actor, note=note)
    _tell_people(buy, note=note)
    return None


def _tell_people(buy: SupplierOrder, *, note: str) -> None:
    alert_raise(
        NEEDS_PERSON,
        subject=buy.reference,
        level=Level.URGENT,
        supplier=supplier_known(buy.supplier_id).code,
        order=buy.fulfillment.line.order.number,
        schema=connection.schema_name,  # type: ignore[attr-defined]
        note=note,
    )


# --- word that comes after the end ------------------------------------------------------------------------------------


def _late(buy: SupplierOrder, outcome: Outcome, actor: str) -> None:
    """Word about an attempt that has an end already: booked where it contradicts that end, and never acted upon.

    What comes after we gave up on the attempt was paid for: codes are kept under its reference, the cost is a loss
    until it is claimed back. What is taken back after it was delivered is not delivered again.
    """
    has_arrived = buy.status in (BuyStatus.SUCCEEDED, BuyStatus.PARTIAL)
    if outcome.kind == OutcomeKind.REVERSED and has_arrived:
        supplier_order_transition(buy, to=BuyStatus.REVERSED)
        _judged(buy)
        _reversal_told(buy, actor)
    elif outcome.kind in (OutcomeKind.DELIVERED, OutcomeKind.PARTIAL) and buy.status == BuyStatus.REJECTED:
        line = buy.fulfillment.line
        kept = _keep(buy, outcome) if line.kind == CODES else []
        buy.cost = buy.cost if outcome.cost is None else outcome.cost
        came = (outcome.done or 0) if outcome.kind == OutcomeKind.PARTIAL else buy.quantity
        if _book_duplicate(buy, quantity=came, codes=len(kept), note="我方认定失败后才到"):
            event_write(
                line.order,
                "supplier.contradiction",
                actor=actor,
                line=line,
                reference=buy.reference,
                says=outcome.kind,
                codes_kept=len(kept),
            )
            alert_raise(
                "supplier.duplicate",
                subject=buy.reference,
                supplier=supplier_known(buy.supplier_id).code,
                cost=str(buy.cost),
            )


def _book_duplicate(buy: SupplierOrder, *, quantity: int, codes: int, note: str) -> bool:
    return duplicate_book(
        supplier_id=buy.supplier_id,
        variant_id=buy.fulfillment.line.variant_id,
        schema_name=connection.schema_name,  # type: ignore[attr-defined]
        reference=buy.reference,
        quantity=quantity,
        codes=codes,
        cost=buy.cost,
        note=note,
    )


def _reversal_told(buy: SupplierOrder, actor: str) -> None:
    line = buy.fulfillment.line
    event_write(line.order, "supplier.reversed", actor=actor, line=line, reference=buy.reference)
    alert_raise(
        "supplier.reversed",
        subject=buy.reference,
        level=Level.URGENT,
        supplier=supplier_known(buy.supplier_id).code,
        order=line.order.number,
        schema=connection.schema_name,  # type: ignore[attr-defined]
    )
