"""dujiao-next, the site-to-site API below `/api/v1/upstream`: paid from the wallet, delivered asynchronously.

Source: github.com/dujiao-next/document `docs/en/api/integration-open-api.md` (2026-04-01), and for what it leaves open
the handler that serves it, github.com/dujiao-next/dujiao-next `internal/http/handlers/upstream/upstream_handler.go`.

As there, the check for a known `downstream_order_no` and the entry of the order are two steps: posts of one number at
the same time can make two orders. Unlike there, a callback address on this machine is allowed. A SKU is a number; text
is accepted only where it could not be one, so that whoever sends `"1001"` for 1001 is refused as by the real site.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kameng.sandbox import crypto
from kameng.sandbox.book import OrderState, SupplierOrder, china_time, utc_time
from kameng.sandbox.post import Answer, Outgoing
from kameng.sandbox.supplier import PRICE, Call, Mode, Reason, Supplier, Turn
from kameng.sandbox.web import BadRequest, Reply, Request, json_reply

ROOT = "/api/v1/upstream"
TIMESTAMP_SECONDS = 60
ORDER = re.compile(rf"{ROOT}/orders/(?P<id>[^/]+)(?P<cancel>/cancel)?")
PRODUCT = re.compile(rf"{ROOT}/products/(?P<id>[^/]+)")


class Refused(Exception):
    """`ok: false` with its code and HTTP status."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


REFUSALS = {
    Reason.STOCK: (409, "insufficient_stock", "product stock is insufficient"),
    Reason.BALANCE: (402, "insufficient_balance", "wallet balance is insufficient"),
    Reason.PRODUCT: (400, "sku_unavailable", "sku is not active"),
    Reason.PRICE: (400, "product_unavailable", "product is not available"),
    Reason.ACCOUNT: (400, "bad_request", "manual form data is invalid"),
    Reason.CREDENTIALS: (401, "invalid_api_key", "api key is invalid or disabled"),
}


def _refusal(reason: Reason) -> Refused:
    return Refused(*REFUSALS[reason])


