"""Two who decide about one refund, or one transfer, at the same moment."""

from decimal import Decimal
from typing import Any

import pytest

from orders.decisions import decision_reject
from orders.models import Decision
from payments.approvals import refund_approve, refund_ask, refund_by_hand, refund_by_hand_agree, refund_reject
from payments.exceptions import RefundDecided
from payments.gateways.base import GatewayRefused
from payments.models import Refund
from payments.refund_outcomes import refund_run
from payments.refunds import refundable
from payments.transfers.models import Transfer
from payments.transfers.services import transfer_confirm
from resellers.ledger.models import Journal
from resellers.models import Reseller
from tests.doubles import ScriptedGateway
from tests.factories import on_sale, place
from tests.flows import events, outbox, paid
from tests.payments.test_refunds import waiting_refund
from tests.payments.test_transfers import by_transfer, record, takes_transfers
from tests.races.threads import SURELY, at_once, pause_after, without_row_locks

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("gateway_double", "supplier_double")]


def waiting(shop: Reseller, settings: Any) -> Refund:
    """All of a delivered order's money, asked for by one person."""
    settings.REFUND_SECOND_APPROVER_ABOVE = Decimal(0)
    order = paid(shop, on_sale())
    order.lines.update(status="delivered")
    return refund_ask(
        line_id=order.lines.get().pk, amount=Decimal(60), reason="补偿", note="买家截图，渠道承认", key="1", actor="a"
    )


def decided(refund: Refund) -> tuple[str, int, int]:
    """Where it stands, how often it is on the way, and how often the book has it."""
    refund.refresh_from_db()
    booked = Journal.objects.filter(key__startswith=f"refund_due:{refund.number}").count()
    return refund.status, len(outbox("refund.run")), booked


def test_of_two_who_approve_one_sends_it(live_shop: Reseller, settings: Any) -> None:
    refund = waiting(live_shop, settings)
    works = [lambda who=who: refund_approve(refund_id=refund.pk, actor=who) for who in ("b", "c")]
    results = at_once(live_shop, *works)
    assert {type(result) for result in results} == {Refund}
    assert decided(refund) == ("created", 1, 1)


def approve_and_reject(shop: Reseller, refund: Refund) -> list[Any]:
    """One agrees, and one does not."""
    return at_once(
        shop,
        lambda: refund_approve(refund_id=refund.pk, actor="b"),
        lambda: refund_reject(refund_id=refund.pk, reason="依据不足", actor="c"),
    )


def test_of_one_who_approves_and_one_who_rejects_one_is_late(live_shop: Reseller, settings: Any) -> None:
    refund = waiting(live_shop, settings)
    results = approve_and_reject(live_shop, refund)
    assert sorted(type(result).__name__ for result in results) == ["Refund", "RefundDecided"]
    left = refundable(refund.payment)
    assert (*decided(refund), left) in {("created", 1, 1, Decimal(0)), ("rejected", 0, 0, Decimal(60))}


def test_without_the_lock_it_is_sent_and_rejected(
    live_shop: Reseller, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    refund = waiting(live_shop, settings)
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "payments.approvals._locked", patience=SURELY)
    results = approve_and_reject(live_shop, refund)
    assert RefundDecided not in {type(result) for result in results}
    assert outbox("refund.run") == [{"refund_id": refund.pk}]


def agree_and_reject(shop: Reseller, settings: Any) -> tuple[list[Any], Refund]:
    """A refund by hand that waits: one agrees that it is back, and one does not."""
    ScriptedGateway.failures["refund"] = GatewayRefused("NO_SUCH_CALL")
    refund = waiting_refund(shop)
    refund_run(refund_id=refund.pk)
    settings.REFUND_SECOND_APPROVER_ABOVE = Decimal(0)
    waits = refund_by_hand(refund_id=refund.pk, reference="BANK-7", note="网银流水里看到", actor="a")
    results = at_once(
        shop,
        lambda: refund_by_hand_agree(decision_id=waits.pk, actor="b"),
        lambda: decision_reject(decision_id=waits.pk, reason="流水里没有", actor="c"),
    )
    refund.refresh_from_db()
    return results, refund


def test_of_one_who_agrees_that_it_is_back_and_one_who_does_not_one_is_late(live_shop: Reseller, settings: Any) -> None:
    results, refund = agree_and_reject(live_shop, settings)
    assert sorted(type(result).__name__ for result in results) == ["Decision", "DecisionOver"]
    assert (refund.status, Decision.objects.get().status) in {("succeeded", "done"), ("failed", "rejected")}


def test_without_the_lock_nobody_is_late(live_shop: Reseller, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pause_after(monkeypatch, "orders.decisions._locked", patience=SURELY)
    without_row_locks(monkeypatch)
    results, _refund = agree_and_reject(live_shop, settings)
    assert "DecisionOver" not in {type(result).__name__ for result in results}


def test_of_two_who_confirm_a_transfer_one_books_it(live_shop: Reseller) -> None:
    takes_transfers()
    order = place(live_shop, on_sale())
    row = record(by_transfer(live_shop, order))
    works = [lambda who=who: transfer_confirm(transfer_id=row.pk, actor=who) for who in ("b", "c")]
    results = at_once(live_shop, *works)
    assert {type(result) for result in results} == {Transfer}
    assert events(order, "payment.confirmed") == ["payment.confirmed"]
    assert len(outbox("order.paid")) == 1
