"""Many orders for one thing: paid at once, and followed in the books rather than by asking the shop for each."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from bench.figures import percentile
from tests.live.platform import SCHEMAS, Good, Platform
from tests.live.shopper import Shopper, until

#: What a small machine can do at once without the shoppers themselves being the load.
HANDS = 6

_ENDS = """
SELECT line.status, extract(epoch FROM coalesce(refund.finished_at, work.finished_at) - payment.confirmed_at)::float
  FROM {schema}.orders_order AS placed
  JOIN {schema}.orders_orderline AS line ON line.order_id = placed.id
  JOIN {schema}.payments_payment AS payment ON payment.order_id = placed.id
  LEFT JOIN {schema}.fulfillment_fulfillment AS work ON work.line_id = line.id
  LEFT JOIN {schema}.payments_refund AS refund ON refund.payment_id = payment.id
 WHERE placed.number = ANY(%s)
"""
_ATTEMPTS = """
SELECT supplier.code, buy.status, buy.choice ->> 'by', buy.created_at
  FROM {schema}.fulfillment_supplierorder AS buy
  JOIN {schema}.fulfillment_fulfillment AS work ON work.id = buy.fulfillment_id
  JOIN {schema}.orders_orderline AS line ON line.id = work.line_id
  JOIN {schema}.orders_order AS placed ON placed.id = line.order_id
  JOIN public.suppliers_supplier AS supplier ON supplier.id = buy.supplier_id
 WHERE placed.number = ANY(%s) ORDER BY buy.created_at
"""


class Attempt(NamedTuple):
    """One purchase of one of the orders; `by` is why it went there."""

    supplier: str
    status: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Crowd:
    """Orders that are placed, each with an open payment; `pay` begins."""

    platform: Platform
    good: Good
    orders: Sequence[tuple[Shopper, str, str]]

    @classmethod
    def gather(cls, platform: Platform, good: Good, size: int) -> "Crowd":
        """So many shoppers, each with an order of one piece."""
        shoppers = [platform.shopper(good.host) for _ in range(size)]

        def place(shopper: Shopper) -> tuple[Shopper, str, str]:
            number = shopper.place(good.sku, good.account)
            return shopper, number, shopper.open(number).number

        with ThreadPoolExecutor(HANDS) as pool:
            return cls(platform, good, list(pool.map(place, shoppers)))

    def pay(self) -> "Crowd":
        """All of them, as fast as it goes."""
        with ThreadPoolExecutor(HANDS) as pool:
            list(pool.map(lambda order: self.platform.pay("alipay", order[2]), self.orders))
        return self

    @property
    def lines(self) -> Counter[str]:
        """How many lines are in which state."""
        return Counter(status for status, _ in self._ask(_ENDS))

    @property
    def seconds(self) -> list[float]:
        """From the money to the end, by the database's clock, of those that have one."""
        return [took for _, took in self._ask(_ENDS) if took is not None]

    @property
    def p95(self) -> float:
        """The 95th percentile of these."""
        return percentile(self.seconds, 0.95)

    @property
    def attempts(self) -> list[Attempt]:
        """Every purchase that was begun, oldest first."""
        return [Attempt(*row) for row in self._ask(_ATTEMPTS)]

    def wait(self, status: str, *, limit: float) -> "Crowd":
        """Until all lines have this status."""
        try:
            until(lambda: self.lines == {status: len(self.orders)}, limit=limit)
        except AssertionError:
            raise AssertionError(f"not all {status} within {limit:g} s: {dict(self.lines)}") from None
        return self

    def charged(self, supplier: str) -> int:
        """How often a supplier's own book says that it took money; fails if for one number twice."""
        rows = self.platform.booked(supplier, self.good)
        assert all(row["times"] <= 1 for row in rows), rows
        return sum(row["times"] for row in rows)

    def _ask(self, query: str) -> list[tuple[Any, ...]]:
        numbers = [number for _, number, _ in self.orders]
        return self.platform.sql(query.format(schema=SCHEMAS[self.good.host]), [numbers])
