"""A program that buys: the public HTTP API and nothing else."""

import http.client
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

LOOPBACK = "127.0.0.1"
_Found = TypeVar("_Found")

#: An order with these needs nothing more.
ENDS = ("fulfilled", "refunded", "partly_refunded")


class Refusal(Exception):
    """The shop said no, or nothing sensible."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"{status} {body[:300]!r}")
        self.status = status
        self.body = body

    @property
    def code(self) -> str:
        """The problem's stable name."""
        return str(json.loads(self.body)["code"])


class Reply(NamedTuple):
    """Status and body."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Address:
    """Where the shop answers, and from which of this machine's addresses it is called: limits count by address."""

    port: int
    host: str
    source: str

    def send(
        self, method: str, path: str, *, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request over a connection of its own."""
        connection = http.client.HTTPConnection(LOOPBACK, self.port, timeout=60, source_address=(self.source, 0))
        try:
            connection.request(method, path, body, {"Host": f"{self.host}:{self.port}", **(headers or {})})
            response = connection.getresponse()
            return Reply(response.status, response.read())
        finally:
            connection.close()


class Payment(NamedTuple):
    """An open attempt to collect."""

    number: str
    gateway: str
    amount: str
    qr: str
    url: str


@dataclass(frozen=True)
class Order:
    """An order as the shop tells it."""

    number: str
    status: str
    total: str
    lines: tuple[str, ...]
    payments: Mapping[str, str]
    #: Payment, status and amount of each.
    refunds: tuple[tuple[str, str, str], ...]


@dataclass
class Shopper:
    """A guest of one shop. Each order has its own token."""

    address: Address
    contact: str
    _tokens: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Below `/api/v1/`, JSON in and out. Raises `Refusal`."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        raw = None
        if body is not None:
            raw, sent["Content-Type"] = json.dumps(body).encode(), "application/json"
        status, said = self.address.send(method, f"/api/v1/{path}", body=raw, headers=sent)
        if status >= 400:
            raise Refusal(status, said)
        return json.loads(said)

    def _own(self, method: str, number: str, path: str = "", body: Any = None) -> Any:
        return self.call(method, f"orders/{number}/{path}", body, Authorization=f"Order {self._tokens[number]}")

    def products(self) -> list[dict[str, Any]]:
        """Everything on the shop's shelves."""
        found: list[dict[str, Any]] = []
        path = "products/"
        while path:
            page = self.call("GET", path)
            found += page["results"]
            path = page["next"].partition("/api/v1/")[2] if page["next"] else ""
        return found

    def product(self, slug: str) -> dict[str, Any]:
        """One of them."""
        shown: dict[str, Any] = self.call("GET", f"products/{slug}/")
        return shown

    def place(self, sku: str, account: Mapping[str, str], *, quantity: int = 1, key: str = "") -> str:
        """Order it; the order's number."""
        line = {"sku": sku, "quantity": quantity, "account": dict(account)}
        placed = self.call(
            "POST",
            "orders/",
            {"lines": [line], "contact": self.contact},
            Idempotency_Key=key or secrets.token_hex(16),
        )
        self._tokens[placed["number"]] = placed["token"]
        return str(placed["number"])

    def open(self, number: str, gateway: str = "alipay", channel: str = "qr") -> Payment:
        """Choose a way to pay."""
        opened = self._own("POST", number, "payments/", {"gateway": gateway, "channel": channel})
        return Payment(opened["payment"], gateway, opened["amount"], opened["qr"], opened["url"])

    def read(self, number: str) -> Order:
        """Where it is."""
        told = self._own("GET", number)
        return Order(
            number=told["number"],
            status=told["status"],
            total=told["total"],
            lines=tuple(line["status"] for line in told["lines"]),
            payments={payment["payment"]: payment["status"] for payment in told["payments"]},
            refunds=tuple((refund["payment"], refund["status"], refund["amount"]) for refund in told["refunds"]),
        )

    def wait(self, number: str, *statuses: str, limit: float = 20) -> Order:
        """Read until the order has one of these statuses (an end, if none is named)."""
        wanted = statuses or ENDS
        deadline = time.monotonic() + limit
        while (order := self.read(number)).status not in wanted:
            if time.monotonic() > deadline:
                happened = [event["name"] for event in self.events(number)]
                raise AssertionError(f"not {'/'.join(wanted)} within {limit:g} s: {order}, {happened}")
            time.sleep(0.1)
        return order

    def wait_for_line(self, number: str, *statuses: str, limit: float = 20) -> str:
        """The same, for the status of the order's only line."""
        return until(lambda: next((s for s in self.read(number).lines if s in statuses), ""), limit=limit)

    def events(self, number: str) -> list[dict[str, Any]]:
        """What happened to it, oldest first."""
        return list(self._own("GET", number, "events/")["events"])

    def happened(self, number: str) -> list[str]:
        """Only the names."""
        return [event["name"] for event in self.events(number)]

    def reveal(self, number: str) -> list[str]:
        """The codes in clear."""
        return [entry["code"] for entry in self._own("POST", number, "reveal/")["codes"]]


def until(condition: Callable[[], _Found], *, limit: float = 20) -> _Found:
    """Ask again until the answer is true; fail after `limit` seconds."""
    deadline = time.monotonic() + limit
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it did not happen within {limit:g} s"
        time.sleep(0.1)
    return found
