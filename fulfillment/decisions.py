"""What a person decides about an unclear purchase: each decision runs the same services as a supplier's answer."""

from collections.abc import Sequence

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from fulfillment.calls import CODES
from fulfillment.exceptions import IllegalTransition
from fulfillment.models import Fulfillment, SupplierOrder
from fulfillment.outcomes import outcome_book, with_line
from fulfillment.selectors import attempt_known, attempts_of, order_id_of_attempt, work_known
from fulfillment.states import Status, fulfillment_transition
from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.choosing import by_hand
from fulfillment.suppliers.connections import supplier_known
from fulfillment.suppliers.replies import Unclear, checked_codes
from fulfillment.suppliers.stock_room import codes_known
from kameng.core.problems import Problem
from kameng.outbox.services import publish
from orders.decisions import DecisionOver, decision_agree, decision_ask
from orders.events import event_write
from orders.models import Decision
from orders.selectors import lines_of
from orders.states import order_lock

SHORTEST_NOTE = 4


class NotForPeople(Problem):
    """The attempt is not one that a person decides about, or somebody has decided already."""

    code = "not_for_people"
    status = 409
    message = _("这笔采购现在不需要人工决定，可能刚有结果，或者别人已经处理")


class NoteMissing(Problem):
    """A decision without its grounds."""

    code = "note_missing"
    message = _("请写明依据：对方怎么说、单号或截图在哪里")


class CodesUnfit(Problem):
    """The codes that were typed cannot be what was bought."""

    code = "codes_unfit"
    message = _("卡密不对，没有交付")


@transaction.atomic
def attempt_confirm(*, supplier_order_id: int, actor: str, note: str, codes: Sequence[str] = ()) -> None:
    """The goods are there: the supplier's site or its staff said so. Codes must be as many as bought, none seen before.

    Raises `NotForPeople`, `NoteMissing`, `CodesUnfit`; nothing has moved then.
    """
    buy = _decidable(supplier_order_id)
    note = _grounds(note)
    items: tuple[str, ...] = ()
    if buy.fulfillment.line.kind == CODES:
        items = codes_fit(codes, buy.quantity)
    elif any(code.strip() for code in codes):
        raise CodesUnfit(_("这类商品直接充到账号，没有卡密"))
    _decide(buy, Outcome(OutcomeKind.DELIVERED, items=items, code="decided_delivered", message=note), actor, note)


@transaction.atomic
def attempt_fail(*, supplier_order_id: int, actor: str, note: str) -> Decision:
    """The supplier certainly did not deliver and will not: the next one is asked, or the money goes back. What costs
    more than the limit waits until another one agrees (`attempt_fail_agree`), and may still end otherwise.

    Raises `NotForPeople`, `NoteMissing`, and `DecisionWaits`.
    """
    buy = _decidable(supplier_order_id)
    note, line = _grounds(note), buy.fulfillment.line
    decision = decision_ask(
        line.order,
        kind=Decision.Kind.FAIL,
        subject=buy.pk,
        label=str(line),
        amount=line.amount,
        note=note,
        actor=actor,
        reference=buy.reference,
    )
    if decision.status == Decision.Status.DONE:
        _failed(buy, actor, note)
    return decision


@transaction.atomic
def attempt_fail_agree(*, decision_id: int, actor: str) -> Decision:
    """The second person has made sure as well. Raises as `decision_agree` does, and `DecisionOver` where the attempt
    does not wait for a person any more."""
    decision, _order = decision_agree(decision_id, actor=actor)
    try:
        buy = _decidable(decision.subject)
    except NotForPeople:
        raise DecisionOver from None
    _failed(buy, actor, decision.note)
    return decision


def _failed(buy: SupplierOrder, actor: str, note: str) -> None:
    _decide(buy, Outcome(OutcomeKind.FAILED, code="decided_failed", message=note), actor, note)
    work = buy.fulfillment
    if work.status == Status.MANUAL:
        fulfillment_transition(work, to=Status.BUYING, actor=actor)
    publish("fulfillment.run", fulfillment_id=work.pk)


@transaction.atomic
def attempt_ask(*, supplier_order_id: int, actor: str) -> None:
    """Ask the supplier again, now; nothing is bought. Raises `NotForPeople`."""
    buy = _decidable(supplier_order_id)
    event_write(buy.fulfillment.line.order, "fulfillment.retried", actor=actor, line=buy.fulfillment.line)
    publish("fulfillment.run", fulfillment_id=buy.fulfillment_id)


