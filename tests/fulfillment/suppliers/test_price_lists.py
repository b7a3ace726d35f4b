"""Reading a price list: page by page, continued wherever it stopped, by one at a time; what changed is told."""

import threading
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import close_old_connections, connection
from django.db.models import F
from django.db.models.functions import Now

from fulfillment.suppliers.base import SupplierProduct, SupplierSilent
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import PriceChange, PriceSync, Supplier, SupplierOffer
from fulfillment.suppliers.price_diffs import changes_of
from fulfillment.suppliers.price_lists import NoPriceList, page_take, price_list_read, supplier_sync
from fulfillment.suppliers.prices import offer_price_confirm
from fulfillment.suppliers.upkeep import suppliers_upkeep
from kameng.alerts.models import Alert
from kameng.core.http import HttpClient
from resellers.models import Reseller
from tests.doubles import ListedSupplier
from tests.factories import SupplierFactory
from tests.flows import drain, outbox
from tests.fulfillment.suppliers.lists import again, line, list_of, listed, offered, page
from tests.fulfillment.suppliers.sides import FULU

pytestmark = pytest.mark.usefixtures("listed_double")


def read(supplier: Supplier, **limits: Any) -> PriceSync:
    """A reading as far as it comes."""
    sync = price_list_read(supplier_id=supplier.pk, **limits)
    assert sync is not None
    return sync


def diff(sync: PriceSync) -> list[tuple[str, str, str, str]]:
    """What it changed."""
    return [(row.supplier_sku, row.field, row.before, row.after) for row in changes_of(sync.pk)]


def unmatched(supplier: Supplier) -> list[str]:
    """Lines of its lists that were new, and that no offer takes up."""
    lines = PriceChange.objects.filter(field=PriceChange.Field.NEW, sync__supplier=supplier)
    return list(lines.values_list("supplier_sku", flat=True))


def open_alerts(kind: str) -> list[str]:
    """Subjects of the alerts of a kind that are open."""
    return list(Alert.objects.filter(kind=kind, closed_at=None).order_by("pk").values_list("subject", flat=True))


# --- a reading --------------------------------------------------------------------------------------------------------


def test_prices_and_stock_are_taken_and_the_differences_told(shop: Reseller) -> None:
    supplier = listed()
    dearer, same, told_nothing = (offered(supplier, sku) for sku in ("A", "B", "C"))
    list_of(
        "listed-1",
        page(line("A", "56.5", stock=7), line("B", "55.0000")),
        page(line("C", "55"), line("X", "9.90"), line("Y", None)),
    )
    sync = read(supplier)
    assert (sync.status, sync.pages, sync.products, sync.changes, sync.cursor) == ("done", 2, 5, 4, "")
    assert sync.finished_at is not None
    assert diff(sync) == [
        ("A", "cost", "55", "56.5"), ("A", "stock", "", "7"), ("X", "new", "", "9.90"), ("Y", "new", "", ""),
    ]  # fmt: skip
    assert (again(dearer).cost, again(dearer).list_price, again(dearer).stock) == (Decimal("56.5"), Decimal("56.5"), 7)
    assert [again(offer).cost for offer in (same, told_nothing)] == [Decimal(55), Decimal(55)]
    assert all(again(offer).synced_at is not None for offer in (dearer, same, told_nothing))
    assert again(dearer).variant.cost == Decimal("56.5")
    assert ListedSupplier.asked == [("products", ""), ("products", "1")]


def test_the_same_list_again_changes_nothing_and_unmatched_lines_are_told_once(shop: Reseller) -> None:
    supplier = listed()
    offered(supplier, "A")
    list_of("listed-1", page(line("A", stock=3), line("X", "9.9")))
    first, second = read(supplier), read(supplier)
    assert (len(diff(first)), diff(second), first.pk != second.pk) == (2, [], True)
    assert unmatched(supplier) == ["X"]


def test_another_suppliers_offers_of_the_same_code_are_left_alone(shop: Reseller) -> None:
    mine, other = listed("mine"), listed("other")
    theirs = offered(other, "A")
    offered(mine, "A")
    list_of("mine", page(line("A", "50", stock=0)))
    read(mine)
    assert (again(theirs).cost, again(theirs).stock, again(theirs).synced_at) == (Decimal(55), None, None)


def test_a_supplier_without_a_list_is_not_read(shop: Reseller) -> None:
    supplier = SupplierFactory(code="plain")
    with pytest.raises(NoPriceList):
        price_list_read(supplier_id=supplier.pk)
    assert not PriceSync.objects.exists()


