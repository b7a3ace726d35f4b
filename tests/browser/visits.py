"""A person with a browser in one of the shops: the steps of a purchase, and an eye on everything the page does."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Request, expect

from tests.live.platform import HOUSE, Good, Platform

PHONE: Mapping[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "user_agent": "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 "
    "Mobile Safari/537.36",
    "is_mobile": True,
    "has_touch": True,
}
DESKTOP: Mapping[str, Any] = {"viewport": {"width": 1280, "height": 800}}
DEVICES: Mapping[str, Mapping[str, Any]] = {"phone": PHONE, "desktop": DESKTOP}
CONTACT = "13812345678"
#: A page is told of what happened by asking, every two seconds at first.
PATIENCE = 20_000

expect.set_options(timeout=10_000)


@dataclass
class Visit:
    """One browser profile in one shop."""

    platform: Platform
    host: str
    context: BrowserContext
    page: Page
    contact: str = CONTACT
    #: What a test brings about on purpose, as a pattern over the complaint.
    forgiven: str = ""
    complaints: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    @property
    def origin(self) -> str:
        """Where the shop answers."""
        return f"http://{self.host}:{self.platform.port}"

    def watch(self) -> "Visit":
        """Write down every request, and every error of a page or its console."""
        self.context.on("request", lambda request: self.requests.append(request))
        self.context.on("console", self._said)
        self.context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        return self

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"{message.type}: {message.text} ({message.location['url']})")

    def check(self) -> None:
        """Fail if a page complained, or if anybody else was asked."""
        ours = {urlsplit(self.origin).netloc, urlsplit(self.platform.sandbox.url).netloc}
        asked = {urlsplit(request.url).netloc for request in self.requests if request.url.startswith("http")}
        assert asked <= ours
        assert [said for said in self.complaints if not (self.forgiven and re.search(self.forgiven, said))] == []

    def by(self, test_id: str) -> Locator:
        """Something that has a name for tests."""
        return self.page.get_by_test_id(test_id)

    def open(self, path: str = "/") -> "Visit":
        """Go to a page of the shop."""
        self.page.goto(self.origin + path)
        return self

    # --- the steps of a purchase --------------------------------------------------------------------------------------

    def fill(self, good: Good) -> None:
        """Fill in the product page's form."""
        self.page.locator(f'[name=sku][value="{good.sku}"]').check(force=True)
        for name, value in good.account.items():
            entry = self.page.locator(f'[name="account_{name}"]')
            if entry.evaluate("field => field.tagName") == "SELECT":
                entry.select_option(value)
            else:
                entry.fill(value)
        self.page.locator("#contact").fill(self.contact)

    def order(self, good: Good) -> str:
        """From the product page to the page where the order is checked; the order's number."""
        self.open(f"/p/{good.product}/")
        self.fill(good)
        self.by("buy").click()
        self.page.wait_for_url("**/checkout/*/**")
        return self.page.url.split("/")[4]

    def choose(self, number: str, gateway: str) -> str:
        """Check the order and choose a way to pay; the payment's number."""
        self.confirm(number)
        self.by(f"pay-{gateway}").click()
        self.by("open-app").or_(self.by("qr")).first.wait_for()
        self.page.wait_for_load_state()  # the scripts behind it run as well
        return self.payment(number)[0]

    def confirm(self, number: str) -> None:
        """Say on the page where the order is checked that all of it is right, and that it is not taken back."""
        self.by("no-return").check()
        self.by("confirm").click()
        self.page.wait_for_url(f"**/pay/{number}/")

    def payment(self, number: str) -> tuple[str, str, str]:
        """Number, code to scan and address of the newest payment, as they were opened at the gateway."""
        rows = self.platform.sql(
            f"SELECT payment.number, payment.qr, payment.url FROM {self.schema}.payments_payment AS payment"
            f" JOIN {self.schema}.orders_order AS placed ON placed.id = payment.order_id"
            " WHERE placed.number = %s ORDER BY payment.id DESC",
            [number],
        )
        paid, qr, url = rows[0]
        return paid, qr, url

    def pay(self, number: str, **how: Any) -> str:
        """Pay the newest payment on another device; its number. `how` as the control endpoint takes it."""
        payment, qr, url = self.payment(number)
        opened = httpx.get(qr or url, follow_redirects=True, trust_env=False)
        opened.raise_for_status()
        self.platform.pay("alipay" if "alipay" in (qr or url) else "wechatpay", payment, **how)
        return payment

    def buy(self, good: Good, gateway: str) -> str:
        """The whole way, as far as the money; then the order's page. The order's number."""
        number = self.order(good)
        self.choose(number, gateway)
        self.pay(number)
        self.page.wait_for_url(f"**/o/{number}/", timeout=PATIENCE)
        return number

    def wait_for(self, state: str) -> None:
        """Until the order's page, by itself, shows a state."""
        self.page.locator(f'[data-testid=order-status][data-state="{state}"]').wait_for(timeout=PATIENCE)

    def reload_until(self, state: str) -> None:
        """The same for a person whose browser runs no scripts."""
        shown = self.page.locator(f'[data-testid=order-status][data-state="{state}"]')
        for _ in range(60):
            if shown.count():
                return
            self.page.wait_for_timeout(300)
            self.page.reload()
        raise AssertionError(f"never {state}: {self.by('order-status').get_attribute('data-state')}")

    # --- what the shop has written down -------------------------------------------------------------------------------

    @property
    def schema(self) -> str:
        """The shop's."""
        return "shop_house" if self.host == HOUSE else f"shop_{self.host.partition('.')[0]}"

    def orders_of(self, contact: str) -> list[str]:
        """The numbers of a person's orders."""
        rows = self.platform.sql(f"SELECT number FROM {self.schema}.orders_order WHERE contact = %s", [contact])
        return [number for (number,) in rows]


class Visits:
    """Opens visits and looks after them."""

    def __init__(self, browser: Browser, platform: Platform) -> None:
        self._browser = browser
        self._platform = platform
        self._opened: list[Visit] = []

    def new(
        self,
        host: str = HOUSE,
        *,
        device: Mapping[str, Any] = PHONE,
        language: str = "zh-CN",
        scripts: bool = True,
        dark: bool = False,
        forgiven: str = "",
    ) -> Visit:
        """A fresh profile, with a contact nobody else has."""
        context = self._browser.new_context(
            **device,
            locale=language,
            timezone_id="Asia/Shanghai",
            java_script_enabled=scripts,
            color_scheme="dark" if dark else "light",
        )
        context.set_default_timeout(15_000)
        contact = self._platform.shopper(host).contact
        visit = Visit(self._platform, host, context, context.new_page(), contact=contact, forgiven=forgiven)
        self._opened.append(visit)
        return visit.watch()

    def close(self) -> None:
        """End all visits; fail if one of them saw something wrong."""
        for visit in self._opened:
            visit.context.close()
        for visit in self._opened:
            visit.check()
