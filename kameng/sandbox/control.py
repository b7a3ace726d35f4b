"""The control endpoints below `/_control/`: how gateways and suppliers behave, their books, paying, starting over.

JSON in and out; a mistake is answered with 4xx `{"error","message"}` and changes nothing.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from kameng.sandbox import bills
from kameng.sandbox.book import Book, rfc3339, yuan
from kameng.sandbox.gateway import CannotPay, Gateway, NoticeSerial, RefundOutcome, Trouble, fen
from kameng.sandbox.keys import ENTRANCES
from kameng.sandbox.notices import Delivery, Notifier
from kameng.sandbox.supplier import Behavior, Mode, Reason, Supplier, Variant
from kameng.sandbox.web import BadRequest, Listener, Reply, Request, json_reply

Kind = TypeVar("Kind", bound=StrEnum)
Value = TypeVar("Value")
Default = TypeVar("Default")

ROUTE = re.compile(r"/_control/(?P<kind>suppliers|gateways)(/(?P<code>[a-z0-9_-]+)(/(?P<what>[a-z]+))?)?/?")
STATUSES = {"not_found": 404, "already_paid": 409, "closed": 409, "expired": 409}


class Control:
    """The endpoints over everything that can be steered."""

    def __init__(
        self,
        book: Book,
        notifier: Notifier,
        gateways: Mapping[str, Gateway],
        suppliers: Mapping[str, Supplier],
        listeners: Mapping[str, Listener],
    ) -> None:
        self.book = book
        self.notifier = notifier
        self.gateways = gateways
        self.suppliers = suppliers
        self.listeners = listeners

    async def handle(self, request: Request) -> Reply:
        """One call."""
        if request.path.rstrip("/") == "/_control/reset" and request.method == "POST":
            await self._reset()
            return json_reply({"ok": True})
        found = ROUTE.fullmatch(request.path)
        if found is None:
            return _problem(404, "not_found", "see docs/sandbox.md for the control endpoints")
        kind, code, what = found["kind"], found["code"], found["what"] or ""
        known: Mapping[str, object] = self.suppliers if kind == "suppliers" else self.gateways
        if code is not None and code not in known:
            return _problem(404, "not_found", f"no such one among {kind}: {', '.join(known)}")
        everything = request.query == "everything=1"
        try:
            if kind == "suppliers":
                return await self._suppliers(request, code, what, everything)
            return self._gateways(request, code, what, everything)
        except CannotPay as refused:
            return _problem(STATUSES[refused.code], refused.code, str(refused))

    async def _suppliers(self, request: Request, code: str | None, what: str, everything: bool) -> Reply:
        match request.method, code, what:
            case "GET", None, "":
                return json_reply([self._supplier_entry(supplier) for supplier in self.suppliers.values()])
            case "GET", str(), "":
                return json_reply(self._supplier_entry(self.suppliers[code]))
            case "GET", str(), "book":
                return json_reply(self.suppliers[code].entries(everything=everything))
            case "GET", str(), "bill":
                return self._supplier_bill(request, code)
            case "POST", str(), "":
                await self._steer_supplier(self.suppliers[code], request.json())
                return json_reply(self._supplier_entry(self.suppliers[code]))
            case "POST", str(), "prices":
                prices = _prices(request.json())
                self.suppliers[code].prices.update(prices)
                self.book.save_prices(code)
                return json_reply({"ok": True, "prices": len(self.suppliers[code].prices)})
            case "POST", str(), "stock":
                self._stock(self.suppliers[code], request.json())
                return json_reply({"ok": True, "stock": self.suppliers[code].stock})
        return _problem(405, "method_not_allowed", f"{request.method} {request.path} does not exist")

    def _supplier_bill(self, request: Request, code: str) -> Reply:
        """What the supplier would send its customer as a file, for one day."""
        try:
            day = date.fromisoformat(request.fields().get("day", ""))
        except ValueError as error:
            raise BadRequest("day must be a date, such as 2026-11-09") from error
        orders = (order for order in self.book.orders.values() if order.supplier == code)
        text = bills.supplier_csv(orders, day=day, currency=self.suppliers[code].currency)
        return Reply(200, text, "text/csv; charset=utf-8")

    def _stock(self, supplier: Supplier, body: Mapping[str, Any]) -> None:
        """How many are left of each; null for what never runs out."""
        for sku, left in body.items():
            is_count = isinstance(left, int) and not isinstance(left, bool) and 0 <= left <= 1_000_000
            if not (left is None or is_count) or not 0 < len(sku) <= 64:
                raise BadRequest(f"what is left of {sku!r} must be a whole number from 0 to 1000000, or null")
        supplier.stock.update({sku: left for sku, left in body.items() if left is not None})
        for sku in (sku for sku, left in body.items() if left is None):
            supplier.stock.pop(sku, None)
        self.book.save_stock(supplier.code)

    def _gateways(self, request: Request, code: str | None, what: str, everything: bool) -> Reply:
        match request.method, code, what:
            case "GET", None, "":
                return json_reply([_gateway_entry(gateway) for gateway in self.gateways.values()])
            case "GET", str(), "":
                return json_reply(_gateway_entry(self.gateways[code]))
            case "GET", str(), "book":
                return json_reply(self.gateways[code].entries(everything=everything))
            case "POST", str(), "":
                _steer_gateway(self.gateways[code], request.json())
                return json_reply(_gateway_entry(self.gateways[code]))
            case "POST", str(), "pay":
                return json_reply(_pay(self.gateways[code], request.json()))
        return _problem(405, "method_not_allowed", f"{request.method} {request.path} does not exist")

    async def _steer_supplier(self, supplier: Supplier, body: dict[str, Any]) -> None:
        fields = _Fields(body)
        behavior = Behavior() if "mode" in body else replace(supplier.behavior)
        behavior.mode = fields.choice("mode", Mode, behavior.mode)
        behavior.rate = fields.share("rate", behavior.rate)
        behavior.latency_ms = fields.milliseconds("latency_ms", behavior.latency_ms)
        behavior.delivery_ms = fields.milliseconds("delivery_ms", behavior.delivery_ms)
        behavior.variant = fields.choice("variant", Variant, behavior.variant)
        behavior.reason = fields.choice("reason", Reason, behavior.reason)
        behavior.callbacks = fields.choice("callbacks", Delivery, behavior.callbacks)
        balance = fields.money("balance", supplier.balance)
        callback_url = fields.text("callback_url", supplier.callback_url)
        seed = fields.whole("seed", 1)
        fields.done()
        supplier.behavior, supplier.balance, supplier.callback_url = behavior, balance, callback_url
        supplier.seed(seed)
        await self._open_or_shut(supplier)

    async def _open_or_shut(self, supplier: Supplier) -> None:
        # Down for every call means that nobody listens; for some calls, that they are reset.
        listener = self.listeners[supplier.code]
        if supplier.behavior.mode is Mode.DOWN and supplier.behavior.rate >= 1:
            listener.shut()
            await asyncio.sleep(0)  # connections end in the loop's next turn: before whoever asked is told so
        else:
            await listener.open()

    def _supplier_entry(self, supplier: Supplier) -> dict[str, Any]:
        behavior = supplier.behavior
        return {
            "code": supplier.code,
            "protocol": supplier.protocol,
            "base_url": f"http://127.0.0.1:{self.listeners[supplier.code].port}{ENTRANCES[supplier.protocol]}",
            "mode": behavior.mode,
            "rate": behavior.rate,
            "latency_ms": behavior.latency_ms,
            "delivery_ms": behavior.delivery_ms or supplier.delivery_ms,
            "variant": behavior.variant,
            "reason": behavior.reason,
            "callbacks": behavior.callbacks,
            "callback_url": supplier.callback_url,
            "balance": str(supplier.balance),
        }

    async def _reset(self) -> None:
        self.notifier.forget()
        self.book.clear()
        for gateway in self.gateways.values():
            gateway.reset()
        for supplier in self.suppliers.values():
            supplier.reset()
            await self._open_or_shut(supplier)


def _gateway_entry(gateway: Gateway) -> dict[str, Any]:
    settings = gateway.settings
    return {
        "code": gateway.code,
        "mode": settings.mode,
        "rate": settings.rate,
        "latency_ms": settings.latency_ms,
        "refund": settings.refund,
        "refund_ms": settings.refund_ms,
        "notice_serial": settings.notice_serial,
    }


def _steer_gateway(gateway: Gateway, body: dict[str, Any]) -> None:
    fields = _Fields(body)
    settings = replace(gateway.settings)
    settings.mode = fields.choice("mode", Trouble, settings.mode)
    settings.rate = fields.share("rate", 1.0 if "mode" in body else settings.rate)
    settings.latency_ms = fields.milliseconds("latency_ms", 0 if "mode" in body else settings.latency_ms)
    settings.refund = fields.choice("refund", RefundOutcome, settings.refund)
    settings.refund_ms = fields.milliseconds("refund_ms", settings.refund_ms)
    settings.notice_serial = fields.choice("notice_serial", NoticeSerial, settings.notice_serial)
    fields.done()
    gateway.settings = settings


def _pay(gateway: Gateway, body: dict[str, Any]) -> dict[str, Any]:
    fields = _Fields(body)
    payment = fields.text("payment", "")
    if not payment:
        raise BadRequest("payment is missing: the merchant's number (out_trade_no)")
    amount = fields.text("amount", "")
    delivery = fields.choice("notify", Delivery, Delivery.OK)
    delay = fields.number("delay", 0)
    changes = fields.mapping("changes")
    fields.done()
    trade = gateway.pay(
        payment, amount=fen(amount) if amount else None, delivery=delivery, delay=delay, changes=changes
    )
    return {
        "payment": trade.payment,
        "amount": yuan(trade.amount),
        "paid_at": rfc3339(trade.paid_at),
        "reference": trade.reference,
    }


def _prices(body: Mapping[str, Any]) -> dict[str, Decimal]:
    prices = {str(sku): _decimal(sku, price) for sku, price in body.items()}
    for sku, price in prices.items():
        if price <= 0 or not 0 < len(sku) <= 64:
            raise BadRequest(f"the price of {sku!r} must be more than 0")
    return prices


def _decimal(name: str, value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite():
        raise BadRequest(f'{name} must be an amount in yuan, such as "57.00"')
    return number


def _problem(status: int, code: str, message: str) -> Reply:
    return json_reply({"error": code, "message": message}, status=status)


class _Fields:
    """The members of a body, taken one by one; what is left over in the end is a mistake. Raises `BadRequest`."""

    def __init__(self, body: dict[str, Any]) -> None:
        self._body = body
        self._asked: set[str] = set()

    def done(self) -> None:
        """Refuse members that nobody asked for."""
        if unknown := set(self._body) - self._asked:
            raise BadRequest(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(self._asked))}")

    def choice(self, name: str, kind: type[Kind], default: Default) -> Kind | Default:
        """One of an enumeration's values."""
        return self._take(name, default, kind, f"one of {' '.join(kind)}")

    def share(self, name: str, default: float) -> float:
        """A number from 0 to 1."""
        value = self.number(name, default)
        if not 0 <= value <= 1:
            raise BadRequest(f"{name} must be a number from 0 to 1")
        return value

    def milliseconds(self, name: str, default: int) -> int:
        """Up to ten minutes."""
        value = self.whole(name, default)
        if not 0 <= value <= 600_000:
            raise BadRequest(f"{name} must be from 0 to 600000 milliseconds")
        return value

    def whole(self, name: str, default: int) -> int:
        """An integer."""
        return self._take(name, default, _whole, "a whole number")

    def number(self, name: str, default: float) -> float:
        """A number from 0."""
        return self._take(name, default, _number, "a number from 0")

    def money(self, name: str, default: Decimal) -> Decimal:
        """Yuan."""
        return self._take(name, default, lambda value: _decimal(name, value), "an amount in yuan")

    def text(self, name: str, default: str) -> str:
        """Text, or a number as text."""
        return self._take(name, default, _text, "text")

    def mapping(self, name: str) -> Mapping[str, Any]:
        """An object."""
        empty: dict[str, Any] = {}
        return self._take(name, empty, _mapping, "an object")

    def _take(self, name: str, default: Default, read: Callable[[Any], Value], wanted: str) -> Value | Default:
        self._asked.add(name)
        value = self._body.get(name)
        if value is None:
            return default
        try:
            return read(value)
        except ValueError as error:
            raise BadRequest(f"{name} must be {wanted}") from error


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        raise ValueError
    return float(value)


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    return str(value)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError
    return value
