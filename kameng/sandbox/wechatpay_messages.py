"""What WeChat Pay API v3 sends, word for word: orders, refunds, sealed notices; and how it reads what it is sent."""

import json
import re
import secrets
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from kameng.sandbox import crypto
from kameng.sandbox.book import Refund, RefundState, Trade, TradeState, rfc3339
from kameng.sandbox.keys import WechatPay
from kameng.sandbox.post import Answer, Outgoing

SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
STATE_WORDS = {
    "SUCCESS": "支付成功",
    "REFUND": "转入退款",
    "NOTPAY": "订单未支付",
    "CLOSED": "订单已关闭",
}


class Problem(Exception):
    """An error reply: `{"code","message","detail"}` with its HTTP status."""

    def __init__(self, status: int, code: str, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.field = status, code, message, field

    def content(self) -> dict[str, Any]:
        """The body."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.field:
            body["detail"] = {"location": "body", "field": self.field, "issue": self.message}
        return body


def compact(content: object) -> bytes:
    """JSON as the platform writes it."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def text(body: Mapping[str, Any], name: str, *, limit: int, required: bool = True, pattern: str = "") -> str:
    """A string of at most `limit` characters. Raises `Problem`."""
    value = body.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or not value or len(value) > limit:
        raise Problem(400, "PARAM_ERROR", f"输入源“/body/{name}”必填性或长度规则校验失败", field=f"/{name}")
    if pattern and not re.fullmatch(pattern, value):
        raise Problem(400, "PARAM_ERROR", f"输入源“/body/{name}”字符规则校验失败", field=f"/{name}")
    return value


def whole(body: Mapping[str, Any], name: str, *, low: int = 1) -> int:
    """An integer amount in fen. Raises `Problem`."""
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= 10_000_000_000:
        raise Problem(400, "PARAM_ERROR", f"输入源“/body/amount/{name}”数值规则校验失败", field=f"/amount/{name}")
    return value


def section(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside the body. Raises `Problem`."""
    value = body.get(name)
    if not isinstance(value, dict):
        raise Problem(400, "PARAM_ERROR", f"缺少参数“{name}”", field=f"/{name}")
    return value


def currency(amount: Mapping[str, Any]) -> None:
    """Only CNY. Raises `Problem`."""
    if amount.get("currency", "CNY") != "CNY":
        raise Problem(400, "PARAM_ERROR", "货币类型错误", field="/amount/currency")


def notify_address(value: str) -> str:
    """Without a query string; the real platform also wants https, which this machine has not. Raises `Problem`."""
    parts = urlsplit(value)
    if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query):
        raise Problem(400, "PARAM_ERROR", "回调地址不能携带参数", field="/notify_url")
    return value


def expiry(value: str) -> float:
    """RFC 3339 with an offset; less than a minute away becomes a minute. Raises `Problem`."""
    if not value:
        return time.time() + 7 * 86400
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in value or moment.timestamp() <= time.time():
        raise Problem(400, "PARAM_ERROR", "time_expire格式错误或已过期", field="/time_expire")
    return max(moment.timestamp(), time.time() + 60)


def trade_state(trade: Trade) -> str:
    """The state's name. A trade of which anything was returned is in REFUND."""
    if trade.state is TradeState.PAID:
        return "REFUND" if any(refund.counts for refund in trade.refunds.values()) else "SUCCESS"
    return "CLOSED" if trade.state is TradeState.CLOSED else "NOTPAY"


def order(keys: WechatPay, trade: Trade) -> dict[str, Any]:
    """The order object of queries and notices (pay.weixin.qq.com/doc/v3/merchant/4013070356)."""
    state = trade_state(trade)
    content: dict[str, Any] = {
        "amount": {"total": trade.amount, "currency": "CNY"},
        "appid": keys.appid,
        "attach": trade.attach,
        "mchid": keys.mchid,
        "out_trade_no": trade.payment,
        "promotion_detail": [],
        "trade_state": state,
        "trade_state_desc": STATE_WORDS[state],
    }
    if trade.paid_at:
        content |= {
            "amount": {
                "total": trade.amount,
                "payer_total": trade.amount,
                "currency": "CNY",
                "payer_currency": "CNY",
            },
            "bank_type": "OTHERS",
            "payer": {"openid": trade.openid},
            "success_time": rfc3339(trade.paid_at),
            "trade_type": trade.channel,
            "transaction_id": trade.reference,
        }
    return content


def refund_object(trade: Trade, refund: Refund) -> dict[str, Any]:
    """The refund object of refunds and their queries."""
    content: dict[str, Any] = {
        "amount": {
            "currency": "CNY",
            "discount_refund": 0,
            "from": [],
            "payer_refund": refund.amount,
            "payer_total": trade.amount,
            "refund": refund.amount,
            "refund_fee": 0,
            "settlement_refund": refund.amount,
            "settlement_total": trade.amount,
            "total": trade.amount,
        },
        "channel": "ORIGINAL",
        "create_time": rfc3339(refund.created_at),
        "funds_account": "AVAILABLE",
        "out_refund_no": refund.number,
        "out_trade_no": trade.payment,
        "promotion_detail": [],
        "refund_id": refund.reference,
        "status": refund.state.upper(),
        "transaction_id": trade.reference,
        "user_received_account": "支付用户零钱",
    }
    if refund.state is RefundState.SUCCESS:
        content["success_time"] = rfc3339(refund.finished_at)
    return content


def refund_notice(keys: WechatPay, trade: Trade, refund: Refund) -> dict[str, Any]:
    """What is sealed in a refund's notice."""
    content: dict[str, Any] = {
        "mchid": keys.mchid,
        "transaction_id": trade.reference,
        "out_trade_no": trade.payment,
        "refund_id": refund.reference,
        "out_refund_no": refund.number,
        "refund_status": refund.state.upper(),
        "user_received_account": "支付用户零钱",
        "amount": {
            "total": trade.amount,
            "refund": refund.amount,
            "payer_total": trade.amount,
            "payer_refund": refund.amount,
        },
    }
    if refund.state is RefundState.SUCCESS:
        content["success_time"] = rfc3339(refund.finished_at)
    return content


def sealed_notice(keys: WechatPay, *, event: str, kind: str, summary: str, content: Mapping[str, Any]) -> bytes:
    """A notice's body: its `id` stays the same in every attempt."""
    nonce = secrets.token_urlsafe(9)
    return compact(
        {
            "id": _event_id(),
            "create_time": rfc3339(time.time()),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": summary,
            "resource": {
                "original_type": kind,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": crypto.gcm_seal(
                    keys.apiv3_key, nonce=nonce, associated_data=kind, plain=compact(dict(content))
                ),
                "associated_data": kind,
                "nonce": nonce,
            },
        }
    )


def signature_headers(keys: WechatPay, serial: str, body: bytes) -> dict[str, str]:
    """`timestamp\\nnonce\\nbody\\n`, signed with the key that the serial names."""
    moment, nonce = str(int(time.time())), crypto.letters(32)
    signed = f"{moment}\n{nonce}\n".encode() + body + b"\n"
    return {
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": serial,
        "Wechatpay-Signature": crypto.rsa_sign(keys.signers[serial], signed),
        "Wechatpay-Signature-Type": SIGNATURE_TYPE,
        "Wechatpay-Timestamp": moment,
    }


def notice(keys: WechatPay, url: str, body: bytes, serial: str, *, forged: bool, probe: bool) -> Outgoing:
    """One attempt: a new time and a new signature over the same body."""
    headers = signature_headers(keys, serial, body)
    if probe:
        headers["Wechatpay-Signature"] = "WECHATPAY/SIGNTEST/" + headers["Wechatpay-Signature"]
    elif forged:
        headers["Wechatpay-Signature"] = crypto.spoil(headers["Wechatpay-Signature"])
    headers |= {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0", "Accept": "*/*"}
    return Outgoing(url, body, headers)


def acknowledged(answer: Answer) -> bool:
    """200 or 204 end the repetitions."""
    return answer.status in {200, 204}


def _event_id() -> str:
    raw = secrets.token_hex(16)
    return f"{raw[:8]}-{raw[8:12]}-{raw[12:16]}-{raw[16:20]}-{raw[20:]}"
