"""Where and how an acg-faka shop is called."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar
from urllib.parse import urlencode

from fulfillment.suppliers.acgfaka import transformers
from fulfillment.suppliers.acgfaka.signing import Fields, flat, signature
from fulfillment.suppliers.base import (
    Attempt,
    Capability,
    Connection,
    Outcome,
    OutcomeKind,
    ProductPage,
    SupplierSilent,
    Unasked,
)
from fulfillment.suppliers.calling import exchange, require_config
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, identifier, json_object, whole
from kameng.core.http import HttpClient

Answer = tuple[int, str, object]


class AcgFakaAdapter(Unasked):
    """The shared shop of 异次元发卡 3 (https://github.com/lizhipay/acg-faka); version 4 speaks another protocol.

    It sells codes and answers with them at once. Our number (`request_no`, 19 characters) keeps a purchase from being
    made twice, but nothing can be asked by it: a purchase whose reply was lost is found by a person. Goods for an
    account are not bought here, since no reply tells whether they arrived. The key travels in the request: an address
    that answers with a redirect is never followed.
    """

    code: ClassVar[str] = "acgfaka"
    name: ClassVar[str] = "异次元发卡 3"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.BALANCE, Capability.CATALOG, Capability.PRICE}
    )
    required_config: ClassVar[frozenset[str]] = frozenset({"app_id", "app_key"})
    not_found_grace: ClassVar[int] = 600
    when_unclear: ClassVar[str] = (
        "对方没有按我方单号查询的接口。重复提交同一 request_no 若得到“The request ID already exists”，"
        "说明第一次已经成交：请登录对方站点，在会员中心的购买记录里找到这一单，取出卡密。找不到这一单、余额也没有扣，才是没有成交。"
        "“余额不足”也可能是对方自己在上游的余额不足。"
    )

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Raises `SupplierMisconfigured`."""
        require_config(connection, self.required_config)
        self._id = connection.config["app_id"].strip()
        self._key = connection.config["app_key"].strip()
        self._base = connection.base_url.rstrip("/")
        self._currency = connection.currency
        self._http = http

    def submit(self, attempt: Attempt) -> Outcome:
        """Buy with `trade`, paid from our balance there; the reply holds the codes. The protocol takes no maximum, so
        that the price of this very purchase is asked for right before it, with `valuation`."""
        if transformers.SKU.fullmatch(attempt.sku) is None:
            return Outcome(OutcomeKind.NOT_SENT, code=Reason.BAD_SKU)
        if not attempt.wants_codes:
            return Outcome(OutcomeKind.NOT_SENT, code=Reason.WRONG_KIND)
        evidence = self._evidence(attempt.account)
        if attempt.max_cost is not None and (too_dear := self._valued(attempt, attempt.max_cost, evidence)):
            return too_dear
        fields = transformers.trade_request(attempt)
        answer = self._call("commodity/trade", fields, evidence, buying=True)
        if isinstance(answer, Outcome):
            return answer
        code, message, data = answer
        if code != transformers.SUCCESS:
            return self._refused(message, evidence)
        reference = ""
        try:
            if not isinstance(data, dict):
                raise Unclear(Reason.MISSING_FIELDS)
            reference = identifier(data, "tradeNo")
            return transformers.outcome_of(data, attempt, reference=reference, evidence=evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence, reference=reference)

    def _valued(self, attempt: Attempt, most: Decimal, evidence: Evidence) -> Outcome | None:
        """Why the attempt is not bought at what it costs now, or None. Whatever comes of the question, nothing was
        bought by it; a question that was held up is answered like a purchase that was."""
        fields = transformers.valuation_request(attempt.sku, quantity=attempt.quantity)
        answer = self._call("commodity/valuation", fields, evidence, buying=True)
        if isinstance(answer, Outcome):
            return answer if answer.code == Reason.HELD_UP else replace(answer, kind=OutcomeKind.NOT_SENT)
        code, message, data = answer
        if code != transformers.SUCCESS and transformers.refusal(message) is not None:
            return self._refused(message, evidence)
        price = self._price_in(data) if code == transformers.SUCCESS else None
        if price is None:
            return Outcome(OutcomeKind.NOT_SENT, code=Reason.COST_UNKNOWN, evidence=evidence.text())
        if price > most:
            return Outcome(OutcomeKind.REFUSED, code=Reason.PRICE_ABOVE_LIMIT, evidence=evidence.text())
        return None

    def query(self, attempt: Attempt) -> Outcome:
        """Ask with `query` by their number; without it nobody can be asked."""
        reference = attempt.supplier_reference
        if not reference:
            return Outcome(OutcomeKind.UNKNOWN, code=Reason.NO_REFERENCE)
        evidence = self._evidence(attempt.account)
        answer = self._call("commodity/query", {"tradeNo": reference}, evidence, buying=False)
        if isinstance(answer, Outcome):
            return answer
        code, message, data = answer
        if code != transformers.SUCCESS:
            missing = message.strip() == "订单不存在"
            why = Reason.NO_SUCH_ORDER if missing else transformers.refusal(message) or Reason.UNKNOWN_CODE
            eliminates = why is Reason.BAD_CREDENTIALS
            return _unknown(why, evidence, message=message, reference=reference, eliminates=eliminates)
        try:
            if not isinstance(data, dict):
                raise Unclear(Reason.MISSING_FIELDS)
            if whole(data.get("status")) != transformers.PAID:
                raise Unclear(Reason.UNKNOWN_STATE)
            return transformers.outcome_of(data, attempt, reference=reference, evidence=evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence, reference=reference)

    def balance(self) -> Decimal | None:
        """Ask with `connect`. The reply names no currency: it is the shop's, which the connection's must be."""
        answer = self._call("authentication/connect", {}, _silent(), buying=False)
        if isinstance(answer, Outcome) or answer[0] != transformers.SUCCESS or not isinstance(answer[2], dict):
            return None
        return amount(answer[2].get("balance"))

    def products(self, cursor: str) -> ProductPage:
        """The whole list with `items`, in one page. Raises `SupplierSilent`."""
        data = self._told("commodity/items", {})
        try:
            return ProductPage(transformers.products_of(data))
        except Unclear as unclear:
            raise SupplierSilent(str(unclear)) from unclear

    def price(self, sku: str) -> Decimal | None:
        """Ask with `valuation`; None also for a shop that counts in another currency than the connection. Raises
        `SupplierSilent`."""
        if transformers.SKU.fullmatch(sku) is None:
            return None
        return self._price_in(self._told("commodity/valuation", transformers.valuation_request(sku)))

    def _price_in(self, data: object) -> Decimal | None:
        if not isinstance(data, dict) or data.get("currency_code") not in (None, "", self._currency):
            return None
        return transformers.priced(data.get("price"))

    def _told(self, call: str, fields: Fields) -> object:
        """The data of a question that moves nothing; None where goods are not sold. Raises `SupplierSilent`."""
        answer = self._call(call, fields, _silent(), buying=False)
        if isinstance(answer, Outcome):
            raise SupplierSilent(str(answer.code))
        code, message, data = answer
        if code == transformers.SUCCESS:
            return data
        why = transformers.refusal(message)
        if why in {Reason.PRODUCT_UNAVAILABLE, Reason.OUT_OF_STOCK}:
            return None
        raise SupplierSilent(str(why or Reason.UNKNOWN_CODE))

    def _evidence(self, account: Mapping[str, str]) -> Evidence:
        return Evidence(plain=transformers.PLAIN, words=transformers.WORDS, secrets=(self._key,), account=account)

    def _call(self, call: str, fields: Fields, evidence: Evidence, *, buying: bool) -> Answer | Outcome:
        """Code, message and data of a signed call, or the outcome that its failure is."""
        evidence.sent(call, fields)
        signed: Fields = {**fields, "app_id": self._id, "app_key": self._key}
        form = [*flat(signed), ("sign", signature(signed, self._key))]
        reply = exchange(
            self._http,
            evidence,
            method="POST",
            url=f"{self._base}/shared/{call}",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(form).encode(),
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
        if reply.status != 200:
            return _unknown(Reason.HTTP_STATUS, evidence)
        code, message = whole(answer.get("code")), answer.get("msg")
        if code is None:
            return _unknown(Reason.MISSING_FIELDS, evidence)
        return code, message if isinstance(message, str) else "", answer.get("data")

    def _refused(self, message: str, evidence: Evidence) -> Outcome:
        why = transformers.refusal(message)
        if why is None:
            twice = transformers.TWICE.search(message) is not None
            return _unknown(Reason.DUPLICATE if twice else Reason.UNKNOWN_CODE, evidence, message=message)
        return Outcome(
            OutcomeKind.REFUSED,
            code=why,
            message=evidence.said(message),
            evidence=evidence.text(),
            eliminates=why in transformers.ELIMINATING,
        )


def _silent() -> Evidence:
    return Evidence(plain=frozenset(), words=frozenset(), secrets=(), account={})


def _unknown(
    reason: Reason, evidence: Evidence, *, message: str = "", reference: str = "", eliminates: bool = False
) -> Outcome:
    return Outcome(
        OutcomeKind.UNKNOWN,
        supplier_reference=reference,
        code=reason,
        message=evidence.said(message),
        evidence=evidence.text(),
        eliminates=eliminates,
    )
