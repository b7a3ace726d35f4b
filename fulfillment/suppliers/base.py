"""What every supplier adapter speaks: plain values in, plain values out, no models.

An adapter is a folder `fulfillment/suppliers/<code>/` with `adapter.py` (where and how to call) and `transformers.py`
(their words to ours), and one line in `fulfillment/suppliers/registry.py`. An adapter decides nothing: it says which of
these ends a call had. Whatever it cannot place for certain is `UNKNOWN`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Protocol

from fulfillment.suppliers.reasons import Reason
from kameng.core.http import HttpClient


class Capability(StrEnum):
    """What a protocol can do; the services ask nothing of a supplier that is not listed."""

    QUERY_BY_OUR_NUMBER = "query_by_our_number"
    REPEAT_RETURNS_SAME = "repeat_returns_same"
    CANCEL = "cancel"
    COST_GUARD = "cost_guard"
    CALLBACK_SIGNED = "callback_signed"
    CALLBACK_COVERS_RESULT = "callback_covers_result"
    MAY_REVERSE = "may_reverse"
    #: Nobody else is asked: what is bought is committed, or undone, together with the decision to buy it.
    SAME_DATABASE = "same_database"
    #: `products` lists what there is, with prices and stock.
    CATALOG = "catalog"
    #: `price` says what one piece costs now.
    PRICE = "price"
    #: `balance` says what we have there: also the harmless question by which we see whether anybody answers.
    BALANCE = "balance"
    #: `check_account` says whether goods can arrive there, before anybody pays.
    ACCOUNT_CHECK = "account_check"
    #: A person delivers: there is nobody to call.
    MANUAL = "manual"


class OutcomeKind(StrEnum):
    """How one call to a supplier ended.

    Only `NOT_SENT`, `REFUSED` and `FAILED` allow buying elsewhere; `NOT_FOUND` does after the protocol's grace time,
    twice, at least a minute apart; everything that cannot be placed is `UNKNOWN`.
    """

    NOT_SENT = "not_sent"
    REFUSED = "refused"
    FAILED = "failed"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    PARTIAL = "partial"
    REVERSED = "reversed"
    NOT_FOUND = "not_found"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Outcome:
    """The end of one call. `items` are codes in clear, never to be logged; `evidence` is safe to store and show.

    `cost` is that of the whole attempt, in the connection's currency.
    """

    kind: OutcomeKind
    items: tuple[str, ...] = field(default=(), repr=False)
    #: With `PARTIAL`: how many units arrived for good; the supplier will deliver no more of them. None where what
    #: arrived cannot be told in units, such as a part of a phone's credit: then a person decides.
    done: int | None = None
    supplier_reference: str = ""
    code: str = ""
    message: str = ""
    cost: Decimal | None = None
    evidence: str = ""
    #: The refusal means that no order can succeed here now (credentials, balance): stop using the supplier and alert.
    eliminates: bool = False


@dataclass(frozen=True)
class Attempt:
    """One attempt to buy. `reference` is ours, 19 characters, and never used for anything else."""

    reference: str
    sku: str
    quantity: int
    account: Mapping[str, str]
    #: The most that the whole attempt may cost us, in the connection's currency.
    max_cost: Decimal | None
    callback_url: str
    supplier_reference: str = ""
    #: False for goods that arrive at an account, True where codes come back.
    wants_codes: bool = False


@dataclass(frozen=True)
class CallbackClaim:
    """What a callback says. It names an attempt by our reference; `outcome` counts only where the protocol's signature
    covers the result, otherwise the supplier is asked."""

    reference: str
    event_id: str
    outcome: Outcome | None = None


@dataclass(frozen=True)
class SupplierProduct:
    """A line of a supplier's price list. `cost` of one piece in the connection's currency, None where it is not told:
    a missing price is never zero. `stock` is None where there is no limit, or none is told."""

    sku: str
    name: str
    cost: Decimal | None
    stock: int | None = None
    is_available: bool = True


@dataclass(frozen=True)
class ProductPage:
    """A part of the price list; `next_cursor` is where it goes on, empty at its end."""

    products: tuple[SupplierProduct, ...]
    next_cursor: str = ""


class AccountVerdict(StrEnum):
    """Whether goods can arrive at an account. `UNAVAILABLE` says nothing about it, and stops nobody from buying."""

    OK = "ok"
    NOT_FOUND = "not_found"
    NO_ROLE = "no_role"
    WRONG_REGION = "wrong_region"
    LIMIT_REACHED = "limit_reached"
    ABNORMAL = "abnormal"
    RESTRICTED = "restricted"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True)
class AccountCheck:
    """What a supplier says about an account; `nickname` as it says it, to be masked before it is shown."""

    verdict: AccountVerdict
    nickname: str = ""


class SupplierSilent(Exception):
    """A question that moves nothing got no answer that can be read. `str()` says why, without secrets."""


class CallbackRefused(Exception):
    """A callback that is forged, malformed or meant for somebody else. `str()` is the reason, without secrets."""


class SupplierMisconfigured(Exception):
    """The connection's configuration is incomplete."""


