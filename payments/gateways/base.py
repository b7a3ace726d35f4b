"""What every payment gateway adapter speaks: plain values in, plain values out, no models, no HTML.

An adapter is a folder `payments/gateways/<code>/` with `gateway.py` (where and how to call) and `transformers.py`
(their words to ours), and one line in `payments/gateways/registry.py`. It is built from one merchant account's
configuration and an `HttpClient`, and keeps nothing between calls. Amounts are `Decimal` yuan outside, whatever the
provider uses inside.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Protocol, runtime_checkable

from kameng.core.http import HttpClient


class Channel(StrEnum):
    """How the shopper pays: a code to scan, a page in a phone's browser, a page on a desktop, inside the app; by a
    transfer to an account that they are told."""

    QR = "qr"
    H5 = "h5"
    PAGE = "page"
    JSAPI = "jsapi"
    TRANSFER = "transfer"


class GatewayStatus(StrEnum):
    """What the gateway says of one payment. `MISSING` (it knows no such trade) means *still payable*, not failed."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CLOSED = "closed"
    MISSING = "missing"


class RefundStatus(StrEnum):
    """What the gateway says of one refund. `FAILED` is its definite last word; a person decides what follows."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    MISSING = "missing"


@dataclass(frozen=True)
class ChargeRequest:
    """Ask for one payment. `payment` is our number (`out_trade_no`); `expires_at` is aware, the last moment to pay."""

    payment: str
    amount: Decimal
    subject: str
    channel: Channel
    notify_url: str
    return_url: str
    expires_at: datetime
    client_ip: str
    #: Who pays, as the app names them to us, where it is paid inside the app (`InApp`).
    payer: str = ""


@dataclass(frozen=True)
class ChargeResult:
    """Where the shopper pays: `qr` is the text of a QR code, `url` is a page to open, `call` is what a page inside the
    app hands to the app.

    Exactly one is set, except by transfer, where `qr` may be and the page shows an account (`ByHand`).
    """

    qr: str = ""
    url: str = ""
    call: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PaymentResult:
    """What the gateway knows of a payment; every field that must match ours is here as the gateway said it."""

    payment: str
    status: GatewayStatus
    reference: str = ""
    amount: Decimal | None = None
    currency: str = ""
    merchant: str = ""
    app: str = ""
    #: By which wallet, where one gateway collects by several.
    method: str = ""
    paid_at: datetime | None = None
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class RefundRequest:
    """Return `amount` of `payment` (whose whole is `total`); `refund`, our number, keeps it from being done twice."""

    payment: str
    reference: str
    refund: str
    amount: Decimal
    total: Decimal
    reason: str
    notify_url: str


@dataclass(frozen=True)
class RefundResult:
    """What the gateway knows of a refund."""

    refund: str
    status: RefundStatus
    payment: str = ""
    reference: str = ""
    amount: Decimal | None = None
    code: str = ""
    raw: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Notice:
    """A verified notice. `event_id` is the same each time the gateway repeats it. Neither result: nothing to do."""

    event_id: str
    payment: PaymentResult | None = None
    refund: RefundResult | None = None


@dataclass(frozen=True)
class NoticeReply:
    """What to answer a notice with, to the letter of the protocol."""

    status: int
    content_type: str
    body: bytes


class BillKind(StrEnum):
    """What a row of a bill tells of."""

    PAYMENT = "payment"
    REFUND = "refund"


class BillState(StrEnum):
    """How a row of a bill stood when the bill was written; what is `OPEN` there may have ended since."""

    DONE = "done"
    OPEN = "open"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class BillRow:
    """One row of a gateway's bill, in yuan; `amount` is positive for both kinds.

    `number` is ours: the payment's, or the refund's (`payment` is the one it belongs to). `fee` is what was kept of it
    (negative: gave back), None where the bill does not say.
    """

    kind: BillKind
    number: str
    payment: str
    reference: str
    amount: Decimal
    at: datetime
    fee: Decimal | None = None
    currency: str = "CNY"
    state: BillState = BillState.DONE


class GatewayError(Exception):
    """The gateway did not do what was asked."""


class GatewayMisconfigured(GatewayError):
    """The merchant account's configuration is incomplete or a key in it cannot be read."""


class GatewayUnavailable(GatewayError):
    """Nothing was sent, or the gateway says that it did nothing: ask again later."""


class GatewayUnknown(GatewayError):
    """No reply, or one that cannot be trusted: it may have been done. Query, or repeat with the same number."""


class GatewayKeyUnknown(GatewayUnknown):
    """A reply that is signed with a key which the account's configuration does not have: for people to add it."""


