"""Where and how another installation's supply API is called."""

import hmac
import json
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar
from urllib.parse import quote, urlsplit

from fulfillment.suppliers.base import (
    Attempt,
    CallbackClaim,
    CallbackRefused,
    Capability,
    Connection,
    Outcome,
    OutcomeKind,
    ProductPage,
    SupplierMisconfigured,
    SupplierSilent,
    Unasked,
)
from fulfillment.suppliers.calling import exchange, require_config
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.kameng import transformers
from fulfillment.suppliers.kameng.signing import CALLBACK_TARGET, TOLERANCE, signature
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, identifier, json_object, name
from kameng.core.http import HttpClient
from kameng.core.ids import random_id

API = "/api/supply/v1"
NONCE_LENGTH = 26


class KamengAdapter(Unasked):
    """The supply API, version 1 (`docs/supply-api.md`): one of these platforms buys from another.

    Orders are paid from a balance there and asked about by our own number, which also makes them unique: sent again, it
    returns the same order. A callback says that an order has ended and not what came of it, so that no code travels in
    one; the order is then asked for. `attempt.sku` is their sku: letters, digits, `. _ -`, at most 64.
    """

    code: ClassVar[str] = "kameng"
    name: ClassVar[str] = "卡盟（同款平台）"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.QUERY_BY_OUR_NUMBER,
            Capability.REPEAT_RETURNS_SAME,
            Capability.CANCEL,
            Capability.COST_GUARD,
            Capability.CALLBACK_SIGNED,
            Capability.MAY_REVERSE,
            Capability.CATALOG,
            Capability.PRICE,
            Capability.BALANCE,
        }
    )
    required_config: ClassVar[frozenset[str]] = frozenset({"key", "secret"})
    #: The order is written in the transaction that answers, so a number that is not there soon never will be.
    not_found_grace: ClassVar[int] = 120
    when_unclear: ClassVar[str] = (
        "按我方单号查询（GET orders/{单号}/）即可得到准确状态：failed、canceled 表示没有交付、钱已退回对方余额；"
        "processing 还没有结束。同一单号重复提交只会返回原单，不会再扣款。"
        "一直停在 processing 时，请带上单号联系对方店主，在此之前不要换渠道重买。"
    )

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Raises `SupplierMisconfigured`, also for another currency than yuan: the interface knows none."""
        require_config(connection, self.required_config)
        if connection.currency != "CNY":
            raise SupplierMisconfigured(f"{connection.supplier}: missing or unfit: currency")
        self._key = connection.config["key"]
        self._secret = connection.config["secret"]
        self._base = connection.base_url.rstrip("/")
        self._clock = connection.clock or time.time
        self._http = http

    def submit(self, attempt: Attempt) -> Outcome:
        """Order with `POST /orders/`, paid from our balance there; 201 is an order, whatever its state."""
        if not transformers.SKU.fullmatch(attempt.sku):
            return Outcome(OutcomeKind.NOT_SENT, code=Reason.BAD_SKU)
        evidence = self._evidence(attempt)
        answer = self._call("POST", "/orders/", transformers.order_request(attempt), evidence, buying=True)
        if isinstance(answer, Outcome):
            return answer
        status, fields = answer
        if status == 201:
            return _told(fields, attempt, evidence)
        said = _refusal(status, fields)
        why = transformers.REFUSALS.get(said)
        if why is None:
            return _unplaced(said, fields, evidence)
        return Outcome(
            OutcomeKind.REFUSED,
            code=why,
            message=evidence.said(fields.get("title")),
            evidence=evidence.text(),
            eliminates=why in transformers.ELIMINATING,
        )

    def query(self, attempt: Attempt) -> Outcome:
        """Ask with `GET /orders/{our number}/`. An order that had a number there once does not vanish."""
        evidence = self._evidence(attempt)
        answer = self._call("GET", f"/orders/{_quoted(attempt)}/", None, evidence, buying=False)
        if isinstance(answer, Outcome):
            return answer
        status, fields = answer
        if status == 200:
            return _told(fields, attempt, evidence)
        said = _refusal(status, fields)
        if said != transformers.NO_ORDER:
            return _unplaced(said, fields, evidence)
        if attempt.supplier_reference:
            return _unknown(Reason.NO_SUCH_ORDER, evidence, fields)
        return Outcome(
            OutcomeKind.NOT_FOUND,
            code=Reason.NO_SUCH_ORDER,
            message=evidence.said(fields.get("title")),
            evidence=evidence.text(),
        )

    def cancel(self, attempt: Attempt) -> Outcome:
        """Take back with `POST /orders/{our number}/cancel/`, which they allow while they have bought nothing."""
        evidence = self._evidence(attempt)
        answer = self._call("POST", f"/orders/{_quoted(attempt)}/cancel/", {}, evidence, buying=False)
        if isinstance(answer, Outcome):
            return answer
        status, fields = answer
        if status == 200:
            outcome = _told(fields, attempt, evidence)
            is_canceled = (outcome.kind, outcome.code) == (OutcomeKind.FAILED, Reason.CANCELED)
            return outcome if is_canceled else _unknown(Reason.UNKNOWN_STATE, evidence)
        said = _refusal(status, fields)
        if said == transformers.TOO_LATE:
            return _unknown(Reason.TOO_LATE, evidence, fields)
        return _unplaced(said, fields, evidence)

    def balance(self) -> Decimal | None:
        """Ask with `GET /balance/`; None also for one in another currency."""
        try:
            fields = self._asked("/balance/")
        except SupplierSilent:
            return None
        return amount(fields.get("balance")) if fields.get("currency") == "CNY" else None

    def products(self, cursor: str) -> ProductPage:
        """List with `GET /products/`. Raises `SupplierSilent`, also for a list that leads back to where it was."""
        fields = self._asked(f"/products/?cursor={quote(cursor, safe='')}" if cursor else "/products/")
        try:
            page = transformers.product_page(fields)
        except Unclear as unclear:
            raise SupplierSilent(unclear.reason) from unclear
        if page.next_cursor and (page.next_cursor == cursor or not page.products):
            raise SupplierSilent("the price list does not go on")
        return page

    def price(self, sku: str) -> Decimal | None:
        """Ask with `GET /prices/?sku=`. Raises `SupplierSilent`."""
        if not transformers.SKU.fullmatch(sku):
            return None
        try:
            return transformers.price_of(self._asked(f"/prices/?sku={quote(sku, safe='')}"), sku)
        except Unclear as unclear:
            raise SupplierSilent(unclear.reason) from unclear

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        """Verify key, time (±300 s) and signature. Raises `CallbackRefused`. What came of the order is then asked."""
        key, stamp = headers.get("kameng-key", ""), headers.get("kameng-timestamp", "")
        nonce, claimed = headers.get("kameng-nonce", ""), headers.get("kameng-signature", "")
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            raise CallbackRefused("unknown key")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            raise CallbackRefused("malformed time")
        if abs(self._clock() - int(stamp)) > TOLERANCE:
            raise CallbackRefused("stale")
        expected = signature(
            self._secret, method="POST", target=CALLBACK_TARGET, timestamp=int(stamp), nonce=nonce, body=body
        )
        if not hmac.compare_digest(expected.encode(), claimed.encode()):
            raise CallbackRefused("bad signature")
        try:
            fields = json_object(body)
            order, status = identifier(fields, "order"), name(fields, "status")
            reference = identifier(fields, "reference")
        except Unclear as unclear:
            raise CallbackRefused(f"malformed: {unclear.reason}") from unclear
        return CallbackClaim(reference=reference, event_id=f"{order}:{status[:20]}")

    def callback_reply(self, *, accepted: bool) -> tuple[int, str, bytes]:
        """Any success ends the repetitions."""
        return (204, "application/json", b"") if accepted else (400, "application/json", b'{"received":false}')

    def _evidence(self, attempt: Attempt) -> Evidence:
        return Evidence(
            plain=transformers.PLAIN,
            words=transformers.WORDS,
            secrets=(self._key, self._secret),
            account=attempt.account,
        )

    def _asked(self, path: str) -> dict[str, object]:
        """What a question that moves nothing is answered. Raises `SupplierSilent`."""
        evidence = Evidence(plain=frozenset(), words=frozenset(), secrets=(), account={})
        answer = self._call("GET", path, None, evidence, buying=False)
        if isinstance(answer, Outcome):
            raise SupplierSilent(answer.code)
        status, fields = answer
        if status != 200:
            raise SupplierSilent(Reason.HTTP_STATUS)
        return fields

    def _call(
        self, method: str, path: str, fields: Mapping[str, object] | None, evidence: Evidence, *, buying: bool
    ) -> tuple[int, dict[str, object]] | Outcome:
        """Status and object of a signed call, or the outcome that its failure is."""
        evidence.sent(f"{method} {path}", fields or {})
        url = f"{self._base}{API}{path}"
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        body = json.dumps(fields, ensure_ascii=False).encode() if fields is not None else b""
        stamp, nonce = int(self._clock()), random_id(NONCE_LENGTH)
        signed = signature(self._secret, method=method, target=target, timestamp=stamp, nonce=nonce, body=body)
        headers = {
            "Kameng-Key": self._key,
            "Kameng-Timestamp": str(stamp),
            "Kameng-Nonce": nonce,
            "Kameng-Signature": signed,
            "Content-Type": "application/json",
        }
        reply = exchange(self._http, evidence, method=method, url=url, headers=headers, body=body, buying=buying)
        if isinstance(reply, Outcome):
            return reply
        try:
            answer = json_object(reply.body)
        except Unclear as unclear:
            evidence.replied(reply)
            return _unknown(unclear.reason if reply.status < 300 else Reason.HTTP_STATUS, evidence)
        evidence.replied(reply, answer)
        return reply.status, answer


def _quoted(attempt: Attempt) -> str:
    return quote(attempt.reference, safe="")


def _refusal(status: int, fields: Mapping[str, object]) -> tuple[int, str]:
    code = fields.get("code")
    return status, code if isinstance(code, str) else ""


def _told(fields: Mapping[str, object], attempt: Attempt, evidence: Evidence) -> Outcome:
    try:
        return transformers.outcome_of(transformers.order_of(fields, attempt), attempt, evidence)
    except Unclear as unclear:
        return _unknown(unclear.reason, evidence)


def _unplaced(said: tuple[int, str], fields: Mapping[str, object], evidence: Evidence) -> Outcome:
    """A reply that says nothing about the order: also one that would refuse a purchase, where it answers a question."""
    status, code = said
    if transformers.REFUSALS.get(said) is Reason.BAD_CREDENTIALS:
        return _unknown(Reason.BAD_CREDENTIALS, evidence, fields, eliminates=True)
    if said == transformers.TAKEN:
        return _unknown(Reason.DUPLICATE, evidence, fields)
    return _unknown(Reason.UNKNOWN_CODE if code and status < 500 else Reason.HTTP_STATUS, evidence, fields)


def _unknown(
    reason: Reason, evidence: Evidence, fields: Mapping[str, object] | None = None, *, eliminates: bool = False
) -> Outcome:
    return Outcome(
        OutcomeKind.UNKNOWN,
        code=reason,
        message=evidence.said(fields.get("title")) if fields is not None else "",
        evidence=evidence.text(),
        eliminates=eliminates,
    )
