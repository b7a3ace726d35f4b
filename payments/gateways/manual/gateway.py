"""Transfers by hand: the shopper is told an account of ours and a reference, and people look whether the money came.

There is no network. The other side is a desk (`Desk` in `payments/gateways/base.py`) at which one person writes down
what the bank shows and a second one agrees; whoever builds the adapter hands it in. Until two have agreed, a payment is
pending and so is a refund. Nothing can be closed: money may come for as long as somebody knows the account.
"""

from collections.abc import Mapping
from typing import ClassVar

from kameng.core.http import HttpClient
from payments.gateways.base import (
    Channel,
    ChargeRequest,
    ChargeResult,
    Desk,
    Gateway,
    GatewayMisconfigured,
    GatewayStatus,
    Moved,
    Notice,
    NoticeRefused,
    NoticeReply,
    PaymentResult,
    Receiving,
    RefundRequest,
    RefundResult,
    RefundStatus,
)
from payments.gateways.configuration import read_optional_text, read_text

#: What a page has room for, and a code can be scanned from.
LONGEST_TEXT, LONGEST_QR = 120, 512


class ManualGateway:
    """One account that money is transferred to."""

    code: ClassVar[str] = "manual"
    required_config: ClassVar[frozenset[str]] = frozenset({"holder"})
    notice_verbs: ClassVar[frozenset[str]] = frozenset()
    notice_is_proof: ClassVar[bool] = False
    #: The desk has each refund once, by its number.
    refund_repeats: ClassVar[bool] = True
    refund_returns_fee: ClassVar[bool] = False
    wallets: ClassVar[frozenset[str]] = frozenset({"transfer"})
    channels: ClassVar[frozenset[Channel]] = frozenset({Channel.TRANSFER})
    app: ClassVar[str] = ""

    def __init__(self, config: Mapping[str, object], http: HttpClient, *, desk: Desk | None = None) -> None:
        """Read and check the configuration: `holder`, and `bank` with `number`, or `qr` (the text of a code), or both;
        `note` is one more sentence for shoppers. Raises `GatewayMisconfigured`.
        """
        holder, bank, number, qr, note = (
            read_text(config, "holder"),
            *(read_optional_text(config, name) for name in ("bank", "number", "qr", "note")),
        )
        if bool(bank) != bool(number):
            raise GatewayMisconfigured("bank and number go together")
        if not number and not qr:
            raise GatewayMisconfigured("neither an account (bank, number) nor a code (qr)")
        if len(qr) > LONGEST_QR or max(map(len, (holder, bank, number, note))) > LONGEST_TEXT:
            raise GatewayMisconfigured(f"a text of more than {LONGEST_TEXT} characters, or a code of {LONGEST_QR}")
        self.receiving = Receiving(holder, bank, number, note)
        self._qr = qr
        self._config, self._http, self._desk = config, http, desk

    def at(self, desk: Desk) -> Gateway:
        """The same account, with people behind it."""
        return ManualGateway(self._config, self._http, desk=desk)

    @property
    def merchant(self) -> str:
        """The account's number, else whose code it is."""
        return self.receiving.number or self.receiving.holder

    def charge(self, request: ChargeRequest) -> ChargeResult:
        """The account's code to scan, if it has one; the page shows `receiving` beside our number."""
        if request.channel not in self.channels:
            raise ValueError(f"no channel {request.channel} by transfer")
        return ChargeResult(qr=self._qr)

    def query(self, payment: str) -> PaymentResult:
        """What two people agree came; until then pending, also where nobody says that anything was sent."""
        if (moved := self._people.received(payment)) is not None:
            return self.received(moved)
        return PaymentResult(payment=payment, status=GatewayStatus.PENDING)

    def close(self, payment: str) -> PaymentResult:
        """Ask. As long as somebody is to look for the money it is pending; otherwise nobody knows of any."""
        result = self.query(payment)
        if result.status is GatewayStatus.CONFIRMED or self._people.is_awaited(payment):
            return result
        return PaymentResult(payment=payment, status=GatewayStatus.MISSING)

    def refund(self, request: RefundRequest) -> RefundResult:
        """Put it before people, who send it."""
        self._people.send_back(request)
        return self.refund_query(payment=request.payment, refund=request.refund)

    def refund_query(self, *, payment: str, refund: str) -> RefundResult:
        """Whether two people agree that it was sent; `MISSING` where nobody was asked to."""
        if (moved := self._people.returned(refund)) is not None:
            return self.returned(moved, payment=payment)
        status = RefundStatus.PENDING if self._people.is_due(refund) else RefundStatus.MISSING
        return RefundResult(refund=refund, status=status, payment=payment)

    def received(self, moved: Moved) -> PaymentResult:
        """Money that came, as what a gateway confirms."""
        return PaymentResult(
            payment=moved.number,
            status=GatewayStatus.CONFIRMED,
            reference=moved.reference,
            amount=moved.amount,
            currency="CNY",
            merchant=self.merchant,
            app=self.app,
            paid_at=moved.at,
        )

    def returned(self, moved: Moved, *, payment: str) -> RefundResult:
        """Money that was sent back, as a gateway's last word on a refund."""
        return RefundResult(
            refund=moved.number,
            status=RefundStatus.SUCCEEDED,
            payment=payment,
            reference=moved.reference,
            amount=moved.amount,
        )

    def verify_notice(self, *, headers: Mapping[str, str], body: bytes) -> Notice:
        """Nobody sends any."""
        raise NoticeRefused("transfers have no notices")

    def notice_reply(self, *, accepted: bool) -> NoticeReply:
        """To whoever sent one all the same."""
        return NoticeReply(400, "text/plain", b"fail")

    @property
    def _people(self) -> Desk:
        if self._desk is None:
            raise GatewayMisconfigured("there is no desk behind this account")
        return self._desk
