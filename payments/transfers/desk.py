"""The desk behind a gateway without a network: what people have written down about one of its accounts."""

from django.db import connection
from django.db.models import Case, QuerySet, Value, When

from kameng.core import sql
from payments.gateways.base import Moved, RefundRequest
from payments.transfers.models import Transfer

Kind, Status = Transfer.Kind, Transfer.Status

#: In the shop's schema, where the payment is; said again, it is there already, maybe further on.
_ASK = """
INSERT INTO public.transfers_transfer (
       kind, account_id, schema_name, order_number, number, amount, reference, status, recorded_by, decided_by, verdict,
       reason)
SELECT %(kind)s::text, %(account)s::bigint, %(schema)s::text, placed.number, %(number)s::text,
       %(amount)s::numeric, '', 'asked', '', '', '', ''
  FROM payments_payment AS payment JOIN orders_order AS placed ON placed.id = payment.order_id
 WHERE payment.number = %(payment)s AND NOT EXISTS (
       SELECT FROM public.transfers_transfer AS known
        WHERE known.kind = %(kind)s::text AND known.number = %(number)s::text
          AND known.status IN ('asked', 'recorded'))
    ON CONFLICT DO NOTHING
"""


def desk_ask(kind: Transfer.Kind, *, account_id: int, number: str, payment: str, amount: object) -> None:
    """Put a movement that should have been, or should be, before people; once, however often. In a shop's schema."""
    sql.execute(
        _ASK,
        {
            "kind": str(kind), "account": account_id, "schema": connection.schema_name,  # type: ignore[attr-defined]
            "number": number, "payment": payment, "amount": amount,
        },
    )  # fmt: skip


class AccountDesk:
    """`payments.gateways.base.Desk` over the rows of one account."""

    def __init__(self, account_id: int) -> None:
        self._account_id = account_id

    def _rows(self, kind: Transfer.Kind, number: str) -> "QuerySet[Transfer]":
        return Transfer.objects.filter(account_id=self._account_id, kind=kind, number=number)

    def received(self, payment: str) -> Moved | None:
        """Of several that came for one payment, what was booked; else the latest."""
        booked = Case(When(verdict__in=("confirmed", "surplus"), then=Value(0)), default=Value(1))
        row = self._rows(Kind.IN, payment).filter(status=Status.CONFIRMED).order_by(booked, "-pk").first()
        return row.moved if row is not None else None

    def is_awaited(self, payment: str) -> bool:
        """Whether the shopper says that they sent it, or somebody has written down that it came."""
        return self._rows(Kind.IN, payment).filter(status__in=Transfer.OPEN).exists()

    def send_back(self, request: RefundRequest) -> None:
        """A row for people to send."""
        desk_ask(
            Kind.OUT,
            account_id=self._account_id,
            number=request.refund,
            payment=request.payment,
            amount=request.amount,
        )

    def returned(self, refund: str) -> Moved | None:
        """What two people agree was sent."""
        row = self._rows(Kind.OUT, refund).filter(status=Status.CONFIRMED).first()
        return row.moved if row is not None else None

    def is_due(self, refund: str) -> bool:
        """Whether it waits for somebody to send it, or to agree."""
        return self._rows(Kind.OUT, refund).filter(status__in=Transfer.OPEN).exists()
