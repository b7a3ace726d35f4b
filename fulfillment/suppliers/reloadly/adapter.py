"""Where and how Reloadly is called: two services of one account, each with a host and tokens of its own."""

import json
import re
import time
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import ClassVar
from urllib.parse import quote, urlencode, urlsplit

from fulfillment.suppliers.base import (
    AccountCheck,
    AccountVerdict,
    Attempt,
    Capability,
    Connection,
    Outcome,
    OutcomeKind,
    ProductPage,
    SupplierMisconfigured,
    SupplierSilent,
    Unasked,
)
from fulfillment.suppliers.calling import exchange, is_address, require_config
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.reloadly import catalog, transformers
from fulfillment.suppliers.reloadly.access import Access, Token
from fulfillment.suppliers.reloadly.transformers import Service, Transaction
from fulfillment.suppliers.replies import Unclear, amount, identifier, json_object, json_objects, whole
from kameng.core.http import HttpClient, Reply

AUTH_URL = "https://auth.reloadly.com/oauth/token"
HOST = re.compile(r"(?P<service>topups|giftcards)(?P<mode>|-sandbox)\.reloadly\.com")
ACCEPT = {service: f"application/com.reloadly.{service}-v1+json" for service in Service}


class ReloadlyAdapter(Unasked):
    """Reloadly's airtime and gift card APIs (https://docs.reloadly.com).

    The address may be that of either service, live or in test mode: the other one's differs by its name. At any other
    address both services answer, and `/oauth/token` unless `auth_url` says otherwise. An offer's sku is
    `country:operator:amount` for a phone (`HT:173:15`, in the account's currency) or `product:face value` for codes
    (`5:25`, in the card's own currency). The connection's currency is the account's.

    There is no cost guard. Webhooks were seen missing (https://github.com/Reloadly/reloadly-sdk-nodejs/issues/31): the
    reports are asked instead, by our number.
    """

    code: ClassVar[str] = "reloadly"
    name: ClassVar[str] = "Reloadly"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.BALANCE,
            Capability.QUERY_BY_OUR_NUMBER,
            Capability.MAY_REVERSE,
            Capability.CATALOG,
            Capability.PRICE,
            Capability.ACCOUNT_CHECK,
        }
    )
    required_config: ClassVar[frozenset[str]] = frozenset({"client_id", "client_secret"})
    not_found_grace: ClassVar[int] = 600
    when_unclear: ClassVar[str] = (
        "提交超时后不要换单号重下：同一 customIdentifier 只能用一次，重复提交会得到 CUSTOM_IDENTIFIER_ALREADY_USED，"
        "说明第一次已经成交。请在 Reloadly 后台的交易记录里按 customIdentifier 核对；"
        "FAILED 和 REFUNDED 的款项由对方退回账户余额。"
    )

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """Raises `SupplierMisconfigured`."""
        require_config(connection, self.required_config)
        self._secrets = (connection.config["client_id"].strip(), connection.config["client_secret"].strip())
        self._base = connection.base_url.rstrip("/")
        self._host = HOST.fullmatch(urlsplit(self._base).hostname or "")
        self._currency = connection.currency
        self._http = http
        auth_url = str(connection.config.get("auth_url") or "").strip()
        if auth_url and not is_address(auth_url):
            raise SupplierMisconfigured(f"{connection.supplier}: missing or unfit: auth_url")
        self.access = Access(
            http,
            url=auth_url or (AUTH_URL if self._host else f"{self._base}/oauth/token"),
            client=self._secrets[0],
            secret=self._secrets[1],
            clock=connection.clock or time.time,
        )

    def submit(self, attempt: Attempt) -> Outcome:
        """Buy with `POST /topups-async` or `POST /orders`; cards that are there at once are fetched at once."""
        try:
            service, path, body = transformers.purchase(attempt)
        except transformers.Unsendable as unsendable:
            return Outcome(OutcomeKind.NOT_SENT, code=unsendable.reason)
        evidence = self._evidence(attempt.account)
        reply = self._call(service, "POST", path, body, evidence, buying=True)
        if isinstance(reply, Outcome):
            return reply
        try:
            fields = _read(reply, evidence)
            if reply.status != 200:
                return self._refused(reply.status, fields, evidence)
            if service is Service.TOPUPS:
                reference = identifier(fields, "transactionId")
                return Outcome(OutcomeKind.ACCEPTED, supplier_reference=reference, evidence=evidence.text())
            transaction = transformers.transaction_of(fields, attempt, currency=self._currency)
            outcome = self._outcome(transaction, attempt, evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        bought = outcome.code in {Reason.NO_ANSWER, Reason.NO_CONNECTION, Reason.HTTP_STATUS}
        return replace(outcome, kind=OutcomeKind.ACCEPTED, code="") if bought else outcome

    def query(self, attempt: Attempt) -> Outcome:
        """Ask the report of the service for our number, and for the cards of an order that succeeded."""
        goods = transformers.goods_of(attempt.sku)
        if goods is None:
            return Outcome(OutcomeKind.UNKNOWN, code=Reason.BAD_SKU)
        evidence = self._evidence(attempt.account)
        prefix = "/topups" if goods.service is Service.TOPUPS else ""
        path = f"{prefix}/reports/transactions?{urlencode({'customIdentifier': attempt.reference})}"
        reply = self._call(goods.service, "GET", path, None, evidence, buying=False)
        if isinstance(reply, Outcome):
            return reply
        try:
            fields = _read(reply, evidence)
            if reply.status != 200:
                why = transformers.refusal(reply.status, fields)
                known = why if why is Reason.BAD_CREDENTIALS else None
                fallback = Reason.HTTP_STATUS if reply.status >= 500 else Reason.UNKNOWN_CODE
                return _unknown(known or fallback, evidence, fields=fields, eliminates=known is not None)
            transaction = transformers.found_in(fields, attempt, currency=self._currency)
            if transaction is not None:
                return self._outcome(transaction, attempt, evidence)
        except Unclear as unclear:
            return _unknown(unclear.reason, evidence)
        if attempt.supplier_reference:
            # They gave it a number: that the report does not have it (yet) says nothing about the purchase.
            return _unknown(Reason.NO_SUCH_ORDER, evidence)
        return Outcome(OutcomeKind.NOT_FOUND, code=Reason.NO_SUCH_ORDER, evidence=evidence.text())

    def balance(self) -> Decimal | None:
        """Ask with `GET /accounts/balance`; None also for an account in another currency."""
        service = Service(self._host["service"]) if self._host else Service.TOPUPS
        try:
            status, fields = self._told(service, "/accounts/balance")
        except SupplierSilent:
            return None
        known = status == 200 and fields.get("currencyCode") == self._currency
        return amount(fields.get("balance")) if known else None

    def products(self, cursor: str) -> ProductPage:
        """List gift cards with `GET /products`, then operators with `GET /operators`; the cursor is service and page.

        Goods with any amount within a range are listed with round ones and the ends: what is offered of them should be
        one of those. Raises `SupplierSilent`.
        """
        named, _, number = cursor.partition(":")
        service = Service.TOPUPS if named == Service.TOPUPS else Service.GIFT_CARDS
        page = int(number) if number.isascii() and number.isdigit() else 1
        status, fields = self._told(service, catalog.path(service, page=page))
        if status != 200:
            raise SupplierSilent(Reason.HTTP_STATUS)
        try:
            return catalog.product_page(fields, service=service, page=page, currency=self._currency)
        except Unclear as unclear:
            raise SupplierSilent(unclear.reason) from unclear

    def price(self, sku: str) -> Decimal | None:
        """Ask for product or operator; None where it, or this amount of it, is not sold. Raises `SupplierSilent`."""
        goods = transformers.goods_of(sku)
        if goods is None:
            return None
        what = "operators" if goods.service is Service.TOPUPS else "products"
        status, fields = self._told(goods.service, f"/{what}/{goods.number}")
        if status == 404 or transformers.refusal(status, fields) is Reason.OUT_OF_STOCK:
            return None
        if status != 200:
            raise SupplierSilent(Reason.HTTP_STATUS)
        return catalog.price(fields, goods, currency=self._currency)

    def check_account(self, sku: str, account: Mapping[str, str]) -> AccountCheck:
        """Ask whose the phone number is. Never raises.

        Data and bundles are sold under operators of their own, to which no number belongs: they cannot be checked.
        """
        goods, phone = transformers.goods_of(sku), transformers.phone_of(account)
        if goods is None or goods.service is not Service.TOPUPS or not phone:
            return AccountCheck(AccountVerdict.UNAVAILABLE)
        try:
            path = f"/operators/auto-detect/phone/{quote(phone)}/countries/{goods.country}"
            status, found = self._told(Service.TOPUPS, path)
            operator = whole(found.get("operatorId")) if status == 200 else None
            if operator is None:
                return AccountCheck(AccountVerdict.UNAVAILABLE)
            if operator == goods.number:
                return AccountCheck(AccountVerdict.OK)
            status, wanted = self._told(Service.TOPUPS, f"/operators/{goods.number}")
        except SupplierSilent:
            return AccountCheck(AccountVerdict.UNAVAILABLE)
        apart = status == 200 and catalog.is_another_network(wanted, found, number=goods.number)
        return AccountCheck(AccountVerdict.WRONG_REGION if apart else AccountVerdict.UNAVAILABLE)

    def _outcome(self, transaction: Transaction, attempt: Attempt, evidence: Evidence) -> Outcome:
        """What a transaction has come to, with its cards. Raises `Unclear` where the state itself is."""
        if not attempt.wants_codes or transaction.status not in {transformers.DONE, transformers.REFUNDED}:
            return transformers.outcome_of(transaction, items=(), evidence=evidence)
        reply = self._call(
            Service.GIFT_CARDS,
            "GET",
            f"/orders/transactions/{transaction.reference}/cards",
            None,
            evidence,
            buying=False,
        )
        if isinstance(reply, Outcome):
            return replace(reply, supplier_reference=transaction.reference)
        try:
            if transaction.status == transformers.REFUNDED and reply.status == 404:
                _read(reply, evidence)
                return transformers.outcome_of(transaction, items=(), evidence=evidence)
            listed = _cards(reply, evidence)
            if transaction.status == transformers.DONE:
                items = transformers.cards(listed, quantity=attempt.quantity)
                return transformers.outcome_of(transaction, items=items, evidence=evidence)
        except Unclear as unclear:
            return replace(_unknown(unclear.reason, evidence), supplier_reference=transaction.reference)
        outcome = transformers.outcome_of(transaction, items=(), evidence=evidence)
        # Money was given back for an order that has its cards: they were there to be used.
        return replace(outcome, kind=OutcomeKind.REVERSED) if listed else outcome

    def _refused(self, status: int, fields: Mapping[str, object], evidence: Evidence) -> Outcome:
        why = transformers.refusal(status, fields)
        if why is None:
            twice = fields.get("errorCode") == transformers.DUPLICATE
            fallback = Reason.HTTP_STATUS if status >= 500 else Reason.UNKNOWN_CODE
            return _unknown(Reason.DUPLICATE if twice else fallback, evidence, fields=fields)
        return Outcome(
            OutcomeKind.REFUSED,
            code=why,
            message=evidence.said(fields.get("message")),
            evidence=evidence.text(),
            eliminates=why in transformers.ELIMINATING,
        )

    def _told(self, service: Service, path: str) -> tuple[int, dict[str, object]]:
        """Status and object of a question that moves nothing. Raises `SupplierSilent`."""
        evidence = self._evidence({})
        reply = self._call(service, "GET", path, None, evidence, buying=False)
        if isinstance(reply, Outcome):
            raise SupplierSilent(str(reply.code))
        try:
            return reply.status, json_object(reply.body)
        except Unclear as unclear:
            raise SupplierSilent(unclear.reason) from unclear

    def _evidence(self, account: Mapping[str, str]) -> Evidence:
        return Evidence(plain=transformers.PLAIN, words=transformers.WORDS, secrets=self._secrets, account=account)

    def _address(self, service: Service) -> str:
        return f"https://{service}{self._host['mode']}.reloadly.com" if self._host else self._base

    def _call(
        self,
        service: Service,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        evidence: Evidence,
        *,
        buying: bool,
    ) -> Reply | Outcome:
        """One call with a token, or the outcome that its failure is. A token from before that is refused is replaced
        once: it was refused before anything else was looked at."""
        audience = f"https://{service}{self._host['mode'] if self._host else ''}.reloadly.com"
        held = self.access.held(audience)
        token = held or self.access.fetch(audience, evidence, buying=buying)
        if isinstance(token, Outcome):
            return token
        reply = self._send(service, method, path, body, evidence, token, buying=buying)
        if held is None or isinstance(reply, Outcome) or not _is_token_refused(reply):
            return reply
        evidence.replied(reply)
        token = self.access.fetch(audience, evidence, buying=buying)
        if isinstance(token, Outcome):
            return token
        return self._send(service, method, path, body, evidence, token, buying=buying)

    def _send(
        self,
        service: Service,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        evidence: Evidence,
        token: Token,
        *,
        buying: bool,
    ) -> Reply | Outcome:
        evidence.sent(f"{method} {path}", body or {})
        return exchange(
            self._http,
            evidence,
            method=method,
            url=f"{self._address(service)}{path}",
            headers={
                "Authorization": f"Bearer {token.text}",
                "Accept": ACCEPT[service],
                "Content-Type": "application/json",
            },
            body=json.dumps(body).encode() if body is not None else b"",
            buying=buying,
        )


def _is_token_refused(reply: Reply) -> bool:
    try:
        return reply.status == 401 and json_object(reply.body).get("errorCode") in transformers.TOKEN_REFUSED
    except (Unclear, TypeError):
        return False


def _read(reply: Reply, evidence: Evidence) -> dict[str, object]:
    """The object in a reply. Raises `Unclear`."""
    try:
        fields = json_object(reply.body)
    except Unclear:
        evidence.replied(reply)
        if reply.status != 200:
            raise Unclear(Reason.HTTP_STATUS) from None
        raise
    evidence.replied(reply, fields)
    return fields


def _cards(reply: Reply, evidence: Evidence) -> list[dict[str, object]]:
    """The cards in a reply, which is a list. Raises `Unclear`."""
    try:
        listed = json_objects(reply.body)
    except Unclear:
        evidence.replied(reply)
        if reply.status != 200:
            raise Unclear(Reason.HTTP_STATUS) from None
        raise
    evidence.replied(reply, {"cards": listed})
    if reply.status != 200:
        raise Unclear(Reason.HTTP_STATUS)
    return listed


def _unknown(
    reason: Reason, evidence: Evidence, *, fields: Mapping[str, object] | None = None, eliminates: bool = False
) -> Outcome:
    return Outcome(
        OutcomeKind.UNKNOWN,
        code=reason,
        message=evidence.said(fields.get("message")) if fields is not None else "",
        evidence=evidence.text(),
        eliminates=eliminates,
    )
