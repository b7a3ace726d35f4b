"""Where and how Fulu is called: one address, the method in the envelope; `code` 0 means accepted, never delivered."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import ClassVar, TypeVar

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
from fulfillment.suppliers.fulu import transformers
from fulfillment.suppliers.fulu.signing import KEY_BYTES, compact, signature, signed
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, json_object, json_objects, name, sku_as_sent, whole
from kameng.core.http import HttpClient, Reply

Result = TypeVar("Result")

CHINA = timezone(timedelta(hours=8))


class FuluAdapter(Unasked):
    """Fulu open platform 2.0 (https://open.fulu.com). A callback's signature is the weak one of `signing`: it is a bell
    only, and what happened is asked with `fulu.order.info.get`."""

    code: ClassVar[str] = "fulu"
    name: ClassVar[str] = "福禄开放平台"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.BALANCE,
            Capability.QUERY_BY_OUR_NUMBER,
            Capability.COST_GUARD,
            Capability.CALLBACK_SIGNED,
            Capability.CATALOG,
            Capability.PRICE,
        }
    )
    required_config: ClassVar[frozenset[str]] = frozenset({"app_key", "app_secret"})
    not_found_grace: ClassVar[int] = 600
    when_unclear: ClassVar[str] = (
        "受理不等于成功：以 fulu.order.info.get 的 order_state 为准。提交超时后不要换单号重下，"
        "同一 customer_order_no 重复提交会被拒绝；提交十分钟后仍查无此单，请联系福禄客服核对。"
    )

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Raises `SupplierMisconfigured`: the secret is also the key of the cards and has 32 characters."""
        require_config(connection, self.required_config)
        self._key = connection.config["app_key"]
        self._secret = connection.config["app_secret"]
        if len(self._secret.encode()) != KEY_BYTES:
            raise SupplierMisconfigured(f"{connection.supplier}: app_secret must be {KEY_BYTES} characters")
        self._url = connection.base_url
        self._clock = connection.clock or time.time
        self._http = http

    def submit(self, attempt: Attempt) -> Outcome:
        """Order with `fulu.order.{direct,card,mobile}.add`; taken means `ACCEPTED`, whatever state is told."""
        evidence = self._evidence(attempt)
        try:
            method, biz = transformers.order_request(attempt)
        except transformers.Unsendable as unsendable:
            return Outcome(OutcomeKind.NOT_SENT, code=unsendable.reason)
        reply = self._call(method, biz, evidence, buying=True)
        if isinstance(reply, Outcome):
            return reply
        try:
            code, message, result = self._read(reply, evidence)
            if result is None:
                return self._refused(code, message, evidence)
            order = transformers.order_of(result, attempt)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        return Outcome(
            OutcomeKind.ACCEPTED, supplier_reference=order.reference, cost=order.cost, evidence=evidence.text()
        )

    def query(self, attempt: Attempt) -> Outcome:
        """Ask with `fulu.order.info.get` by our number; the reply carries the cards."""
        evidence = self._evidence(attempt)
        biz = {"customer_order_no": attempt.reference}
        reply = self._call("fulu.order.info.get", biz, evidence, buying=False)
        if isinstance(reply, Outcome):
            return reply
        try:
            code, message, result = self._read(reply, evidence)
            if result is not None:
                order = transformers.order_of(result, attempt)
                return transformers.outcome_of(order, attempt, secret=self._secret, evidence=evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        if transformers.NO_ORDER.search(message):
            said = evidence.said(message)
            return Outcome(OutcomeKind.NOT_FOUND, code=Reason.NO_SUCH_ORDER, message=said, evidence=evidence.text())
        why = transformers.refusal(code, message)
        eliminates = why in transformers.ELIMINATING
        return _unknown(why or Reason.UNKNOWN_CODE, evidence, message=message, eliminates=eliminates)

    def balance(self) -> Decimal | None:
        """Ask with `fulu.user.info.get`."""
        evidence = Evidence(plain=frozenset(), words=frozenset(), secrets=(), account={})
        reply = self._call("fulu.user.info.get", {}, evidence, buying=False)
        if isinstance(reply, Outcome):
            return None
        try:
            _, _, result = self._read(reply, evidence)
        except Unclear:
            return None
        return amount(result.get("balance")) if result is not None else None

    def products(self, cursor: str) -> ProductPage:
        """The whole list with `fulu.goods.list.get`, in one page. Phone credit (`mobile:50`) is not in it: it has face
        values and no product. Raises `SupplierSilent`."""
        rows = self._told("fulu.goods.list.get", {}, json_objects)
        try:
            return ProductPage(transformers.products_of(rows or []))
        except Unclear as unclear:
            raise SupplierSilent(str(unclear)) from unclear

    def is_listed(self, sku: str) -> bool:
        """Phone credit never is."""
        return transformers.PHONE_SKU.fullmatch(sku) is None

    def price(self, sku: str) -> Decimal | None:
        """Ask with `fulu.goods.info.get`; None for phone credit and for what is not sold. Raises `SupplierSilent`."""
        product = sku_as_sent(sku)
        if product is None:
            return None
        row = self._told("fulu.goods.info.get", {"product_id": product}, json_object)
        if row is None:
            return None
        try:
            line = transformers.product_of(row)
        except Unclear as unclear:
            raise SupplierSilent(str(unclear)) from unclear
        return line.cost if line.sku == sku and line.is_available else None

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        """Read a notice. It carries no outcome, because its signature fixes none. Raises `CallbackRefused`."""
        try:
            fields = json_object(body)
            claimed = fields.pop("sign", None)
            if not signed(compact(fields), claimed, self._secret):
                raise CallbackRefused("bad signature")
            reference = name(fields, "customer_order_no")
            state = fields.get("order_status") or fields.get("refund_status") or ""
            when = fields.get("charge_finish_time") or fields.get("refund_time") or ""
            event = f"{name(fields, 'order_id')}:{state}:{when}"
        except Unclear as unclear:
            raise CallbackRefused(f"malformed: {unclear.reason}") from unclear
        return CallbackClaim(reference=reference[:64], event_id=event[:100])

    def callback_reply(self, *, accepted: bool) -> tuple[int, str, bytes]:
        """Fulu stops at the seven bytes `success`."""
        return (200, "text/plain", b"success") if accepted else (400, "text/plain", b"fail")

    def _told(self, method: str, biz: Mapping[str, object], parse: Callable[[str], Result]) -> Result | None:
        """The result of a question that moves nothing; None for goods that are not sold. Raises `SupplierSilent`."""
        evidence = Evidence(plain=frozenset(), words=frozenset(), secrets=(), account={})
        reply = self._call(method, biz, evidence, buying=False)
        if isinstance(reply, Outcome):
            raise SupplierSilent(str(reply.code))
        try:
            code, message, result = self._opened(reply, evidence, parse)
        except Unclear as unclear:
            raise SupplierSilent(str(unclear)) from unclear
        why = transformers.refusal(code, message) if result is None else None
        if result is None and why is not Reason.PRODUCT_UNAVAILABLE:
            raise SupplierSilent(str(why or Reason.UNKNOWN_CODE))
        return result

    def _evidence(self, attempt: Attempt) -> Evidence:
        return Evidence(
            plain=transformers.PLAIN,
            words=transformers.WORDS,
            secrets=(self._key, self._secret),
            account=attempt.account,
        )

    def _call(self, method: str, biz: Mapping[str, object], evidence: Evidence, *, buying: bool) -> Reply | Outcome:
        evidence.sent(method, biz)
        envelope = {
            "app_key": self._key,
            "method": method,
            "timestamp": datetime.fromtimestamp(self._clock(), CHINA).strftime("%Y-%m-%d %H:%M:%S"),
            "version": "2.0",
            "format": "json",
            "charset": "utf-8",
            "sign_type": "md5",
            "app_auth_token": "",
            "biz_content": compact(biz),
        }
        envelope["sign"] = signature(compact(envelope), self._secret)
        return exchange(
            self._http,
            evidence,
            method="POST",
            url=self._url,
            headers={"content-type": "application/json; charset=utf-8"},
            body=compact(envelope).encode(),
            buying=buying,
        )

    def _read(self, reply: Reply, evidence: Evidence) -> tuple[int, str, dict[str, object] | None]:
        """Code, message and the verified result, an object, which is None exactly if the code is not 0. Raises
        `Unclear`."""
        return self._opened(reply, evidence, json_object)

    def _opened(
        self, reply: Reply, evidence: Evidence, parse: Callable[[str], Result]
    ) -> tuple[int, str, Result | None]:
        """The same for a result of the kind that `parse` reads: any other kind is none. Raises `Unclear`."""
        try:
            fields = json_object(reply.body)
        except Unclear:
            evidence.replied(reply)
            if reply.status != 200:
                raise Unclear(Reason.HTTP_STATUS) from None
            raise
        raw = fields.get("result")
        result: Result | None = None
        if isinstance(raw, str) and raw:
            try:
                result = parse(raw)
            except Unclear:
                evidence.replied(reply, fields)
                raise
        evidence.replied(reply, {**fields, "result": result})
        if reply.status != 200:
            raise Unclear(Reason.HTTP_STATUS)
        code = whole(fields.get("code"))
        message = fields.get("message")
        if code is None:
            raise Unclear(Reason.MISSING_FIELDS)
        if code != transformers.SUCCESS:
            return code, message if isinstance(message, str) else "", None
        if result is None:
            raise Unclear(Reason.MISSING_FIELDS)
        if not signed(str(raw), fields.get("sign"), self._secret):
            raise Unclear(Reason.BAD_SIGNATURE)
        return code, "", result

    def _refused(self, code: int, message: str, evidence: Evidence) -> Outcome:
        why = transformers.refusal(code, message)
        if why is None:
            twice = code == transformers.DUPLICATE or transformers.TWICE.search(message)
            return _unknown(Reason.DUPLICATE if twice else Reason.UNKNOWN_CODE, evidence, message=message)
        return Outcome(
            OutcomeKind.REFUSED,
            code=why,
            message=evidence.said(message),
            evidence=evidence.text(),
            eliminates=why in transformers.ELIMINATING,
        )


def _unknown(reason: Reason, evidence: Evidence, *, message: str = "", eliminates: bool = False) -> Outcome:
    return Outcome(
        OutcomeKind.UNKNOWN,
        code=reason,
        message=evidence.said(message),
        evidence=evidence.text(),
        eliminates=eliminates,
    )
