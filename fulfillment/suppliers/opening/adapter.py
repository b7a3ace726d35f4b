"""Plans for owners as a supplier like any other: a paid order opens the shop, or the money goes back by itself.

What is bought is a change in our own database, done in the very transaction that books it: paid for once is opened
once, and a worker that dies has either done both or neither.
"""

from decimal import Decimal
from typing import ClassVar

from fulfillment.suppliers.base import (
    Attempt,
    Capability,
    Connection,
    Outcome,
    OutcomeKind,
    PlanDesk,
    SupplierMisconfigured,
    Unasked,
)
from fulfillment.suppliers.reasons import Reason
from kameng.core.http import HttpClient

#: Which answer of the order's form names the application.
APPLICATION = "application"


class OpeningAdapter(Unasked):
    """Applications carried out by the `PlanDesk` port."""

    code: ClassVar[str] = "opening"
    name: ClassVar[str] = "开店套餐"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.QUERY_BY_OUR_NUMBER, Capability.REPEAT_RETURNS_SAME, Capability.SAME_DATABASE}
    )
    required_config: ClassVar[frozenset[str]] = frozenset()
    when_unclear: ClassVar[str] = ""
    not_found_grace: ClassVar[int] = 0

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Raises `SupplierMisconfigured` without a desk."""
        if connection.plan_desk is None:
            raise SupplierMisconfigured(f"{connection.supplier}: no desk for plans")
        self._desk: PlanDesk = connection.plan_desk

    def submit(self, attempt: Attempt) -> Outcome:
        """Open the shop, or prolong it; a definite no where that cannot be."""
        application = attempt.account.get(APPLICATION, "")
        if attempt.wants_codes or not application or attempt.quantity != 1:
            return Outcome(OutcomeKind.NOT_SENT, code=Reason.WRONG_KIND)
        refusal = self._desk.carry_out(
            reference=attempt.reference,
            application=application,
            sku=attempt.sku,
            paid=attempt.max_cost or Decimal(0),
        )
        if refusal:
            return Outcome(OutcomeKind.REFUSED, code=Reason.BAD_ACCOUNT, message=refusal, evidence=application)
        return self._done(attempt)

    def query(self, attempt: Attempt) -> Outcome:
        """Whether it was done; does nothing."""
        application = attempt.account.get(APPLICATION, "")
        if self._desk.is_done(reference=attempt.reference, application=application):
            return self._done(attempt)
        return Outcome(OutcomeKind.NOT_FOUND, code=Reason.NO_SUCH_ORDER)

    def _done(self, attempt: Attempt) -> Outcome:
        return Outcome(
            OutcomeKind.DELIVERED,
            supplier_reference=attempt.reference,
            cost=Decimal(0),
            evidence=attempt.account.get(APPLICATION, ""),
        )
