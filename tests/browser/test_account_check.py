"""Whose account it is, told before anything is paid: as it is typed, and on the page where the order is checked."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.axe import violations
from tests.browser.visits import DEVICES, Visits
from tests.live.platform import GAMES, Good, Platform

pytestmark = pytest.mark.browser

#: Whose only supplier can look up accounts.
PRODUCT = "jx3"
#: The name that its side of the sandbox gives, as others may see it.
MASKED = "山**6"


@pytest.fixture
def good(platform: Platform) -> Good:
    """The product's cheapest amount, with an account that is there."""
    shown = platform.shopper(GAMES).product(PRODUCT)
    account = {entry["name"]: entry["example"] for entry in shown["account_fields"] if entry["required"]}
    first = shown["variants"][0]
    return Good(first["sku"], PRODUCT, "topup", GAMES, first["price"], account)


@pytest.mark.parametrize("device", DEVICES)
def test_the_players_name_is_told_as_the_account_is_typed_and_before_paying(
    visits: Visits, good: Good, device: str, screenshots: Path
) -> None:
    visit = visits.new(GAMES, device=DEVICES[device])
    page = visit.open(f"/p/{PRODUCT}/").page
    line = visit.by("verify-line")
    expect(line).to_be_empty()
    visit.fill(good)
    expect(line).to_contain_text(MASKED)
    page.screenshot(path=screenshots / f"account-check-{device}.png")
    assert violations(page) == []
    visit.by("buy").click()
    page.wait_for_url("**/checkout/*/**")
    expect(visit.by("confirm-nickname")).to_have_text(MASKED)
    page.screenshot(path=screenshots / f"account-check-confirm-{device}.png")
    assert violations(page) == []


@pytest.mark.parametrize(
    ("ending", "said"), [("404", "没有查到这个账号"), ("403", "不在所选的区服"), ("429", "充值上限")]
)
def test_what_is_wrong_with_an_account_is_said_and_stops_nobody(
    visits: Visits, good: Good, ending: str, said: str, screenshots: Path
) -> None:
    wrong = replace(good, account={**good.account, "account": f"jianxia{ending}"})
    visit = visits.new(GAMES)
    page = visit.open(f"/p/{PRODUCT}/").page
    visit.fill(wrong)
    expect(visit.by("verify-line")).to_contain_text(said)
    page.screenshot(path=screenshots / f"account-check-{ending}.png")
    assert violations(page) == []
    page.reload()
    visit.fill(wrong)
    visit.by("buy").click()
    page.wait_for_url("**/checkout/*/**")
    expect(visit.by("confirm-check")).to_contain_text(said)
    expect(visit.by("confirm")).to_be_visible()


def test_a_supplier_that_does_not_answer_keeps_nobody_waiting(
    platform: Platform, visits: Visits, good: Good, screenshots: Path
) -> None:
    platform.suppliers("hang", "shanhe")
    visit = visits.new(GAMES)
    page = visit.open(f"/p/{PRODUCT}/").page
    visit.fill(good)
    expect(visit.by("verify-line")).to_contain_text("可以继续", timeout=8_000)
    visit.by("buy").click()
    page.wait_for_url("**/checkout/*/**")
    expect(visit.by("confirm-check")).to_contain_text("可以继续")
    page.screenshot(path=screenshots / "account-check-unknown.png")


def test_without_scripts_it_is_told_on_the_page_before_paying(visits: Visits, good: Good) -> None:
    visit = visits.new(GAMES, scripts=False)
    visit.order(good)
    expect(visit.by("confirm-nickname")).to_have_text(MASKED)
