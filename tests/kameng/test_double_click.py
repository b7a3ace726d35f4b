"""Two clicks of a browser that has no cookie yet: one order, and it is that browser's."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from orders.models import Order
from resellers.models import Reseller
from tests.factories import on_sale

HOST = "one.test"


@pytest.mark.parametrize(("age", "is_own"), [(0, True), (60, False)])
def test_the_reply_that_is_read_opens_the_order(
    shop: Reseller, supplier_double: object, age: int, is_own: bool
) -> None:
    variant = on_sale()
    form = {"product": variant.product.slug, "sku": variant.sku, "quantity": "1", "contact": "13812345678"}
    form["account_uid"] = "482019375"
    first, second = Client(headers={"host": HOST}), Client(headers={"host": HOST})
    number = first.post("/checkout/", form)["Location"].split("/")[2]
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    Order.objects.filter(number=number).update(created_at=timezone.now() - timedelta(seconds=age))
    reply = second.post("/checkout/", form)
    assert reply["Location"].split("/")[2] == number
    assert (second.get(reply["Location"]).status_code == 200) is is_own
    assert (first.get(reply["Location"]).status_code == 200) is not is_own
