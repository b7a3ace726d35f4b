"""What people decide about refunds: those of their own accord, small sums at once and larger ones when another person
agrees; and those that are stuck at a gateway.

What goes back by itself (nobody could deliver, the order did not need it) never comes this way, and never waits.
"""

from collections.abc import Sequence
from decimal import Decimal

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Now
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.alerts.services import alert_end, alert_raise
from kameng.core.money import quantize
from kameng.outbox.services import publish
from orders.decisions import DecisionWaits, decision_agree, decision_ask, decision_waits
from orders.events import event_write
from orders.models import Decision, Order, OrderLine
from orders.states import order_lock
from payments.exceptions import (
    NeedsAnother,
    RefundDecided,
    RefundNotStuck,
    RefundRefused,
    RefundTooEarly,
    RefundTooLarge,
)
from payments.gateways.base import RefundResult, RefundStatus
from payments.merchants.services import account_known, gateway_of
from payments.models import Payment, Refund
from payments.purses import WITHOUT_MONEY
from payments.refund_outcomes import BY_HAND, refund_apply, refund_transition
from payments.refunds import (
    ASKED,
    covering_payments,
    refund_askable,
    refund_check,
    refund_decide,
    refund_number,
    refundable,
    shares_of,
)

NEEDS_APPROVAL = "refund.needs_approval"
SHORTEST_NOTE, SHORTEST_REJECTION = 6, 4
#: Why a person returns money. Gateways and shoppers are told it in Chinese, as it is stored.
REASONS = {
    "没收到": gettext_lazy("没收到"),
    "卡密无效": gettext_lazy("卡密无效"),
    "充错账号": gettext_lazy("充错账号"),
    "商品下架": gettext_lazy("商品下架"),
    "未成年人": gettext_lazy("未成年人"),
    "补偿": gettext_lazy("补偿"),
    "其他": gettext_lazy("其他"),
}

Status = Refund.Status


def _refused(field: str, text: str) -> RefundRefused:
    return RefundRefused(text, fields={field: text})


@transaction.atomic
def refund_ask(*, line_id: int, amount: Decimal, reason: str, note: str, key: str, actor: str) -> Refund:
    """Return `amount` yuan of a delivered line: at once, or once another person agrees; the same `key` asks once.

    Where no payment reaches for it, the first of several refunds: each part goes back to where it came from. What
    people have asked for in one order counts together, so that a large sum is not many small ones. Raises
    `RefundTooEarly`, `RefundTooLarge` and `RefundRefused`.
    """
    order = order_lock(OrderLine.objects.values_list("order_id", flat=True).get(pk=line_id))
    line = OrderLine.objects.get(pk=line_id)
    asked = Refund.objects.filter(payment__order=order, cause__startswith=ASKED)
    if known := asked.filter(cause=f"{ASKED}{key}").order_by("pk").first():
        return known
    note = " ".join(note.split())[:200]
    if reason not in REASONS:
        raise _refused("reason", _("请选一个原因"))
    if len(note) < SHORTEST_NOTE:
        raise _refused("note", _("请写明依据，至少 %(count)s 个字") % {"count": SHORTEST_NOTE})
    if amount != quantize(amount):
        raise _refused("amount", _("金额最多两位小数"))
    if line.status != OrderLine.Status.DELIVERED:
        raise RefundTooEarly
    if amount > (left := refund_askable(line)):
        raise RefundTooLarge(_("这一项最多还能退 %(left)s 元") % {"left": left})
    before = asked.exclude(status=Status.REJECTED).aggregate(total=Sum("amount"))["total"] or Decimal(0)
    parts = [
        Refund(
            payment=payment,
            line=line,
            amount=share,
            cause=f"{ASKED}{key}",
            reason=reason,
            note=note,
            actor=actor,
            needs_two=before + amount > settings.REFUND_SECOND_APPROVER_ABOVE,
        )
        for payment, share in _parts(order, amount)
    ]
    for refund in parts:
        refund_check(refund, order)
        if refund.needs_two:
            _wait(refund, order)
        else:
            refund_decide(refund, order)
    return parts[0]


def _parts(order: Order, amount: Decimal) -> Sequence[tuple[Payment, Decimal]]:
    """Which payments it comes out of: one that reaches, or several, money first. Raises `RefundTooLarge`."""
    paid = covering_payments(order)
    whole = next((one for one in paid if one.gateway not in WITHOUT_MONEY and refundable(one) >= amount > 0), None)
    parts = [(whole, amount)] if whole is not None else list(shares_of(paid, amount))
    if not parts or sum((share for _payment, share in parts), Decimal(0)) < amount:
        left = sum((refundable(payment) for payment in paid), Decimal(0))
        raise RefundTooLarge(_("收到的款最多还能退 %(left)s 元") % {"left": left})
    return parts


def _wait(refund: Refund, order: Order) -> None:
    refund.number, refund.status = refund_number(refund.payment), Status.WAITING
    refund.save()
    event_write(
        order,
        "refund.asked",
        actor=refund.actor,
        refund=refund.number,
        amount=str(refund.amount),
        reason=refund.reason,
        note=refund.note,
    )
    alert_raise(
        NEEDS_APPROVAL,
        subject=refund.number,
        url=f"/admin/refunds/{refund.number}/",
        schema=connection.schema_name,  # type: ignore[attr-defined]
        order=order.number,
        amount=str(refund.amount),
        by=refund.actor,
        reason=refund.reason,
    )


