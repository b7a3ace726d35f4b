"""A purchase of which nobody knows how it ended: asked about, never bought twice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import LazySettings

from fulfillment import calls, services
from fulfillment.models import Delivery, Fulfillment, SupplierOrder
from fulfillment.outcomes import outcome_apply
from fulfillment.services import fulfillment_run
from fulfillment.suppliers.base import Attempt, Outcome, OutcomeKind
from fulfillment.suppliers.models import StockCode
from fulfillment.suppliers.stock_room import code_open
from kameng.alerts.models import Alert
from kameng.core.deadlines import awake
from orders.models import Order, OrderEvent
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import code_on_sale, on_sale, stocked
from tests.flows import (
    ACCEPTED,
    FAILED,
    NOT_FOUND,
    NOT_SENT,
    REFUSED,
    TOPPED_UP,
    UNKNOWN,
    attempts,
    codes,
    delivered_codes,
    drain,
    events,
    fulfill,
    in_a_moment,
    paid,
    states,
    work_of,
)

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


# --- unknown --------------------------------------------------------------------------------------


def test_unknown_is_asked_about_and_never_bought_elsewhere(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", UNKNOWN, UNKNOWN, TOPPED_UP)
    order = paid(shop, on_sale())
    assert fulfill(order) == 1
    assert states(order) == ("paid", "verifying")
    assert fulfill(order) == 3
    assert fulfill(order) == 5
    assert fulfill(order) is None
    assert states(order) == ("fulfilled", "delivered")
    assert [(verb, supplier) for verb, supplier, _ in ScriptedSupplier.calls] == [
        ("submit", "first"),
        *[("query", "first")] * 3,
    ]
    assert attempts(order) == [("first", "succeeded")]


def test_an_adapter_that_raises_after_sending_leaves_the_purchase_unknown(shop: Reseller) -> None:
    def explode(attempt: Attempt) -> Outcome:
        raise ZeroDivisionError("a bug")

    ScriptedSupplier.on_submit("first", explode)
    ScriptedSupplier.on_query("first", TOPPED_UP)
    order = paid(shop, on_sale())
    assert fulfill(order) == 1
    buy = SupplierOrder.objects.get()
    assert (buy.status, buy.code, buy.message) == ("unknown", "adapter_error", "ZeroDivisionError")
    assert fulfill(order) is None
    assert ScriptedSupplier.bought_from() == ["first"]


def test_a_worker_that_died_while_buying_is_asked_about_not_repeated(shop: Reseller) -> None:
    class Died(BaseException):
        pass

    def die(attempt: Attempt) -> Outcome:
        raise Died

    ScriptedSupplier.on_submit("first", die)
    ScriptedSupplier.on_query("first", TOPPED_UP)
    order = paid(shop, on_sale())
    with pytest.raises(Died):
        fulfill(order)
    assert attempts(order) == [("first", "intended")]

    wait = fulfill(order)
    assert wait == pytest.approx(30.5, abs=0.6)  # somebody may still be calling
    assert len(ScriptedSupplier.calls) == 1

    with in_a_moment(31):
        assert fulfill(order) is None
    assert [verb for verb, _, _ in ScriptedSupplier.calls] == ["submit", "query"]
    assert attempts(order) == [("first", "succeeded")]


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Stop the worker for some seconds between committing to a purchase and sending it."""

    def stop(seconds: float) -> None:
        def attempt(*given: Any) -> Attempt:
            monkeypatch.setattr("fulfillment.calls.awake", lambda: awake() + seconds)
            return attempt_of(*given)

        attempt_of = calls.attempt_of
        monkeypatch.setattr(calls, "attempt_of", attempt)

    return stop


def test_a_worker_that_was_held_up_before_sending_asks_instead(
    shop: Reseller, held_up: Callable[[float], None]
) -> None:
    """Another worker may have taken the attempt over, and even bought elsewhere."""
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    ScriptedSupplier.on_query("first", TOPPED_UP)
    order = paid(shop, on_sale())
    held_up(calls.SEND_WITHIN_SECONDS + 1)
    assert fulfill(order) == 1
    assert ScriptedSupplier.calls == []
    buy = SupplierOrder.objects.get()
    assert (buy.status, buy.code) == ("unknown", "held_up")
    assert fulfill(order) is None
    assert [verb for verb, _, _ in ScriptedSupplier.calls] == ["query"]


def test_a_worker_that_was_held_up_leaves_the_attempt_to_whoever_took_it_over(
    shop: Reseller, held_up: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    ScriptedSupplier.on_query("first", REFUSED)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    alone_with = calls.alone_with

    @contextmanager
    def after_another(buy: SupplierOrder) -> Iterator[bool]:
        monkeypatch.setattr(services, "alone_with", alone_with)
        with in_a_moment(services.ABANDONED_SECONDS + 1):
            fulfillment_run(fulfillment_id=work_of(order).pk)
        held_up(services.ABANDONED_SECONDS + 1)
        with alone_with(buy) as alone:
            yield alone

    monkeypatch.setattr(services, "alone_with", after_another)
    assert fulfill(order) is None
    assert [(verb, supplier) for verb, supplier, _ in ScriptedSupplier.calls] == [
        ("query", "first"),
        ("submit", "second"),
    ]
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]
    assert states(order) == ("fulfilled", "delivered")


