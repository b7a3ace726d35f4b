"""DT One Digital Value Services, version 1: mobile credit and vouchers abroad; always asynchronous here.

Source: the API reference (https://dvs-api-doc.dtone.com, version 1.14), whose own sandbox ends transactions by the last
three digits of the receiving number: `100` completes, `101` completes with a PIN, `102` to `107` are declined; `1xx`
takes three seconds, `2xx` twenty, `3xx` five minutes. Any other number completes like a voucher's purchase, soon. The
numbers of single states (`status.id`) are not public; these are this sandbox's own. Nothing is out of stock there: a
product is available in the account or not. Callbacks are not signed: a forged one tells the opposite end.
"""

import base64
import json
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from kameng.sandbox import crypto
from kameng.sandbox.book import OrderState, SupplierOrder
from kameng.sandbox.post import Answer, Outgoing
from kameng.sandbox.supplier import PRICE, Call, Mode, Reason, Supplier, Turn, whole_number
from kameng.sandbox.web import BadRequest, Reply, Request, json_reply

CURRENCY = "USD"
CONFIRMATION_SECONDS = 3600
PAGE, LARGEST_PAGE = 50, 100
#: Status: its number, its words, and its class; the first while an order is young.
CONFIRMED = (20000, "CONFIRMED", 2, "CONFIRMED")
SUBMITTED = (50000, "SUBMITTED", 5, "SUBMITTED")
COMPLETED = (70000, "COMPLETED", 7, "COMPLETED")
CANCELLED = (40000, "CANCELLED", 4, "CANCELLED")
DECLINED = {
    "02": (90200, "DECLINED-INVALID-CREDIT-PARTY", 9, "DECLINED"),
    "03": (90300, "DECLINED-BARRED-CREDIT-PARTY", 9, "DECLINED"),
    "04": (90400, "DECLINED-OPERATOR-CURRENTLY-UNAVAILABLE", 9, "DECLINED"),
    "05": (90500, "DECLINED-DUPLICATED-TRANSACTION", 9, "DECLINED"),
    "06": (90000, "DECLINED", 9, "DECLINED"),
    "07": (90700, "DECLINED-EXCEPTION", 9, "DECLINED"),
}
WITH_PIN = "01"
SECONDS = {"1": 3.0, "2": 20.0, "3": 300.0}
#: The operator of every product, and the one that serves numbers ending in 403; nobody serves those ending in 404.
OPERATOR, ANOTHER = (1521, "Sandbox Mobile"), (1522, "Sandbox Telecom")


