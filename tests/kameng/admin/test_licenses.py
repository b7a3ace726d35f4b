"""Operators record licenses, renew them, and see what a requirement would take off sale before it does."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from compliance.models import License, Requirement
from tests.factories import on_sale
from tests.staff import operator

pytestmark = pytest.mark.django_db

PAGE, REQUIREMENTS = "/admin/licenses/", "/admin/license-requirements/"


def test_a_license_is_recorded_renewed_and_revoked_and_its_history_stays() -> None:
    on_sale(product__category__slug="games", product__category__name="手游")
    client = operator()
    today = timezone.localdate()
    form = {
        "supplier": "first", "kind": "brand", "number": "A-1", "issuer": "腾讯", "categories": ["games"],
        "valid_from": str(today - timedelta(days=90)), "valid_until": str(today + timedelta(days=5)),
    }  # fmt: skip
    refused = client.post(PAGE, {**form, "valid_until": str(today - timedelta(days=91))})
    assert (refused.status_code, "到期日不能早于生效日" in refused.content.decode()) == (422, True)
    assert not License.objects.exists()
    assert client.post(PAGE, form).status_code == 302
    paper = License.objects.get()
    shown = client.get(PAGE, {"show": "expiring", "supplier": "first"}).content.decode()
    assert "A-1" in shown
    assert "限于：手游" in shown
    assert "A-1" not in client.get(PAGE, {"show": "expired"}).content.decode()
    assert "1 份快到期" in client.get("/admin/suppliers/supplier/").content.decode()
    assert 'value="A-1"' in client.get(PAGE, {"renew": paper.pk}).content.decode()
    renewal = {**form, "former": paper.pk, "number": "A-2", "valid_until": ""}
    assert client.post(PAGE, renewal).status_code == 302
    assert client.post(PAGE, renewal).status_code == 404
    renewed = License.objects.get(number="A-2")
    assert (renewed.holder, renewed.replaces) == ("first", paper)
    assert "A-1" in client.get(PAGE, {"show": "history"}).content.decode()
    assert client.post(PAGE, {"former": renewed.pk, "act": "revoke"}).status_code == 302
    renewed.refresh_from_db()
    assert renewed.revoked_at is not None
    assert LogEntry.objects.count() == 3


def test_a_requirement_shows_what_would_leave_sale_before_it_is_saved() -> None:
    variant = on_sale(product__category__slug="games", product__category__name="手游")
    client = operator()
    form = {"category": "games", "kinds": ["brand"]}
    shown = client.post(REQUIREMENTS, form).content.decode()
    assert "保存后有 1 个在售面额没有人能供" in shown
    assert str(variant) in shown
    assert not Requirement.objects.exists()
    assert client.post(REQUIREMENTS, {**form, "act": "confirm"}).status_code == 302
    assert Requirement.objects.get().kind == "brand"
    ranking = client.get("/admin/ranking/", {"variant": variant.sku}).content.decode()
    assert "缺少有效证照：品牌授权" in ranking
    assert "现在没有人能供" in ranking
    assert client.post(REQUIREMENTS, {"category": "games"}).status_code == 302
    assert not Requirement.objects.exists()
    assert client.post(REQUIREMENTS, {"category": "nothing"}).status_code == 404
