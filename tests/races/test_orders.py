"""One click that becomes two requests."""

from typing import Any

import pytest
from django.db import connection

from orders.exceptions import IdempotencyConflict
from orders.models import Order
from orders.services import Buyer, LineRequest, Placed, order_place
from resellers.models import Reseller
from tests.factories import CONTACT, on_sale
from tests.flows import outbox
from tests.races.threads import SURELY, at_once, pause_after

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("supplier_double")]


def click(shop: Reseller, *quantities: int) -> list[Any]:
    """Requests under one key at the same moment; all are past the look for an earlier one before any writes."""
    variant = on_sale()

    def order(quantity: int) -> Placed:
        line = LineRequest(sku=variant.sku, quantity=quantity, account={"uid": "482019375"})
        return order_place(shop=shop, lines=[line], contact=CONTACT, buyer=Buyer(), idempotency_key="k1")

    return at_once(shop, *[lambda quantity=quantity: order(quantity) for quantity in quantities])


def test_a_double_click_is_one_order(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    pause_after(monkeypatch, "orders.services._limit_unpaid", parties=8, patience=SURELY)
    results = click(live_shop, *[1] * 8)
    assert Order.objects.count() == 1
    assert {placed.order.pk for placed in results} == {Order.objects.get().pk}
    assert sorted(placed.is_new for placed in results) == [False] * 7 + [True]
    assert len(outbox("order.expire")) == 1


def test_one_key_for_two_different_requests_at_once_is_refused(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause_after(monkeypatch, "orders.services._limit_unpaid", patience=SURELY)
    results = click(live_shop, 1, 2)
    assert {type(result) for result in results} == {Placed, IdempotencyConflict}
    assert Order.objects.count() == 1


def test_without_the_constraint_a_double_click_is_two_orders(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause_after(monkeypatch, "orders.services._limit_unpaid", patience=SURELY)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE orders_order DROP CONSTRAINT orders_order_idempotency_key_key")
    try:
        results = click(live_shop, 1, 1)
        assert [placed.is_new for placed in results] == [True, True]
        assert Order.objects.filter(idempotency_key="k1").count() == 2
    finally:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE orders_order CASCADE")
            cursor.execute("ALTER TABLE orders_order ADD UNIQUE (idempotency_key)")