class Refused(Exception):
    """An error of the API."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


UNAVAILABLE = (404, 1003001, "Product is not available in your account")
REFUSALS = {
    Reason.STOCK: UNAVAILABLE,
    Reason.PRODUCT: UNAVAILABLE,
    Reason.PRICE: UNAVAILABLE,
    Reason.ACCOUNT: (400, 1005003, "Credit party mobile number is invalid"),
    Reason.BALANCE: (400, 1006001, "Insufficient balance"),
    Reason.CREDENTIALS: (401, 1000401, "Unauthorized"),
}


def _refusal(reason: Reason) -> Refused:
    return Refused(*REFUSALS[reason])


class DtOneSupplier(Supplier):
    """One customer's account at the platform."""

    protocol = "dtone"
    currency = "USD"
    delivery_ms = 200

    async def answer(self, request: Request, path: str, turn: Turn) -> tuple[Call, Reply]:
        """Objects and lists in JSON below `/v1`, errors as `{"errors": [{"code", "message"}]}`."""
        call = Call.OTHER
        try:
            self._authorize(request)
            route = path.removeprefix("/v1")
            if route == "/async/transactions" and request.method == "POST":
                call = Call.SUBMIT
                return call, json_reply(await self._create(request, turn), status=201)
            if route.startswith("/transactions") and request.method == "GET":
                call = Call.QUERY
            return call, self._ask(request, route)
        except Refused as refused:
            error = {"code": refused.code, "message": refused.message}
            return call, json_reply({"errors": [error]}, status=refused.status)

    def _authorize(self, request: Request) -> None:
        known = f"{self.secrets['api_key']}:{self.secrets['api_secret']}"
        expected = "Basic " + base64.b64encode(known.encode()).decode()
        if not crypto.same(expected, request.headers.get("authorization", "")):
            raise _refusal(Reason.CREDENTIALS)

    def _ask(self, request: Request, route: str) -> Reply:
        found = re.fullmatch(r"/(?P<what>[a-z-]+)(?:/(?P<which>[+0-9a-z-]+))?(?P<rest>/[a-z]+)?", route)
        what, which, rest = (found["what"], found["which"], found["rest"]) if found else ("", None, None)
        match request.method, what, which, rest:
            case "GET", "transactions", None, None:
                return json_reply([self._transaction(self._under(_query(request).get("external_id", "")))])
            case "GET", "transactions", str(), None:
                return json_reply(self._transaction(self._numbered(which)))
            case "POST", "transactions", str(), "/cancel":
                self._numbered(which)
                raise Refused(400, 1007007, "Transaction can no longer be cancelled")
            case "GET", "balances", None, None:
                return json_reply([self._balance()])
            case "GET", "products", None, None:
                return self._products(_query(request))
            case "GET", "products", str(), None:
                return json_reply(self._product(which))
            case "POST", "lookup", "mobile-number", None:
                return json_reply(_operators(_body(request).get("mobile_number")))
        raise Refused(404, 1000404, "Resource not found")

    # --- transactions ------------------------------------------------------------------------------------------------

    async def _create(self, request: Request, turn: Turn) -> dict[str, Any]:
        body = _body(request)
        reference, product, party = body.get("external_id"), body.get("product_id"), _party(body)
        address = body.get("callback_url") or ""
        if not isinstance(reference, str) or not 0 < len(reference) <= 40:
            raise Refused(400, 1000400, "Bad Request: external_id")
        if isinstance(product, bool) or not isinstance(product, int) or product < 1:
            raise Refused(400, 1000400, "Bad Request: product_id")
        if body.get("auto_confirm") is not True:
            raise Refused(400, 1000400, "Bad Request: the sandbox knows transactions with auto_confirm alone")
        if not isinstance(address, str) or (address and urlsplit(address).scheme not in {"http", "https"}):
            raise Refused(400, 1000400, "Bad Request: callback_url")
        if turn.mode is Mode.REJECT:
            raise _refusal(self.behavior.reason)
        await self.think(turn)
        if self.find(reference):
            raise Refused(400, 1007001, "Transaction external ID has already been used")
        sku = str(product)
        if not self.on_sale(sku):
            raise _refusal(Reason.PRODUCT)
        price = self.prices.get(sku, PRICE)
        order = SupplierOrder(
            supplier=self.code,
            order_id=self.book.next_number(),
            reference=reference,
            kind="card" if not party or _ending(party)[1:] == WITH_PIN else "direct",
            sku=sku,
            quantity=1,
            unit_price=price,
            charged=price,
            created_at=time.time(),
            account=party,
            callback_url=address,
        )
        if not self.buy(order):
            raise _refusal(Reason.BALANCE)
        taken = self._transaction(order) | {"status": _status(CONFIRMED)}
        await self.promise(order, turn)
        return taken

    async def promise(self, order: SupplierOrder, turn: Turn) -> None:
        """What the number's last digits ask for takes the time that they ask for, unless told otherwise."""
        ending = _ending(order.account)
        if turn.mode is not Mode.OK or self.behavior.delivery_ms or not ending:
            await super().promise(order, turn)
            return
        delay = SECONDS[ending[0]]
        order.due_at = time.time() + delay
        self.book.save(order)
        self.notifier.later(delay, lambda: self.finish(order))

    def _finish(self, order: SupplierOrder) -> None:
        if _ending(order.account)[1:] in DECLINED:
            self.give_back(order, OrderState.FAILED)
            return
        super()._finish(order)

    def _under(self, reference: str) -> SupplierOrder:
        orders = self.find(reference)
        if not orders:
            raise Refused(404, 1008004, "Transaction not found")
        return orders[-1]

    def _numbered(self, number: str) -> SupplierOrder:
        order = self.book.orders.get(whole_number(number) or 0)
        if order is None or order.supplier != self.code:
            raise Refused(404, 1008004, "Transaction not found")
        return order

    def _transaction(self, order: SupplierOrder) -> dict[str, Any]:
        return {
            "id": order.order_id,
            "external_id": order.reference,
            "creation_date": _date(order.created_at),
            "confirmation_expiration_date": _date(order.created_at + CONFIRMATION_SECONDS),
            "confirmation_date": _date(order.created_at),
            "status": _status(_state(order)),
            "operator_reference": f"SB{order.order_id}" if order.state is OrderState.SUCCEEDED else None,
            "pin": {"code": order.codes[0], "serial": None} if order.codes else None,
            "product": {"id": int(order.sku), "name": f"Sandbox {order.sku}", "operator": _operator(OPERATOR)},
            "prices": _prices(float(order.unit_price)),
            "credit_party_identifier": order.account or None,
            "callback_url": order.callback_url or None,
        }

    def callback(self, order: SupplierOrder, *, forged: bool) -> Outgoing:
        """The transaction as a query would tell it; a forged one tells the opposite."""
        fields = self._transaction(order)
        if forged:
            fields["status"] = _status(DECLINED["06"] if order.state is OrderState.SUCCEEDED else COMPLETED)
            fields["pin"] = None
        return Outgoing(order.callback_url, json.dumps(fields).encode(), {"Content-Type": "application/json"})

    def acknowledged(self, answer: Answer) -> bool:
        """Any success ends the repetitions."""
        return 200 <= answer.status < 300

    # --- account and products ----------------------------------------------------------------------------------------

    def _balance(self) -> dict[str, Any]:
        held = [order for order in self.book.orders.values() if order.supplier == self.code]
        holding = sum(float(order.charged) for order in held if order.state is OrderState.ACCEPTED)
        amounts = {"available": float(self.balance), "holding": holding, "credit_limit": 0}
        return {"id": 1, "unit_type": "CURRENCY", "unit": CURRENCY, **amounts}

    def _products(self, asked: Mapping[str, str]) -> Reply:
        page = whole_number(asked.get("page", "1")) or 0
        size = whole_number(asked.get("per_page", str(PAGE))) or 0
        if page < 1 or not 1 <= size <= LARGEST_PAGE:
            raise Refused(400, 1000400, "Bad Request: page or per_page")
        skus = [sku for sku in self.prices if sku.isdecimal()]
        reply = json_reply([self._product(sku) for sku in skus[(page - 1) * size : page * size]])
        following = {"X-Next-Page": str(page + 1)} if page * size < len(skus) else {}
        reply.headers = {"X-Total": str(len(skus)), "X-Page": str(page), "X-Per-Page": str(size), **following}
        return reply

    def _product(self, sku: str) -> dict[str, Any]:
        if not sku.isdecimal() or not self.on_sale(sku):
            raise _refusal(Reason.PRODUCT)
        return {
            "id": int(sku),
            "name": f"Sandbox {sku}",
            "description": f"Sandbox {sku}",
            "type": "FIXED_VALUE_RECHARGE",
            "operator": _operator(OPERATOR),
            "required_credit_party_identifier_fields": [["mobile_number"], ["account_number"]],
            "prices": _prices(float(self.prices.get(sku, PRICE))),
        }


