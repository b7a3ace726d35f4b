"""Where and how a dujiao-next shop is called."""

import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar
from urllib.parse import urlsplit

from fulfillment.suppliers.base import (
    Attempt,
    CallbackClaim,
    CallbackRefused,
    Capability,
    Connection,
    Outcome,
    OutcomeKind,
    ProductPage,
    SupplierSilent,
    Unasked,
)
from fulfillment.suppliers.calling import exchange, require_config
from fulfillment.suppliers.dujiao import transformers
from fulfillment.suppliers.dujiao.signing import TOLERANCE, signature
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, identifier, json_object, name, sku_as_sent
from kameng.core.http import HttpClient

API = "/api/v1/upstream"
#: Signed instead of the callback's real path, which the sender does not choose.
CALLBACK_PATH = f"{API}/callback"
#: Pages that a look-up of one price reads at most: a list that never ends is no list.
MAX_PAGES = 40


class DujiaoAdapter(Unasked):
    """dujiao-next's site-to-site interface 1.0 (https://github.com/dujiao-next/document).

    It knows no question by our number, but the number once accepted returns the same order, whatever its state. Two
    posts of one number at once can make two orders: the caller must not overlap them. A callback's signature covers its
    body and so its result; how many codes were bought it does not say, so that the caller must count them.
    """

    code: ClassVar[str] = "dujiao"
    name: ClassVar[str] = "独角数卡 Next"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.BALANCE,
            Capability.REPEAT_RETURNS_SAME,
            Capability.CANCEL,
            Capability.CALLBACK_SIGNED,
            Capability.CALLBACK_COVERS_RESULT,
            Capability.MAY_REVERSE,
            Capability.CATALOG,
            Capability.PRICE,
        }
    )
    required_config: ClassVar[frozenset[str]] = frozenset({"api_key", "api_secret"})
    not_found_grace: ClassVar[int] = 600
    when_unclear: ClassVar[str] = (
        "对方没有按我方单号查询的接口：用同一 downstream_order_no 重复提交会返回原单，不会再扣款，"
        "但两次提交不能同时进行。"
        "对方自己的规则是上游失败不自动退款；单子停在 canceled 或 refunded 之外的状态时，请到对方站点后台核对后再决定。"
    )

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Raises `SupplierMisconfigured`."""
        require_config(connection, self.required_config)
        self._key = connection.config["api_key"]
        self._secret = connection.config["api_secret"]
        self._base = connection.base_url.rstrip("/")
        self._clock = connection.clock or time.time
        self._http = http

    def submit(self, attempt: Attempt) -> Outcome:
        """Order with `POST /orders`, paid from our wallet there and served later."""
        if sku_as_sent(attempt.sku) is None:
            return Outcome(OutcomeKind.NOT_SENT, code=Reason.BAD_SKU)
        return self._post_order(attempt, buying=True)

    def query(self, attempt: Attempt) -> Outcome:
        """Ask with `GET /orders/:id`; without their number repeat ours, and then ask."""
        if attempt.supplier_reference:
            return self._get_order(attempt, attempt.supplier_reference, self._evidence(attempt))
        if sku_as_sent(attempt.sku) is None:
            return Outcome(OutcomeKind.UNKNOWN, code=Reason.BAD_SKU)
        return self._post_order(attempt, buying=False)

    def cancel(self, attempt: Attempt) -> Outcome:
        """Take back with `POST /orders/:id/cancel`. A refusal also comes for an order canceled before: ask then."""
        if not attempt.supplier_reference:
            return Outcome(OutcomeKind.UNKNOWN, code=Reason.NO_REFERENCE)
        evidence = self._evidence(attempt)
        answer = self._call("POST", f"/orders/{attempt.supplier_reference}/cancel", None, evidence, buying=False)
        if isinstance(answer, Outcome):
            return answer
        status, fields = answer
        try:
            if status == 200 and fields.get("ok") is True:
                order = transformers.order_of(fields)
                if order.reference == attempt.supplier_reference and order.status in transformers.CANCELED:
                    return self._outcome(order, attempt, evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        late = fields.get("error_code") == "cancel_not_allowed"
        return _unknown(Reason.TOO_LATE if late else Reason.UNKNOWN_CODE, evidence, fields=fields)

    def balance(self) -> Decimal | None:
        """Ask with `POST /ping`; None also for a wallet in another currency."""
        evidence = Evidence(plain=frozenset(), words=frozenset(), secrets=(), account={})
        answer = self._call("POST", "/ping", None, evidence, buying=False)
        if isinstance(answer, Outcome):
            return None
        status, fields = answer
        known = status == 200 and fields.get("ok") is True and fields.get("currency") == "CNY"
        return amount(fields.get("balance")) if known else None

    def products(self, cursor: str) -> ProductPage:
        """List with `GET /products`; the cursor is the number of the page. Raises `SupplierSilent`."""
        page = cursor if cursor.isascii() and cursor.isdigit() else "1"
        evidence = Evidence(plain=frozenset(), words=frozenset(), secrets=(), account={})
        path = f"/products?page={page}&page_size={transformers.PAGE_SIZE}"
        answer = self._call("GET", path, None, evidence, buying=False)
        if isinstance(answer, Outcome):
            raise SupplierSilent(answer.code)
        status, fields = answer
        if status != 200 or fields.get("ok") is not True:
            raise SupplierSilent(Reason.HTTP_STATUS if status != 200 else Reason.UNKNOWN_CODE)
        try:
            return transformers.product_page(fields, page=int(page))
        except Unclear as unclear:
            raise SupplierSilent(unclear.reason) from unclear

    def price(self, sku: str) -> Decimal | None:
        """Look the sku up in the list, which is the only place that tells it. Raises `SupplierSilent`."""
        cursor = ""
        for _ in range(MAX_PAGES):
            page = self.products(cursor)
            for product in page.products:
                if product.sku == sku:
                    return product.cost if product.is_available else None
            cursor = page.next_cursor
            if not cursor:
                return None
        raise SupplierSilent("the price list does not end")

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        """Verify key, time (±60 s) and signature. Raises `CallbackRefused`.

        No outcome where the body leaves it open, nor for a canceled order: that one frees the attempt to be bought
        elsewhere, and a second order under the same number may have been canceled while the first was served.
        """
        key = headers.get("dujiao-next-api-key", "")
        stamp = headers.get("dujiao-next-timestamp", "")
        claimed = headers.get("dujiao-next-signature", "")
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            raise CallbackRefused("unknown key")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            raise CallbackRefused("malformed time")
        if abs(self._clock() - int(stamp)) > TOLERANCE:
            raise CallbackRefused("stale")
        expected = signature(self._secret, method="POST", path=CALLBACK_PATH, timestamp=int(stamp), body=body)
        if not hmac.compare_digest(expected.encode(), claimed.encode()):
            raise CallbackRefused("bad signature")
        try:
            fields = json_object(body)
            reference = name(fields, "downstream_order_no")
            order = transformers.order_of(fields)
        except Unclear as unclear:
            raise CallbackRefused(f"malformed: {unclear.reason}") from unclear
        evidence = Evidence(
            plain=transformers.PLAIN, words=transformers.WORDS, secrets=(self._key, self._secret), account={}
        )
        evidence.sent("callback", fields)
        try:
            outcome = transformers.outcome_of(order, quantity=None, wants_codes=True, evidence=evidence)
        except Unclear:
            outcome = None
        if outcome is not None and outcome.kind is OutcomeKind.FAILED:
            outcome = None
        served = "served" if order.fulfillment is not None else "open"
        return CallbackClaim(
            reference=reference[:64], event_id=f"{order.reference}:{order.status[:20]}:{served}", outcome=outcome
        )

    def callback_reply(self, *, accepted: bool) -> tuple[int, str, bytes]:
        """The sender stops at 200 with `ok` true."""
        body = {"ok": True, "message": "received"} if accepted else {"ok": False, "message": "refused"}
        return 200 if accepted else 400, "application/json", json.dumps(body).encode()

    def _evidence(self, attempt: Attempt) -> Evidence:
        return Evidence(
            plain=transformers.PLAIN,
            words=transformers.WORDS,
            secrets=(self._key, self._secret),
            account=attempt.account,
        )

    def _post_order(self, attempt: Attempt, *, buying: bool) -> Outcome:
        evidence = self._evidence(attempt)
        answer = self._call("POST", "/orders", transformers.order_request(attempt), evidence, buying=buying)
        if isinstance(answer, Outcome):
            return answer
        status, fields = answer
        if status == 200 and fields.get("ok") is True:
            return self._ordered(attempt, fields, evidence)
        code = fields.get("error_code")
        if fields.get("ok") is not False or not isinstance(code, str):
            return _unknown(Reason.MISSING_FIELDS, evidence, fields=fields)
        if (status, code) == (200, "payment_failed"):
            return self._unpaid(attempt, fields, evidence, buying=buying)
        why = transformers.REFUSALS.get((status, code))
        if why is None:
            return _unknown(Reason.UNKNOWN_CODE if status < 500 else Reason.HTTP_STATUS, evidence, fields=fields)
        eliminates = why in transformers.ELIMINATING
        if buying:
            kind = OutcomeKind.REFUSED
        else:
            kind = OutcomeKind.NOT_FOUND if why in transformers.AFTER_LOOK_UP else OutcomeKind.UNKNOWN
        return Outcome(
            kind,
            code=why,
            message=evidence.said(fields.get("error_message")),
            evidence=evidence.text(),
            eliminates=eliminates,
        )

    def _ordered(self, attempt: Attempt, fields: Mapping[str, object], evidence: Evidence) -> Outcome:
        """A post that found or made the order; the goods of a finished one are fetched at once."""
        try:
            order = transformers.order_of(fields)
            outcome = self._outcome(order, attempt, evidence, listed=False)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        if order.status not in transformers.DONE:
            return outcome
        fetched = self._get_order(attempt, order.reference, evidence)
        if fetched.kind is not OutcomeKind.UNKNOWN:
            return fetched
        return outcome if fetched.code == Reason.NO_ANSWER else replace(fetched, supplier_reference=order.reference)

    def _unpaid(self, attempt: Attempt, fields: Mapping[str, object], evidence: Evidence, *, buying: bool) -> Outcome:
        """The reply says "canceled" also when canceling failed: only the order itself tells that nothing was bought."""
        try:
            reference = identifier(fields, "order_id")
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence, fields=fields)
        said = fields.get("error_message")
        no_money = isinstance(said, str) and transformers.NO_MONEY.search(said) is not None
        found = self._get_order(attempt, reference, evidence)
        if found.kind is not OutcomeKind.FAILED:
            return found
        return Outcome(
            OutcomeKind.REFUSED if buying else OutcomeKind.NOT_FOUND,
            supplier_reference=reference if buying else "",
            code=Reason.NO_BALANCE if no_money else Reason.PAYMENT_FAILED,
            message=evidence.said(said),
            evidence=evidence.text(),
            eliminates=no_money,
        )

    def _get_order(self, attempt: Attempt, reference: str, evidence: Evidence) -> Outcome:
        answer = self._call("GET", f"/orders/{reference}", None, evidence, buying=False)
        if isinstance(answer, Outcome):
            return answer
        status, fields = answer
        try:
            if status == 200 and fields.get("ok") is True:
                transformers.check_items(fields, attempt)
                order = transformers.order_of(fields)
                if order.reference != reference:
                    raise Unclear(Reason.OTHER_ORDER)
                return self._outcome(order, attempt, evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        code = fields.get("error_code")
        why = transformers.REFUSALS.get((status, code)) if isinstance(code, str) else None
        if why is Reason.BAD_CREDENTIALS:
            return _unknown(why, evidence, fields=fields, eliminates=True)
        missing = (status, code) == (404, "order_not_found")
        return _unknown(Reason.NO_SUCH_ORDER if missing else Reason.UNKNOWN_CODE, evidence, fields=fields)

    def _outcome(
        self, order: transformers.Order, attempt: Attempt, evidence: Evidence, *, listed: bool = True
    ) -> Outcome:
        if attempt.supplier_reference not in ("", order.reference):
            raise Unclear(Reason.OTHER_ORDER)
        return transformers.outcome_of(
            order, quantity=attempt.quantity, wants_codes=attempt.wants_codes, evidence=evidence, listed=listed
        )

    def _call(
        self, method: str, path: str, fields: Mapping[str, object] | None, evidence: Evidence, *, buying: bool
    ) -> tuple[int, dict[str, object]] | Outcome:
        """Status and object of a signed call, or the outcome that its failure is."""
        evidence.sent(f"{method} {path}", fields or {})
        url = f"{self._base}{API}{path}"
        body = json.dumps(fields, ensure_ascii=False).encode() if fields is not None else b""
        stamp = int(self._clock())
        headers = {
            "Dujiao-Next-Api-Key": self._key,
            "Dujiao-Next-Timestamp": str(stamp),
            "Dujiao-Next-Signature": signature(
                self._secret, method=method, path=urlsplit(url).path, timestamp=stamp, body=body
            ),
            "Content-Type": "application/json",
        }
        reply = exchange(self._http, evidence, method=method, url=url, headers=headers, body=body, buying=buying)
        if isinstance(reply, Outcome):
            return reply
        try:
            answer = json_object(reply.body)
        except Unclear as unclear:
            evidence.replied(reply)
            return _unknown(unclear.reason if reply.status == 200 else Reason.HTTP_STATUS, evidence)
        evidence.replied(reply, answer)
        return reply.status, answer


def _unknown(
    reason: Reason, evidence: Evidence, *, fields: Mapping[str, object] | None = None, eliminates: bool = False
) -> Outcome:
    return Outcome(
        OutcomeKind.UNKNOWN,
        code=reason,
        message=evidence.said(fields.get("error_message")) if fields is not None else "",
        evidence=evidence.text(),
        eliminates=eliminates,
    )
