"""Reloadly: airtime and gift cards of one prepaid account in dollars, both services and the token endpoint on one port.

Source: github.com/Reloadly/reloadly-api-documentation `openapi/`, the recordings in the tests of
github.com/Reloadly/reloadly-sdk-java, and for the errors https://raphaelugwu.gitbook.io/airtime. Which service is meant
is told by `Accept`, as there; a token holds for the service whose audience was named. Nobody is called back.

The token endpoint is another host in reality: of the modes only `down`, which closes the port, concerns it. A sku in
the price list is `country:operator:amount` or `product:face value`; without a price it costs its face value in dollars.
The last digit of a number says whose it is: an even one its country's first operator, an odd one somebody else.
"""

import re
import secrets
import time
from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import parse_qs

from kameng.sandbox import crypto
from kameng.sandbox.book import OrderState, SupplierOrder
from kameng.sandbox.post import Answer, Outgoing
from kameng.sandbox.reloadly_goods import ELSEWHERE, moment, operator, operator_name, page_of, product
from kameng.sandbox.supplier import Call, Mode, Reason, Supplier, Turn, whole_number
from kameng.sandbox.web import BadRequest, Drop, Reply, Request, json_reply

SERVICES = ("topups", "giftcards")
TOKEN_SECONDS = 86400
CARDS = re.compile(r"/orders/transactions/(?P<id>\d+)/cards")
ONE = re.compile(r"/(?P<what>products|operators)/(?P<id>\d+)")
DETECT = re.compile(r"/operators/auto-detect/phone/(?P<phone>[^/]+)/countries/(?P<country>[A-Z]{2})")
TOPUP = re.compile(r"(?P<country>[A-Z]{2}):(?P<number>\d+):(?P<face>[\d.]+)")
CARD = re.compile(r"(?P<number>\d+):(?P<face>[\d.]+)")
STATES = {
    OrderState.ACCEPTED: "PROCESSING",
    OrderState.SUCCEEDED: "SUCCESSFUL",
    OrderState.FAILED: "FAILED",
    OrderState.CANCELED: "REFUNDED",
}