class DujiaoSupplier(Supplier):
    """One API user at one site."""

    protocol = "dujiao"
    delivery_ms = 100

    async def answer(self, request: Request, path: str, turn: Turn) -> tuple[Call, Reply]:
        """Route; the signature covers the path as sent, without its query."""
        call = Call.OTHER
        order = ORDER.fullmatch(path)
        product = PRODUCT.fullmatch(path)
        if (request.method, path) == ("POST", f"{ROOT}/orders"):
            call = Call.SUBMIT
        elif order and not order["cancel"] and request.method == "GET":
            call = Call.QUERY
        try:
            self._verify(request)
            if call is Call.SUBMIT:
                content = await self._create(request, turn)
            elif call is Call.QUERY and order:
                content = self._detail(self._own(order["id"]))
            elif order and order["cancel"] and request.method == "POST":
                content = self._cancel(self._own(order["id"]))
            elif (request.method, path) == ("POST", f"{ROOT}/ping"):
                content = self._ping()
            elif (request.method, path) == ("GET", f"{ROOT}/categories"):
                content = {"categories": [_CATEGORY]}
            elif (request.method, path) == ("GET", f"{ROOT}/products"):
                content = self._products(parse_qs(request.query))
            elif product and request.method == "GET":
                content = {"product": self._product_by_id(product["id"])}
            else:
                return call, Reply(404, b"404 page not found", "text/plain")
        except Refused as refused:
            body = {"ok": False, "error_code": refused.code, "error_message": refused.message}
            return call, json_reply(body, status=refused.status)
        return call, json_reply({"ok": True} | content)

    def sign(self, method: str, path: str, moment: str, body: bytes) -> str:
        """HMAC-SHA256 of four lines."""
        digest = hashlib.md5(body).hexdigest()
        return crypto.hmac_hex(self.secrets["api_secret"], f"{method}\n{path}\n{moment}\n{digest}")

    def _verify(self, request: Request) -> None:
        key, moment, signature = (
            request.headers.get(f"dujiao-next-{name}", "") for name in ("api-key", "timestamp", "signature")
        )
        if not key or not moment or not signature:
            raise Refused(401, "missing_auth_headers", "missing authentication headers")
        if not moment.isdecimal():
            raise Refused(401, "invalid_timestamp", "invalid timestamp")
        if abs(int(moment) - time.time()) > TIMESTAMP_SECONDS:
            raise Refused(401, "timestamp_expired", "timestamp expired")
        if not crypto.same(key, self.secrets["api_key"]):
            raise Refused(401, "invalid_api_key", "api key is invalid or disabled")
        if not crypto.same(self.sign(request.method, request.path, moment, request.body), signature):
            raise Refused(401, "invalid_signature", "signature verification failed")

    # --- orders ------------------------------------------------------------------------------------------------------

    async def _create(self, request: Request, turn: Turn) -> dict[str, Any]:
        try:
            body = request.json()
        except BadRequest as error:
            raise Refused(400, "bad_request", f"invalid request body: {error}") from error
        sku, quantity = _sku(body.get("sku_id")), body.get("quantity")
        if isinstance(quantity, bool) or not isinstance(quantity, int) or quantity < 1:
            raise Refused(400, "bad_request", "invalid request body: quantity must be at least 1")
        reference, callback_url = body.get("downstream_order_no", ""), body.get("callback_url", "")
        form = body.get("manual_form_data") or {}
        if not isinstance(reference, str) or not isinstance(callback_url, str) or not isinstance(form, dict):
            raise Refused(400, "bad_request", "invalid request body: wrong type")
        if callback_url and not re.fullmatch(r"https?", urlsplit(callback_url).scheme):
            raise Refused(400, "invalid_callback_url", "callback url must use http or https")
        if turn.mode is Mode.REJECT:
            raise _refusal(self.behavior.reason)
        if reference and (known := self.find(reference)):
            return self._summary(known[-1])
        await self.think(turn)
        if not self.on_sale(sku):
            raise _refusal(Reason.PRODUCT)
        if not self.has(sku, quantity):
            raise _refusal(Reason.STOCK)
        price = self.prices.get(sku, PRICE)
        order = SupplierOrder(
            supplier=self.code,
            order_id=self.book.next_number(),
            reference=reference or f"none-{self.book.next_number()}",
            kind="direct" if form else "card",
            sku=sku,
            quantity=quantity,
            unit_price=price,
            charged=price * quantity,
            created_at=time.time(),
            account={str(name): str(value) for name, value in form.items()},
            callback_url=callback_url,
        )
        if not self.buy(order):
            raise _refusal(Reason.BALANCE)
        summary = self._summary(order)
        await self.promise(order, turn)
        return summary

    def _own(self, text: str) -> SupplierOrder:
        if not text.isdecimal():
            raise Refused(400, "bad_request", "invalid order id")
        order = self.book.orders.get(int(text))
        if order is None or order.supplier != self.code:
            raise Refused(404, "order_not_found", "order not found")
        return order

    def _cancel(self, order: SupplierOrder) -> dict[str, Any]:
        if order.state is not OrderState.ACCEPTED or _status(order) == "fulfilling":
            raise Refused(409, "cancel_not_allowed", "order cannot be canceled in current status")
        self.give_back(order, OrderState.CANCELED)
        return {"order_id": order.order_id, "order_no": _number(order), "status": "canceled"}

    def _summary(self, order: SupplierOrder) -> dict[str, Any]:
        return {
            "order_id": order.order_id,
            "order_no": _number(order),
            "status": _status(order),
            "amount": _money(order.unit_price * order.quantity),
            "currency": "CNY",
        }

    def _detail(self, order: SupplierOrder) -> dict[str, Any]:
        amount = _money(order.unit_price * order.quantity)
        lost = order.state in {OrderState.FAILED, OrderState.CANCELED}
        unit = _money(order.unit_price)
        item = {
            "product_id": _sku_id(order.sku),
            "sku_id": _sku_id(order.sku),
            "title": {"zh-CN": f"沙箱商品 {order.sku}"},
            "quantity": order.quantity,
            "original_unit_price": unit,
            "unit_price": unit,
            "original_total_price": amount,
            "total_price": amount,
            "fulfillment_type": _FULFILLMENT[order.kind],
        }
        extra = {"refunded_amount": amount if lost else "0.00", "refund_records": [], "items": [item]}
        content = self._summary(order) | extra
        return content | ({"fulfillment": _fulfillment(order)} if order.state is OrderState.SUCCEEDED else {})

    def callback(self, order: SupplierOrder, *, forged: bool) -> Outgoing:
        """Signed over a fixed path, whatever the address; answered with `{"ok":true}`."""
        content: dict[str, Any] = {
            "event": "order_status_changed",
            "order_id": order.order_id,
            "order_no": _number(order),
            "downstream_order_no": order.reference,
            "status": _status(order),
            "timestamp": int(time.time()),
        }
        if order.state is OrderState.SUCCEEDED:
            content["fulfillment"] = _fulfillment(order)
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        moment = str(int(time.time()))
        signature = self.sign("POST", f"{ROOT}/callback", moment, body + (b" " if forged else b""))
        headers = {
            "Content-Type": "application/json",
            "Dujiao-Next-Api-Key": self.secrets["api_key"],
            "Dujiao-Next-Timestamp": moment,
            "Dujiao-Next-Signature": signature,
        }
        return Outgoing(order.callback_url, body, headers)

    def acknowledged(self, answer: Answer) -> bool:
        """`{"ok":true}`."""
        try:
            content = json.loads(answer.body)
        except ValueError:
            return False
        return answer.status == 200 and isinstance(content, dict) and content.get("ok") is True

    # --- account and goods -------------------------------------------------------------------------------------------

    def _ping(self) -> dict[str, Any]:
        return {
            "site_name": f"沙箱货源 {self.code}",
            "protocol_version": "1.0",
            "user_id": 42,
            "balance": _money(self.balance),
            "currency": "CNY",
            "member_level": None,
        }

    def _products(self, query: Mapping[str, list[str]]) -> dict[str, Any]:
        page, size = (
            int(value) if (value := query.get(name, [""])[0]).isdecimal() and int(value) > 0 else default
            for name, default in (("page", 1), ("page_size", 20))
        )
        size = min(size, 50)
        items = [_product(sku, price, self.stock.get(sku)) for sku, price in self.prices.items()]
        return {
            "items": items[(page - 1) * size : page * size],
            "total": len(items),
            "page": page,
            "page_size": size,
            "includes_inactive": False,
        }

    def _product_by_id(self, text: str) -> dict[str, Any]:
        for sku, price in self.prices.items():
            if str(_sku_id(sku)) == text:
                return _product(sku, price, self.stock.get(sku))
        raise Refused(404, "product_not_found", "product not found")


