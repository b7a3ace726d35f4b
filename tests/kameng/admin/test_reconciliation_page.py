"""The operators' page for reconciliation."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from compliance.scans.models import Scan
from compliance.trail.models import AuditEntry
from kameng.core.pictures import scanned
from kameng.reconciliation.models import Break, Statement
from resellers.models import Reseller
from tests.compliance.test_scans import png
from tests.flows import outbox
from tests.kameng.reconciliation.books import Day, a_day
from tests.staff import operator, owner_of

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

PAGE = "/admin/reconciliation/"


def page_of(client: Client, address: str = PAGE) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def picture(data: bytes | None = None) -> SimpleUploadedFile:
    return SimpleUploadedFile("proof.png", png() if data is None else data)


@pytest.fixture
def day(shop: Reseller) -> Day:
    return a_day(shop)


def test_an_empty_page_says_when_bills_come_and_a_day_can_be_run(day: Day) -> None:
    visit = operator()
    assert "还没有对过账" in page_of(visit)
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    sent = visit.post(PAGE, {"day": day.day.isoformat()})
    assert (sent.status_code, outbox("reconciliation.run")) == (302, [{"day": day.day.isoformat()}])
    visit.post(PAGE, {"day": day.day.isoformat()})
    visit.post(PAGE, {"day": (day.day + timedelta(days=30)).isoformat()})
    assert len(outbox("reconciliation.run")) == 1
    assert "正在对账" in page_of(visit, f"{PAGE}?day={day.day}")


def test_a_day_shows_three_sums_its_breaks_by_filters_and_a_table_of_them(day: Day, shop: Reseller) -> None:
    payment = day.sell(buys=False)
    number = payment.order.number
    day.reconcile(day.row(payment, amount=payment.amount + 1), day.row(payment, number="=2+3"))
    visit = operator()
    page = page_of(visit, f"{PAGE}?day={day.day}")
    for word in ("¥121.00", "¥60.00", "差 ¥61.00", "金额不一致", "渠道有、我方无", payment.number):
        assert word in page
    assert payment.number not in page_of(visit, f"{PAGE}?kind=not_ours")
    assert payment.number not in page_of(visit, f"{PAGE}?age=old")
    assert payment.number in page_of(visit, f"{PAGE}?q={number}")
    assert payment.number not in page_of(visit, f"{PAGE}?status=resolved")
    table = visit.get(f"{PAGE}export/?kind=not_ours")
    assert table["Content-Disposition"] == 'attachment; filename="breaks-all-open.csv"'
    content = table.content.decode()
    assert "'=2+3" in content
    assert payment.number not in content.replace(f"T{payment.number}", "")
    assert owner_of(shop).get(PAGE).status_code == 404


def test_a_break_has_a_page_where_it_is_worked_on(day: Day, shop: Reseller) -> None:
    payment = day.sell(buys=False)
    number = payment.order.number
    day.reconcile(day.row(payment, amount=payment.amount + 1))
    found = Break.objects.get()
    visit, address = operator(username="lisi"), f"{PAGE}{found.pk}/"
    page = page_of(visit, address)
    for word in ("以渠道实收为准", "¥60.00", "¥61.00", f"/admin/orders/{shop.slug}/{number}/"):
        assert word in page
    for act in (
        {"act": "assign", "assignee": "lisi"},
        {"act": "note", "text": "在查"},
        {"act": "resolve", "reason": "短", "file": picture()},
        {"act": "resolve", "reason": "买家补了差额，凭证 T1"},
        {"act": "resolve", "reason": "买家补了差额，凭证 T1", "file": picture(b"%PDF-1.7")},
    ):
        assert visit.post(address, act).status_code == 302
    found.refresh_from_db()
    assert (found.assignee, found.status) == ("lisi", "open")
    assert "不收 PDF" in page_of(visit, address)
    visit.post(address, {"act": "resolve", "reason": "买家补了差额，凭证 T1", "file": picture()})
    page, proof = page_of(visit, address), Scan.objects.get()
    seen = f"/admin/license-scans/{proof.pk}/"
    assert "买家补了差额，凭证 T1" in page
    assert f'href="{seen}"' in page
    found.refresh_from_db()
    assert (found.status, proof.proves) == ("resolved", f"break:{found.pk}")
    assert visit.get(seen).content == proof.data == scanned(png()).data
    assert owner_of(shop).get(seen).status_code == 404
    assert owner_of(shop).get(f"/manage/papers/scans/{proof.pk}/").status_code == 404
    assert list(AuditEntry.objects.filter(subject=proof.proves).values_list("action", "actor")) == [
        ("break.scan_added", "staff:lisi"), ("break.scan_seen", "staff:lisi"),
    ]  # fmt: skip
    assert visit.post(address, {"act": "pay"}).status_code == 404
    assert visit.get(f"{PAGE}999999/").status_code == 404


def test_a_suppliers_bill_is_brought_as_a_file_or_refused_with_its_line(day: Day) -> None:
    buy = day.buy_of(day.sell())
    visit = operator()

    def bring(text: str) -> int:
        file = SimpleUploadedFile("bill.csv", text.encode(), content_type="text/csv")
        form = {"supplier": buy.supplier_id, "day": day.day.isoformat(), "file": file}
        return visit.post(f"{PAGE}bill/", form).status_code

    assert bring("reference,amount\nX,abc\n") == 422
    assert not Statement.objects.filter(side="supplier").exists()
    assert bring(f"reference,amount\n{buy.reference},55.00\n") == 302
    statement = Statement.objects.get(side="supplier")
    assert (statement.rows, statement.matched, statement.uploaded_by) == (1, 1, "staff:operator")
    assert "staff/reconciliation_bill.html" in [t.name for t in visit.get(f"{PAGE}bill/").templates]
