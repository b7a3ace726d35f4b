"""One person at a time decides, says why, may take it back, and is looked over by another."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from catalog.listings.models import Listing
from catalog.models import Variant
from compliance.desk.evidence import Piece, changed, fields_of, marked
from compliance.desk.exceptions import (
    AppealClosed,
    AppealedBefore,
    AppealEmpty,
    AppealTooLate,
    CaseClaimed,
    NotTogether,
    OwnDecision,
    TooManyTogether,
)
from compliance.desk.models import Appeal, Claim
from compliance.desk.reasons import REASONS, statement_of, suggested
from compliance.desk.selectors import person_figures, records_of, rule_figures, similar, undoable
from compliance.desk.services import (
    APPEAL,
    HELD,
    UNDO,
    appeal_decide,
    appeal_make,
    case_claim,
    case_claim_next,
    case_put_right,
    case_release,
    case_rule,
    case_undo,
    cases_rule,
)
from compliance.gate.exceptions import CaseClosed, CaseMoved, ContentBlocked, StatementMissing, TooMuchText, UndoTooLate
from compliance.gate.models import Case
from compliance.gate.services import subject_take_down
from compliance.gate.shops import shop_words_save
from compliance.screening.rules import Category
from compliance.trail.models import AuditEntry
from kameng.core.problems import NotFound
from resellers.models import Reseller
from tests.compliance.gate import DOUBTFUL, UNLAWFUL, doubtful_words, named, sold
from tests.factories import on_sale

pytestmark = pytest.mark.usefixtures("supplier_double")

LI, WANG = "staff:li", "staff:wang"


@pytest.fixture
def variant(shop: Reseller) -> Variant:
    """On sale under the platform's name."""
    doubtful_words()
    return on_sale(max_quantity=1)


@pytest.fixture
def case(shop: Reseller, variant: Variant) -> Case:
    """An owner's doubtful name for it."""
    return flagged(shop, variant, DOUBTFUL)


def flagged(shop: Reseller, variant: Variant, name: str) -> Case:
    named(shop, variant, name)
    return Case.objects.get(state="open", subject_id=variant.pk)


def decide(case: Case, to: str, *, actor: str = LI, reasons: tuple[str, ...] = ("R07",)) -> Case:
    return case_rule(case_id=case.pk, digest=case.digest, to=to, actor=actor, reasons=reasons)


def standing(variant: Variant) -> str:
    return Listing.objects.get(variant=variant).standing


def actions() -> list[str]:
    return list(AuditEntry.objects.order_by("sequence").values_list("action", flat=True))


def test_a_case_is_in_one_hand_until_it_is_released_decided_or_a_quarter_of_an_hour_old(case: Case) -> None:
    case_claim(case_id=case.pk, actor=LI)
    case_claim(case_id=case.pk, actor=LI)
    for does in (
        lambda: case_claim(case_id=case.pk, actor=WANG),
        lambda: decide(case, "approved", actor=WANG),
    ):
        with pytest.raises(CaseClaimed):
            does()
    case_release(case_id=case.pk, actor=WANG)
    assert case_claim_next(actor=WANG) is None
    assert Case.objects.get().state == "open"
    with time_machine.travel(timezone.now() + HELD + timedelta(seconds=1), tick=False):
        assert case_claim_next(actor=WANG) == case
        with pytest.raises(CaseClaimed):
            case_claim(case_id=case.pk, actor=LI)
        decide(case, "approved", actor=WANG)
    assert not Claim.objects.exists()
    with pytest.raises(CaseClosed):
        case_claim(case_id=case.pk, actor=LI)
    with pytest.raises(NotFound):
        case_claim(case_id=case.pk + 1, actor=LI)


def test_a_decision_against_somebody_has_a_code_and_the_owner_reads_why(shop: Reseller, case: Case) -> None:
    for wrong in ((), ("X99",)):
        with pytest.raises(StatementMissing):
            decide(case, "sent_back", reasons=wrong)
    assert Case.objects.get().state == "open"
    decided = decide(case, "sent_back", reasons=("R07", "X99", "R07"))
    assert decided.reasons == ["R07"]
    assert "“星彩渠道”" in decided.statement
    assert str(REASONS["R07"].advice) in decided.statement
    assert "7 天内可以申诉" in decided.statement
    assert records_of([shop.schema_name]) == {shop.schema_name: 1}
    assert actions() == ["case.sent_back"]