_FULFILLMENT = {"card": "auto", "direct": "manual"}
_CATEGORY = {
    "id": 1,
    "parent_id": 0,
    "slug": "sandbox",
    "name": {"zh-CN": "沙箱商品", "en": "Sandbox goods"},
    "icon": "",
    "sort_order": 0,
}


def _sku(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 0:
        return str(value)
    if isinstance(value, str) and value and not value.isdecimal():
        return value
    raise Refused(400, "bad_request", "invalid request body: sku_id must be a number")


def _sku_id(sku: str) -> int | str:
    return int(sku) if sku.isdecimal() else sku


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"


def _number(order: SupplierOrder) -> str:
    return f"DJ{china_time(order.created_at).translate(str.maketrans('', '', '- :'))}{order.order_id % 10_000:04d}"


def _status(order: SupplierOrder) -> str:
    if order.state is OrderState.ACCEPTED:
        # Cards are handed out in one step; a person who tops up an account is seen at work.
        working = order.kind == "direct" and time.time() > (order.created_at + order.due_at) / 2
        return "fulfilling" if working else "paid"
    if order.state is OrderState.SUCCEEDED:
        return "completed" if order.kind == "card" else "delivered"
    return "canceled"


def _fulfillment(order: SupplierOrder) -> dict[str, Any]:
    return {
        "type": _FULFILLMENT[order.kind],
        "status": "delivered",
        "payload": "\n".join(order.codes) if order.kind == "card" else "已充值到账",
        "delivery_data": None,
        "delivered_at": utc_time(order.finished_at),
    }


def _product(sku: str, price: Decimal, left: int | None) -> dict[str, Any]:
    counted = "in_stock" if left else "out_of_stock"
    money, moment = _money(price), utc_time(1_767_196_800)
    return {
        "id": _sku_id(sku),
        "slug": f"sandbox-{sku.lower()}",
        "seo_meta": {},
        "title": {"zh-CN": f"沙箱商品 {sku}", "en": f"Sandbox good {sku}"},
        "description": {},
        "content": {},
        "images": [],
        "tags": [],
        "price_amount": money,
        "fulfillment_type": "auto",
        "manual_form_schema": None,
        "is_active": True,
        "category_id": 1,
        "skus": [
            {
                "id": _sku_id(sku),
                "sku_code": sku,
                "spec_values": {},
                "price_amount": money,
                "stock_status": "unlimited" if left is None else counted,
                "stock_quantity": -1 if left is None else left,
                "is_active": True,
            }
        ],
        "created_at": moment,
        "updated_at": moment,
    }
