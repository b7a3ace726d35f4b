"""Notices from gateways: verified, stored raw once, applied under the order's lock, answered to the letter.

The order of work is fixed. A genuine notice is stored as `unapplied`, and that is committed, before anything of it has
an effect. Then it is booked, and its verdict written, in one transaction; so one that is answered with success is
applied, one that is repeated changes nothing, and one whose booking broke down is there to be applied: when it is
repeated, or by asking the gateway (`payments/unapplied.py`). Where a signature is only the gateway's word, the gateway
is asked between the two, outside any transaction, and its answer is booked if it says the same.
"""

import base64
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import connection, transaction
from django_tenants.utils import schema_context

from kameng.core import sql
from kameng.inbox.models import InboxEvent
from kameng.outbox.services import publish
from payments.gateways.base import Gateway, GatewayError, Notice, NoticeRefused, NoticeReply, PaymentResult
from payments.merchants.models import GatewayAccount
from payments.merchants.services import account_named, gateway_of
from payments.models import Refund
from payments.refund_outcomes import refund_apply
from payments.selectors import is_confirmed, payment_with_number
from payments.services import Verdict, contradiction, payment_apply
from resellers.selectors import shop_of_number

logger = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024
SOURCE = "payments"
#: How soon we ask by ourselves about a notice that could not be confirmed, whether or not it is repeated.
ASK_AGAIN_SECONDS = 5
#: Headers worth keeping as evidence; none of them is a secret of ours.
_KEPT_HEADERS = ("wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial", "content-type")

Stored = InboxEvent.Verdict


class AccountUnknown(Exception):
    """No such merchant account."""


class VerbRefused(Exception):
    """The gateway does not send its notices this way."""


@dataclass(frozen=True)
class _Heard:
    """What a notice leads to: a payment that is believed, or why there is none; `ask_again` if nobody answered."""

    payment: PaymentResult | None = None
    doubt: str = ""
    ask_again: bool = False


def notice_receive(*, account_code: str, headers: Mapping[str, str], body: bytes, verb: str = "POST") -> NoticeReply:
    """Take one raw notice and say what to answer; of a GET, `body` is the query.

    Raises `AccountUnknown`, `VerbRefused` or `GatewayMisconfigured`.
    """
    account = account_named(account_code)
    if account is None:
        raise AccountUnknown
    gateway = gateway_of(account)
    if verb not in gateway.notice_verbs:
        raise VerbRefused
    try:
        notice = gateway.verify_notice(headers=headers, body=body)
    except NoticeRefused as refused:
        logger.warning("notice to %s refused: %s", account.code, refused)
        return gateway.notice_reply(accepted=False)
    subject = notice.payment.payment if notice.payment else notice.refund.refund if notice.refund else ""
    shop = shop_of_number(subject)
    is_new = _store(account, notice, subject, shop.schema_name if shop else "", headers, body)
    if shop is None:
        is_other = notice.payment is None and notice.refund is None
        verdict, reason = (Stored.IGNORED, "") if is_other else (Stored.REFUSED, "no such shop")
        _judge(account, notice, verdict, reason)
    else:
        with schema_context(shop.schema_name):
            connection.move(shop)  # type: ignore[attr-defined]
            heard = _heard(account, gateway, notice.payment)
            with transaction.atomic():
                verdict, reason = _apply(account, notice, heard, is_new=is_new)
                _judge(account, notice, verdict, reason)
    return gateway.notice_reply(accepted=verdict in (Stored.ACCEPTED, Stored.IGNORED))


def _heard(account: GatewayAccount, gateway: Gateway, told: PaymentResult | None) -> _Heard:
    """What to book: what the notice says, or the gateway's answer to a question about it."""
    if told is None or gateway.notice_is_proof:
        return _Heard(told)
    known = payment_with_number(told.payment, account_id=account.pk)
    if known is None or is_confirmed(known[0], reference=told.reference):
        return _Heard(told)
    try:
        answer = gateway.query(told.payment)
    except GatewayError as error:
        logger.warning("notice to %s about %s could not be confirmed: %s", account.code, told.payment, error)
        return _Heard(doubt=f"could not be confirmed: {error}", ask_again=True)
    doubt = contradiction(told, answer)
    return _Heard(None if doubt else answer, doubt)


def _apply(account: GatewayAccount, notice: Notice, heard: _Heard, *, is_new: bool) -> tuple[InboxEvent.Verdict, str]:
    if notice.payment is not None:
        known = payment_with_number(notice.payment.payment, account_id=account.pk)
        if known is None:
            return Stored.REFUSED, "no such payment under this account"
        payment_id, order_id = known
        if heard.payment is None:
            if heard.ask_again and is_new:
                publish("payment.noticed", delay=ASK_AGAIN_SECONDS, payment_id=payment_id)
            return Stored.UNAPPLIED if heard.ask_again else Stored.REFUSED, heard.doubt[:200]
        applied = payment_apply(payment_id=payment_id, result=heard.payment, actor="notice", order_id=order_id)
        if applied.verdict == Verdict.REFUSED:
            return Stored.REFUSED, applied.reason[:200]
        return Stored.ACCEPTED, ""
    if notice.refund is not None:
        refund = Refund.objects.filter(number=notice.refund.refund, payment__account_id=account.pk).first()
        if refund is None:
            return Stored.REFUSED, "no such refund under this account"
        refund_apply(refund_id=refund.pk, result=notice.refund, actor="notice")
        return Stored.ACCEPTED, ""
    return Stored.IGNORED, ""


_STORE = """
INSERT INTO public.inbox_inboxevent (source, account, event_id, schema_name, subject, headers, body, verdict, reason)
VALUES (%s, %s, %s, %s, %s, %s::jsonb, decode(%s, 'base64'), 'unapplied', '')
ON CONFLICT ON CONSTRAINT inbox_event_stored_once DO NOTHING RETURNING id
"""
_JUDGE = """
UPDATE public.inbox_inboxevent SET verdict = %s, reason = %s
 WHERE source = %s AND account = %s AND event_id = %s AND verdict IN ('unapplied', 'refused')
"""


def _store(
    account: GatewayAccount, notice: Notice, subject: str, schema_name: str, headers: Mapping[str, str], body: bytes
) -> bool:
    """Keep the notice as it came, once, and committed; whether it is the first of its number."""
    kept = {name: headers[name][:600] for name in _KEPT_HEADERS if name in headers}
    raw = base64.b64encode(body).decode()
    values = [SOURCE, account.code, notice.event_id, schema_name, subject[:64], json.dumps(kept), raw]
    return bool(sql.rows_anywhere(_STORE, values))


def _judge(account: GatewayAccount, notice: Notice, verdict: InboxEvent.Verdict, reason: str) -> None:
    """Say what became of it. What was refused is judged again when it is repeated, for it may have become right."""
    sql.later_anywhere(_JUDGE, [verdict, reason, SOURCE, account.code, notice.event_id])
