"""Our own shelf as a supplier like any other: ranked, asked, refused when empty. No network; the shelf is injected."""

from decimal import Decimal
from typing import ClassVar

from fulfillment.suppliers.base import (
    Attempt,
    Capability,
    Connection,
    Outcome,
    OutcomeKind,
    StockRoom,
    SupplierMisconfigured,
    Unasked,
)
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, checked_codes
from kameng.core.http import HttpClient


class StockAdapter(Unasked):
    """Codes from the `StockRoom` port, which gives a reference the same ones however often it is asked."""

    code: ClassVar[str] = "stock"
    name: ClassVar[str] = "自有库存"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.QUERY_BY_OUR_NUMBER, Capability.REPEAT_RETURNS_SAME, Capability.SAME_DATABASE}
    )
    required_config: ClassVar[frozenset[str]] = frozenset()
    when_unclear: ClassVar[str] = ""
    #: What the shelf gave is in our own database: nothing there means nothing given.
    not_found_grace: ClassVar[int] = 0

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Raises `SupplierMisconfigured` without a stock room."""
        if connection.stock_room is None:
            raise SupplierMisconfigured(f"{connection.supplier}: no stock room")
        self._room: StockRoom = connection.stock_room
        #: What lies there is the owners' own (`suppliers.owners`), and costs the platform nothing.
        self._cost = Decimal(0) if connection.config.get("cost") == "0" else None

    def submit(self, attempt: Attempt) -> Outcome:
        """Take codes; all or none."""
        if not attempt.wants_codes:
            return Outcome(OutcomeKind.NOT_SENT, code=Reason.WRONG_KIND)
        codes = self._room.take(reference=attempt.reference, sku=attempt.sku, quantity=attempt.quantity)
        if codes is None:
            evidence = f"{attempt.sku} ×{attempt.quantity} → 0"
            return Outcome(OutcomeKind.REFUSED, code=Reason.OUT_OF_STOCK, evidence=evidence)
        return self._given(attempt, tuple(codes))

    def query(self, attempt: Attempt) -> Outcome:
        """What the reference was given; takes nothing."""
        codes = tuple(self._room.given(reference=attempt.reference))
        if not codes:
            return Outcome(OutcomeKind.NOT_FOUND, code=Reason.NO_SUCH_ORDER)
        return self._given(attempt, codes)

    def cancel(self, attempt: Attempt) -> Outcome:
        """A code that somebody may have seen is not put back."""
        return super().cancel(attempt)

    def _given(self, attempt: Attempt, codes: tuple[str, ...]) -> Outcome:
        evidence = f"{attempt.sku} ×{attempt.quantity} → {len(codes)}"
        try:
            items = checked_codes(codes, quantity=attempt.quantity)
        except Unclear as unclear:
            return Outcome(OutcomeKind.UNKNOWN, code=unclear.reason, evidence=evidence)
        return Outcome(
            OutcomeKind.DELIVERED,
            items=items,
            supplier_reference=attempt.reference,
            cost=self._cost,
            evidence=evidence,
        )
