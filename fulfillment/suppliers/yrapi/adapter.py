"""Where and how an installation of the yrapi family is called: forms out, JSON back, callbacks as forms."""

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar
from urllib.parse import parse_qsl, urlencode

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
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, identifier, json_object
from fulfillment.suppliers.yrapi import transformers
from fulfillment.suppliers.yrapi.signing import signature, signed
from fulfillment.suppliers.yrapi.states import State, state_map
from kameng.core.http import HttpClient, Reply

MOST_FIELDS = 50
FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


class YrapiAdapter(Unasked):
    """Phone credit as 大猿人 and its many copies sell it (https://www.kancloud.cn/boyanyun/boyanyun_huafei).

    The address ends before `/index/…`: `https://…/yrapi.php`, or `/api` where an installation moved it. `states` is
    the installation's own table of numbers, see `states.py`. Orders are always carried out later. A number is used
    once, and a refused second use says nothing about the first. Taking an order back is a request that may come too
    late and whose reply does not tell, so it is not offered.
    """

    code: ClassVar[str] = "yrapi"
    name: ClassVar[str] = "大猿人话费（yrapi）"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.BALANCE,
            Capability.QUERY_BY_OUR_NUMBER,
            Capability.COST_GUARD,
            Capability.CALLBACK_SIGNED,
            Capability.CALLBACK_COVERS_RESULT,
            Capability.MAY_REVERSE,
            Capability.CATALOG,
            Capability.PRICE,
        }
    )
    required_config: ClassVar[frozenset[str]] = frozenset({"apikey", "states", "userid"})
    not_found_grace: ClassVar[int] = 600
    when_unclear: ClassVar[str] = (
        "提示“已经存在相同商户订单号”说明第一次提交可能已经成功：不要换单号重下，用 index/check 按商户订单号查询。"
        "各家的 state 数字含义不同，以对方文档为准；"
        "部分成功只充了一部分话费，请按 charge_amount 核对后人工补差或退差价。"
    )

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Raises `SupplierMisconfigured`, also for a table of states that cannot be used."""
        require_config(connection, self.required_config)
        self._user = connection.config["userid"].strip()
        self._key = connection.config["apikey"].strip()
        self._base = connection.base_url.rstrip("/")
        self._http = http
        try:
            self._states = state_map(connection.config["states"])
        except ValueError as error:
            raise SupplierMisconfigured(f"{connection.supplier}: states: {error}") from error

    def submit(self, attempt: Attempt) -> Outcome:
        """Order with `index/recharge`; taken means `ACCEPTED`."""
        evidence = self._evidence(attempt)
        try:
            fields = transformers.order_request(attempt)
        except transformers.Unsendable as unsendable:
            return Outcome(OutcomeKind.NOT_SENT, code=unsendable.reason)
        reply = self._call("index/recharge", fields, evidence, buying=True)
        if isinstance(reply, Outcome):
            return reply
        try:
            errno, message, data = self._read(reply, evidence)
            if errno != transformers.SUCCESS:
                return self._refused(errno, message, evidence)
            order = transformers.order_of(data, attempt)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        return Outcome(
            OutcomeKind.ACCEPTED, supplier_reference=order.reference, cost=order.cost, evidence=evidence.text()
        )

    def query(self, attempt: Attempt) -> Outcome:
        """Ask with `index/check` by our number: a list of one, or of none where there is no such order."""
        evidence = self._evidence(attempt)
        reply = self._call("index/check", {"out_trade_nums": attempt.reference}, evidence, buying=False)
        if isinstance(reply, Outcome):
            return reply
        try:
            errno, message, data = self._read(reply, evidence)
            if errno != transformers.SUCCESS:
                why = transformers.refusal(errno, message)
                eliminates = why in transformers.ELIMINATING
                return _unknown(why or Reason.UNKNOWN_CODE, evidence, message=message, eliminates=eliminates)
            order = transformers.only_order(data, attempt)
            if order is None:
                return Outcome(OutcomeKind.NOT_FOUND, code=Reason.NO_SUCH_ORDER, evidence=evidence.text())
            return transformers.outcome_of(order, self._states, evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)

    def balance(self) -> Decimal | None:
        """Ask with `index/user`."""
        try:
            data = self._ask("index/user")
        except SupplierSilent:
            return None
        return amount(data.get("balance")) if isinstance(data, dict) else None

    def products(self, cursor: str) -> ProductPage:
        """Ask with `index/product`, which tells everything at once. Raises `SupplierSilent`."""
        if cursor:
            return ProductPage(())
        try:
            return ProductPage(transformers.products_of(self._ask("index/product")))
        except Unclear as unclear:
            raise SupplierSilent(f"an unreadable price list: {unclear.reason}") from unclear

    def price(self, sku: str) -> Decimal | None:
        """Read it from the price list. Raises `SupplierSilent`."""
        return next((product.cost for product in self.products("").products if product.sku == sku), None)

    def parse_callback(self, *, headers: Mapping[str, str], body: bytes) -> CallbackClaim:
        """Verify a form whose signature covers every field of it. Raises `CallbackRefused`.

        Only a delivery is believed as it is told; with any other state the order itself is asked.
        """
        fields = _form(body)
        claimed = fields.pop("sign", "")
        if not signed(fields, claimed, self._key):
            raise CallbackRefused("bad signature")
        if fields.get("userid") != self._user:
            raise CallbackRefused("another merchant")
        try:
            reference = identifier(fields, "out_trade_num")
            theirs = identifier(fields, "order_number")
        except Unclear as unclear:
            raise CallbackRefused(f"malformed: {unclear.reason}") from unclear
        outcome = None
        if self._states.of(fields) is State.DELIVERED:
            account = {"mobile": fields.get("mobile", "")}
            evidence = self._evidence(None, account)
            evidence.sent("callback", fields)
            outcome = transformers.outcome_of(transformers.Order(fields, theirs, None), self._states, evidence)
        event = f"{theirs}:{fields.get(self._states.field, '')[:10]}:{fields.get('otime', '')[:20]}"
        return CallbackClaim(reference=reference, event_id=event[:100], outcome=outcome)

    def callback_reply(self, *, accepted: bool) -> tuple[int, str, bytes]:
        """The sender stops at the seven bytes `success`."""
        return (200, "text/plain", b"success") if accepted else (400, "text/plain", b"fail")

    def _evidence(self, attempt: Attempt | None, account: Mapping[str, str] | None = None) -> Evidence:
        return Evidence(
            plain=transformers.PLAIN,
            words=transformers.WORDS,
            secrets=(self._key, self._user),
            account=attempt.account if attempt else account or {},
        )

    def _ask(self, path: str) -> object:
        """The `data` of a question about no order. Raises `SupplierSilent`."""
        evidence = self._evidence(None)
        reply = self._call(path, {}, evidence, buying=False)
        if isinstance(reply, Outcome):
            raise SupplierSilent(f"{path}: {reply.message or reply.code}")
        try:
            errno, message, data = self._read(reply, evidence)
        except Unclear as unclear:
            raise SupplierSilent(f"{path}: {unclear.reason}") from unclear
        if errno != transformers.SUCCESS:
            raise SupplierSilent(f"{path}: {errno} {evidence.said(message)}")
        return data

    def _call(self, path: str, fields: Mapping[str, str], evidence: Evidence, *, buying: bool) -> Reply | Outcome:
        evidence.sent(f"POST {path}", fields)
        form = {**fields, "userid": self._user}
        form["sign"] = signature(form, self._key)
        return exchange(
            self._http,
            evidence,
            method="POST",
            url=f"{self._base}/{path}",
            headers=FORM,
            body=urlencode(form).encode(),
            buying=buying,
        )

    def _read(self, reply: Reply, evidence: Evidence) -> tuple[int, str, object]:
        """`errno`, `errmsg` and `data` of a reply; replies are not signed. Raises `Unclear`."""
        try:
            fields = json_object(reply.body)
        except Unclear:
            evidence.replied(reply)
            if reply.status != 200:
                raise Unclear(Reason.HTTP_STATUS) from None
            raise
        evidence.replied(reply, fields)
        if reply.status != 200:
            raise Unclear(Reason.HTTP_STATUS)
        message = fields.get("errmsg")
        return transformers.number_of(fields), message if isinstance(message, str) else "", fields.get("data")

    def _refused(self, errno: int, message: str, evidence: Evidence) -> Outcome:
        why = transformers.refusal(errno, message)
        if why is None:
            twice = errno == transformers.DUPLICATE or transformers.TWICE.search(message)
            return _unknown(Reason.DUPLICATE if twice else Reason.UNKNOWN_CODE, evidence, message=message)
        return Outcome(
            OutcomeKind.REFUSED,
            code=why,
            message=evidence.said(message),
            evidence=evidence.text(),
            eliminates=why in transformers.ELIMINATING,
        )


def _form(body: bytes) -> dict[str, str]:
    """A form whose fields do not repeat. Raises `CallbackRefused`."""
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError as error:
        raise CallbackRefused("malformed: not a form") from error
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise CallbackRefused("malformed: a repeated field")
    return fields


def _unknown(reason: Reason, evidence: Evidence, *, message: str = "", eliminates: bool = False) -> Outcome:
    return Outcome(
        OutcomeKind.UNKNOWN,
        code=reason,
        message=evidence.said(message),
        evidence=evidence.text(),
        eliminates=eliminates,
    )
