"""What may be sold is on sale at once, what is doubtful waits for a person, and nobody gets around either."""

from decimal import Decimal

import pytest
from django.db import connection

from catalog.listings.models import Listing
from catalog.listings.screened import listing_subject
from catalog.listings.services import listing_reset, listing_save
from catalog.models import Product, Variant
from catalog.screened import product_facts, product_subject
from catalog.services import product_save, variant_save
from compliance.gate import rescreening
from compliance.gate.exceptions import CaseClosed, CaseMoved, ContentBlocked, StatementMissing, TooMuchText
from compliance.gate.models import Case, Screening, SubjectKind
from compliance.gate.rescreening import foresee, rescreen_all
from compliance.gate.selectors import approved_before, case_telling, case_words, standing_words, version_texts
from compliance.gate.services import case_decide, subject_restore, subject_screen, subject_take_down
from compliance.gate.shops import shop_subject, shop_words_save, words_written
from compliance.gate.subjects import Facts, Slot, Text
from compliance.models import Rule
from compliance.rules import book_now, rule_save
from compliance.trail.models import AuditEntry
from resellers.models import Reseller
from tests.compliance.gate import CLEAR, DOUBTFUL, UNLAWFUL, doubtful_words, fields_of, renamed, sold
from tests.factories import ProductFactory, on_sale
from tests.flows import drain, outbox

pytestmark = pytest.mark.usefixtures("supplier_double")

ACTOR = "staff:li"


@pytest.fixture
def variant(shop: Reseller) -> Variant:
    """On sale in every shop, where a rule of ours calls some words doubtful."""
    doubtful_words()
    return on_sale(max_quantity=1)


def open_case() -> Case:
    return Case.objects.get(state="open")


def decide(case: Case, to: str, **words: object) -> Case:
    return case_decide(case_id=case.pk, digest=case.digest, to=to, actor=ACTOR, **words)  # type: ignore[arg-type]


def test_an_edit_leaves_sale_only_as_long_as_it_is_doubtful(shop: Reseller, variant: Variant) -> None:
    assert renamed(variant.product, CLEAR).standing == "clear"
    assert sold(shop) == [f"{CLEAR} 600 点券"]
    assert renamed(variant.product, DOUBTFUL).standing == "flagged"
    assert sold(shop) == []
    case = open_case()
    assert case.screening is not None
    assert fields_of(case.screening.findings) == [("name", "星彩渠道")]
    assert (case.title, version_texts(case.digest)["name"]) == (DOUBTFUL, DOUBTFUL)
    before = approved_before(case)
    assert before is not None
    assert version_texts(before.digest)["name"] == CLEAR
    told = " ".join(standing_words(product_subject(variant.product_id)))
    assert "“星彩渠道”" in told
    assert "共享、租借与漏洞账号" in told
    # The same case moves on to the next version, and is withdrawn by one that is clear.
    renamed(variant.product, f"{DOUBTFUL} 新")
    moved = open_case()
    assert (moved.pk, moved.title) == (case.pk, f"{DOUBTFUL} 新")
    assert moved.digest != case.digest
    assert renamed(variant.product, CLEAR).standing == "clear"
    assert sold(shop) == [f"{CLEAR} 600 点券"]
    assert Case.objects.get().state == "withdrawn"
    assert standing_words(product_subject(variant.product_id)) == []


def test_what_a_rule_forbids_is_refused_with_its_words_and_nothing_is_saved(shop: Reseller, variant: Variant) -> None:
    name = variant.product.name
    with pytest.raises(ContentBlocked) as refused:
        renamed(variant.product, UNLAWFUL)
    assert "“外挂”" in str(refused.value.fields["name"])
    assert "游戏外挂与脚本" in str(refused.value)
    variant.name = UNLAWFUL
    with pytest.raises(ContentBlocked) as refused:
        variant_save(variant=variant)
    assert list(refused.value.fields) == [f"variants.{variant.sku}"]
    assert sold(shop) == [f"{name} 600 点券"]
    assert not Case.objects.exists()
    assert not Screening.objects.exists()


