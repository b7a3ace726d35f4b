"""Waiting for the money: clocks, questions, and the button for people who do not want to wait."""

from itertools import pairwise

import pytest
from playwright.sync_api import expect

from tests.browser.visits import DESKTOP, PATIENCE, PHONE, Visit, Visits
from tests.live.platform import GAMES, Platform

pytestmark = pytest.mark.browser

AN_HOUR_AHEAD = """
(() => {
  const Real = Date;
  window.Date = class extends Real {
    constructor(...given) { given.length ? super(...given) : super(Real.now() + 3600e3); }
    static now() { return Real.now() + 3600e3; }
  };
})();
"""
HIDE = """
visible => {
  Object.defineProperty(document, "visibilityState", {configurable: true, get: () => visible ? "visible" : "hidden"});
  Object.defineProperty(document, "hidden", {configurable: true, get: () => !visible});
  document.dispatchEvent(new Event("visibilitychange"));
}
"""


def _at_the_cashier(platform: Platform, visits: Visits, **how: object) -> tuple[Visit, str, str]:
    visit = visits.new(GAMES, **how)  # type: ignore[arg-type]
    number = visit.order(platform.good("topup"))
    return visit, number, visit.choose(number, "alipay")


def _questions(visit: Visit) -> int:
    return sum("/status/" in request.url for request in visit.requests)


def test_the_countdown_runs_on_the_servers_clock(platform: Platform, visits: Visits) -> None:
    visit = visits.new(GAMES)
    visit.context.add_init_script(AN_HOUR_AHEAD)
    number = visit.order(platform.good("topup"))
    visit.choose(number, "alipay")
    clock = visit.by("countdown").locator("b")
    minutes, seconds = clock.inner_text().split(":")
    before = int(minutes) * 60 + int(seconds)
    assert 14 * 60 < before <= 15 * 60
    visit.page.wait_for_timeout(2_100)
    minutes, seconds = clock.inner_text().split(":")
    assert 1 <= before - (int(minutes) * 60 + int(seconds)) <= 5


def test_a_page_that_nobody_sees_asks_nothing_and_asks_at_once_when_it_is_seen_again(
    platform: Platform, visits: Visits
) -> None:
    visit, number, _ = _at_the_cashier(platform, visits)
    visit.page.wait_for_timeout(2_500)
    assert _questions(visit) >= 1
    visit.page.evaluate(HIDE, False)
    visit.page.wait_for_timeout(200)
    asked = _questions(visit)
    visit.pay(number)
    visit.page.wait_for_timeout(4_500)
    assert _questions(visit) == asked
    assert f"/pay/{number}/" in visit.page.url
    visit.page.evaluate(HIDE, True)
    visit.page.wait_for_url(f"**/o/{number}/", timeout=4_000)
    visit.wait_for("delivered")
    visit.page.wait_for_timeout(500)
    asked = _questions(visit)
    visit.page.wait_for_timeout(2_500)
    assert _questions(visit) == asked  # it has come to its end


def test_a_lost_notice_is_found_in_ten_seconds_while_the_page_is_open(platform: Platform, visits: Visits) -> None:
    visit, number, payment = _at_the_cashier(platform, visits, device=DESKTOP)
    visit.pay(number, notify="lost")
    visit.page.wait_for_url(f"**/o/{number}/", timeout=10_000)
    visit.wait_for("delivered")
    assert platform.inbox(payment) == []


def test_a_page_that_is_open_for_long_goes_on_asking_as_often(platform: Platform, visits: Visits) -> None:
    """Whoever takes minutes to find their phone waits no longer after paying. Ten minutes of the page's clock."""
    visit = visits.new(GAMES, device=DESKTOP)
    number = visit.order(platform.good("topup"))
    visit.page.route("**/status/**", lambda route: route.fulfill(status=204))
    visit.page.clock.install()
    visit.choose(number, "alipay")
    visit.page.evaluate(
        "window.polls = [Date.now()]; document.body.addEventListener('poll', () => polls.push(Date.now()))"
    )
    visit.page.clock.run_for(600_000)
    polls = visit.page.evaluate("polls")
    pauses = [later - earlier for earlier, later in pairwise(polls)]
    assert sum(pauses) > 590_000
    assert max(pauses) <= 4_100


def test_i_have_paid_asks_the_gateway(platform: Platform, visits: Visits) -> None:
    visit, number, _ = _at_the_cashier(platform, visits, scripts=False)
    visit.page.wait_for_timeout(4_000)  # an attempt younger than that is not asked about
    visit.pay(number, notify="lost")
    visit.by("check").click()
    visit.page.wait_for_url(f"**/o/{number}/")
    visit.reload_until("delivered")


def test_i_have_paid_before_it_is_true_says_that_it_is_being_looked_for(platform: Platform, visits: Visits) -> None:
    visit, number, payment = _at_the_cashier(platform, visits, device=DESKTOP, scripts=False)
    visit.by("check").click()
    visit.page.wait_for_url(f"**/pay/{number}/?asked")
    expect(visit.page.locator("[data-testid=pay-status]")).to_have_attribute("data-state", "confirming")
    assert platform.trade("alipay", payment)["state"] in {"offered", "waiting"}


