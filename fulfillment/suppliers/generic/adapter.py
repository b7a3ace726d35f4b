"""Where and how a supplier is called whose protocol is configuration."""

import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import ClassVar
from urllib.parse import quote, urlencode

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
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.generic import callbacks, transformers
from fulfillment.suppliers.generic.mapping import Operation, Protocol, protocol
from fulfillment.suppliers.generic.words import Encoding, Stamp
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, json_object, sku_as_sent
from kameng.core.http import HttpClient

CHINA = timezone(timedelta(hours=8))
_CONTENT_TYPES = {
    Encoding.JSON: "application/json; charset=utf-8",
    Encoding.FORM: "application/x-www-form-urlencoded; charset=utf-8",
}
WHEN_UNCLEAR = (
    "这家渠道的接口由配置描述，没有写明结果不清时怎么办：请按采购单号在对方后台核对，或问对方客服；"
    "没有核实之前不要重下，也不要退款。"
)
Answer = tuple[int, str, dict[str, object]]


class GenericAdapter(Unasked):
    """Any signed HTTP interface that `mapping` describes (`docs/generic-supplier.md`); `secret` signs.

    What it can do depends on the configuration, so that `capabilities`, `not_found_grace` and `when_unclear` are the
    instance's.
    """

    code: ClassVar[str] = "generic"
    name: ClassVar[str] = "通用签名接口"
    required_config: ClassVar[frozenset[str]] = frozenset({"mapping", "secret"})

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Raises `SupplierMisconfigured`, naming the place of the first mistake in the mapping."""
        require_config(connection, self.required_config)
        try:
            self._protocol = protocol(_mapping(connection.config["mapping"]))
        except SupplierMisconfigured as error:
            raise SupplierMisconfigured(f"{connection.supplier}: {error}") from error
        self._secret = connection.config["secret"].strip()
        self._base = connection.base_url.rstrip("/")
        self._clock = connection.clock or time.time
        self._http = http
        self._shown = transformers.shown(self._protocol)
        self.capabilities = _capabilities(self._protocol)
        self.not_found_grace = self._protocol.grace
        self.when_unclear = self._protocol.when_unclear or WHEN_UNCLEAR

    def submit(self, attempt: Attempt) -> Outcome:
        """Buy with `operations.submit`."""
        operation, query = self._protocol.operations["submit"], self._protocol.operations.get("query")
        if sku_as_sent(attempt.sku) is None:
            return Outcome(OutcomeKind.NOT_SENT, code=Reason.BAD_SKU)
        why = transformers.unsendable(attempt, operation, query)
        if why is not None:
            return Outcome(OutcomeKind.NOT_SENT, code=why)
        evidence = self._evidence(attempt.account)
        try:
            answer = self._call(operation, transformers.values_of(attempt, self._protocol), evidence, buying=True)
        except _NoNumber:
            return Outcome(OutcomeKind.NOT_SENT, code=Reason.BAD_SKU)
        if isinstance(answer, Outcome):
            return answer
        status, code, fields = answer
        if code not in self._protocol.success:
            return self._refused(status, code, fields, evidence)
        return self._ordered(status, fields, operation, attempt, evidence)

    def query(self, attempt: Attempt) -> Outcome:
        """Ask with `operations.query`, if there is one."""
        operation = self._protocol.operations.get("query")
        if operation is None:
            return Outcome(OutcomeKind.UNKNOWN, code=Reason.NOT_SUPPORTED)
        by_theirs = "supplier_reference" in operation.path.names or "reference" not in operation.names
        if by_theirs and not attempt.supplier_reference:
            return Outcome(OutcomeKind.UNKNOWN, code=Reason.NO_REFERENCE)
        evidence = self._evidence(attempt.account)
        try:
            answer = self._call(operation, transformers.values_of(attempt, self._protocol), evidence, buying=False)
        except _NoNumber:
            return Outcome(OutcomeKind.UNKNOWN, code=Reason.BAD_SKU)
        if isinstance(answer, Outcome):
            return answer
        status, code, fields = answer
        if code in self._protocol.success:
            return self._ordered(status, fields, operation, attempt, evidence)
        said = transformers.at(fields, self._protocol.message) if self._protocol.message else ""
        if code in self._protocol.not_found and status == self._protocol.not_found_status:
            # Said to their number, it may be the number that is wrong, and says nothing about ours.
            kind = OutcomeKind.UNKNOWN if by_theirs else OutcomeKind.NOT_FOUND
            message = evidence.said(said)
            return Outcome(kind, code=Reason.NO_SUCH_ORDER, message=message, evidence=evidence.text())
        refusal = self._protocol.refusals.get(code)
        if refusal is None or refusal.status != status:
            return _unknown(Reason.UNKNOWN_CODE if status == 200 else Reason.HTTP_STATUS, evidence, said=said)
        return _unknown(refusal.reason, evidence, said=said, eliminates=refusal.eliminates)

    def balance(self) -> Decimal | None:
        """Ask with `operations.balance`."""
        operation = self._protocol.operations.get("balance")
        if operation is None:
            return None
        try:
            fields = self._told(operation, {})
        except SupplierSilent:
            return None
        return transformers.money(transformers.at(fields, operation.reply["balance"]), self._protocol.unit)

    def products(self, cursor: str) -> ProductPage:
        """A page of `operations.products`. Raises `SupplierSilent`."""
        operation = self._protocol.operations.get("products")
        if operation is None:
            return super().products(cursor)
        fields = self._told(operation, {"cursor": cursor})
        try:
            return transformers.product_page(fields, operation, self._protocol.unit)
        except Unclear as unclear:
            raise SupplierSilent(str(unclear)) from unclear

    def price(self, sku: str) -> Decimal | None:
        """Ask with `operations.price`; None also where the supplier says that it is not to be had. Raises
        `SupplierSilent`."""
        operation = self._protocol.operations.get("price")
        if operation is None or sku_as_sent(sku) is None:
            return None
        fields = self._told(operation, {"sku": sku})
        return transformers.priced(transformers.at(fields, operation.reply["cost"]), self._protocol.unit)

    def check_account(self, sku: str, account: Mapping[str, str]) -> AccountCheck:
        """Ask with `operations.check_account`; whatever is not listed is `UNAVAILABLE`."""
        operation = self._protocol.operations.get("check_account")
        if operation is None or sku_as_sent(sku) is None:
            return AccountCheck(AccountVerdict.UNAVAILABLE)
        values = {"sku": sku, **transformers.account_values(account)}
        try:
            answer = self._call(operation, values, self._evidence(account), buying=False)
        except _NoNumber:
            return AccountCheck(AccountVerdict.UNAVAILABLE)
        if isinstance(answer, Outcome) or answer[0] != 200:
            return AccountCheck(AccountVerdict.UNAVAILABLE)
        return transformers.account_check(answer[2], answer[1], operation, self._protocol)

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        """Verify and read a callback as `callback` describes it. Raises `CallbackRefused`."""
        callback = self._protocol.callback
        if callback is None:
            raise CallbackRefused("no callbacks")
        return callbacks.claim(
            callback,
            self._protocol,
            self._evidence({}),
            secret=self._secret,
            now=self._clock(),
            headers=headers,
            body=body,
        )

    def callback_reply(self, *, accepted: bool) -> tuple[int, str, bytes]:
        """The words that the configuration gives."""
        callback = self._protocol.callback
        if callback is None:
            return super().callback_reply(accepted=accepted)
        said = callback.accepted if accepted else callback.refused
        kind = "application/json" if said.startswith("{") else "text/plain"
        return 200 if accepted else 400, kind, said.encode()

    def _evidence(self, account: Mapping[str, str]) -> Evidence:
        return Evidence(plain=self._shown.plain, words=self._shown.words, secrets=(self._secret,), account=account)

    def _stamp(self) -> str:
        now = self._clock()
        match self._protocol.stamp:
            case Stamp.SECONDS:
                return str(int(now))
            case Stamp.MILLISECONDS:
                return str(int(now * 1000))
            case Stamp.CHINA:
                return datetime.fromtimestamp(now, CHINA).strftime("%Y-%m-%d %H:%M:%S")
            case Stamp.COMPACT:
                return datetime.fromtimestamp(now, CHINA).strftime("%Y%m%d%H%M%S")

    def _call(
        self, operation: Operation, values: Mapping[str, str], evidence: Evidence, *, buying: bool
    ) -> Answer | Outcome:
        """Status, code and object of a signed call, or the outcome that its failure is."""
        known = {**values, "timestamp": self._stamp(), "nonce": secrets.token_hex(8)}
        filled = {name: template.filled(known) for name, template in operation.parameters.items()}
        headers = {name: template.filled(known) for name, template in operation.headers.items()}
        typed = {name: transformers.as_sent(filled[name], operation.parameters[name]) for name in filled}
        if None in typed.values():
            raise _NoNumber
        recipe = self._protocol.recipe
        sign = recipe.sign({**headers, **filled} if recipe.fields is not None else filled, self._secret)
        if recipe.header:
            headers[recipe.header] = sign
        path = operation.path.filled({name: quote(value, safe="") for name, value in known.items()})
        evidence.sent(f"{operation.method} {path}", filled)
        fields = filled | ({recipe.field: sign} if recipe.field else {})
        url, body = f"{self._base}{path}", b""
        if operation.encoding is Encoding.QUERY:
            url = f"{url}?{urlencode(fields)}" if fields else url
        elif operation.encoding is Encoding.FORM:
            body = urlencode(fields).encode()
        else:
            signed = typed | ({recipe.field: sign} if recipe.field else {})
            body = json.dumps(signed, ensure_ascii=False, separators=(",", ":"), default=float).encode()
        kind = _CONTENT_TYPES.get(operation.encoding)
        reply = exchange(
            self._http,
            evidence,
            method=operation.method,
            url=url,
            headers={**headers, **({"content-type": kind} if kind else {})},
            body=body,
            buying=buying,
        )
        if isinstance(reply, Outcome):
            return reply
        try:
            answer = json_object(reply.body)
        except Unclear as unclear:
            evidence.replied(reply)
            return _unknown(unclear.reason if reply.status == 200 else Reason.HTTP_STATUS, evidence)
        evidence.replied(reply, answer)
        code = transformers.word(transformers.at(answer, self._protocol.code))
        if code is None:
            return _unknown(Reason.MISSING_FIELDS if reply.status == 200 else Reason.HTTP_STATUS, evidence)
        return reply.status, code, answer

    def _told(self, operation: Operation, values: Mapping[str, str]) -> dict[str, object]:
        """The reply to a question that moves nothing; empty where goods are not to be had. Raises `SupplierSilent`."""
        try:
            answer = self._call(operation, values, self._evidence({}), buying=False)
        except _NoNumber:
            return {}
        if isinstance(answer, Outcome):
            raise SupplierSilent(str(answer.code))
        status, code, fields = answer
        if status == 200 and code in self._protocol.success:
            return fields
        refusal = self._protocol.refusals.get(code)
        if refusal is None or refusal.status != status:
            raise SupplierSilent(str(Reason.UNKNOWN_CODE if status == 200 else Reason.HTTP_STATUS))
        if refusal.reason in {Reason.OUT_OF_STOCK, Reason.PRODUCT_UNAVAILABLE}:
            return {}
        raise SupplierSilent(str(refusal.reason))

    def _ordered(
        self, status: int, fields: Mapping[str, object], operation: Operation, attempt: Attempt, evidence: Evidence
    ) -> Outcome:
        if status != 200:
            return _unknown(Reason.HTTP_STATUS, evidence)
        try:
            return transformers.order_outcome(fields, operation, attempt, self._protocol, evidence)
        except Unclear as unclear:
            return replace(_unknown(unclear.reason, evidence), supplier_reference=self._number(fields, operation))

    @staticmethod
    def _number(fields: Mapping[str, object], operation: Operation) -> str:
        """Their number in a reply that is unclear otherwise, but about our order."""
        path = operation.reply.get("supplier_reference")
        told = transformers.word(transformers.at(fields, path)) if path and operation.name == "submit" else None
        return told[:64] if told and told.isascii() and told.replace("-", "").replace("_", "").isalnum() else ""

    def _refused(self, status: int, code: str, fields: Mapping[str, object], evidence: Evidence) -> Outcome:
        said = transformers.at(fields, self._protocol.message) if self._protocol.message else ""
        refusal = self._protocol.refusals.get(code)
        if refusal is None or refusal.status != status:
            if status != 200:
                return _unknown(Reason.HTTP_STATUS, evidence, said=said)
            twice = code in self._protocol.duplicates
            return _unknown(Reason.DUPLICATE if twice else Reason.UNKNOWN_CODE, evidence, said=said)
        return Outcome(
            OutcomeKind.REFUSED,
            code=refusal.reason,
            message=evidence.said(said),
            evidence=evidence.text(),
            eliminates=refusal.eliminates,
        )


class _NoNumber(Exception):
    """A value that must be a number in JSON is none; nothing was sent."""


def _mapping(given: object) -> object:
    """The mapping as an object; it may have been given as JSON text."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except (ValueError, RecursionError) as error:
        raise SupplierMisconfigured("mapping: is not JSON") from error


def _capabilities(protocol: Protocol) -> frozenset[Capability]:
    """What the configured protocol can do."""
    operations, callback = protocol.operations, protocol.callback
    submit, query = operations["submit"], operations.get("query")
    able = {
        Capability.QUERY_BY_OUR_NUMBER: query is not None
        and "reference" in query.names
        and "supplier_reference" not in query.path.names,
        Capability.COST_GUARD: "max_cost" in submit.names,
        Capability.CALLBACK_SIGNED: callback is not None,
        Capability.CALLBACK_COVERS_RESULT: callback is not None and callback.covers_result,
        Capability.MAY_REVERSE: "refunded" in protocol.states.values(),
        Capability.CATALOG: "products" in operations,
        Capability.PRICE: "price" in operations,
        Capability.ACCOUNT_CHECK: "check_account" in operations,
        Capability.BALANCE: "balance" in operations,
    }
    return frozenset(capability for capability, is_able in able.items() if is_able)


def _unknown(reason: Reason, evidence: Evidence, *, said: object = "", eliminates: bool = False) -> Outcome:
    return Outcome(
        OutcomeKind.UNKNOWN,
        code=reason,
        message=evidence.said(said),
        evidence=evidence.text(),
        eliminates=eliminates,
    )
