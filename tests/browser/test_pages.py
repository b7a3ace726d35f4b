"""Every page: for people who cannot see it well, on small screens, in both languages, and light enough."""

import gzip
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.axe import violations
from tests.browser.gallery import PAGES, STATES, Gallery, hang
from tests.browser.visits import DESKTOP, PHONE, Visit, Visits
from tests.live.platform import GAMES, HOUSE, LIFE, Platform

pytestmark = pytest.mark.browser

REQUESTS = 15
#: Bytes: a document packed, so that it fits into the first window, and the shop's colors; the rest as it is.
BUDGET = {"document": 12 * 1024, "stylesheet": 30 * 1024, "theme": 1024, "script": 70 * 1024, "font": 0}
PACKED = ("document", "theme")
UNFOLD = "document.querySelectorAll('details').forEach(fold => fold.open = true)"
#: Chinese, but for the button that leads back to it.
CHINESE = re.compile(r"[\u4e00-\u9fff]")
EXPECTED = {"nothing-here": 404}


@pytest.fixture(scope="package")
def gallery(platform_process: Platform) -> Gallery:
    """All pages, with orders of one device."""
    return hang(platform_process)


def _visitor(visits: Visits, gallery: Gallery, **how: Any) -> Visit:
    visit = visits.new(HOUSE, forgiven="404", **how)
    visit.context.add_cookies(
        [{"name": name, "value": value, "url": visit.origin} for name, value in gallery.cookies.items()]
    )
    return visit


def _look(visit: Visit, gallery: Gallery, name: str) -> Page:
    page = visit.page
    visit.requests.clear()
    answer = page.goto(visit.origin + gallery.paths[name])
    assert answer is not None
    assert answer.status == EXPECTED.get(name, 200)
    if name in STATES:
        visit.wait_for(STATES[name])
    return page


@pytest.fixture(scope="package", params=[PHONE, DESKTOP], ids=["phone", "desktop"])
def walker(
    request: pytest.FixtureRequest, chromium: Browser, platform_process: Platform, gallery: Gallery
) -> Iterator[Visit]:
    """The device that placed the orders, going from page to page."""
    walking = Visits(chromium, platform_process)
    yield _visitor(walking, gallery, device=request.param)
    walking.close()


@pytest.mark.parametrize("name", PAGES)
def test_nothing_stands_in_anybodys_way(walker: Visit, gallery: Gallery, name: str) -> None:
    walker.complaints.clear()
    page = _look(walker, gallery, name)
    _weigh(walker)
    page.evaluate(UNFOLD)
    assert violations(page) == []
    walker.check()


def _weigh(visit: Visit) -> None:
    """Hold what a first view loads against its budget."""
    first_view = [request for request in visit.requests if "/status/" not in request.url]
    assert len(first_view) <= REQUESTS
    weights = dict.fromkeys(BUDGET, 0)
    for request in first_view:
        kind = "theme" if "/theme." in request.url else request.resource_type
        if kind in BUDGET:
            reply = request.response()
            assert reply is not None
            weights[kind] += len(gzip.compress(reply.body()) if kind in PACKED else reply.body())
    assert {kind: weight for kind, weight in weights.items() if weight > BUDGET[kind]} == {}


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_nothing_is_wider_than_a_small_phone(visits: Visits, gallery: Gallery, language: str) -> None:
    visit = _visitor(visits, gallery, device={**PHONE, "viewport": {"width": 320, "height": 640}}, language=language)
    wide = {}
    for name in PAGES:
        page = _look(visit, gallery, name)
        page.evaluate(UNFOLD)
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > 320:
            wide[name] = width
    assert wide == {}


def test_nothing_is_left_untranslated(visits: Visits, gallery: Gallery) -> None:
    visit = _visitor(visits, gallery, device=DESKTOP, language="en-US")
    left = {}
    for name in PAGES:
        page = _look(visit, gallery, name)
        page.evaluate(UNFOLD)
        page.evaluate("document.querySelectorAll('[lang=zh-Hans]').forEach(part => part.remove())")
        found = [line for line in page.inner_text("body").splitlines() if CHINESE.search(line)]
        if found:
            left[name] = found
        assert page.locator("html").get_attribute("lang") == "en"
    assert left == {}