def _body(request: Request) -> dict[str, Any]:
    try:
        return request.json()
    except BadRequest as error:
        raise Refused(400, 1000400, f"Bad Request: {error}") from error


def _query(request: Request) -> dict[str, str]:
    try:
        return request.fields()
    except BadRequest as error:
        raise Refused(400, 1000400, f"Bad Request: {error}") from error


def _party(body: Mapping[str, Any]) -> dict[str, str]:
    party = body.get("credit_party_identifier") or {}
    if not isinstance(party, dict) or not all(isinstance(value, str) and value.strip() for value in party.values()):
        raise Refused(400, 1000400, "Bad Request: credit_party_identifier")
    if unknown := set(party) - {"mobile_number", "account_number", "account_qualifier"}:
        raise Refused(400, 1000400, f"Bad Request: {', '.join(sorted(unknown))}")
    if "mobile_number" in party and not _is_number(party["mobile_number"]):
        raise _refusal(Reason.ACCOUNT)
    return party


def _is_number(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\+[1-9][0-9]{6,14}", value) is not None


def _ending(party: Mapping[str, str]) -> str:
    """The last three digits of the receiver if they ask for an end, empty otherwise."""
    receiver = party.get("mobile_number") or party.get("account_number") or ""
    return receiver[-3:] if re.search(r"[123]0[0-7]$", receiver) else ""


def _state(order: SupplierOrder) -> tuple[int, str, int, str]:
    match order.state:
        case OrderState.SUCCEEDED:
            return COMPLETED
        case OrderState.FAILED:
            return DECLINED.get(_ending(order.account)[1:], DECLINED["02"])
        case OrderState.CANCELED:
            return CANCELLED
    return SUBMITTED if time.time() > (order.created_at + order.due_at) / 2 else CONFIRMED


def _status(state: tuple[int, str, int, str]) -> dict[str, Any]:
    number, message, kind, kind_message = state
    return {"id": number, "message": message, "class": {"id": kind, "message": kind_message}}


def _prices(wholesale: float) -> dict[str, Any]:
    return {"wholesale": {"amount": wholesale, "fee": 0, "unit": CURRENCY, "unit_type": "CURRENCY"}, "retail": None}


def _operator(operator: tuple[int, str]) -> dict[str, Any]:
    number, title = operator
    return {"id": number, "name": title, "country": {"iso_code": "SGP", "name": "Singapore", "regions": None}}


def _operators(number: object) -> list[dict[str, Any]]:
    if not _is_number(number):
        raise _refusal(Reason.ACCOUNT)
    ending = str(number)[-3:]
    if ending == "404":
        return []
    serving = ANOTHER if ending == "403" else OPERATOR
    return [{**_operator(operator), "identified": operator is serving} for operator in (OPERATOR, ANOTHER)]


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
