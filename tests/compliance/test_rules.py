"""Rules in the database: they come with the software, operators change them, and each change is compiled anew."""

import io
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError
from types import SimpleNamespace

import pytest
from django.core.management import call_command
from django.urls import reverse

from compliance import rules
from compliance.models import Rule
from compliance.rules import rule_of, rule_save, rules_load, screening_book
from compliance.screening.book import Book
from compliance.screening.engine import screen
from compliance.screening.listing import Subject, Verdict
from compliance.screening.rules import built_in_groups, built_in_rules
from kameng.core.problems import Invalid
from tests.factories import ProductFactory, on_sale
from tests.staff import URLCONFS, operator

pytestmark = pytest.mark.django_db

ACTOR = "staff:operator"


def kept() -> Rule:
    return Rule.objects.get(category="game_cheat", code="cheat")


def verdict(title: str) -> Verdict:
    book = screening_book()
    assert book
    return screen(Subject(title=title), book).verdict


def test_the_database_begins_with_the_rules_of_the_software_and_renews_those_that_nobody_changed() -> None:
    assert {rule_of(row) for row in Rule.objects.all()} == set(built_in_rules())
    assert rules_load() == 0
    Rule.objects.filter(code="cheat").update(note="older")
    Rule.objects.filter(code="coins").update(note="ours", changed_by=ACTOR)
    Rule.objects.create(category="vpn", code="no-longer", note="gone", severity="low", terms=["某某"], hits=["某某"])
    assert rules_load() == 2
    assert kept().note != "older"
    assert Rule.objects.get(code="coins").note == "ours"
    assert not Rule.objects.get(code="no-longer").is_active
    assert rules_load() == 0


def test_a_change_counts_at_once_and_a_wrong_one_changes_nothing(django_assert_num_queries: object) -> None:
    assert verdict("新词某某 天卡") is Verdict.CLEAR
    rule = kept()
    rule.terms = [*rule.terms, "新词某某"]
    rule_save(rule=rule, actor=ACTOR)
    assert verdict("新词某某 天卡") is Verdict.BLOCKED
    assert (kept().version, kept().changed_by) == (2, ACTOR)
    with django_assert_num_queries(1):  # type: ignore[operator]
        assert verdict("新词某某") is Verdict.BLOCKED
    rule.misses = ["和平精英外挂"]
    with pytest.raises(Invalid) as refused:
        rule_save(rule=rule, actor=ACTOR)
    assert "和平精英外挂" in str(refused.value.fields["misses"])
    assert kept().version == 2
    with pytest.raises(Invalid) as refused:
        rule_save(rule=Rule(category="game_cheat", code="cheat", terms=["外挂"]), actor=ACTOR)
    assert list(refused.value.fields) == ["code"]


def test_the_command_screens_by_the_rules_of_the_database() -> None:
    Rule.objects.exclude(code="cheat").update(is_active=False)
    out, err = io.StringIO(), io.StringIO()
    lines = b'{"title": "USDT"}\n{"title": "\\u5916\\u6302"}'
    call_command("screen", stdin=io.BytesIO(lines), stdout=out, stderr=err)
    assert [json.loads(line)["verdict"] for line in out.getvalue().splitlines()] == ["clear", "blocked"]
    assert err.getvalue() == "rules: 1 of the database\n"


def test_operators_write_words_one_a_line_and_see_what_an_example_says() -> None:
    client = operator()
    address = reverse("operations:compliance_rule_change", urlconf=URLCONFS["operations"], args=[kept().pk])
    page = client.get(address)
    form = {name: page.context["adminform"].form[name].value() for name in page.context["adminform"].form.fields}
    form = {name: value for name, value in form.items() if value not in (None, False)}
    assert "外挂\n" in form["sounds"]
    refused = client.post(address, {**form, "hits": "王者荣耀 点券"})
    assert "王者荣耀 点券" in refused.context["adminform"].form.errors["hits"][0]
    assert kept().version == 1
    saved = client.post(address, {**form, "terms": "新词某某\n 新词某某 \n\n别的词"})
    assert saved.status_code == 302
    assert kept().terms == ["新词某某", "别的词"]
    assert kept().changed_by == ACTOR


def test_a_rule_that_takes_something_off_sale_says_what_and_is_kept_once_that_was_seen() -> None:
    on_sale(product=ProductFactory(name="星彩渠道礼包"))
    client = operator()
    address = reverse("operations:compliance_rule_add", urlconf=URLCONFS["operations"])
    form = {
        "category": "shared_account", "code": "new-word", "note": "新", "severity": "medium", "window": "40",
        "terms": "星彩渠道", "hits": "星彩渠道", "is_active": "on",
    }  # fmt: skip
    asked = client.post(address, form)
    assert "“星彩渠道礼包”" in asked.context["adminform"].form.errors["is_seen"][0]
    assert not Rule.objects.filter(code="new-word").exists()
    assert client.post(address, {**form, "is_seen": "on"}).status_code == 302
    assert Rule.objects.filter(code="new-word").exists()


def test_threads_that_need_the_same_book_compile_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A book takes megabytes, and a worker that has just begun needs it in every thread at once."""
    compiled: list[tuple[object, ...]] = []
    both = Barrier(2)

    def compile_slowly(key: tuple[object, ...]) -> Book:
        compiled.append(key)
        with suppress(BrokenBarrierError):
            both.wait(0.2)  # where the other one compiles, too
        books[key] = Book([], built_in_groups())
        return books[key]

    books: dict[tuple[object, ...], Book] = {}
    seen = dict.fromkeys(("count", "active", "versions", "last", "groups", "regrouped"), 1)
    monkeypatch.setattr(rules, "_with_groups", lambda: SimpleNamespace(aggregate=lambda **_: seen))
    monkeypatch.setattr(rules, "_kept", books)
    monkeypatch.setattr(rules, "_compiled", compile_slowly)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: rules.book_now(), range(2)))
    assert found == [(book, 2) for book in books.values()] * 2
    assert len(compiled) == 1
