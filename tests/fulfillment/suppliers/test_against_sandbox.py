"""Each adapter end to end against the sandbox: another process with its own book, written from the same documents.

What adapter and book say must agree, above all on how often money was taken.
"""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from fulfillment.suppliers.base import (
    Attempt,
    CallbackRefused,
    Capability,
    Connection,
    Outcome,
    OutcomeKind,
    SupplierAdapter,
)
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.registry import adapter_class
from kameng.core.http import HttpClient
from kameng.core.ids import random_id
from tests.fulfillment.suppliers.every_side import ONE_AT_A_TIME, REFUSES_FOR

WAIT_SECONDS = 10
SKU = "10001"
#: What is sold for an account and as codes, where the protocol has a form for that.
SKUS = {"reloadly": ("CN:86:10", "10001:25")}
CURRENCIES = {"reloadly": "USD"}
WRONG_ACCOUNT = "00000000"
#: Where canceling twice is canceling once; elsewhere the second time is told that it comes too late.
CANCELS_AGAIN = frozenset({"kameng"})


@dataclass
class Doorbell:
    """The shop's webhook: keeps what was posted, says what the adapter says."""

    rung: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    reply: Callable[[], tuple[int, str, bytes]] = lambda: (200, "text/plain", b"success")

    def __post_init__(self) -> None:
        doorbell = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                doorbell.rung.append(({name.lower(): value for name, value in self.headers.items()}, body))
                status, content_type, said = doorbell.reply()
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def take_down(self) -> None:
        """Nobody hears it any more."""
        self._server.shutdown()
        self._server.server_close()


