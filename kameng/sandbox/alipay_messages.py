"""What Alipay sends, word for word: signed text, states, notices, the address to return to."""

import html
import json
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from kameng.sandbox import crypto
from kameng.sandbox.book import CHINA, Trade, TradeState, china_time, yuan
from kameng.sandbox.keys import Alipay
from kameng.sandbox.post import Answer, Outgoing

BUYER_ID = "2088722545315134"
BUYER_LOGON = "san***@sandbox.com"


def signed_text(params: Mapping[str, str], *, without: frozenset[str] = frozenset()) -> bytes:
    """What Alipay signs: everything sorted by name, `name=value` joined by `&`, not encoded."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name not in without).encode()


def node_text(node: Mapping[str, Any]) -> str:
    """A reply's node. The real gateway escapes slashes; whoever verifies anything but the exact text fails here."""
    return json.dumps(node, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")


def moment(text: str) -> float | None:
    """`2026-11-09 12:30:00` on China's clocks as Unix seconds, or None."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).timestamp()
    except ValueError:
        return None


def trade_status(trade: Trade) -> str:
    """A trade that was returned in full counts as closed."""
    if trade.state is TradeState.PAID:
        return "TRADE_CLOSED" if trade.refunded >= trade.amount else "TRADE_SUCCESS"
    return "TRADE_CLOSED" if trade.state is TradeState.CLOSED else "WAIT_BUYER_PAY"


def return_address(keys: Alipay, trade: Trade) -> str:
    """`return_url` with signed parameters."""
    fields = {
        "app_id": keys.app_id,
        "auth_app_id": keys.app_id,
        "charset": "utf-8",
        "method": f"alipay.trade.{trade.channel}.pay.return",
        "out_trade_no": trade.payment,
        "seller_id": keys.seller_id,
        "timestamp": china_time(time.time()),
        "total_amount": yuan(trade.amount),
        "trade_no": trade.reference,
        "version": "1.0",
    }
    signature = crypto.rsa_sign(keys.signer, signed_text(fields))
    signed = urlencode(fields | {"sign": signature, "sign_type": "RSA2"})
    return trade.return_url + ("&" if "?" in trade.return_url else "?") + signed


def notice_fields(keys: Alipay, trade: Trade) -> dict[str, str]:
    """A notice's content, the same in every attempt."""
    amount = yuan(trade.amount)
    fields = {
        "app_id": keys.app_id,
        "auth_app_id": keys.app_id,
        "buyer_id": BUYER_ID,
        "buyer_pay_amount": amount,
        "charset": "utf-8",
        "fund_bill_list": json.dumps([{"amount": amount, "fundChannel": "ALIPAYACCOUNT"}], separators=(",", ":")),
        "gmt_create": china_time(trade.created_at),
        "gmt_payment": china_time(trade.paid_at),
        "invoice_amount": amount,
        "notify_id": china_time(time.time())[:10].replace("-", "") + "00222" + crypto.digits(24),
        "notify_type": "trade_status_sync",
        "out_trade_no": trade.payment,
        "point_amount": "0.00",
        "receipt_amount": amount,
        "seller_id": keys.seller_id,
        "subject": trade.subject,
        "total_amount": amount,
        "trade_no": trade.reference,
        "trade_status": trade_status(trade),
        "version": "1.0",
    }
    if trade.attach:
        fields["passback_params"] = trade.attach
    if fields["trade_status"] == "TRADE_CLOSED":
        fields["gmt_close"] = china_time(trade.closed_at)
    return fields


def notice(keys: Alipay, url: str, fields: Mapping[str, str], *, forged: bool) -> Outgoing:
    """One attempt at a notice, signed over everything but `sign` and `sign_type`."""
    sent = {"notify_time": china_time(time.time())} | dict(fields)
    signature = crypto.rsa_sign(keys.signer, signed_text(sent))
    body = urlencode(sent | {"sign": crypto.spoil(signature) if forged else signature, "sign_type": "RSA2"})
    kind = "application/x-www-form-urlencoded; charset=utf-8"
    return Outgoing(url, body.encode(), {"Content-Type": kind, "User-Agent": "Mozilla/4.0"})


def acknowledged(answer: Answer) -> bool:
    """The seven bytes that end the repetitions."""
    return answer.status == 200 and answer.body.strip() == b"success"


def error_page(code: str, message: str) -> str:
    """What the buyer sees where the cashier cannot open."""
    return (
        "<!doctype html><html lang=zh-CN><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>支付宝沙箱：不能付款</title><h1>不能付款</h1><p>{html.escape(message)}（{html.escape(code)}）</p></html>"
    )
