"""Each guard against a supplier in trouble is taken away, and the harm that it prevents shows.

| guard | accident |
|---|---|
| "no such order" is doubted for a while, and once more | a worker dies between committing to a purchase and sending |
| a worker that was held up sends nothing | the same, and it wakes up after somebody else has bought |
| the breaker opens | the supplier refuses connections |
| goods that nobody can deliver leave sale | every supplier is down |
| a supplier that comes back is tried by one order at a time | it refuses most, then seems to recover |
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from catalog.models import Variant
from fulfillment import calls, outcomes, services
from fulfillment.models import SupplierOrder
from fulfillment.services import fulfillment_run
from fulfillment.suppliers import breaker, choosing
from fulfillment.suppliers.base import Attempt
from fulfillment.suppliers.breaker import FAILURES, supplier_probe
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import Supplier, SupplierBreaker
from kameng.core.deadlines import awake
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import on_sale
from tests.flows import NOT_FOUND, NOT_SENT, REFUSED, TOPPED_UP, UNKNOWN, fulfill, in_a_moment, paid, work_of

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

#: Enough orders that an open breaker shows.
CROWD = 12


def _nothing(*given: object, **named: object) -> None:
    """What stands where a guard was."""


def _crowd(shop: Reseller, variant: Variant, number: int = CROWD) -> None:
    for buyer in range(number):
        fulfill(paid(shop, variant, contact=f"1381234{buyer:04}"))


def _asked_first() -> int:
    return ScriptedSupplier.bought_from().count("first")


# --- a purchase of which nobody knows whether it was sent -------------------------------------------------------------


@pytest.mark.parametrize(("is_guarded", "charged"), [(True, ["first"]), (False, ["first", "second"])])
def test_no_such_order_that_is_not_doubted_is_bought_twice(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool, charged: list[str]
) -> None:
    """The supplier has charged, and its books are a moment behind."""
    if not is_guarded:
        monkeypatch.setattr(outcomes, "_missing", outcomes._rejected)
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", NOT_FOUND, TOPPED_UP)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    with in_a_moment(1):
        fulfill(order)
    with in_a_moment(120):
        assert fulfill(order) is None
    assert ScriptedSupplier.bought_from() == charged


@pytest.mark.parametrize(("is_guarded", "charged"), [(True, ["second"]), (False, ["second", "first"])])
def test_a_worker_that_sends_after_it_was_held_up_buys_twice(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool, charged: list[str]
) -> None:
    """It sleeps between commitment and sending while another asks, is told "no", and buys elsewhere."""
    if not is_guarded:
        monkeypatch.setattr(calls, "SEND_WITHIN_SECONDS", float("inf"))
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    ScriptedSupplier.on_query("first", REFUSED)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    alone_with, attempt_of = calls.alone_with, calls.attempt_of

    def late(*given: Any) -> Attempt:
        monkeypatch.setattr(calls, "awake", lambda: awake() + services.ABANDONED_SECONDS + 1)
        return attempt_of(*given)

    @contextmanager
    def after_another(buy: SupplierOrder) -> Iterator[bool]:
        monkeypatch.setattr(services, "alone_with", alone_with)
        with in_a_moment(services.ABANDONED_SECONDS + 1):
            fulfillment_run(fulfillment_id=work_of(order).pk)
        monkeypatch.setattr(calls, "attempt_of", late)
        with alone_with(buy) as alone:
            yield alone

    monkeypatch.setattr(services, "alone_with", after_another)
    fulfill(order)
    assert ScriptedSupplier.bought_from() == charged


# --- suppliers that are down, and that come back ----------------------------------------------------------------------


@pytest.mark.parametrize(("is_guarded", "asked"), [(True, FAILURES), (False, CROWD)])
def test_without_a_breaker_every_order_knocks_at_a_dead_supplier(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool, asked: int
) -> None:
    if not is_guarded:
        monkeypatch.setattr(calls, "call_judge", _nothing)
    ScriptedSupplier.on_submit("first", NOT_SENT)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    _crowd(shop, on_sale())
    assert _asked_first() == asked
    assert ScriptedSupplier.bought_from().count("second") == CROWD


@pytest.mark.parametrize("is_guarded", [True, False])
def test_without_its_refresh_goods_that_nobody_can_deliver_stay_on_sale(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    if not is_guarded:
        monkeypatch.setattr(breaker, "availability_refresh", _nothing)
    variant = on_sale()
    availability_refresh()
    for supplier in ("first", "second"):
        ScriptedSupplier.on_submit(supplier, NOT_SENT)
    _crowd(shop, variant, FAILURES)
    assert set(SupplierBreaker.objects.values_list("supplier__code", "state")) == {
        ("first", "open"),
        ("second", "open"),
    }
    variant.refresh_from_db()
    assert variant.is_available is not is_guarded


@pytest.mark.parametrize(("is_guarded", "risked"), [(True, 1), (False, CROWD)])
def test_without_its_turn_everybody_tries_a_supplier_that_may_be_back(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool, risked: int
) -> None:
    """The one that tries has not been answered yet when the others choose."""
    variant = on_sale()
    first = Supplier.objects.get(code="first")
    ScriptedSupplier.on_submit("first", NOT_SENT)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    _crowd(shop, variant, FAILURES)
    SupplierBreaker.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    supplier_probe(supplier_id=first.pk)
    assert SupplierBreaker.objects.get().state == "half_open"
    if not is_guarded:
        monkeypatch.setattr(choosing, "probe_take", lambda **_: True)
    monkeypatch.setattr(calls, "call_judge", _nothing)
    before = _asked_first()
    _crowd(shop, variant)
    assert _asked_first() - before == risked
