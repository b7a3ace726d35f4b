"""Alerts as operators see them: words from kind and data, urgent first, closed by who has dealt with them."""

from collections.abc import Iterator

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from kameng.alerts.models import Alert
from kameng.alerts.services import Level, alert_raise
from kameng.alerts.words import alert_words
from tests.staff import operator

KINDS = (
    "supplier.breaker_open", "supplier.eliminated", "supplier.balance_low", "supplier.dependence", "supplier.reversed",
    "supplier.duplicate", "supplier.code_seen_before", "attempt.needs_person", "cost.above_supply", "rate.stale",
    "price.jump",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _in_public(db: None) -> Iterator[None]:
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    # What the last request spoke is still spoken by the thread.
    with translation.override("zh-hans"):
        yield


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_words_and_a_way_to_act(kind: str) -> None:
    alert_raise(kind, subject="000ABCDEFGHJKMNPQRS", reference="000ABCDEFGHJKMNPQRS")
    words = alert_words(Alert.objects.get())
    assert kind not in words.title
    assert words.advice
    client = operator()
    shown = client.get("/admin/alerts/").content.decode()
    assert words.title in shown
    assert "去处理" in shown
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "en"
    english = client.get("/admin/alerts/").content.decode()
    assert words.title not in english


def test_facts_are_told_with_their_labels_and_what_nobody_knows_is_told_as_it_is() -> None:
    data = {"share": 0.642, "alternatives": ["蓝天", "云卡"], "novel": 3, "balance": None, "supplier": "river"}
    words = alert_words(Alert(kind="supplier.dependence", subject="games", data=data))
    assert words.facts == (("供应商", "river"), ("占比", "64.2%"), ("还能供的", "蓝天、云卡"), ("novel", "3"))
    assert alert_words(Alert(kind="new.thing", subject="x", data={})).title == "new.thing：x"


def test_urgent_ones_come_first_and_then_those_that_wait_longest() -> None:
    for subject, level in (("a", Level.WARNING), ("b", Level.URGENT), ("c", Level.WARNING)):
        alert_raise("rate.stale", subject=f"subject-{subject}", level=level)
    shown = operator().get("/admin/alerts/").content.decode()
    assert sorted("abc", key=lambda subject: shown.index(f"subject-{subject}")) == ["b", "a", "c"]
    assert "紧急" in shown


def test_closing_is_written_down_and_the_same_again_is_a_new_alert() -> None:
    alert_raise("rate.stale", subject="USD")
    alert = Alert.objects.get()
    client = operator()
    for said in ("已标记处理", "已经结束了"):
        assert said in client.post(f"/admin/alerts/{alert.pk}/close/", follow=True).content.decode()
    alert.refresh_from_db()
    assert (alert.closed_by, alert.closed_at is not None) == ("staff:operator", True)
    assert LogEntry.objects.get().change_message == "已处理"
    assert "staff:operator" in client.get("/admin/alerts/", {"show": "over"}).content.decode()
    assert "现在没有提醒" in client.get("/admin/alerts/").content.decode()
    assert alert_raise("rate.stale", subject="USD")
    assert client.post("/admin/alerts/0/close/").status_code == 404


def test_the_menu_and_the_first_page_count_the_open_ones() -> None:
    client = operator()
    assert "k-count" not in client.get("/admin/").content.decode()
    for currency in ("USD", "EUR"):
        alert_raise("rate.stale", subject=currency)
    Alert.objects.create(kind="rate.stale", subject="GBP", closed_at=timezone.now())
    shown = client.get("/admin/").content.decode()
    assert '<span class="k-count">2</span>' in shown
    assert "2 条" in shown
    assert "现在没有要人处理的事" not in shown


def test_an_address_that_leads_away_is_not_followed() -> None:
    for place, url in enumerate(("https://evil.example/", "//evil.example/", "javascript:alert(1)")):
        alert_raise("new.thing", subject=str(place), url=url)
    shown = operator().get("/admin/alerts/").content.decode()
    assert "evil.example" not in shown
    assert "javascript:" not in shown


def test_fifty_alerts_take_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    for place in range(60):
        alert_raise("supplier.balance_low", subject=f"supplier-{place}", balance="1")
    client = operator()
    with django_assert_max_num_queries(12):
        shown = client.get("/admin/alerts/").content.decode()
    assert shown.count("去处理") == 50
