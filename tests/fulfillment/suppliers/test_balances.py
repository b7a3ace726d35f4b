"""Our money at suppliers: known in time, told of before it is gone, and trusted again once it is back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from fulfillment.suppliers.balances import supplier_balance
from fulfillment.suppliers.models import Supplier, SupplierOffer, SupplierResult
from fulfillment.suppliers.rates import exchange_rate_set
from fulfillment.suppliers.services import adapter_of, supplier_eliminate
from fulfillment.suppliers.upkeep import suppliers_upkeep
from kameng.alerts.models import Alert
from resellers.models import Reseller
from tests.doubles import ListedSupplier
from tests.factories import SupplierFactory
from tests.flows import drain, outbox
from tests.fulfillment.suppliers.lists import listed, offered

pytestmark = pytest.mark.usefixtures("listed_double")


def asked(supplier: Supplier, balance: Any) -> Supplier:
    """The supplier is asked and says this; the supplier as stored afterwards."""
    ListedSupplier.balances[supplier.code] = Decimal(balance) if isinstance(balance, str) else balance
    supplier_balance(supplier_id=supplier.pk)
    supplier.refresh_from_db()
    return supplier


def low() -> dict[str, Any]:
    """Open alerts about too little money, by supplier."""
    alerts = Alert.objects.filter(kind="supplier.balance_low", closed_at=None)
    return {alert.subject: (alert.level, alert.data["balance"], alert.data["floor"]) for alert in alerts}


def bought(offer: SupplierOffer, cost: str, *, hours: float = 1, status: str = "succeeded") -> None:
    """A purchase that ended some hours ago."""
    result = SupplierResult.objects.create(
        supplier=offer.supplier,
        variant=offer.variant,
        category=offer.variant.product.category,
        schema_name="shop_one",
        reference=f"R{SupplierResult.objects.count()}",
        status=status,
        quantity=1,
        cost=Decimal(cost),
        seconds=1,
    )
    SupplierResult.objects.filter(pk=result.pk).update(created_at=Now() - timedelta(hours=hours))


def test_a_balance_is_stored_with_its_time_and_leaves_the_connection_alone(shop: Reseller) -> None:
    supplier = listed()
    adapter = adapter_of(supplier)
    stored = asked(supplier, "1234.5678")
    assert stored.balance == Decimal("1234.5678")
    assert stored.balance_at is not None
    assert abs(stored.balance_at - timezone.now()) < timedelta(seconds=5)
    assert adapter_of(Supplier.objects.get(pk=supplier.pk)) is adapter


@pytest.mark.parametrize("answer", [None, RuntimeError("HTTP 502"), "NaN", "Infinity", "1e12"])
def test_no_answer_changes_nothing(shop: Reseller, answer: Any) -> None:
    supplier = asked(listed(balance_floor=Decimal(100)), "50")
    before = (supplier.balance, supplier.balance_at, low())
    stored = asked(supplier, answer)
    assert (stored.balance, stored.balance_at, low()) == before
    assert before[2] == {"listed-1": ("warning", "50", "100")}


def test_below_the_operators_floor_it_is_told_once_and_ends_by_itself(shop: Reseller) -> None:
    supplier = listed(balance_floor=Decimal(100))
    asked(supplier, "100")
    assert low() == {}
    asked(supplier, "99.99")
    asked(supplier, "80")
    assert low() == {"listed-1": ("warning", "80", "100")}
    assert Alert.objects.get().times == 2
    asked(supplier, "-3")
    assert low() == {"listed-1": ("urgent", "-3", "100")}
    asked(supplier, "500")
    assert low() == {}


def test_without_a_floor_it_should_last_for_six_hours(shop: Reseller) -> None:
    offer = offered(listed(), "A")
    for cost, hours, status in (("60", 1, "succeeded"), ("40", 5.9, "partial"), ("500", 6.1, "succeeded")):
        bought(offer, cost, hours=hours, status=status)
    bought(offer, "500", status="rejected")
    asked(offer.supplier, "100")
    assert low() == {}
    asked(offer.supplier, "99")
    assert low() == {"listed-1": ("warning", "99", "100")}


def test_nothing_bought_and_no_floor_is_no_reason_to_worry(shop: Reseller) -> None:
    asked(listed(), "0")
    assert low() == {}


def test_what_was_bought_is_reckoned_in_the_suppliers_currency(shop: Reseller) -> None:
    exchange_rate_set(currency="USD", yuan=Decimal("8"), source="test")
    offer = offered(listed(currency="USD"), "A", cost=None, list_price=Decimal(5))
    bought(offer, "80")
    asked(offer.supplier, "10")
    assert low() == {}
    asked(offer.supplier, "9.99")
    assert low() == {"listed-1": ("warning", "9.99", "10")}


def test_money_that_is_back_restores_who_had_run_dry(shop: Reseller) -> None:
    offer = offered(listed(), "A", cost="55")
    supplier_eliminate(supplier_id=offer.supplier_id, reason="no_balance 余额不足")
    stored = asked(offer.supplier, "54.99")
    offer.variant.refresh_from_db()
    assert (stored.eliminated_at is None, offer.variant.is_available) == (False, False)
    stored = asked(offer.supplier, "55")
    offer.variant.refresh_from_db()
    assert (stored.eliminated_at, stored.eliminated_reason, offer.variant.is_available) == (None, "", True)


def test_less_than_the_floor_restores_nobody(shop: Reseller) -> None:
    offer = offered(listed(balance_floor=Decimal(1000)), "A")
    supplier_eliminate(supplier_id=offer.supplier_id, reason="no_balance")
    assert asked(offer.supplier, "999").eliminated_at is not None
    assert asked(offer.supplier, "1000").eliminated_at is None


@pytest.mark.parametrize("reason", ["bad_credentials no_balance", "no_balance_left", ""])
def test_money_restores_nobody_who_is_out_for_another_reason(shop: Reseller, reason: str) -> None:
    offer = offered(listed(), "A")
    supplier_eliminate(supplier_id=offer.supplier_id, reason=reason)
    assert asked(offer.supplier, "5000").eliminated_at is not None


def test_balances_are_asked_for_when_they_are_due(shop: Reseller) -> None:
    supplier, out = listed(), listed("out")
    supplier_eliminate(supplier_id=out.pk, reason="no_balance")
    listed("paused", is_active=False)
    SupplierFactory(code="own", adapter="stock")
    for known in (supplier, out):
        ListedSupplier.balances[known.code] = Decimal(10)
    suppliers_upkeep()
    suppliers_upkeep()
    assert outbox("supplier.balance") == [{"supplier_id": supplier.pk}, {"supplier_id": out.pk}]
    drain()
    assert sorted(code for verb, code in ListedSupplier.asked if verb == "balance") == ["listed-1", "out"]
    suppliers_upkeep()
    assert outbox("supplier.balance") == []
    Supplier.objects.update(balance_at=Now() - timedelta(minutes=5))
    suppliers_upkeep()
    assert len(outbox("supplier.balance")) == 2