class Refused(Exception):
    """An error body with its HTTP status."""

    def __init__(self, status: int, code: str | None, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


Words = tuple[int, str | None, str]
GONE: Words = (400, None, "The product was either not found or is no longer available, Please contact support.")
REFUSALS: Mapping[Reason, Words] = {
    Reason.STOCK: GONE,
    Reason.BALANCE: (400, "INSUFFICIENT_BALANCE", "The account balance is not sufficient"),
    Reason.PRODUCT: (400, "OPERATOR_UNAVAILABLE_OR_CURRENTLY_INACTIVE", "The operator is currently inactive"),
    Reason.PRICE: (400, None, "Invalid price, please ensure you selected the right price."),
    Reason.ACCOUNT: (400, "INVALID_RECIPIENT_PHONE", "The recipient phone is not valid for the country"),
    Reason.CREDENTIALS: (401, "INVALID_TOKEN", "Full authentication is required to access this resource"),
}
NOT_FOUND: Words = (404, None, "No message available")
UNDETECTED: Words = (404, "COULD_NOT_AUTO_DETECT_OPERATOR", "Could not auto detect operator for given phone number")
USED: Words = (400, "CUSTOM_IDENTIFIER_ALREADY_USED", "The custom identifier has already been used")
DENIED: Words = (401, "INVALID_CREDENTIALS", "Access Denied")


def _invalid(what: str) -> Refused:
    return Refused(400, "INVALID_INPUT_PROVIDED", f"{what} is missing or invalid")


class ReloadlySupplier(Supplier):
    """One account."""

    protocol = "reloadly"
    currency = "USD"
    delivery_ms = 120

    def reset(self, *, seed: int = 1) -> None:
        """As new; whoever signed in must do so again."""
        super().reset(seed=seed)
        #: The service and the end of each token.
        self.tokens: dict[str, tuple[str, float]] = {}

    async def handle(self, request: Request, path: str) -> Reply:
        """Answer one call. Signing in goes well whatever else does not."""
        if path != "/oauth/token":
            return await super().handle(request, path)
        if self.behavior.mode is Mode.DOWN and self.behavior.rate >= 1:
            raise Drop
        try:
            return json_reply(self._sign_in(request))
        except Refused as refused:
            return _error(refused, path)

    async def answer(self, request: Request, path: str, turn: Turn) -> tuple[Call, Reply]:
        """Route."""
        call = Call.OTHER
        if request.method == "POST" and path in {"/topups-async", "/orders"}:
            call = Call.SUBMIT
        elif request.method == "GET" and (path.endswith("/reports/transactions") or CARDS.fullmatch(path)):
            call = Call.QUERY
        try:
            service = self._verify(request)
            if call is Call.SUBMIT:
                content: object = await self._buy(service, path, request, turn)
            elif request.method == "GET":
                content = self._tell(service, path, parse_qs(request.query))
            else:
                raise Refused(*NOT_FOUND)
        except Refused as refused:
            return call, _error(refused, path)
        return call, json_reply(content)

    # --- signing in --------------------------------------------------------------------------------------------------

    def _sign_in(self, request: Request) -> dict[str, Any]:
        try:
            body = request.json()
        except BadRequest as error:
            raise Refused(*DENIED) from error
        known = all(
            isinstance(body.get(name), str) and crypto.same(body[name], self.secrets[name])
            for name in ("client_id", "client_secret")
        )
        service = str(body.get("audience", "")).removeprefix("https://").removesuffix(".reloadly.com")
        if not known or body.get("grant_type") != "client_credentials" or service not in SERVICES:
            raise Refused(*DENIED)
        token = f"{secrets.token_urlsafe(24)}.{secrets.token_urlsafe(48)}.{secrets.token_urlsafe(32)}"
        self.tokens[token] = (service, time.time() + TOKEN_SECONDS)
        return {"access_token": token, "scope": "developer", "expires_in": TOKEN_SECONDS, "token_type": "Bearer"}

    def _verify(self, request: Request) -> str:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        service, until = self.tokens.get(token, ("", 0.0))
        if request.headers.get("accept") != f"application/com.reloadly.{service}-v1+json":
            raise Refused(*REFUSALS[Reason.CREDENTIALS])
        if until < time.time():
            raise Refused(401, "TOKEN_EXPIRED", "The token is expired")
        return service

    # --- orders ------------------------------------------------------------------------------------------------------

    async def _buy(self, service: str, path: str, request: Request, turn: Turn) -> dict[str, Any]:
        if (service == "topups") != (path == "/topups-async"):
            raise Refused(*NOT_FOUND)
        try:
            body = request.json()
        except BadRequest as error:
            raise Refused(400, "JSON_SYNTAX_ERROR", str(error)) from error
        reference = body.get("customIdentifier")
        if not isinstance(reference, str) or not 0 < len(reference) <= 150:
            raise _invalid("customIdentifier")
        if turn.mode is Mode.REJECT:
            raise Refused(*REFUSALS[self.behavior.reason])
        sku, quantity, account = _topup(body) if service == "topups" else _order(body)
        await self.think(turn)
        if self.find(reference):
            raise Refused(*USED)
        if not self.has(sku, quantity):
            raise Refused(*GONE)
        price = self._price(sku)
        order = SupplierOrder(
            supplier=self.code,
            order_id=self.book.next_number(),
            reference=reference,
            kind="direct" if service == "topups" else "card",
            sku=sku,
            quantity=quantity,
            unit_price=price,
            charged=price * quantity,
            created_at=time.time(),
            account=account,
        )
        if not self.buy(order):
            raise Refused(*REFUSALS[Reason.BALANCE])
        told = {"transactionId": order.order_id} if service == "topups" else self._transaction(order)
        await self.promise(order, turn)
        return told

    def _price(self, sku: str) -> Decimal:
        return self.prices.get(sku) or Decimal(sku.rpartition(":")[2])

    def _report(self, service: str, query: Mapping[str, list[str]]) -> dict[str, Any]:
        wanted = query.get("customIdentifier", [""])[0]
        kind = "direct" if service == "topups" else "card"
        mine = (order for order in self.book.orders.values() if order.supplier == self.code and order.kind == kind)
        orders = [order for order in mine if not wanted or order.reference.casefold() == wanted.casefold()]
        return page_of([self._transaction(order) for order in reversed(orders)], query)

    def _transaction(self, order: SupplierOrder) -> dict[str, Any]:
        paid = order.unit_price * order.quantity
        common: dict[str, Any] = {
            "transactionId": order.order_id,
            "customIdentifier": order.reference,
            "status": STATES[order.state],
            "balanceInfo": {"cost": float(paid), "currencyCode": "USD", "currencyName": "US Dollar"},
        }
        if order.kind == "direct":
            country, number, face = order.sku.split(":")
            return common | {
                "operatorTransactionId": f"{order.order_id}:OK" if order.state is OrderState.SUCCEEDED else None,
                "recipientPhone": order.account["phone"].removeprefix("+"),
                "countryCode": country,
                "operatorId": int(number),
                "operatorName": operator_name(country, int(number)),
                "discount": float(max(Decimal(face) - paid, Decimal(0))),
                "discountCurrencyCode": "USD",
                "requestedAmount": float(face),
                "requestedAmountCurrencyCode": "USD",
                "fee": float(max(paid - Decimal(face), Decimal(0))),
                "transactionDate": moment(order.created_at),
                "pinDetail": None,
            }
        number, face = order.sku.split(":")
        return common | {
            "amount": float(paid),
            "discount": 0.0,
            "currencyCode": "USD",
            "fee": 0.0,
            "recipientEmail": None,
            "smsFee": 0.0,
            "transactionCreatedTime": moment(order.created_at),
            "product": {
                "productId": int(number),
                "productName": f"Sandbox card {number}",
                "quantity": order.quantity,
                "unitPrice": float(face),
                "totalPrice": float(Decimal(face) * order.quantity),
                "currencyCode": "EUR",
            },
        }

    def _cards(self, number: int) -> list[dict[str, Any]]:
        order = self.book.orders.get(number)
        if order is None or order.supplier != self.code or order.state is not OrderState.SUCCEEDED:
            raise Refused(*NOT_FOUND)
        return [{"cardNumber": code, "pinCode": None} for code in order.codes]

    def callback(self, order: SupplierOrder, *, forged: bool) -> Outgoing:
        """Never asked for: no order has an address."""
        raise NotImplementedError

    def acknowledged(self, answer: Answer) -> bool:
        """Nobody is called."""
        return False

    # --- account and goods -------------------------------------------------------------------------------------------

    def _tell(self, service: str, path: str, query: Mapping[str, list[str]]) -> object:
        cards, one, detect = CARDS.fullmatch(path), ONE.fullmatch(path), DETECT.fullmatch(path)
        is_topup = service == "topups"
        if path == "/accounts/balance":
            return {"balance": float(self.balance), "currencyCode": "USD", "currencyName": "US Dollar"}
        if path == ("/topups/reports/transactions" if is_topup else "/reports/transactions"):
            return self._report(service, query)
        if cards and not is_topup:
            return self._cards(int(cards["id"]))
        if path == ("/operators" if is_topup else "/products"):
            return page_of(list(self._goods(service)), query)
        if one and one["what"] == ("operators" if is_topup else "products"):
            return self._one(service, int(one["id"]))
        if detect and is_topup:
            return self._detect(detect["phone"], detect["country"])
        raise Refused(*NOT_FOUND)

    def _goods(self, service: str) -> Iterable[dict[str, Any]]:
        """One for each operator or product, with all its amounts; what is sold out is no longer there."""
        pattern = TOPUP if service == "topups" else CARD
        amounts: dict[tuple[str, int], dict[Decimal, Decimal]] = {}
        for sku, price in self.prices.items():
            if (found := pattern.fullmatch(sku)) and self.has(sku, 1):
                country = found.groupdict().get("country", "")
                amounts.setdefault((country, int(found["number"])), {})[Decimal(found["face"])] = price
        for (country, number), faces in amounts.items():
            yield operator(country, number, faces) if service == "topups" else product(number, faces)

    def _one(self, service: str, number: int) -> dict[str, Any]:
        key = "operatorId" if service == "topups" else "productId"
        for goods in self._goods(service):
            if goods[key] == number:
                return goods
        raise Refused(*(NOT_FOUND if service == "topups" else GONE))

    def _detect(self, phone: str, country: str) -> dict[str, Any]:
        operators = [each for each in self._goods("topups") if each["country"]["isoName"] == country]
        digits = phone.removeprefix("+")
        if not operators or not digits.isdecimal():
            raise Refused(*UNDETECTED)
        return operators[0] if int(digits) % 2 == 0 else operator(country, ELSEWHERE, {})


def _topup(body: Mapping[str, Any]) -> tuple[str, int, dict[str, str]]:
    phone = body.get("recipientPhone")
    number, country = (phone.get("number"), phone.get("countryCode")) if isinstance(phone, dict) else (None, None)
    if not isinstance(country, str) or not re.fullmatch("[A-Z]{2}", country):
        raise _invalid("recipientPhone.countryCode")
    if not isinstance(number, str) or not re.fullmatch(r"\+?\d{5,15}", number):
        raise Refused(*REFUSALS[Reason.ACCOUNT])
    carrier = whole_number(body.get("operatorId"))
    if not carrier or body.get("useLocalAmount"):
        raise _invalid("operatorId")
    return f"{country}:{carrier}:{_face(body.get('amount'))}", 1, {"phone": number}


def _order(body: Mapping[str, Any]) -> tuple[str, int, dict[str, str]]:
    card, quantity = whole_number(body.get("productId")), whole_number(body.get("quantity"))
    if not card or not quantity or quantity < 1 or not body.get("senderName"):
        raise _invalid("productId, quantity or senderName")
    return f"{card}:{_face(body.get('unitPrice'))}", quantity, {}


def _face(value: object) -> str:
    """An amount without zeros at its end, as it stands in a sku."""
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if isinstance(value, bool) or not amount.is_finite() or amount <= 0:
        raise Refused(400, "INVALID_AMOUNT", "The amount is not valid")
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _error(refused: Refused, path: str) -> Reply:
    body: dict[str, Any] = {
        "timeStamp": moment(time.time()),
        "message": refused.message,
        "path": path,
        "errorCode": refused.code,
        "infoLink": None,
        "details": [],
    }
    return json_reply(body, status=refused.status)
