"""When an owner is warned: by how long the deposit lasts, and never later than at a fixed sum."""

from decimal import Decimal

import pytest

from kameng.alerts.models import Alert
from resellers.deposits.outlook import outlook
from resellers.deposits.services import deposits_reckon
from resellers.models import Reseller
from tests.doubles import ScriptedGateway, ScriptedSupplier
from tests.factories import on_sale, open_payment, place
from tests.own_collection import fund, own_till
from tests.payments.test_owner_collects import closed


@pytest.mark.parametrize(
    ("free", "daily", "is_low", "days"),
    [
        ("500.00", "0", False, None),
        ("499.99", "0", True, None),
        ("3000.00", "1000.00", False, "3.0"),
        ("2999.99", "1000.00", True, "2.9"),
        ("500.00", "10.00", False, "50.0"),
        ("499.99", "10.00", True, "49.9"),
        ("0", "10.00", True, "0.0"),
        ("-1.00", "10.00", True, "0.0"),
    ],
)
def test_it_is_low_by_the_days_that_it_lasts_or_by_the_fixed_sum(
    free: str, daily: str, is_low: bool, days: str | None
) -> None:
    seen = outlook(free=Decimal(free), daily=Decimal(daily), floor=Decimal(500), warning_days=3)
    assert (seen.is_low, seen.days) == (is_low, None if days is None else Decimal(days))


def test_a_day_takes_a_seventh_of_what_was_held_in_seven_and_the_warning_says_both_figures(
    shop: Reseller, gateway_double: type[ScriptedGateway], supplier_double: type[ScriptedSupplier]
) -> None:
    own_till(shop)
    fund(shop, "150")
    Reseller.objects.filter(pk=shop.pk).update(deposit_warning=Decimal(30))
    orders = [place(shop, on_sale(), contact=f"1381234567{digit}") for digit in (1, 2)]
    payments = [open_payment(shop, order) for order in orders]
    closed(payments[1])
    assert not Alert.objects.exists()
    assert (deposits_reckon(), deposits_reckon()) == (1, 0)
    shop.refresh_from_db()
    assert shop.deposit_daily == Decimal("8.14")
    assert not Alert.objects.exists()
    Reseller.objects.filter(pk=shop.pk).update(deposit_warning=Decimal(94))
    deposits_reckon()
    told = Alert.objects.get()
    assert (told.kind, told.data["balance"], told.data["daily"], told.data["lasts"]) == (
        "deposit.low", "93.00", "8.14", "11.4",
    )  # fmt: skip
