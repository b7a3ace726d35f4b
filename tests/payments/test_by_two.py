"""A refund by hand, and giving up: what is small is done at once, and the rest when another person agrees."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import override_settings

from fulfillment.decisions import fulfillment_give_up, give_up_agree
from fulfillment.models import Fulfillment
from fulfillment.outcomes import outcome_apply
from kameng.alerts.models import Alert
from kameng.audit.services import audit
from orders.decisions import (
    NEEDS_APPROVAL,
    DecisionOver,
    DecisionWaits,
    NeedsAnotherPerson,
    RejectionUnexplained,
    decision_ask,
    decision_reject,
)
from orders.models import Decision, Order
from orders.states import order_lock
from payments.approvals import refund_by_hand, refund_by_hand_agree, refund_retry
from payments.gateways.base import GatewayRefused, RefundResult, RefundStatus
from payments.models import Refund
from payments.refund_outcomes import refund_apply, refund_run
from resellers.models import Reseller
from tests.doubles import ScriptedGateway
from tests.factories import on_sale, place
from tests.flows import TOPPED_UP, asked_gateway, drain, events, states
from tests.fulfillment.test_people import in_manual
from tests.payments.test_refunds import waiting_refund

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

ASKER, OTHER = "staff:asker", "staff:other"
PROOF = {"reference": "BANK-7", "note": "网银流水里看到已转出"}


@pytest.fixture(autouse=True)
def _limit() -> Any:
    with override_settings(REFUND_SECOND_APPROVER_ABOVE=Decimal("20")):
        yield


def stuck(shop: Reseller) -> Refund:
    """Sixty yuan that the gateway does not send back."""
    ScriptedGateway.failures["refund"] = GatewayRefused("NO_SUCH_CALL")
    refund = waiting_refund(shop)
    refund_run(refund_id=refund.pk)
    refund.refresh_from_db()
    assert refund.status == "failed"
    return refund


def alerted() -> int:
    return Alert.objects.filter(kind=NEEDS_APPROVAL, closed_at__isnull=True).count()


def broken() -> list[str]:
    return [example for verdict in audit() for example in verdict.examples]


def work(order: Order) -> int:
    return Fulfillment.objects.get(line__order=order).pk


def test_a_large_refund_by_hand_is_booked_when_another_has_seen_it(shop: Reseller) -> None:
    refund = stuck(shop)
    decision = refund_by_hand(refund_id=refund.pk, actor=ASKER, **PROOF)
    refund.refresh_from_db()
    assert (decision.status, decision.needs_two, refund.status, alerted()) == ("waiting", True, "failed", 1)
    for call in (
        lambda: refund_by_hand(refund_id=refund.pk, actor=OTHER, **PROOF),
        lambda: refund_retry(refund_id=refund.pk, actor=OTHER),
    ):
        with pytest.raises(DecisionWaits):
            call()
    with pytest.raises(NeedsAnotherPerson):
        refund_by_hand_agree(decision_id=decision.pk, actor=ASKER)
    refund.refresh_from_db()
    assert refund.status == "failed"
    refund_by_hand_agree(decision_id=decision.pk, actor=OTHER)
    with pytest.raises(DecisionOver):
        refund_by_hand_agree(decision_id=decision.pk, actor=OTHER)
    refund.refresh_from_db()
    assert (refund.status, refund.reference, refund.code, alerted()) == ("succeeded", "BANK-7", "by_hand", 0)
    order = refund.payment.order
    assert events(order, "decision.asked", "decision.agreed", "refund.by_hand", "refund.succeeded") == [
        "decision.asked", "decision.agreed", "refund.by_hand", "refund.succeeded",
    ]  # fmt: skip
    assert broken() == []
    Decision.objects.update(reference="OTHER")
    assert any("which nobody has decided" in breach for breach in broken())


def test_a_large_order_is_given_up_when_another_is_sure_as_well(shop: Reseller) -> None:
    order = in_manual(shop, on_sale(suppliers=("first",)))
    decision = fulfillment_give_up(fulfillment_id=work(order), actor=ASKER, reason="渠道书面确认未充值")
    drain()
    assert (states(order), asked_gateway("refund")) == (("paid", "manual"), 0)
    with pytest.raises(NeedsAnotherPerson):
        give_up_agree(decision_id=decision.pk, actor=ASKER)
    give_up_agree(decision_id=decision.pk, actor=OTHER)
    drain()
    assert (states(order), asked_gateway("refund"), alerted()) == (("refunded", "refunded"), 1, 0)
    assert broken() == []


def test_many_small_sums_of_one_order_are_a_large_one(shop: Reseller) -> None:
    order = place(shop, on_sale())
    with transaction.atomic():
        asked = [
            decision_ask(
                order_lock(order.pk), kind=Decision.Kind.BY_HAND, subject=subject, label="R", amount=Decimal(8),
                note="n", actor=ASKER,
            ).status
            for subject in (1, 2, 3)
        ]  # fmt: skip
    assert asked == ["done", "done", "waiting"]


def test_the_database_itself_wants_two(shop: Reseller) -> None:
    decision = refund_by_hand(refund_id=stuck(shop).pk, actor=ASKER, **PROOF)
    for by in ("", ASKER):
        with pytest.raises(IntegrityError), transaction.atomic():
            Decision.objects.filter(pk=decision.pk).update(status="done", decided_by=by)


def test_a_no_needs_a_reason_moves_nothing_and_leaves_the_matter_open(shop: Reseller) -> None:
    refund = stuck(shop)
    decision = refund_by_hand(refund_id=refund.pk, actor=ASKER, **PROOF)
    with pytest.raises(RejectionUnexplained):
        decision_reject(decision_id=decision.pk, reason=" 不 ", actor=OTHER)
    for _ in range(2):
        decision_reject(decision_id=decision.pk, reason="流水里没有", actor=OTHER)
    with pytest.raises(DecisionOver):
        refund_by_hand_agree(decision_id=decision.pk, actor=OTHER)
    refund.refresh_from_db()
    assert (refund.status, alerted()) == ("failed", 0)
    assert refund_by_hand(refund_id=refund.pk, actor=OTHER, **PROOF).status == "waiting"


def test_what_ends_by_itself_meanwhile_needs_nobody(shop: Reseller) -> None:
    """A supplier's late word, and a gateway's."""
    order = in_manual(shop)
    given_up = fulfillment_give_up(fulfillment_id=work(order), actor=ASKER, reason="渠道书面确认未充值")
    buy = Fulfillment.objects.get(pk=work(order)).supplier_orders.get()
    outcome_apply(supplier_order_id=buy.pk, outcome=TOPPED_UP, actor="callback")
    assert states(order) == ("fulfilled", "delivered")
    refund = stuck(shop)
    by_hand = refund_by_hand(refund_id=refund.pk, actor=ASKER, **PROOF)
    done = RefundResult(refund=refund.number, status=RefundStatus.SUCCEEDED, reference="G1")
    refund_apply(refund_id=refund.pk, result=done, actor="notice")
    assert list(Decision.objects.values_list("status", flat=True)) == ["moot", "moot"]
    assert alerted() == 0
    with pytest.raises(DecisionOver):
        give_up_agree(decision_id=given_up.pk, actor=OTHER)
    with pytest.raises(DecisionOver):
        refund_by_hand_agree(decision_id=by_hand.pk, actor=OTHER)
    refund.refresh_from_db()
    assert refund.reference == "G1"
