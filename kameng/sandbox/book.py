"""The other side's own book: what was asked, paid, returned, ordered and delivered.

Held in memory and written through to SQLite, so that a restarted sandbox still knows everything. `synchronous=OFF`
survives the end of the process, not of the machine: enough for money that does not exist.
"""

import json
import sqlite3
import time
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from kameng.sandbox import crypto

#: The providers' clocks show the time of China.
CHINA = timezone(timedelta(hours=8))


class TradeState(StrEnum):
    """`OFFERED` is an Alipay trade before its buyer scanned or signed in: the gateway says that it does not exist."""

    OFFERED = "offered"
    WAITING = "waiting"
    PAID = "paid"
    CLOSED = "closed"


class RefundState(StrEnum):
    """The last word on a refund, or none yet."""

    PROCESSING = "processing"
    SUCCESS = "success"
    ABNORMAL = "abnormal"
    CLOSED = "closed"


class OrderState(StrEnum):
    """What a supplier made of an order."""

    ACCEPTED = "accepted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


@dataclass(slots=True)
class Refund:
    """One attempt to return money; amounts are fen."""

    number: str
    amount: int
    reference: str
    created_at: float
    state: RefundState = RefundState.PROCESSING
    finished_at: float = 0
    notify_url: str = ""

    @property
    def counts(self) -> bool:
        """Whether its amount is, or will be, gone from the trade."""
        return self.state in {RefundState.PROCESSING, RefundState.SUCCESS}


@dataclass(slots=True)
class Trade:
    """One payment at a gateway under the merchant's number; amounts are fen, times Unix seconds (0: not yet)."""

    gateway: str
    payment: str
    channel: str
    amount: int
    subject: str
    created_at: float
    state: TradeState
    reference: str = ""
    notify_url: str = ""
    return_url: str = ""
    attach: str = ""
    expires_at: float = 0
    paid_at: float = 0
    closed_at: float = 0
    openid: str = ""
    #: What the merchant asked for, to recognise a repetition with other parameters.
    asked: str = ""
    prepaid_at: float = 0
    refunds: dict[str, Refund] = field(default_factory=dict)

    @property
    def refunded(self) -> int:
        """Fen that went back for good."""
        return sum(refund.amount for refund in self.refunds.values() if refund.state is RefundState.SUCCESS)

    @property
    def refundable(self) -> int:
        """Fen that can still go back."""
        return self.amount - sum(refund.amount for refund in self.refunds.values() if refund.counts)

    @property
    def expired(self) -> bool:
        """The last moment to pay is over."""
        return 0 < self.expires_at <= time.time()


@dataclass(slots=True)
class SupplierOrder:
    """One order at a supplier; `charged` is what it cost in the end, `times` how often money was taken for it."""

    supplier: str
    order_id: int
    reference: str
    kind: str
    sku: str
    quantity: int
    unit_price: Decimal
    charged: Decimal
    created_at: float
    account: dict[str, str] = field(default_factory=dict)
    times: int = 1
    state: OrderState = OrderState.ACCEPTED
    codes: list[str] = field(default_factory=list)
    finished_at: float = 0
    due_at: float = 0
    callback_url: str = ""
    #: How its delivery is to go wrong: "", "few" or "duplicate".
    flaw: str = ""


