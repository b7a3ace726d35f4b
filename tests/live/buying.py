"""One purchase from the order to the money, and what the other side's books say about it."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.live.platform import Good, Platform
from tests.live.shopper import Order, Payment, Shopper

#: Suppliers by rank.
RANKED = {"topup": ("xinghe", "lantian"), "code": ("yunka", "baihe")}


@dataclass(frozen=True)
class Purchase:
    """An order for one thing that nobody else buys in this run."""

    platform: Platform
    good: Good
    shopper: Shopper
    number: str
    payment: Payment
    quantity: int = 1

    @property
    def suppliers(self) -> tuple[str, str]:
        """First and second in rank."""
        return RANKED[self.good.kind]

    @property
    def charged(self) -> tuple[int, int]:
        """How often each of them took money for it."""
        first, second = (self.platform.charged(code, self.good) for code in self.suppliers)
        return first, second

    @property
    def trade(self) -> dict[str, Any]:
        """What the gateway's book says."""
        return self.platform.trade(self.payment.gateway, self.payment.number)

    @property
    def line(self) -> str:
        """The status of its line."""
        return self.shopper.read(self.number).lines[0]

    def pay(self, **how: Any) -> "Purchase":
        """The money reaches the gateway."""
        self.platform.pay(self.payment.gateway, self.payment.number, **how)
        return self

    def wait(self, *statuses: str, limit: float = 20) -> Order:
        """Until its order has one of these statuses, or an end."""
        return self.shopper.wait(self.number, *statuses, limit=limit)

    def delivered_by(self, rank: int, *, limit: float = 20) -> None:
        """Assert that it arrives, from the supplier of that rank, which was charged once; codes are the very ones."""
        assert self.wait(limit=limit).status == "fulfilled"
        supplier = self.suppliers[rank - 1]
        (row,) = self.platform.booked(supplier, self.good)
        assert (row["times"], row["state"], row["quantity"]) == (1, "succeeded", self.quantity)
        if self.good.kind == "code":
            assert self.shopper.reveal(self.number) == row["codes"]
        assert Decimal(self.trade["refunded"]) == 0

    def refunded(self, *, limit: float = 20) -> None:
        """Assert that everything goes back, and that nobody was charged."""
        assert self.wait(limit=limit).status == "refunded"
        assert self.charged == (0, 0)
        trade = self.trade
        assert trade["refunded"] == trade["amount"]


def order(
    platform: Platform, kind: str, gateway: str = "alipay", *, quantity: int = 1, port: int | None = None
) -> Purchase:
    """A new shopper places an order and chooses how to pay."""
    good = platform.good(kind)
    shopper = platform.shopper(good.host, port=port)
    number = shopper.place(good.sku, good.account, quantity=quantity)
    return Purchase(platform, good, shopper, number, shopper.open(number, gateway), quantity)


def buy(platform: Platform, kind: str, gateway: str = "alipay", *, quantity: int = 1) -> Purchase:
    """The same, and pays."""
    return order(platform, kind, gateway, quantity=quantity).pay()
