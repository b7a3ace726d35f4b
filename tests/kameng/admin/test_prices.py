"""Readings of price lists with what each changed, held prices, and exchange rates with their age."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from fulfillment.suppliers.base import Capability
from fulfillment.suppliers.models import ExchangeRate, PriceChange, PriceSync, Supplier, SupplierOffer
from tests.doubles import ScriptedSupplier
from tests.factories import SupplierFactory, on_sale
from tests.flows import outbox
from tests.staff import operator


@pytest.fixture(autouse=True)
def _in_public(db: None, supplier_double: type[ScriptedSupplier], monkeypatch: pytest.MonkeyPatch) -> None:
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    monkeypatch.setattr(ScriptedSupplier, "capabilities", frozenset({Capability.CATALOG}))


def _sync(**fields: Any) -> PriceSync:
    supplier = Supplier.objects.filter(code="first").first() or SupplierFactory.create(code="first", name="星河")
    return PriceSync.objects.create(supplier=supplier, **{"status": "done", "pages": 2, "products": 7, **fields})


def _change(sync: PriceSync, field: str, before: str, after: str, **fields: Any) -> None:
    PriceChange.objects.create(
        sync=sync, field=field, before=before, after=after, **{"supplier_sku": "S-1", "name": "点券", **fields}
    )


def test_a_reading_shows_before_and_after_and_leads_to_a_new_offer() -> None:
    on_sale(suppliers=("first",))
    offer, sync = SupplierOffer.objects.get(), _sync()
    _change(sync, "cost", "50", "55", offer=offer)
    _change(sync, "stock", "", "12", offer=offer)
    _change(sync, "listed", "1", "0", offer=offer)
    _change(sync, "new", "", "17.5", supplier_sku="NEW-7")
    client = operator()
    shown = client.get(f"/admin/prices/{sync.pk}/").content.decode()
    for text in ("+10.0%", "<del>50</del>", "不限", "不卖了", "新建报价", "supplier_sku=NEW-7"):
        assert text in shown, text
    narrowed = client.get(f"/admin/prices/{sync.pk}/", {"field": "new"}).content.decode()
    assert "NEW-7" in narrowed
    assert "+10.0%" not in narrowed
    form = client.get(
        "/admin/suppliers/supplieroffer/add/", {"supplier": str(sync.supplier_id), "supplier_sku": "NEW-7"}
    )
    assert 'value="NEW-7"' in form.content.decode()
    on_sale(suppliers=("first",))
    SupplierOffer.objects.exclude(pk=offer.pk).update(supplier_sku="NEW-7")
    assert "已有报价" in client.get(f"/admin/prices/{sync.pk}/").content.decode()
    assert client.get("/admin/prices/0/").status_code == 404


def test_sync_now_puts_the_reading_onto_the_list_once() -> None:
    supplier = _sync(status="failed", problem="no answer within 8 s").supplier
    client = operator()
    assert "no answer within 8 s" in client.get("/admin/prices/").content.decode()
    for _time in range(2):
        assert client.post("/admin/prices/", {"supplier": "first"}).status_code == 302
    assert outbox("supplier.sync") == [{"supplier_id": supplier.pk}]
    assert client.post("/admin/prices/", {"supplier": "nobody"}).status_code == 404
    Supplier.objects.update(is_active=False)
    assert client.post("/admin/prices/", {"supplier": "first"}).status_code == 404


def test_a_held_price_is_confirmed_as_it_was_shown() -> None:
    on_sale(suppliers=("first",))
    SupplierOffer.objects.update(proposed_price=Decimal("54"), list_price=Decimal(30), cost=None)
    offer = SupplierOffer.objects.get()
    client = operator()
    assert "等人确认的报价" in client.get("/admin/prices/").content.decode()
    client.post(f"/admin/offers/{offer.pk}/confirm/", {"price": "53"})
    offer.refresh_from_db()
    assert offer.cost is None
    client.post(f"/admin/offers/{offer.pk}/confirm/", {"price": str(offer.proposed_price)})
    stored = SupplierOffer.objects.values_list("cost", "proposed_price").get()
    assert stored == (Decimal(54), None)
    assert "等人确认的报价" not in client.get("/admin/prices/").content.decode()


def test_a_rate_shows_its_age_and_what_is_missing_or_too_old_says_so() -> None:
    for currency in ("USD", "EUR"):
        SupplierFactory.create(currency=currency)
    old = timezone.now() - timedelta(hours=settings.EXCHANGE_RATE_MAX_AGE_HOURS + 1)
    ExchangeRate.objects.create(currency="USD", yuan=Decimal("7.1"), as_of=old, source="中行")
    client = operator()
    shown = client.get("/admin/rates/").content.decode()
    for text in ("太旧，不能卖", "没有汇率，不能卖", "7.1"):
        assert text in shown, text
    form = {"currency": "usd", "yuan": "7.2", "source": "中行"}
    assert client.post("/admin/rates/", form).status_code == 302
    assert "太旧，不能卖" not in client.get("/admin/rates/").content.decode()
    answer = client.post("/admin/rates/", {**form, "yuan": "72"})
    assert (answer.status_code, "相差超过" in answer.content.decode()) == (422, True)
    assert client.post("/admin/rates/", {**form, "yuan": "72", "is_confirmed": "on"}).status_code == 302
    assert ExchangeRate.objects.order_by("-pk")[0].source == "中行 · staff:operator"


def test_fifty_rows_take_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    on_sale(suppliers=("first",))
    offer = SupplierOffer.objects.get()
    for _place in range(55):
        sync = _sync()
    for place in range(55):
        _change(sync, "cost", "50", f"{51 + place}", offer=offer)
    client = operator()
    for address in ("/admin/prices/", f"/admin/prices/{sync.pk}/", "/admin/rates/"):
        with django_assert_max_num_queries(12):
            shown = client.get(address).content.decode()
        assert "rates" in address or shown.count('scope="row"') == 50
