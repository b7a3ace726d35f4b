"""Finding an order again: from another browser, by its address, and by people who should not find it."""

import re
import time

import httpx
import pytest
from playwright.sync_api import expect

from tests.browser.visits import DESKTOP, Visit, Visits
from tests.live.platform import GAMES, HOUSE, Platform

pytestmark = pytest.mark.browser

#: Tries are counted in windows of that length (`orders.views`).
LOOKUP_SECONDS = 300


@pytest.fixture
def bought(platform: Platform, visits: Visits) -> tuple[Visit, str, str]:
    """Somebody has bought a code and not looked at it: the visit, the order's number, the code."""
    good = platform.good("code")
    visit = visits.new(HOUSE)
    number = visit.buy(good, "alipay")
    visit.wait_for("codes_ready")
    (row,) = platform.booked("yunka", good)
    return visit, number, row["codes"][0]


def test_another_browser_finds_the_order_by_its_number_and_the_phones_last_digits(
    platform: Platform, visits: Visits, bought: tuple[Visit, str, str]
) -> None:
    buyer, number, code = bought
    for scripts in (True, False):
        visit = visits.new(HOUSE, device=DESKTOP, scripts=scripts)
        page = visit.open("/orders/lookup/").page
        grouped = "-".join(number[start : start + 4] for start in range(0, 16, 4))
        page.locator("#number").fill(f" {grouped.lower()} ")
        page.locator("#contact").fill(buyer.contact[-4:])
        visit.by("lookup-form").get_by_role("button").click()
        page.wait_for_url(f"**/o/{number}/")
        expect(visit.by("order-status")).to_have_attribute("data-state", "codes_ready")
        assert code not in page.content()
        visit.by("reveal").click()  # the contact was proven a moment ago
        expect(visit.by("code")).to_have_text(code)


def test_a_wrong_contact_and_a_wrong_number_get_the_same_answer_and_soon_none(
    platform: Platform, visits: Visits, bought: tuple[Visit, str, str]
) -> None:
    buyer, number, _ = bought
    visit = visits.new(HOUSE, forgiven="40[04]|422|429")
    page = visit.page
    answers = []
    for asked, contact in ((number, "0000"), ("ABCDEFGHJKMNPQRS", buyer.contact[-4:])):
        visit.open("/orders/lookup/")
        page.locator("#number").fill(asked)
        page.locator("#contact").fill(contact)
        visit.by("lookup-form").get_by_role("button").click()
        answers.append(page.get_by_role("alert").inner_text())
        assert "/orders/lookup/" in page.url
    assert answers[0] == answers[1]
    tries, window = 0, time.time() // LOOKUP_SECONDS
    while tries < 12:
        tries += 1
        if (begun := time.time() // LOOKUP_SECONDS) != window:
            tries, window = 1, begun  # counted anew from here on
        page.locator("#contact").fill("0000")
        with page.expect_navigation() as told:
            visit.by("lookup-form").get_by_role("button").click()
        assert told.value is not None
        if told.value.status == 429:
            break
    expect(page.get_by_role("alert")).to_contain_text("秒后再试")


def test_a_strangers_view_of_an_order_is_a_form_and_nothing_else(
    platform: Platform, visits: Visits, bought: tuple[Visit, str, str]
) -> None:
    buyer, number, code = bought
    visit = visits.new(HOUSE, forgiven="404")
    said = visit.page.goto(f"{visit.origin}/o/{number}/")
    assert said is not None
    assert "no-store" in said.headers["cache-control"]
    assert said.headers["referrer-policy"] == "no-referrer"
    visit.by("lookup-form").wait_for()
    assert visit.by("order-status").count() == 0
    shown = visit.page.content()
    product = buyer.page.locator(".receipt .hint").nth(1).inner_text()
    for private in (code, buyer.contact, buyer.contact[-4:], product, "¥"):
        assert private not in shown
    unknown = visit.page.goto(f"{visit.origin}/o/ABCDEFGHJKMNPQRS/")
    assert unknown is not None
    assert unknown.status == said.status == 200
    assert _anonymous(visit.page.content(), "ABCDEFGHJKMNPQRS") == _anonymous(shown, number)
    visit.open(f"/o/{number}/")
    visit.page.locator("#contact").fill(buyer.contact)
    visit.by("lookup-form").get_by_role("button").click()
    expect(visit.by("order-status")).to_have_attribute("data-state", "codes_ready")


def _anonymous(page: str, number: str) -> str:
    """The page without what differs each time it is drawn: the number asked for, and the form's token."""
    grouped = "-".join(number[start : start + 4] for start in range(0, 16, 4))
    return re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page.replace(grouped, "").replace(number, ""))


def test_another_shop_knows_nothing_of_it(platform: Platform, visits: Visits, bought: tuple[Visit, str, str]) -> None:
    buyer, number, _ = bought
    cookies = {cookie["name"]: cookie["value"] for cookie in buyer.context.cookies()}
    reply = httpx.get(
        f"http://127.0.0.1:{platform.port}/o/{number}/",
        headers={"Host": f"{GAMES}:{platform.port}"},
        cookies=cookies,
        trust_env=False,
    )
    assert reply.status_code == 200
    assert "lookup-form" in reply.text
    assert "order-status" not in reply.text


def test_this_devices_orders_are_listed_and_can_be_bought_again(
    platform: Platform, visits: Visits, bought: tuple[Visit, str, str]
) -> None:
    buyer, number, _ = bought
    buyer.open("/orders/lookup/").page.locator(f'a[href="/o/{number}/"]').click()
    buyer.wait_for("codes_ready")
    buyer.by("reorder").click()
    expect(buyer.page.locator("#contact")).to_have_value(buyer.contact)
    buyer.by("buy").click()
    buyer.page.wait_for_url("**/checkout/*/**")
    assert len(buyer.orders_of(buyer.contact)) == 2
