"""A phone number on the product page: whose it was is told as it is typed, from seven digits, and may be corrected."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from catalog.phone_numbers import PREFIX_DIGITS, Carrier, origin_of
from tests.browser.axe import violations
from tests.browser.visits import PHONE, Visits
from tests.live.platform import HOUSE, Platform

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_the_carrier_is_told_as_a_number_is_typed_and_may_be_corrected(
    platform: Platform, visits: Visits, screenshots: Path, language: str
) -> None:
    good = platform.good("phone")
    visit = visits.new(HOUSE, device=PHONE, language=language)
    page = visit.open(f"/p/{good.product}/").page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/numbers/" in request.url else None)
    field, hint = page.locator("#account_phone"), visit.by("number-origin")
    expect(hint).to_be_empty()

    field.press_sequentially("138123")
    expect(hint).to_be_empty()
    field.press_sequentially("45678")
    expect(field).to_have_value("138 1234 5678")
    told = origin_of("1381234").text(english=language == "en-US")
    expect(hint).to_have_text(told)
    assert [url.split("/")[-2] for url in asked] == ["1381234"]

    field.fill("+86 186-0000-1234")
    expect(hint).to_have_text(origin_of("1860000").text(english=language == "en-US"))
    assert all(len(url.split("/")[-2]) == PREFIX_DIGITS for url in asked)
    assert len(asked) == 2

    page.locator("details.where").filter(has=page.locator("#account_carrier")).locator("summary").first.click()
    page.locator("#account_carrier").select_option(Carrier.TELECOM.value)
    page.screenshot(path=screenshots / f"phone-carrier-{language}.png")
    assert violations(page) == []
    page.locator(f'[name=sku][value="{good.sku}"]').check(force=True)
    visit.by("buy").click()
    page.wait_for_url("**/checkout/*/**")
    rows = page.locator("dl.big-rows")
    expect(rows).to_contain_text("China Telecom" if language == "en-US" else "中国电信")
    expect(rows).to_contain_text(origin_of("1860000").text(english=language == "en-US"))
    page.go_back()
    expect(hint).not_to_be_empty()
