"""Transfers at the operators' desk: one writes down, another agrees."""

from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_tenants.utils import schema_context

from payments.merchants.services import gateway_account_save
from payments.models import Payment
from payments.transfers.models import Transfer
from payments.transfers.services import transfers_claim
from resellers.models import Reseller
from tests.factories import on_sale, place
from tests.kameng.admin.test_refunds import person
from tests.payments.test_transfers import CONFIG, by_transfer
from tests.staff import code_of

DESK = "/admin/transfers/"


@pytest.mark.usefixtures("supplier_double")
def test_what_shoppers_say_is_looked_for_written_down_and_agreed_to(shop: Reseller) -> None:
    gateway_account_save(code="bank", gateway="manual", config=CONFIG)
    said, unsaid = (by_transfer(shop, place(shop, on_sale())) for _ in range(2))
    transfers_claim(payments=[said])
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    (one, key), (other, other_key) = person("one"), person("other")
    row = Transfer.objects.get()
    place_of = f"{DESK}{row.pk}/"
    assert said.number in one.get(DESK).content.decode()
    seen: dict[str, Any] = {
        "amount": "60",
        "reference": "ICBC0001",
        "moved_at": f"{timezone.localtime():%Y-%m-%dT%H:%M}",
    }
    assert one.post(place_of, {"act": "record", **seen}).status_code == 302
    again = one.post(DESK, {"number": unsaid.number.lower(), **seen})
    assert again.status_code == 422
    assert "已经登记过" in again.content.decode()
    assert "要另一位工作人员来复核" in one.get(place_of).content.decode()
    assert one.post(place_of, {"act": "confirm", "code": code_of(key)}).status_code == 422
    with schema_context(shop.schema_name):
        assert Payment.objects.get(pk=said.pk).status == "pending"
    assert other.post(place_of, {"act": "confirm", "code": code_of(other_key)}).status_code == 302
    assert "已入账" in other.get(place_of).content.decode()
    assert one.post(DESK, {"number": unsaid.number.lower(), **seen, "reference": "ICBC0002"}).status_code == 302
    with schema_context(shop.schema_name):
        assert Payment.objects.get(pk=said.pk).status == "confirmed"
    assert Transfer.objects.values_list("status", "amount").order_by("pk").last() == ("recorded", Decimal("60.00"))
