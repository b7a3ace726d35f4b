"""WeChat Pay API v3: native (QR), h5, jsapi (`in_app.py`), query, close, refund and their notices.

What is trusted: a reply or notice signed within five minutes of our clock by a key that the configuration names, the
WeChat Pay public key (`PUB_KEY_ID_…`) or a platform certificate. Keys are never fetched: a message with an unknown
serial is refused before any work is done on it. An error without a signature (requests that WeChat Pay could not
attribute to us, load shedding) means "ask again later" for a charge and unknown for everything else.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import BinaryIO, ClassVar
from urllib.parse import quote, urlsplit

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from kameng.core.http import HttpClient, NoAnswer, NothingSent
from kameng.core.money import to_fen
from payments.gateways import signing
from payments.gateways.base import (
    BillBroken,
    BillNotReady,
    BillRow,
    Channel,
    ChargeRequest,
    ChargeResult,
    GatewayError,
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
from payments.gateways.bills import DOWNLOAD_SECONDS, MOST_PACKED, is_believed_absent, scratch, unpacked
from payments.gateways.configuration import (
    read_base_url,
    read_private_key,
    read_text,
)
from payments.gateways.documents import china_time, clip, from_timestamp, read_object, text_of, write_object
from payments.gateways.wechatpay import bill, in_app, transformers
from payments.gateways.wechatpay.in_app import read_login
from payments.gateways.wechatpay.keys import api_key, lookup, platform_keys

SIGNATURE_TYPE = "WECHATPAY2-SHA256-RSA2048"
PROBE_PREFIX = "WECHATPAY/SIGNTEST/"
CLOCK_TOLERANCE_SECONDS = 300


class WechatpayGateway:
    """One application (`appid`) of one WeChat Pay merchant (`mchid`)."""

    code: ClassVar[str] = "wechatpay"
    notice_verbs: ClassVar[frozenset[str]] = frozenset({"POST"})
    notice_is_proof: ClassVar[bool] = True
    refund_repeats: ClassVar[bool] = True
    refund_returns_fee: ClassVar[bool] = True
    wallets: ClassVar[frozenset[str]] = frozenset({"wechatpay"})
    login_code: ClassVar[str] = "code"
    required_config: ClassVar[frozenset[str]] = frozenset(
        {"appid", "mchid", "merchant_private_key", "merchant_serial", "apiv3_key", "base_url"}
    )

    def __init__(
        self, config: Mapping[str, object], http: HttpClient, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Read and check the configuration: also either `public_key_id` and `public_key`, or `platform_certificates`;
        and `app_secret`, where shoppers pay inside WeChat.

        Raises `GatewayMisconfigured`; an empty key is never accepted.
        """
        self._app = read_text(config, "appid")
        self._merchant = read_text(config, "mchid")
        self._private_key = read_private_key(config, "merchant_private_key")
        self._serial = read_text(config, "merchant_serial")
        self._cipher = AESGCM(api_key(config))
        self._keys, self._wanted_serial = platform_keys(config)
        self._url = read_base_url(config)
        self._login = read_login(config, http, app=self._app)
        self._path_prefix = urlsplit(self._url).path
        self._origin = self._url.removesuffix(self._path_prefix)
        self._http = http
        self._clock = clock

    @property
    def merchant(self) -> str:
        """WeChat Pay's `mchid`."""
        return self._merchant

    @property
    def app(self) -> str:
        """WeChat Pay's `appid`."""
        return self._app

    @property
    def channels(self) -> frozenset[Channel]:
        """Inside WeChat only where we may ask who the shopper is."""
        inside = {Channel.JSAPI} if self._login is not None else set()
        return frozenset({Channel.QR, Channel.H5} | inside)

    def login_url(self, *, return_url: str, state: str) -> str:
        """Where WeChat is asked for the shopper's openid."""
        return self._application.url(return_url=return_url, state=state)

    def payer_of(self, code: str) -> str:
        """The shopper's openid."""
        return self._application.openid(code)

    def is_payer(self, text: str) -> bool:
        """Whether it may be an openid."""
        return in_app.is_openid(text)

    @property
    def _application(self) -> in_app.Login:
        if self._login is None:
            raise GatewayMisconfigured("app_secret is missing")
        return self._login

    def charge(self, request: ChargeRequest) -> ChargeResult:
        """Open a payment: the text of a QR code, a page for a phone's browser that returns to `return_url`, or what a
        page inside WeChat calls."""
        body: dict[str, object] = {
            "appid": self._app,
            "mchid": self._merchant,
            "description": clip(request.subject, 127),
            "out_trade_no": request.payment,
            "time_expire": china_time(request.expires_at).isoformat(),
            "notify_url": request.notify_url,
            "amount": {"total": to_fen(request.amount), "currency": "CNY"},
        }
        match request.channel:
            case Channel.QR:
                path, field = "/v3/pay/transactions/native", "code_url"
            case Channel.H5:
                body["scene_info"] = {"payer_client_ip": request.client_ip, "h5_info": {"type": "Wap"}}
                path, field = "/v3/pay/transactions/h5", "h5_url"
            case Channel.JSAPI if request.payer:
                body["payer"] = {"openid": request.payer}
                path, field = "/v3/pay/transactions/jsapi", "prepay_id"
            case _:
                raise ValueError(f"no channel {request.channel} over WeChat Pay, or nobody to pay")
        document = self._call("POST", path, body, unsigned=GatewayUnavailable)
        try:
            place = text_of(document, field)
        except ValueError as error:
            raise GatewayUnknown(f"{path}: {error}") from error
        if request.channel is Channel.QR:
            return ChargeResult(qr=place)
        if request.channel is Channel.JSAPI:
            now, nonce = int(self._clock()), secrets.token_hex(16)
            return ChargeResult(call=in_app.call_of(self._app, place, self._private_key, now=now, nonce=nonce))
        return ChargeResult(url=f"{place}&redirect_url={quote(request.return_url, safe='')}")

    def query(self, payment: str) -> PaymentResult:
        """What became of our number."""
        path = f"/v3/pay/transactions/out-trade-no/{quote(payment, safe='')}?mchid={quote(self._merchant, safe='')}"
        try:
            document = self._call("GET", path)
        except GatewayRefused as refused:
            if refused.code in transformers.ORDER_NOT_EXIST:
                return PaymentResult(payment=payment, status=GatewayStatus.MISSING)
            raise
        try:
            result = transformers.payment_result(document)
        except ValueError as error:
            raise GatewayUnknown(f"{path}: {error}") from error
        if result.payment != payment:
            raise GatewayUnknown(f"{path}: the answer is about another order")
        return result

    def close(self, payment: str) -> PaymentResult:
        """Query, close, and query again where the close was refused: the shopper may have paid in between."""
        result = self.query(payment)
        if result.status is not GatewayStatus.PENDING:
            return result
        path = f"/v3/pay/transactions/out-trade-no/{quote(payment, safe='')}/close"
        try:
            self._call("POST", path, {"mchid": self._merchant})
        except GatewayRefused:
            result = self.query(payment)
            if result.status is GatewayStatus.PENDING:
                raise
            return result
        return PaymentResult(
            payment=payment, status=GatewayStatus.CLOSED, merchant=result.merchant, app=result.app, raw=result.raw
        )

    def refund(self, request: RefundRequest) -> RefundResult:
        """Return money under `out_refund_no`; a reply is an acceptance, seldom the end. Repeat with the same number."""
        body: dict[str, object] = {
            "out_trade_no": request.payment,
            "out_refund_no": request.refund,
            "amount": {"refund": to_fen(request.amount), "total": to_fen(request.total), "currency": "CNY"},
        }
        if request.reason:
            body["reason"] = clip(request.reason, 80)
        if request.notify_url:
            body["notify_url"] = request.notify_url
        path = "/v3/refund/domestic/refunds"
        document = self._call("POST", path, body)
        return self._refund_result(path, document, payment=request.payment, refund=request.refund)

    def refund_query(self, *, payment: str, refund: str) -> RefundResult:
        """What became of a refund."""
        path = f"/v3/refund/domestic/refunds/{quote(refund, safe='')}"
        try:
            document = self._call("GET", path)
        except GatewayRefused as refused:
            if refused.code in transformers.REFUND_NOT_EXIST:
                return RefundResult(refund=refund, status=RefundStatus.MISSING, payment=payment)
            raise
        return self._refund_result(path, document, payment=payment, refund=refund)

    def verify_notice(self, *, headers: Mapping[str, str], body: bytes) -> Notice:
        """Check a notice's signature, time and seal. Raises `NoticeRefused`.

        Merchant, application and currency of a payment are left to the caller to match; a refund, which has no room for
        them, is refused if it is another merchant's.
        """
        try:
            self._verify(headers, body)
            document = read_object(body)
            event_id, event_type = text_of(document, "id"), text_of(document, "event_type")
            if event_type.startswith("TRANSACTION."):
                order = transformers.open_resource(self._cipher, document, original_type="transaction")
                return Notice(event_id, payment=transformers.payment_result(order))
            if event_type.startswith("REFUND."):
                refund = transformers.open_resource(self._cipher, document, original_type="refund")
                if text_of(refund, "mchid") != self._merchant:
                    raise NoticeRefused("meant for another merchant")
                return Notice(event_id, refund=transformers.refund_result(refund, state="refund_status"))
            return Notice(event_id)
        except ValueError as error:
            raise NoticeRefused(str(error)) from error

    def notice_reply(self, *, accepted: bool) -> NoticeReply:
        """204 without a body, or 400 with a reason, to be told again."""
        if accepted:
            return NoticeReply(204, "application/json", b"")
        return NoticeReply(400, "application/json", write_object({"code": "FAIL", "message": "refused"}))

    def bill(self, day: date) -> Iterator[BillRow]:
        """All trades and refunds of a day. The file is not signed, but its hash is in the signed reply."""
        now = from_timestamp(self._clock())
        path = f"/v3/bill/tradebill?bill_date={day.isoformat()}&bill_type=ALL&tar_type=GZIP"
        try:
            document = self._call("GET", path)
        except GatewayRefused as refused:
            if refused.code == transformers.BILL_IN_THE_MAKING:
                raise BillNotReady(refused.code) from refused
            if refused.code not in transformers.BILL_NOT_EXIST:
                raise
            if is_believed_absent(day, now):
                return iter(())
            raise BillNotReady(refused.code) from refused
        try:
            url, algorithm, told = (text_of(document, name) for name in ("download_url", "hash_type", "hash_value"))
        except ValueError as error:
            raise GatewayUnknown(f"{path}: {error}") from error
        if algorithm != "SHA1":
            raise BillBroken(f"a hash of an unknown kind: {algorithm[:16]!r}")
        file = scratch()
        self._fetch(url, file)
        if unpacked(file).digest("sha1") != told.lower():
            raise BillBroken("the file is not what its hash says")
        return bill.rows(unpacked(file), merchant=self._merchant)

    def _fetch(self, url: str, to: BinaryIO) -> None:
        """A file, asked for with our signature, which is nobody else's to see."""
        parts = urlsplit(url)
        if f"{parts.scheme}://{parts.netloc}" != self._origin:
            raise BillBroken("the address of the bill is another host's")
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        headers = {"Authorization": self._authorization("GET", target, b""), "Accept": "application/json"}
        try:
            reply = self._http.download(url, to, most=MOST_PACKED, total=DOWNLOAD_SECONDS, headers=headers)
        except (NothingSent, NoAnswer) as error:
            raise GatewayUnavailable(f"{parts.path}: {error}") from error
        if reply.status != 200:
            raise GatewayUnknown(f"{parts.path}: HTTP {reply.status}")

    def _call(
        self,
        method: str,
        path: str,
        content: dict[str, object] | None = None,
        *,
        unsigned: type[GatewayError] = GatewayUnknown,
    ) -> dict[str, object]:
        """Ask, verify, return the document of a success ({} for 204); `unsigned` is what an unsigned error means."""
        target = self._path_prefix + path
        body = b"" if content is None else write_object(content)
        headers = {
            "Authorization": self._authorization(method, target, body),
            "Accept": "application/json",
            "Wechatpay-Serial": self._wanted_serial,
        }
        if content is not None:
            headers["Content-Type"] = "application/json"
        try:
            reply = self._http.request(method, self._origin + target, headers=headers, body=body)
        except NothingSent as error:
            raise GatewayUnavailable(f"{path}: {error}") from error
        except NoAnswer as error:
            raise GatewayUnknown(f"{path}: {error}") from error
        if reply.status >= 500 or reply.status == 202:
            raise GatewayUnknown(f"{path}: HTTP {reply.status}")
        if reply.status >= 400 and "wechatpay-signature" not in reply.headers:
            raise unsigned(f"{path}: HTTP {reply.status} {_refusal(reply.body)[0]} (not signed)")
        try:
            self._verify(reply.headers, reply.body)
            if reply.status < 300:
                return read_object(reply.body) if reply.body else {}
        except ValueError as error:
            raise GatewayUnknown(f"{path}: HTTP {reply.status}, {error}") from error
        code, message = _refusal(reply.body)
        if reply.status == 429:
            raise GatewayUnavailable(f"{path}: HTTP 429 {code}")
        if reply.status < 400 or not code or code == "SYSTEM_ERROR":
            raise GatewayUnknown(f"{path}: HTTP {reply.status} {code}")
        raise GatewayRefused(code, message)

    def _authorization(self, method: str, target: str, body: bytes) -> str:
        """Sign exactly the bytes that are sent."""
        timestamp, nonce = str(int(self._clock())), secrets.token_hex(16)
        message = f"{method}\n{target}\n{timestamp}\n{nonce}\n".encode() + body + b"\n"
        signature = signing.sign(self._private_key, message)
        return (
            f'{SIGNATURE_TYPE} mchid="{self._merchant}",nonce_str="{nonce}",signature="{signature}",'
            f'timestamp="{timestamp}",serial_no="{self._serial}"'
        )

    def _verify(self, headers: Mapping[str, str], body: bytes) -> None:
        """Check a reply or notice over its raw body, cheapest check first. Raises `ValueError` with the reason."""
        signature = headers.get("wechatpay-signature", "")
        if signature.startswith(PROBE_PREFIX):
            raise ValueError("a probe with a deliberately wrong signature")
        if headers.get("wechatpay-signature-type", SIGNATURE_TYPE) != SIGNATURE_TYPE:
            raise ValueError(f"the signature is not {SIGNATURE_TYPE}")
        key = self._keys.get(lookup(headers.get("wechatpay-serial", "")))
        if key is None:
            raise ValueError("a serial that is not configured")
        timestamp, nonce = headers.get("wechatpay-timestamp", ""), headers.get("wechatpay-nonce", "")
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12 and nonce.isprintable() and nonce):
            raise ValueError("no timestamp or nonce")
        if abs(int(timestamp) - self._clock()) > CLOCK_TOLERANCE_SECONDS:
            raise ValueError(f"the timestamp is more than {CLOCK_TOLERANCE_SECONDS} s from our clock")
        if not signing.verify(key, f"{timestamp}\n{nonce}\n".encode() + body + b"\n", signature):
            raise ValueError("wrong signature")

    def _refund_result(self, path: str, document: dict[str, object], *, payment: str, refund: str) -> RefundResult:
        try:
            result = transformers.refund_result(document, state="status")
        except ValueError as error:
            raise GatewayUnknown(f"{path}: {error}") from error
        if (result.payment, result.refund) != (payment, refund):
            raise GatewayUnknown(f"{path}: the answer is about another refund")
        return result


def _refusal(body: bytes) -> tuple[str, str]:
    """Code and message of an error document, empty where it is none."""
    try:
        document = read_object(body)
    except ValueError:
        return "", ""
    return str(document.get("code") or ""), str(document.get("message") or "")
