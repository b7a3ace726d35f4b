"""A supplier in trouble is left alone by everybody, looked after, and trusted again step by step."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import F
from django.utils import timezone

from catalog.models import Variant
from fulfillment import services
from fulfillment.suppliers import breaker, connections
from fulfillment.suppliers.base import Capability, Outcome, OutcomeKind
from fulfillment.suppliers.breaker import (
    PAUSES,
    QUESTION_SECONDS,
    SUCCESSES,
    breaker_open,
    call_judge,
    probe_take,
    supplier_probe,
)
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.limits import Place, place_take
from fulfillment.suppliers.models import Supplier, SupplierBreaker, SupplierCall, SupplierIncident
from fulfillment.suppliers.results import Flow, call_record, is_failure
from kameng.alerts.models import Alert
from orders.models import Order
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import SupplierFactory, on_sale
from tests.flows import (
    ACCEPTED,
    NOT_SENT,
    TOPPED_UP,
    UNKNOWN,
    attempts,
    drain,
    fulfill,
    outbox,
    paid,
    work_of,
)

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

DEAD = Outcome(OutcomeKind.NOT_SENT, code="no_connection")
SILENT = Outcome(OutcomeKind.UNKNOWN, code="no_answer")
FINE = Outcome(OutcomeKind.ACCEPTED)


@pytest.fixture
def supplier(shop: Reseller) -> Supplier:
    return SupplierFactory(code="first")


def called(
    supplier: Supplier, outcome: Outcome, *, times: int = 1, seconds: float = 0.1, is_probe: bool = False
) -> None:
    """So many purchases that ended so."""
    for _ in range(times):
        call_record(supplier_id=supplier.pk, flow=Flow.SUBMIT, outcome=outcome, seconds=seconds)
        call_judge(supplier_id=supplier.pk, outcome=outcome, seconds=seconds, is_probe=is_probe, flow=Flow.SUBMIT)


def state(supplier: Supplier) -> str:
    """Closed without a row."""
    found = SupplierBreaker.objects.filter(supplier=supplier).first()
    return found.state if found else "closed"


def due(supplier: Supplier) -> None:
    """As if its pause were over."""
    SupplierBreaker.objects.filter(supplier=supplier).update(retry_at=timezone.now() - timedelta(seconds=1))


def half_open(supplier: Supplier) -> None:
    """Open, and answering again."""
    called(supplier, DEAD, times=5)
    due(supplier)
    supplier_probe(supplier_id=supplier.pk)
    assert state(supplier) == "half_open"


@pytest.mark.parametrize("outcome", [DEAD, SILENT, Outcome(OutcomeKind.REFUSED, code="out_of_stock")])
def test_it_opens_at_the_fifth_failure(supplier: Supplier, outcome: Outcome) -> None:
    called(supplier, outcome, times=4)
    assert state(supplier) == "closed"
    called(supplier, outcome)
    assert state(supplier) == "open"
    assert SupplierIncident.objects.get(ended_at=None).supplier == supplier
    assert Alert.objects.values_list("kind", "subject", "level").get() == ("supplier.breaker_open", "first", "urgent")
    assert outbox("supplier.probe") == [{"supplier_id": supplier.pk}]


def test_more_failures_open_it_once(supplier: Supplier) -> None:
    called(supplier, DEAD, times=12)
    assert SupplierIncident.objects.count() == 1
    assert Alert.objects.get().times == 1
    assert len(outbox("supplier.probe")) == 1


def test_few_failures_among_many_calls_do_not_open_it(supplier: Supplier) -> None:
    called(supplier, FINE, times=20)
    for _ in range(3):
        called(supplier, SILENT, times=3)
        called(supplier, FINE, times=3)
    assert state(supplier) == "closed"


def test_a_busy_minute_that_went_well_does_not_hide_an_outage(supplier: Supplier) -> None:
    called(supplier, FINE, times=60)
    called(supplier, SILENT, times=4)
    assert state(supplier) == "closed"
    called(supplier, SILENT)
    assert state(supplier) == "open"
    assert SupplierBreaker.objects.get().reason == "连续几次都失败"


def test_most_of_the_newest_calls_are_enough(supplier: Supplier) -> None:
    called(supplier, FINE, times=60)
    for number in range(1, 21):
        if state(supplier) == "open":
            break
        called(supplier, FINE if number % 3 == 0 else SILENT)
    assert state(supplier) == "open"
    assert number in range(17, 20)


def test_purchases_that_all_break_open_it_however_well_questions_are_answered(supplier: Supplier) -> None:
    for purchase in range(1, 6):
        assert state(supplier) == "closed", purchase
        called(supplier, UNKNOWN)
        for _ in range(3):
            call_record(supplier_id=supplier.pk, flow=Flow.QUERY, outcome=FINE, seconds=0.1)
    assert state(supplier) == "open"


def test_seventy_percent_refusals_open_it(supplier: Supplier) -> None:
    refused = Outcome(OutcomeKind.REFUSED, code="out_of_stock")
    for number in range(10):
        called(supplier, FINE if number % 10 in (0, 4, 8) else refused)
    assert state(supplier) == "open"


def test_failures_of_an_hour_ago_do_not_open_it(supplier: Supplier) -> None:
    called(supplier, DEAD, times=4)
    SupplierCall.objects.update(created_at=F("created_at") - timedelta(hours=1))
    called(supplier, DEAD)
    assert state(supplier) == "closed"


def test_it_opens_by_slowness(supplier: Supplier) -> None:
    called(supplier, FINE, times=7, seconds=4.5)
    assert state(supplier) == "closed"
    called(supplier, FINE, seconds=4.5)
    assert state(supplier) == "open"
    assert SupplierBreaker.objects.get().reason == "最近太慢"


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        (NOT_SENT, True),
        (UNKNOWN, True),
        (Outcome(OutcomeKind.FAILED, code="failed"), True),
        (Outcome(OutcomeKind.REFUSED, code="bad_account"), False),
        (Outcome(OutcomeKind.REFUSED, code="price_above_limit"), False),
        (Outcome(OutcomeKind.NOT_SENT, code="missing_account"), False),
        (Outcome(OutcomeKind.UNKNOWN, code="duplicate"), False),
        (Outcome(OutcomeKind.NOT_FOUND), False),
        (ACCEPTED, False),
        (TOPPED_UP, False),
        (Outcome(OutcomeKind.PARTIAL), False),
    ],
)
def test_only_what_is_the_suppliers_fault_counts(outcome: Outcome, counts: bool) -> None:
    assert is_failure(outcome) is counts


def test_an_open_one_waits_and_answers_before_an_order_is_risked(
    supplier: Supplier, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Decimal | None] = [None, None, Decimal(100)]
    monkeypatch.setattr(ScriptedSupplier, "balance", lambda _self: told.pop(0))
    monkeypatch.setattr(
        ScriptedSupplier, "capabilities", frozenset({Capability.QUERY_BY_OUR_NUMBER, Capability.BALANCE})
    )
    called(supplier, DEAD, times=5)
    wait = supplier_probe(supplier_id=supplier.pk)
    assert wait is not None
    assert 0 < wait <= PAUSES[0]
    assert len(told) == 3  # not asked before its time
    for _ in range(2):
        due(supplier)
        assert supplier_probe(supplier_id=supplier.pk) == QUESTION_SECONDS
        assert supplier_probe(supplier_id=supplier.pk) == pytest.approx(QUESTION_SECONDS, abs=2)
        assert state(supplier) == "open"
    due(supplier)
    supplier_probe(supplier_id=supplier.pk)
    assert state(supplier) == "half_open"
    assert list(SupplierCall.objects.filter(flow="probe").values_list("is_failure", flat=True)) == [True, True, False]


def test_a_few_orders_close_it(supplier: Supplier) -> None:
    half_open(supplier)
    for _ in range(SUCCESSES):
        assert state(supplier) == "half_open"
        assert probe_take(supplier_id=supplier.pk)
        called(supplier, FINE, is_probe=True)
    assert state(supplier) == "closed"
    assert SupplierIncident.objects.get().ended_at is not None
    assert Alert.objects.get().closed_at is not None
    assert supplier_probe(supplier_id=supplier.pk) is None


@pytest.mark.parametrize(
    "unsent",
    [
        Outcome(OutcomeKind.NOT_SENT, code="cost_unknown"),
        Outcome(OutcomeKind.NOT_SENT, code="price_above_limit"),
        Outcome(OutcomeKind.UNKNOWN, code="held_up"),
    ],
    ids=lambda outcome: outcome.code,
)
def test_an_order_that_never_left_has_tried_nothing(supplier: Supplier, unsent: Outcome) -> None:
    """Our own guards held it back: the place is free for the next order, and nobody is trusted for it."""
    half_open(supplier)
    for _ in range(SUCCESSES):
        assert probe_take(supplier_id=supplier.pk)
        called(supplier, unsent, is_probe=True)
    found = SupplierBreaker.objects.get()
    assert (found.state, found.successes, found.probe_until) == ("half_open", 0, None)


def test_what_opened_it_does_not_open_it_again(supplier: Supplier) -> None:
    half_open(supplier)
    for _ in range(SUCCESSES):
        called(supplier, FINE, is_probe=True)
    called(supplier, DEAD)
    assert state(supplier) == "closed"


def test_a_failure_opens_it_again_for_longer(supplier: Supplier) -> None:
    half_open(supplier)
    assert probe_take(supplier_id=supplier.pk)
    called(supplier, DEAD, is_probe=True)
    found = SupplierBreaker.objects.get()
    assert (found.state, found.trips, found.probe_until) == ("open", 2, None)
    assert (found.retry_at - timezone.now()).total_seconds() == pytest.approx(PAUSES[1], abs=2)  # type: ignore[operator]
    assert SupplierIncident.objects.filter(ended_at=None).count() == 1


def test_a_probe_whose_worker_died_frees_its_place(supplier: Supplier) -> None:
    half_open(supplier)
    assert probe_take(supplier_id=supplier.pk)
    assert not probe_take(supplier_id=supplier.pk)
    SupplierBreaker.objects.update(probe_until=timezone.now() - timedelta(seconds=1))
    assert probe_take(supplier_id=supplier.pk)


def bought(shop: Reseller, variant: Variant, number: int) -> Order:
    """One more order, fulfilled."""
    order = paid(shop, variant, contact=f"1381234{number:04}")
    fulfill(order)
    return order


def test_a_dead_supplier_is_left_alone_after_five_orders_and_gets_its_place_back(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = on_sale()
    first = Supplier.objects.get(code="first")
    ScriptedSupplier.on_submit("first", DEAD)
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    for number in range(8):
        bought(shop, variant, number)
    assert ScriptedSupplier.bought_from() == ["first", "second"] * 5 + ["second"] * 3
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    due(first)
    supplier_probe(supplier_id=first.pk)
    for number in range(8, 8 + SUCCESSES + 1):
        assert attempts(bought(shop, variant, number)) == [("first", "succeeded")]
    assert state(first) == "closed"


def test_what_nobody_else_sells_leaves_sale_and_comes_back(shop: Reseller) -> None:
    variant = on_sale(suppliers=("first",))
    availability_refresh()
    first = Supplier.objects.get(code="first")
    variant.refresh_from_db()
    assert variant.is_available
    called(first, DEAD, times=5)
    variant.refresh_from_db()
    assert not variant.is_available
    due(first)
    drain()
    supplier_probe(supplier_id=first.pk)
    variant.refresh_from_db()
    assert variant.is_available


def test_a_healthy_call_costs_one_statement(
    supplier: Supplier, django_assert_num_queries: Callable[..., object]
) -> None:
    with django_assert_num_queries(1):  # type: ignore[attr-defined]
        called(supplier, FINE)


def test_a_breaker_that_opens_between_choosing_and_buying_keeps_the_order_away(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was held up in between buys at the next one, and holds no place at the one that they did not go to."""
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    order = paid(shop, on_sale())
    first = Supplier.objects.get(code="first")

    def held_up(supplier: Supplier) -> Place | None:
        place = place_take(supplier)
        if supplier.code == "first":
            places.append(place)
            assert breaker_open(supplier_id=supplier.pk, reason="meanwhile")
        return place

    places: list[Place | None] = []
    monkeypatch.setattr(services, "place_take", held_up)
    assert fulfill(order) is None
    assert attempts(order) == [("second", "succeeded")]
    assert ScriptedSupplier.bought_from() == ["second"]
    assert work_of(order).attempts == 1
    Supplier.objects.filter(pk=first.pk).update(max_concurrent=1)
    connections.forget()
    assert len(places) == 1
    assert place_take(Supplier.objects.get(pk=first.pk)) is not None


def test_an_order_waits_where_the_only_one_left_was_lost_between_choosing_and_buying(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = paid(shop, on_sale(suppliers=("first",)))

    def held_up(supplier: Supplier) -> Place | None:
        breaker_open(supplier_id=supplier.pk, reason="meanwhile")
        return place_take(supplier)

    monkeypatch.setattr(services, "place_take", held_up)
    wait = fulfill(order)
    assert wait is not None
    assert wait > 0
    assert attempts(order) == []
    assert ScriptedSupplier.bought_from() == []


class Died(BaseException):
    """The worker."""


def test_what_a_worker_that_died_left_on_sale_is_looked_through_at_the_first_look(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def died(**_: object) -> None:
        raise Died

    variant = on_sale(suppliers=("first",))
    first = Supplier.objects.get(code="first")
    with monkeypatch.context() as killed:
        killed.setattr(breaker, "availability_refresh", died)
        with pytest.raises(Died):
            breaker_open(supplier_id=first.pk, reason="dead")
    assert state(first) == "open"
    due(first)
    monkeypatch.setattr(breaker, "_answers", lambda supplier: False)
    assert supplier_probe(supplier_id=first.pk) == QUESTION_SECONDS
    variant.refresh_from_db()
    assert not variant.is_available