def test_choosing_a_language_stays_on_the_page_and_is_remembered(visits: Visits, gallery: Gallery) -> None:
    visit = _visitor(visits, gallery)
    page = _look(visit, gallery, "product-topup")
    page.get_by_role("button", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")
    assert page.url == visit.origin + gallery.paths["product-topup"]
    _look(visit, gallery, "order-codes")
    expect(page.locator("html")).to_have_attribute("lang", "en")
    page.get_by_role("button", name="简体中文").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")


def test_a_chosen_theme_is_remembered_and_the_code_to_scan_stays_white(visits: Visits, gallery: Gallery) -> None:
    visit = _visitor(visits, gallery, device=DESKTOP)
    page = _look(visit, gallery, "home")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("[data-theme-toggle]").click()
    dark = page.evaluate(background)
    assert dark != light
    _look(visit, gallery, "cashier-open")
    assert page.evaluate(background) == dark
    drawn = visit.context.request.get(visit.origin + str(visit.by("qr").get_attribute("src")))
    assert drawn.headers["content-type"] == "image/png"
    page.locator("[data-theme-toggle]").click()
    assert page.evaluate(background) == light


@pytest.mark.parametrize("host", [GAMES, LIFE])
def test_the_other_shops_look_different_and_can_be_read_as_well(visits: Visits, platform: Platform, host: str) -> None:
    visit = visits.new(host, device=DESKTOP)
    page = visit.open("/").page
    assert violations(page) == []


def test_the_keyboard_is_enough_to_choose_and_to_order(visits: Visits, platform: Platform) -> None:
    good = platform.good("topup")
    visit = visits.new(GAMES, device=DESKTOP)
    page = visit.open(f"/p/{good.product}/").page
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    visit.fill(good)
    chosen = page.locator("[name=sku]:checked")
    before = chosen.get_attribute("value")
    chosen.focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("[name=sku]:checked").get_attribute("value") != before
    page.locator("#contact").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/checkout/*/**")


def test_mistakes_are_named_beside_the_field_and_nothing_typed_is_lost(visits: Visits, platform: Platform) -> None:
    good = platform.good("topup")
    for scripts in (True, False):
        visit = visits.new(GAMES, scripts=scripts, forgiven="422")
        page = visit.open(f"/p/{good.product}/").page
        visit.fill(good)
        page.locator("#contact").fill("1381234")
        visit.by("buy").click()
        field = page.locator("#contact")
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_value("1381234")
        expect(page.locator("#contact_more")).to_contain_text("13812345678")
        expect(page.locator(f'[name=sku][value="{good.sku}"]')).to_be_checked()
        if scripts:
            assert violations(page) == []
            field.fill(visit.contact)
            visit.by("buy").click()
            page.wait_for_url("**/checkout/*/**")


def test_what_is_asked_for_by_law_can_be_read_and_answered_by_anybody(visits: Visits, platform: Platform) -> None:
    good = platform.good("topup")
    for device, scripts in ((PHONE, True), (DESKTOP, False)):
        visit = visits.new(GAMES, device=device, scripts=scripts, forgiven="422")
        page = visit.page
        number = visit.order(good)
        expect(visit.by("no-return")).not_to_be_checked()
        visit.by("confirm").click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(visit.by("no-return")).to_have_attribute("aria-invalid", "true")
        if scripts:
            assert violations(page) == []
        visit.confirm(number)
        visit.open(f"/p/{good.product}/")
        page.locator('a[href$="/report/"]').click()
        page.get_by_label("其他问题").check()
        visit.by("report").click()
        expect(page.locator("#text")).to_have_attribute("aria-invalid", "true")
        page.locator("#text").fill("看着像外挂")
        if scripts:
            assert violations(page) == []
        visit.by("report").click()
        visit.by("report-thanks").wait_for()
        visit.open("/privacy/data/")
        assert not scripts or violations(page) == []
