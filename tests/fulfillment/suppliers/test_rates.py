"""Rates of exchange: the newest one holds as long as it is young, costs follow it, and amounts cross the border by it."""

from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from fulfillment.models import SupplierOrder
from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.models import ExchangeRate, SupplierOffer
from fulfillment.suppliers.rates import (
    RateInvalid,
    charged_in_yuan,
    exchange_rate_set,
    limit_in,
    rate_of,
    rates_newest,
    rates_watch,
    supplier_currency_set,
    yuan_per_unit,
)
from fulfillment.suppliers.services import OfferInvalid, adapter_of, offer_save
from kameng.alerts.models import Alert
from resellers.models import Reseller
from tests.doubles import ListedSupplier
from tests.flows import fulfill, paid, states
from tests.fulfillment.suppliers.lists import again, listed, offered

pytestmark = pytest.mark.usefixtures("listed_double", "gateway_double", "shop")


def ago(**past: float) -> datetime:
    """A moment in the past."""
    return timezone.now() - timedelta(**past)


def entered(yuan: str, *, currency: str = "USD", as_of: datetime | None = None, confirmed: bool = True) -> ExchangeRate:
    """An operator enters a rate."""
    return exchange_rate_set(
        currency=currency, yuan=Decimal(yuan), source="test", as_of=as_of, is_confirmed=confirmed
    )


def open_alerts(kind: str) -> list[str]:
    """Subjects of the alerts of a kind that are open."""
    return list(Alert.objects.filter(kind=kind, closed_at=None).order_by("subject").values_list("subject", flat=True))


def in_dollars(sku: str, price: str) -> SupplierOffer:
    """An offer of a supplier who is paid in dollars."""
    return offered(listed(f"usd-{sku}", currency="USD"), sku, cost=None, list_price=Decimal(price))


# --- which one holds --------------------------------------------------------------------------------------------------


def test_the_newest_moment_holds_whatever_was_entered_last() -> None:
    entered("7.10", as_of=ago(hours=1))
    entered("7.30", as_of=ago(hours=3))
    entered("7.90", currency="EUR", as_of=ago(hours=2))
    rate = rate_of("USD")
    assert rate is not None
    assert (rate.yuan, rate.is_fresh, 3590 < rate.age_seconds < 3700) == (Decimal("7.10"), True, True)
    assert {found.currency: found.yuan for found in rates_newest()} == {"USD": Decimal("7.10"), "EUR": Decimal("7.90")}


def test_an_old_rate_is_known_and_not_reckoned_with() -> None:
    entered("7.10", as_of=ago(hours=49))
    rate = rate_of("USD")
    assert (rate is not None and rate.is_fresh, yuan_per_unit("USD")) == (False, None)
    assert (yuan_per_unit("CNY"), yuan_per_unit("EUR")) == (Decimal(1), None)


def test_the_same_rate_again_changes_nothing_and_another_one_of_that_moment_is_refused() -> None:
    moment = ago(hours=1)
    assert entered("7.10", as_of=moment).pk == entered("7.10", as_of=moment).pk
    with pytest.raises(RateInvalid, match="汇率"):
        entered("7.11", as_of=moment)
    assert ExchangeRate.objects.get().yuan == Decimal("7.10")


@pytest.mark.parametrize(
    ("currency", "yuan", "later", "field"),
    [
        ("US", "7", 0, "currency"),
        ("CNY", "7", 0, "currency"),
        ("美元币", "7", 0, "currency"),
        ("USD", "0", 0, "yuan"),
        ("USD", "-7", 0, "yuan"),
        ("USD", "NaN", 0, "yuan"),
        ("USD", "Infinity", 0, "yuan"),
        ("USD", "10001", 0, "yuan"),
        ("USD", "7.1234567", 0, "yuan"),
        ("USD", "7", 120, "as_of"),
    ],
)
def test_what_cannot_be_a_rate_is_refused_and_nothing_moves(
    currency: str, yuan: str, later: int, field: str
) -> None:
    with pytest.raises(RateInvalid) as refused:
        entered(yuan, currency=currency, as_of=ago(seconds=-later) if later else None)
    assert set(refused.value.fields) == {field}
    assert not ExchangeRate.objects.exists()


def test_a_large_step_is_a_typing_mistake_until_it_is_confirmed() -> None:
    offer = in_dollars("A", "7.5")
    entered("7.20", as_of=ago(hours=1))
    for wrong in ("72.0", "0.72", "7.93", "6.47"):
        with pytest.raises(RateInvalid):
            entered(wrong, confirmed=False)
    assert (again(offer).cost, ExchangeRate.objects.count()) == (Decimal("54.0000"), 1)
    entered("7.92", as_of=ago(minutes=2), confirmed=False)
    entered("9", confirmed=True)
    assert again(offer).cost == Decimal("67.5000")


# --- what follows from it ---------------------------------------------------------------------------------------------