class Book:
    """All trades and orders. Change an object, then `save` it."""

    def __init__(self, path: Path) -> None:
        self.trades: dict[tuple[str, str], Trade] = {}
        self.orders: dict[int, SupplierOrder] = {}
        self.references: dict[tuple[str, str], list[SupplierOrder]] = {}
        #: Trades by the gateway's own number and by the merchant's refund numbers.
        self.by_reference: dict[tuple[str, str], Trade] = {}
        self.by_refund: dict[tuple[str, str], Trade] = {}
        self.codes: list[str] = []
        #: Price lists by supplier: what one piece costs, by sku.
        self.prices: dict[str, dict[str, Decimal]] = {}
        #: What is left, by supplier and sku; what is not in it never runs out.
        self.stock: dict[str, dict[str, int]] = {}
        self._known: set[str] = set()
        self._sequence = 0
        self._database = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute("CREATE TABLE IF NOT EXISTS row (kind, key, body, PRIMARY KEY (kind, key))")
        self._load()

    def save(self, row: Trade | SupplierOrder) -> None:
        """Enter a new row, or keep what changed in an old one."""
        if isinstance(row, Trade):
            self._index(row)
            kind, key = "trade", f"{row.gateway}:{row.payment}"
        else:
            if row.order_id not in self.orders:
                self.orders[row.order_id] = row
                self.references.setdefault((row.supplier, row.reference), []).append(row)
            kind, key = "order", str(row.order_id)
        body = json.dumps(_plain(row), ensure_ascii=False, default=str)
        self._database.execute("INSERT OR REPLACE INTO row VALUES (?, ?, ?)", (kind, key, body))

    def save_prices(self, supplier: str) -> None:
        """Keep a supplier's price list."""
        body = json.dumps({sku: str(price) for sku, price in self.prices[supplier].items()})
        self._database.execute("INSERT OR REPLACE INTO row VALUES ('prices', ?, ?)", (supplier, body))

    def save_stock(self, supplier: str) -> None:
        """Keep what a supplier has left."""
        body = json.dumps(self.stock[supplier])
        self._database.execute("INSERT OR REPLACE INTO row VALUES ('stock', ?, ?)", (supplier, body))

    def next_number(self) -> int:
        """A number that was never given before."""
        self._sequence = max(self._sequence + 1, int(time.time() * 1000) % 10**10)
        return self._sequence

    def new_code(self) -> str:
        """A gift code that was never given before."""
        while True:
            code = "-".join(crypto.letters(4) for _ in range(3))
            if code not in self._known:
                self.remember(code)
                return code

    def remember(self, code: str) -> None:
        """Count a code as given."""
        self._known.add(code)
        self.codes.append(code)

    def clear(self) -> None:
        """Forget everything."""
        self._database.execute("DELETE FROM row")
        for part in (self.trades, self.orders, self.references, self.by_reference, self.by_refund):
            part.clear()
        self.codes.clear()
        self._known.clear()
        for prices in self.prices.values():
            prices.clear()
        for stock in self.stock.values():
            stock.clear()

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _index(self, trade: Trade) -> None:
        self.trades[trade.gateway, trade.payment] = trade
        if trade.reference:
            self.by_reference[trade.gateway, trade.reference] = trade
        for number in trade.refunds:
            self.by_refund[trade.gateway, number] = trade

    def _load(self) -> None:
        for kind, key, body in self._database.execute("SELECT kind, key, body FROM row"):
            content = json.loads(body)
            if kind == "prices":
                self.prices[key] = {sku: Decimal(price) for sku, price in content.items()}
            elif kind == "stock":
                self.stock[key] = content
            elif kind == "trade":
                self._index(_trade(content))
            else:
                order = _order(content)
                self.orders[order.order_id] = order
                self.references.setdefault((order.supplier, order.reference), []).append(order)
                self._sequence = max(self._sequence, order.order_id)
                for code in order.codes:
                    self.remember(code)


def _plain(row: Trade | SupplierOrder | Refund) -> dict[str, Any]:
    content = {item.name: getattr(row, item.name) for item in fields(row)}
    if isinstance(row, Trade):
        content["refunds"] = {number: _plain(refund) for number, refund in row.refunds.items()}
    return content


def _trade(content: dict[str, Any]) -> Trade:
    content["state"] = TradeState(content["state"])
    content["refunds"] = {
        number: Refund(**{**refund, "state": RefundState(refund["state"])})
        for number, refund in content["refunds"].items()
    }
    return Trade(**content)


def _order(content: dict[str, Any]) -> SupplierOrder:
    content["state"] = OrderState(content["state"])
    content["unit_price"], content["charged"] = Decimal(content["unit_price"]), Decimal(content["charged"])
    return SupplierOrder(**content)


def yuan(fen: int) -> str:
    """Fen as yuan with two decimals."""
    return f"{fen // 100}.{fen % 100:02d}"


def china_time(moment: float) -> str:
    """`2026-11-09 12:30:00` on China's clocks."""
    return datetime.fromtimestamp(moment, CHINA).strftime("%Y-%m-%d %H:%M:%S")


def rfc3339(moment: float) -> str:
    """`2026-11-09T12:30:00+08:00`."""
    return datetime.fromtimestamp(int(moment), CHINA).isoformat()


def utc_time(moment: float) -> str:
    """`2026-11-09T04:30:00Z`."""
    return datetime.fromtimestamp(int(moment), UTC).isoformat().replace("+00:00", "Z")
