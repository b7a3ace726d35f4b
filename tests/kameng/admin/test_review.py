"""The desk in the operators' admin, and what owners see of it."""

import re

import pytest

from catalog.models import Product
from compliance.desk.models import Appeal, Claim
from compliance.gate.models import Case
from compliance.reports.services import report_add, report_handle
from resellers.models import Reseller
from tests.compliance.gate import DOUBTFUL, doubtful_words, named
from tests.factories import on_sale
from tests.staff import operator, owner_of

pytestmark = pytest.mark.usefixtures("supplier_double")


@pytest.fixture
def case(shop: Reseller) -> Case:
    doubtful_words()
    named(shop, on_sale(max_quantity=1), DOUBTFUL)
    return Case.objects.get(state="open")


def text_of(html: str) -> str:
    return re.sub(r"<[^>]+>", "", html)


def test_from_the_queue_over_the_decision_to_the_owner_and_the_appeal(shop: Reseller, case: Case) -> None:
    li, wang = operator(username="li"), operator(username="wang")
    queue = li.get("/admin/review/").content.decode()
    assert DOUBTFUL in queue
    assert "“星彩渠道”" in queue
    opened = li.post("/admin/review/", {"act": "next"})
    page = li.get(opened["Location"]).content.decode()
    assert "<mark>星彩渠道<sup>1</sup></mark>" in page
    assert "归你处理到" in page
    assert "li 正在处理" in text_of(wang.get(opened["Location"]).content.decode())
    refused = wang.post(opened["Location"], {"act": "decide", "digest": case.digest, "to": "approved"})
    assert refused.status_code == 422
    assert "另一位同事正在处理" in refused.content.decode()
    nameless = li.post(opened["Location"], {"act": "decide", "digest": case.digest, "to": "taken_down"})
    assert nameless.status_code == 422
    li.post(opened["Location"], {"act": "decide", "digest": case.digest, "to": "taken_down", "reasons": "R07"})
    shop.refresh_from_db()
    assert Case.objects.get().decided_by == "staff:li"

    owner = owner_of(shop)
    told = owner.get("/manage/cases/").content.decode()
    assert "R07" in told
    assert owner.post("/manage/cases/", {"case": case.pk, "text": "短"}).status_code == 422
    assert owner.post("/manage/cases/", {"case": case.pk, "text": "有品牌方的授权书"}).status_code == 302
    appeal = Appeal.objects.get()
    assert "待复核" in owner.get("/manage/cases/").content.decode()
    assert "有品牌方的授权书" in wang.get("/admin/review/?kind=appeal").content.decode()
    address = f"/admin/review/appeals/{appeal.pk}/"
    own = li.post(address, {"outcome": "reversed", "statement": "对"})
    assert (own.status_code, "不能复核自己的决定" in own.content.decode()) == (422, True)
    assert wang.post(address, {"outcome": "reversed", "statement": "授权书有效"}).status_code == 302
    assert "授权书有效" in owner.get("/manage/cases/").content.decode()
    figures = text_of(li.get("/admin/review/figures/").content.decode())
    assert "tests-doubt" in figures


def test_many_at_once_and_taking_back(shop: Reseller, case: Case) -> None:
    li = operator(username="li")
    ticked = f"{case.pk}:{case.digest}"
    assert "请先勾选" in li.post("/admin/review/", {"act": "together", "to": "approved"}, follow=True).content.decode()
    li.post("/admin/review/", {"act": "together", "to": "sent_back", "reasons": "R07", "case": ["x:y", ticked]})
    assert Case.objects.get().state == "sent_back"
    page = li.get("/admin/review/").content.decode()
    assert "撤回刚才对" in page
    back = li.post("/admin/review/", {"act": "undo"})
    assert back["Location"] == f"/admin/review/{case.pk}/"
    assert Case.objects.get().state == "open"
    assert li.post("/admin/review/", {"act": "undo"}).status_code == 404
    assert li.post(f"/admin/review/{case.pk}/", {"act": "fly"}).status_code == 404
    assert li.get(f"/admin/review/{case.pk + 1}/").status_code == 404


def test_another_shops_case_is_nothing_to_appeal_against(shop: Reseller, other_shop: Reseller, case: Case) -> None:
    stranger = owner_of(other_shop)
    assert DOUBTFUL not in stranger.get("/manage/cases/").content.decode()
    refused = stranger.post("/manage/cases/", {"case": case.pk, "text": "放过这个名字"})
    assert refused.status_code == 422
    assert not Appeal.objects.exists()


def test_what_shoppers_report_stands_in_the_queue_until_somebody_has_looked(shop: Reseller) -> None:
    li = operator(username="li")
    report = report_add(
        schema_name=shop.schema_name, product="hok", product_name="点券礼包", kind="fraud", text="收了钱不给"
    )
    for address in ("/admin/review/", "/admin/review/?kind=report"):
        page = li.get(address).content.decode()
        assert "收了钱不给" in page
        assert f"/admin/reports/report/{report.pk}/change/" in page
    report_handle(report_id=report.pk, note="已核实并退款", actor="staff:li")
    assert "收了钱不给" not in li.get("/admin/review/").content.decode()


def test_what_is_on_sale_is_taken_down_and_restored_from_its_page(shop: Reseller, case: Case) -> None:
    li, product = operator(username="li"), Product.objects.get()
    address = f"/admin/review/product/public/{product.pk}/"
    assert address in li.get(f"/admin/catalog/product/{product.pk}/change/").content.decode()
    assert "下架" in li.get(address).content.decode()
    for lacking in ({}, {"reasons": "N-00"}):
        refused = li.post(address, lacking)
        assert (refused.status_code, Product.objects.get().standing) == (422, "clear")
    assert li.post(address, {"reasons": "U-01"}).status_code == 302
    assert Product.objects.get().standing == "taken_down"
    assert "U-01" in li.get(address).content.decode()
    assert li.post(address, {}).status_code == 302
    assert Product.objects.get().standing == "clear"
    # A place that such a row is not kept in, a shop that there is none of, and a row that is not there.
    for nowhere in (f"product/{shop.schema_name}", "listing/public", "listing/shop_none", "rumor/public"):
        assert li.get(f"/admin/review/{nowhere}/{product.pk}/").status_code == 404
    assert li.get(f"/admin/review/product/public/{product.pk + 1}/").status_code == 404


def test_whoever_skips_goes_through_the_queue_and_not_to_and_fro(shop: Reseller, case: Case) -> None:
    li = operator(username="li")
    for name in ("二", "三"):
        named(shop, on_sale(max_quantity=1), f"{DOUBTFUL} {name}")
    seen = [li.post("/admin/review/", {"act": "next"})["Location"]]
    for _again in range(3):
        seen.append(li.post("/admin/review/", {"act": "next", "after": seen[-1].split("/")[-2]})["Location"])
    assert len(set(seen)) == 3
    assert seen[3] == seen[0]
    assert list(Claim.objects.values_list("case_id", flat=True)) == [case.pk]
    assert li.post("/admin/review/", {"act": "next", "after": "9" * 40}).status_code == 302
