"""Everybody else in the life of an order: suppliers and a gateway that keep books of their own, and the time."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar

from django.db import connection

from fulfillment.suppliers.base import Attempt, CallbackClaim, Capability, Connection, Outcome, OutcomeKind, Unasked
from kameng.core.http import HttpClient
from payments.gateways.base import (
    GatewayRefused,
    GatewayStatus,
    GatewayUnavailable,
    GatewayUnknown,
    PaymentResult,
    RefundRequest,
    RefundResult,
    RefundStatus,
)
from tests.doubles import ScriptedGateway

COST = Decimal("55.0000")
#: What is under way arrives at a supplier so late, long before "no such order" may be believed.
UNDER_WAY_SECONDS = 30


class Killed(BaseException):
    """The worker dies here. No handler may catch it, as none catches SIGKILL."""


class Mode(StrEnum):
    """How a supplier treats a purchase."""

    WELL = "well"
    LATER = "later"
    PART = "part"
    REFUSES = "refuses"
    UNREACHABLE = "unreachable"
    #: No answer, and nothing was charged, or it was; nobody is told which.
    LOST = "lost"
    CHARGED_AND_LOST = "charged and lost"
    #: No answer, and the purchase arrives only later.
    DELAYED = "delayed"
    #: The worker dies before it has sent anything, or after all was done.
    KILLED = "killed"
    CHARGED_AND_KILLED = "charged and killed"
    #: Nobody answers anything.
    SILENT = "silent"


class Sale(StrEnum):
    """What a supplier's own book says of a purchase; what failed was not charged."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


@dataclass
class Entry:
    """A line of a supplier's own book."""

    quantity: int
    wants_codes: bool
    sale: Sale
    #: How many arrived.
    done: int = 0
    times: int = 1

    def codes(self, reference: str) -> tuple[str, ...]:
        """What was sold: the same again whenever it is asked for."""
        return tuple(f"CODE-{reference}-{place}" for place in range(self.done)) if self.wants_codes else ()


class BookedSupplier(Unasked):
    """A supplier that knows what it sold under each of our numbers, whatever it said when."""

    code: ClassVar[str] = "booked"
    name: ClassVar[str] = "Booked"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.QUERY_BY_OUR_NUMBER})
    required_config: ClassVar[frozenset[str]] = frozenset()
    not_found_grace: ClassVar[int] = 60
    when_unclear: ClassVar[str] = "问对方客服"
    modes: ClassVar[dict[str, Mode]] = {}
    book: ClassVar[dict[str, Entry]] = {}
    #: Purchases that have left us and are not there yet, with the seconds that they still need.
    under_way: ClassVar[list[tuple[float, Attempt]]] = []

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        self.supplier = connection.supplier

    @classmethod
    def reset(cls) -> None:
        """Everybody is well and has sold nothing."""
        cls.modes, cls.book, cls.under_way = {}, {}, []

    @property
    def mode(self) -> Mode:
        """How this one is."""
        return self.modes.get(self.supplier, Mode.WELL)

    def submit(self, attempt: Attempt) -> Outcome:
        """Buy."""
        mode = self.mode
        if mode == Mode.KILLED:
            raise Killed
        if mode == Mode.REFUSES:
            return Outcome(OutcomeKind.REFUSED, code="out_of_stock")
        if mode == Mode.UNREACHABLE:
            return Outcome(OutcomeKind.NOT_SENT, code="no_connection")
        if mode in (Mode.LOST, Mode.SILENT):
            return Outcome(OutcomeKind.UNKNOWN, code="no_answer")
        if mode == Mode.DELAYED:
            self.under_way.append((UNDER_WAY_SECONDS, attempt))
            return Outcome(OutcomeKind.UNKNOWN, code="no_answer")
        self._charge(attempt, mode)
        if mode == Mode.CHARGED_AND_KILLED:
            raise Killed
        if mode == Mode.CHARGED_AND_LOST:
            return Outcome(OutcomeKind.UNKNOWN, code="no_answer")
        return self._told(attempt.reference)

    @classmethod
    def time_passes(cls, seconds: int) -> None:
        """What is under way arrives."""
        waiting = [(left - seconds, attempt) for left, attempt in cls.under_way]
        cls.under_way = [(left, attempt) for left, attempt in waiting if left > 0]
        for left, attempt in waiting:
            if left <= 0:
                cls._charge(attempt, Mode.WELL)

    @classmethod
    def _charge(cls, attempt: Attempt, mode: Mode) -> None:
        if attempt.reference in cls.book:
            cls.book[attempt.reference].times += 1
            return
        sale = Sale.OPEN if mode == Mode.LATER else Sale.DONE
        part = mode == Mode.PART and attempt.quantity > 1
        done = 0 if sale == Sale.OPEN else attempt.quantity - part
        cls.book[attempt.reference] = Entry(attempt.quantity, attempt.wants_codes, sale, done)

    def query(self, attempt: Attempt) -> Outcome:
        """Ask."""
        if self.mode in (Mode.SILENT, Mode.UNREACHABLE):
            return Outcome(OutcomeKind.UNKNOWN, code="no_answer")
        return self._told(attempt.reference)

    def _told(self, reference: str) -> Outcome:
        entry = self.book.get(reference)
        if entry is None:
            return Outcome(OutcomeKind.NOT_FOUND, code="no_such_order")
        told = f"S{reference}"
        if entry.sale == Sale.OPEN:
            return Outcome(OutcomeKind.ACCEPTED, supplier_reference=told)
        if entry.sale == Sale.FAILED:
            return Outcome(OutcomeKind.FAILED, code="failed", supplier_reference=told)
        whole = entry.done == entry.quantity
        return Outcome(
            OutcomeKind.DELIVERED if whole else OutcomeKind.PARTIAL,
            items=entry.codes(reference),
            done=None if whole else entry.done,
            supplier_reference=told,
            cost=COST * entry.done,
        )

    @classmethod
    def end(cls, *, well: bool) -> None:
        """What is open at any supplier comes to its end."""
        for entry in cls.book.values():
            if entry.sale == Sale.OPEN:
                entry.sale = Sale.DONE if well else Sale.FAILED
                entry.done = entry.quantity if well else 0

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        """The body is the reference."""
        return CallbackClaim(reference=body.decode(), event_id=headers["event"])

    def callback_reply(self, *, accepted: bool) -> tuple[int, str, bytes]:
        """Plain."""
        return (200, "text/plain", b"ok") if accepted else (400, "text/plain", b"no")


