"""Groups of words: operators put words in and take words out, and nothing that holds breaks unseen."""

import pytest
from django.urls import reverse

from compliance.models import Rule, WordGroup
from compliance.rules import book_now, groups_now, rules_load, screening_book
from compliance.screening.engine import screen
from compliance.screening.listing import Subject, Verdict
from compliance.screening.rules import built_in_groups
from compliance.trail.models import AuditEntry
from compliance.word_groups import group_save
from kameng.core.problems import Invalid
from kameng.outbox.models import OutboxEvent
from tests.factories import ProductFactory, on_sale
from tests.staff import URLCONFS, operator

pytestmark = pytest.mark.django_db

ACTOR = "staff:operator"
#: A game that the software does not know yet, and a word that needs a game beside it.
TITLE = "星海拾荒者 脚本"


def group(code: str = "games") -> WordGroup:
    return WordGroup.objects.get(code=code)


def verdict(title: str = TITLE) -> Verdict:
    book = screening_book()
    assert book
    return screen(Subject(title=title), book).verdict


def add(*words: str, **changed: list[str]) -> WordGroup:
    row = group()
    row.added = [*words]
    for name, value in changed.items():
        setattr(row, name, value)
    return group_save(group=row, actor=ACTOR)


def test_groups_begin_as_the_software_has_them_and_an_upgrade_leaves_what_operators_did() -> None:
    assert groups_now() == built_in_groups()
    assert rules_load() == 0
    first = group().words[0]
    add("星海拾荒者", retired=[first])
    WordGroup.objects.filter(code="games").update(words=[*group().words[1:], "旧词"], retired=[], note="ours")
    assert rules_load() == 1
    assert (tuple(group().words), group().added, group().note) == (built_in_groups()["games"], ["星海拾荒者"], "ours")
    WordGroup.objects.filter(code="games").update(added=["星海拾荒者", first], words=group().words[1:])
    rules_load()
    assert group().added == ["星海拾荒者"]
    assert rules_load() == 0


def test_a_word_counts_at_once_for_all_rules_that_name_its_group_and_everything_is_looked_at_again(
    django_assert_num_queries: object,
) -> None:
    before = book_now()[1]
    assert verdict() is Verdict.CLEAR
    add("星海拾荒者", hits=[TITLE])
    assert verdict() is Verdict.BLOCKED
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert book_now()[1] == before + 1
    assert OutboxEvent.objects.get(topic="rules.changed").payload == {"rules_version": before + 1}
    said = AuditEntry.objects.get(action="words.changed")
    assert (said.actor, said.subject, said.data["after"]["added"]) == (ACTOR, "words:games", ["星海拾荒者"])
    row = group()
    row.added, row.hits = [], []
    group_save(group=row, actor=ACTOR)
    assert verdict() is Verdict.CLEAR


@pytest.mark.parametrize(
    ("changed", "field", "said"),
    [
        ({"added": ["星海拾荒者"], "misses": [TITLE]}, "misses", TITLE),
        ({"hits": ["王者荣耀 点券"]}, "hits", "王者荣耀 点券"),
        ({"added": ["1.5"]}, "added", "1.5"), ({"added": ["—"]}, "added", "太短"),
        ({"added": ["外" * 41]}, "added", "40"),
        ({"added": ["游戏"]}, "added", "已经有了：游戏"), ({"retired": ["没有的词"]}, "retired", "没有的词"),
        ({"added": [str(n) + "词" for n in range(401)]}, "added", "400"),
    ],
)  # fmt: skip
def test_a_wrong_word_or_an_example_that_does_not_hold_changes_nothing(
    changed: dict[str, list[str]], field: str, said: str
) -> None:
    with pytest.raises(Invalid) as refused:
        add(*changed.pop("added", []), **changed)
    assert list(refused.value.fields) == [field]
    assert said in str(refused.value.fields[field])
    assert (group().version, group().added, verdict()) == (1, [], Verdict.CLEAR)
    assert not OutboxEvent.objects.filter(topic="rules.changed").exists()


def test_what_breaks_the_examples_of_a_rule_is_refused_with_the_rule_named() -> None:
    row = group()
    row.retired = list(row.words)
    row.added = ["星海拾荒者"]
    with pytest.raises(Invalid) as refused:
        group_save(group=row, actor=ACTOR)
    assert "game_cheat/" in str(refused.value.fields["added"])
    assert group().version == 1


def test_a_new_group_can_be_named_by_rules() -> None:
    group_save(group=WordGroup(code="islands", note="岛", added=["蓬莱仙岛"]), actor=ACTOR)
    with pytest.raises(Invalid) as refused:
        group_save(group=WordGroup(code="islands", note="岛", added=["别的"]), actor=ACTOR)
    assert list(refused.value.fields) == ["code"]
    with pytest.raises(Invalid) as refused:
        group_save(group=WordGroup(code="No Code", note="岛", added=["别的"]), actor=ACTOR)
    assert list(refused.value.fields) == ["code"]
    client = operator()
    form = {
        "category": "vpn", "code": "near-an-island", "note": "新", "severity": "medium", "window": "40",
        "terms": "专线通道", "near": "@islands", "hits": "蓬莱仙岛 专线通道", "misses": "专线通道", "is_active": "on",
    }  # fmt: skip
    address = reverse("operations:compliance_rule_add", urlconf=URLCONFS["operations"])
    assert client.post(address, form).status_code == 302
    assert verdict("蓬莱仙岛 专线通道") is Verdict.FLAGGED
    assert Rule.objects.get(code="near-an-island").near == ["@islands"]


def test_operators_see_what_a_word_takes_off_sale_before_it_counts() -> None:
    on_sale(product=ProductFactory(name=TITLE))
    client = operator()
    address = reverse("operations:compliance_wordgroup_change", urlconf=URLCONFS["operations"], args=[group().pk])
    page = client.get(address).content.decode()
    assert "王者荣耀" in page
    form = {"note": group().note, "added": "星海拾荒者\n 星海拾荒者 ", "hits": TITLE}
    asked = client.post(address, form)
    assert f"“{TITLE}”" in asked.context["adminform"].form.errors["is_seen"][0]
    wrong = client.post(address, {**form, "misses": TITLE, "is_seen": "on"})
    assert TITLE in wrong.context["adminform"].form.errors["misses"][0]
    assert (group().version, verdict()) == (1, Verdict.CLEAR)
    assert client.post(address, {**form, "is_seen": "on"}).status_code == 302
    assert (group().added, group().changed_by, verdict()) == (["星海拾荒者"], ACTOR, Verdict.BLOCKED)
    lists = reverse("operations:compliance_wordgroup_changelist", urlconf=URLCONFS["operations"])
    assert "@games" in client.get(lists).content.decode()
