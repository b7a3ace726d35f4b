"""One click that becomes two requests, and many clicks at once."""

from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection

from orders import turns
from orders.exceptions import IdempotencyConflict, TooManyUnpaid
from orders.models import Order
from orders.services import Buyer, Declared, LineRequest, Placed, order_place
from resellers.models import Reseller
from tests.factories import CONTACT, CategoryFactory, ProductFactory, on_sale
from tests.flows import outbox
from tests.races.threads import BRIEFLY, SURELY, at_once, pause_after

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("supplier_double")]


def click(shop: Reseller, *quantities: int) -> list[Any]:
    """Requests under one key at the same moment; all are past the look for an earlier one before any writes."""
    variant = on_sale()

    def order(quantity: int) -> Placed:
        line = LineRequest(sku=variant.sku, quantity=quantity, account={"uid": "482019375"})
        return order_place(shop=shop, lines=[line], contact=CONTACT, buyer=Buyer(), idempotency_key="k1")

    return at_once(shop, *[lambda quantity=quantity: order(quantity) for quantity in quantities])


def test_a_double_click_is_one_order(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    pause_after(monkeypatch, "orders.services.shelf_now", parties=8, patience=SURELY)
    results = click(live_shop, *[1] * 8)
    assert Order.objects.count() == 1
    assert {placed.order.pk for placed in results} == {Order.objects.get().pk}
    assert sorted(placed.is_new for placed in results) == [False] * 7 + [True]
    assert len(outbox("order.expire")) == 1


def test_one_key_for_two_different_requests_at_once_is_refused(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause_after(monkeypatch, "orders.services.shelf_now", patience=SURELY)
    results = click(live_shop, 1, 2)
    assert {type(result) for result in results} == {Placed, IdempotencyConflict}
    assert Order.objects.count() == 1


def test_without_the_constraint_a_double_click_is_two_orders(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause_after(monkeypatch, "orders.services.shelf_now", patience=SURELY)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_order DROP CONSTRAINT order_once_per_key")
    try:
        results = click(live_shop, 1, 1)
        assert [placed.is_new for placed in results] == [True, True]
        assert Order.objects.filter(idempotency_key="k1").count() == 2
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE orders_order CASCADE")
            cursor.execute("ALTER TABLE orders_order ADD CONSTRAINT order_once_per_key UNIQUE (idempotency_key)")


# --- limits on what is not paid yet -------------------------------------------------------------------------


def order_at_once(shop: Reseller, *buyers: tuple[str, str]) -> list[str]:
    """One order of each buyer, a contact and an address, at the same moment; the kinds of answers, sorted."""
    variant = on_sale()
    line = LineRequest(sku=variant.sku, quantity=1, account={"uid": "482019375"})

    def order(contact: str, address: str) -> Placed:
        return order_place(shop=shop, lines=[line], contact=contact, buyer=Buyer(address=address))

    results = at_once(shop, *[lambda buyer=buyer: order(*buyer) for buyer in buyers])
    return sorted(type(result).__name__ for result in results)


SAME_CONTACT = [(CONTACT, f"10.0.0.{place}") for place in range(6)]
SAME_ADDRESS = [(f"1380000000{place}", "10.0.0.1") for place in range(6)]
BUYERS = pytest.mark.parametrize("buyers", [SAME_CONTACT, SAME_ADDRESS], ids=["contact", "address"])


@pytest.fixture
def _two_unpaid(settings: LazySettings) -> None:
    settings.UNPAID_ORDERS_PER_CONTACT = settings.UNPAID_ORDERS_PER_ADDRESS = 2


@BUYERS
@pytest.mark.usefixtures("_two_unpaid")
def test_orders_at_once_do_not_pass_the_limit(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, buyers: list[tuple[str, str]]
) -> None:
    pause_after(monkeypatch, "orders.services.limit_unpaid", parties=len(buyers))
    assert order_at_once(live_shop, *buyers) == ["Placed"] * 2 + [TooManyUnpaid.__name__] * 4
    assert Order.objects.count() == 2


@BUYERS
@pytest.mark.usefixtures("_two_unpaid")
def test_without_the_lock_orders_at_once_pass_the_limit(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, buyers: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(turns, "_IN_TURN", "SELECT %s::text[]")
    pause_after(monkeypatch, "orders.services.limit_unpaid", parties=len(buyers), patience=SURELY)
    assert order_at_once(live_shop, *buyers) == ["Placed"] * 6


def test_buyers_who_share_contact_and_address_crosswise_do_not_wait_for_each_other_for_ever(
    live_shop: Reseller,
) -> None:
    crosswise = [(f"1380000000{place % 2}", f"10.0.0.{place // 2 % 2}") for place in range(8)]
    assert order_at_once(live_shop, *crosswise) == ["Placed"] * 8


# --- what a minor may spend ---------------------------------------------------------------------------------


def minors_at_once(shop: Reseller) -> list[str]:
    """Two orders of the same child, of which the month has room for one."""
    variant = on_sale(product=ProductFactory.create(category=CategoryFactory.create(limits_minors=True)))

    def order(contact: str) -> Placed:
        line = LineRequest(sku=variant.sku, quantity=1, account={"uid": "482019375"})
        said = Declared(age="16-17")
        return order_place(shop=shop, lines=[line], contact=contact, buyer=Buyer(), declared=said)

    results = at_once(shop, *[lambda contact=contact: order(contact) for contact in ("13800000001", "13800000002")])
    return sorted(type(result).__name__ for result in results)


@pytest.mark.parametrize("is_locked", [True, False], ids=["locked", "unlocked"])
def test_only_under_the_lock_two_orders_of_a_child_do_not_use_the_same_rest(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, settings: LazySettings, is_locked: bool
) -> None:
    settings.MINOR_CAPS = {"16-17": (Decimal(100), Decimal(100))}
    if not is_locked:
        monkeypatch.setattr(turns, "_IN_TURN", "SELECT %s::text[]")
    pause_after(monkeypatch, "orders.services.require_within_caps", patience=BRIEFLY if is_locked else SURELY)
    assert minors_at_once(live_shop) == (["OrderInvalid", "Placed"] if is_locked else ["Placed", "Placed"])