# --- prices that are none, or odd -------------------------------------------------------------------------------------


def test_a_missing_price_is_never_zero(shop: Reseller) -> None:
    supplier = listed()
    offer = offered(supplier, "A")
    list_of("listed-1", page(line("A", None)))
    sync = read(supplier)
    assert (again(offer).cost, again(offer).list_price, again(offer).variant.is_available) == (None, None, False)
    assert diff(sync) == [("A", "cost", "55", "")]
    list_of("listed-1", page(line("A", "54")))
    read(supplier)
    assert (again(offer).cost, again(offer).variant.is_available) == (Decimal(54), True)


@pytest.mark.parametrize("odd", ["0", "-1", "NaN", "sNaN", "Infinity", "-Infinity", "1e9", "2e6"])
def test_what_cannot_be_a_price_makes_the_cost_unknown_and_is_told(shop: Reseller, odd: str) -> None:
    supplier = listed()
    offer, other = offered(supplier, "A"), offered(supplier, "B")
    list_of("listed-1", page(line("A", odd), line("B", "54")))
    assert read(supplier).status == "done"
    assert (again(offer).cost, again(offer).variant.is_available) == (None, False)
    assert (again(other).cost, again(other).variant.is_available) == (Decimal(54), True)
    assert open_alerts("price.odd") == [f"listed-1#{offer.pk}"]
    list_of("listed-1", page(line("A", "55"), line("B", "54")))
    read(supplier)
    assert (again(offer).cost, open_alerts("price.odd")) == (Decimal(55), [])


@pytest.mark.parametrize("jump", ["82.51", "27.49", "0.0001", "550"])
def test_a_price_that_changed_by_more_than_half_waits_for_a_person(shop: Reseller, jump: str) -> None:
    supplier = listed()
    offer = offered(supplier, "A")
    list_of("listed-1", page(line("A", jump)))
    sync = read(supplier)
    held = again(offer)
    assert (held.cost, held.list_price, held.proposed_price) == (None, Decimal(55), Decimal(jump))
    assert held.variant.is_available is False
    assert (diff(sync), open_alerts("price.jump")) == ([("A", "cost", "55", jump)], [f"listed-1#{offer.pk}"])
    assert diff(read(supplier)) == []
    assert again(offer).cost is None
    assert offer_price_confirm(offer_id=offer.pk, price=Decimal("1.23")) is False
    assert offer_price_confirm(offer_id=offer.pk, price=Decimal(jump)) is True
    assert (again(offer).cost, again(offer).list_price, again(offer).proposed_price) == (
        Decimal(jump), Decimal(jump), None,
    )  # fmt: skip
    assert (open_alerts("price.jump"), diff(read(supplier))) == ([], [])


def test_half_as_much_again_is_no_jump_and_a_price_that_comes_back_needs_nobody(shop: Reseller) -> None:
    supplier = listed()
    offer = offered(supplier, "A", cost="30")
    list_of("listed-1", page(line("A", "45")))
    read(supplier)
    assert again(offer).cost == Decimal(45)
    list_of("listed-1", page(line("A", "99")))
    read(supplier)
    assert again(offer).cost is None
    list_of("listed-1", page(line("A", "44")))
    read(supplier)
    assert (again(offer).cost, again(offer).proposed_price, open_alerts("price.jump")) == (Decimal(44), None, [])


def test_a_first_price_is_compared_with_the_official_one(shop: Reseller) -> None:
    supplier = listed()
    wrong, right = offered(supplier, "WRONG", cost=None), offered(supplier, "RIGHT", cost=None)
    list_of("listed-1", page(line("WRONG", "5.5"), line("RIGHT", "55")))
    read(supplier)
    assert (again(wrong).cost, again(wrong).proposed_price) == (None, Decimal("5.5"))
    assert again(right).cost == Decimal(55)


# --- stock, and what is on the list -----------------------------------------------------------------------------------


def test_sold_out_goes_off_sale_by_itself_and_comes_back_by_itself(shop: Reseller) -> None:
    supplier = listed()
    offer = offered(supplier, "A")
    for stock, is_available in ((5, True), (0, False), (-3, False), (1, True), (None, True)):
        list_of("listed-1", page(line("A", stock=stock)))
        read(supplier)
        assert again(offer).variant.is_available is is_available, stock
    assert again(offer).cost == Decimal(55)


