"""What all suppliers have in common: their orders, their goods, and how they misbehave when told to."""

import asyncio
import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any, ClassVar

from kameng.sandbox.book import Book, OrderState, SupplierOrder
from kameng.sandbox.notices import Delivery, Notifier
from kameng.sandbox.post import Answer, Outgoing
from kameng.sandbox.web import Drop, Reply, Request

HANG_SECONDS = 65.0
#: A reply that drips takes longer than anybody waits, one that floods is larger than anybody reads.
DRIP_MS, FLOOD_BYTES = 60_000, 50_000_000
#: What goes wrong is drawn for each call, so a call takes this long even where nothing is slow.
REPLY_MS = 15
PRICE = Decimal("10.00")
BALANCE = Decimal("10000000.00")
WRONG_ACCOUNT = "00000000"
OFF_SALE = "NO-"
HTML = b"<!doctype html><html><head><title>\xe7\xbb\xb4\xe6\x8a\xa4\xe4\xb8\xad</title></head><body>502</body></html>"


class Mode(StrEnum):
    """How a supplier behaves; see `docs/sandbox.md`."""

    OK = "ok"
    REJECT = "reject"
    DOWN = "down"
    HANG = "hang"
    SLOW = "slow"
    DRIP = "drip"
    FLOOD = "flood"
    CHARGE_THEN_500 = "charge_then_500"
    CHARGE_THEN_RESET = "charge_then_reset"
    MALFORMED = "malformed"
    DUP_CODE = "dup_code"
    CALLBACK_FIRST = "callback_first"
    ASYNC = "async"


class Variant(StrEnum):
    """In which way a reply is malformed."""

    HTML = "html"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    FEW = "few"


class Reason(StrEnum):
    """Why an order is rejected."""

    STOCK = "stock"
    BALANCE = "balance"
    PRODUCT = "product"
    PRICE = "price"
    ACCOUNT = "account"
    CREDENTIALS = "credentials"


class Call(StrEnum):
    """What kind of call was answered: some modes concern only orders."""

    SUBMIT = "submit"
    QUERY = "query"
    OTHER = "other"


@dataclass(slots=True)
class Behavior:
    """Set through the control endpoint. `latency_ms` 0 is the mode's own default."""

    mode: Mode = Mode.OK
    rate: float = 1.0
    latency_ms: int = 0
    delivery_ms: int = 0
    variant: Variant | None = None
    reason: Reason = Reason.STOCK
    callbacks: Delivery = Delivery.OK


@dataclass(frozen=True, slots=True)
class Turn:
    """How one call is to fare."""

    mode: Mode = Mode.OK
    variant: Variant | None = None