@transaction.atomic
def fulfillment_retry(*, fulfillment_id: int, actor: str) -> None:
    """An operator wants an open work looked at now: the supplier is asked again, nothing is bought twice."""
    work = _locked(fulfillment_id)
    if work.status == Status.MANUAL:
        fulfillment_transition(work, to=Status.VERIFYING, actor=actor)
    if work.status not in (Status.DELIVERED, Status.FAILED):
        event_write(work.line.order, "fulfillment.retried", actor=actor, line=work.line)
        publish("fulfillment.run", fulfillment_id=work.pk)


@transaction.atomic
def fulfillment_give_up(*, fulfillment_id: int, actor: str, reason: str) -> Decision:
    """An operator has made sure that nothing was delivered: end the work, and the refund starts by itself. What costs
    more than the limit waits until another one agrees (`give_up_agree`), and may still end otherwise.

    For whoever had the attempt it counts as a failure: it gave no clear answer for as long as it was asked. Raises
    `IllegalTransition` for what does not wait for a person, and `DecisionWaits`.
    """
    work = _locked(fulfillment_id)
    _can_be_given_up(work)
    line = work.line
    decision = decision_ask(
        line.order,
        kind=Decision.Kind.GIVE_UP,
        subject=work.pk,
        label=str(line),
        amount=line.amount,
        note=reason,
        actor=actor,
    )
    if decision.status == Decision.Status.DONE:
        _given_up(work, actor, reason)
    return decision


@transaction.atomic
def give_up_agree(*, decision_id: int, actor: str) -> Decision:
    """The second person has made sure as well. Raises as `decision_agree` does, and `DecisionOver` where the work does
    not wait for a person any more."""
    decision, _order = decision_agree(decision_id, actor=actor)
    work = _locked(decision.subject)
    try:
        _can_be_given_up(work)
    except IllegalTransition:
        raise DecisionOver from None
    _given_up(work, actor, decision.note)
    return decision


def _can_be_given_up(work: Fulfillment) -> None:
    if work.status != Status.MANUAL or work.delivered_quantity:
        raise IllegalTransition(f"fulfillment {work.pk}: only what waits for a person and has nothing can be given up")


def _given_up(work: Fulfillment, actor: str, reason: str) -> None:
    for buy in attempts_of(work.pk):
        if buy.status in SupplierOrder.ACTIVE:
            buy.fulfillment = work
            outcome_book(buy, Outcome(OutcomeKind.FAILED, code="given_up", message=reason), actor)
    fulfillment_transition(work, to=Status.FAILED, actor=actor, note=reason)
    publish("line.failed", line_id=work.line_id)


def _locked(fulfillment_id: int) -> Fulfillment:
    """The work under its order's lock. Raises `Fulfillment.DoesNotExist`."""
    order = order_lock(Fulfillment.objects.values_list("line__order_id", flat=True).get(pk=fulfillment_id))
    return with_line(work_known(fulfillment_id), order, lines_of(order.pk))


def _decidable(supplier_order_id: int) -> SupplierOrder:
    """An open attempt that waits for a person, or that a person delivers in any case; under its order's lock."""
    order = order_lock(order_id_of_attempt(supplier_order_id))
    buy = attempt_known(supplier_order_id)
    buy.fulfillment = with_line(work_known(buy.fulfillment_id), order, lines_of(order.pk))
    if buy.status not in SupplierOrder.ACTIVE:
        raise NotForPeople
    if buy.fulfillment.status != Status.MANUAL and not by_hand(supplier_known(buy.supplier_id)):
        raise NotForPeople
    return buy


def _grounds(note: str) -> str:
    note = " ".join(note.split())[:200]
    if len(note) < SHORTEST_NOTE:
        raise NoteMissing
    return note


def codes_fit(codes: Sequence[str], quantity: int) -> tuple[str, ...]:
    """What was typed as codes: as many as bought, none seen before. Raises `CodesUnfit`."""
    typed = [code for code in codes if code.strip()]
    try:
        items = checked_codes(typed, quantity=quantity)
    except Unclear as unclear:
        if len(typed) != quantity:
            raise CodesUnfit(
                _("要 %(wanted)s 个卡密，填了 %(given)s 个") % {"wanted": quantity, "given": len(typed)}
            ) from None
        raise CodesUnfit(_("有的不像卡密（%(reason)s），请检查") % {"reason": unclear.reason}) from None
    if codes_known(items):
        raise CodesUnfit(_("有卡密以前出现过，不能再交付"))
    return items


def _decide(buy: SupplierOrder, outcome: Outcome, actor: str, note: str) -> None:
    line = buy.fulfillment.line
    event_write(
        line.order, "attempt.decided", actor=actor, line=line, reference=buy.reference, decision=outcome.kind, note=note
    )
    outcome_book(buy, outcome, actor)