def test_what_a_complete_reading_does_not_have_is_gone_until_it_is_there_again(shop: Reseller) -> None:
    supplier = listed()
    kept, dropped, off = (offered(supplier, sku) for sku in ("A", "B", "C"))
    list_of("listed-1", page(line("A")), page(line("C", is_available=False)))
    sync = read(supplier)
    assert [again(offer).is_listed for offer in (kept, dropped, off)] == [True, False, False]
    assert [again(offer).variant.is_available for offer in (kept, dropped, off)] == [True, False, False]
    assert diff(sync) == [("C", "listed", "1", "0"), ("B", "listed", "1", "0")]
    list_of("listed-1", page(line("A"), line("B"), line("C")))
    assert diff(read(supplier)) == [("B", "listed", "0", "1"), ("C", "listed", "0", "1")]
    assert again(dropped).variant.is_available is True


def test_an_empty_list_is_a_failure_of_theirs_and_takes_nothing_off_sale(shop: Reseller) -> None:
    supplier = listed()
    offer = offered(supplier, "A")
    list_of("listed-1", page())
    sync = read(supplier)
    assert (sync.status, sync.problem) == ("failed", "the list is empty")
    assert (again(offer).is_listed, again(offer).variant.is_available) == (True, True)


# --- interrupted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", [0, 1, 2])
def test_a_page_that_cannot_be_read_ends_the_reading_and_the_next_one_goes_on_there(
    shop: Reseller, broken: int
) -> None:
    supplier = listed()
    offers = [offered(supplier, sku) for sku in ("A", "B", "C")]
    list_of("listed-1", *(page(line(sku, "54")) for sku in ("A", "B", "C")))
    cursor = str(broken) if broken else ""
    good = ListedSupplier.pages["listed-1", cursor]
    ListedSupplier.pages["listed-1", cursor] = SupplierSilent("HTTP 502")
    sync = read(supplier)
    assert (sync.status, sync.pages, sync.problem) == ("failed", broken, "HTTP 502")
    assert [again(offer).cost for offer in offers] == [Decimal(54)] * broken + [Decimal(55)] * (3 - broken)
    assert all(again(offer).is_listed and again(offer).variant.is_available for offer in offers)
    assert open_alerts("price.sync_failed") == ["listed-1"]

    ListedSupplier.pages["listed-1", cursor] = good
    ListedSupplier.asked.clear()
    resumed = read(supplier)
    assert (resumed.pk, resumed.status, resumed.pages, resumed.changes) == (sync.pk, "done", 3, 3)
    assert ListedSupplier.asked[0] == ("products", cursor)
    assert len(ListedSupplier.asked) == 3 - broken
    assert ([again(offer).cost for offer in offers], open_alerts("price.sync_failed")) == ([Decimal(54)] * 3, [])


class Killed(BaseException):
    """The process is gone: nothing catches this."""


@pytest.mark.parametrize("page_number", [0, 1, 2])
def test_a_reading_that_was_killed_at_any_page_goes_on_there_in_the_same_row(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, page_number: int
) -> None:
    supplier = listed()
    offers = [offered(supplier, sku) for sku in ("A", "B", "C")]
    list_of("listed-1", *(page(line(sku, "54", stock=4)) for sku in ("A", "B", "C")))
    calls = []
    where = "fulfillment.suppliers.price_lists.availability_refresh"

    def killed(**which: Any) -> int:
        calls.append(which)
        if len(calls) == page_number + 1:
            raise Killed
        return availability_refresh(**which)

    monkeypatch.setattr(where, killed)
    with pytest.raises(Killed):
        read(supplier)
    sync = PriceSync.objects.get()
    assert (sync.status, sync.pages) == ("running", page_number)
    taken = [again(offer).cost == Decimal(54) for offer in offers]
    assert taken == [True] * page_number + [False] * (3 - page_number)
    assert PriceChange.objects.count() == 2 * page_number

    monkeypatch.setattr(where, availability_refresh)
    resumed = read(supplier)
    assert (resumed.pk, resumed.status, resumed.pages, resumed.changes) == (sync.pk, "done", 3, 6)
    assert [(again(offer).cost, again(offer).stock) for offer in offers] == [(Decimal(54), 4)] * 3
    assert PriceChange.objects.count() == 6


def test_a_worker_reads_for_a_while_and_comes_again(shop: Reseller) -> None:
    supplier = listed()
    offered(supplier, "B", cost="50")
    list_of("listed-1", page(line("A")), page(line("B", "51")))
    assert read(supplier, seconds=0).status == "running"
    assert supplier_sync(supplier_id=supplier.pk) is None
    assert PriceSync.objects.get().status == "done"


