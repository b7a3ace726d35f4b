"""The whole purchase as a guest makes it, while the first-ranked supplier refuses every order."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.visits import DESKTOP, PATIENCE, PHONE, Visit, Visits
from tests.live.platform import GAMES, HOUSE, Good, Platform

pytestmark = pytest.mark.browser

HEADLINES = {
    ("zh-CN", "delivered"): "已充到",
    ("en-US", "delivered"): "Topped up",
    ("zh-CN", "codes_ready"): "卡密已备好",
    ("en-US", "codes_ready"): "Your code is ready",
}


def _delivered(platform: Platform, supplier: str, good: Good) -> dict[str, Any]:
    """The only row about a good in a supplier's book: charged once."""
    (row,) = platform.booked(supplier, good)
    assert (row["times"], row["state"]) == (1, "succeeded")
    return row


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_a_game_is_topped_up_by_alipay_on_a_phone(
    platform: Platform, visits: Visits, screenshots: Path, language: str
) -> None:
    platform.suppliers("reject", "xinghe")
    good = platform.good("topup")
    visit = visits.new(GAMES, device=PHONE, language=language)
    page = visit.open("/").page
    expect(page.locator("html")).to_have_attribute("lang", "en" if language == "en-US" else "zh-hans")
    page.screenshot(path=screenshots / f"phone-home-{language}.png")

    number = visit.order(good)
    expect(visit.by("confirm-account")).to_contain_text(next(iter(good.account.values())))
    expect(visit.by("pay-amount")).to_contain_text(f"¥{good.price}")
    page.screenshot(path=screenshots / f"phone-confirm-{language}.png")

    payment = visit.choose(number, "alipay")
    page.screenshot(path=screenshots / f"phone-cashier-{language}.png")

    visit.by("open-app").click()
    expect(visit.by("amount")).to_contain_text(good.price)
    assert platform.trade("alipay", payment)["channel"] == "wap"
    visit.by("pay").click()
    page.wait_for_url(f"**/{number}/**", timeout=PATIENCE)
    assert page.url.startswith(visit.origin)
    visit.wait_for("delivered")
    expect(visit.by("order-status").locator("h1")).to_contain_text(HEADLINES[language, "delivered"])
    page.screenshot(path=screenshots / f"phone-order-{language}.png")
    assert platform.booked("xinghe", good) == []
    _delivered(platform, "lantian", good)


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
def test_a_gift_card_is_bought_by_wechat_pay_at_a_desk_with_a_phone_that_scans(
    platform: Platform, visits: Visits, screenshots: Path, language: str
) -> None:
    platform.suppliers("reject", "yunka")
    good = platform.good("code")
    visit = visits.new(HOUSE, device=DESKTOP, language=language)
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visit.page
    number = visit.order(good)
    payment = visit.choose(number, "wechatpay")
    qr = visit.by("qr")
    box = qr.bounding_box()
    assert box is not None
    assert box["y"] >= 0
    assert box["y"] + box["height"] <= 800
    assert qr.evaluate("image => image.naturalWidth") > 100
    page.screenshot(path=screenshots / f"desktop-cashier-{language}.png")

    scanned = visit.context.new_page()  # what the code says, on the phone
    scanned.goto(visit.payment(number)[1])
    scanned.get_by_test_id("pay").click()
    expect(scanned.get_by_role("status")).to_be_visible()
    scanned.close()
    page.wait_for_url(f"**/o/{number}/", timeout=PATIENCE)
    visit.wait_for("codes_ready")
    expect(visit.by("order-status").locator("h1")).to_contain_text(HEADLINES[language, "codes_ready"])

    assert platform.trade("wechatpay", payment)["channel"] == "NATIVE"
    assert platform.booked("yunka", good) == []
    (code,) = _delivered(platform, "baihe", good)["codes"]
    assert code not in page.content()
    first_block, status = visit.by("code").bounding_box(), visit.by("order-status").bounding_box()
    assert first_block is not None
    assert status is not None
    assert first_block["y"] < status["y"]

    visit.forgiven = "422"  # the browser itself writes down that a reply was one
    page.locator("#proof").fill("13900000000")
    visit.by("reveal").click()
    expect(page.locator("#proof_more [role=alert]")).to_be_visible()
    assert code not in page.content()
    page.locator("#proof").fill(visit.contact)
    visit.by("reveal").click()
    expect(visit.by("code")).to_have_text(code)
    visit.by("copy").click()
    assert page.evaluate("navigator.clipboard.readText()") == code
    page.screenshot(path=screenshots / f"desktop-codes-{language}.png")