def test_that_nothing_was_sent_is_no_answer_once_another_asks(shop: Reseller) -> None:
    """The one that comes back late did not send; whoever took over may have, where asking repeats the purchase."""
    order = paid(shop, on_sale())
    ScriptedSupplier.on_query("first", ACCEPTED, TOPPED_UP)

    def stopped(attempt: Attempt) -> Outcome:
        with in_a_moment(services.ABANDONED_SECONDS + 1):
            fulfillment_run(fulfillment_id=work_of(order).pk)
        return NOT_SENT

    ScriptedSupplier.on_submit("first", stopped)
    assert fulfill(order) is not None
    assert ScriptedSupplier.bought_from() == ["first"]
    buy = SupplierOrder.objects.get()
    assert (buy.status, buy.code) == ("unknown", "held_up")
    assert fulfill(order) is None
    assert attempts(order) == [("first", "succeeded")]


def test_a_worker_that_was_slow_but_in_time_buys(shop: Reseller, held_up: Callable[[float], None]) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    held_up(calls.SEND_WITHIN_SECONDS - 2)
    assert fulfill(order) is None
    assert attempts(order) == [("first", "succeeded")]


def test_a_worker_that_died_while_taking_from_our_shelf_is_recovered(shop: Reseller) -> None:
    """The line is still queued then: our own shelf leaves no "buying" behind."""
    order = paid(shop, stocked(["CODE-0001"]))
    fulfill(order)
    work = work_of(order)
    Delivery.objects.all().delete()
    SupplierOrder.objects.update(status="intended", finished_at=None)
    Fulfillment.objects.update(status="queued")
    order.lines.update(status="queued")
    Order.objects.update(status="paid")
    with in_a_moment(31):
        assert fulfillment_run(fulfillment_id=work.pk) is None
    assert states(order) == ("fulfilled", "delivered")
    assert delivered_codes(order) == ["CODE-0001"]


def test_a_shelf_that_holds_something_unfit_ends_with_a_person_not_in_a_loop(shop: Reseller) -> None:
    order = paid(shop, stocked(["sold out"]))
    assert fulfill(order) == 1
    assert states(order) == ("paid", "verifying")
    with in_a_moment(3700):
        assert fulfill(order) is None
    assert states(order) == ("paid", "manual")


def test_no_such_order_counts_only_when_said_twice_a_window_apart(shop: Reseller, settings: LazySettings) -> None:
    settings.NOT_FOUND_WINDOW_SECONDS = 60
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", NOT_FOUND)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)

    wait = fulfill(order)
    assert wait == pytest.approx(59.5, abs=0.5)
    with in_a_moment(50):
        assert fulfill(order) == pytest.approx(9.5, abs=0.5)
    assert ScriptedSupplier.bought_from() == ["first"]

    with in_a_moment(61):
        assert fulfill(order) is None
    assert ScriptedSupplier.bought_from() == ["first", "second"]
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]