def test_a_reading_that_was_interrupted_long_ago_is_begun_anew(shop: Reseller) -> None:
    supplier = listed()
    offer = offered(supplier, "A")
    list_of("listed-1", page(line("A", "54")), page(line("B")))
    old = read(supplier, seconds=0)
    PriceSync.objects.update(started_at=Now() - timedelta(hours=2))
    new = read(supplier)
    old.refresh_from_db()
    assert (new.pk != old.pk, new.status, old.status, again(offer).is_listed) == (True, "done", "failed", True)


def test_a_list_without_an_end_is_left(shop: Reseller) -> None:
    supplier = listed()
    ListedSupplier.pages["listed-1", ""] = page(line("A"), leads_to="x")
    ListedSupplier.pages["listed-1", "x"] = page(line("B"), leads_to="x")
    assert (read(supplier).problem, len(ListedSupplier.asked)) == ("the list does not come to an end", 2)
    PriceSync.objects.all().delete()
    ListedSupplier.pages["listed-1", ""] = page(line("A"), leads_to="x" * 201)
    assert read(supplier).problem == "the next page has too long a name"


def test_a_bug_in_an_adapter_ends_the_reading_only(shop: Reseller) -> None:
    supplier = listed()
    ListedSupplier.pages["listed-1", ""] = KeyError("data")
    assert (read(supplier).status, read(supplier).problem) == ("failed", "KeyError")


def test_lines_that_we_cannot_store_are_passed_over(shop: Reseller) -> None:
    supplier = listed()
    offer = offered(supplier, "A")
    odd = SupplierProduct(sku="B", name="n\0" + "名" * 200, cost=Decimal("1"), stock=10**12)
    list_of(
        "listed-1", page(line("x" * 65), line(""), line("N\0"), odd, line("A", "54", stock=10**12), line("A", "50"))
    )
    sync = read(supplier)
    assert (sync.status, again(offer).cost, again(offer).stock) == ("done", Decimal(54), 2_000_000_000)
    assert unmatched(supplier) == ["B"]


# --- two at once ------------------------------------------------------------------------------------------------------


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    """Beside us, in the same shop, with a connection of its own."""
    tenant = connection.tenant  # type: ignore[attr-defined]

    def run() -> None:
        connection.set_tenant(tenant)  # type: ignore[attr-defined]
        try:
            work()
        finally:
            connection.close()
            close_old_connections()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_of_two_readings_at_once_one_reads_and_no_transaction_is_open_meanwhile(live_shop: Reseller) -> None:
    supplier = listed()
    offer = offered(supplier, "A")
    asked, go_on = threading.Event(), threading.Event()
    seen: list[bool] = []

    def slow() -> Any:
        seen.append(connection.in_atomic_block)
        asked.set()
        assert go_on.wait(10)
        return page(line("A", "54"))

    ListedSupplier.pages["listed-1", ""] = slow
    first: list[PriceSync | None] = []
    thread = in_thread(lambda: first.append(price_list_read(supplier_id=supplier.pk)))
    assert asked.wait(10)
    try:
        assert price_list_read(supplier_id=supplier.pk) is None
        assert supplier_sync(supplier_id=supplier.pk) is None
        # Nobody who sells waits for the list meanwhile.
        assert SupplierOffer.objects.filter(pk=offer.pk).update(rank=F("rank")) == 1
    finally:
        go_on.set()
        thread.join(10)
    assert [sync.status for sync in first if sync] == ["done"]
    assert (seen, PriceSync.objects.count(), again(offer).cost) == ([False], 1, Decimal(54))


def test_a_page_that_somebody_took_already_is_not_taken_twice(shop: Reseller) -> None:
    supplier = listed()
    offer = offered(supplier, "A")
    list_of("listed-1", page(line("A", "54")), page(line("B")))
    late = PriceSync.objects.create(supplier=supplier)
    quick = page_take(sync=late, supplier=supplier, page=page(line("A", "54"), leads_to="1"))
    again_taken = page_take(sync=late, supplier=supplier, page=page(line("A", "53"), leads_to="1"))
    assert (quick.pages, again_taken.pages, again(offer).cost) == (1, 1, Decimal(54))


# --- by itself --------------------------------------------------------------------------------------------------------


