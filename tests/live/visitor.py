"""Somebody with a browser that runs no scripts: the shop's pages, their forms and their cookies."""

import re
from http.cookiejar import CookieJar
from typing import Any

import httpx

from tests.live.platform import Good
from tests.live.shopper import LOOPBACK, Shopper

_TICK = re.compile(r'name="no_return"\s+value="([\w-]+)"')
_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


class Visitor:
    """One device, with the orders that were placed on it."""

    def __init__(self, shopper: Shopper, *, user_agent: str = "Mozilla/5.0 (X11; Linux x86_64)") -> None:
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

    @property
    def cookies(self) -> dict[str, str]:
        """What a browser would keep."""
        return dict(self._client.cookies)

    def checkout(self, good: Good, **changes: Any) -> httpx.Response:
        """Send the product page's form."""
        form = {
            "product": good.product, "sku": good.sku, "quantity": "1", "contact": self.contact, "idempotency_key": "",
            **{f"account_{name}": value for name, value in good.account.items()}, **changes,
        }  # fmt: skip
        return self._client.post("/checkout/", data=form)

    def order(self, good: Good) -> str:
        """The same, where it must succeed; the order's number."""
        reply = self.checkout(good)
        assert reply.status_code == 303, reply.text
        return str(reply.headers["location"].split("/")[2])

    def submit(self, path: str, *, to: str = "", **form: str) -> httpx.Response:
        """Open a page and send one of its forms, to the page itself or somewhere `to`."""
        token = _TOKEN.search(self._client.get(path).text)
        assert token is not None, f"{path} has no form"
        return self._client.post(to or path, data={**form, "csrfmiddlewaretoken": token[1]})

    def check(self, number: str) -> None:
        """Say that the order is right, and that it is not taken back without a reason."""
        path = f"/checkout/{number}/"
        asked = _TICK.search(self._client.get(path).text)
        assert asked is not None, f"{path} asks for no confirmation"
        assert self.submit(path, no_return=asked[1]).headers["location"] == f"/pay/{number}/"

    def choose(self, number: str, gateway: str) -> str:
        """Choose a way to pay; the payment's number at the gateway."""
        assert self.submit(f"/pay/{number}/", gateway=gateway).status_code == 303
        drawn = re.search(r"qr\.png\?v=(\w+)", self._client.get(f"/pay/{number}/").text)
        assert drawn is not None
        return drawn[1]

    def cashier(self, good: Good, gateway: str) -> tuple[str, str]:
        """All of that: the order's number and the payment's."""
        number = self.order(good)
        self.check(number)
        return number, self.choose(number, gateway)

    def was_told(self, number: str) -> bool:
        """Whether the cashier's page, asking once more, is sent on to the order."""
        return "HX-Redirect" in self._client.get(f"/pay/{number}/status/?seen=waiting").headers
