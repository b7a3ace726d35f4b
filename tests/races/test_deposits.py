"""The last yuan of a deposit asked for by many at once."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from catalog.models import Variant
from orders.models import Order
from payments.exceptions import MethodUnavailable
from payments.merchants.alone import alone_refresh
from payments.models import Payment
from resellers.models import Reseller
from tests.factories import on_sale, open_payment, place
from tests.own_collection import audited, fund, own_till, purse
from tests.races.threads import SURELY, at_once, pause_after, without_row_locks

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("supplier_double", "gateway_double")]

HELD = Decimal("57.00")


def placed(shop: Reseller, times: int) -> list[Order]:
    """So many orders over 57 yuan of supply at a shop whose owner collects, with a deposit of a hundred."""
    own_till(shop)
    fund(shop, "100")
    variant = on_sale()
    return [place(shop, variant, contact=f"138123{place_in_row:05}") for place_in_row in range(times)]


def pay(shop: Reseller, orders: list[Order]) -> list[Any]:
    """All are about to be paid."""
    return at_once(shop, *[lambda order=order: open_payment(shop, order) for order in orders])


def test_of_twenty_who_pay_at_once_as_many_may_as_the_deposit_reaches_for(live_shop: Reseller) -> None:
    results = pay(live_shop, placed(live_shop, 20))
    refused = [result for result in results if isinstance(result, MethodUnavailable)]
    assert (len(refused), Payment.objects.count()) == (19, 1)
    assert list(Order.objects.filter(held__gt=0).values_list("held", flat=True)) == [HELD]
    assert purse(live_shop) == (Decimal(43), HELD)
    assert audited(live_shop) == []


def test_without_the_lock_more_is_held_than_there_is(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    orders = placed(live_shop, 2)
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "resellers.deposits.services.deposit_of", patience=SURELY)
    pay(live_shop, orders)
    monkeypatch.undo()
    assert purse(live_shop) == (Decimal(-14), 2 * HELD)
    assert any("is at -14" in breach for breach in audited(live_shop))


@pytest.fixture
def alone(live_shop: Reseller) -> Iterator[Reseller]:
    """A shop that only its owner collects for, until the end of the test: the shop's own row outlives it."""
    yield live_shop
    Reseller.objects.update(collects_alone=False)


def funded(shop: Reseller) -> Variant:
    """Only the owner collects, and the deposit is a hundred; what is on sale costs 57 yuan."""
    own_till(shop)
    fund(shop, "100")
    alone_refresh()
    shop.refresh_from_db()
    return on_sale()


def order_at_once(shop: Reseller, variant: Variant, times: int) -> list[Any]:
    """So many order it at once."""
    works = [lambda contact=f"138123{number:05}": place(shop, variant, contact=contact) for number in range(times)]
    return at_once(shop, *works)


def test_of_twenty_who_order_at_once_where_only_the_owner_collects_as_many_may_as_the_deposit_reaches_for(
    alone: Reseller,
) -> None:
    results = order_at_once(alone, funded(alone), 20)
    assert [type(result).__name__ for result in results].count("ShopCannotTake") == 19
    assert list(Order.objects.values_list("held", flat=True)) == [HELD]
    assert purse(alone) == (Decimal(43), HELD)
    assert audited(alone) == []


def test_without_the_lock_more_is_ordered_than_there_is_for(alone: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    variant = funded(alone)
    without_row_locks(monkeypatch)
    pause_after(monkeypatch, "resellers.deposits.services.deposit_of", patience=SURELY)
    order_at_once(alone, variant, 2)
    monkeypatch.undo()
    assert purse(alone) == (Decimal(-14), 2 * HELD)


def test_two_attempts_for_one_order_hold_its_price_once(live_shop: Reseller) -> None:
    own_till(live_shop)
    fund(live_shop, "200")
    order = place(live_shop, on_sale())
    at_once(
        live_shop,
        lambda: open_payment(live_shop, order, channel="qr"),
        lambda: open_payment(live_shop, order, channel="h5"),
    )
    assert Payment.objects.count() == 2
    assert purse(live_shop) == (Decimal(143), HELD)
    assert audited(live_shop) == []
