"""What a shop announces, and when; and what its owner hands on: links, codes, posters, words."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from django_tenants.utils import schema_context

from compliance.gate.shops import SHOPS, shop_words_save
from compliance.gate.subjects import Standing
from kameng.manage.poster import WIDTH, Poster, lines_of, poster_svg, wide
from resellers import announcements, hosts
from resellers.announcements import announcements_past
from resellers.context import face_until, shop_face
from resellers.models import Announcement, Reseller
from tests.compliance.gate import DOUBTFUL, UNLAWFUL, doubtful_words
from tests.factories import on_sale
from tests.flows import in_a_moment
from tests.staff import owner_of, staff_of, visitor

PAGE = "/manage/announcement/"


def clock(**later: float) -> str:
    """A moment from now, as browsers send it."""
    return f"{timezone.localtime() + timedelta(**later):%Y-%m-%dT%H:%M}"


def read(shop: Reseller) -> Reseller:
    return Reseller.objects.get(pk=shop.pk)


def announced(shop: Reseller) -> str:
    """What shoppers read now."""
    return shop_face(read(shop)).announcement


def test_past_announcements_are_listed_with_their_times_and_said_again(shop: Reseller, other_shop: Reseller) -> None:
    owner = owner_of(shop)
    doubtful_words()
    for text in ("第一条", "第二条", "第二条", DOUBTFUL, "从没显示过"):
        later = {"announcement_from": clock(hours=1)} if text == "从没显示过" else {}
        assert owner.post(PAGE, {"announcement": text, "announcement_en": "Told", **later}).status_code == 302
    assert [one.text for one in announcements_past(shop.pk)] == ["第二条", "第一条"]
    assert read(shop).announcement == "从没显示过"
    assert owner.post(PAGE, {"announcement": "", "announcement_until": ""}).status_code == 302
    page = owner.get(PAGE).content.decode()
    assert "从没显示过" not in page
    assert (page.count("第一条"), page.count("第二条")) == (1, 1)
    first = announcements_past(shop.pk).get(text="第一条")
    again = f"{PAGE}?again={first.pk}"
    assert 'value="第一条"' in owner.get(again).content.decode()
    assert 'value="Told"' in owner.get(again).content.decode()
    assert owner_of(other_shop).get(again, headers={"host": "two.test"}).status_code == 404
    assert owner.get(f"{PAGE}?again=x").status_code == 404
    assert read(shop).announcement == ""


def test_what_ended_by_its_time_is_past_and_what_the_platform_takes_away_too(
    shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop_words_save(shop_id=shop.pk, announcement="到明天", announcement_until=timezone.now() + timedelta(hours=1))
    with time_machine.travel(timezone.now() + timedelta(hours=2), tick=False):
        (past,) = announcements_past(shop.pk)
        assert past.last_shown == past.until
    SHOPS.stand(shop.pk, Standing.TAKEN_DOWN, words={}, caught=["announcement"])
    (past,) = announcements_past(shop.pk)
    assert (past.text, past.last_shown) == ("到明天", past.ended_at)
    Reseller.objects.filter(pk=shop.pk).update(announcement="没有记下来的")
    shop_words_save(shop_id=shop.pk, announcement="新的")
    assert [(one.text, one.since) for one in announcements_past(shop.pk)][:1] == [("没有记下来的", None)]
    monkeypatch.setattr(announcements, "MOST", 2)
    shop_words_save(shop_id=shop.pk, announcement="更新的")
    assert [one.text for one in Announcement.objects.filter(shop=shop).order_by("pk")] == ["新的", "更新的"]


def test_an_announcement_is_there_in_its_time_and_only_then(shop: Reseller) -> None:
    helper = staff_of(shop, "support")
    typed = {"announcement": "国庆照常发货", "announcement_en": "Open as usual"}
    saved = helper.post(PAGE, {**typed, "announcement_from": clock(hours=1), "announcement_until": clock(hours=3)})
    assert saved.status_code == 302
    assert "还没开始" in helper.get(PAGE).content.decode()
    hosts.forget()
    assert "国庆照常发货" not in visitor("one.test").get("/").content.decode()
    with in_a_moment(2 * 3600):
        assert announced(shop) == "国庆照常发货"
        until = face_until(read(shop))
        assert until == read(shop).announcement_until.timestamp()  # type: ignore[union-attr]
    with in_a_moment(4 * 3600):
        assert announced(shop) == ""
    # A page that is kept is drawn anew when the announcement begins.
    assert face_until(read(shop)) == read(shop).announcement_from.timestamp()  # type: ignore[union-attr]
    assert helper.post(PAGE, typed).status_code == 302
    hosts.forget()
    assert "国庆照常发货" in visitor("one.test").get("/").content.decode()
    assert helper.post(PAGE, {"announcement": ""}).status_code == 302
    found = read(shop)
    assert (found.announcement, found.announcement_en, found.announcement_until) == ("", "", None)


def test_times_that_nobody_could_see_it_in_are_refused(shop: Reseller) -> None:
    owner = owner_of(shop)
    wrong: list[dict[str, Any]] = [
        {"announcement_until": clock(hours=-1)},
        {"announcement_from": clock(hours=2), "announcement_until": clock(hours=1)},
        {"announcement_from": clock(hours=-3), "announcement_until": clock(hours=-1)},
        {"announcement": "", "announcement_en": "alone"},
        {"announcement": UNLAWFUL},
    ]
    for typed in wrong:
        assert owner.post(PAGE, {"announcement": "周末照常", **typed}).status_code == 422, typed
    preview = owner.post(PAGE, {"announcement": "先看看", "act": "preview"})
    assert "先看看" in preview.content.decode()
    assert read(shop).announcement == ""


def test_doubtful_words_wait_and_what_was_over_does_not_come_back(shop: Reseller) -> None:
    doubtful_words()
    owner = owner_of(shop)
    past = timezone.now() - timedelta(days=1)
    shop_words_save(shop_id=shop.pk, announcement="国庆活动", announcement_until=past)
    assert announced(shop) == ""
    assert owner.post(PAGE, {"announcement": DOUBTFUL, "announcement_until": clock(days=2)}).status_code == 302
    assert announced(shop) == ""
    shop_words_save(shop_id=shop.pk, announcement="周末照常")
    assert owner.post(PAGE, {"announcement": DOUBTFUL}).status_code == 302
    assert announced(shop) == "周末照常"
    assert DOUBTFUL in owner.get(PAGE).content.decode()


def test_a_shop_and_its_products_are_shared_by_link_code_and_poster(shop: Reseller) -> None:
    product = on_sale().product
    helper = staff_of(shop)
    about = helper.get("/manage/share/", {"product": product.slug}).content.decode()
    for text in (f"/p/{product.slug}/", product.name, "没到账自动退款", "poster.svg"):
        assert text in about
    whole = re.search(r'data-copy="https?://one\.test(:\d+)?/"', helper.get("/manage/share/").content.decode())
    assert whole is not None
    kinds = {"qr.png": b"\x89PNG", "qr.svg": b"<?xml", "poster.svg": b"<svg"}
    for name, begins in kinds.items():
        answer = helper.get(f"/manage/share/{name}/", {"save": "1", "product": product.slug})
        assert (answer.status_code, answer.content.startswith(begins)) == (200, True), name
        assert "attachment" in answer["Content-Disposition"]
        assert "default-src 'none'" in answer["Content-Security-Policy"]
    for nothing in ("/manage/share/qr.gif/", "/manage/share/?product=nothing", "/manage/share/qr.png/?product=no"):
        assert helper.get(nothing).status_code == 404
    with schema_context(shop.schema_name):
        assert visitor("one.test").get("/manage/share/").status_code == 302


def test_a_poster_holds_any_name_and_runs_nothing() -> None:
    evil = '<script>alert(1)</script>"&'
    told = {"title": evil, "subtitle": evil * 9, "shop": evil, "hint": evil, "color": "#0B62D6"}
    drawn = poster_svg(Poster(url="https://one.example/p/x/", **told))
    assert "<script" not in drawn
    assert f'width="{WIDTH}"' in drawn
    lines = lines_of("很长的店名" * 20, room=10, most=2)
    assert lines_of("Tokens for Honor of Kings", room=8, most=9) == ["Tokens for", "Honor of Kings"]
    assert lines_of("x" * 30, room=6, most=9) == ["x" * 10, "x" * 10, "x" * 10]
    assert (len(lines), lines[-1][-1], max(map(wide, lines)) <= 10) == (2, "…", True)