def test_a_decision_holds_for_exactly_what_was_seen(shop: Reseller, variant: Variant) -> None:
    renamed(variant.product, DOUBTFUL)
    case = open_case()
    renamed(variant.product, f"{DOUBTFUL} 新")
    with pytest.raises(CaseMoved):
        decide(case, "approved")
    assert (open_case().state, sold(shop), AuditEntry.objects.count()) == ("open", [], 0)
    with pytest.raises(StatementMissing):
        decide(open_case(), "sent_back")
    approved = decide(open_case(), "approved", reasons=["authorized"])
    assert sold(shop) == [f"{DOUBTFUL} 新 600 点券"]
    with pytest.raises(CaseClosed):
        decide(approved, "taken_down", statement="晚了")
    # Saved again as it is, it is not asked about again, nor when everything is looked at; changed, it is.
    assert renamed(variant.product, f"{DOUBTFUL} 新").standing == "clear"
    assert (rescreen_all().fell, sold(shop)) == (0, [f"{DOUBTFUL} 新 600 点券"])
    assert renamed(variant.product, DOUBTFUL).standing == "flagged"
    # What was sent back stays where it is until it is changed, and is not asked about twice.
    decide(open_case(), "sent_back", statement="请写清货源")
    assert "请写清货源" in standing_words(product_subject(variant.product_id))
    assert renamed(variant.product, DOUBTFUL).standing == "flagged"
    assert not Case.objects.filter(state="open").exists()
    assert renamed(variant.product, CLEAR).standing == "clear"
    assert standing_words(product_subject(variant.product_id)) == []
    entries = AuditEntry.objects.order_by("sequence").values_list("action", "actor", "data__title")
    assert list(entries) == [
        ("case.approved", ACTOR, f"{DOUBTFUL} 新"),
        ("case.sent_back", ACTOR, DOUBTFUL),
    ]


def test_an_approval_ends_where_something_new_is_found(shop: Reseller, variant: Variant) -> None:
    renamed(variant.product, DOUBTFUL)
    decide(open_case(), "approved")
    rule = Rule.objects.get(code="tests-doubt")
    rule.terms, rule.hits = ["星彩渠道", "道礼包"], ["道礼包"]
    rule_save(rule=rule, actor=ACTOR)
    assert rescreen_all().fell == 1
    assert (sold(shop), open_case().kind) == ([], "rescreened")


def test_new_rules_take_off_sale_what_stands_and_bring_it_back(shop: Reseller, other_shop: Reseller) -> None:
    variant = on_sale(max_quantity=1)
    renamed(variant.product, DOUBTFUL)
    listing_save(shop_id=shop.pk, variant_id=variant.pk, price=None, name="道礼包", is_visible=True)
    drain()
    rule = Rule(
        category="shared_account", code="tests-new", note="测试", severity="high",
        terms=["星彩渠道", "道礼包"], hits=["道礼包"],
    )  # fmt: skip
    saved = rule_save(rule=rule, actor=ACTOR)
    foreseen = foresee()
    assert (foreseen.looked, foreseen.fell) == (1 + 1 + 1 + 3, 2)
    assert {fall.subject.kind for fall in foreseen.examples} == {"product", "listing"}
    assert sold(shop) == [f"{DOUBTFUL} 道礼包"]
    drain()
    assert (sold(shop), sold(other_shop)) == ([], [])
    assert set(Case.objects.values_list("kind", "state", "severity")) == {("rescreened", "open", "high")}
    saved.is_active = False
    rule_save(rule=saved, actor=ACTOR)
    drain()
    assert sold(shop) == [f"{DOUBTFUL} 道礼包"]
    assert set(Case.objects.values_list("state", flat=True)) == {"withdrawn"}
    assert outbox("subjects.rescreen") == []