class StockRoom(Protocol):
    """Our own shelf, for the adapter that sells from it: gives a reference the same codes however often it asks."""

    def take(self, *, reference: str, sku: str, quantity: int) -> Sequence[str] | None:
        """Codes for the reference, or None if there are too few."""

    def given(self, *, reference: str) -> Sequence[str]:
        """Codes that the reference was given before; empty if none."""


class PlanDesk(Protocol):
    """Our own desk for the adapter that sells plans: opens a shop, or prolongs one, for an application."""

    def carry_out(self, *, reference: str, application: str, sku: str, paid: Decimal) -> str:
        """Do what was applied for, once however often it is asked; why it cannot be done, or nothing. What it has begun
        is undone where it cannot."""

    def is_done(self, *, reference: str, application: str) -> bool:
        """Whether it was done for this reference."""


@dataclass(frozen=True)
class Connection:
    """One supplier as configured: where it answers and with which secrets."""

    supplier: str
    base_url: str
    config: Mapping[str, str] = field(default_factory=dict, repr=False)
    #: ISO 4217; every amount that an adapter takes or gives is in it.
    currency: str = "CNY"
    stock_room: StockRoom | None = None
    plan_desk: PlanDesk | None = None
    clock: Callable[[], float] | None = None


class SupplierAdapter(Protocol):
    """One supplier protocol over one connection. What the other side does is returned as an `Outcome`, never raised."""

    code: ClassVar[str]
    name: ClassVar[str]
    required_config: ClassVar[frozenset[str]]

    # Class variables where the protocol settles them, the instance's where its configuration does:

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What can be asked over this connection."""

    @property
    def not_found_grace(self) -> int:
        """Seconds after submitting before "no such order" may be believed, unless the connection says otherwise."""

    @property
    def when_unclear(self) -> str:
        """What the supplier's own document advises where an answer is unclear: shown to whoever has to decide."""

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Check the configuration. Raises `SupplierMisconfigured`."""

    def submit(self, attempt: Attempt) -> Outcome:
        """Buy."""

    def query(self, attempt: Attempt) -> Outcome:
        """Ask what became of an attempt; where the protocol knows no query, repeat the same number if that is safe."""

    def cancel(self, attempt: Attempt) -> Outcome:
        """Take an attempt back; `FAILED` means that it is certainly undone."""

    def balance(self) -> Decimal | None:
        """Our money at the supplier in the connection's currency, or None if it cannot be told."""

    def products(self, cursor: str) -> ProductPage:
        """A page of the price list, the first for an empty cursor. Raises `SupplierSilent`."""

    def is_listed(self, sku: str) -> bool:
        """Whether a complete price list would speak of this sku, so that its silence means that it is not sold."""

    def price(self, sku: str) -> Decimal | None:
        """What one piece costs now; None where nobody can tell, or it cannot be bought. Raises `SupplierSilent`."""

    def check_account(self, sku: str, account: Mapping[str, str]) -> AccountCheck:
        """Whether the goods could arrive. Never raises: no answer is `UNAVAILABLE`."""

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        """Verify a raw callback. Raises `CallbackRefused`. `headers` has lower-case names."""

    def callback_reply(self, *, accepted: bool) -> tuple[int, str, bytes]:
        """Status, content type and body that the protocol expects."""


class Unasked:
    """What a protocol without these questions answers: adapters begin from here and replace what theirs can do."""

    def balance(self) -> Decimal | None:
        """Nobody can tell."""
        return None

    def products(self, cursor: str) -> ProductPage:
        """There is no list. Raises `SupplierSilent`."""
        raise SupplierSilent("no price list")

    def is_listed(self, sku: str) -> bool:
        """A list that there is, is complete."""
        return True

    def price(self, sku: str) -> Decimal | None:
        """Nobody can tell."""
        return None

    def check_account(self, sku: str, account: Mapping[str, str]) -> AccountCheck:
        """Nobody can tell."""
        return AccountCheck(AccountVerdict.UNAVAILABLE)

    def cancel(self, attempt: Attempt) -> Outcome:
        """Nothing is taken back."""
        return Outcome(OutcomeKind.UNKNOWN, code=Reason.NOT_SUPPORTED)

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        """Nobody calls back. Raises `CallbackRefused`."""
        raise CallbackRefused("no callbacks")

    def callback_reply(self, *, accepted: bool) -> tuple[int, str, bytes]:
        """There is nothing here to call."""
        return 404, "text/plain", b""
