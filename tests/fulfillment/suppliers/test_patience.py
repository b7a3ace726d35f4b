"""An order whose suppliers all rest, or cannot be reached: it waits for them in part of the time that was told."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.conf import LazySettings
from django.db.models import F
from django.utils import timezone

from fulfillment.models import SupplierOrder
from fulfillment.services import RESTING, RESTING_LONGEST, RESTING_SHORTEST
from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.breaker import FAILURES, probe_take, supplier_probe
from fulfillment.suppliers.models import Supplier, SupplierOffer
from orders.models import Order
from payments.models import Refund
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale
from tests.flows import NOT_SENT, TOPPED_UP, UNKNOWN, attempts, drain, fulfill, in_a_moment, paid, states, work_of
from tests.fulfillment.suppliers.test_breaker import DEAD, called, due, state

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


def resting(shop: Reseller, *suppliers: str) -> Order:
    """A paid order for what these sell, all of them behind open breakers since a moment ago."""
    order = paid(shop, on_sale(suppliers=suppliers))
    for code in suppliers:
        called(Supplier.objects.get(code=code), DEAD, times=5)
    return order


def paid_ago(order: Order, seconds: float) -> None:
    Order.objects.filter(pk=order.pk).update(paid_at=timezone.now() - timedelta(seconds=seconds))


def test_an_order_waits_for_suppliers_that_are_left_alone_and_is_delivered_when_one_is_back(shop: Reseller) -> None:
    order = resting(shop, "first", "second")
    assert fulfill(order) == RESTING_SHORTEST
    assert (states(order), Refund.objects.count(), work_of(order).note) == (("paid", "queued"), 0, RESTING)
    first = Supplier.objects.get(code="first")
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    due(first)
    supplier_probe(supplier_id=first.pk)
    assert fulfill(order) is None
    assert states(order) == ("fulfilled", "delivered")
    assert attempts(order) == [("first", "succeeded")]


def test_it_waits_while_another_order_tries_the_one_that_is_half_open(shop: Reseller) -> None:
    order = resting(shop, "first")
    first = Supplier.objects.get(code="first")
    due(first)
    supplier_probe(supplier_id=first.pk)
    assert probe_take(supplier_id=first.pk)
    assert fulfill(order) == RESTING_SHORTEST
    assert attempts(order) == []


def test_it_waits_less_often_the_longer_it_lasts(shop: Reseller) -> None:
    order = resting(shop, "first")
    paid_ago(order, 100)
    assert fulfill(order) == pytest.approx(10, abs=1)
    paid_ago(order, 800)
    assert fulfill(order) == RESTING_LONGEST


@pytest.mark.parametrize(("patience", "promise"), [(900, 3600), (100_000, 1800)])
def test_it_is_refunded_when_patience_ends_long_before_the_time_that_was_told(
    shop: Reseller, settings: LazySettings, patience: int, promise: int
) -> None:
    settings.OUTAGE_PATIENCE_SECONDS, settings.UNKNOWN_LIMIT_SECONDS = patience, promise
    order = resting(shop, "first")
    paid_ago(order, 890)
    wait = fulfill(order)
    assert wait is not None
    assert wait <= 10
    paid_ago(order, 901)
    assert fulfill(order) is None
    drain()
    assert states(order) == ("refunded", "refunded")


@pytest.mark.parametrize("why", [{"is_listed": False}, {"stock": 0}, {"cost": None}, {"cost": Decimal("60.01")}])
def test_nobody_is_waited_for_who_could_not_deliver_in_any_case(shop: Reseller, why: dict[str, object]) -> None:
    order = resting(shop, "first")
    SupplierOffer.objects.update(**why)
    assert fulfill(order) is None
    assert states(order) == ("paid", "failed")


def test_who_refused_this_order_is_not_waited_for(shop: Reseller) -> None:
    variant = on_sale(suppliers=("first",))
    order = paid(shop, variant)
    called(Supplier.objects.get(code="first"), DEAD, times=4)
    ScriptedSupplier.on_submit("first", Outcome(OutcomeKind.REFUSED, code="out_of_stock"))
    assert fulfill(order) is None
    assert state(Supplier.objects.get(code="first")) == "open"
    assert states(order) == ("paid", "failed")


def test_an_order_that_was_the_first_to_find_nobody_waits_like_those_behind_the_breaker(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", NOT_SENT)
    order = paid(shop, on_sale(suppliers=("first",)))
    assert fulfill(order) == RESTING_SHORTEST
    assert fulfill(order) == RESTING_SHORTEST
    assert (attempts(order), work_of(order).note) == ([("first", "rejected")], RESTING)
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    SupplierOrder.objects.update(created_at=F("created_at") - timedelta(seconds=RESTING_SHORTEST))
    assert fulfill(order) is None
    assert (states(order), Refund.objects.count()) == (("fulfilled", "delivered"), 0)
    assert attempts(order) == [("first", "rejected"), ("first", "succeeded")]


def test_who_could_not_be_reached_is_tried_again_until_its_breaker_opens(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", NOT_SENT)
    order = paid(shop, on_sale(suppliers=("first",)))
    for _ in range(FAILURES + 2):
        assert fulfill(order) == RESTING_SHORTEST
        SupplierOrder.objects.update(created_at=F("created_at") - timedelta(seconds=RESTING_SHORTEST))
    assert len(attempts(order)) == FAILURES
    paid_ago(order, 901)
    assert fulfill(order) is None
    drain()
    assert (states(order), len(attempts(order))) == (("refunded", "refunded"), FAILURES)


def test_who_refused_is_not_asked_again_while_another_cannot_be_reached(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", Outcome(OutcomeKind.REFUSED, code="out_of_stock"))
    ScriptedSupplier.on_submit("second", NOT_SENT)
    order = paid(shop, on_sale())
    assert fulfill(order) == RESTING_SHORTEST
    SupplierOrder.objects.update(created_at=F("created_at") - timedelta(seconds=RESTING_SHORTEST))
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    assert fulfill(order) is None
    assert attempts(order) == [("first", "rejected"), ("second", "rejected"), ("second", "succeeded")]


def test_what_is_bought_after_a_wait_is_a_persons_before_the_time_that_was_told_is_over(shop: Reseller) -> None:
    order = paid(shop, on_sale())
    paid_ago(order, 3500)
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", UNKNOWN)
    fulfill(order)
    with in_a_moment(290):
        fulfill(order)
        assert states(order) == ("paid", "verifying")
    with in_a_moment(310):
        fulfill(order)
    assert states(order) == ("paid", "manual")