@pytest.mark.parametrize(
    ("to", "after"), [("approved", "clear"), ("sent_back", "flagged"), ("taken_down", "taken_down")]
)
def test_whoever_decided_takes_it_back_within_ten_minutes_and_all_is_as_before(
    shop: Reseller, variant: Variant, case: Case, to: str, after: str
) -> None:
    decide(case, to)
    assert standing(variant) == after
    with pytest.raises(UndoTooLate):
        case_undo(case_id=case.pk, actor=WANG)
    with time_machine.travel(timezone.now() + UNDO + timedelta(seconds=1), tick=False), pytest.raises(UndoTooLate):
        case_undo(case_id=case.pk, actor=LI)
    assert undoable(LI, UNDO) == case
    back = case_undo(case_id=case.pk, actor=LI)
    assert (back.state, back.statement, back.decided_by, standing(variant)) == ("open", "", "", "flagged")
    assert sold(shop) == []
    assert Claim.objects.get().by == LI
    assert actions() == [f"case.{to}", "case.undone"]
    # The decision that was taken back binds nobody.
    decide(back, "approved")
    assert standing(variant) == "clear"


def test_a_direct_take_down_is_taken_back_and_nothing_waits(shop: Reseller, variant: Variant, case: Case) -> None:
    decide(case, "approved")
    before = sold(shop)
    down = subject_take_down(subject=case.subject, actor=LI, reasons=["R01"])
    assert sold(shop) == []
    assert case_undo(case_id=down.pk, actor=LI).state == "withdrawn"
    assert sold(shop) == before
    # What came later goes first: the approval before it is no longer the last word.
    with pytest.raises(CaseMoved):
        case_undo(case_id=case.pk, actor=LI)


def test_a_shops_words_before_are_back_when_an_approval_is_taken_back(shop: Reseller, variant: Variant) -> None:
    shop_words_save(shop_id=shop.pk, name="甲店", announcement="周末照常")
    shop_words_save(shop_id=shop.pk, name="甲店", announcement=DOUBTFUL)
    case = Case.objects.get(state="open")
    decide(case, "approved")
    assert Reseller.objects.get(pk=shop.pk).announcement == DOUBTFUL
    case_undo(case_id=case.pk, actor=LI)
    assert Reseller.objects.get(pk=shop.pk).announcement == "周末照常"


def test_words_are_put_right_and_approved_in_one_step(shop: Reseller, variant: Variant, case: Case) -> None:
    def put_right(name: str) -> Case:
        return case_put_right(case_id=case.pk, digest=case.digest, words={"name": name}, actor=LI)

    with pytest.raises(ContentBlocked):
        put_right(UNLAWFUL)
    with pytest.raises(StatementMissing):
        put_right(DOUBTFUL)
    with pytest.raises(TooMuchText):
        put_right("长" * 61)
    with pytest.raises(KeyError):
        case_put_right(case_id=case.pk, digest=case.digest, words={"price": "1"}, actor=LI)
    assert (Listing.objects.get().name, standing(variant), AuditEntry.objects.count()) == (DOUBTFUL, "flagged", 0)
    done = put_right(" 周年  礼包 ")
    assert (done.state, standing(variant), sold(shop)) == ("approved", "clear", [f"{variant.product.name} 周年 礼包"])
    assert AuditEntry.objects.get().data["changes"] == {"name": [DOUBTFUL, "周年 礼包"]}
    shop_words_save(shop_id=shop.pk, announcement=DOUBTFUL)
    shown = Case.objects.get(state="open")
    case_put_right(case_id=shown.pk, digest=shown.digest, words={"announcement": "周末照常"}, actor=LI)
    assert Reseller.objects.get(pk=shop.pk).announcement == "周末照常"


def test_many_are_decided_at_once_only_for_the_same_words(shop: Reseller, variant: Variant, case: Case) -> None:
    twin = flagged(shop, on_sale(max_quantity=1), f"{DOUBTFUL} 二")
    doubtful_other = flagged(shop, on_sale(max_quantity=1), f"{DOUBTFUL} 三")
    both = [(case.pk, case.digest), (twin.pk, "another version")]
    result = cases_rule(versions=both, to="taken_down", actor=LI, reasons=["R07"])
    assert [done.pk for done in result.done] == [case.pk]
    assert [(number, why) for number, why in result.refused] == [(twin.pk, str(CaseMoved.message))]
    with pytest.raises(StatementMissing):
        cases_rule(versions=both, to="sent_back", actor=LI)
    with pytest.raises(TooManyTogether):
        cases_rule(versions=[(number, "") for number in range(51)], to="approved", actor=LI)
    screening = doubtful_other.screening
    assert screening is not None
    screening.findings = [{**screening.findings[0], "text": "别的"}]
    screening.save()
    with pytest.raises(NotTogether):
        cases_rule(versions=[(twin.pk, twin.digest), (doubtful_other.pk, "")], to="approved", actor=LI)
    assert [one.pk for one in similar(twin)] == [case.pk]


