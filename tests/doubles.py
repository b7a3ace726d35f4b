"""A supplier and a gateway that answer as a test tells them; the seam is the adapter, everything above it is real."""

import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, ClassVar

from fulfillment.suppliers.base import (
    Attempt,
    CallbackClaim,
    Capability,
    Connection,
    Outcome,
    ProductPage,
    SupplierSilent,
    Unasked,
)
from kameng.core.http import HttpClient
from payments.gateways.base import (
    BillNotReady,
    BillRow,
    Channel,
    ChargeRequest,
    ChargeResult,
    GatewayStatus,
    Notice,
    NoticeRefused,
    NoticeReply,
    PaymentResult,
    RefundRequest,
    RefundResult,
    RefundStatus,
)

Answer = Outcome | Callable[[Attempt], Outcome]


class ScriptedSupplier(Unasked):
    """Answers `submit` and `query` from queues by supplier code; writes down every call."""

    code: ClassVar[str] = "scripted"
    name: ClassVar[str] = "Scripted"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.QUERY_BY_OUR_NUMBER})
    required_config: ClassVar[frozenset[str]] = frozenset()
    not_found_grace: ClassVar[int] = 0
    when_unclear: ClassVar[str] = "问对方客服"
    calls: ClassVar[list[tuple[str, str, Attempt]]] = []
    submits: ClassVar[dict[str, deque[Answer]]] = {}
    queries: ClassVar[dict[str, deque[Answer]]] = {}

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        self.supplier = connection.supplier

    @classmethod
    def reset(cls) -> None:
        """Forget what other tests told."""
        cls.calls, cls.submits, cls.queries = [], {}, {}

    @classmethod
    def on_submit(cls, supplier: str, *answers: Answer) -> None:
        """What the supplier answers to purchases, in order; the last one for ever."""
        cls.submits[supplier] = deque(answers)

    @classmethod
    def on_query(cls, supplier: str, *answers: Answer) -> None:
        """What the supplier answers to questions, in order; the last one for ever."""
        cls.queries[supplier] = deque(answers)

    @classmethod
    def bought_from(cls) -> list[str]:
        """Which suppliers were sent a purchase, in order."""
        return [supplier for verb, supplier, _ in cls.calls if verb == "submit"]

    def _answer(self, verb: str, queues: dict[str, deque[Answer]], attempt: Attempt) -> Outcome:
        self.calls.append((verb, self.supplier, attempt))
        queue = queues.get(self.supplier)
        if not queue:
            raise AssertionError(f"unexpected {verb} at {self.supplier}")
        answer = queue.popleft() if len(queue) > 1 else queue[0]
        return answer(attempt) if callable(answer) else answer

    def submit(self, attempt: Attempt) -> Outcome:
        """Buy."""
        return self._answer("submit", self.submits, attempt)

    def query(self, attempt: Attempt) -> Outcome:
        """Ask."""
        return self._answer("query", self.queries, attempt)

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        """The body is the reference."""
        return CallbackClaim(reference=body.decode(), event_id=headers.get("event", body.decode()))

    def callback_reply(self, *, accepted: bool) -> tuple[int, str, bytes]:
        """Plain."""
        return (200, "text/plain", b"ok") if accepted else (400, "text/plain", b"no")


class ListedSupplier(ScriptedSupplier):
    """One that has a price list, tells prices and balances, and takes a maximum, as far as a test tells it.

    What is scripted is a value, an exception to raise, or a function to call for it.
    """

    code: ClassVar[str] = "listed"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.QUERY_BY_OUR_NUMBER, Capability.CATALOG, Capability.PRICE}
    )
    #: Pages by supplier and cursor.
    pages: ClassVar[dict[tuple[str, str], Any]] = {}
    prices: ClassVar[dict[tuple[str, str], Any]] = {}
    balances: ClassVar[dict[str, Any]] = {}
    asked: ClassVar[list[tuple[str, str]]] = []

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        super().__init__(connection, http)
        self.currency = connection.currency

    @classmethod
    def reset(cls) -> None:
        """Forget what other tests told."""
        super().reset()
        cls.pages, cls.prices, cls.balances, cls.asked = {}, {}, {}, []

    @staticmethod
    def _said(told: Any) -> Any:
        if isinstance(told, Exception):
            raise told
        return told() if callable(told) else told

    def products(self, cursor: str) -> ProductPage:
        """A page, or silence where none was told."""
        self.asked.append(("products", cursor))
        page = self._said(self.pages.get((self.supplier, cursor), SupplierSilent("no answer")))
        assert isinstance(page, ProductPage)
        return page

    def price(self, sku: str) -> Decimal | None:
        """A price, or silence where none was told."""
        self.asked.append(("price", sku))
        price: Decimal | None = self._said(self.prices.get((self.supplier, sku), SupplierSilent("no answer")))
        return price

    def balance(self) -> Decimal | None:
        """A balance, or None where none was told."""
        self.asked.append(("balance", self.supplier))
        balance: Decimal | None = self._said(self.balances.get(self.supplier))
        return balance


class GuardedSupplier(ListedSupplier):
    """The same, whose protocol has a maximum price as well."""

    code: ClassVar[str] = "guarded"
    capabilities: ClassVar[frozenset[Capability]] = ListedSupplier.capabilities | {Capability.COST_GUARD}