@pytest.mark.parametrize(("kind", "gateway", "host"), [("topup", "alipay", GAMES), ("code", "wechatpay", HOUSE)])
def test_without_scripts_everything_is_bought_all_the_same(
    platform: Platform, visits: Visits, kind: str, gateway: str, host: str
) -> None:
    good = platform.good(kind)
    visit = visits.new(host, scripts=False)
    page = visit.open("/").page
    page.get_by_role("searchbox").first.fill(good.product)
    page.get_by_role("searchbox").first.press("Enter")
    page.wait_for_url("**/search/**")
    number = visit.order(good)
    visit.choose(number, gateway)
    visit.by("open-app").click()
    visit.by("pay").click()
    page.wait_for_url(f"**/{number}/**")
    if page.url.endswith("?asked"):
        visit.by("check").click()
    page.goto(f"{visit.origin}/o/{number}/")
    visit.reload_until("delivered" if kind == "topup" else "codes_ready")
    if kind == "code":
        (code,) = _delivered(platform, "yunka", good)["codes"]
        assert code not in page.content()
        page.locator("#proof").fill(visit.contact)
        visit.by("reveal").click()
        expect(visit.by("code")).to_have_text(code)


def test_what_nobody_delivers_is_refunded_and_the_page_says_so(
    platform: Platform, visits: Visits, screenshots: Path
) -> None:
    platform.suppliers("reject")
    good = platform.good("topup")
    visit = visits.new(GAMES)
    number = visit.buy(good, "alipay")
    visit.wait_for("refunded")
    headline = visit.by("order-status").locator("h1")
    expect(headline).to_contain_text("已退")
    expect(headline).to_contain_text(good.price)
    trade = platform.trade("alipay", visit.payment(number)[0])
    assert trade["refunded"] == trade["amount"] == good.price
    visit.page.screenshot(path=screenshots / "phone-refund-zh-CN.png", full_page=True)


def test_a_double_click_makes_one_order(platform: Platform, visits: Visits) -> None:
    for scripts in (True, False):
        good = platform.good("topup")
        visit = visits.new(GAMES, device=DESKTOP, scripts=scripts)
        visit.open(f"/p/{good.product}/")
        visit.fill(good)
        visit.by("buy").dblclick()
        visit.page.wait_for_url("**/checkout/*/**")
        assert len(visit.orders_of(visit.contact)) == 1


def test_going_back_keeps_everything(platform: Platform, visits: Visits) -> None:
    good = platform.good("topup")
    visit = visits.new(GAMES)
    page = visit.page
    number = visit.order(good)
    page.go_back()
    _filled_in(visit, good)
    page.go_forward()
    visit.choose(number, "alipay")
    page.locator("a.back").click()
    page.wait_for_url(f"**/checkout/{number}/")
    page.locator(f'a[href="/checkout/{number}/edit/"]').first.click()
    _filled_in(visit, good)
    visit.by("buy").click()
    page.wait_for_url("**/checkout/*/**")


def _filled_in(visit: Visit, good: Good) -> None:
    expect(visit.page.locator(f'[name=sku][value="{good.sku}"]')).to_be_checked()
    for name, value in good.account.items():
        assert visit.page.locator(f'[name="account_{name}"]').input_value().replace(" ", "") == value
    expect(visit.page.locator("#contact")).to_have_value(visit.contact)


def test_a_price_that_changed_meanwhile_is_shown_before_anything_is_paid(platform: Platform, visits: Visits) -> None:
    good = platform.good("topup")
    visit = visits.new(GAMES)
    visit.open(f"/p/{good.product}/")
    visit.fill(good)
    platform.sql(
        f"INSERT INTO {visit.schema}.listings_listing (variant_id, price, name, is_visible, updated_at)"
        " SELECT id, %s, '', true, now() FROM catalog_variant WHERE sku = %s",
        [f"{float(good.price) + 5:.2f}", good.sku],
    )
    platform.sql("UPDATE catalog_revision SET number = number + 1")
    visit.page.wait_for_timeout(1_100)  # a page may be a second old
    visit.by("buy").click()
    visit.page.wait_for_url("**/checkout/*/**")
    alert = visit.page.get_by_role("alert")
    expect(alert).to_contain_text(good.price)
    expect(alert).to_contain_text(f"{float(good.price) + 5:.2f}")
    expect(visit.by("pay-amount")).to_have_text(f"¥{float(good.price) + 5:.2f}")
