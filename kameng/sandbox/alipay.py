"""Alipay's open platform: `gateway.do` with RSA2, for merchants with its public key and for those with certificates.

Source: opendocs.alipay.com, the pages of each method (`alipay.trade.precreate` and so on), of signing, and of notices.

A trade that was only offered (QR shown, cashier address made) does not exist until its buyer scans or signs in: until
then query and close answer ACQ.TRADE_NOT_EXIST. Errors of the gateway itself come as `error_response`, unsigned.
"""

import re
import time
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

from kameng.sandbox import alipay_messages as messages
from kameng.sandbox import bills, crypto
from kameng.sandbox.alipay_asked import BusinessProblem, GatewayProblem, biz_content, text
from kameng.sandbox.alipay_login import TOKEN, AlipayLogin
from kameng.sandbox.book import Book, Refund, RefundState, Trade, TradeState, china_time, yuan
from kameng.sandbox.gateway import Gateway, RefundOutcome, fen
from kameng.sandbox.keys import Alipay
from kameng.sandbox.notices import Delivery, Notifier
from kameng.sandbox.web import BadRequest, Reply, Request, html_reply, redirect

QR_SECONDS = 2 * 3600
#: The public pages give no window for `timestamp`; a day off is certainly wrong.
TIMESTAMP_SECONDS = 24 * 3600
REQUIRED = {
    "method": "method",
    "app_id": "app-id",
    "sign_type": "signature-type",
    "sign": "signature",
    "timestamp": "timestamp",
    "version": "version",
}
PAGES = {"alipay.trade.page.pay": ("page", "FAST_INSTANT_TRADE_PAY"), "alipay.trade.wap.pay": ("wap", "QUICK_WAP_PAY")}