@dataclass
class Sandbox:
    """The process, and its control endpoints."""

    url: str
    folder: Path

    def control(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"{self.url}/_control/{path}", data, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as reply:
            return json.load(reply)


@dataclass
class Supplier:
    """One of its suppliers and our adapter to it."""

    code: str
    protocol: str
    adapter: SupplierAdapter
    sandbox: Sandbox
    #: This test's own: what the one before it bought may still ring.
    doorbell: Doorbell

    def behave(self, **how: Any) -> None:
        self.sandbox.control(f"suppliers/{self.code}", how)

    @property
    def skus(self) -> tuple[str, str]:
        return SKUS.get(self.protocol, (SKU, SKU))

    def price(self, price: str) -> None:
        self.sandbox.control(f"suppliers/{self.code}/prices", dict.fromkeys(self.skus, price))

    def booked(self, attempt: Attempt) -> dict[str, Any] | None:
        rows = self.sandbox.control(f"suppliers/{self.code}/book")
        found: list[dict[str, Any]] = [row for row in rows if row["reference"] == attempt.reference]
        assert len(found) <= 1
        return found[0] if found else None

    def attempt(self, *, codes: int = 0, **changes: Any) -> Attempt:
        codes = 0 if self.code == "tongxin" else codes
        if self.protocol in ONE_AT_A_TIME:
            codes = min(codes, 1)
        fresh = Attempt(
            reference=random_id(19),
            sku=self.skus[1 if codes else 0],
            quantity=codes or 1,
            account={} if codes else {"uid": "482019375", "server": "手Q一百二十区", "phone": "13812345678"},
            max_cost=Decimal(57 * (codes or 1)),
            callback_url=f"{self.doorbell.url}/webhooks/suppliers/{self.code}/",
            wants_codes=bool(codes),
        )
        return replace(fresh, **changes)

    def can(self, capability: Capability) -> bool:
        return capability in self.adapter.capabilities

    def settled(self, attempt: Attempt, outcome: Outcome) -> Outcome:
        """Ask as the services do, until there is an end."""
        end = time.monotonic() + WAIT_SECONDS
        while outcome.kind in {OutcomeKind.ACCEPTED, OutcomeKind.UNKNOWN} and time.monotonic() < end:
            time.sleep(0.05)
            known = outcome.supplier_reference or attempt.supplier_reference
            attempt = replace(attempt, supplier_reference=known)
            outcome = self.adapter.query(attempt)
        return outcome


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    folder = tmp_path_factory.mktemp("sandbox")
    command = [sys.executable, "-m", "kameng.sandbox", "--port", "0", "--folder", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "the sandbox did not start"
        where = json.loads((folder / "sandbox.json").read_text())
        yield Sandbox(where["url"], folder)
    finally:
        process.terminate()
        process.wait(10)


#: One for each protocol. `tongxin` charges phones only: where a test buys codes by the way, it buys credit there.
CODES = ("xinghe", "yunka", "shanhe", "yuanyang", "haitang", "qingshan")
EVERYBODY = (*CODES, "tongxin")
codes_only = pytest.mark.parametrize("supplier", CODES, indirect=True)


@pytest.fixture(params=EVERYBODY)
def supplier(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[Supplier]:
    sandbox.control("reset", {})
    told = json.loads((sandbox.folder / "suppliers" / f"{request.param}.json").read_text())
    http = HttpClient(connect=1, read=1, total=3)
    connection = Connection(request.param, told["base_url"], told["config"], told["currency"])
    adapter = adapter_class(told["protocol"])(connection, http)
    doorbell = Doorbell(reply=lambda: adapter.callback_reply(accepted=True))
    # For protocols that ring where they were told once; the others are told with each order.
    sandbox.control(
        f"suppliers/{request.param}", {"callback_url": f"{doorbell.url}/webhooks/suppliers/{request.param}/"}
    )
    yield Supplier(request.param, told["protocol"], adapter, sandbox, doorbell)
    doorbell.take_down()
    http.close()


def test_goods_arrive_at_an_account(supplier: Supplier) -> None:
    attempt = supplier.attempt()
    submitted = supplier.adapter.submit(attempt)
    assert submitted.kind is OutcomeKind.ACCEPTED
    outcome = supplier.settled(attempt, submitted)
    assert (outcome.kind, outcome.items) == (OutcomeKind.DELIVERED, ())
    booked = supplier.booked(attempt)
    assert booked is not None
    assert (booked["times"], booked["state"], booked["sku"]) == (1, "succeeded", attempt.sku)


@codes_only
@pytest.mark.parametrize("quantity", [1, 3])
def test_the_codes_in_their_book_are_the_codes_we_get(supplier: Supplier, quantity: int) -> None:
    supplier.price("12.50")
    attempt = supplier.attempt(codes=quantity)
    outcome = supplier.settled(attempt, supplier.adapter.submit(attempt))
    assert outcome.kind is OutcomeKind.DELIVERED
    booked = supplier.booked(attempt)
    assert booked is not None
    assert list(outcome.items) == booked["codes"]
    assert (booked["times"], booked["quantity"]) == (1, attempt.quantity)
    assert outcome.cost == Decimal(booked["charged"]) == Decimal("12.50") * attempt.quantity
    assert not any(code in outcome.evidence + repr(outcome) for code in outcome.items)


@pytest.mark.parametrize(
    ("reason", "code", "eliminates"),
    [
        ("stock", {Reason.OUT_OF_STOCK}, False),
        ("product", {Reason.PRODUCT_UNAVAILABLE}, False),
        ("price", {Reason.PRICE_ABOVE_LIMIT, Reason.PRODUCT_UNAVAILABLE}, False),
        ("account", {Reason.BAD_ACCOUNT, Reason.BAD_REQUEST}, False),
        ("balance", {Reason.NO_BALANCE}, True),
        ("credentials", {Reason.BAD_CREDENTIALS}, True),
    ],
)
def test_a_refusal_charges_nothing(supplier: Supplier, reason: str, code: set[Reason], eliminates: bool) -> None:
    supplier.behave(mode="reject", reason=reason)
    attempt = supplier.attempt()
    outcome = supplier.adapter.submit(attempt)
    assert (outcome.kind, outcome.eliminates) == (OutcomeKind.REFUSED, eliminates)
    assert outcome.code in code or (reason == "stock" and outcome.code == REFUSES_FOR.get(supplier.protocol))
    assert supplier.booked(attempt) is None


@pytest.mark.parametrize(
    "how",
    [
        {"mode": "charge_then_500"},
        {"mode": "charge_then_reset"},
        {"mode": "malformed", "variant": "html"},
        {"mode": "malformed", "variant": "truncated"},
        {"mode": "malformed", "variant": "empty"},
        {"mode": "slow", "latency_ms": 1300},
        {"mode": "flood"},
    ],
    ids=lambda how: "-".join(map(str, how.values())),
)
@pytest.mark.parametrize("codes", [0, 2])
def test_a_purchase_without_a_clear_reply_is_found_again_and_charged_once(
    supplier: Supplier, how: dict[str, Any], codes: int
) -> None:
    supplier.behave(**how)
    attempt = supplier.attempt(codes=codes)
    submitted = supplier.adapter.submit(attempt)
    assert (submitted.kind, submitted.items) == (OutcomeKind.UNKNOWN, ())
    booked = supplier.booked(attempt)
    assert booked is not None
    assert booked["times"] == 1
    if how["mode"] in ("malformed", "flood"):
        assert supplier.adapter.query(attempt).kind is OutcomeKind.UNKNOWN
    supplier.behave(mode="ok")
    outcome = supplier.settled(attempt, submitted)
    assert outcome.kind is OutcomeKind.DELIVERED
    booked = supplier.booked(attempt)
    assert booked is not None
    assert booked["times"] == 1
    assert list(outcome.items) == booked["codes"]


@codes_only
def test_too_few_codes_are_no_delivery(supplier: Supplier) -> None:
    supplier.behave(mode="malformed", variant="few")
    attempt = supplier.attempt(codes=2)
    too_few = Reason.WRONG_COUNT if attempt.quantity == 2 else Reason.EMPTY_CODE
    submitted = supplier.adapter.submit(attempt)
    time.sleep(0.5)
    outcome = supplier.adapter.query(replace(attempt, supplier_reference=submitted.supplier_reference))
    assert (outcome.kind, outcome.code, outcome.items) == (OutcomeKind.UNKNOWN, too_few, ())


@codes_only
def test_a_code_of_another_order_looks_like_any_other_here(supplier: Supplier) -> None:
    first, second = supplier.attempt(codes=1), supplier.attempt(codes=1)
    supplier.settled(first, supplier.adapter.submit(first))
    supplier.behave(mode="dup_code")
    outcome = supplier.settled(second, supplier.adapter.submit(second))
    booked = supplier.booked(first)
    assert booked is not None
    assert list(outcome.items) == booked["codes"]  # only the shop knows its other orders


def test_a_late_delivery_is_waited_for(supplier: Supplier) -> None:
    supplier.behave(mode="async", latency_ms=700)
    attempt = supplier.attempt(codes=1)
    submitted = supplier.adapter.submit(attempt)
    known = replace(attempt, supplier_reference=submitted.supplier_reference)
    assert submitted.kind is OutcomeKind.ACCEPTED
    assert supplier.adapter.query(known).kind is OutcomeKind.ACCEPTED
    assert supplier.settled(attempt, submitted).kind is OutcomeKind.DELIVERED


def calls_back(supplier: Supplier) -> None:
    if Capability.CALLBACK_SIGNED not in supplier.adapter.capabilities:
        pytest.skip("this protocol calls nobody back")


def test_a_callback_before_the_reply_names_the_attempt(supplier: Supplier) -> None:
    calls_back(supplier)
    supplier.behave(mode="callback_first")
    attempt = supplier.attempt(codes=2)
    submitted = supplier.adapter.submit(attempt)
    assert submitted.kind in {OutcomeKind.ACCEPTED, OutcomeKind.DELIVERED}
    ((headers, body),) = supplier.doorbell.rung
    claim = supplier.adapter.parse_callback(headers=headers, body=body)
    assert claim.reference == attempt.reference
    booked = supplier.booked(attempt)
    assert booked is not None
    if not supplier.can(Capability.CALLBACK_COVERS_RESULT):
        assert claim.outcome is None
    else:
        assert claim.outcome is not None
        assert claim.outcome.kind is OutcomeKind.DELIVERED
        assert list(claim.outcome.items) == (booked["codes"] if supplier.protocol == "dujiao" else [])
    assert supplier.settled(attempt, submitted).kind is OutcomeKind.DELIVERED
    assert len(supplier.doorbell.rung) == 1


def test_a_forged_callback_is_refused(supplier: Supplier) -> None:
    calls_back(supplier)
    supplier.behave(mode="ok", callbacks="forged")
    supplier.adapter.submit(supplier.attempt(codes=1))
    end = time.monotonic() + WAIT_SECONDS
    while not supplier.doorbell.rung and time.monotonic() < end:
        time.sleep(0.05)
    headers, body = supplier.doorbell.rung[0]
    if Capability.CALLBACK_SIGNED not in supplier.adapter.capabilities:
        assert supplier.adapter.parse_callback(headers=headers, body=body).outcome is None
        return
    with pytest.raises(CallbackRefused, match="bad signature"):
        supplier.adapter.parse_callback(headers=headers, body=body)


def test_a_closed_door_frees_the_purchase(supplier: Supplier) -> None:
    supplier.behave(mode="down")
    attempt = supplier.attempt()
    assert supplier.adapter.submit(attempt).kind is OutcomeKind.NOT_SENT
    assert supplier.adapter.query(attempt).kind is OutcomeKind.UNKNOWN
    supplier.behave(mode="ok")
    assert supplier.booked(attempt) is None


def test_silence_is_unknown_and_then_no_such_order_or_bought_under_the_same_number(supplier: Supplier) -> None:
    supplier.behave(mode="hang")
    attempt = supplier.attempt(codes=1)
    submitted = supplier.adapter.submit(attempt)
    assert (submitted.kind, submitted.code) == (OutcomeKind.UNKNOWN, Reason.NO_ANSWER)
    supplier.behave(mode="ok")
    outcome = supplier.settled(attempt, submitted)
    booked = supplier.booked(attempt)
    if supplier.can(Capability.QUERY_BY_OUR_NUMBER):
        assert outcome.kind is OutcomeKind.NOT_FOUND
        assert booked is None
    else:
        assert outcome.kind is OutcomeKind.DELIVERED
        assert booked is not None
        assert booked["times"] == 1


def test_the_same_number_twice_is_bought_once(supplier: Supplier) -> None:
    attempt = supplier.attempt(codes=1)
    first, second = supplier.adapter.submit(attempt), supplier.adapter.submit(attempt)
    if not supplier.can(Capability.REPEAT_RETURNS_SAME):
        assert (second.kind, second.code) == (OutcomeKind.UNKNOWN, Reason.DUPLICATE)
    else:
        assert second.supplier_reference == first.supplier_reference
    assert supplier.settled(attempt, first).kind is OutcomeKind.DELIVERED
    booked = supplier.booked(attempt)
    assert booked is not None
    assert booked["times"] == 1


def test_a_charge_that_fails_is_an_end_without_money(supplier: Supplier) -> None:
    attempt = supplier.attempt(account={"uid": WRONG_ACCOUNT, "phone": f"138{WRONG_ACCOUNT}"})
    outcome = supplier.settled(attempt, supplier.adapter.submit(attempt))
    assert outcome.kind is OutcomeKind.FAILED
    booked = supplier.booked(attempt)
    assert booked is not None
    assert Decimal(booked["charged"]) == 0


def test_an_unknown_order_is_not_found_where_it_can_be_asked(supplier: Supplier) -> None:
    if supplier.can(Capability.QUERY_BY_OUR_NUMBER):
        assert supplier.adapter.query(supplier.attempt()).kind is OutcomeKind.NOT_FOUND
    else:
        asked = supplier.attempt(supplier_reference="999999999")
        assert supplier.adapter.query(asked).kind is OutcomeKind.UNKNOWN


def test_the_balance_falls_with_each_purchase_until_it_is_too_small(supplier: Supplier) -> None:
    supplier.price("20.00")
    supplier.behave(mode="ok", balance="30.00")
    assert supplier.adapter.balance() == Decimal("30")
    assert supplier.adapter.submit(supplier.attempt()).kind is OutcomeKind.ACCEPTED
    assert supplier.adapter.balance() == Decimal("10")
    refused = supplier.adapter.submit(supplier.attempt())
    assert (refused.kind, refused.code, refused.eliminates) == (OutcomeKind.REFUSED, Reason.NO_BALANCE, True)


def test_a_price_above_what_was_paid_is_refused_where_they_guard_it(supplier: Supplier) -> None:
    supplier.price("57.01")
    attempt = supplier.attempt()
    outcome = supplier.adapter.submit(attempt)
    if supplier.can(Capability.COST_GUARD):
        assert (outcome.kind, outcome.code) == (OutcomeKind.REFUSED, Reason.PRICE_ABOVE_LIMIT)
        assert supplier.booked(attempt) is None
    else:
        assert supplier.settled(attempt, outcome).cost == Decimal("57.01")


def test_an_order_is_taken_back_in_time_where_that_is_possible(supplier: Supplier) -> None:
    supplier.behave(mode="async", latency_ms=3000)
    attempt = supplier.attempt(codes=1)
    submitted = supplier.adapter.submit(attempt)
    known = replace(attempt, supplier_reference=submitted.supplier_reference)
    canceled = supplier.adapter.cancel(known)
    # DT One's orders are confirmed as they are made: there is nothing left to cancel.
    if not supplier.can(Capability.CANCEL) or supplier.protocol == "dtone":
        assert canceled.kind is OutcomeKind.UNKNOWN
        return
    assert canceled.kind is OutcomeKind.FAILED
    again = OutcomeKind.FAILED if supplier.protocol in CANCELS_AGAIN else OutcomeKind.UNKNOWN
    assert supplier.adapter.cancel(known).kind is again
    assert supplier.adapter.query(known).kind is OutcomeKind.FAILED
    assert supplier.adapter.query(attempt).kind is OutcomeKind.FAILED
    booked = supplier.booked(attempt)
    assert booked is not None
    assert (booked["state"], Decimal(booked["charged"])) == ("canceled", Decimal(0))


@pytest.mark.parametrize("supplier", ["xinghe"], indirect=True)
def test_phone_credit_has_a_method_of_its_own(supplier: Supplier) -> None:
    attempt = supplier.attempt(sku="mobile:50", account={"phone": "13812345678"})
    outcome = supplier.settled(attempt, supplier.adapter.submit(attempt))
    booked = supplier.booked(attempt)
    assert booked is not None
    assert (outcome.kind, booked["sku"], booked["times"]) == (OutcomeKind.DELIVERED, "50", 1)


@pytest.mark.parametrize("supplier", ["tongxin"], indirect=True)
def test_the_price_list_is_what_they_charge(supplier: Supplier) -> None:
    supplier.price("48.70")
    assert supplier.adapter.price(SKU) == Decimal("48.70")
    assert [product.sku for product in supplier.adapter.products("").products] == [SKU]
    assert supplier.adapter.submit(supplier.attempt()).cost == Decimal("48.70")


@pytest.mark.parametrize("supplier", ["xinghe", "yunka", "shanhe"], indirect=True)
def test_a_sku_in_words_reaches_them_as_it_is(supplier: Supplier) -> None:
    if supplier.protocol in SKUS:
        pytest.skip("this protocol counts its goods")
    attempt = supplier.attempt(codes=1, sku="steam-wallet-50")
    outcome = supplier.settled(attempt, supplier.adapter.submit(attempt))
    booked = supplier.booked(attempt)
    assert booked is not None
    assert (outcome.kind, booked["sku"]) == (OutcomeKind.DELIVERED, "steam-wallet-50")
