"""What all gateways have in common: settings that break things on purpose, and paying a trade."""

import asyncio
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from kameng.sandbox.book import Book, Refund, RefundState, Trade, TradeState, rfc3339, yuan
from kameng.sandbox.notices import Delivery, Notifier
from kameng.sandbox.web import BadRequest, Drop, Reply, Request

HANG_SECONDS = 65.0


class Trouble(StrEnum):
    """What can be wrong with a gateway."""

    OK = "ok"
    SLOW = "slow"
    HANG = "hang"
    RESET = "reset"
    ERROR = "error"


class RefundOutcome(StrEnum):
    """What becomes of refunds that are asked for from now on."""

    SUCCESS = "success"
    PROCESSING = "processing"
    ABNORMAL = "abnormal"
    CLOSED = "closed"
    REFUSED = "refused"


class NoticeSerial(StrEnum):
    """Which of WeChat Pay's two keys signs its notices."""

    PUBLIC_KEY = "public_key"
    CERTIFICATE = "certificate"


@dataclass(slots=True)
class GatewaySettings:
    """Set through the control endpoint; `rate` is the share of calls that the trouble hits."""

    mode: Trouble = Trouble.OK
    rate: float = 1.0
    latency_ms: int = 0
    refund: RefundOutcome = RefundOutcome.SUCCESS
    refund_ms: int = 500
    notice_serial: NoticeSerial = NoticeSerial.PUBLIC_KEY


class CannotPay(Exception):
    """The trade cannot be paid; `code` is for programs, `str()` for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Gateway:
    """One gateway over the book. Subclasses speak the protocol."""

    code: ClassVar[str]
    name: ClassVar[str]

    def __init__(self, book: Book, notifier: Notifier, address: str) -> None:
        self.book = book
        self.notifier = notifier
        self.address = address
        self.reset()

    def reset(self) -> None:
        """As new."""
        self.settings = GatewaySettings()
        self._random = random.Random(1)

    async def answer(self, request: Request) -> Reply:
        """Speak the protocol. Subclasses."""
        raise NotImplementedError

    def notify_payment(self, trade: Trade, delivery: Delivery, *, delay: float, changes: Mapping[str, Any]) -> None:
        """Tell the merchant that the trade is paid. Subclasses."""
        raise NotImplementedError

    async def handle(self, request: Request) -> Reply:
        """Answer one call, unless it is this call's turn to go wrong."""
        settings = self.settings
        if settings.mode is not Trouble.OK and self._random.random() < settings.rate:
            if settings.mode is Trouble.RESET:
                raise Drop
            if settings.mode is Trouble.HANG:
                await asyncio.sleep(HANG_SECONDS)
                raise Drop
            if settings.mode is Trouble.ERROR:
                return Reply(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", "text/html")
            await asyncio.sleep((settings.latency_ms or 5000) / 1000)
        elif settings.latency_ms:
            await asyncio.sleep(settings.latency_ms / 1000)
        return await self.answer(request)

    def trade(self, payment: str) -> Trade | None:
        """The trade under the merchant's number, brought up to now."""
        return self.book.trades.get((self.code, payment))

    def pay(
        self,
        payment: str,
        *,
        amount: int | None = None,
        delivery: Delivery = Delivery.OK,
        delay: float = 0,
        changes: Mapping[str, Any] | None = None,
        strict: bool = False,
    ) -> Trade:
        """Take the buyer's money and start the notice. Raises `CannotPay`.

        `amount` in fen, where it is to differ from what was asked. An expired trade can be paid (the buyer's password
        came at the last second) unless `strict`; a closed or paid one cannot. `changes` overwrites fields of the
        notice, which is then signed as it is: a genuine notice with wrong content.
        """
        trade = self.trade(payment)
        if trade is None:
            raise CannotPay("not_found", f"{self.name}没有这笔交易：{payment}")
        if trade.state is TradeState.PAID:
            raise CannotPay("already_paid", "这笔交易已经付过款了")
        if trade.state is TradeState.CLOSED:
            raise CannotPay("closed", "这笔交易已经关闭")
        if strict and trade.expired:
            raise CannotPay("expired", "已经超过付款时间")
        self.open_trade(trade)
        if amount is not None:
            trade.amount = amount
        trade.state, trade.paid_at = TradeState.PAID, time.time()
        self.settle(trade)
        self.book.save(trade)
        self.notify_payment(trade, delivery, delay=delay, changes=changes or {})
        return trade

    def open_trade(self, trade: Trade) -> None:
        """The buyer scanned or signed in. Subclasses add what then comes into being."""

    def return_address(self, trade: Trade) -> str:
        """Where the buyer goes after paying, if the trade says where. Subclasses that add to it."""
        return trade.return_url

    def settle(self, trade: Trade) -> None:
        """The money is there. Subclasses add what then comes into being."""

    def finish_refund(self, trade: Trade, refund: Refund, state: RefundState) -> None:
        """Set a refund's last state."""
        refund.state, refund.finished_at = state, time.time()
        self.book.save(trade)

    def entries(self, *, everything: bool) -> list[dict[str, Any]]:
        """The book for the control endpoint: what was paid, or `everything` with its state."""
        rows = []
        for trade in self.book.trades.values():
            if trade.gateway != self.code or not (trade.paid_at or everything):
                continue
            row: dict[str, Any] = {
                "payment": trade.payment,
                "amount": yuan(trade.amount),
                "paid_at": rfc3339(trade.paid_at) if trade.paid_at else None,
                "refunded": yuan(trade.refunded),
            }
            if everything:
                row |= {
                    "state": trade.state,
                    "channel": trade.channel,
                    "reference": trade.reference,
                    "expires_at": rfc3339(trade.expires_at) if trade.expires_at else None,
                    "refunds": [
                        {"refund": r.number, "amount": yuan(r.amount), "state": r.state} for r in trade.refunds.values()
                    ],
                }
            rows.append(row)
        return rows


def fen(text: str) -> int:
    """`57`, `57.0` and `57.00` yuan in fen. Raises `BadRequest` for anything else."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", text):
        raise BadRequest(f"{text!r} is not an amount in yuan")
    whole, _, rest = text.partition(".")
    return int(whole) * 100 + int((rest + "00")[:2])
