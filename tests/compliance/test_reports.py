"""Shoppers say what is wrong with a product: anybody may, operators read it, and the owner never learns who it was."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django_tenants.utils import schema_context

from compliance.reports.models import Report
from compliance.reports.services import report_add
from compliance.trail.models import AuditEntry
from kameng.core.problems import Invalid
from kameng.pages.report import REPORTS
from resellers.models import Reseller
from tests.factories import on_sale
from tests.staff import operator, owner_of

pytestmark = pytest.mark.usefixtures("supplier_double")
CONTACT = "reporter@example.com"


def test_a_report_is_kept_once_in_public_and_only_operators_read_it(shop: Reseller) -> None:
    product = on_sale().product
    browser: Any = Client(headers={"host": "one.test"})
    path = f"/p/{product.slug}/report/"
    assert f'href="{path}"' in browser.get(f"/p/{product.slug}/").content.decode()
    drawn = browser.get(path)
    assert drawn.status_code == 200
    assert "csrfmiddlewaretoken" in drawn.content.decode()
    typed = {"kind": "unlawful", "text": "<b>卖外挂</b>", "contact": CONTACT}
    for _ in range(2):  # a double click
        sent = browser.post(path, typed)
        assert (sent.status_code, sent["Location"]) == (303, f"{path}thanks/")
    assert "收到了" in browser.get(f"{path}thanks/").content.decode()
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    report = Report.objects.get()
    assert (report.schema_name, report.product, report.kind) == (shop.schema_name, product.slug, "unlawful")
    assert (report.text, report.contact, report.handled_at) == ("<b>卖外挂</b>", CONTACT, None)

    owner = owner_of(shop)
    for address in ("/manage/", "/manage/goods/", "/manage/reports/report/"):
        assert CONTACT not in owner.get(address).content.decode()
    desk = operator()
    listed = desk.get("/admin/reports/report/").content.decode()
    assert "&lt;b&gt;卖外挂&lt;/b&gt;" in listed
    assert CONTACT not in listed
    row = f"/admin/reports/report/{report.pk}/change/"
    assert CONTACT in desk.get(row).content.decode()
    assert "处理" in desk.post(row, {"note": "短"}).content.decode()
    assert Report.objects.get().handled_at is None
    assert desk.post(row, {"note": "核实过，商品已下架"}).status_code == 302
    handled = Report.objects.get()
    assert handled.handled_at is not None
    assert (handled.handled_by, handled.note) == ("staff:operator", "核实过，商品已下架")
    entry = AuditEntry.objects.get(action="report.handled")
    assert (entry.subject, entry.actor) == (f"report:{report.pk}", "staff:operator")
    assert CONTACT not in str(entry.data)
    assert "外挂" not in str(entry.data)
    assert desk.post(row, {"note": "再改一次看看"}).status_code == 403
    assert AuditEntry.objects.filter(action="report.handled").count() == 1


def test_what_cannot_be_is_said_at_its_field_and_nothing_typed_is_lost(shop: Reseller) -> None:
    path = f"/p/{on_sale().product.slug}/report/"
    browser: Any = Client(headers={"host": "one.test"})
    refused = browser.post(path, {"kind": "other", "text": " ", "contact": "小明"})
    said = refused.content.decode()
    assert refused.status_code == 422
    assert 'href="#text"' in said
    assert 'value="小明"' in said
    assert browser.get("/p/nothing/report/").status_code == 404
    for wrong in (
        {"kind": ""},
        {"kind": "x"},
        {"kind": "other"},
        {"kind": "fraud", "text": "长" * 501},
        {"kind": "fraud", "contact": "a" * 121},
        {"kind": "fraud", "text": "\0"},
    ):
        with pytest.raises(Invalid):
            report_add(schema_name="shop_one", product="p", product_name="P", **wrong)
    with schema_context("public"):
        assert not Report.objects.exists()


def test_one_address_reports_so_often_and_others_still_may(shop: Reseller) -> None:
    path = f"/p/{on_sale().product.slug}/report/"
    slow, other = (Client(headers={"host": "one.test"}, REMOTE_ADDR=f"198.51.100.{place}") for place in (7, 8))
    answers = [slow.post(path, {"kind": "fraud", "text": f"{place}"}).status_code for place in range(REPORTS + 1)]
    assert answers == [303] * REPORTS + [429]
    assert other.post(path, {"kind": "fraud"}).status_code == 303
