"""Notices whose booking broke down: what they told of is asked about, so that none of them has to come again.

A notice is `unapplied` from when it is stored until it is booked, which is a moment. One that stays so met a bug, a
database that went away or a process that was killed; or a gateway that had to confirm it and did not answer.
"""

from datetime import datetime

from django.db import connection

from kameng.inbox.models import InboxEvent
from payments.collecting import OPEN
from payments.merchants.services import account_named
from payments.models import Payment, Refund
from payments.notices import SOURCE
from payments.selectors import payment_known, payment_with_number
from payments.services import Verdict, payment_ask

#: Between two questions about a notice whose payment or refund has no end yet.
PAUSE_SECONDS = 60.0

Stored = InboxEvent.Verdict


def notices_unapplied(*, before: datetime) -> dict[str, list[int]]:
    """By schema, gateways' notices that came earlier and have not been applied."""
    found: dict[str, list[int]] = {}
    waiting = InboxEvent.objects.filter(verdict=Stored.UNAPPLIED, source=SOURCE, received_at__lt=before)
    for schema_name, pk in waiting.order_by("received_at").values_list("schema_name", "pk"):
        found.setdefault(schema_name, []).append(pk)
    return found


def notice_settle(*, notice_id: int) -> float | None:
    """In the notice's shop: ask about its payment, or see what became of its refund, and write the verdict.

    Seconds until it is to be done again, None when the notice has its verdict. Raises `GatewayError`.
    """
    schema_name: str = connection.schema_name  # type: ignore[attr-defined]
    waiting = InboxEvent.objects.filter(pk=notice_id, schema_name=schema_name, verdict=Stored.UNAPPLIED)
    told = waiting.values_list("account", "subject").first()
    if told is None:
        return None
    judged = _judged(*told)
    if judged is None:
        return PAUSE_SECONDS
    verdict, reason = judged
    waiting.update(verdict=verdict, reason=reason[:200])
    return None


def _judged(account_code: str, subject: str) -> tuple[InboxEvent.Verdict, str] | None:
    """The verdict on a notice through that account about that number, and why; None while nobody can tell."""
    account = account_named(account_code)
    known = payment_with_number(subject, account_id=account.pk) if account is not None else None
    if account is None or known is None:
        refund = Refund.objects.filter(number=subject, payment__account=account).first() if account else None
        if refund is None:
            return Stored.REFUSED, "no such payment or refund under this account"
        # A refund is followed by its own work until it has an end.
        ended = refund.status in (Refund.Status.SUCCEEDED, Refund.Status.FAILED)
        return (Stored.ACCEPTED, "") if ended else None
    payment_id, _ = known
    applied = payment_ask(payment_id=payment_id, actor="notice")
    if applied.verdict == Verdict.REFUSED:
        return Stored.REFUSED, applied.reason
    if applied.verdict != Verdict.NOTHING:
        return Stored.ACCEPTED, ""
    payment = payment_known(payment_id)
    if payment is None or payment.status in OPEN:
        return None
    if payment.status == Payment.Status.CONFIRMED:
        return Stored.ACCEPTED, ""
    return Stored.REFUSED, "asked about, and nothing was paid"