@pytest.mark.parametrize("piece", [1, 2, 3, 4])
def test_much_in_one_place_is_looked_at_in_pieces_of_which_each_row_is_in_one(
    piece: int, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    doubtful_words()
    for number in range(4):
        ProductFactory(name=f"{DOUBTFUL} {number}", standing="clear")
    monkeypatch.setattr(rescreening, "PIECE", piece)
    parts = [part for part in rescreening.pieces() if part.kind == SubjectKind.PRODUCT]
    assert len(parts) == -(-4 // piece)
    rescreening.subjects_rescreen(
        kind=SubjectKind.PRODUCT, shop=parts[0].schema_name, after=0, rules_version=book_now()[1]
    )
    assert len(outbox("subjects.rescreen")) == (len(parts) if len(parts) > 1 else 0)
    drain()
    assert set(Product.objects.values_list("standing", flat=True)) == {"flagged"}
    found = [rescreening.piece_rescreen(part) for part in parts]
    assert (sum(one.looked for one in found), sum(one.fell for one in found)) == (4, 0)


def test_an_owners_name_is_kept_from_sale_in_that_shop_alone(
    shop: Reseller, other_shop: Reseller, variant: Variant
) -> None:
    name = variant.product.name
    plain = [f"{name} 600 点券"]
    wish = {"shop_id": shop.pk, "variant_id": variant.pk, "price": Decimal("58.00"), "is_visible": True}
    with pytest.raises(ContentBlocked):
        listing_save(name=UNLAWFUL, **wish)
    assert (Listing.objects.count(), sold(shop)) == (0, plain)
    saved = listing_save(name=DOUBTFUL, **wish)
    assert saved is not None
    assert (saved.standing, sold(shop)) == ("flagged", [])
    connection.set_tenant(other_shop)  # type: ignore[attr-defined]
    assert sold(other_shop) == plain
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    assert open_case().subject == listing_subject(variant.pk)
    decide(open_case(), "approved")
    assert sold(shop) == [f"{name} {DOUBTFUL}"]
    # What is taken down cannot be brought back by letting go of it.
    case = subject_take_down(subject=listing_subject(variant.pk), actor=ACTOR, statement="不是官方渠道")
    listing_reset(shop_id=shop.pk, variant_id=variant.pk)
    assert (sold(shop), Listing.objects.get().standing) == ([], "taken_down")
    assert open_case().kind == "resubmitted"
    assert subject_take_down(subject=listing_subject(variant.pk), actor=ACTOR, statement="再次").pk != case.pk
    subject_restore(subject=listing_subject(variant.pk), actor=ACTOR)
    assert sold(shop) == plain
    listing_save(name="", **{**wish, "price": None})
    assert Listing.objects.count() == 0


def test_a_shops_doubtful_words_wait_while_those_before_stay(shop: Reseller) -> None:
    doubtful_words()
    assert shop_words_save(shop_id=shop.pk, announcement="国庆不打烊").is_shown
    with pytest.raises(ContentBlocked) as refused:
        shop_words_save(shop_id=shop.pk, announcement=f"新到{UNLAWFUL}", support="微信 1")
    assert list(refused.value.fields) == ["announcement"]
    saved = shop_words_save(shop_id=shop.pk, announcement=DOUBTFUL, brand_color="#112233")
    assert not saved.is_shown
    found = Reseller.objects.get(pk=shop.pk)
    assert (found.announcement, found.support, found.brand_color) == ("国庆不打烊", "", "#112233")
    assert words_written(found, case_telling(shop_subject(found)))["announcement"] == DOUBTFUL
    # What else is changed meanwhile does not make the doubtful words come out.
    assert not shop_words_save(shop_id=shop.pk, tagline="充值").is_shown
    decide(open_case(), "approved")
    found.refresh_from_db()
    assert (found.announcement, found.tagline) == (DOUBTFUL, "充值")
    case = subject_take_down(subject=shop_subject(found), actor=ACTOR, statement="公告违规")
    found.refresh_from_db()
    assert (found.announcement, found.name) == ("", shop.name)
    assert case_words(case)[-1] == "公告违规"
    assert not shop_words_save(shop_id=shop.pk, announcement=DOUBTFUL, tagline="充值").is_shown


def test_too_much_of_anything_is_refused_or_screened_in_bounded_time(shop: Reseller, variant: Variant) -> None:
    product = Product.objects.get(pk=variant.product_id)
    product.notes = "字" * 200_000
    with pytest.raises(Exception, match="有几处需要修改"):
        product_save(product=product)
    many = [Text(f"variants.{number}", Slot.NAME, f"{number} 点券") for number in range(1000)]
    bent = Text("name", Slot.TITLE, "<b>和平精英</b>\u202e外\u200b挂<img onerror=x>")
    facts = Facts(title="很多", standing="clear", texts=(bent, *many))
    with pytest.raises(ContentBlocked) as refused:
        subject_screen(subject=product_subject(product.pk), facts=facts)
    assert [finding["text"] for finding in refused.value.findings][:1] == ["外\u200b挂"]
    with pytest.raises(TooMuchText):
        subject_screen(
            subject=product_subject(product.pk),
            facts=Facts("", "clear", (Text("n", Slot.DESCRIPTION, "字" * 200_001),)),
        )


def test_a_place_is_told_in_the_owners_own_field(shop: Reseller) -> None:
    product = Product.objects.get(pk=on_sale(max_quantity=1).product_id)
    product.summary, product.notes, product.aliases = "好用", "不要\n外挂辅助，加群", ["农药", "王者"]
    facts = product_facts(product)
    digest = facts.digest()
    with pytest.raises(ContentBlocked) as refused:
        subject_screen(subject=product_subject(product.pk), facts=facts)
    (finding, *_) = refused.value.findings
    assert finding["field"] == "notes"
    assert product.notes[finding["start"] : finding["end"]] == finding["text"]
    product.position = 7
    assert product_facts(product).digest() == digest
