"""Returning money as an operator does it, and the other one who agrees."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django_tenants.utils import schema_context

from payments.models import Refund
from resellers.models import Reseller
from tests.payments.test_refunds import delivered
from tests.staff import code_of, operator, order_address, with_second_factor

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


def person(name: str) -> tuple[Client, str]:
    """An operator with a second factor, and its key."""
    return operator(username=name), with_second_factor("public", name)


def test_one_asks_sees_it_wait_and_another_approves(shop: Reseller, settings: Any) -> None:
    settings.REFUND_SECOND_APPROVER_ABOVE = Decimal(20)
    order = delivered(shop)
    line = order.lines.get()
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    (asker, key), (other, other_key) = person("asker"), person("other")
    address = f"{order_address(shop, order)}refund/"
    assert address in asker.get(order_address(shop, order)).content.decode()
    wish = {"line": line.pk, "amount": "45", "reason": "补偿", "note": "买家截图，渠道承认", "key": "once"}
    assert asker.post(address, wish | {"code": code_of(key), "amount": "60.01"}).status_code == 422
    for _ in range(2):
        assert asker.post(address, wish).status_code == 302

    with schema_context(shop.schema_name):
        refund = Refund.objects.get()
    place = f"/admin/refunds/{refund.number}/"
    listed = asker.get("/admin/refunds/", {"state": "waiting"}).content.decode()
    assert place in listed
    assert "要另一位工作人员来批准" in asker.get(place).content.decode()
    assert asker.post(place, {"act": "approve"}).status_code == 422
    assert other.post(place, {"act": "approve", "code": "0"}).status_code == 422
    with schema_context(shop.schema_name):
        assert Refund.objects.get().status == "waiting"
    assert other.post(place, {"act": "approve", "code": code_of(other_key)}).status_code == 302
    with schema_context(shop.schema_name):
        assert Refund.objects.values_list("status", "actor", "decided_by").get() == (
            "created", "staff:asker", "staff:other",
        )  # fmt: skip