def test_lists_are_read_when_they_are_due(shop: Reseller) -> None:
    supplier, paused = listed(), listed("paused", is_active=False)
    SupplierFactory(code="plain")
    offer = offered(supplier, "A")
    list_of("listed-1", page(line("A", "54")))
    suppliers_upkeep()
    suppliers_upkeep()
    assert outbox("supplier.sync") == [{"supplier_id": supplier.pk}]
    drain()
    assert (again(offer).cost, outbox("supplier.sync")) == (Decimal(54), [])
    suppliers_upkeep()
    assert outbox("supplier.sync") == []
    PriceSync.objects.update(finished_at=Now() - timedelta(minutes=10))
    suppliers_upkeep()
    assert outbox("supplier.sync") == [{"supplier_id": supplier.pk}]
    assert supplier_sync(supplier_id=paused.pk) is None
    assert ListedSupplier.asked.count(("products", "")) == 1


def test_costs_that_only_a_list_tells_are_unknown_when_it_is_too_old(shop: Reseller) -> None:
    only, askable = listed("only", adapter="list_only"), listed("askable")
    offers = [offered(supplier, "A") for supplier in (only, askable)]
    for code in ("only", "askable"):
        list_of(code, page(line("A", "54")))
    for supplier in (only, askable):
        read(supplier)
    SupplierOffer.objects.update(synced_at=Now() - timedelta(minutes=31))
    suppliers_upkeep()
    assert [again(offer).cost for offer in offers] == [None, Decimal(54)]
    assert [again(offer).variant.is_available for offer in offers] == [False, True]
    read(only)
    assert (again(offers[0]).cost, again(offers[0]).variant.is_available) == (Decimal(54), True)


def test_old_readings_are_forgotten_except_those_with_new_lines(shop: Reseller) -> None:
    supplier = listed()
    offered(supplier, "A")
    list_of("listed-1", page(line("A"), line("X")))
    with_line = read(supplier)
    without = read(supplier)
    PriceSync.objects.update(started_at=Now() - timedelta(days=8))
    newest = read(supplier)
    assert not PriceSync.objects.filter(pk=without.pk).exists()
    assert set(PriceSync.objects.values_list("pk", flat=True)) == {with_line.pk, newest.pk}


def test_the_command_reads_to_the_end_and_shows_what_changed(shop: Reseller) -> None:
    supplier = listed()
    offer = offered(supplier, "A")
    list_of("listed-1", page(line("A", "54")), page(line("X", "1")))
    told = StringIO()
    call_command("supplier_sync", "listed-1", stdout=told)
    assert told.getvalue().splitlines() == [
        f"A {offer.variant.sku} cost: 55 -> 54",
        "X name of X new: - -> 1",
        "listed-1: 2 pages, 2 lines, 2 changes",
    ]
    ListedSupplier.pages["listed-1", ""] = SupplierSilent("HTTP 502")
    with pytest.raises(CommandError, match="page 1 could not be read: HTTP 502"):
        call_command("supplier_sync", "listed-1", stdout=told)
    with pytest.raises(CommandError, match="no supplier"):
        call_command("supplier_sync", "nobody")
    SupplierFactory(code="plain")
    with pytest.raises(CommandError, match="no price list"):
        call_command("supplier_sync", "plain")


def test_what_a_list_never_speaks_about_is_not_gone(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ListedSupplier, "is_listed", lambda _self, sku: not sku.startswith("mobile:"))
    supplier = listed()
    credit, gone = offered(supplier, "mobile:50"), offered(supplier, "B")
    offered(supplier, "A")
    list_of("listed-1", page(line("A")))
    read(supplier)
    assert (again(credit).is_listed, again(gone).is_listed) == (True, False)


def test_what_an_earlier_reading_took_off_although_no_list_speaks_about_it_comes_back(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    supplier = listed()
    credit, off = offered(supplier, "mobile:50"), offered(supplier, "mobile:100")
    list_of("listed-1", page(line("A")))
    read(supplier)
    assert (again(credit).is_listed, again(credit).variant.is_available) == (False, False)
    monkeypatch.setattr(ListedSupplier, "is_listed", lambda _self, sku: not sku.startswith("mobile:"))
    list_of("listed-1", page(line("A"), line("mobile:100", is_available=False)))
    assert diff(read(supplier)) == [("mobile:50", "listed", "0", "1")]
    assert (again(credit).is_listed, again(credit).variant.is_available) == (True, True)
    assert not again(off).is_listed, "the list says that it is not sold"


def test_phone_credit_is_never_in_fulus_list(http: HttpClient) -> None:
    adapter = FULU.adapter("https://openapi.test/", http)
    assert [adapter.is_listed(sku) for sku in ("mobile:50", "mobile:x", "10000001")] == [False, True, True]
