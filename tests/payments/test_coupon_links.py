"""A link that brings a coupon: its page says what it gives, the browser remembers it, and the check fills it in."""

from decimal import Decimal

import pytest
from django.core.cache import cache
from django.utils import timezone

from catalog.listings import pages_kept
from catalog.models import Category
from customers.coupons.models import Coupon
from payments import coupons
from payments.coupon_links import COOKIE, KEPT
from resellers.models import Reseller
from tests.factories import GatewayAccountFactory, coupon, on_sale, open_payment
from tests.payments.test_checking import AGREED, Browser, amount

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")


@pytest.fixture(autouse=True)
def _no_counters() -> None:
    cache.clear()


def remembered(browser: Browser) -> str:
    morsel = browser.client.cookies.get(COOKIE)
    return morsel.value if morsel is not None else ""


def test_a_link_says_what_it_gives_and_the_check_fills_it_in_without_scripts(shop: Reseller) -> None:
    coupon(shop, threshold=Decimal(50))
    browser = Browser()
    reply = browser.get("/coupon/save3/")
    said = " ".join(reply.content.decode().split())
    assert (reply.status_code, "满50减3" in said, "SAVE3" in said, 'href="/"' in said) == (200, True, True, True)
    cookie = reply.cookies[COOKIE]
    assert (cookie.value, cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (
        "SAVE3",
        True,
        "Lax",
        2_592_000,
    )
    assert "no-store" in reply["Cache-Control"]
    check = browser.shown(browser.path)
    assert (amount(check), "已填上你打开过的券 SAVE3" in check) == ("¥57.00", True)
    assert 'type="hidden" name="coupon" value="SAVE3"' in check
    assert Coupon.objects.get().used == 0
    without = browser.shown(f"{browser.path}?coupon=")
    assert (amount(without), "打开过的券" in without) == ("¥60.00", False)
    assert browser.post(browser.path, {**AGREED, "coupon": "SAVE3"}).status_code == 303
    assert Coupon.objects.get().used == 1


def test_the_one_that_takes_off_most_is_filled_in_and_only_the_last_few_are_kept(shop: Reseller) -> None:
    for code, value in (("OLDEST", "3"), ("MOST", "2.50"), ("SOME", "2"), ("LESS", "1")):
        coupon(shop, code, value=Decimal(value))
    browser = Browser()
    for code in ("OLDEST", "MOST", "SOME", "LESS", "SOME"):
        browser.get(f"/coupon/{code}/")
    assert remembered(browser) == "SOME.LESS.MOST"
    assert len(remembered(browser).split(".")) == KEPT
    check = browser.shown(browser.path)
    assert (amount(check), "打开过的券 MOST" in check) == ("¥57.50", True)


def test_where_it_does_not_apply_the_check_says_why_and_it_stays_for_another_order(shop: Reseller) -> None:
    coupon(shop, threshold=Decimal(103))
    browser = Browser()
    browser.get("/coupon/SAVE3/")
    reply = browser.get(browser.path)
    said = " ".join(reply.content.decode().split())
    assert (reply.status_code, amount(said)) == (200, "¥60.00")
    assert "你打开过的券 SAVE3 这单用不上：这张券满 ¥103 可用，还差 ¥43。" in said
    assert 'name="coupon" value="SAVE3"' not in said
    assert remembered(browser) == "SAVE3"
    assert browser.post(browser.path, AGREED).status_code == 303


def test_what_is_over_is_said_once_and_forgotten(shop: Reseller) -> None:
    made = coupon(shop)
    browser = Browser()
    browser.get("/coupon/SAVE3/")
    Coupon.objects.filter(pk=made.pk).update(ends_at=timezone.now())
    assert "这张券已过期" in browser.shown(browser.path)
    assert remembered(browser) == ""
    assert "这张券已过期" not in browser.shown(browser.path)
    reply = browser.get("/coupon/SAVE3/")
    assert (reply.status_code, "这张券已过期" in reply.content.decode(), COOKIE in reply.cookies) == (410, True, False)


def test_nothing_is_filled_in_where_no_coupon_can_pay_any_more(shop: Reseller) -> None:
    """A code that is open at a gateway asks for the whole."""
    GatewayAccountFactory()
    coupon(shop)
    browser = Browser()
    browser.get("/coupon/SAVE3/")
    browser.post(browser.path, AGREED)
    open_payment(shop, browser.order)
    check = browser.shown(browser.path)
    assert (amount(check), "打开过的券" in check) == ("¥60.00", False)


def test_links_and_cookies_are_guessed_at_no_more_often_than_the_form(
    shop: Reseller, other_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    coupon(shop), coupon(other_shop, "THEIRS")
    monkeypatch.setattr(coupons, "GUESSES", 4)
    browser = Browser()
    for code in ("THEIRS", "AAAA"):
        reply = browser.get(f"/coupon/{code}/")
        assert (reply.status_code, "没有这张券" in reply.content.decode(), COOKIE in reply.cookies) == (
            404,
            True,
            False,
        )
    browser.client.cookies[COOKIE] = "AAAA.SAVE3.BBBB"
    assert amount(browser.shown(browser.path)) == "¥57.00"
    assert remembered(browser) == "SAVE3"
    for path in ("/coupon/SAVE3/", f"{browser.path}?coupon=SAVE3"):
        reply = browser.get(path)
        assert (reply.status_code, "试了太多次" in reply.content.decode()) == (429, True)


@pytest.mark.parametrize("text", ['"><script>alert(1)</script>', "A" * 5_000, "\x00", "%00", "..", "ÀÀÀÀ"])
def test_what_somebody_writes_into_a_link_or_a_cookie_is_shown_nowhere(shop: Reseller, text: str) -> None:
    coupon(shop)
    browser = Browser()
    for path in (f"/coupon/{text.replace('/', '')}/", "/coupon/%3Cscript%3Ealert(1)%3C%2Fscript%3E/"):
        reply = browser.get(path)
        assert (reply.status_code, "<script>alert" in reply.content.decode(), COOKIE in reply.cookies) == (
            404,
            False,
            False,
        )
    for cookie, noticed in ((text, False), (f"{text[:60]}.SAVE3", True)):
        browser.client.cookies[COOKIE] = cookie
        page = browser.get(browser.path)
        said = page.content.decode()
        assert (page.status_code, "alert(1)" in said, "coupon-remembered" in said) == (200, False, noticed)


def test_every_other_page_stays_the_same_for_everybody(shop: Reseller) -> None:
    coupon(shop)
    browser, other = Browser(), Browser.__new__(Browser)
    other.client = type(browser.client)(headers={"host": "one.test"})
    pages_kept.forget()
    browser.get("/coupon/SAVE3/")
    assert len(pages_kept._pages) == 0
    first, second = browser.get("/"), other.get("/")
    assert (first.content, first["ETag"]) == (second.content, second["ETag"])
    assert len(pages_kept._pages) == 1
    assert COOKIE not in first.cookies


def test_the_link_leads_to_what_the_coupon_is_for(shop: Reseller) -> None:
    product = on_sale().product
    coupon(shop, "PRODUCT", product=product)
    coupon(shop, "CATEGORY", category=Category.objects.get(pk=product.category_id))
    browser = Browser()
    assert f'href="/p/{product.slug}/">去选商品' in browser.shown("/coupon/PRODUCT/")
    assert f'href="/c/{product.category.slug}/">去选商品' in browser.shown("/coupon/CATEGORY/")
