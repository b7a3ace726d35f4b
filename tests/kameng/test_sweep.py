"""Work that is on no list is put back on one."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from kameng.outbox.models import OutboxEvent
from kameng.sweep import sweep
from orders.models import Order
from orders.services import order_settle
from resellers.models import Reseller
from tests.factories import on_sale, place

pytestmark = pytest.mark.usefixtures("supplier_double")


def test_what_is_on_a_list_is_left_alone(shop: Reseller) -> None:
    order = place(shop, on_sale())
    order_settle(order_id=order.pk, paid=order.total, actor="test")
    Order.objects.update(paid_at=Now() - timedelta(minutes=5))
    before = OutboxEvent.objects.count()
    assert sweep() == 0
    assert OutboxEvent.objects.count() == before


def test_a_paid_order_that_everybody_forgot_is_worked_on_again(shop: Reseller) -> None:
    order = place(shop, on_sale())
    order_settle(order_id=order.pk, paid=order.total, actor="test")
    Order.objects.update(paid_at=Now() - timedelta(minutes=5))
    OutboxEvent.objects.all().delete()
    assert sweep() == 1
    row = OutboxEvent.objects.get()
    assert (row.topic, row.payload, row.schema_name) == ("order.paid", {"order_id": order.pk}, "shop_one")


def test_an_unpaid_order_that_nobody_expires_is_expired(shop: Reseller) -> None:
    order = place(shop, on_sale())
    Order.objects.update(expires_at=Now() - timedelta(minutes=5))
    OutboxEvent.objects.all().delete()
    assert sweep() == 1
    row = OutboxEvent.objects.get()
    assert (row.topic, row.payload) == ("order.expire", {"order_id": order.pk})