def test_a_new_rate_moves_every_cost_in_its_currency_and_no_other(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    dollars, more = in_dollars("A", "7.5"), in_dollars("B", "3.3333")
    yuan = offered(listed("yuan"), "C")
    assert (again(dollars).cost, again(dollars).variant.is_available) == (None, False)
    with django_assert_max_num_queries(24):
        entered("7.1234")
    # 7.5 × 7.1234 = 53.4255; 3.3333 × 7.1234 = 23.74442…, which is more than 23.7444.
    assert (again(dollars).cost, again(more).cost) == (Decimal("53.4255"), Decimal("23.7445"))
    assert (again(dollars).variant.is_available, again(dollars).variant.cost) == (True, Decimal("53.4255"))
    assert again(yuan).cost == Decimal("55.0000")


def test_a_rate_that_rises_has_the_same_consequences_as_a_dearer_list() -> None:
    offer = in_dollars("A", "7.5")
    entered("7.20", as_of=ago(hours=1))
    entered("7.70")
    assert (again(offer).cost, again(offer).variant.is_available) == (Decimal("57.7500"), False)
    assert open_alerts("cost.above_supply") == [again(offer).variant.sku]
    entered("7.10")
    assert again(offer).variant.is_available is True
    assert open_alerts("cost.above_supply") == []


def test_when_a_rate_grows_old_its_costs_are_unknown_and_nothing_is_sold_by_them() -> None:
    offer = in_dollars("A", "7.5")
    entered("7.20")
    assert (open_alerts("rate.stale"), again(offer).cost) == ([], Decimal("54.0000"))
    ExchangeRate.objects.update(as_of=ago(hours=49))
    rates_watch()
    assert (again(offer).cost, again(offer).list_price) == (None, Decimal("7.5000"))
    assert (again(offer).variant.is_available, open_alerts("rate.stale")) == (False, ["USD"])
    entered("7.21")
    assert (again(offer).cost, again(offer).variant.is_available) == (Decimal("54.0750"), True)
    assert open_alerts("rate.stale") == []


def test_a_currency_without_any_rate_is_told_of_as_long_as_somebody_sells_in_it() -> None:
    supplier = listed("euros", currency="EUR")
    rates_watch()
    assert open_alerts("rate.stale") == ["EUR"]
    supplier_currency_set(supplier_id=supplier.pk, currency="CNY")
    Alert.objects.filter(kind="rate.stale").update(closed_at=timezone.now())
    rates_watch()
    assert open_alerts("rate.stale") == []


def test_prices_in_an_old_currency_mean_nothing_in_a_new_one() -> None:
    supplier = listed("moves")
    offer = offered(supplier, "A")
    entered("7.20")
    supplier_currency_set(supplier_id=supplier.pk, currency="usd")
    assert (again(offer).cost, again(offer).list_price, again(offer).supplier.currency) == (None, None, "USD")
    assert again(offer).variant.is_available is False


def test_a_cost_that_is_typed_in_yuan_follows_the_rate_of_the_suppliers_currency() -> None:
    offer = in_dollars("A", "7.5")
    offer.cost = Decimal("54")
    with pytest.raises(OfferInvalid):
        offer_save(offer=offer)
    entered("7.20", as_of=ago(hours=1))
    offer_save(offer=offer)
    assert (again(offer).list_price, again(offer).cost) == (Decimal("7.5000"), Decimal("54.0000"))
    entered("7.30")
    assert again(offer).cost == Decimal("54.7500")


# --- over the border --------------------------------------------------------------------------------------------------


def test_amounts_cross_the_border_so_that_we_never_pay_more() -> None:
    assert (limit_in("USD", Decimal(60)), charged_in_yuan(Decimal("7.5"), "USD")) == (None, None)
    entered("7.1234", as_of=ago(hours=400))
    # 60 / 7.1234 = 8.4229…, and what was paid is booked by an old rate rather than by none.
    assert limit_in("USD", Decimal(60)) == Decimal("8.42")
    assert charged_in_yuan(Decimal("7.5"), "USD") == Decimal("53.4255")
    assert charged_in_yuan(None, "USD") is None
    assert (limit_in("CNY", Decimal(60)), charged_in_yuan(Decimal(55), "CNY")) == (Decimal(60), Decimal(55))


def test_a_supplier_is_told_and_tells_amounts_in_its_own_currency(shop: Reseller) -> None:
    offer = in_dollars("A", "7.5")
    entered("7.20")
    SupplierOffer.objects.update(synced_at=timezone.now())
    ListedSupplier.on_submit(
        offer.supplier.code, Outcome(OutcomeKind.DELIVERED, supplier_reference="S", cost=Decimal("7.45"))
    )
    order = paid(shop, again(offer).variant)
    fulfill(order)
    ((_, _, attempt),) = ListedSupplier.calls
    assert (adapter_of(again(offer).supplier).currency, attempt.max_cost) == ("USD", Decimal("8.33"))  # type: ignore[attr-defined]
    assert (states(order), SupplierOrder.objects.get().cost) == (("fulfilled", "delivered"), Decimal("53.6400"))


def test_without_a_rate_that_holds_nothing_is_bought(shop: Reseller) -> None:
    offer = in_dollars("A", "7.5")
    entered("7.20")
    order = paid(shop, again(offer).variant)
    ExchangeRate.objects.update(as_of=ago(hours=49))
    fulfill(order)
    assert (ListedSupplier.bought_from(), SupplierOrder.objects.get().code) == ([], "cost_unknown")


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_enters_a_rate_and_says_what_is_wrong_with_another() -> None:
    told = StringIO()
    call_command("exchange_rate", "usd", "7.1234", "--as-of", "2026-01-02T09:30", stdout=told)
    rate = ExchangeRate.objects.get()
    assert (rate.currency, rate.yuan, timezone.localtime(rate.as_of).isoformat()) == (
        "USD", Decimal("7.123400"), "2026-01-02T09:30:00+08:00",
    )  # fmt: skip
    assert "1 USD = 7.1234" in told.getvalue()
    for wrong in (["USD", "seven"], ["USD", "71"], ["USD", "7.2", "--as-of", "soon"], ["CNY", "1"]):
        with pytest.raises(CommandError):
            call_command("exchange_rate", *wrong)
    call_command("exchange_rate", "USD", "71", "--confirm", stdout=told)
    assert ExchangeRate.objects.count() == 2
