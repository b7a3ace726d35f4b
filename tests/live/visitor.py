"""Somebody with a browser that runs no scripts: the shop's pages, their forms and their cookies."""

import re
from http.cookiejar import CookieJar
from typing import Any

import httpx

from tests.live.platform import Good
from tests.live.shopper import LOOPBACK, Shopper

_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


class Visitor:
    """One visit to buy one good."""

    def __init__(self, shopper: Shopper, good: Good, *, user_agent: str = "Mozilla/5.0 (X11; Linux x86_64)") -> None:
        address = shopper.address
        self._client = httpx.Client(
            base_url=f"http://{LOOPBACK}:{address.port}",
            headers={"Host": f"{address.host}:{address.port}", "User-Agent": user_agent},
            transport=httpx.HTTPTransport(local_address=address.source),
            cookies=CookieJar(),
            timeout=30,
            trust_env=False,
        )
        self.contact = shopper.contact
        self.good = good
        self.number = ""

    def checkout(self, **changes: Any) -> httpx.Response:
        """Send the product page's form; the order's number is kept."""
        good = self.good
        form = {
            "product": good.product, "sku": good.sku, "quantity": "1", "contact": self.contact, "idempotency_key": "",
            **{f"account_{name}": value for name, value in good.account.items()}, **changes,
        }  # fmt: skip
        reply = self._client.post("/checkout/", data=form)
        if reply.status_code == 303:
            self.number = reply.headers["location"].split("/")[2]
        return reply

    def submit(self, path: str, **form: str) -> httpx.Response:
        """Open a page and send one of its forms back."""
        token = _TOKEN.search(self._client.get(path).text)
        assert token is not None, f"{path} has no form"
        return self._client.post(path, data={**form, "csrfmiddlewaretoken": token[1]})

    def cashier(self, gateway: str) -> str:
        """Order, check and choose a way to pay; the payment's number at the gateway."""
        assert self.checkout().status_code == 303
        assert self.submit(f"/checkout/{self.number}/").headers["location"] == f"/pay/{self.number}/"
        assert self.submit(f"/pay/{self.number}/", gateway=gateway).status_code == 303
        drawn = re.search(r"qr\.png\?v=(\w+)", self._client.get(f"/pay/{self.number}/").text)
        assert drawn is not None
        return drawn[1]

    def was_told(self) -> bool:
        """Whether the cashier's page, asking once more, is sent on to the order."""
        return "HX-Redirect" in self._client.get(f"/pay/{self.number}/status/?seen=waiting").headers
