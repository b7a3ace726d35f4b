"""The two admins before real eyes: an owner's phone, an operator's desk, light and dark."""

import json
import re
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.axe import WCAG, violations
from tests.browser.visits import DESKTOP, PATIENCE, PHONE, Visit, Visits
from tests.live.platform import GAMES, OPERATIONS, Platform

pytestmark = pytest.mark.browser

DEVICES = {"phone": PHONE, "desktop": DESKTOP}
#: Bytes of a first visit: the frame and its list, packed.
BUDGET = 250 * 1024
OWNERS_PAGES = (
    "/manage/", "/manage/orders/order/", "/manage/goods/?q=wzry", "/manage/look/", "/manage/range/",
    "/manage/listings/pricerule/", "/manage/listings/pricerule/add/", "/manage/staff/",
    "/manage/customers/", "/manage/changes/", "/manage/changes/?kind=platform", "/manage/announcement/",
    "/manage/password_change/", "/manage/withdrawals/", "/manage/deposit/", "/manage/second-factor/",
    "/manage/statement/print/",
    "/manage/statement/", "/manage/clients/", "/manage/cases/", "/manage/papers/", "/manage/domains/", "/manage/plan/",
    "/manage/prices/", "/manage/price-changes/", "/manage/goods/?state=locked", "/manage/share/",
    "/manage/orders-export/", "/manage/setup/", "/manage/own/", "/manage/own/new/",
    "/manage/orders/by-hand/", "/manage/coupons/", "/manage/coupons/new/", "/manage/points/",
)  # fmt: skip
OPERATORS_PAGES = (
    "/admin/", "/admin/orders/", "/admin/attempts/", "/admin/refunds/", "/admin/stock/", "/admin/resellers/reseller/",
    "/admin/resellers/reseller/add/", "/admin/catalog/product/", "/admin/catalog/variant/",
    "/admin/suppliers/supplier/", "/admin/suppliers/supplieroffer/", "/admin/merchants/gatewayaccount/",
    "/admin/inbox/inboxevent/", "/admin/outbox/outboxevent/", "/admin/alerts/", "/admin/unclear/", "/admin/ranking/",
    "/admin/ranking/?variant=hok-300", "/admin/prices/", "/admin/rates/", "/admin/after-sales/", "/admin/duplicates/",
    "/admin/book/", "/admin/platform/", "/admin/reconciliation/", "/admin/reconciliation/bill/", "/admin/withdrawals/",
    "/admin/deposits/", "/admin/transfers/", "/admin/second-factor/", "/admin/licenses/",
    "/admin/license-requirements/", "/admin/marks/", "/admin/compliance/rule/",
    "/admin/compliance/wordgroup/", "/admin/review/", "/admin/review/figures/",
    "/admin/trail/auditentry/", "/admin/reports/report/", "/admin/papers/", "/admin/domains/",
    "/admin/tenures/", "/admin/shops/yueyou/visit/", "/admin/plans/plan/", "/admin/plans/plan/add/",
    "/admin/coupons/", "/admin/coupons/new/",
)  # fmt: skip


def _sign_in(visits: Visits, platform: Platform, host: str, **how: Any) -> Visit:
    """Whoever runs the place, with the password that the demo was given."""
    visit = visits.new(host, **how)
    door = "admin" if host == OPERATIONS else "manage"
    log_ins = json.loads((platform.folder / "demo.json").read_text(encoding="utf-8"))
    log_in = next(known for known in log_ins if f"//{host}:" in known["url"])
    visit.open(f"/{door}/")
    visit.page.locator("[name=username]").fill(log_in["user"])
    visit.page.locator("[name=password]").fill(log_in["password"])
    visit.page.locator("#login-form button[type=submit]").click()
    visit.page.wait_for_url(f"**/{door}/")
    return visit


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("host", "paths"), [(GAMES, OWNERS_PAGES), (OPERATIONS, OPERATORS_PAGES)], ids=["shop", "ops"])
def test_nothing_stands_in_the_way_of_those_who_work_here(
    visits: Visits, platform: Platform, host: str, paths: tuple[str, ...], device: str
) -> None:
    visit = _sign_in(visits, platform, host, device=DEVICES[device])
    wrong = {}
    for path in paths:
        visit.open(path)
        is_wide = visit.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
        found = ["wider than the screen"] if is_wide else []
        found += violations(visit.page, WCAG)
        if found:
            wrong[path] = found
    assert wrong == {}


