"""Notices from gateways: verified, applied under the order's lock, stored raw once, answered to the letter.

The signature covers the result, so the result is booked in the same transaction that stores the notice; a notice that
is answered with success is therefore never lost, and one that is repeated changes nothing.
"""

import base64
import json
import logging
from collections.abc import Mapping

from django.db import transaction
from django_tenants.utils import schema_context

from kameng.core import sql
from kameng.inbox.models import InboxEvent
from payments.gateways.base import Notice, NoticeRefused, NoticeReply
from payments.merchants.models import GatewayAccount
from payments.merchants.services import account_named, gateway_of
from payments.models import Refund
from payments.refunds import refund_apply
from payments.selectors import payment_with_number
from payments.services import Verdict, payment_apply
from resellers.selectors import shop_of_number

logger = logging.getLogger(__name__)

MAX_BYTES = 64 * 1024
SOURCE = "payments"
#: Headers worth keeping as evidence; none of them is a secret of ours.
_KEPT_HEADERS = ("wechatpay-timestamp", "wechatpay-nonce", "wechatpay-signature", "wechatpay-serial", "content-type")

Stored = InboxEvent.Verdict


class AccountUnknown(Exception):
    """No such merchant account."""


def notice_receive(*, account_code: str, headers: Mapping[str, str], body: bytes) -> NoticeReply:
    """Take one raw notice and say what to answer. Raises `AccountUnknown`."""
    account = account_named(account_code)
    if account is None:
        raise AccountUnknown
    gateway = gateway_of(account)
    try:
        notice = gateway.verify_notice(headers=headers, body=body)
    except NoticeRefused as refused:
        logger.warning("notice to %s refused: %s", account.code, refused)
        return gateway.notice_reply(accepted=False)
    subject = notice.payment.payment if notice.payment else notice.refund.refund if notice.refund else ""
    shop = shop_of_number(subject)
    if shop is None:
        known = notice.payment is None and notice.refund is None
        verdict, reason = (Stored.IGNORED, "") if known else (Stored.REFUSED, "no such shop")
        verdict = _store(account, notice.event_id, subject, "", headers, body, verdict, reason)
    else:
        with schema_context(shop.schema_name), transaction.atomic():
            verdict, reason = _apply(account, notice)
            verdict = _store(account, notice.event_id, subject, shop.schema_name, headers, body, verdict, reason)
    return gateway.notice_reply(accepted=verdict != Stored.REFUSED)


def _apply(account: GatewayAccount, notice: Notice) -> tuple[InboxEvent.Verdict, str]:
    if notice.payment is not None:
        known = payment_with_number(notice.payment.payment, account_id=account.pk)
        if known is None:
            return Stored.REFUSED, "no such payment under this account"
        payment_id, order_id = known
        applied = payment_apply(payment_id=payment_id, result=notice.payment, actor="notice", order_id=order_id)
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


_INSERT = """
INSERT INTO public.inbox_inboxevent (source, account, event_id, schema_name, subject, headers, body, verdict, reason)
VALUES (%s, %s, %s, %s, %s, %s::jsonb, decode(%s, 'base64'), %s, %s)
ON CONFLICT ON CONSTRAINT inbox_event_stored_once DO UPDATE SET verdict = EXCLUDED.verdict, reason = EXCLUDED.reason
 WHERE inbox_inboxevent.verdict = 'refused'
"""


def _store(
    account: GatewayAccount,
    event_id: str,
    subject: str,
    schema_name: str,
    headers: Mapping[str, str],
    body: bytes,
    verdict: InboxEvent.Verdict,
    reason: str,
) -> InboxEvent.Verdict:
    """Keep the notice, once; what was refused is judged again when it is repeated, for it may have become right."""
    kept = {name: headers[name][:600] for name in _KEPT_HEADERS if name in headers}
    sql.later_anywhere(
        _INSERT,
        [
            SOURCE, account.code, event_id, schema_name, subject[:64], json.dumps(kept),
            base64.b64encode(body).decode(), verdict, reason,
        ],
    )  # fmt: skip
    return verdict
