"""Where and how DT One is called."""

import base64
import json
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar
from urllib.parse import quote

from fulfillment.suppliers.base import (
    AccountCheck,
    AccountVerdict,
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
from fulfillment.suppliers.dtone import transformers
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, identifier, json_object, json_objects, name, whole
from kameng.core.http import HttpClient, Reply

#: Results on a page of a list; they allow 100.
PAGE_SIZE = 50


class DtOneAdapter(Unasked):
    """DT One Digital Value Services, version 1 (https://dvs-api-doc.dtone.com). `base_url` ends in `/v1`.

    A sku is a product's number. One transaction is one piece; several are not sent. `calling_code`, which may be left
    out, is that of the country whose telephone numbers are written without one, such as `86`. Transactions are created
    and confirmed in one step: nothing refuses a price above ours, and canceling comes too late but for what was left
    unconfirmed. Callbacks are not signed, so they only ring.
    """

    code: ClassVar[str] = "dtone"
    name: ClassVar[str] = "DT One"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.QUERY_BY_OUR_NUMBER,
            Capability.CANCEL,
            Capability.MAY_REVERSE,
            Capability.BALANCE,
            Capability.CATALOG,
            Capability.PRICE,
            Capability.ACCOUNT_CHECK,
        }
    )
    required_config: ClassVar[frozenset[str]] = frozenset({"api_key", "api_secret"})
    not_found_grace: ClassVar[int] = 600
    when_unclear: ClassVar[str] = (
        "按 external_id（我方单号）查询即可得到准确状态，请以状态类别为准："
        "COMPLETED 才算成功，REJECTED、DECLINED、CANCELLED 是没有成功并已退款；CONFIRMED、SUBMITTED 还没有结束。"
        "个别运营商要很久才有结果；COMPLETED 之后也可能变为 REVERSED。"
        "查不到又不能确定时，请带上单号联系 DT One 支持，在此之前不要换渠道重买。"
    )

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Raises `SupplierMisconfigured`."""
        require_config(connection, self.required_config)
        key, secret = connection.config["api_key"], connection.config["api_secret"]
        self._calling_code = str(connection.config.get("calling_code") or "").strip().removeprefix("+")
        if self._calling_code and not transformers.CALLING_CODE.fullmatch(self._calling_code):
            raise SupplierMisconfigured(f"{connection.supplier}: missing or unfit: calling_code")
        credentials = base64.b64encode(f"{key}:{secret}".encode()).decode()
        self._secrets = (key, secret, credentials)
        self._authorization = f"Basic {credentials}"
        self._base = connection.base_url.rstrip("/")
        self._currency = connection.currency
        self._clock = connection.clock or time.time
        self._http = http

    def submit(self, attempt: Attempt) -> Outcome:
        """Create and confirm with `POST /async/transactions`; 201 is a transaction, whatever its state."""
        try:
            body = transformers.order_request(attempt, calling_code=self._calling_code)
        except transformers.Unsendable as unsendable:
            return Outcome(OutcomeKind.NOT_SENT, code=unsendable.reason)
        evidence = self._evidence(attempt)
        reply = self._call("POST", "/async/transactions", body, evidence, buying=True)
        if isinstance(reply, Outcome):
            return reply
        try:
            fields = _fields(reply, evidence)
            if reply.status == 201:
                return self._outcome(fields, attempt, evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        code, said = transformers.error_of(fields)
        why = transformers.REFUSALS.get((reply.status, code)) if code is not None else None
        if why is None:
            return self._unplaced(reply, code, said, evidence)
        return Outcome(
            OutcomeKind.REFUSED,
            code=why,
            message=evidence.said(said),
            evidence=evidence.text(),
            eliminates=why in transformers.ELIMINATING,
        )

    def query(self, attempt: Attempt) -> Outcome:
        """Ask with `GET /transactions/{id}`, or without their number with `GET /transactions?external_id=`.

        Only their own error says that there is none: an empty list is not what they document, and a transaction that
        had a number once does not vanish.
        """
        evidence = self._evidence(attempt)
        known = attempt.supplier_reference
        path = f"/transactions/{quote(known, safe='')}" if known else f"/transactions?external_id={attempt.reference}"
        reply = self._call("GET", path, None, evidence, buying=False)
        if isinstance(reply, Outcome):
            return reply
        try:
            if reply.status == 200:
                fields = _fields(reply, evidence) if known else _only(reply, evidence)
                return self._outcome(fields, attempt, evidence)
            fields = _fields(reply, evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        code, said = transformers.error_of(fields)
        if (reply.status, code) != transformers.NO_TRANSACTION:
            return self._unplaced(reply, code, said, evidence)
        if known:
            return _unknown(Reason.NO_SUCH_ORDER, evidence, said=said)
        return Outcome(
            OutcomeKind.NOT_FOUND,
            code=Reason.NO_SUCH_ORDER,
            message=evidence.said(said),
            evidence=evidence.text(),
        )

    def cancel(self, attempt: Attempt) -> Outcome:
        """Take back with `POST /transactions/{id}/cancel`, which they allow before confirmation."""
        known = attempt.supplier_reference
        if not known:
            return Outcome(OutcomeKind.UNKNOWN, code=Reason.NO_REFERENCE)
        evidence = self._evidence(attempt)
        path = f"/transactions/{quote(known, safe='')}/cancel"
        reply = self._call("POST", path, None, evidence, buying=False)
        if isinstance(reply, Outcome):
            return reply
        try:
            fields = _fields(reply, evidence)
            if reply.status == 202:
                found = self._transaction(fields, attempt)
                if found.state != transformers.CANCELLED:
                    raise Unclear(Reason.UNKNOWN_STATE)
                return self._outcome(fields, attempt, evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        code, said = transformers.error_of(fields)
        if (reply.status, code) in transformers.TOO_LATE:
            return _unknown(Reason.TOO_LATE, evidence, said=said)
        return self._unplaced(reply, code, said, evidence)

    def balance(self) -> Decimal | None:
        """Ask with `GET /balances`: what is available in the connection's currency."""
        try:
            reply = self._asked("GET", f"/balances?unit_type=CURRENCY&unit={quote(self._currency)}")
            return transformers.balance_of(json_objects(reply.body), currency=self._currency)
        except (SupplierSilent, Unclear):
            return None

    def products(self, cursor: str) -> ProductPage:
        """List with `GET /products`; the cursor is the number of the page. Raises `SupplierSilent`."""
        page = cursor if cursor.isascii() and cursor.isdigit() else "1"
        reply = self._asked("GET", f"/products?page={page}&per_page={PAGE_SIZE}")
        try:
            rows = json_objects(reply.body)
            lines = tuple(transformers.product_of(row, currency=self._currency) for row in rows)
        except Unclear as unclear:
            raise SupplierSilent(unclear.reason) from unclear
        following = whole(reply.headers.get("x-next-page", ""))
        goes_on = bool(lines) and following is not None and following > int(page)
        return ProductPage(lines, str(following) if goes_on else "")

    def price(self, sku: str) -> Decimal | None:
        """Ask with `GET /products/{id}`: wholesale price and fee. Raises `SupplierSilent`."""
        product = self._product(sku)
        if product is None:
            return None
        try:
            return transformers.product_of(product, currency=self._currency).cost
        except Unclear as unclear:
            raise SupplierSilent(unclear.reason) from unclear

    def check_account(self, sku: str, account: Mapping[str, str]) -> AccountCheck:
        """Whether the product's operator serves the number, with `POST /lookup/mobile-number`.

        Nobody serving it means that it is none. Another operator says little: numbers are carried along, and what the
        look-up does not call identified it guessed from the prefix.
        """
        number = transformers.credit_party(account, calling_code=self._calling_code).get("mobile_number")
        if number is None:
            return AccountCheck(AccountVerdict.UNAVAILABLE)
        try:
            product = self._product(sku)
            wanted = transformers.operator_of(product) if product is not None else None
            reply = self._asked(
                "POST", "/lookup/mobile-number", {"mobile_number": number}, refusals=transformers.NO_NUMBER
            )
            if reply.status != 200:
                return AccountCheck(AccountVerdict.NOT_FOUND)
            operators = json_objects(reply.body)
            identified = {identifier(row, "id") for row in operators if row.get("identified") is True}
        except (SupplierSilent, Unclear):
            return AccountCheck(AccountVerdict.UNAVAILABLE)
        if not operators:
            return AccountCheck(AccountVerdict.NOT_FOUND)
        return AccountCheck(AccountVerdict.OK if wanted in identified else AccountVerdict.UNAVAILABLE)

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        """Read which transaction changed. Anybody can post this: it says that it is time to ask, and nothing else.

        Our number is part of the event, so that nobody who does not know it can use up a genuine callback beforehand.
        Raises `CallbackRefused`.
        """
        try:
            fields = json_object(body)
            reference = name(fields, "external_id")
            number = identifier(fields, "id")
            state, _ = transformers.state_of(fields)
        except Unclear as unclear:
            raise CallbackRefused(f"malformed: {unclear.reason}") from unclear
        if state is None or len(reference) > 40:
            raise CallbackRefused("malformed: missing_fields")
        return CallbackClaim(reference=reference, event_id=f"{reference}:{number}:{state}"[:128])

    def callback_reply(self, *, accepted: bool) -> tuple[int, str, bytes]:
        """They stop at any 2XX."""
        return (200, "application/json", b"{}") if accepted else (400, "application/json", b'{"error":"refused"}')

    def _evidence(self, attempt: Attempt) -> Evidence:
        """What was sent for the account is hidden as well as what the shopper wrote."""
        sent = transformers.credit_party(attempt.account, calling_code=self._calling_code)
        return Evidence(
            plain=transformers.PLAIN,
            words=transformers.WORDS,
            secrets=self._secrets,
            account={**attempt.account, **{f"sent {key}": value for key, value in sent.items()}},
        )

    def _call(
        self, method: str, path: str, fields: Mapping[str, object] | None, evidence: Evidence, *, buying: bool
    ) -> Reply | Outcome:
        evidence.sent(f"{method} {path}", fields or {})
        headers = {"Authorization": self._authorization, "Accept": "application/json"}
        body = b""
        if fields is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(fields, ensure_ascii=False).encode()
        return exchange(
            self._http, evidence, method=method, url=f"{self._base}{path}", headers=headers, body=body, buying=buying
        )

    def _asked(
        self,
        method: str,
        path: str,
        fields: Mapping[str, object] | None = None,
        *,
        refusals: frozenset[tuple[int, int]] = frozenset(),
    ) -> Reply:
        """The reply to a question that moves nothing: 200, or one of the listed refusals. Raises `SupplierSilent`."""
        evidence = Evidence(plain=frozenset(), words=frozenset(), secrets=self._secrets, account={})
        reply = self._call(method, path, fields, evidence, buying=False)
        if isinstance(reply, Outcome):
            raise SupplierSilent(reply.code)
        if reply.status == 200:
            return reply
        try:
            code, _ = transformers.error_of(json_object(reply.body))
        except Unclear as unclear:
            raise SupplierSilent(Reason.HTTP_STATUS) from unclear
        if code is None or (reply.status, code) not in refusals:
            raise SupplierSilent(Reason.HTTP_STATUS)
        return reply

    def _product(self, sku: str) -> dict[str, object] | None:
        """A product, None where there is none. Raises `SupplierSilent`."""
        if not transformers.SKU.fullmatch(sku):
            return None
        reply = self._asked("GET", f"/products/{sku}", refusals=transformers.NO_PRODUCT)
        if reply.status != 200:
            return None
        try:
            return json_object(reply.body)
        except Unclear as unclear:
            raise SupplierSilent(unclear.reason) from unclear

    def _transaction(self, fields: Mapping[str, object], attempt: Attempt) -> transformers.Transaction:
        return transformers.transaction_of(
            fields,
            reference=attempt.reference,
            sku=attempt.sku,
            known=attempt.supplier_reference,
            currency=self._currency,
        )

    def _outcome(self, fields: Mapping[str, object], attempt: Attempt, evidence: Evidence) -> Outcome:
        return transformers.outcome_of(
            self._transaction(fields, attempt), wants_codes=attempt.wants_codes, evidence=evidence
        )

    def _unplaced(self, reply: Reply, code: int | None, said: str, evidence: Evidence) -> Outcome:
        """A reply that neither tells a transaction nor refuses one for certain."""
        if (reply.status, code) == (401, 1000401):
            return _unknown(Reason.BAD_CREDENTIALS, evidence, said=said, eliminates=True)
        if (reply.status, code) == transformers.USED_BEFORE:
            return _unknown(Reason.DUPLICATE, evidence, said=said)
        is_error = code is not None and 400 <= reply.status < 500 and reply.status != 429
        return _unknown(Reason.UNKNOWN_CODE if is_error else Reason.HTTP_STATUS, evidence, said=said)


def _fields(reply: Reply, evidence: Evidence) -> dict[str, object]:
    """The object of a reply. Raises `Unclear`."""
    try:
        fields = json_object(reply.body)
    except Unclear as unclear:
        evidence.replied(reply)
        if reply.status not in (200, 201, 202):
            raise Unclear(Reason.HTTP_STATUS) from unclear
        raise
    evidence.replied(reply, transformers.shown(fields))
    return fields


def _only(reply: Reply, evidence: Evidence) -> dict[str, object]:
    """The only transaction of a list. Raises `Unclear`."""
    try:
        found = json_objects(reply.body)
    except Unclear:
        evidence.replied(reply)
        raise
    if len(found) != 1:
        evidence.replied(reply, {"transactions": len(found)})
        raise Unclear(Reason.OTHER_ORDER if found else Reason.NO_SUCH_ORDER)
    evidence.replied(reply, found[0])
    return found[0]


def _unknown(reason: Reason, evidence: Evidence, *, said: str = "", eliminates: bool = False) -> Outcome:
    return Outcome(
        OutcomeKind.UNKNOWN,
        code=reason,
        message=evidence.said(said),
        evidence=evidence.text(),
        eliminates=eliminates,
    )