class AlipayGateway(Gateway):
    """One application of one seller."""

    code = "alipay"
    name = "支付宝"

    def __init__(self, keys: Alipay, book: Book, notifier: Notifier, address: str) -> None:
        super().__init__(book, notifier, address)
        self.keys = keys
        self._services: dict[str, Callable[[Mapping[str, Any], Mapping[str, str]], dict[str, Any]]] = {
            "alipay.trade.precreate": self._precreate,
            "alipay.trade.create": self._create,
            "alipay.trade.query": self._query,
            "alipay.trade.close": self._close,
            "alipay.trade.refund": self._refund,
            "alipay.trade.fastpay.refund.query": self._refund_query,
            "alipay.data.dataservice.bill.downloadurl.query": self._bill,
        }
        self.links = bills.Links()
        self.login = AlipayLogin(keys)

    # --- the gateway -------------------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Reply:
        """`gateway.do`, by GET or POST, parameters in the query, the form or both."""
        method = ""
        try:
            try:
                params = request.fields()
            except BadRequest as error:
                raise GatewayProblem("40002", "isv.invalid-parameter", str(error)) from error
            method = params.get("method", "")
            self._check(params)
            if method == TOKEN:
                node = self.login.token(params)
            else:
                content = biz_content(params)
                if method in PAGES:
                    return self._open_cashier(method, content, params)
                node = {"code": "10000", "msg": "Success"} | self._services[method](content, params)
        except GatewayProblem as problem:
            if method in PAGES:
                return html_reply(messages.error_page(problem.sub_code, problem.sub_msg), status=400)
            refusal = {"code": problem.code, "msg": _MESSAGES[problem.code]}
            refusal |= {"sub_code": problem.sub_code, "sub_msg": problem.sub_msg}
            text = messages.node_text({"error_response": refusal})
            return Reply(200, text.encode(), "text/html;charset=utf-8")
        except BusinessProblem as problem:
            if method in PAGES:
                return html_reply(messages.error_page(problem.sub_code, problem.sub_msg), status=400)
            node = {"code": "40004", "msg": "Business Failed", "sub_code": problem.sub_code, "sub_msg": problem.sub_msg}
        text = messages.node_text(node)
        signature = crypto.rsa_sign(self.keys.signer, text.encode())
        named = f'"alipay_cert_sn":"{self.keys.alipay_cert_sn}",' if "app_cert_sn" in params else ""
        body = f'{{"{method.replace(".", "_")}_response":{text},{named}"sign":"{signature}"}}'
        return Reply(200, body.encode(), "text/html;charset=utf-8")

    def _check(self, params: Mapping[str, str]) -> None:
        for name, missing in REQUIRED.items():
            if not params.get(name):
                raise GatewayProblem("40001", f"isv.missing-{missing}", f"缺少{name}参数")
        if params["app_id"] != self.keys.app_id:
            raise GatewayProblem("40002", "isv.invalid-app-id", "无效的AppID参数")
        if params["method"] not in {TOKEN, *self._services, *PAGES}:
            raise GatewayProblem("40002", "isv.invalid-method", "不存在的方法名")
        if params["sign_type"] != "RSA2":
            raise GatewayProblem("40002", "isv.invalid-signature-type", "无效签名类型")
        if params.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
            raise GatewayProblem("40002", "isv.invalid-charset", "字符集错误")
        if params.get("format", "JSON").upper() != "JSON":
            raise GatewayProblem("40002", "isv.invalid-format", "无效的数据格式")
        signed = messages.signed_text(params, without=frozenset({"sign"}))
        if not crypto.rsa_verify(self.keys.verifier, signed, params["sign"]):
            raise GatewayProblem("40002", "isv.invalid-signature", "验签出错，请确认私钥和签名字符串")
        if "app_cert_sn" in params:
            self._check_certificates(params)
        moment = messages.moment(params["timestamp"])
        if moment is None or abs(moment - time.time()) > TIMESTAMP_SECONDS:
            raise GatewayProblem("40002", "isv.invalid-timestamp", "非法的时间戳参数")

    def _check_certificates(self, params: Mapping[str, str]) -> None:
        """In certificate mode a request names both. The public pages give no code for a name that is wrong."""
        for name, ours in (("app_cert_sn", self.keys.app_cert_sn), ("alipay_root_cert_sn", self.keys.root_cert_sn)):
            if params.get(name) != ours:
                raise GatewayProblem("40002", f"isv.invalid-{name.replace('_', '-')}", f"{name}不正确")

    # --- services ----------------------------------------------------------------------------------------------------

    def _precreate(self, content: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, Any]:
        trade = self._offer("precreate", content, params)
        return {"out_trade_no": trade.payment, "qr_code": f"{self.address}/pay/alipay/{quote(trade.payment)}"}

    def _create(self, content: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, Any]:
        """For a page in the app: its buyer is named, and it exists at once."""
        if text(content, "product_code") != "JSAPI_PAY":
            raise BusinessProblem("ACQ.INVALID_PARAMETER", "product_code应为JSAPI_PAY")
        buyer = text(content, "buyer_open_id") or text(content, "buyer_id")
        if not buyer:
            raise BusinessProblem("ACQ.INVALID_PARAMETER", "buyer_id和buyer_open_id不能同时为空")
        trade = self.trade(text(content, "out_trade_no"))
        if trade is not None and trade.openid not in {"", buyer}:
            raise BusinessProblem("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")
        trade = self._offer("jsapi", content, params)
        trade.openid = buyer
        self.open_trade(trade)
        return {"out_trade_no": trade.payment, "trade_no": trade.reference}

    def _query(self, content: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, Any]:
        trade = self._existing(content)
        node = {
            "buyer_logon_id": messages.BUYER_LOGON,
            "buyer_pay_amount": "0.00",
            "buyer_user_id": messages.BUYER_ID,
            "invoice_amount": "0.00",
            "out_trade_no": trade.payment,
            "point_amount": "0.00",
            "receipt_amount": "0.00",
            "total_amount": yuan(trade.amount),
            "trade_no": trade.reference,
            "trade_status": messages.trade_status(trade),
        }
        if trade.paid_at:
            paid = yuan(trade.amount)
            node |= {
                "buyer_pay_amount": paid,
                "invoice_amount": paid,
                "receipt_amount": paid,
                "send_pay_date": china_time(trade.paid_at),
            }
            return node | {"fund_bill_list": [{"amount": paid, "fund_channel": "ALIPAYACCOUNT"}]}
        return dict(node)

    def _close(self, content: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, Any]:
        trade = self._existing(content)
        if trade.state is TradeState.PAID:
            raise BusinessProblem("ACQ.REASON_TRADE_STATUS_INVALID", "交易状态不合法")
        if trade.state is TradeState.CLOSED:
            raise BusinessProblem("ACQ.REASON_ILLEGAL_STATUS", "交易状态异常")
        trade.state, trade.closed_at = TradeState.CLOSED, time.time()
        self.book.save(trade)
        return {"out_trade_no": trade.payment, "trade_no": trade.reference}

    def _refund(self, content: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, Any]:
        trade = self._existing(content)
        try:
            amount = fen(text(content, "refund_amount"))
        except BadRequest as error:
            raise BusinessProblem("ACQ.REASON_TRADE_REFUND_FEE_ERR", "退款金额无效") from error
        number = text(content, "out_request_no") or trade.payment
        known = trade.refunds.get(number)
        if known is not None and known.amount != amount:
            raise BusinessProblem("ACQ.DISCORDANT_REPEAT_REQUEST", "请求信息不一致")
        if known is None:
            if trade.state is not TradeState.PAID or trade.refundable == 0:
                raise BusinessProblem("ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
            if amount == 0:
                raise BusinessProblem("ACQ.REASON_TRADE_REFUND_FEE_ERR", "退款金额无效")
            if amount > trade.refundable:
                raise BusinessProblem("ACQ.REFUND_AMT_NOT_EQUAL_TOTAL", "退款金额超限")
            if not text(content, "out_request_no") and amount != trade.amount:
                raise BusinessProblem("ACQ.INVALID_PARAMETER", "部分退款需要传入out_request_no")
            if self.settings.refund is RefundOutcome.REFUSED:
                raise BusinessProblem("ACQ.SELLER_BALANCE_NOT_ENOUGH", "商户的支付宝账户中无足够的资金进行退款")
            known = self._book_refund(trade, number, amount)
            moved = known.state is RefundState.SUCCESS
        else:
            moved = False
        return {
            "buyer_logon_id": messages.BUYER_LOGON,
            "buyer_user_id": messages.BUYER_ID,
            "fund_change": "Y" if moved else "N",
            "gmt_refund_pay": china_time(known.finished_at or known.created_at),
            "out_trade_no": trade.payment,
            # The sum of all refunds of the trade so far; this one alone is send_back_fee.
            "refund_fee": yuan(trade.refunded),
            "send_back_fee": yuan(amount if moved else 0),
            "trade_no": trade.reference,
        }

    def _book_refund(self, trade: Trade, number: str, amount: int) -> Refund:
        refund = Refund(number, amount, "", time.time())
        trade.refunds[number] = refund
        self.book.save(trade)
        if self.settings.refund is RefundOutcome.SUCCESS:
            self.finish_refund(trade, refund, RefundState.SUCCESS)
        elif self.settings.refund is RefundOutcome.PROCESSING:
            delay = self.settings.refund_ms / 1000
            self.notifier.later(delay, lambda: self.finish_refund(trade, refund, RefundState.SUCCESS))
        else:
            self.finish_refund(trade, refund, RefundState.CLOSED)
        return refund

    def finish_refund(self, trade: Trade, refund: Refund, state: RefundState) -> None:
        """A refund that went through is told at the address of the payment, with the trade's state."""
        super().finish_refund(trade, refund, state)
        if state is RefundState.SUCCESS:
            if trade.refundable == 0:
                trade.closed_at = refund.finished_at
                self.book.save(trade)
            extra = {
                "gmt_refund": china_time(refund.finished_at) + ".000",
                "refund_fee": yuan(trade.refunded),
                "out_biz_no": refund.number,
            }
            self._notify(trade, Delivery.OK, delay=0, changes=extra)

    def _refund_query(self, content: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, Any]:
        number = text(content, "out_request_no")
        if not number:
            raise BusinessProblem("ACQ.INVALID_PARAMETER", "out_request_no不能为空")
        trade = self._existing(content)
        refund = trade.refunds.get(number)
        if refund is None or refund.state is not RefundState.SUCCESS:
            # Nothing but success of the call: the refund was not received, failed or is not through yet.
            return {}
        return {
            "gmt_refund_pay": china_time(refund.finished_at),
            "out_request_no": number,
            "out_trade_no": trade.payment,
            "refund_amount": yuan(refund.amount),
            "refund_status": "REFUND_SUCCESS",
            "total_amount": yuan(trade.amount),
            "trade_no": trade.reference,
        }

    # --- bills -------------------------------------------------------------------------------------------------------

    def _bill(self, content: Mapping[str, Any], params: Mapping[str, str]) -> dict[str, Any]:
        try:
            day = date.fromisoformat(text(content, "bill_date"))
        except ValueError as error:
            raise BusinessProblem("isv.invalid-parameter", "bill_date无效") from error
        if text(content, "bill_type") != "trade":
            raise BusinessProblem("isv.invalid-parameter", "bill_type无效")
        found = list(bills.trades_of(self.book, self.code, day))
        if not found:
            raise BusinessProblem("isp.bill_not_exist", "账单不存在")
        file = bills.alipay_zip(found, seller_id=self.keys.seller_id, day=day)
        token = self.links.add(file, seconds=bills.LINK_SECONDS[self.code])
        return {"bill_download_url": f"{self.address}/alipay/bill?fileId={token}"}

    def download(self, request: Request) -> Reply:
        """A bill that was asked for; whoever has its address may have it."""
        file = self.links.get(request.fields().get("fileId", ""))
        if file is None:
            return Reply(404, b"", "text/plain")
        return Reply(200, file, "application/zip")

    # --- trades ------------------------------------------------------------------------------------------------------

    def trade(self, payment: str) -> Trade | None:
        """A trade that its buyer left unpaid until the last moment closes by itself."""
        trade = super().trade(payment)
        if trade is not None and trade.state is TradeState.WAITING and trade.expired:
            trade.state, trade.closed_at = TradeState.CLOSED, trade.expires_at
            self.book.save(trade)
        return trade

    def open_trade(self, trade: Trade) -> None:
        """The buyer scanned or signed in: from now on the trade exists."""
        if trade.state is TradeState.OFFERED:
            trade.state = TradeState.WAITING
            trade.reference = f"{china_time(time.time())[:10].replace('-', '')}22001{crypto.digits(15)}"
            self.book.save(trade)

    def _offer(self, channel: str, content: Mapping[str, Any], params: Mapping[str, str]) -> Trade:
        payment, subject = text(content, "out_trade_no"), text(content, "subject")
        if not re.fullmatch(r"[0-9A-Za-z_]{1,64}", payment):
            raise BusinessProblem("ACQ.INVALID_PARAMETER", "out_trade_no无效")
        if not 0 < len(subject) <= 256:
            raise BusinessProblem("ACQ.INVALID_PARAMETER", "subject无效")
        if text(content, "seller_id") not in {"", self.keys.seller_id}:
            raise BusinessProblem("ACQ.INVALID_PARAMETER", "seller_id无效")
        try:
            amount = fen(text(content, "total_amount"))
        except BadRequest as error:
            raise BusinessProblem("ACQ.INVALID_PARAMETER", "total_amount无效") from error
        if not 1 <= amount <= 10_000_000_000:
            raise BusinessProblem("ACQ.INVALID_PARAMETER", "total_amount超出范围")
        known = self.trade(payment)
        if known is not None and known.state is TradeState.PAID:
            raise BusinessProblem("ACQ.TRADE_HAS_SUCCESS", "交易已被支付")
        if known is not None and known.state is TradeState.CLOSED:
            raise BusinessProblem("ACQ.TRADE_HAS_CLOSE", "交易已经关闭")
        if known is not None and known.state is TradeState.WAITING and known.amount != amount:
            raise BusinessProblem("ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")
        trade = known or Trade(self.code, payment, channel, amount, subject, time.time(), TradeState.OFFERED)
        trade.channel, trade.amount, trade.subject = channel, amount, subject
        trade.notify_url, trade.return_url = params.get("notify_url", ""), params.get("return_url", "")
        trade.attach = text(content, "passback_params")
        trade.expires_at = self._expiry(content)
        self.book.save(trade)
        return trade

    def _expiry(self, content: Mapping[str, Any]) -> float:
        absolute, relative = text(content, "time_expire"), text(content, "timeout_express")
        if absolute:
            moment = messages.moment(absolute) or messages.moment(absolute + ":00")
            if moment is None or moment <= time.time():
                raise BusinessProblem("ACQ.INVALID_PARAMETER", "time_expire无效")
            return moment
        if match := re.fullmatch(r"([0-9]{1,5})([mhd])", relative):
            unit = {"m": "minutes", "h": "hours", "d": "days"}[match[2]]
            return time.time() + timedelta(**{unit: int(match[1])}).total_seconds()
        if relative:
            raise BusinessProblem("ACQ.INVALID_PARAMETER", "timeout_express无效")
        return time.time() + QR_SECONDS

    def _existing(self, content: Mapping[str, Any]) -> Trade:
        payment, reference = text(content, "out_trade_no"), text(content, "trade_no")
        if not payment and not reference:
            raise BusinessProblem("ACQ.INVALID_PARAMETER", "out_trade_no和trade_no不能同时为空")
        trade = self.book.by_reference.get((self.code, reference)) if reference else self.trade(payment)
        if trade is None or trade.state is TradeState.OFFERED or (payment and trade.payment != payment):
            raise BusinessProblem("ACQ.TRADE_NOT_EXIST", "交易不存在")
        return self.trade(trade.payment) or trade

    # --- cashier -----------------------------------------------------------------------------------------------------

    def _open_cashier(self, method: str, content: Mapping[str, Any], params: Mapping[str, str]) -> Reply:
        channel, product = PAGES[method]
        if text(content, "product_code") != product:
            raise BusinessProblem("ACQ.INVALID_PARAMETER", f"product_code应为{product}")
        trade = self._offer(channel, content, params)
        return redirect(f"{self.address}/pay/alipay/{quote(trade.payment)}")

    def return_address(self, trade: Trade) -> str:
        """Where the buyer goes after paying, with signed parameters that prove nothing about the payment."""
        return messages.return_address(self.keys, trade)

    # --- notices -----------------------------------------------------------------------------------------------------

    def notify_payment(self, trade: Trade, delivery: Delivery, *, delay: float, changes: Mapping[str, Any]) -> None:
        """A form, answered with the seven bytes `success`."""
        self._notify(trade, delivery, delay=delay, changes=changes)

    def _notify(self, trade: Trade, delivery: Delivery, *, delay: float, changes: Mapping[str, Any]) -> None:
        if trade.notify_url:
            fields = messages.notice_fields(self.keys, trade) | {name: str(value) for name, value in changes.items()}
            forged = delivery in {Delivery.FORGED, Delivery.PROBE}
            build = partial(messages.notice, self.keys, trade.notify_url, fields, forged=forged)
            self.notifier.send(build, messages.acknowledged, delivery=delivery, delay=delay)


_MESSAGES = {"40001": "Missing Required Arguments", "40002": "Invalid Arguments"}
