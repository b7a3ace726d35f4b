"""WeChat Pay's words to ours. Amounts are integer fen, times RFC 3339, notices sealed with AES-256-GCM.

Sources: pay.weixin.qq.com/doc/v3/merchant/4012525171 (calls), …/4012365352 (signatures),
pay.wechatpay.cn/docs/merchant/development/interface-rules/build-verify-sign-src.html (replies and notices).
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kameng.core.money import from_fen
from payments.gateways.base import GatewayStatus, PaymentResult, RefundResult, RefundStatus
from payments.gateways.documents import read_object, text_of

TRADE_STATE = {
    "SUCCESS": GatewayStatus.CONFIRMED,
    # All or part went back later; the amount below is still what was paid, and `raw` keeps the state.
    "REFUND": GatewayStatus.CONFIRMED,
    "NOTPAY": GatewayStatus.PENDING,
    "USERPAYING": GatewayStatus.PENDING,
    # One attempt failed; the shopper may try again until the order is closed.
    "PAYERROR": GatewayStatus.PENDING,
    "CLOSED": GatewayStatus.CLOSED,
    "REVOKED": GatewayStatus.CLOSED,
}
REFUND_STATE = {
    "PROCESSING": RefundStatus.PENDING,
    "SUCCESS": RefundStatus.SUCCEEDED,
    "CLOSED": RefundStatus.FAILED,
    # The shopper's card is gone: the money waits for the merchant to send it another way.
    "ABNORMAL": RefundStatus.FAILED,
}
BILL_IN_THE_MAKING = "STATEMENT_CREATING"
#: No bill of that day: nothing was paid, or it is not written yet.
BILL_NOT_EXIST = frozenset({"NO_STATEMENT_EXIST"})
ORDER_NOT_EXIST = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST"})
REFUND_NOT_EXIST = frozenset({"RESOURCE_NOT_EXISTS"})

ALGORITHM = "AEAD_AES_256_GCM"
NONCE_BYTES = 12
MAX_FEN = 10**12


def open_resource(cipher: AESGCM, document: Mapping[str, object], *, original_type: str) -> dict[str, object]:
    """Decrypt a notice's `resource`. Raises `ValueError`; the algorithm is ours to choose, not the sender's."""
    resource = document.get("resource")
    if document.get("resource_type") != "encrypt-resource" or not isinstance(resource, dict):
        raise ValueError("no encrypted resource")
    if resource.get("algorithm") != ALGORITHM:
        raise ValueError(f"the algorithm is not {ALGORITHM}")
    if resource.get("original_type") != original_type:
        raise ValueError(f"original_type is not {original_type}")
    associated = resource.get("associated_data") or ""
    nonce = text_of(resource, "nonce").encode("utf-8")
    if not isinstance(associated, str) or len(nonce) != NONCE_BYTES:
        raise ValueError("a nonce or associated_data of the wrong form")
    try:
        sealed = base64.b64decode(text_of(resource, "ciphertext"), validate=True)
        return read_object(cipher.decrypt(nonce, sealed, associated.encode("utf-8")))
    except InvalidTag:
        raise ValueError("the resource does not decrypt") from None


def payment_result(document: Mapping[str, object]) -> PaymentResult:
    """Read an order. Raises `ValueError` if a field is missing or malformed; before payment there are fewer of them.

    The amount is `amount.total`: `payer_total` is less by the coupons that WeChat Pay gave.
    """
    state = TRADE_STATE.get(text_of(document, "trade_state"))
    if state is None:
        raise ValueError("an unknown trade_state")
    confirmed = state is GatewayStatus.CONFIRMED
    amount = _part(document, "amount", required=confirmed)
    return PaymentResult(
        payment=text_of(document, "out_trade_no"),
        status=state,
        reference=_text(document, "transaction_id", required=confirmed),
        amount=_fen(amount, "total", required=confirmed),
        currency=_text(amount, "currency", required=confirmed),
        merchant=text_of(document, "mchid"),
        app=text_of(document, "appid"),
        paid_at=_time(document, "success_time"),
        raw=document,
    )


def refund_result(document: Mapping[str, object], *, state: str) -> RefundResult:
    """Read a refund; `state` names the field with its state, which notices call differently. Raises `ValueError`."""
    word = text_of(document, state)
    status = REFUND_STATE.get(word)
    if status is None:
        raise ValueError(f"an unknown {state}")
    amount = _part(document, "amount", required=True)
    if amount.get("currency", "CNY") != "CNY":
        raise ValueError("a refund in another currency")
    return RefundResult(
        refund=text_of(document, "out_refund_no"),
        status=status,
        payment=text_of(document, "out_trade_no"),
        reference=text_of(document, "refund_id"),
        amount=_fen(amount, "refund", required=True),
        code=word if status is RefundStatus.FAILED else "",
        raw=document,
    )


def _part(document: Mapping[str, object], name: str, *, required: bool) -> dict[str, object]:
    part = document.get(name)
    if part is None and not required:
        return {}
    if not isinstance(part, dict):
        raise ValueError(f"{name} is missing")
    return part


def _text(document: Mapping[str, object], name: str, *, required: bool) -> str:
    if document.get(name) in (None, "") and not required:
        return ""
    return text_of(document, name)


def _fen(document: Mapping[str, object], name: str, *, required: bool) -> Decimal | None:
    fen = document.get(name)
    if fen is None and not required:
        return None
    if isinstance(fen, bool) or not isinstance(fen, int) or not 0 <= fen < MAX_FEN:
        raise ValueError(f"{name} is not an amount in fen")
    return from_fen(fen)


def _time(document: Mapping[str, object], name: str) -> datetime | None:
    """A time that cannot be read does not make the money less received."""
    value = document.get(name)
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return moment if moment and moment.tzinfo else None
