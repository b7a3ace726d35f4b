"""WeChat Pay API v3 for a directly contracted merchant: native, H5, JSAPI, query, close, refund, and their notices.

Sources: pay.weixin.qq.com/doc/v3/merchant/4012525171 and /4012525153 (calls), /4013070356 (query), /4013070360 (close),
/4012082053 (the two kinds of keys); pay.wechatpay.cn, "interface-rules" (signing and verifying).

Served below `/wechatpay/v3/` and `/v3/`; what is signed is the path as sent. Replies are signed with the key that the
request's `Wechatpay-Serial` names: the public key (`PUB_KEY_ID_…`) or the platform certificate, which also answers
requests that name none. Not enforced: the minute between two refunds of a trade, and the limit of fifty.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote

from kameng.sandbox import bills, crypto
from kameng.sandbox import wechatpay_messages as messages
from kameng.sandbox.book import Book, Refund, RefundState, Trade, TradeState, china_time, rfc3339
from kameng.sandbox.gateway import Gateway, NoticeSerial, RefundOutcome
from kameng.sandbox.keys import WechatPay
from kameng.sandbox.notices import Delivery, Notifier
from kameng.sandbox.web import Reply, Request
from kameng.sandbox.wechatpay_messages import Problem

TIMESTAMP_SECONDS = 300
H5_SECONDS = 300
CHANNELS = {"native": "NATIVE", "h5": "MWEB", "jsapi": "JSAPI"}
AUTHORIZATION = re.compile(r'(mchid|nonce_str|signature|timestamp|serial_no)="([^"]*)"')
DOWNLOAD = "/v3/billdownload/file"
OPENID = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"


class WechatPayGateway(Gateway):
    """One merchant with one application."""

    code = "wechatpay"
    name = "微信支付"

    def __init__(self, keys: WechatPay, book: Book, notifier: Notifier, address: str) -> None:
        super().__init__(book, notifier, address)
        self.keys = keys
        number = r"(?P<number>[^/]+)"
        self._routes: list[tuple[str, re.Pattern[str], Callable[..., dict[str, Any] | None]]] = [
            ("POST", re.compile(r"/v3/pay/transactions/(?P<kind>native|h5|jsapi)"), self._prepay),
            ("GET", re.compile(rf"/v3/pay/transactions/out-trade-no/{number}"), self._query),
            ("GET", re.compile(rf"/v3/pay/transactions/id/{number}"), self._query_by_id),
            ("POST", re.compile(rf"/v3/pay/transactions/out-trade-no/{number}/close"), self._close),
            ("POST", re.compile(r"/v3/refund/domestic/refunds"), self._refund),
            ("GET", re.compile(rf"/v3/refund/domestic/refunds/{number}"), self._refund_query),
            ("GET", re.compile(r"/v3/certificates"), self._certificates),
            ("GET", re.compile(r"/v3/bill/tradebill"), self._bill),
        ]
        self.links = bills.Links()

    # --- the protocol ------------------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Reply:
        """Verify, serve, sign. A request whose signature fails is answered unsigned."""
        serial = ""
        try:
            self._authorize(request)
            if request.route.endswith(DOWNLOAD):
                return self._download(request)
            serial = self._reply_serial(request)
            content = self._serve(request)
            status, body = (204, b"") if content is None else (200, messages.compact(content))
        except Problem as problem:
            status, body = problem.status, messages.compact(problem.content())
        headers = {"Request-ID": f"08{crypto.letters(22)}"}
        if serial:
            headers |= messages.signature_headers(self.keys, serial, body)
        return Reply(status, body, headers=headers)

    def _authorize(self, request: Request) -> None:
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        given = dict(AUTHORIZATION.findall(rest))
        if scheme != messages.SIGNATURE_TYPE or len(given) != 5:
            raise Problem(401, "SIGN_ERROR", "Http头Authorization值格式错误，请参考《微信支付商户REST API签名规则》")
        if given["mchid"] != self.keys.mchid or given["serial_no"] != self.keys.merchant_serial:
            raise Problem(401, "SIGN_ERROR", "商户证书序列号有误。请使用签名私钥匹配的证书序列号")
        moment = given["timestamp"]
        if not moment.isdecimal() or abs(int(moment) - time.time()) > TIMESTAMP_SECONDS:
            raise Problem(401, "SIGN_ERROR", "Http头Authorization中的timestamp与发起请求的时间不得超过5分钟")
        head = f"{request.method}\n{request.target}\n{moment}\n{given['nonce_str']}\n"
        if not crypto.rsa_verify(self.keys.verifier, head.encode() + request.body + b"\n", given["signature"]):
            raise Problem(401, "SIGN_ERROR", "错误的签名，验签失败")

    def _reply_serial(self, request: Request) -> str:
        serial = request.headers.get("wechatpay-serial", self.keys.certificate_serial)
        if serial not in self.keys.signers:
            raise Problem(400, "INVALID_REQUEST", "Http头Wechatpay-Serial有误，找不到对应的公钥或平台证书")
        return serial

    def _serve(self, request: Request) -> dict[str, Any] | None:
        path = request.route.removeprefix("/wechatpay")
        for method, pattern, service in self._routes:
            found = pattern.fullmatch(path)
            if found is None or method != request.method:
                continue
            if not request.headers.get("accept") or not request.headers.get("user-agent"):
                raise Problem(400, "PARAM_ERROR", "Http头缺少Accept或User-Agent")
            if method == "GET":
                return service(query=parse_qs(request.query), **found.groupdict())
            if not request.headers.get("content-type", "").startswith("application/json"):
                raise Problem(415, "PARAM_ERROR", "Content-Type应为application/json")
            return service(body=_object(request.body), **found.groupdict())
        raise Problem(404, "RESOURCE_NOT_EXISTS", "请求的资源不存在")

    # --- transactions ------------------------------------------------------------------------------------------------

    def _prepay(self, *, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._check_merchant(body)
        payment = messages.text(body, "out_trade_no", limit=32, pattern=r"[0-9A-Za-z_\-|*]{6,32}")
        subject = messages.text(body, "description", limit=127)
        amount = messages.section(body, "amount")
        total = messages.whole(amount, "total")
        messages.currency(amount)
        notify_url = messages.notify_address(messages.text(body, "notify_url", limit=255))
        attach = messages.text(body, "attach", limit=128, required=False)
        expires = messages.text(body, "time_expire", limit=64, required=False)
        openid = messages.text(messages.section(body, "payer"), "openid", limit=128) if kind == "jsapi" else ""
        if kind == "h5":
            scene = messages.section(body, "scene_info")
            messages.text(scene, "payer_client_ip", limit=45)
            messages.text(messages.section(scene, "h5_info"), "type", limit=32)
        asked = json.dumps([CHANNELS[kind], subject, total, notify_url, attach, expires, openid], ensure_ascii=False)
        trade = self.trade(payment)
        if trade is None:
            moment = messages.expiry(expires)
            trade = Trade(self.code, payment, CHANNELS[kind], total, subject, time.time(), TradeState.WAITING)
            trade.notify_url, trade.attach, trade.openid = notify_url, attach, openid
            trade.asked, trade.expires_at = asked, moment
        elif trade.asked != asked:
            raise Problem(403, "OUT_TRADE_NO_USED", "商户订单号重复，请核实商户订单号是否重复提交")
        elif trade.state is TradeState.CLOSED:
            raise Problem(400, "ORDER_CLOSED", "订单已关闭，请重新下单")
        elif trade.state is TradeState.PAID:
            raise Problem(400, "INVALID_REQUEST", "该订单已支付")
        trade.prepaid_at = time.time()
        self.book.save(trade)
        return self._prepaid(kind, trade)

    def _prepaid(self, kind: str, trade: Trade) -> dict[str, Any]:
        page = f"{self.address}/pay/wechatpay/{quote(trade.payment, safe='')}"
        prepay_id = "wx" + china_time(trade.prepaid_at).translate(str.maketrans("", "", "- :")) + crypto.letters(18)
        if kind == "native":
            return {"code_url": f"{page}?pr={crypto.letters(8)}"}
        if kind == "h5":
            return {"h5_url": f"{page}?prepay_id={prepay_id}&package={crypto.digits(10)}"}
        return {"prepay_id": prepay_id}

    def _query(self, *, number: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        self._check_query_merchant(query)
        trade = self.trade(number)
        if trade is None:
            raise Problem(404, "ORDER_NOT_EXIST", "订单不存在")
        return messages.order(self.keys, trade)

    def _query_by_id(self, *, number: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        self._check_query_merchant(query)
        trade = self.book.by_reference.get((self.code, number))
        if trade is None:
            raise Problem(404, "ORDER_NOT_EXIST", "订单不存在")
        return messages.order(self.keys, trade)

    def _close(self, *, number: str, body: Mapping[str, Any]) -> None:
        if body.get("mchid") != self.keys.mchid:
            raise Problem(400, "PARAM_ERROR", "mchid有误", field="/mchid")
        trade = self.trade(number)
        if trade is None:
            raise Problem(404, "ORDER_NOT_EXIST", "订单不存在")
        if trade.state is TradeState.PAID:
            raise Problem(400, "INVALID_REQUEST", "该订单已支付，不能关闭")
        if trade.state is TradeState.CLOSED:
            raise Problem(400, "ORDER_CLOSED", "订单已关闭")
        trade.state, trade.closed_at = TradeState.CLOSED, time.time()
        self.book.save(trade)

    # --- refunds -----------------------------------------------------------------------------------------------------

    def _refund(self, *, body: Mapping[str, Any]) -> dict[str, Any]:
        number = messages.text(body, "out_refund_no", limit=64, pattern=r"[0-9A-Za-z_\-|*@]{1,64}")
        payment = messages.text(body, "out_trade_no", limit=32, required=False)
        reference = messages.text(body, "transaction_id", limit=32, required=False)
        messages.text(body, "reason", limit=80, required=False)
        notify_url = messages.notify_address(messages.text(body, "notify_url", limit=256, required=False))
        amount = messages.section(body, "amount")
        wanted, total = messages.whole(amount, "refund"), messages.whole(amount, "total")
        messages.currency(amount)
        if not payment and not reference:
            raise Problem(400, "PARAM_ERROR", "transaction_id和out_trade_no二选一", field="/out_trade_no")
        trade = self.book.by_reference.get((self.code, reference)) if reference else self.trade(payment)
        if trade is None or (payment and trade.payment != payment):
            raise Problem(404, "RESOURCE_NOT_EXISTS", "订单不存在")
        owner = self.book.by_refund.get((self.code, number))
        if owner is not None:
            refund = owner.refunds[number]
            if owner is not trade or refund.amount != wanted or total != trade.amount:
                raise Problem(400, "INVALID_REQUEST", "商户退款单号重复，且参数与首次申请不一致")
            return messages.refund_object(trade, refund)
        if trade.state is not TradeState.PAID:
            raise Problem(400, "INVALID_REQUEST", "订单未支付，不能申请退款")
        if total != trade.amount:
            raise Problem(400, "INVALID_REQUEST", "订单金额或退款金额与之前请求不一致，请核实后再试")
        if wanted > trade.refundable:
            raise Problem(400, "INVALID_REQUEST", "申请退款金额超过可退金额")
        if self.settings.refund is RefundOutcome.REFUSED:
            raise Problem(403, "NOT_ENOUGH", "基本账户余额不足，请充值后重新发起")
        refund = Refund(number, wanted, f"5030{crypto.digits(24)}", time.time(), notify_url=notify_url)
        trade.refunds[number] = refund
        self.book.save(trade)
        if self.settings.refund is not RefundOutcome.PROCESSING:
            state = RefundState(self.settings.refund)
            self.notifier.later(self.settings.refund_ms / 1000, lambda: self.finish_refund(trade, refund, state))
        return messages.refund_object(trade, refund)

    def finish_refund(self, trade: Trade, refund: Refund, state: RefundState) -> None:
        """Told at the address given with the refund, if there was one."""
        super().finish_refund(trade, refund, state)
        if refund.notify_url:
            event = "SUCCESS" if state is RefundState.SUCCESS else state.upper()
            content = messages.refund_notice(self.keys, trade, refund)
            self._notify(refund.notify_url, Delivery.OK, 0, f"REFUND.{event}", "refund", content)

    def _refund_query(self, *, number: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        trade = self.book.by_refund.get((self.code, number))
        if trade is None:
            raise Problem(404, "RESOURCE_NOT_EXISTS", "退款单不存在")
        return messages.refund_object(trade, trade.refunds[number])

    # --- bills -------------------------------------------------------------------------------------------------------

    def _bill(self, *, query: Mapping[str, list[str]]) -> dict[str, Any]:
        try:
            day = date.fromisoformat(query.get("bill_date", [""])[0])
        except ValueError as error:
            raise Problem(400, "PARAM_ERROR", "bill_date格式错误", field="/bill_date") from error
        if query.get("bill_type", ["ALL"]) != ["ALL"] or query.get("tar_type", ["GZIP"]) != ["GZIP"]:
            raise Problem(400, "PARAM_ERROR", "沙箱只有ALL账单", field="/bill_type")
        found = list(bills.trades_of(self.book, self.code, day))
        if not found:
            raise Problem(400, "NO_STATEMENT_EXIST", "请求的账单文件不存在")
        text = bills.wechat_csv(found, appid=self.keys.appid, mchid=self.keys.mchid)
        file, told = bills.wechat_file(text, packed="tar_type" in query)
        token = self.links.add(file, seconds=bills.LINK_SECONDS[self.code])
        url = f"{self.address}{DOWNLOAD}?token={token}"
        return {"download_url": url, "hash_type": "SHA1", "hash_value": told}

    def _download(self, request: Request) -> Reply:
        """A bill that was asked for. The request is signed as every other, the file is not."""
        file = self.links.get(request.fields().get("token", ""))
        if file is None:
            raise Problem(404, "RESOURCE_NOT_EXISTS", "账单下载地址已失效")
        return Reply(200, file, "application/octet-stream")

    # --- certificates, payment, notices ------------------------------------------------------------------------------

    def _certificates(self, *, query: Mapping[str, list[str]]) -> dict[str, Any]:
        nonce = crypto.letters(12).lower()
        sealed = crypto.gcm_seal(
            self.keys.apiv3_key, nonce=nonce, associated_data="certificate", plain=self.keys.certificate.encode()
        )
        now = time.time()
        certificate = {
            "serial_no": self.keys.certificate_serial,
            "effective_time": rfc3339(now - 86400),
            "expire_time": rfc3339(now + 5 * 365 * 86400),
            "encrypt_certificate": {
                "algorithm": "AEAD_AES_256_GCM",
                "nonce": nonce,
                "associated_data": "certificate",
                "ciphertext": sealed,
            },
        }
        return {"data": [certificate]}

    def settle(self, trade: Trade) -> None:
        """The platform's number comes with the money."""
        trade.reference = f"42000{crypto.digits(5)}{china_time(trade.paid_at)[:10].replace('-', '')}{crypto.digits(10)}"
        trade.openid = trade.openid or OPENID

    def notify_payment(self, trade: Trade, delivery: Delivery, *, delay: float, changes: Mapping[str, Any]) -> None:
        """Only success is told. `changes` are merged into the sealed order."""
        content = messages.order(self.keys, trade) | dict(changes)
        self._notify(trade.notify_url, delivery, delay, "TRANSACTION.SUCCESS", "transaction", content)

    def _notify(
        self, url: str, delivery: Delivery, delay: float, event: str, kind: str, content: Mapping[str, Any]
    ) -> None:
        summary = "支付成功" if kind == "transaction" else "退款结果通知"
        body = messages.sealed_notice(self.keys, event=event, kind=kind, summary=summary, content=content)
        certified = self.settings.notice_serial is NoticeSerial.CERTIFICATE
        serial = self.keys.certificate_serial if certified else self.keys.public_key_id
        forged, probe = delivery is Delivery.FORGED, delivery is Delivery.PROBE
        build = partial(messages.notice, self.keys, url, body, serial, forged=forged, probe=probe)
        self.notifier.send(build, messages.acknowledged, delivery=delivery, delay=delay)

    def _check_merchant(self, body: Mapping[str, Any]) -> None:
        if messages.text(body, "mchid", limit=32) != self.keys.mchid:
            raise Problem(400, "MCH_NOT_EXISTS", "商户号不存在")
        if messages.text(body, "appid", limit=32) != self.keys.appid:
            raise Problem(400, "APPID_MCHID_NOT_MATCH", "appid和mch_id不匹配，请检查后再试")

    def _check_query_merchant(self, query: Mapping[str, list[str]]) -> None:
        if query.get("mchid") != [self.keys.mchid]:
            raise Problem(400, "PARAM_ERROR", "缺少参数mchid或有误", field="/mchid")


def _object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise Problem(400, "PARAM_ERROR", "请求体不是合法的JSON对象")
    return content