@pytest.mark.parametrize(
    ("agent", "works"),
    [
        ("MicroMessenger/8.0.49", {"alipay": False, "wechatpay": True}),
        ("AlipayClient/10.5.80", {"alipay": True, "wechatpay": False}),
    ],
)
def test_inside_an_app_only_what_works_there_can_be_chosen(
    platform: Platform, visits: Visits, agent: str, works: dict[str, bool]
) -> None:
    device = {**PHONE, "user_agent": f"{PHONE['user_agent']} {agent}"}
    visit = visits.new(GAMES, device=device)
    number = visit.order(platform.good("topup"))
    visit.confirm(number)
    for gateway, is_enabled in works.items():
        tile = visit.by(f"pay-{gateway}")
        expect(tile).to_be_enabled(enabled=is_enabled)
        assert is_enabled or len(tile.locator("small").inner_text()) > 5  # it says why
    if works["alipay"]:
        visit.by("pay-alipay").click()  # to Alipay, which says who this is, and back
        visit.by("on-page").click()  # its call does not open: its page is another way
        visit.by("open-app").wait_for()


#: What WeChat's browser has and others do not; the money is another's matter (`Visit.pay`).
BRIDGE = """window.WeixinJSBridge = {invoke: (name, asked, answered) => {
    window.asked = {name, ...asked};
    window.answered = answered;
}}"""


def test_inside_wechat_its_own_call_pays(platform: Platform, visits: Visits) -> None:
    visit = visits.new(GAMES, device={**PHONE, "user_agent": f"{PHONE['user_agent']} MicroMessenger/8.0.49"})
    visit.page.add_init_script(BRIDGE)
    number = visit.order(platform.good("topup"))
    visit.confirm(number)
    visit.by("pay-wechatpay").click()  # to WeChat, which says who this is, and back
    visit.by("app-pay").click()
    asked = visit.page.evaluate("window.asked")
    assert (asked["name"], asked["signType"]) == ("getBrandWCPayRequest", "RSA")
    payment = visit.payment(number)[0]
    assert platform.trade("wechatpay", payment)["channel"] == "JSAPI"
    visit.page.evaluate("window.answered({err_msg: 'get_brand_wcpay_request:cancel'})")
    expect(visit.page.locator("[data-app-failed]")).to_be_hidden()
    platform.pay("wechatpay", payment)
    visit.page.wait_for_url(f"**/o/{number}/", timeout=PATIENCE)
    visit.wait_for("delivered")


ALIPAY_BRIDGE = """window.AlipayJSBridge = {call: (name, asked, answered) => {
    window.asked = {name, ...asked};
    window.answered = answered;
}}"""


def test_inside_alipay_its_own_call_pays_and_what_it_says_is_asked_about(platform: Platform, visits: Visits) -> None:
    visit = visits.new(GAMES, device={**PHONE, "user_agent": f"{PHONE['user_agent']} AlipayClient/10.5.80"})
    visit.page.add_init_script(ALIPAY_BRIDGE)
    number = visit.order(platform.good("topup"))
    visit.confirm(number)
    visit.by("pay-alipay").click()
    visit.by("app-pay").click()
    asked, payment = visit.page.evaluate("window.asked"), visit.payment(number)[0]
    trade = platform.trade("alipay", payment)
    assert (asked["name"], trade["channel"], trade["state"]) == ("tradePay", "jsapi", "waiting")
    assert asked["tradeNO"].isdecimal()
    failed = visit.page.locator("[data-app-failed]")
    for code, is_hidden in (("6001", True), ("4000", False)):
        visit.page.evaluate(f"window.answered({{resultCode: '{code}'}})")
        expect(failed).to_be_visible(visible=not is_hidden)
    visit.page.evaluate("window.answered({resultCode: '9000'})")  # which is not so
    visit.page.wait_for_url(f"**/pay/{number}/?asked")
    platform.pay("alipay", payment)
    visit.page.wait_for_url(f"**/o/{number}/", timeout=PATIENCE)
    visit.wait_for("delivered")


def test_an_order_can_be_given_up_and_money_that_comes_all_the_same_is_used(platform: Platform, visits: Visits) -> None:
    visit, number, payment = _at_the_cashier(platform, visits, device=DESKTOP)
    platform.sandbox.steer("gateways/alipay", mode="error")  # so that it cannot be closed there in time
    visit.by("cancel").click()
    visit.page.wait_for_url(f"**/o/{number}/")
    expect(visit.by("order-status")).to_have_attribute("data-state", "canceled")
    platform.pay("alipay", payment)
    platform.sandbox.steer("gateways/alipay", mode="ok")
    visit.reload_until("delivered")


def test_a_gateway_that_does_not_answer_leaves_a_way_on(platform: Platform, visits: Visits) -> None:
    visit = visits.new(GAMES, device=DESKTOP, forgiven="503")
    number = visit.order(platform.good("topup"))
    visit.confirm(number)
    platform.sandbox.steer("gateways/alipay", mode="error")
    visit.by("pay-alipay").click()
    expect(visit.page.get_by_role("alert")).to_be_visible()
    visit.by("pay-wechatpay").click()
    visit.by("qr").wait_for()
    visit.pay(number)
    visit.page.wait_for_url(f"**/o/{number}/", timeout=PATIENCE)
    visit.wait_for("delivered")
