"""Alipay's gateway.do: precreate (QR), wap.pay (H5), page.pay (desktop), create (`in_app.py`), query, close, refund and
their notices.

What is trusted: a reply whose node is signed by Alipay's key. An error without a signature (`error_response`, and some
refused calls) is believed only where being wrong costs nothing: for a charge it means "ask again later", for everything
that reads or returns money it means unknown. In certificate mode Alipay's key is that of its certificate, which replies
name; one that the configuration does not have is never fetched, and nothing that is signed with it is believed.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import ClassVar
from urllib.parse import urlencode

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from kameng.core.http import HttpClient, NoAnswer, NothingSent
from payments.gateways import signing
from payments.gateways.alipay import bill, in_app, transformers
from payments.gateways.alipay.certificates import certificates_vet, read_certificates
from payments.gateways.base import (
    BillBroken,
    BillNotReady,
    BillRow,
    Channel,
    ChargeRequest,
    ChargeResult,
    GatewayError,
    GatewayKeyUnknown,
    GatewayMisconfigured,
    GatewayRefused,
    GatewayStatus,
    GatewayUnavailable,
    GatewayUnknown,
    Notice,
    NoticeRefused,
    NoticeReply,
    PaymentResult,
    RefundRequest,
    RefundResult,
    RefundStatus,
)
from payments.gateways.bills import DOWNLOAD_SECONDS, MOST_PACKED, is_believed_absent, scratch
from payments.gateways.configuration import is_safe_url, read_base_url, read_private_key, read_public_key, read_text
from payments.gateways.documents import china_time, clip, from_timestamp, read_object, text_of, write_object

CHARSET = "utf-8"
SIGN_TYPE = "RSA2"
FORM = "application/x-www-form-urlencoded"
REQUIRED_IN_NOTICE = ("notify_id", "notify_type", "app_id", "out_trade_no", "trade_no", "trade_status", "total_amount")

_HEADERS = {"Content-Type": f"{FORM};charset={CHARSET}", "Accept": "application/json"}


class AlipayGateway:
    """One application (`app_id`) of one Alipay merchant (`seller_id`)."""

    code: ClassVar[str] = "alipay"
    notice_verbs: ClassVar[frozenset[str]] = frozenset({"POST"})
    notice_is_proof: ClassVar[bool] = True
    refund_repeats: ClassVar[bool] = True
    refund_returns_fee: ClassVar[bool] = True
    wallets: ClassVar[frozenset[str]] = frozenset({"alipay"})
    login_code: ClassVar[str] = "auth_code"
    required_config: ClassVar[frozenset[str]] = frozenset({"app_id", "seller_id", "app_private_key", "base_url"})

    def __init__(
        self, config: Mapping[str, object], http: HttpClient, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Read and check the configuration: also either `alipay_public_key`, or for certificate mode `app_cert`,
        `alipay_root_cert` and `alipay_public_cert`; and `jsapi`, true where shoppers pay inside Alipay.

        Raises `GatewayMisconfigured`; an empty key is never accepted.
        """
        self._app = read_text(config, "app_id")
        self._merchant = read_text(config, "seller_id")
        self._private_key = read_private_key(config, "app_private_key")
        self._certificates = read_certificates(config, self._private_key)
        self._keys = self._certificates.keys if self._certificates else {"": _public_key(config, self._private_key)}
        self._url = read_base_url(config)
        self._authorize_url = in_app.read_authorize_url(config)
        self._http = http
        self._clock = clock

    @staticmethod
    def vet(config: Mapping[str, object], *, now: datetime) -> None:
        """In certificate mode: Alipay's certificates lead to its roots. Raises `GatewayMisconfigured`."""
        certificates_vet(config, now=now)

    @property
    def merchant(self) -> str:
        """Alipay's `seller_id`."""
        return self._merchant

    @property
    def app(self) -> str:
        """Alipay's `app_id`."""
        return self._app

    @property
    def channels(self) -> frozenset[Channel]:
        """Inside Alipay by its own call only where the merchant has agreed on that."""
        inside = {Channel.JSAPI} if self._authorize_url else set()
        return frozenset({Channel.QR, Channel.H5, Channel.PAGE} | inside)

    def login_url(self, *, return_url: str, state: str) -> str:
        """Where Alipay is asked for the shopper's open_id."""
        if not self._authorize_url:
            raise GatewayMisconfigured("jsapi is not true")
        return in_app.authorize_url(self._authorize_url, app=self._app, return_url=return_url, state=state)

    def payer_of(self, code: str) -> str:
        """The shopper's open_id, or user_id where the application is told that. A good answer has no `code`."""
        if not in_app.is_word(code):
            raise GatewayRefused("no auth_code")
        asked = {"grant_type": "authorization_code", "code": code}
        document, signed = self._ask(in_app.TOKEN, asked)
        document = {"code": transformers.CODE_SUCCESS} | document
        try:
            return in_app.payer_in(
                transformers.success(in_app.TOKEN, document, signed=signed, unsigned=GatewayUnavailable)
            )
        except ValueError as error:
            raise GatewayUnknown(f"{in_app.TOKEN}: {error}") from error

    def is_payer(self, text: str) -> bool:
        """Whether it may be an open_id or a user_id."""
        return in_app.is_word(text)

    def charge(self, request: ChargeRequest) -> ChargeResult:
        """Open a payment: the text of a QR code, a signed URL for Alipay's cashier, or what its app is called with.

        The trade comes into being only when the shopper scans or logs in, inside the app at once. `time_expire` is a
        moment; the relative `timeout_express` would count from the shopper's password and let money in long after the
        order expired.
        """
        content: dict[str, object] = {
            "out_trade_no": request.payment,
            "total_amount": transformers.amount_text(request.amount),
            "subject": transformers.subject_text(request.subject),
            "time_expire": transformers.time_text(china_time(request.expires_at)),
        }
        match request.channel:
            case Channel.QR:
                return ChargeResult(qr=self._opened("alipay.trade.precreate", "qr_code", content, request.notify_url))
            case Channel.JSAPI if request.payer:
                content |= {"product_code": in_app.PRODUCT} | in_app.buyer(request.payer)
                trade = self._opened(in_app.CREATE, "trade_no", content, request.notify_url)
                return ChargeResult(call={"tradeNO": trade})
            case Channel.H5:
                content |= {"product_code": "QUICK_WAP_PAY", "quit_url": request.return_url}
                method = "alipay.trade.wap.pay"
            case Channel.PAGE:
                content |= {"product_code": "FAST_INSTANT_TRADE_PAY"}
                method = "alipay.trade.page.pay"
            case _:
                raise ValueError(f"Alipay has no channel {request.channel}, or nobody to pay")
        asked = _biz_content(content)
        parameters = self._parameters(method, asked, notify_url=request.notify_url, return_url=request.return_url)
        return ChargeResult(url=f"{self._url}?{urlencode(parameters)}")

    def query(self, payment: str) -> PaymentResult:
        """What became of our number; `MISSING` while nobody has scanned."""
        try:
            document = self._call("alipay.trade.query", {"out_trade_no": payment}, unsigned=GatewayUnknown)
        except GatewayRefused as refused:
            if refused.code == transformers.TRADE_NOT_EXIST:
                return PaymentResult(payment=payment, status=GatewayStatus.MISSING)
            raise
        try:
            _same(document, "out_trade_no", payment)
            # A query's reply names neither merchant nor application: it answers ours, under our application's key.
            return transformers.payment_result(
                document, paid_at="send_pay_date", merchant=self._merchant, app=self._app
            )
        except ValueError as error:
            raise GatewayUnknown(f"alipay.trade.query: {error}") from error

    def close(self, payment: str) -> PaymentResult:
        """Close the trade, or learn that it was paid first. `MISSING`: not scanned, payable until it expires."""
        try:
            document = self._call("alipay.trade.close", {"out_trade_no": payment}, unsigned=GatewayUnknown)
        except GatewayRefused as refused:
            if refused.code == transformers.TRADE_NOT_EXIST:
                return PaymentResult(payment=payment, status=GatewayStatus.MISSING)
            if refused.code not in transformers.NOT_WAITING_FOR_PAYMENT:
                raise
            result = self.query(payment)
            if result.status is GatewayStatus.PENDING:
                raise
            return result
        try:
            _same(document, "out_trade_no", payment)
        except ValueError as error:
            raise GatewayUnknown(f"alipay.trade.close: {error}") from error
        return PaymentResult(payment=payment, status=GatewayStatus.CLOSED, raw=document)

    def refund(self, request: RefundRequest) -> RefundResult:
        """Return money under `out_request_no`; a repeat moves none and answers `PENDING`, then `refund_query` tells.

        `notify_url` is not used: Alipay tells of refunds where it told of the payment.
        """
        content: dict[str, object] = {
            "out_trade_no": request.payment,
            "refund_amount": transformers.amount_text(request.amount),
            "out_request_no": request.refund,
        }
        if request.reason:
            content["refund_reason"] = clip(request.reason, 256)
        document = self._call("alipay.trade.refund", content, unsigned=GatewayUnknown)
        try:
            _same(document, "out_trade_no", request.payment)
            return transformers.refund_accepted(document, refund=request.refund)
        except ValueError as error:
            raise GatewayUnknown(f"alipay.trade.refund: {error}") from error

    def refund_query(self, *, payment: str, refund: str) -> RefundResult:
        """What became of a refund; only `REFUND_SUCCESS` is success. Ask 10 s after the refund or later."""
        content: dict[str, object] = {"out_trade_no": payment, "out_request_no": refund}
        try:
            document = self._call("alipay.trade.fastpay.refund.query", content, unsigned=GatewayUnknown)
        except GatewayRefused as refused:
            if refused.code == transformers.TRADE_NOT_EXIST:
                return RefundResult(refund=refund, status=RefundStatus.MISSING, payment=payment)
            raise
        try:
            result = transformers.refund_result(document, payment=payment, refund=refund)
        except ValueError as error:
            raise GatewayUnknown(f"alipay.trade.fastpay.refund.query: {error}") from error
        if (result.payment, result.refund) != (payment, refund):
            raise GatewayUnknown("alipay.trade.fastpay.refund.query: the answer is about another refund")
        return result

    def verify_notice(self, *, headers: Mapping[str, str], body: bytes) -> Notice:
        """Check a notice's form and signature. A notice of a refund carries `refund` (still to be asked), no payment.

        Raises `NoticeRefused`, also for another application's notice. The merchant is left to the caller to match.
        """
        try:
            if not headers.get("content-type", FORM).lower().startswith(FORM):
                raise NoticeRefused("not a form")
            fields = transformers.notice_fields(body)
            if fields.get("sign_type") != SIGN_TYPE:
                raise NoticeRefused("sign_type is not RSA2")
            if fields.get("charset", "").lower() != CHARSET:
                raise NoticeRefused("charset is not utf-8")
            signature = text_of(fields, "sign")
            texts = transformers.notice_texts(fields)
            keys = self._keys_of_notice(fields)
            if not any(signing.verify(key, text.encode("utf-8"), signature) for key in keys for text in texts):
                raise NoticeRefused("wrong signature")
            for name in REQUIRED_IN_NOTICE:
                text_of(fields, name)
            if fields["app_id"] != self._app:
                raise NoticeRefused("meant for another application")
            return self._notice(fields)
        except ValueError as error:
            raise NoticeRefused(str(error)) from error

    def notice_reply(self, *, accepted: bool) -> NoticeReply:
        """The seven bytes `success`, or anything else to be told again."""
        return NoticeReply(200, "text/plain", b"success") if accepted else NoticeReply(400, "text/plain", b"fail")

    def bill(self, day: date) -> Iterator[BillRow]:
        """The trades of a day. The address is good for 30 seconds and needs no signature; the file has none either."""
        now = from_timestamp(self._clock())
        method = "alipay.data.dataservice.bill.downloadurl.query"
        content: dict[str, object] = {"bill_type": "trade", "bill_date": day.isoformat()}
        try:
            document = self._call(method, content, unsigned=GatewayUnknown)
        except GatewayRefused as refused:
            if refused.code not in transformers.BILL_NOT_EXIST:
                raise
            if is_believed_absent(day, now):
                return iter(())
            raise BillNotReady(f"{method}: {refused.code}") from refused
        try:
            url = text_of(document, "bill_download_url")
        except ValueError as error:
            raise GatewayUnknown(f"{method}: {error}") from error
        if not is_safe_url(url, like=self._url):
            raise BillBroken("the address of the bill is not https")
        file = scratch()
        try:
            reply = self._http.download(url, file, most=MOST_PACKED, total=DOWNLOAD_SECONDS)
            if reply.status != 200:
                raise GatewayUnknown(f"{method}: the download answered HTTP {reply.status}")
            return bill.rows(bill.details(file), merchant=self._merchant)
        except (NothingSent, NoAnswer) as error:
            raise GatewayUnavailable(f"{method}: {error}") from error

    def _notice(self, fields: Mapping[str, str]) -> Notice:
        event_id = fields["notify_id"]
        if fields["notify_type"] != "trade_status_sync":
            return Notice(event_id)
        if transformers.is_refund_notice(fields):
            return Notice(event_id, refund=transformers.refund_noticed(fields))
        return Notice(
            event_id,
            payment=transformers.payment_result(
                fields, paid_at="gmt_payment", merchant=text_of(fields, "seller_id"), app=fields["app_id"]
            ),
        )

    def _opened(self, method: str, field: str, content: dict[str, object], notify_url: str) -> str:
        document = self._call(method, content, unsigned=GatewayUnavailable, notify_url=notify_url)
        try:
            _same(document, "out_trade_no", str(content["out_trade_no"]))
            return text_of(document, field)
        except ValueError as error:
            raise GatewayUnknown(f"{method}: {error}") from error

    def _call(
        self, method: str, content: dict[str, object], *, unsigned: type[GatewayError], notify_url: str = ""
    ) -> dict[str, object]:
        """Ask, verify, and return the node of a success; `unsigned` is what an error without a signature means."""
        document, signed = self._ask(method, _biz_content(content), notify_url=notify_url)
        return transformers.success(method, document, signed=signed, unsigned=unsigned)

    def _ask(self, method: str, asked: Mapping[str, str], *, notify_url: str = "") -> tuple[dict[str, object], bool]:
        """Ask, verify, and return the node that answers, with whether it is signed.

        As the official SDKs do: what is common to all calls goes into the URL, where the gateway finds the charset
        before it reads the body; what is `asked` goes into the body.
        """
        parameters = self._parameters(method, asked, notify_url=notify_url)
        body = urlencode({name: parameters.pop(name) for name in asked}).encode("ascii")
        try:
            reply = self._http.request("POST", f"{self._url}?{urlencode(parameters)}", headers=_HEADERS, body=body)
        except NothingSent as error:
            raise GatewayUnavailable(f"{method}: {error}") from error
        except NoAnswer as error:
            raise GatewayUnknown(f"{method}: {error}") from error
        if reply.status != 200:
            raise GatewayUnknown(f"{method}: HTTP {reply.status}")
        try:
            node = transformers.reply_node(reply.body, method)
            document = read_object(node.text)
        except ValueError as error:
            raise GatewayUnknown(f"{method}: {error}") from error
        signed = bool(node.signature)
        if signed and not signing.verify(self._key_of(node), node.text.encode("utf-8"), node.signature):
            raise GatewayUnknown(f"{method}: wrong signature on the reply")
        return document, signed

    def _key_of(self, node: transformers.ReplyNode) -> RSAPublicKey:
        """Alipay's key: of several certificates, that of the one which the reply names. Raises `GatewayKeyUnknown`."""
        named = node.certificate if self._certificates else ""
        if (key := self._keys.get(named)) is None:
            raise GatewayKeyUnknown(f"alipay_cert_sn {named[:32]!r} is not that of alipay_public_cert")
        return key

    def _keys_of_notice(self, fields: Mapping[str, str]) -> list[RSAPublicKey]:
        """Those that a notice may be signed with: where it names a certificate, that one's alone.

        Anybody can post a notice, so a name that we do not know is refused like a wrong signature, and alarms nobody.
        """
        named = fields.get("alipay_cert_sn", "") if self._certificates else ""
        return [key for serial, key in self._keys.items() if named in ("", serial)]

    def _parameters(
        self, method: str, asked: Mapping[str, str], *, notify_url: str = "", return_url: str = ""
    ) -> dict[str, str]:
        """The signed request: empty values take no part in it."""
        parameters = {
            "app_id": self._app,
            "method": method,
            "format": "JSON",
            "charset": CHARSET,
            "sign_type": SIGN_TYPE,
            "timestamp": transformers.time_text(china_time(from_timestamp(self._clock()))),
            "version": "1.0",
            "notify_url": notify_url,
            "return_url": return_url,
            "app_cert_sn": self._certificates.app if self._certificates else "",
            "alipay_root_cert_sn": self._certificates.root if self._certificates else "",
            **asked,
        }
        parameters = {name: value for name, value in parameters.items() if value}
        text = transformers.canonical_text(parameters)
        return parameters | {"sign": signing.sign(self._private_key, text.encode("utf-8"))}


def _public_key(config: Mapping[str, object], private_key: RSAPrivateKey) -> RSAPublicKey:
    key = read_public_key(config, "alipay_public_key")
    if key == private_key.public_key():
        raise GatewayMisconfigured("alipay_public_key is the application's own public key, not Alipay's")
    return key


def _biz_content(content: dict[str, object]) -> dict[str, str]:
    return {"biz_content": write_object(content).decode("utf-8")}


def _same(document: Mapping[str, object], name: str, ours: str) -> None:
    """A signed reply says nothing of when it was given, so it must at least be about our number."""
    if document.get(name) != ours:
        raise ValueError(f"the answer is about another {name}")