class GatewayRefused(GatewayError):
    """A definite, verified refusal. `code` is the gateway's own."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code


class BillNotReady(GatewayError):
    """The gateway has not written the bill of that day yet, or does not say whether it has: ask again later."""


class BillBroken(GatewayError):
    """The bill is cut off, was changed on its way, is larger than any bill, or cannot be read: none of it counts."""


class NoticeRefused(GatewayError):
    """A notice that is forged, stale, malformed or meant for somebody else. `str()` is the reason, without secrets."""


class Gateway(Protocol):
    """One provider's protocol over one merchant account.

    Every call may raise `GatewayUnavailable`, `GatewayUnknown` or `GatewayRefused`.
    """

    code: ClassVar[str]
    required_config: ClassVar[frozenset[str]]
    #: How notices are sent: `POST`, or `GET` with everything in the query.
    notice_verbs: ClassVar[frozenset[str]]
    #: Whether it gives its fee back with what is refunded, in proportion; where not, it keeps the fee.
    refund_returns_fee: ClassVar[bool]

    def __init__(self, config: Mapping[str, object], http: HttpClient) -> None:
        """Read and check the configuration. Raises `GatewayMisconfigured`; an empty key is never accepted."""

    @property
    def channels(self) -> frozenset[Channel]:
        """How this account can be paid."""

    @property
    def wallets(self) -> frozenset[str]:
        """What shoppers pay with here, by our names: `alipay`, `wechatpay`; another gateway's may be any word."""

    @property
    def notice_is_proof(self) -> bool:
        """Whether a verified notice says that money came. Where not, it is believed if `query` says the same."""

    @property
    def refund_repeats(self) -> bool:
        """Whether a refund sent twice under one number moves money once. Where not, an unclear end is for people."""

    @property
    def merchant(self) -> str:
        """Who is paid, as the gateway names them in results (seller_id, mchid)."""

    @property
    def app(self) -> str:
        """The application that asked, as the gateway names it in results (app_id, appid)."""

    def charge(self, request: ChargeRequest) -> ChargeResult:
        """Open a payment. Asking again with the same request is safe."""

    def query(self, payment: str) -> PaymentResult:
        """What became of our number."""

    def close(self, payment: str) -> PaymentResult:
        """Make the payment impossible; `CONFIRMED` if the money came first, `CLOSED` or `MISSING` otherwise."""

    def refund(self, request: RefundRequest) -> RefundResult:
        """Return money. The same refund number moves money once, however often it is sent, if `refund_repeats`."""

    def refund_query(self, *, payment: str, refund: str) -> RefundResult:
        """What became of a refund."""

    def verify_notice(self, *, headers: Mapping[str, str], body: bytes) -> Notice:
        """Check signature, time and form of a raw notice. Raises `NoticeRefused`. `headers` has lower-case names."""

    def notice_reply(self, *, accepted: bool) -> NoticeReply:
        """The answer that makes the gateway stop (or go on) repeating itself."""


@runtime_checkable
class Vetted(Protocol):
    """What a gateway has besides if more of its keys can be checked when they are configured than in use."""

    @staticmethod
    def vet(config: Mapping[str, object], *, now: datetime) -> None:
        """Look at keys that the adapter can read. Raises `GatewayMisconfigured`, which says what is wrong."""


@runtime_checkable
class Billing(Protocol):
    """What a gateway can do besides, if it writes bills: an adapter without this method has none."""

    def bill(self, day: date) -> Iterator[BillRow]:
        """All that was paid and returned on a day of China's calendar, whole or not at all.

        The bill is fetched and checked before the first row is given out, and read as a stream; what its totals show to
        be missing is found with the last row. Raises `BillNotReady`, `BillBroken` (also while rows are read), and what
        every call may raise.
        """


@dataclass(frozen=True, slots=True)
class Receiving:
    """Whom shoppers transfer money to: `bank` and `number` may be empty where there is a code to scan."""

    holder: str
    bank: str = ""
    number: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Moved:
    """A movement on an account, as two people agree on it: for our `number`, under the bank's `reference`, in yuan."""

    number: str
    reference: str
    amount: Decimal
    at: datetime


class Desk(Protocol):
    """The other side of a gateway without a network: people, and what they have written down about one account."""

    def received(self, payment: str) -> Moved | None:
        """The money for a payment, once two people agree that it came."""

    def is_awaited(self, payment: str) -> bool:
        """Whether somebody says that it was sent, or came, and that is not settled."""

    def send_back(self, request: RefundRequest) -> None:
        """Ask for a refund to be sent: once for its number, however often."""

    def returned(self, refund: str) -> Moved | None:
        """What was sent back, once two people agree on it."""

    def is_due(self, refund: str) -> bool:
        """Whether a refund is before people who have not sent it, or not agreed that they have."""


@runtime_checkable
class ByHand(Protocol):
    """What a gateway has besides if people do what others do by calls."""

    receiving: Receiving

    def at(self, desk: Desk) -> Gateway:
        """The gateway with people behind it: what it answers is what they say. Without them it only reads its keys."""

    def received(self, moved: Moved) -> PaymentResult:
        """Money that came, as what a gateway confirms."""

    def returned(self, moved: Moved, *, payment: str) -> RefundResult:
        """Money that was sent back, as a gateway's last word on a refund."""


@runtime_checkable
class InApp(Protocol):
    """What a gateway has besides if inside its app only somebody can pay whom the app has named to us (`JSAPI`)."""

    #: What the code is called in the address with which a shopper comes back.
    login_code: ClassVar[str]

    def login_url(self, *, return_url: str, state: str) -> str:
        """Where to send a shopper, who comes back to `return_url` with a code and our `state`."""

    def payer_of(self, code: str) -> str:
        """Whom a code names. It counts once. Raises `GatewayError`."""

    def is_payer(self, text: str) -> bool:
        """Whether it may be such a name."""
