"""What waits for a person, and what a person can do."""

import pytest

from catalog.models import Variant
from fulfillment.decisions import fulfillment_give_up, fulfillment_retry
from fulfillment.exceptions import IllegalTransition
from fulfillment.models import SupplierOrder
from fulfillment.outcomes import outcome_apply
from fulfillment.services import fulfillment_run
from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.models import SupplierResult
from kameng.alerts.models import Alert
from kameng.outbox.models import OutboxEvent
from orders.models import Order
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale
from tests.flows import (
    ACCEPTED,
    FAILED,
    NOT_FOUND,
    TOPPED_UP,
    UNKNOWN,
    attempts,
    drain,
    events,
    fulfill,
    outbox,
    paid,
    states,
    work_of,
)

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


def in_manual(shop: Reseller, variant: Variant | None = None) -> Order:
    """An order whose work waits for a person; supplier `first` may have acted."""
    ScriptedSupplier.on_submit("first", Outcome(OutcomeKind.PARTIAL))
    order = paid(shop, variant or on_sale())
    fulfill(order)
    assert states(order) == ("paid", "manual")
    return order


def test_a_retry_asks_the_supplier_and_buys_nothing(shop: Reseller) -> None:
    order = in_manual(shop)
    ScriptedSupplier.on_query("first", TOPPED_UP)
    fulfillment_retry(fulfillment_id=work_of(order).pk, actor="ops")
    assert states(order) == ("paid", "verifying")
    drain()
    assert states(order) == ("fulfilled", "delivered")
    assert ScriptedSupplier.bought_from() == ["first"]
    assert events(order, "fulfillment.retried") == ["fulfillment.retried"]


def test_a_retry_of_what_is_over_does_nothing(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    before, rows = events(order), OutboxEvent.objects.count()
    fulfillment_retry(fulfillment_id=work_of(order).pk, actor="ops")
    assert (events(order), OutboxEvent.objects.count()) == (before, rows)


def test_giving_up_starts_the_refund(shop: Reseller) -> None:
    order = in_manual(shop)
    OutboxEvent.objects.all().delete()
    fulfillment_give_up(fulfillment_id=work_of(order).pk, actor="ops", reason="asked by phone")
    drain()
    assert states(order) == ("refunded", "refunded")
    assert work_of(order).note == "asked by phone"
    assert attempts(order) == [("first", "rejected")]


def test_what_is_given_up_counts_against_the_supplier(shop: Reseller) -> None:
    order = in_manual(shop)
    fulfillment_give_up(fulfillment_id=work_of(order).pk, actor="ops", reason="asked by phone")
    result = SupplierResult.objects.get()
    assert (result.reference, result.status, result.code) == (
        SupplierOrder.objects.get().reference,
        "rejected",
        "given_up",
    )
    assert not result.is_about_order
    assert Alert.objects.get(kind="attempt.needs_person").closed_at is not None
    assert events(order, "supplier.rejected") == ["supplier.rejected"]


@pytest.mark.parametrize("answer", [UNKNOWN, ACCEPTED, TOPPED_UP], ids=lambda outcome: outcome.kind)
def test_only_what_waits_for_a_person_can_be_given_up(shop: Reseller, answer: Outcome) -> None:
    ScriptedSupplier.on_submit("first", answer)
    order = paid(shop, on_sale())
    fulfill(order)
    before = states(order), attempts(order), events(order)
    with pytest.raises(IllegalTransition):
        fulfillment_give_up(fulfillment_id=work_of(order).pk, actor="ops", reason="")
    assert (states(order), attempts(order), events(order)) == before
    assert outbox("line.failed") == []


@pytest.mark.parametrize("answer", [ACCEPTED, UNKNOWN, NOT_FOUND], ids=lambda outcome: outcome.kind)
def test_word_without_an_end_leaves_the_work_with_the_person(shop: Reseller, answer: Outcome) -> None:
    """Nobody follows such work on a schedule: moved on, it would be forgotten."""
    order = in_manual(shop)
    outcome_apply(supplier_order_id=SupplierOrder.objects.get().pk, outcome=answer, actor="callback")
    assert states(order) == ("paid", "manual")


def test_a_supplier_can_still_deliver_what_waits_for_a_person(shop: Reseller) -> None:
    order = in_manual(shop)
    ScriptedSupplier.on_query("first", TOPPED_UP)
    assert fulfillment_run(fulfillment_id=work_of(order).pk) is None  # what a callback's knock does
    assert states(order) == ("fulfilled", "delivered")
    assert ScriptedSupplier.bought_from() == ["first"]


def test_a_definite_no_to_what_waits_for_a_person_buys_nothing_elsewhere_by_itself(shop: Reseller) -> None:
    order = in_manual(shop)
    ScriptedSupplier.on_query("first", FAILED)
    assert fulfillment_run(fulfillment_id=work_of(order).pk) is None
    assert states(order) == ("paid", "manual")
    assert attempts(order) == [("first", "rejected")]
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    fulfillment_retry(fulfillment_id=work_of(order).pk, actor="ops")
    drain()
    assert states(order) == ("fulfilled", "delivered")
    assert ScriptedSupplier.bought_from() == ["first", "second"]
