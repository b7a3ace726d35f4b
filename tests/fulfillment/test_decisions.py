"""What a person decides about an unclear purchase, by the same services as a supplier's answer."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from fulfillment.decisions import (
    CodesUnfit,
    NoteMissing,
    NotForPeople,
    attempt_ask,
    attempt_confirm,
    attempt_fail,
    attempt_fail_agree,
)
from fulfillment.models import SupplierOrder
from fulfillment.suppliers.base import Capability, Outcome, OutcomeKind
from kameng.alerts.models import Alert
from kameng.outbox.models import OutboxEvent
from orders.decisions import DecisionOver, DecisionWaits, NeedsAnotherPerson
from orders.models import Order
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import code_on_sale, on_sale, stocked
from tests.flows import (
    ACCEPTED,
    REFUSED,
    TOPPED_UP,
    UNKNOWN,
    attempts,
    books,
    delivered_codes,
    drain,
    events,
    fulfill,
    in_a_moment,
    paid,
    states,
)

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

NOTE = "对方客服 小王 说已充"
STRANGE = Outcome(OutcomeKind.PARTIAL)


def waiting(shop: Reseller, *, quantity: int = 0) -> tuple[Order, int]:
    """An order that waits for a person, and its attempt; `quantity` codes, or a top-up."""
    ScriptedSupplier.on_submit("first", STRANGE)
    order = paid(shop, code_on_sale(), quantity=quantity) if quantity else paid(shop, on_sale())
    fulfill(order)
    assert states(order) == ("paid", "manual")
    return order, SupplierOrder.objects.get().pk


def test_a_person_is_told_once_and_the_alert_ends_with_the_decision(shop: Reseller) -> None:
    order, attempt = waiting(shop)
    alert = Alert.objects.get()
    reference = SupplierOrder.objects.get().reference
    assert (alert.kind, alert.subject, alert.level) == ("attempt.needs_person", reference, "urgent")
    assert alert.data["order"] == order.number
    attempt_confirm(supplier_order_id=attempt, actor="ops", note=NOTE)
    alert.refresh_from_db()
    assert alert.closed_at is not None


def test_delivered_means_delivered(shop: Reseller) -> None:
    order, attempt = waiting(shop)
    attempt_confirm(supplier_order_id=attempt, actor="ops", note=NOTE)
    assert states(order) == ("fulfilled", "delivered")
    assert attempts(order) == [("first", "succeeded")]
    assert events(order, "attempt.decided", "line.delivered") == ["attempt.decided", "line.delivered"]
    assert ScriptedSupplier.bought_from() == ["first"]


def test_delivered_with_these_codes(shop: Reseller) -> None:
    order, attempt = waiting(shop, quantity=2)
    attempt_confirm(supplier_order_id=attempt, actor="ops", note=NOTE, codes=["AAAA-1111", " BBBB-2222 ", ""])
    assert delivered_codes(order) == ["AAAA-1111", "BBBB-2222"]
    assert states(order) == ("fulfilled", "delivered")


@pytest.mark.parametrize(
    "typed",
    [
        [],
        ["AAAA-1111"],
        ["AAAA-1111", "AAAA-1111"],
        ["AAAA-1111", "请联系客服"],
        ["A1", "B2"],
        ["AAAA-1111", "SEEN-0001"],
    ],
    ids=["none", "too few", "one twice", "an apology", "too short", "seen before"],
)
def test_unfit_codes_are_refused_and_nothing_moves(shop: Reseller, typed: list[str]) -> None:
    stocked(["SEEN-0001"])
    order, attempt = waiting(shop, quantity=2)
    before = books(order), attempts(order), events(order)
    with pytest.raises(CodesUnfit):
        attempt_confirm(supplier_order_id=attempt, actor="ops", note=NOTE, codes=typed)
    assert (books(order), attempts(order), events(order)) == before


def test_a_top_up_has_no_codes(shop: Reseller) -> None:
    order, attempt = waiting(shop)
    with pytest.raises(CodesUnfit):
        attempt_confirm(supplier_order_id=attempt, actor="ops", note=NOTE, codes=["AAAA-1111"])
    assert states(order) == ("paid", "manual")


def test_failed_asks_the_next_supplier(shop: Reseller) -> None:
    order, attempt = waiting(shop)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    attempt_fail(supplier_order_id=attempt, actor="ops", note=NOTE)
    drain()
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]
    assert states(order) == ("fulfilled", "delivered")


def test_failed_everywhere_is_refunded_by_itself(shop: Reseller) -> None:
    order, attempt = waiting(shop)
    ScriptedSupplier.on_submit("second", REFUSED)
    attempt_fail(supplier_order_id=attempt, actor="ops", note=NOTE)
    drain()
    drain()
    assert states(order) == ("refunded", "refunded")


def test_above_the_limit_another_one_agrees_that_it_failed(shop: Reseller, settings: Any) -> None:
    settings.REFUND_SECOND_APPROVER_ABOVE = Decimal(20)
    order, attempt = waiting(shop)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    decision = attempt_fail(supplier_order_id=attempt, actor="staff:li", note=NOTE)
    assert (decision.status, states(order)) == ("waiting", ("paid", "manual"))
    with pytest.raises(DecisionWaits):
        attempt_fail(supplier_order_id=attempt, actor="staff:wang", note=NOTE)
    with pytest.raises(NeedsAnotherPerson):
        attempt_fail_agree(decision_id=decision.pk, actor="staff:li")
    assert (attempts(order), events(order, "attempt.decided")) == ([("first", "unknown")], [])
    attempt_fail_agree(decision_id=decision.pk, actor="staff:wang")
    drain()
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]


def test_goods_that_arrive_meanwhile_leave_nothing_to_agree_to(shop: Reseller, settings: Any) -> None:
    settings.REFUND_SECOND_APPROVER_ABOVE = Decimal(20)
    order, attempt = waiting(shop)
    decision = attempt_fail(supplier_order_id=attempt, actor="staff:li", note=NOTE)
    attempt_confirm(supplier_order_id=attempt, actor="staff:wang", note=NOTE)
    decision.refresh_from_db()
    assert (decision.status, states(order)) == ("moot", ("fulfilled", "delivered"))
    with pytest.raises(DecisionOver):
        attempt_fail_agree(decision_id=decision.pk, actor="staff:wang")


def test_asking_again_asks_and_buys_nothing(shop: Reseller) -> None:
    order, attempt = waiting(shop)
    OutboxEvent.objects.all().delete()
    ScriptedSupplier.on_query("first", UNKNOWN, TOPPED_UP)
    attempt_ask(supplier_order_id=attempt, actor="ops")
    drain()
    assert states(order) == ("paid", "manual")
    attempt_ask(supplier_order_id=attempt, actor="ops")
    drain()
    assert states(order) == ("fulfilled", "delivered")
    assert ScriptedSupplier.bought_from() == ["first"]


@pytest.mark.parametrize(
    "decide",
    [
        lambda pk: attempt_confirm(supplier_order_id=pk, actor="ops", note=NOTE),
        lambda pk: attempt_fail(supplier_order_id=pk, actor="ops", note=NOTE),
        lambda pk: attempt_ask(supplier_order_id=pk, actor="ops"),
    ],
    ids=["delivered", "failed", "ask again"],
)
@pytest.mark.parametrize("answer", [ACCEPTED, UNKNOWN, TOPPED_UP], ids=lambda outcome: outcome.kind)
def test_only_what_waits_for_a_person_is_decided_by_one(
    shop: Reseller, decide: Callable[[int], None], answer: Outcome
) -> None:
    ScriptedSupplier.on_submit("first", answer)
    order = paid(shop, on_sale())
    fulfill(order)
    before = books(order), attempts(order), events(order)
    with pytest.raises(NotForPeople):
        decide(SupplierOrder.objects.get().pk)
    assert (books(order), attempts(order), events(order)) == before


@pytest.mark.parametrize("note", ["", "   ", "ok", "好 的"])
def test_a_decision_has_grounds(shop: Reseller, note: str) -> None:
    order, attempt = waiting(shop)
    with pytest.raises(NoteMissing):
        attempt_confirm(supplier_order_id=attempt, actor="ops", note=note)
    with pytest.raises(NoteMissing):
        attempt_fail(supplier_order_id=attempt, actor="ops", note=note)
    assert states(order) == ("paid", "manual")


def test_the_second_of_two_decisions_is_told_that_it_is_late(shop: Reseller) -> None:
    order, attempt = waiting(shop)
    attempt_confirm(supplier_order_id=attempt, actor="ops", note=NOTE)
    with pytest.raises(NotForPeople):
        attempt_fail(supplier_order_id=attempt, actor="other", note=NOTE)
    assert states(order) == ("fulfilled", "delivered")


def test_our_own_people_deliver_what_they_accepted(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ScriptedSupplier, "capabilities", frozenset({Capability.QUERY_BY_OUR_NUMBER, Capability.MANUAL})
    )
    ScriptedSupplier.on_submit("first", ACCEPTED)
    ScriptedSupplier.on_query("first", ACCEPTED)
    order = paid(shop, code_on_sale())
    fulfill(order)
    assert states(order) == ("paid", "buying")
    assert Alert.objects.get().closed_at is None
    attempt_confirm(supplier_order_id=SupplierOrder.objects.get().pk, actor="ops", note=NOTE, codes=["AAAA-1111"])
    assert delivered_codes(order) == ["AAAA-1111"]
    assert Alert.objects.get().closed_at is not None


def test_a_supplier_that_cannot_be_asked_goes_to_a_person_at_once(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedSupplier, "capabilities", frozenset())
    ScriptedSupplier.on_submit("first", UNKNOWN)
    order = paid(shop, on_sale())
    fulfill(order)
    assert states(order) == ("paid", "manual")
    assert ScriptedSupplier.bought_from() == ["first"]


def test_a_supplier_has_limits_of_its_own(shop: Reseller) -> None:
    from fulfillment.suppliers.models import Supplier

    variant = on_sale()
    Supplier.objects.filter(code="first").update(unknown_limit=5)
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", UNKNOWN)
    order = paid(shop, variant)
    fulfill(order)
    assert states(order) == ("paid", "verifying")
    with in_a_moment(6):
        fulfill(order)
    assert states(order) == ("paid", "manual")