@pytest.mark.parametrize(("host", "path"), [(GAMES, "/manage/orders/order/"), (OPERATIONS, "/admin/catalog/variant/")])
def test_a_first_visit_is_light_and_asks_nobody_else(visits: Visits, platform: Platform, host: str, path: str) -> None:
    visit = _sign_in(visits, platform, host, device=DESKTOP)
    visit.requests.clear()
    session = visit.context.new_cdp_session(visit.page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    under_way: dict[str, str] = {}
    loaded: list[float] = []

    def begun(event: dict[str, Any]) -> None:
        under_way[event["requestId"]] = event["request"]["url"]

    def ended(event: dict[str, Any]) -> None:
        under_way.pop(event["requestId"], None)
        loaded.append(event.get("encodedDataLength", 0))

    session.on("Network.requestWillBeSent", begun)
    session.on("Network.loadingFinished", ended)
    session.on("Network.loadingFailed", ended)
    visit.open(path)
    visit.page.wait_for_timeout(500)  # scripts that run once all is there may ask for more
    until = monotonic() + PATIENCE / 1_000
    while under_way and monotonic() < until:
        visit.page.wait_for_timeout(100)
    assert not under_way
    assert sum(loaded) <= BUDGET
    assert not [request.url for request in visit.requests if re.search(r"inter/|material-symbols|chart", request.url)]


@pytest.mark.parametrize("device", DEVICES)
def test_an_owner_sets_a_price_and_shoppers_see_it(visits: Visits, platform: Platform, device: str) -> None:
    visit = _sign_in(visits, platform, GAMES, device=DEVICES[device])
    visit.open("/manage/goods/?q=hok-300")
    row = visit.page.locator("tr[id^=goods-]").filter(has_text="hok-300")
    price = row.locator("[name=price]")
    expect(row.get_by_role("button", name="保存")).to_be_hidden()
    price.fill("1.00")
    visit.forgiven = "422"
    row.get_by_role("button", name="保存").click()
    expect(row.get_by_role("alert")).to_contain_text("不能低于供货价")
    supply = Decimal(re.sub(r"[^0-9.]", "", row.get_by_role("alert").inner_text().partition("¥")[2]))
    wanted = f"{supply + Decimal('0.37'):.2f}"
    expect(row).not_to_have_class(re.compile("htmx-"))  # until it has settled, htmx puts the row's class back
    row.locator("[name=price]").fill(wanted)
    row.get_by_role("button", name="保存").click()
    expect(row.get_by_role("status").filter(has_text="已保存")).to_be_visible()
    expect(row).to_contain_text(f"¥{wanted}")
    visit.page.wait_for_timeout(1_200)
    visit.open("/p/honor-of-kings/")
    expect(visit.page.locator("body")).to_contain_text(wanted.partition(".")[0])
    tile = visit.page.locator('[name=sku][value="hok-300"]')
    assert wanted in re.sub(r"\s", "", tile.locator("xpath=ancestor::label").inner_text())
    visit.open("/manage/goods/?q=hok-300")
    row.get_by_role("button", name="恢复默认").click()
    expect(row.get_by_role("button", name="恢复默认")).to_have_count(0)


def test_an_owner_opens_a_client_on_a_phone(visits: Visits, platform: Platform) -> None:
    visit = _sign_in(visits, platform, GAMES, device=PHONE)
    visit.open("/manage/clients/")
    visit.page.locator("[name=name]").fill("青山站")
    visit.page.locator("[name=contact]").fill("buyer@qingshan.example")
    visit.page.locator("main form button.k-main").click()
    visit.page.wait_for_url(re.compile(r"/manage/clients/\d+/$"))
    expect(visit.page.locator("body")).to_contain_text("还没有密钥")
    assert not visit.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert violations(visit.page, WCAG) == []


def test_an_owner_lets_somebody_in_who_sees_their_own_work_alone(visits: Visits, platform: Platform) -> None:
    owner = _sign_in(visits, platform, GAMES, device=PHONE)
    owner.open("/manage/staff/")
    owner.page.locator("[name=username]").fill("xiaowang")
    owner.page.locator("[name=roles][value=support]").check()
    owner.page.get_by_role("button", name="生成邀请链接").click()
    link = owner.page.locator("p.k-mono").inner_text().strip()
    helper = visits.new(GAMES, device=PHONE)
    helper.open(link[link.index("/manage/") :])
    assert violations(helper.page, WCAG) == []
    for name in ("password", "again"):
        helper.page.locator(f"[name={name}]").fill("quiet-river-17")
    helper.page.get_by_role("button", name="进入后台").click()
    helper.page.wait_for_url("**/manage/")
    expect(helper.page.locator(".k-tabs a")).to_have_text([re.compile("首页"), re.compile("订单")])
    assert not helper.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")


def test_a_poster_is_a_picture_to_save(visits: Visits, platform: Platform) -> None:
    visit = _sign_in(visits, platform, GAMES, device=PHONE)
    visit.open("/manage/share/?product=honor-of-kings")
    expect(visit.page.locator("#poster")).to_have_attribute("src", re.compile("^data:image/png"))
    with visit.page.expect_download() as saved:
        visit.page.get_by_role("button", name="存成图片").click()
    assert saved.value.suggested_filename.endswith(".png")


def test_a_colour_shows_its_contrast_before_it_is_saved(visits: Visits, platform: Platform) -> None:
    visit = _sign_in(visits, platform, GAMES, device=DESKTOP)
    visit.open("/manage/look/")
    # The theme has a script for upload fields of its own, which stumbles over others.
    visit.page.locator("input[type=file]").first.set_input_files(__file__)
    visit.page.locator("[name=brand_color]").fill("#E8590C")
    visit.page.locator("[name=brand_color]").blur()
    expect(visit.page.locator("#swatches")).to_contain_text("按钮改用 #C64C0A")
    visit.page.locator("#brand-picker").evaluate(
        "picker => { picker.value = '#0b62d6'; picker.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    expect(visit.page.locator("#swatches")).to_contain_text("颜色按你选的用")


def test_the_menu_leads_everywhere_on_a_phone_and_shows_where_one_is(visits: Visits, platform: Platform) -> None:
    visit = _sign_in(visits, platform, GAMES, device=PHONE)
    tabs = visit.page.locator(".k-tabs")
    expect(tabs.locator("[aria-current=page]")).to_have_text(re.compile("首页"))
    tabs.get_by_role("link", name="订单").click()
    visit.page.wait_for_url("**/manage/orders/order/")
    expect(tabs.locator("[aria-current=page]")).to_have_text(re.compile("订单"))
    tabs.get_by_role("button", name="更多").click()
    visit.page.get_by_role("link", name="定价规则").click()
    visit.page.wait_for_url("**/manage/listings/pricerule/")


def test_a_number_is_copied_as_people_read_it(visits: Visits, platform: Platform) -> None:
    shopper = visits.new(GAMES)
    number = shopper.buy(platform.good("topup"), "alipay")
    shopper.wait_for("delivered")
    visit = _sign_in(visits, platform, OPERATIONS, device=DESKTOP)
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    visit.open(f"/admin/orders/?q={number}")
    visit.page.wait_for_url(f"**/admin/orders/yueyou/{number}/")
    shown = "-".join(number[start : start + 4] for start in range(0, 16, 4))
    visit.page.get_by_role("button", name=shown).first.click()
    expect(visit.page.get_by_role("status").filter(has_text="已复制")).to_be_visible()
    assert visit.page.evaluate("navigator.clipboard.readText()") == shown
    expect(visit.page.locator("body")).to_contain_text("履约与采购")