def test_an_appeal_is_decided_by_somebody_else_and_once(
    shop: Reseller, other_shop: Reseller, variant: Variant, case: Case
) -> None:
    def appeal(text: str = "这是官方直充，有授权书", schema: str = shop.schema_name) -> Appeal:
        return appeal_make(case_id=case.pk, schema_name=schema, text=text, by="staff:owner")

    with pytest.raises(CaseClosed):
        appeal()
    decide(case, "taken_down")
    with pytest.raises(AppealEmpty):
        appeal("不对")
    with pytest.raises(NotFound):
        appeal(schema=other_shop.schema_name)
    with time_machine.travel(timezone.now() + APPEAL + timedelta(seconds=1), tick=False), pytest.raises(AppealTooLate):
        appeal()
    row = appeal()
    with pytest.raises(AppealedBefore):
        appeal()
    with pytest.raises(CaseClosed):
        case_undo(case_id=case.pk, actor=LI)
    with pytest.raises(OwnDecision):
        appeal_decide(appeal_id=row.pk, outcome="reversed", actor=LI, statement="对")
    with pytest.raises(StatementMissing):
        appeal_decide(appeal_id=row.pk, outcome="reversed", actor=WANG, statement=" ")
    assert standing(variant) == "taken_down"
    appeal_decide(appeal_id=row.pk, outcome="reversed", actor=WANG, statement="授权书有效")
    assert standing(variant) == "clear"
    with pytest.raises(AppealClosed):
        appeal_decide(appeal_id=row.pk, outcome="upheld", actor=WANG, statement="再想想")
    assert actions() == ["case.taken_down", "case.appealed", "case.approved", "case.appeal_reversed"]
    (rule,), (person,) = rule_figures(), person_figures()
    assert (rule.rule.endswith("tests-doubt"), rule.decided, rule.upheld, rule.precision) == (True, 1, 0, 0)
    assert (person.actor, person.decided, person.in_time, person.appealed, person.reversed) == (LI, 1, 1, 1, 1)


def test_an_appeal_about_words_that_have_changed_is_not_granted(shop: Reseller, variant: Variant, case: Case) -> None:
    decide(case, "sent_back")
    row = appeal_make(case_id=case.pk, schema_name=shop.schema_name, text="没有问题的名字", by="staff:owner")
    named(shop, variant, f"{DOUBTFUL} 改")
    with pytest.raises(CaseMoved):
        appeal_decide(appeal_id=row.pk, outcome="reversed", actor=WANG, statement="对")
    assert Appeal.objects.get().outcome == "open"
    assert standing(variant) == "flagged"
    assert appeal_decide(appeal_id=row.pk, outcome="upheld", actor=WANG, statement="已改").outcome == "upheld"


def test_evidence_marks_what_was_caught_and_what_changed() -> None:
    findings = [
        {"field": "name", "start": 2, "end": 4},
        {"field": "name", "start": 3, "end": 6},
        {"field": "notes", "start": 0, "end": 99},
    ]
    assert marked("甲乙丙丁戊己庚", "name", findings) == (
        Piece("甲乙"), Piece("丙丁", finding=1), Piece("戊己", finding=2), Piece("庚"),
    )  # fmt: skip
    assert marked("短", "notes", findings) == (Piece("短", finding=3),)
    assert changed("周年礼包 60 点", "周年 礼包 600 点") == (
        Piece("周年"), Piece(" ", change="added"), Piece("礼包 "), Piece("60", change="removed"),
        Piece("600", change="added"), Piece(" 点"),
    )  # fmt: skip
    assert changed("同", "同") == ()
    long = "甲" * 3000 + "\n"
    assert changed(long * 2, long * 2 + "乙") == (Piece(long * 2), Piece("乙", change="added"))
    fields = fields_of({"summary": "好", "notes": "短"}, findings, {"summary": "好", "notes": "短", "name": "没了"})
    assert [(field.name, bool(field.changes)) for field in fields] == [
        ("name", True),
        ("notes", False),
        ("summary", False),
    ]


def test_every_category_has_its_code_and_every_code_its_advice() -> None:
    for category in Category:
        (code,) = suggested([{"field": "name", "category": category.value}])
        assert REASONS[code].advice
    assert suggested([{"field": "", "category": "shared_account"}]) == ["P-01"]
    assert statement_of("approved", ["R01"], []) == ""
    assert statement_of("sent_back", ["N-00"], []) == ""
