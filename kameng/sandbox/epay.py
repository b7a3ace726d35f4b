"""An epay (易支付) installation with one merchant, who may speak version 1 (MD5) or version 2 (RSA).

Source: the interface pages that installations publish (`/doc.html`, and `/doc/` of version 2): `submit.php`,
`mapi.php`, `api.php?act=order|refund`; `/api/pay/submit|create|query|refund|refundquery`. Refusals are code -1 with
words, unsigned.

An order exists once a browser has opened its page or `mapi.php` was called. Nothing expires and nothing is closed. A
refund of version 1 has no number: asked for twice, money goes back twice, as long as there is some.
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from kameng.sandbox import crypto
from kameng.sandbox.book import Book, Refund, RefundState, Trade, TradeState, china_time, yuan
from kameng.sandbox.gateway import Gateway, RefundOutcome, fen
from kameng.sandbox.keys import Epay
from kameng.sandbox.notices import Delivery, Notifier
from kameng.sandbox.post import Answer, Outgoing
from kameng.sandbox.web import BadRequest, Reply, Request, html_reply, json_reply, redirect

TIMESTAMP_SECONDS = 300
TYPES = ("alipay", "wxpay", "qqpay")
NAME_BYTES = 127


class Refused(Exception):
    """Code -1; `str()` is the message."""


class EpayGateway(Gateway):
    """One merchant."""

    code = "epay"
    name = "易支付"

    def __init__(self, keys: Epay, book: Book, notifier: Notifier, address: str) -> None:
        super().__init__(book, notifier, address)
        self.keys = keys
        self._calls: dict[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
            "/mapi.php": self._mapi,
            "/api/pay/create": self._create,
            "/api/pay/query": self._query,
            "/api/pay/refund": self._refund_numbered,
            "/api/pay/refundquery": self._refund_query,
        }

    async def answer(self, request: Request) -> Reply:
        """One call. Pages answer with a page, everything else with JSON."""
        path = request.path.removeprefix("/epay")
        is_page = path in {"/submit.php", "/api/pay/submit"}
        try:
            fields = request.fields()
            if is_page:
                trade = self._open(fields, version="1" if path == "/submit.php" else "2")
                return redirect(f"{self.address}/pay/epay/{quote(trade.payment)}")
            if path == "/api.php":
                return json_reply(self._api(fields))
            if path not in self._calls:
                return json_reply({"code": -1, "msg": "接口不存在"}, status=404)
            if request.method != "POST":
                raise Refused("请使用POST")
            told = self._calls[path](fields)
            return json_reply(told if path == "/mapi.php" else self._signed_reply(told))
        except (Refused, BadRequest) as refused:
            if is_page:
                return html_reply(f"<!doctype html><meta charset=utf-8><h1>{refused}</h1>", status=400)
            return json_reply({"code": -1, "msg": str(refused)})

    # --- version 1 ---------------------------------------------------------------------------------------------------

    def _mapi(self, fields: Mapping[str, str]) -> dict[str, Any]:
        if fields.get("type") not in TYPES or not fields.get("clientip"):
            raise Refused("支付方式(type)或用户IP(clientip)不能为空")
        trade = self._open(fields, version="1")
        place = f"{self.address}/pay/epay/{quote(trade.payment)}"
        kind = "qrcode" if fields.get("device", "pc") == "pc" else "payurl"
        return {"code": 1, "trade_no": trade.reference, kind: place}

    def _api(self, fields: Mapping[str, str]) -> dict[str, Any]:
        if fields.get("pid") != self.keys.pid or not crypto.same(fields.get("key", ""), self.keys.key):
            raise Refused("商户ID或密钥不正确")
        match fields.get("act"):
            case "order":
                trade = self._existing(fields)
                return {"code": 1, "msg": "查询订单号成功！", **self._order(trade)}
            case "refund":
                self._return(self._existing(fields), crypto.digits(20), fields)
                return {"code": 1, "msg": "退款成功"}
        raise Refused("No Act!")

    # --- version 2 ---------------------------------------------------------------------------------------------------

    def _create(self, fields: Mapping[str, str]) -> dict[str, Any]:
        if fields.get("type") not in TYPES or not fields.get("clientip"):
            raise Refused("支付方式(type)或用户IP(clientip)不能为空")
        trade = self._open(fields, version="2")
        is_code = fields.get("method") == "web" and fields.get("device", "pc") == "pc"
        place = f"{self.address}/pay/epay/{quote(trade.payment)}"
        return {"trade_no": trade.reference, "pay_type": "qrcode" if is_code else "jump", "pay_info": place}

    def _query(self, fields: Mapping[str, str]) -> dict[str, Any]:
        self._check(fields, version="2")
        trade = self._existing(fields)
        return {**self._order(trade), "refundmoney": yuan(trade.refunded)}

    def _refund_numbered(self, fields: Mapping[str, str]) -> dict[str, Any]:
        self._check(fields, version="2")
        trade, number = self._existing(fields), fields.get("out_refund_no") or crypto.digits(20)
        refund = trade.refunds.get(number) or self._return(trade, number, fields)
        return {**self._refund_entry(trade, refund), "trade_no": trade.reference}

    def _refund_query(self, fields: Mapping[str, str]) -> dict[str, Any]:
        self._check(fields, version="2")
        trade = self.book.by_refund.get((self.code, fields.get("out_refund_no", "")))
        if trade is None:
            raise Refused("退款记录不存在")
        refund = trade.refunds[fields["out_refund_no"]]
        if refund.state is RefundState.PROCESSING:
            raise Refused("退款处理中")
        return {**self._refund_entry(trade, refund), "status": int(refund.state is RefundState.SUCCESS)}

    def _refund_entry(self, trade: Trade, refund: Refund) -> dict[str, Any]:
        return {
            "refund_no": refund.reference,
            "out_refund_no": refund.number,
            "out_trade_no": trade.payment,
            "money": yuan(refund.amount),
        }

    def _signed_reply(self, told: Mapping[str, Any]) -> dict[str, Any]:
        reply = {"code": 0, "msg": "", **told, "timestamp": str(int(time.time()))}
        return {**reply, "sign": crypto.rsa_sign(self.keys.signer, signed_text(reply)), "sign_type": "RSA"}

    # --- both --------------------------------------------------------------------------------------------------------

    def _check(self, fields: Mapping[str, str], *, version: str) -> None:
        if fields.get("pid") != self.keys.pid:
            raise Refused("商户不存在")
        if version == "1":
            right = fields.get("sign_type") == "MD5" and crypto.same(
                fields.get("sign", ""), md5_signature(fields, self.keys.key)
            )
        else:
            moment = fields.get("timestamp", "")
            if not moment.isdecimal() or abs(int(moment) - time.time()) > TIMESTAMP_SECONDS:
                raise Refused("时间戳(timestamp)不正确")
            right = fields.get("sign_type") == "RSA" and crypto.rsa_verify(
                self.keys.verifier, signed_text(fields), fields.get("sign", "")
            )
        if not right:
            raise Refused("签名校验失败")

    def _open(self, fields: Mapping[str, str], *, version: str) -> Trade:
        self._check(fields, version=version)
        payment, name = fields.get("out_trade_no", ""), fields.get("name", "")
        if not re.fullmatch(r"[0-9A-Za-z._|-]{1,64}", payment):
            raise Refused("订单号(out_trade_no)格式不正确")
        if not name or not fields.get("notify_url") or fields.get("type", "") not in {"", *TYPES}:
            raise Refused("商品名称、通知地址或支付方式不正确")
        if not (amount := fen(fields.get("money", ""))):
            raise Refused("金额不合法")
        known = self.trade(payment)
        if known is not None and (known.state is TradeState.PAID or known.amount != amount):
            raise Refused("该订单号已存在")
        kind = fields.get("type", "")
        trade = known or Trade(self.code, payment, kind, amount, name, time.time(), TradeState.WAITING)
        trade.reference = trade.reference or re.sub(r"\D", "", china_time(time.time())) + crypto.digits(6)
        # Cut as the real ones do, in bytes.
        trade.channel, trade.asked = kind, version
        trade.subject = name.encode()[:NAME_BYTES].decode(errors="ignore")
        trade.notify_url, trade.return_url = fields["notify_url"], fields.get("return_url", "")
        trade.attach = fields.get("param", "")
        self.book.save(trade)
        return trade

    def _existing(self, fields: Mapping[str, str]) -> Trade:
        trade = self.trade(fields.get("out_trade_no", ""))
        if trade is None and not fields.get("out_trade_no"):
            trade = self.book.by_reference.get((self.code, fields.get("trade_no", "")))
        if trade is None:
            raise Refused("订单号不存在")
        return trade

    def _order(self, trade: Trade) -> dict[str, Any]:
        status = 0
        if trade.paid_at:
            status = 2 if trade.refunded >= trade.amount else 1
        return {
            "trade_no": trade.reference,
            "out_trade_no": trade.payment,
            "api_trade_no": crypto.digits(28) if trade.paid_at else None,
            "type": trade.channel,
            "pid": self.keys.pid,
            "addtime": china_time(trade.created_at),
            "endtime": china_time(trade.paid_at) if trade.paid_at else None,
            "name": trade.subject,
            "money": yuan(trade.amount),
            "status": status,
            "param": trade.attach,
            "buyer": None,
        }

    def _return(self, trade: Trade, number: str, fields: Mapping[str, str]) -> Refund:
        amount = fen(fields.get("money", ""))
        if trade.state is not TradeState.PAID or not 0 < amount <= trade.refundable:
            raise Refused("退款金额超过可退金额")
        if self.settings.refund is RefundOutcome.REFUSED:
            raise Refused("商户余额不足")
        refund = Refund(number, amount, f"R{crypto.digits(20)}", time.time())
        trade.refunds[number] = refund
        self.book.save(trade)
        if self.settings.refund is RefundOutcome.PROCESSING and trade.asked == "2":
            delay = self.settings.refund_ms / 1000
            self.notifier.later(delay, lambda: self.finish_refund(trade, refund, RefundState.SUCCESS))
        elif self.settings.refund in {RefundOutcome.CLOSED, RefundOutcome.ABNORMAL}:
            self.finish_refund(trade, refund, RefundState.CLOSED)
        else:
            self.finish_refund(trade, refund, RefundState.SUCCESS)
        return refund

    def settle(self, trade: Trade) -> None:
        """Whoever chose at our own page chose Alipay."""
        trade.channel = trade.channel or TYPES[0]

    # --- what the merchant is told -----------------------------------------------------------------------------------

    def _told(self, trade: Trade) -> dict[str, str]:
        return {
            "pid": self.keys.pid,
            "trade_no": trade.reference,
            "out_trade_no": trade.payment,
            "type": trade.channel,
            "name": trade.subject,
            "money": yuan(trade.amount),
            "trade_status": "TRADE_SUCCESS",
            "param": trade.attach,
        }

    def signed(self, fields: Mapping[str, str], *, version: str, forged: bool = False) -> dict[str, str]:
        """Fields as the platform signs them, or would."""
        if version == "1":
            return {**fields, "sign": md5_signature(fields, "forged" if forged else self.keys.key), "sign_type": "MD5"}
        timed = {**fields, "timestamp": str(int(time.time()))}
        signature = crypto.rsa_sign(self.keys.signer, signed_text(timed))
        return {**timed, "sign": crypto.spoil(signature) if forged else signature, "sign_type": "RSA"}

    def return_address(self, trade: Trade) -> str:
        """Where the buyer goes after paying: signed as a notice is, and proving as little."""
        signed = urlencode(self.signed(self._told(trade), version=trade.asked))
        return trade.return_url + ("&" if "?" in trade.return_url else "?") + signed

    def notify_payment(self, trade: Trade, delivery: Delivery, *, delay: float, changes: Mapping[str, Any]) -> None:
        """A GET with everything in the query, answered with the seven bytes `success`."""
        fields = self._told(trade) | {name: str(value) for name, value in changes.items()}
        forged = delivery in {Delivery.FORGED, Delivery.PROBE}
        build = partial(self._notice, trade, fields, forged=forged)
        self.notifier.send(build, acknowledged, delivery=delivery, delay=delay)

    def _notice(self, trade: Trade, fields: Mapping[str, str], *, forged: bool) -> Outgoing:
        query = urlencode(self.signed(fields, version=trade.asked, forged=forged))
        url = trade.notify_url + ("&" if "?" in trade.notify_url else "?") + query
        return Outgoing(url, b"", {"User-Agent": "Mozilla/5.0"}, method="GET")


def signed_text(fields: Mapping[str, Any]) -> bytes:
    """What both versions sign: what is not empty, without the signature, sorted, not encoded."""
    kept = sorted(
        name for name, value in fields.items() if name not in {"sign", "sign_type"} and value not in ("", None)
    )
    return "&".join(f"{name}={fields[name]}" for name in kept).encode()


def md5_signature(fields: Mapping[str, Any], key: str) -> str:
    """Version 1: the key follows at once."""
    return hashlib.md5(signed_text(fields) + key.encode(), usedforsecurity=False).hexdigest()


def acknowledged(answer: Answer) -> bool:
    """The bytes that end the repetitions."""
    return answer.status == 200 and answer.body.strip() == b"success"