class MaximumSupplier(ListedSupplier):
    """One that has a maximum price, and tells none itself."""

    code: ClassVar[str] = "maximum"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.QUERY_BY_OUR_NUMBER, Capability.COST_GUARD})


class ListOnlySupplier(ListedSupplier):
    """The same, with a price list and nothing else to know a price by."""

    code: ClassVar[str] = "list_only"
    capabilities: ClassVar[frozenset[Capability]] = ListedSupplier.capabilities - {Capability.PRICE}


class ScriptedGateway:
    """Charges at once, knows what was `paid`, returns money when asked; a notice is JSON signed "genuine"."""

    code: ClassVar[str] = "scripted"
    channels: ClassVar[frozenset[Channel]] = frozenset({Channel.QR, Channel.H5})
    required_config: ClassVar[frozenset[str]] = frozenset()
    notice_verbs: ClassVar[frozenset[str]] = frozenset({"POST"})
    notice_is_proof: ClassVar[bool] = True
    refund_repeats: ClassVar[bool] = True
    refund_returns_fee: ClassVar[bool] = True
    wallets: ClassVar[frozenset[str]] = frozenset({"scripted"})
    calls: ClassVar[list[tuple[str, Any]]] = []
    paid: ClassVar[dict[str, PaymentResult]] = {}
    refunds: ClassVar[dict[str, RefundResult]] = {}
    failures: ClassVar[dict[str, Exception]] = {}
    refund_status: ClassVar[RefundStatus] = RefundStatus.SUCCEEDED
    #: Bills by day; a day that is not in it has none yet. An exception among the rows is raised when they are read.
    bills: ClassVar[dict[date, list[BillRow | Exception]]] = {}

    merchant = "merchant-1"
    app = "app-1"

    def __init__(self, config: Mapping[str, object], http: HttpClient) -> None:
        pass

    @classmethod
    def reset(cls) -> None:
        """Forget what other tests told."""
        cls.calls, cls.paid, cls.refunds, cls.failures = [], {}, {}, {}
        cls.refund_status = RefundStatus.SUCCEEDED
        cls.bills = {}

    @classmethod
    def pay(cls, payment: str, amount: Decimal, /, **changes: Any) -> PaymentResult:
        """The shopper pays; what `query` and a genuine notice say from now on. `changes` make it wrong."""
        values: dict[str, Any] = {
            "payment": payment,
            "status": GatewayStatus.CONFIRMED,
            "reference": f"T{payment}",
            "amount": amount,
            "currency": "CNY",
            "merchant": cls.merchant,
            "app": cls.app,
            **changes,
        }
        cls.paid[payment] = PaymentResult(**values)
        return cls.paid[payment]

    def bill(self, day: date) -> Iterator[BillRow]:
        """What a test wrote for the day."""
        self._called("bill", day)
        if day not in self.bills:
            raise BillNotReady(f"{day}")
        return self._rows(self.bills[day])

    @staticmethod
    def _rows(rows: list[BillRow | Exception]) -> Iterator[BillRow]:
        for row in rows:
            if isinstance(row, Exception):
                raise row
            yield row

    def _called(self, verb: str, subject: Any) -> None:
        self.calls.append((verb, subject))
        if verb in self.failures:
            raise self.failures[verb]

    def charge(self, request: ChargeRequest) -> ChargeResult:
        """A code to scan, or a link."""
        self._called("charge", request)
        if request.channel == Channel.QR:
            return ChargeResult(qr=f"scripted:{request.payment}")
        return ChargeResult(url=f"https://pay.test/{request.payment}")

    def query(self, payment: str) -> PaymentResult:
        """What was paid."""
        self._called("query", payment)
        return self.paid.get(payment) or PaymentResult(payment=payment, status=GatewayStatus.PENDING)

    def close(self, payment: str) -> PaymentResult:
        """Closed, unless it was paid."""
        self._called("close", payment)
        return self.paid.get(payment) or PaymentResult(payment=payment, status=GatewayStatus.CLOSED)

    def refund(self, request: RefundRequest) -> RefundResult:
        """Once for each number."""
        self._called("refund", request)
        result = RefundResult(
            refund=request.refund,
            status=self.refund_status,
            payment=request.payment,
            reference=f"R{request.refund}",
            amount=request.amount,
        )
        return self.refunds.setdefault(request.refund, result)

    def refund_query(self, *, payment: str, refund: str) -> RefundResult:
        """What became of it."""
        self._called("refund_query", refund)
        return self.refunds.get(refund) or RefundResult(refund=refund, status=RefundStatus.MISSING)

    def verify_notice(self, *, headers: Mapping[str, str], body: bytes) -> Notice:
        """Genuine if it says so."""
        if headers.get("signature") != "genuine":
            raise NoticeRefused("bad signature")
        told = json.loads(body)
        if "refund" in told:
            return Notice(event_id=told["id"], refund=self.refunds[told["refund"]])
        return Notice(event_id=told["id"], payment=self.paid.get(told["payment"]))

    def notice_reply(self, *, accepted: bool) -> NoticeReply:
        """Plain."""
        return NoticeReply(200, "text/plain", b"success") if accepted else NoticeReply(400, "text/plain", b"fail")