def _locked(refund_id: int) -> tuple[Refund, Order]:
    order = order_lock(Refund.objects.values_list("payment__order_id", flat=True).get(pk=refund_id))
    return Refund.objects.select_for_update(of=["self"]).select_related("payment", "line").get(pk=refund_id), order


def _decided(refund: Refund, order: Order, actor: str) -> None:
    refund.decided_by, refund.decided_at = actor, Now()
    alert_end(NEEDS_APPROVAL, subject=refund.number)


@transaction.atomic
def refund_approve(*, refund_id: int, actor: str) -> Refund:
    """Let it go back: said by another than who asked. Approved already is no mistake.

    Raises `NeedsAnother`, and `RefundDecided` where it was rejected meanwhile.
    """
    refund, order = _locked(refund_id)
    if refund.status == Status.REJECTED:
        raise RefundDecided
    if refund.status != Status.WAITING:
        return refund
    if actor == refund.actor:
        raise NeedsAnother
    _decided(refund, order, actor)
    refund_transition(refund, to=Status.CREATED, fields=("decided_by", "decided_at"))
    event_write(order, "refund.approved", actor=actor, refund=refund.number)
    refund_decide(refund, order)
    return refund


@transaction.atomic
def refund_reject(*, refund_id: int, reason: str, actor: str) -> Refund:
    """It does not go back, for a reason, and its amount is free again; also who asked may say so. Safe to say twice.

    Raises `RefundRefused` without a reason, and `RefundDecided` where it was approved meanwhile.
    """
    refund, order = _locked(refund_id)
    if refund.status == Status.REJECTED:
        return refund
    if refund.status != Status.WAITING:
        raise RefundDecided
    reason = " ".join(reason.split())[:200]
    if len(reason) < SHORTEST_REJECTION:
        raise _refused("reason", _("请写明原因，至少 %(count)s 个字") % {"count": SHORTEST_REJECTION})
    refund.rejection = reason
    _decided(refund, order, actor)
    refund_transition(refund, to=Status.REJECTED, fields=("decided_by", "decided_at", "rejection"))
    event_write(order, "refund.rejected", actor=actor, refund=refund.number, reason=reason)
    return refund


@transaction.atomic
def refund_by_hand(*, refund_id: int, reference: str, note: str, actor: str) -> Decision:
    """An operator has returned the money where the gateway would not, or has found there that it did go back: booked at
    once up to the limit, above it when another one has seen it too (`refund_by_hand_agree`).

    `reference` is what proves it: the gateway's own number, or that of a transfer; `note` says where it was seen.
    Raises `RefundNotStuck`, and `DecisionWaits` where somebody has said so already.
    """
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    order = order_lock(refund.payment.order_id)
    if Refund.objects.select_for_update().get(pk=refund_id).status != Status.FAILED:
        raise RefundNotStuck
    decision = decision_ask(
        order,
        kind=Decision.Kind.BY_HAND,
        subject=refund.pk,
        label=refund.number,
        amount=refund.amount,
        reference=reference,
        note=note,
        actor=actor,
    )
    if decision.status == Decision.Status.DONE:
        _returned_by_hand(decision, order, actor)
    return decision


@transaction.atomic
def refund_by_hand_agree(*, decision_id: int, actor: str) -> Decision:
    """The second person has seen that it did go back.

    Raises as `decision_agree` does, and `RefundNotStuck` where the gateway has ended it meanwhile.
    """
    decision, order = decision_agree(decision_id, actor=actor)
    if Refund.objects.select_for_update().get(pk=decision.subject).status != Status.FAILED:
        raise RefundNotStuck
    _returned_by_hand(decision, order, actor)
    return decision


def _returned_by_hand(decision: Decision, order: Order, actor: str) -> None:
    event_write(
        order, "refund.by_hand", actor=actor, refund=decision.label, reference=decision.reference, note=decision.note
    )
    done = RefundResult(
        refund=decision.label, status=RefundStatus.SUCCEEDED, reference=decision.reference, code=BY_HAND
    )
    refund_apply(refund_id=decision.subject, result=done, actor=actor)


@transaction.atomic
def refund_retry(*, refund_id: int, actor: str) -> None:
    """An operator has put right what made a refund fail: try it again under the same number.

    Where a repeated refund could return the money twice, the operator has also made sure that it did not go through.
    Raises `DecisionWaits` where somebody else says that it is back already, and another one has to see that too.
    """
    refund = Refund.objects.select_related("payment").get(pk=refund_id)
    order = order_lock(refund.payment.order_id)
    refund = Refund.objects.select_for_update().get(pk=refund_id)
    if refund.status != Status.FAILED:
        return
    if decision_waits(Decision.Kind.BY_HAND, refund.pk):
        raise DecisionWaits
    repeats = gateway_of(account_known(refund.payment.account_id)).refund_repeats
    refund_transition(refund, to=Status.PENDING if repeats else Status.CREATED)
    event_write(order, "refund.retried", actor=actor, refund=refund.number)
    publish("refund.run", refund_id=refund.pk)