def test_anything_between_two_denials_starts_the_count_again(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", NOT_FOUND, UNKNOWN, NOT_FOUND, NOT_FOUND)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    fulfill(order)
    with in_a_moment(61):
        fulfill(order)
    with in_a_moment(122):
        fulfill(order)
    assert ScriptedSupplier.bought_from() == ["first"]
    with in_a_moment(183):
        fulfill(order)
    assert ScriptedSupplier.bought_from() == ["first", "second"]


def test_no_such_order_is_not_believed_within_the_protocols_grace_time(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ScriptedSupplier, "not_found_grace", 600)
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", NOT_FOUND)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    for seconds in (1, 100, 300, 590):
        with in_a_moment(seconds):
            fulfill(order)
    assert SupplierOrder.objects.get().missing_since is None
    with in_a_moment(601):
        fulfill(order)
    assert ScriptedSupplier.bought_from() == ["first"]
    with in_a_moment(662):
        fulfill(order)
    assert ScriptedSupplier.bought_from() == ["first", "second"]


def test_what_nobody_explains_is_handed_to_a_person(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", UNKNOWN)
    ScriptedSupplier.on_query("first", UNKNOWN)
    order = paid(shop, on_sale())
    fulfill(order)
    with in_a_moment(3601):
        assert fulfill(order) is None
    assert states(order) == ("paid", "manual")
    assert attempts(order) == [("first", "unknown")]
    drain()
    assert not order.payments.get().refunds.exists()
    assert ScriptedSupplier.bought_from() == ["first"]


def test_what_is_accepted_and_never_finished_is_handed_to_a_person(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", ACCEPTED)
    ScriptedSupplier.on_query("first", ACCEPTED)
    order = paid(shop, on_sale())
    assert fulfill(order) == 0.5
    with in_a_moment(23 * 3600):
        assert fulfill(order) == 1
    assert states(order) == ("paid", "buying")
    with in_a_moment(24 * 3600 + 1):
        assert fulfill(order) is None
    assert states(order) == ("paid", "manual")
    assert ScriptedSupplier.bought_from() == ["first"]


@pytest.mark.parametrize("kind", [OutcomeKind.PARTIAL, OutcomeKind.REVERSED])
def test_half_a_delivery_and_a_reversal_are_for_people(shop: Reseller, kind: OutcomeKind) -> None:
    ScriptedSupplier.on_submit("first", Outcome(kind))
    order = paid(shop, on_sale())
    assert fulfill(order) is None
    assert states(order) == ("paid", "manual")
    assert attempts(order) == [("first", "unknown")]


def test_words_that_the_database_cannot_store_do_not_lose_a_result(shop: Reseller) -> None:
    odd = Outcome(OutcomeKind.UNKNOWN, code="x\0y", message="a\0b", supplier_reference="9\0")
    ScriptedSupplier.on_submit("first", odd)
    order = paid(shop, on_sale())
    assert fulfill(order) == 1
    buy = SupplierOrder.objects.get()
    assert (buy.status, buy.code, buy.message, buy.supplier_reference) == ("unknown", "xy", "ab", "9")


# --- late word ------------------------------------------------------------------------------------


def test_a_late_success_of_a_rejected_attempt_delivers_nothing_twice(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", FAILED)
    ScriptedSupplier.on_submit("second", codes("BBBB-2222"))
    order = paid(shop, code_on_sale())
    fulfill(order)
    late = SupplierOrder.objects.get(status="rejected")

    assert outcome_apply(supplier_order_id=late.pk, outcome=codes("AAAA-1111"), actor="callback") is None

    assert delivered_codes(order) == ["BBBB-2222"]
    assert states(order) == ("fulfilled", "delivered")
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]
    told = OrderEvent.objects.get(order=order, name="supplier.contradiction")
    assert told.data == {"reference": late.reference, "says": "delivered", "codes_kept": 1}
    kept = StockCode.objects.get(reference=late.reference)
    assert code_open(kept) == "AAAA-1111"  # it was paid for


def test_word_that_agrees_with_the_end_is_no_alarm(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    buy = SupplierOrder.objects.get()
    before = events(order)
    for outcome in (TOPPED_UP, ACCEPTED, UNKNOWN, NOT_FOUND):
        assert outcome_apply(supplier_order_id=buy.pk, outcome=outcome, actor="callback") is None
    assert events(order) == before
    assert Delivery.objects.count() == 1


def test_a_reversal_after_delivery_is_an_alarm_and_nothing_else(shop: Reseller) -> None:
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid(shop, on_sale())
    fulfill(order)
    outcome_apply(
        supplier_order_id=SupplierOrder.objects.get().pk, outcome=Outcome(OutcomeKind.REVERSED), actor="callback"
    )
    assert events(order, "supplier.reversed") == ["supplier.reversed"]
    assert attempts(order) == [("first", "reversed")]
    assert states(order) == ("fulfilled", "delivered")
    assert Alert.objects.values_list("kind", "level", "data__supplier").get() == (
        "supplier.reversed", "urgent", "first",
    )  # fmt: skip
    assert ScriptedSupplier.bought_from() == ["first"]


def test_a_late_word_about_one_attempt_does_not_stop_the_work_on_the_next(shop: Reseller) -> None:
    """A refusal by callback overtakes the reply "accepted": whoever waited for the reply goes on with the next."""

    def overtaken(attempt: Attempt) -> Outcome:
        buy = SupplierOrder.objects.get(reference=attempt.reference)
        outcome_apply(supplier_order_id=buy.pk, outcome=FAILED, actor="callback")
        return ACCEPTED

    ScriptedSupplier.on_submit("first", overtaken)
    ScriptedSupplier.on_submit("second", ACCEPTED)
    order = paid(shop, on_sale())
    assert fulfill(order) == 0.5
    assert attempts(order) == [("first", "rejected"), ("second", "accepted")]


def test_a_result_that_overtakes_the_reply_counts_once(shop: Reseller) -> None:
    def overtaken(attempt: Attempt) -> Outcome:
        buy = SupplierOrder.objects.get(reference=attempt.reference)
        outcome_apply(supplier_order_id=buy.pk, outcome=codes("AAAA-1111"), actor="callback")
        return ACCEPTED

    ScriptedSupplier.on_submit("first", overtaken)
    order = paid(shop, code_on_sale())
    assert fulfill(order) is None
    assert delivered_codes(order) == ["AAAA-1111"]
    assert events(order, "line.delivered", "supplier.contradiction") == ["line.delivered"]
