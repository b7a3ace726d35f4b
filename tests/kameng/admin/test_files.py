"""What an owner takes along as a table: orders of some days, and who changed what."""

import io
import zipfile
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.utils import timezone
from django_tenants.utils import schema_context

from compliance.trail.services import entry_append
from kameng.accounts.models import User
from kameng.admin.bases import write_down
from kameng.manage import changes, orders_export
from orders.models import Order, OrderLine
from resellers.models import Reseller
from tests.factories import on_sale, place
from tests.staff import owner_of, staff_of

EXPORT, CHANGES = "/manage/orders-export/", "/manage/changes/"


def body(answer: Any) -> bytes:
    return b"".join(answer) if answer.streaming else bytes(answer.content)


def asked(**wishes: str) -> dict[str, str]:
    """The last days, as the form sends them."""
    today = timezone.localdate()
    return {"since": f"{today - timedelta(days=2)}", "until": f"{today}", "state": "", "form": "csv", **wishes}


def log(shop: Reseller) -> list[str]:
    with schema_context(shop.schema_name):
        return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))


def test_orders_of_some_days_are_a_table_that_shows_nobody_and_runs_nothing(shop: Reseller) -> None:
    variant = on_sale()
    order, old = (place(shop, variant) for _ in range(2))
    Order.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(days=9))
    OrderLine.objects.filter(order=order).update(product_name="=HYPERLINK(1)")
    client = staff_of(shop, "finance")
    text = body(client.get(EXPORT, asked())).decode("utf-8-sig")
    rows = [line.split(",") for line in text.strip().splitlines()]
    assert len(rows) == 2
    assert rows[1][0] == order.grouped_number
    assert "'=HYPERLINK(1)" in rows[1]
    assert "138****5678" in text
    assert order.contact not in text
    assert "482019375" not in text
    book = zipfile.ZipFile(io.BytesIO(body(client.get(EXPORT, asked(form="xlsx")))))
    assert order.contact not in b"".join(book.read(name) for name in book.namelist()).decode("utf-8", "replace")
    paid = body(client.get(EXPORT, asked(state="done"))).decode("utf-8-sig")
    assert len(paid.strip().splitlines()) == 1
    days = asked()
    assert log(shop)[0] == f"导出订单：{days['since']} 到 {days['until']}，1 笔"


def test_an_export_that_is_too_long_or_makes_no_sense_is_refused(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    variant = on_sale()
    for _ in range(2):
        place(shop, variant)
    client = owner_of(shop)
    today = timezone.localdate()
    for wrong in (
        asked(until="2020-01-01"), asked(since="x"), asked(form="exe"), asked(state="nothing"),
        asked(since=f"{today - timedelta(days=366)}"),
    ):  # fmt: skip
        assert client.get(EXPORT, wrong).status_code == 422, wrong
    monkeypatch.setattr(orders_export, "MOST", 1)
    refused = client.get(EXPORT, asked())
    assert (refused.status_code, "选短一点的日期" in refused.content.decode()) == (422, True)
    assert log(shop) == []
    assert "导出" in client.get("/manage/orders/order/").content.decode()


@pytest.fixture
def people(shop: Reseller, rf: Any) -> list[User]:
    """Two who each changed something, one about the shop and one about an account."""
    with schema_context(shop.schema_name):
        made = [User.objects.create(username=name, is_staff=True) for name in ("li", "wang")]
        for user, thing, words in ((made[0], shop, "店铺外观：店名"), (made[1], made[0], "停用")):
            request = rf.post("/")
            request.user = user
            write_down(request, thing, CHANGE, words)
    return made


def test_changes_are_found_by_person_kind_and_day(shop: Reseller, people: list[User]) -> None:
    owner = owner_of(shop)
    li, wang = ("店铺外观：店名", "停用")
    today = timezone.localdate()
    for query, seen in (
        ({}, {li, wang}),
        ({"who": str(people[0].pk)}, {li}),
        ({"kind": "staff"}, {wang}),
        ({"kind": "shop"}, {li}),
        ({"kind": "money"}, set()),
        ({"since": f"{today + timedelta(days=1)}"}, set()),
        ({"until": f"{today - timedelta(days=1)}"}, set()),
        ({"since": f"{today}", "until": f"{today}", "who": "x", "kind": "x"}, {li, wang}),
        ({"since": "2026-02-31"}, {li, wang}),
    ):
        page = owner.get(CHANGES, query).content.decode()
        assert {words for words in (li, wang) if words in page} == seen, query
        rows = body(owner.get(f"{CHANGES}csv/", query)).decode("utf-8-sig")
        assert {words for words in (li, wang) if words in rows} == seen, query


def test_what_the_platform_did_to_the_shop_is_there_and_nothing_about_others(
    shop: Reseller, other_shop: Reseller
) -> None:
    for slug, reason in (("one", "证照过期"), ("two", "别家的事")):
        entry_append(actor="staff:zhao", subject=f"shop:{slug}", action="shop.suspended", data={"reason": reason})
    owner = owner_of(shop)
    page = owner.get(CHANGES, {"kind": "platform"}).content.decode()
    assert "停业" in page
    assert "证照过期" in page
    assert "zhao" in page
    assert "别家的事" not in page
    assert owner.get(f"{CHANGES}csv/", {"kind": "platform"}).status_code == 404


def test_changes_are_the_owners_to_read_and_a_file_has_its_bounds(
    shop: Reseller, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = staff_of(shop, "support", "goods", "finance")
    assert helper.get(CHANGES).status_code == helper.get(f"{CHANGES}csv/").status_code == 403
    monkeypatch.setattr(changes, "FILE_ROWS", 1)
    assert owner_of(shop).get(f"{CHANGES}csv/").status_code == 422
