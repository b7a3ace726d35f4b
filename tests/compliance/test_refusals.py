"""What leaves a record though nothing of it is saved, names of shelves and new shops, and all of a case in one file."""

import pytest

from catalog.models import Category, Product, Variant
from catalog.services import category_save
from compliance.desk.selectors import records_of
from compliance.desk.services import appeal_make, case_put_right, case_rule, case_undo
from compliance.gate.exceptions import ContentBlocked
from compliance.gate.models import Case, Refusal, Screening, Version
from compliance.gate.selectors import approved_before, case_words, version_texts
from compliance.gate.shops import shop_open, shop_words_save, words_written
from compliance.reports.services import report_add
from compliance.trail.chain import digest
from compliance.trail.models import AuditEntry
from resellers.models import Reseller
from tests.compliance.gate import CLEAR, DOUBTFUL, UNLAWFUL, doubtful_words, fields_of, named, renamed, sold
from tests.factories import on_sale
from tests.flows import drain, outbox
from tests.staff import operator, owner_of

pytestmark = pytest.mark.usefixtures("supplier_double")

LI = "staff:li"


@pytest.fixture
def variant(shop: Reseller) -> Variant:
    doubtful_words()
    return on_sale(max_quantity=1)


def only_case() -> Case:
    return Case.objects.get(state="open")


def test_a_refused_edit_leaves_a_record_and_nothing_else(shop: Reseller, variant: Variant) -> None:
    named(shop, variant, DOUBTFUL)
    owner, li = owner_of(shop), operator(username="li")
    typed = {"name": shop.name, "brand_color": shop.brand_color, "radius": shop.radius}
    refused = owner.post("/manage/look/", {**typed, "tagline": f"新到{UNLAWFUL}", "company": "甲公司"})
    assert refused.status_code == 422
    record = Refusal.objects.get()
    assert (record.by, record.title, record.schema_name) == ("staff:owner", shop.name, shop.schema_name)
    assert (record.is_owners, fields_of(record.findings)) == (True, [("tagline", "外挂")])
    found = Reseller.objects.get(pk=shop.pk)
    assert (found.tagline, found.company) == ("", "")
    assert not Screening.objects.filter(subject_kind="shop").exists()
    # What an operator writes about the shop is kept, and is nothing against its owner.
    form = li.get(f"/admin/resellers/reseller/{shop.pk}/change/")
    assert form.status_code == 200
    typed = {"name": UNLAWFUL, "settlement_days": "7", "is_open": "on"}
    rows = {f"domains-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS", "MIN_NUM_FORMS", "MAX_NUM_FORMS")}
    assert li.post(f"/admin/resellers/reseller/{shop.pk}/change/", {**typed, **rows}).status_code == 200
    assert list(Refusal.objects.order_by("pk").values_list("by", "is_owners")) == [("staff:owner", True), (LI, False)]
    assert records_of([shop.schema_name]) == {shop.schema_name: 1}
    page = li.get(f"/admin/review/{only_case().pk}/").content.decode()
    assert "编辑被拦下 1" in page
    assert "被退回、下架或拦下 1 次" in li.get("/admin/review/").content.decode()


def test_a_shelfs_doubtful_name_waits_while_the_one_before_stays(shop: Reseller, variant: Variant) -> None:
    shelf = variant.product.category
    before = shelf.name
    shelf.name, shelf.position = DOUBTFUL, 7
    assert category_save(category=shelf).name == before
    found = Category.objects.get(pk=shelf.pk)
    assert (found.name, found.position, sold(shop) != []) == (before, 7, True)
    case = only_case()
    assert (case.subject_kind, case.title) == ("category", DOUBTFUL)
    # Saved again as it is shown, what waits goes on waiting.
    category_save(category=found)
    case_rule(case_id=case.pk, digest=only_case().digest, to="approved", actor=LI)
    found.refresh_from_db()
    assert found.name == DOUBTFUL
    # What stands on it follows by the outbox: whoever decides waits for no thousand goods.
    assert outbox("shelf.renamed") == [{"category_id": shelf.pk}]
    assert "星彩渠道" not in Product.objects.get(pk=variant.product_id).search_text
    drain()
    assert "星彩渠道" in Product.objects.get(pk=variant.product_id).search_text
    case_undo(case_id=case.pk, actor=LI)
    assert Category.objects.get(pk=shelf.pk).name == found.slug  # no version before that anybody approved
    fresh = category_save(category=Category(slug="fresh", name=DOUBTFUL, name_en="New"))
    assert (fresh.name, fresh.name_en) == ("fresh", "")
    with pytest.raises(ContentBlocked):
        category_save(category=Category(slug="other", name="好物", name_en="game cheats aimbot"))


def test_a_case_from_before_a_field_was_screened_leaves_that_field_alone(shop: Reseller) -> None:
    doubtful_words()
    shop_words_save(shop_id=shop.pk, company="甲公司", tagline="充值", name="旧名")
    shop_words_save(shop_id=shop.pk, announcement=DOUBTFUL, tagline="")
    case = only_case()
    version = Version.objects.get(pk=case.digest)
    assert version.texts["tagline"] == ""
    version.texts.pop("company")
    version.save()
    found = Reseller.objects.get(pk=shop.pk)
    assert words_written(found, case)["company"] == "甲公司"
    case_rule(case_id=case.pk, digest=case.digest, to="approved", actor=LI)
    found.refresh_from_db()
    assert (found.announcement, found.company, found.tagline) == (DOUBTFUL, "甲公司", "")
    case_undo(case_id=case.pk, actor=LI)
    found.refresh_from_db()
    assert (found.announcement, found.company, found.name) == ("", "甲公司", "旧名")