class Supplier:
    """One supplier over the book. Subclasses speak the protocol."""

    protocol: ClassVar[str]
    #: What its book counts in.
    currency: ClassVar[str] = "CNY"
    delivery_ms: ClassVar[int]

    def __init__(self, code: str, secrets: Mapping[str, str], book: Book, notifier: Notifier, shop: str) -> None:
        self.code = code
        self.secrets = secrets
        self.book = book
        self.notifier = notifier
        self.callback_url = f"{shop}/webhooks/suppliers/{code}/"
        self.reset()

    def reset(self, *, seed: int = 1) -> None:
        """As new."""
        self.behavior = Behavior()
        self.prices: dict[str, Decimal] = self.book.prices.setdefault(self.code, {})
        self.stock: dict[str, int] = self.book.stock.setdefault(self.code, {})
        self.balance = BALANCE
        self._variants = itertools.cycle(Variant)
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Draw the same calls to go wrong as last time."""
        self._random = random.Random(seed)

    # --- the protocol: subclasses ------------------------------------------------------------------------------------

    async def answer(self, request: Request, path: str, turn: Turn) -> tuple[Call, Reply]:
        """Speak the protocol. `path` is without the prefix of the shared port."""
        raise NotImplementedError

    def callback(self, order: SupplierOrder, *, forged: bool) -> Outgoing:
        """What is posted when an order ends."""
        raise NotImplementedError

    def acknowledged(self, answer: Answer) -> bool:
        """Whether the shop took the callback."""
        raise NotImplementedError

    # --- going wrong -------------------------------------------------------------------------------------------------

    async def handle(self, request: Request, path: str) -> Reply:
        """Answer one call, unless it is this call's turn to go wrong."""
        behavior = self.behavior
        turn = self._draw()
        if turn.mode is Mode.DOWN:
            raise Drop
        if turn.mode is Mode.HANG:
            await asyncio.sleep(HANG_SECONDS)
            raise Drop
        call, reply = await self.answer(request, path, turn)
        if turn.mode is Mode.SLOW:
            await asyncio.sleep((behavior.latency_ms or 5000) / 1000)
        elif turn.mode is Mode.DRIP:
            return replace(reply, seconds=(behavior.latency_ms or DRIP_MS) / 1000)
        elif turn.mode is Mode.FLOOD and call in {Call.SUBMIT, Call.QUERY}:
            return replace(reply, blanks=FLOOD_BYTES)
        elif turn.mode is Mode.CHARGE_THEN_500 and call is Call.SUBMIT:
            return Reply(500, HTML, "text/html; charset=utf-8")
        elif turn.mode is Mode.CHARGE_THEN_RESET and call is Call.SUBMIT:
            raise Drop
        elif turn.variant is not None and call in {Call.SUBMIT, Call.QUERY}:
            return _garbled(reply, turn.variant)
        return reply

    def _draw(self) -> Turn:
        if self._random.random() >= self.behavior.rate:
            return Turn()
        if self.behavior.mode is Mode.MALFORMED:
            return Turn(Mode.MALFORMED, self.behavior.variant or next(self._variants))
        return Turn(self.behavior.mode)

    # --- orders ------------------------------------------------------------------------------------------------------

    async def think(self, turn: Turn) -> None:
        """The time that an order takes before it is entered."""
        elsewhere = turn.mode in {Mode.SLOW, Mode.DRIP, Mode.ASYNC}
        await asyncio.sleep((REPLY_MS if elsewhere else self.behavior.latency_ms or REPLY_MS) / 1000)

    def on_sale(self, sku: str) -> bool:
        """Everything is, but what begins with NO-."""
        return 0 < len(sku) <= 64 and not sku.startswith(OFF_SALE)

    def has(self, sku: str, quantity: int) -> bool:
        """Whether so many are left."""
        return self.stock.get(sku, quantity) >= quantity

    def find(self, reference: str) -> list[SupplierOrder]:
        """The orders under the shop's number: more than one where the protocol lets that happen."""
        return self.book.references.get((self.code, reference), [])

    def buy(self, order: SupplierOrder) -> bool:
        """Take the money and enter the order; False where the balance does not reach."""
        if order.charged > self.balance:
            return False
        self.balance -= order.charged
        self._take(order.sku, order.quantity)
        self.book.save(order)
        return True

    async def promise(self, order: SupplierOrder, turn: Turn) -> None:
        """Deliver some time later, or, when the callback is to come first, now."""
        if turn.mode is Mode.DUP_CODE:
            order.flaw = "duplicate"
        elif turn.variant is Variant.FEW:
            order.flaw = "few"
        if turn.mode is Mode.CALLBACK_FIRST:
            self._finish(order)
            if order.callback_url:
                await self.notifier.send_and_wait(lambda: self.callback(order, forged=False), self.acknowledged)
            return
        delay = (self.behavior.delivery_ms or self.delivery_ms) / 1000
        if turn.mode is Mode.ASYNC:
            delay = (self.behavior.latency_ms or 5000) / 1000
        order.due_at = time.time() + delay
        self.book.save(order)
        self.notifier.later(delay, lambda: self.finish(order))

    def resume(self) -> None:
        """Go on with what a former process left undone."""
        for order in list(self.book.orders.values()):
            if order.supplier == self.code and order.state is OrderState.ACCEPTED:
                self.notifier.later(max(0.0, order.due_at - time.time()), partial(self.finish, order))

    def finish(self, order: SupplierOrder) -> None:
        """Deliver or give the money back, and tell the shop."""
        if order.state is not OrderState.ACCEPTED:
            return
        self._finish(order)
        self.tell(order)

    def tell(self, order: SupplierOrder) -> None:
        """Start the callback."""
        if order.callback_url:
            forged = self.behavior.callbacks is Delivery.FORGED
            delivery = self.behavior.callbacks
            self.notifier.send(lambda: self.callback(order, forged=forged), self.acknowledged, delivery=delivery)

    def give_back(self, order: SupplierOrder, state: OrderState) -> None:
        """Undo the charge."""
        self.balance += order.charged
        self._take(order.sku, -order.quantity)
        order.charged, order.times = Decimal(0), 0
        order.state, order.finished_at = state, time.time()
        self.book.save(order)

    def _take(self, sku: str, quantity: int) -> None:
        if sku in self.stock:
            self.stock[sku] -= quantity
            self.book.save_stock(self.code)

    def _finish(self, order: SupplierOrder) -> None:
        if any(WRONG_ACCOUNT in value for value in order.account.values()):
            self.give_back(order, OrderState.FAILED)
            return
        if order.kind == "card":
            order.codes = self._codes(order)
        order.state, order.finished_at = OrderState.SUCCEEDED, time.time()
        self.book.save(order)

    def _codes(self, order: SupplierOrder) -> list[str]:
        if order.flaw == "few":
            return [self.book.new_code() for _ in range(order.quantity - 1)]
        seen = self.book.codes[-1:] if order.flaw == "duplicate" else []
        return seen + [self.book.new_code() for _ in range(order.quantity - len(seen))]

    # --- control -----------------------------------------------------------------------------------------------------

    def entries(self, *, everything: bool) -> list[dict[str, Any]]:
        """The book for the control endpoint, one row for each of the shop's numbers."""
        rows = []
        for (supplier, reference), orders in self.book.references.items():
            if supplier != self.code:
                continue
            last = orders[-1]
            row: dict[str, Any] = {
                "reference": reference,
                "sku": last.sku,
                "quantity": last.quantity,
                "charged": str(sum((order.charged for order in orders), Decimal(0))),
                "times": sum(order.times for order in orders),
                "state": last.state,
                "codes": [code for order in orders for code in order.codes],
            }
            if everything:
                row |= {"order_ids": [o.order_id for o in orders], "kind": last.kind, "account": last.account}
            rows.append(row)
        return rows


def _garbled(reply: Reply, variant: Variant) -> Reply:
    if variant is Variant.HTML:
        return Reply(200, HTML, "text/html; charset=utf-8")
    if variant is Variant.TRUNCATED:
        return Reply(reply.status, reply.body, reply.content_type, reply.headers, cut=True)
    return Reply(200) if variant is Variant.EMPTY else reply


def whole_number(value: object) -> int | None:
    """An integer, or text that is one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None
