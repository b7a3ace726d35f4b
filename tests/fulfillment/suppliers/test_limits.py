"""How much is asked of one supplier at once."""

import gc

import pytest
from django.conf import LazySettings
from django.core.cache import cache

from fulfillment.suppliers import limits
from fulfillment.suppliers.limits import asking, held, place_take
from fulfillment.suppliers.models import Supplier
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import SupplierFactory, on_sale, stocked
from tests.flows import ACCEPTED, TOPPED_UP, attempts, codes, fulfill, paid, states, work_of
from tests.races.threads import Meeting, at_once

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


@pytest.fixture
def supplier(shop: Reseller) -> Supplier:
    cache.clear()
    return SupplierFactory(code="first", max_concurrent=2)


def test_a_worker_gives_one_supplier_only_a_part_of_its_threads(supplier: Supplier, settings: LazySettings) -> None:
    settings.SUPPLIER_THREADS = 1
    place = place_take(supplier)
    assert place is not None
    assert place_take(supplier) is None
    place.give_back()
    again = place_take(supplier)
    assert again is not None
    again.give_back()


def test_a_place_that_is_dropped_is_free_again(supplier: Supplier, settings: LazySettings) -> None:
    settings.SUPPLIER_THREADS = 1
    assert place_take(supplier) is not None  # and forgotten at once, as where a transaction fails
    gc.collect()
    place = place_take(supplier)
    assert place is not None
    place.give_back()
    assert limits._under_way[supplier.pk] == 0


def test_it_is_given_back_whatever_happens(supplier: Supplier) -> None:
    with pytest.raises(RuntimeError), held(place_take(supplier)):
        raise RuntimeError
    assert limits._under_way[supplier.pk] == 0


def test_calls_in_one_minute_are_counted_over_all_shops(supplier: Supplier) -> None:
    supplier.max_per_minute = 2
    for _ in range(2):
        place = place_take(supplier)
        assert place is not None
        place.give_back()
    assert place_take(supplier) is None


def test_who_is_crowded_is_passed_over(shop: Reseller, settings: LazySettings) -> None:
    cache.clear()
    settings.SUPPLIER_THREADS = 1
    variant = on_sale()
    ScriptedSupplier.on_submit("second", TOPPED_UP)
    with held(place_take(Supplier.objects.get(code="first"))):
        order = paid(shop, variant)
        fulfill(order)
    assert attempts(order) == [("second", "succeeded")]


def test_where_everybody_is_crowded_the_work_waits_and_nothing_is_refunded(
    shop: Reseller, settings: LazySettings
) -> None:
    cache.clear()
    settings.SUPPLIER_THREADS = 1
    variant = on_sale()
    first, second = (Supplier.objects.get(code=code) for code in ("first", "second"))
    order = paid(shop, variant)
    with held(place_take(first)), held(place_take(second)):
        assert fulfill(order) == 0.5
        assert (attempts(order), states(order)) == ([], ("paid", "queued"))
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    fulfill(order)
    assert states(order) == ("fulfilled", "delivered")


def test_an_empty_shelf_before_a_crowd_does_not_stop_the_work(shop: Reseller, settings: LazySettings) -> None:
    """What the shelf answered is an attempt like any other, and counted although nobody could be asked after it."""
    cache.clear()
    settings.SUPPLIER_THREADS = 1
    variant = stocked(["ONLY-0001"])
    on_sale(variant, suppliers=("first",))
    order = paid(shop, variant, quantity=2)
    with held(place_take(Supplier.objects.get(code="first"))):
        assert fulfill(order) == 0.5
    assert attempts(order) == [("own", "rejected")]
    ScriptedSupplier.on_submit("first", codes("AAAA-1111", "BBBB-2222"))
    fulfill(order)
    assert attempts(order) == [("own", "rejected"), ("first", "succeeded")]
    assert states(order) == ("fulfilled", "delivered")
    assert work_of(order).attempts == 2


@pytest.mark.race
def test_all_workers_together_keep_the_limit(live_shop: Reseller, settings: LazySettings) -> None:
    """Seen red without the advisory lock in `_TAKE`: all six had a place."""
    settings.SUPPLIER_THREADS = 100
    cache.clear()
    supplier = SupplierFactory(code="first", max_concurrent=2)
    everybody = Meeting(6, patience=10)

    def take() -> bool:
        place = place_take(supplier)
        everybody.wait()
        with held(place):
            return place is not None

    assert at_once(live_shop, *[take] * 6).count(True) == 2


def test_questions_about_purchases_leave_a_thread_to_everybody_else(shop: Reseller, settings: LazySettings) -> None:
    cache.clear()
    settings.SUPPLIER_THREADS = 3
    variant = on_sale(suppliers=("first",))
    first, order = Supplier.objects.get(code="first"), paid(shop, variant)
    ScriptedSupplier.on_submit("first", ACCEPTED)
    ScriptedSupplier.on_query("first", TOPPED_UP)
    fulfill(order)
    with asking(first.pk) as is_one, asking(first.pk) as is_two, asking(first.pk + 1) as is_another:
        assert (is_one, is_two, is_another) == (True, True, True)
        assert fulfill(order) == 0.5
        assert attempts(order) == [("first", "accepted")]
    fulfill(order)
    assert attempts(order) == [("first", "succeeded")]
    assert not +limits._questions