@pytest.mark.usefixtures("db")
def test_a_new_shop_says_only_what_has_passed() -> None:
    doubtful_words()
    with pytest.raises(ContentBlocked):
        shop_open(slug="fresh", name="新店", host_names=["fresh.test"], tagline=UNLAWFUL)
    assert not Reseller.objects.filter(slug="fresh").exists()
    opened = shop_open(slug="fresh", name=DOUBTFUL, host_names=["fresh.test"], company="甲公司", support=DOUBTFUL)
    assert not opened.is_shown
    found = Reseller.objects.get(slug="fresh")
    assert (found.name, found.support, found.company) == ("fresh", "", "甲公司")
    case = only_case()
    case_rule(case_id=case.pk, digest=case.digest, to="approved", actor=LI)
    found.refresh_from_db()
    assert (found.name, found.support) == (DOUBTFUL, DOUBTFUL)


def test_taking_back_words_that_were_put_right_gives_the_owners_back(shop: Reseller, variant: Variant) -> None:
    named(shop, variant, DOUBTFUL)
    case = only_case()
    was = case.digest
    case_put_right(case_id=case.pk, digest=was, words={"name": CLEAR}, actor=LI)
    assert sold(shop) == [f"{variant.product.name} {CLEAR}"]
    back = case_undo(case_id=case.pk, actor=LI)
    assert (back.state, back.digest, back.title.endswith(DOUBTFUL)) == ("open", was, True)
    assert (version_texts(back.digest)["name"], sold(shop)) == (DOUBTFUL, [])
    assert approved_before(back) is None
    case_rule(case_id=case.pk, digest=was, to="approved", actor=LI)
    assert sold(shop) == [f"{variant.product.name} {DOUBTFUL}"]
    shop_words_save(shop_id=shop.pk, announcement="周末照常")
    shop_words_save(shop_id=shop.pk, announcement=DOUBTFUL)
    case = only_case()
    case_put_right(case_id=case.pk, digest=case.digest, words={"announcement": "另说"}, actor=LI)
    assert Reseller.objects.get(pk=shop.pk).announcement == "另说"
    back = case_undo(case_id=case.pk, actor=LI)
    assert Reseller.objects.get(pk=shop.pk).announcement == "周末照常"
    assert version_texts(back.digest)["announcement"] == DOUBTFUL


def test_all_of_a_case_is_in_one_file_and_who_took_it_is_in_the_trail(shop: Reseller, variant: Variant) -> None:
    named(shop, variant, DOUBTFUL)
    case = only_case()
    case_rule(case_id=case.pk, digest=case.digest, to="taken_down", actor=LI, reasons=["R07"])
    appeal_make(case_id=case.pk, schema_name=shop.schema_name, text="有品牌方的授权书", by="staff:owner")
    answer = operator(username="wang").post(f"/admin/review/{case.pk}/", {"act": "export"})
    assert answer["Content-Disposition"] == f'attachment; filename="case-{case.pk}.json"'
    told = answer.json()
    assert told["versions"][case.digest]["name"] == DOUBTFUL
    assert told["screenings"][0]["findings"][0]["text"] == "星彩渠道"
    assert (told["decision"]["state"], told["decision"]["reasons"]) == ("taken_down", ["R07"])
    assert "R07" in told["decision"]["statement"]
    assert told["appeal"]["text"] == "有品牌方的授权书"
    assert [entry["action"] for entry in told["trail"]] == ["case.taken_down", "case.appealed", "case.exported"]
    assert all(digest(entry) == entry["hash"] for entry in told["trail"])
    assert AuditEntry.objects.get(action="case.exported").actor == "staff:wang"


def test_a_report_leads_to_where_its_product_is_taken_down(shop: Reseller, variant: Variant) -> None:
    li, product = operator(username="li"), variant.product
    told = {"schema_name": shop.schema_name, "product_name": "点券", "kind": "fraud", "text": "收了钱不给"}
    report = report_add(product=product.slug, **told)
    address = f"/admin/review/reports/{report.pk}/"
    assert address in li.get("/admin/review/").content.decode()
    assert address in li.get(f"/admin/reports/report/{report.pk}/change/").content.decode()
    assert li.get(address)["Location"] == f"/admin/review/product/public/{product.pk}/"
    gone = report_add(product="gone", **told)
    assert li.get(f"/admin/review/reports/{gone.pk}/")["Location"] == f"/admin/reports/report/{gone.pk}/change/"


def test_after_three_take_downs_a_person_looks_first_and_what_they_approve_holds(
    shop: Reseller, variant: Variant
) -> None:
    for number in range(3):
        other = on_sale(max_quantity=1)
        named(shop, other, f"{DOUBTFUL} {number}")
        case = only_case()
        case_rule(case_id=case.pk, digest=case.digest, to="taken_down", actor=LI, reasons=["R07"])
    named(shop, variant, CLEAR)
    case = only_case()
    assert (sold(shop), case.severity) == ([], "low")
    assert "店铺 90 天内多次被下架或拦下" in " ".join(case_words(case))
    case_rule(case_id=case.pk, digest=case.digest, to="approved", actor=LI)
    named(shop, variant, CLEAR)
    assert sold(shop) == [f"{variant.product.name} {CLEAR}"]
    # The platform's own goods have no such owner.
    assert renamed(variant.product, "周年大礼包").standing == "clear"
