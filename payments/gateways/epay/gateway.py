"""易支付 over one merchant account of one installation: which version, which wallets, and what it can do is configured.

An installation is often an unknown third party, so a notice is no more than its word: a payment counts when a query
says the same (`notice_is_proof`). There is no expiry and no close that installations share: what was opened stays
payable.
"""

import time
from collections.abc import Callable, Mapping
from typing import ClassVar

from kameng.core.http import HttpClient
from kameng.core.money import parse_yuan
from payments.gateways.base import (
    Channel,
    ChargeRequest,
    ChargeResult,
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
from payments.gateways.configuration import read_base_url, read_flag, read_private_key, read_public_key, read_text
from payments.gateways.documents import text_of
from payments.gateways.epay import transformers
from payments.gateways.epay.versions import Md5Version, RsaVersion, Version

FORM = "application/x-www-form-urlencoded"
#: The code of a refund that a person has to make at the gateway.
NO_REFUND_CALL = "no_refund_call"


class EpayGateway:
    """One merchant (`pid`) of one installation."""

    code: ClassVar[str] = "epay"
    required_config: ClassVar[frozenset[str]] = frozenset({"base_url", "pid", "version", "types"})
    notice_verbs: ClassVar[frozenset[str]] = frozenset({"GET", "POST"})
    #: The protocol says nothing of fees; installations keep them.
    refund_returns_fee: ClassVar[bool] = False
    app: ClassVar[str] = ""

    def __init__(
        self, config: Mapping[str, object], http: HttpClient, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Read and check the configuration: also `key` (V1), or `merchant_private_key` and `platform_public_key` (V2).

        `types` are the payment types, separated by commas; `can_refund` and `can_query` say what the installation has
        (by default no and yes). Without a query, `trust_notices` must accept that notices alone bring money. Raises
        `GatewayMisconfigured`; an empty key is never accepted.
        """
        self._merchant = read_text(config, "pid")
        self._url = read_base_url(config)
        self._types = _types(config)
        self._can_refund = read_flag(config, "can_refund", default=False)
        self._can_query = read_flag(config, "can_query", default=True)
        if not self._can_query and not read_flag(config, "trust_notices", default=False):
            raise GatewayMisconfigured("without a query, trust_notices must accept that notices alone bring money")
        self._version = _version(config, self._url, self._merchant, http, clock)

    @property
    def merchant(self) -> str:
        """Epay's `pid`."""
        return self._merchant

    @property
    def wallets(self) -> frozenset[str]:
        """What the payment types are called here."""
        return frozenset(transformers.WALLETS.get(kind, kind) for kind in self._types)

    @property
    def channels(self) -> frozenset[Channel]:
        """A code needs one payment type; with several, the installation's own page lets the shopper choose."""
        channels = {Channel.H5, Channel.PAGE}
        if len(self._types) == 1:
            channels.add(Channel.QR)
        if "wxpay" in self._types:
            channels.add(Channel.JSAPI)
        return frozenset(channels)

    @property
    def notice_is_proof(self) -> bool:
        """Only where there is nothing to ask, and the operator has accepted that."""
        return not self._can_query

    @property
    def refund_repeats(self) -> bool:
        """Version 2 has a number of ours for each refund; version 1 has none."""
        return isinstance(self._version, RsaVersion)

    def charge(self, request: ChargeRequest) -> ChargeResult:
        """Open a payment: a code, or a page. With several types, the page where the shopper chooses.

        There is no expiry: the installation takes money for as long as it likes, and late money is late money.
        """
        if request.channel not in self.channels:
            raise ValueError(f"no channel {request.channel} at this account")
        parameters = {
            "pid": self._merchant,
            "type": self._types[0] if len(self._types) == 1 else "",
            "out_trade_no": request.payment,
            "notify_url": request.notify_url,
            "return_url": request.return_url,
            "name": transformers.name_text(request.subject),
            "money": transformers.amount_text(request.amount),
        }
        if request.channel is not Channel.QR:
            return ChargeResult(url=self._version.submit_url(parameters))
        parameters |= {"clientip": request.client_ip or "127.0.0.1", "device": "pc"}
        if isinstance(self._version, RsaVersion):
            parameters["method"] = "web"
        try:
            kind, place = self._version.create(parameters)
            return transformers.place_of(kind, place)
        except ValueError as error:
            raise GatewayUnknown(f"create: {error}") from error

    def query(self, payment: str) -> PaymentResult:
        """What became of our number; `MISSING` until the shopper's browser has opened the page."""
        if not self._can_query:
            raise GatewayUnavailable("this account cannot be asked")
        try:
            fields = self._version.order(payment)
        except GatewayRefused as refused:
            if transformers.is_missing(str(refused)):
                return PaymentResult(payment=payment, status=GatewayStatus.MISSING)
            raise
        try:
            result = transformers.queried_payment(fields, merchant=self._merchant)
            if result.payment != payment:
                raise ValueError("the answer is about another order")
            if result.status is GatewayStatus.CONFIRMED and result.method not in self._types:
                raise ValueError("paid by a type that this account does not have")
        except ValueError as error:
            raise GatewayUnknown(f"order: {error}") from error
        return result

    def close(self, payment: str) -> PaymentResult:
        """Nothing can be closed: `CONFIRMED` if the money came, else `MISSING`, still payable for all we know."""
        if self._can_query:
            result = self.query(payment)
            if result.status is not GatewayStatus.PENDING:
                return result
        return PaymentResult(payment=payment, status=GatewayStatus.MISSING)

    def refund(self, request: RefundRequest) -> RefundResult:
        """Return money; where the installation has no call for it, a definite no, and a person does it there."""
        if not self._can_refund:
            raise GatewayRefused(NO_REFUND_CALL, "this account's refunds are made by hand at the gateway")
        fields = self._version.refund(
            {
                "out_trade_no": request.payment,
                "trade_no": request.reference,
                "money": transformers.amount_text(request.amount),
                "out_refund_no": request.refund,
            }
        )
        try:
            if fields.get("out_trade_no", request.payment) != request.payment:
                raise ValueError("the answer is about another order")
            if fields.get("out_refund_no", request.refund) != request.refund:
                raise ValueError("the answer is about another refund")
            amount = parse_yuan(fields["money"]) if fields.get("money") and self.refund_repeats else None
        except ValueError as error:
            raise GatewayUnknown(f"refund: {error}") from error
        # Version 2 says so of what it has taken on, and its last word when asked; version 1 has no other word.
        status = RefundStatus.PENDING if self.refund_repeats else RefundStatus.SUCCEEDED
        return RefundResult(
            refund=request.refund,
            status=status,
            payment=request.payment,
            reference=fields.get("refund_no", "")[: transformers.MAX_REFERENCE],
            amount=amount,
            raw=fields,
        )

    def refund_query(self, *, payment: str, refund: str) -> RefundResult:
        """What became of a refund, at version 2."""
        try:
            fields = self._version.refund_state(refund)
        except GatewayRefused as refused:
            if transformers.is_missing(str(refused)):
                return RefundResult(refund=refund, status=RefundStatus.MISSING, payment=payment)
            # The question was refused, which says nothing of the refund.
            raise GatewayUnknown(str(refused)) from refused
        try:
            if text_of(fields, "out_refund_no") != refund:
                raise ValueError("the answer is about another refund")
            status = {"0": RefundStatus.FAILED, "1": RefundStatus.SUCCEEDED}.get(text_of(fields, "status"))
            if status is None:
                raise ValueError("an unknown status")
            amount = parse_yuan(text_of(fields, "money"))
        except ValueError as error:
            raise GatewayUnknown(f"refundquery: {error}") from error
        return RefundResult(
            refund=refund,
            status=status,
            payment=payment,
            reference=fields.get("refund_no", "")[: transformers.MAX_REFERENCE],
            amount=amount,
            code="refund_failed" if status is RefundStatus.FAILED else "",
            raw=fields,
        )

    def verify_notice(self, *, headers: Mapping[str, str], body: bytes) -> Notice:
        """Check a notice's form, signature, merchant and payment type. Raises `NoticeRefused`."""
        try:
            if not (headers.get("content-type") or FORM).lower().startswith(FORM):
                raise NoticeRefused("not a form")
            fields = transformers.notice_fields(body)
            self._version.verify(fields)
            if text_of(fields, "pid") != self._merchant:
                raise NoticeRefused("meant for another merchant")
            event_id = transformers.event_id(fields)
            if text_of(fields, "trade_status") != transformers.PAID:
                return Notice(event_id)
            result = transformers.noticed_payment(fields)
            if result.method not in self._types:
                raise NoticeRefused("a payment type that this account does not have")
            return Notice(event_id, payment=result)
        except ValueError as error:
            raise NoticeRefused(str(error)) from error

    def notice_reply(self, *, accepted: bool) -> NoticeReply:
        """The seven bytes `success`, or anything else to be told again."""
        return NoticeReply(200, "text/plain", b"success") if accepted else NoticeReply(400, "text/plain", b"fail")


def _types(config: Mapping[str, object]) -> tuple[str, ...]:
    types = tuple(dict.fromkeys(part.strip() for part in read_text(config, "types").split(",")))
    if not all(kind.isascii() and kind.isalnum() and len(kind) <= 20 for kind in types):
        raise GatewayMisconfigured("types are words separated by commas: alipay,wxpay,qqpay")
    return types


def _version(
    config: Mapping[str, object], url: str, merchant: str, http: HttpClient, clock: Callable[[], float]
) -> Version:
    match read_text(config, "version"):
        case "1":
            return Md5Version(read_text(config, "key"), url, merchant, http, clock)
        case "2":
            ours = read_private_key(config, "merchant_private_key")
            theirs = read_public_key(config, "platform_public_key")
            if theirs == ours.public_key():
                raise GatewayMisconfigured("platform_public_key is our own public key, not the platform's")
            return RsaVersion(ours, theirs, url, merchant, http, clock)
        case _:
            raise GatewayMisconfigured("version is neither 1 nor 2")