class Till(StrEnum):
    """How the gateway treats a refund, and questions."""

    WELL = "well"
    PENDING = "pending"
    REFUSES = "refuses"
    RETURNED_AND_LOST = "returned and lost"
    RETURNED_AND_KILLED = "returned and killed"
    SILENT = "silent"


class BookedGateway(ScriptedGateway):
    """A gateway that returns money once for each number, whatever it says about it, and takes none for what it has
    closed (protocols of both, and the sandbox: `test_a_closed_payment_cannot_be_paid`)."""

    till: ClassVar[Till] = Till.WELL
    #: What was asked to be returned, by its number: payment and amount.
    returned: ClassVar[dict[str, tuple[str, Decimal]]] = {}
    closed: ClassVar[set[str]] = set()

    @classmethod
    def reset(cls) -> None:
        """Nothing was paid."""
        super().reset()
        cls.till, cls.returned, cls.closed = Till.WELL, {}, set()

    @classmethod
    def is_payable(cls, payment: str) -> bool:
        """Neither paid nor closed."""
        return payment not in cls.paid and payment not in cls.closed

    def query(self, payment: str) -> PaymentResult:
        """What was paid."""
        self._answers()
        if payment in self.closed:
            return PaymentResult(payment=payment, status=GatewayStatus.CLOSED)
        return super().query(payment)

    def close(self, payment: str) -> PaymentResult:
        """Closed, unless it was paid."""
        self._answers()
        told = super().close(payment)
        if told.status == GatewayStatus.CLOSED:
            self.closed.add(payment)
        return told

    def refund(self, request: RefundRequest) -> RefundResult:
        """Once for each number."""
        self._answers()
        if self.till == Till.REFUSES:
            raise GatewayRefused("short", "not enough money")
        type(self).refund_status = RefundStatus.PENDING if self.till == Till.PENDING else RefundStatus.SUCCEEDED
        told = super().refund(request)
        self.returned[request.refund] = (request.payment, request.amount)
        if self.till == Till.RETURNED_AND_KILLED:
            raise Killed
        if self.till == Till.RETURNED_AND_LOST:
            raise GatewayUnknown("no answer")
        return told

    def refund_query(self, *, payment: str, refund: str) -> RefundResult:
        """What became of it; what was pending has gone through by the time somebody asks."""
        self._answers()
        if refund in self.refunds and self.till != Till.PENDING:
            self.refunds[refund] = RefundResult(
                refund=refund, status=RefundStatus.SUCCEEDED, payment=payment, reference=f"R{refund}",
                amount=self.returned[refund][1],
            )  # fmt: skip
        return super().refund_query(payment=payment, refund=refund)

    def _answers(self) -> None:
        if self.till == Till.SILENT:
            raise GatewayUnavailable("no answer")


_CLOCKS = """
SELECT format('UPDATE %%I.%%I SET %%s', table_schema, table_name,
              string_agg(format('%%1$I = %%1$I - %%2$L::interval', column_name, %(seconds)s || ' s'), ', '))
  FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
 WHERE data_type = 'timestamp with time zone' AND table_type = 'BASE TABLE'
   AND (table_schema = %(schema)s OR table_schema = 'public')
   AND table_name ~ '^(orders|payments|fulfillment|outbox|inbox|suppliers|merchants|alerts)_'
 GROUP BY table_schema, table_name
"""


def time_passes(seconds: int) -> None:
    """The database's clock cannot be moved, so everything that has happened is moved into the past. The ledger is not:
    its rows are never changed, and nothing that is judged here goes by their age."""
    schema = connection.schema_name  # type: ignore[attr-defined]
    with connection.cursor() as cursor:
        cursor.execute(_CLOCKS, {"seconds": seconds, "schema": schema})
        cursor.execute(";".join(statement for (statement,) in cursor.fetchall()))
