"""What a person decides about an order's money, and the second person above a limit (docs/adr/0017).

Whoever decides about something of a later stage asks here first, under the order's lock, and does it where the answer
is that it is done. Who agrees later does it in the same transaction.
"""

from decimal import Decimal

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.alerts.services import Level, alert_end, alert_raise
from kameng.core.problems import Problem
from orders.events import event_write
from orders.models import Decision, Order
from orders.states import order_lock

NEEDS_APPROVAL = "decision.needs_approval"
SHORTEST_REJECTION = 4

Kind = Decision.Kind
Status = Decision.Status


class DecisionWaits(Problem):
    """Somebody has decided the same, or something that this would contradict, and another one has not agreed yet."""

    code = "decision_waits"
    status = 409
    message = gettext_lazy("已经有人提交，在等另一位复核，现在不能再动")


class DecisionOver(Problem):
    """Somebody has agreed or said no meanwhile, or there is nothing left to decide."""

    code = "decision_over"
    status = 409
    message = gettext_lazy("这件事已经有人处理过，或者已经有结果了，刷新再看")


class NeedsAnotherPerson(Problem):
    """Whoever asked is not who agrees."""

    code = "needs_another"
    status = 403
    message = gettext_lazy("要另一位工作人员来复核，提交的人不能批自己的")


class RejectionUnexplained(Problem):
    """A no without its reason."""

    code = "rejection_unexplained"
    message = gettext_lazy("请写明不批准的原因，至少 4 个字")


def decision_ask(
    order: Order, *, kind: Decision.Kind, subject: int, label: str, amount: Decimal, note: str, actor: str,
    reference: str = "",
) -> Decision:  # fmt: skip
    """Write down what somebody has decided; the order's row must be locked. `DONE`: go on; `WAITING`: another one has
    to agree, because what people have decided about this order is together more than the limit.

    Raises `DecisionWaits` where the same waits already.
    """
    if decision_waits(kind, subject):
        raise DecisionWaits
    known = Decision.objects.filter(order=order, status__in=(Status.WAITING, Status.DONE))
    before = known.aggregate(total=Sum("amount"))["total"] or Decimal(0)
    needs_two = before + amount > settings.REFUND_SECOND_APPROVER_ABOVE
    decision = Decision.objects.create(
        order=order,
        kind=kind,
        subject=subject,
        label=label[:80],
        amount=amount,
        reference=reference,
        note=note[:150],
        needs_two=needs_two,
        status=Status.WAITING if needs_two else Status.DONE,
        actor=actor,
    )
    if needs_two:
        schema_name: str = connection.schema_name  # type: ignore[attr-defined]
        _told(decision, order, "decision.asked", actor)
        alert_raise(
            NEEDS_APPROVAL,
            subject=_name(decision),
            level=Level.URGENT,
            url=f"/admin/orders/{schema_name.removeprefix('shop_')}/{order.number}/",
            schema=schema_name,
            order=order.number,
            amount=str(amount),
            by=actor,
            note=decision.note,
        )
    return decision


def decision_waits(kind: Decision.Kind, subject: int) -> bool:
    """Whether somebody has decided so, and another one has still to agree."""
    return Decision.objects.filter(kind=kind, subject=subject, status=Status.WAITING).exists()


def decision_agree(decision_id: int, *, actor: str) -> tuple[Decision, Order]:
    """The second word, in the transaction that does what was decided; the order's row is locked from here on.

    Raises `NeedsAnotherPerson` for the one who decided, and `DecisionOver`.
    """
    decision, order = _locked(decision_id)
    if decision.status != Status.WAITING:
        raise DecisionOver
    if decision.actor == actor:
        raise NeedsAnotherPerson
    _end(decision, Status.DONE, actor)
    _told(decision, order, "decision.agreed", actor)
    return decision, order


@transaction.atomic
def decision_reject(*, decision_id: int, reason: str, actor: str) -> Decision:
    """It is not done, for a reason; also who asked may say so. Safe to say twice.

    Raises `RejectionUnexplained`, and `DecisionOver` where it was agreed to meanwhile.
    """
    decision, order = _locked(decision_id)
    if decision.status == Status.REJECTED:
        return decision
    if decision.status != Status.WAITING:
        raise DecisionOver
    reason = " ".join(reason.split())[:200]
    if len(reason) < SHORTEST_REJECTION:
        raise RejectionUnexplained
    _end(decision, Status.REJECTED, actor)
    event_write(order, "decision.rejected", actor=actor, what=decision.kind, reason=reason)
    return decision


def decisions_moot(order: Order, *, kind: Decision.Kind, subject: int) -> None:
    """What was to be decided has come to an end by itself: nobody needs to agree any more. Under the order's lock."""
    for decision in Decision.objects.filter(order=order, kind=kind, subject=subject, status=Status.WAITING):
        _end(decision, Status.MOOT, "")


def _locked(decision_id: int) -> tuple[Decision, Order]:
    order = order_lock(Decision.objects.values_list("order_id", flat=True).get(pk=decision_id))
    return Decision.objects.select_for_update().get(pk=decision_id), order


def _end(decision: Decision, to: Decision.Status, actor: str) -> None:
    decision.status, decision.decided_by, decision.decided_at = to, actor, Now()
    decision.save(update_fields=["status", "decided_by", "decided_at"])
    alert_end(NEEDS_APPROVAL, subject=_name(decision))


def _told(decision: Decision, order: Order, name: str, actor: str) -> None:
    event_write(order, name, actor=actor, what=decision.kind, amount=str(decision.amount), note=decision.note)


def _name(decision: Decision) -> str:
    """One for the whole platform."""
    return f"{connection.schema_name}:{decision.pk}"  # type: ignore[attr-defined]


def decision_said(decision: Decision) -> str:
    """What became of it, for whoever has just decided."""
    if decision.status == Status.WAITING:
        return _("已提交，等另一位工作人员复核")
    return {
        Kind.BY_HAND: _("已记为人工退款"),
        Kind.GIVE_UP: _("已放弃，退款自动开始"),
        Kind.FAIL: _("已按没充成处理：有别家就换一家，没有就自动退款"),
    }[Kind(decision.kind)]
