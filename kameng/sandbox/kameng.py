"""Another installation's supply API, version 1: paid from a balance, delivered asynchronously, asked by reference.

Source: `docs/supply-api.md`. Everything of 64 characters is on sale unless it begins with `NO-`; goods without an
account are codes. The address for callbacks is registered there, not sent with an order, so it is set here; it follows
`--shop`.
"""

import hashlib
import json
import secrets
import time
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import unquote

from kameng.sandbox import crypto
from kameng.sandbox.book import OrderState, SupplierOrder, utc_time
from kameng.sandbox.post import Answer, Outgoing
from kameng.sandbox.supplier import PRICE, Call, Mode, Reason, Supplier, Turn
from kameng.sandbox.web import BadRequest, Reply, Request, json_reply

ROOT = "/api/supply/v1"
WINDOW_SECONDS = 300
PAGE = 100


class Refused(Exception):
    """Problem details with their code and HTTP status."""

    def __init__(self, status: int, code: str, title: str) -> None:
        super().__init__(title)
        self.status, self.code, self.title = status, code, title


REFUSALS = {
    Reason.STOCK: (409, "unavailable", "这个面额刚刚下架，换一个面额试试"),
    Reason.PRODUCT: (404, "unknown_sku", "本店没有这个面额"),
    Reason.PRICE: (409, "price_above_limit", "现价高于你给的上限"),
    Reason.ACCOUNT: (422, "invalid", "有几处需要修改"),
    Reason.BALANCE: (402, "balance_short", "余额不足"),
    Reason.CREDENTIALS: (401, "key_unknown", "没有这个密钥，或者它已停用"),
}
STATES = {
    OrderState.ACCEPTED: "processing",
    OrderState.SUCCEEDED: "delivered",
    OrderState.FAILED: "failed",
    OrderState.CANCELED: "canceled",
}


def _refusal(reason: Reason) -> Refused:
    return Refused(*REFUSALS[reason])


class KamengSupplier(Supplier):
    """One client of one shop."""

    protocol = "kameng"
    delivery_ms = 100

    def reset(self, *, seed: int = 1) -> None:
        """As new: nobody has sent anything yet."""
        super().reset(seed=seed)
        self._seen: dict[str, float] = {}

    async def answer(self, request: Request, path: str, turn: Turn) -> tuple[Call, Reply]:
        """Objects in JSON below `/api/supply/v1`, refusals as problem details."""
        route = [unquote(part) for part in path.removeprefix(ROOT).strip("/").split("/")]
        call = Call.OTHER
        try:
            self._verify(request)
            match request.method, route:
                case "POST", ["orders"]:
                    call = Call.SUBMIT
                    return call, json_reply(await self._create(request, turn), status=201)
                case "GET", ["orders", reference]:
                    call = Call.QUERY
                    return call, json_reply(self._told(self._own(reference)))
                case "POST", ["orders", reference, "cancel"]:
                    return call, json_reply(self._cancel(self._own(reference)))
                case "GET", ["balance"]:
                    return call, json_reply({"balance": _money(self.balance), "currency": "CNY"})
                case "GET", ["products" | "prices" | "stock"]:
                    return call, json_reply(self._listed(request))
            raise Refused(404, "not_found", "没有这个内容")
        except Refused as refused:
            problem = {"status": refused.status, "code": refused.code, "title": refused.title}
            reply = json_reply(problem, status=refused.status)
            reply.content_type = "application/problem+json"
            return call, reply

    def sign(self, method: str, target: str, moment: str, nonce: str, body: bytes) -> str:
        """HMAC-SHA256 of five lines."""
        digest = hashlib.sha256(body).hexdigest()
        return crypto.hmac_hex(self.secrets["secret"], f"{method}\n{target}\n{moment}\n{nonce}\n{digest}")

    def _verify(self, request: Request) -> None:
        key, moment, nonce, signature = (
            request.headers.get(f"kameng-{name}", "") for name in ("key", "timestamp", "nonce", "signature")
        )
        if not (key and moment.isdecimal() and 16 <= len(nonce) <= 64 and signature):
            raise Refused(401, "signature_missing", "缺少签名，或者签名的头不完整")
        if not crypto.same(key, self.secrets["key"]):
            raise _refusal(Reason.CREDENTIALS)
        now = time.time()
        if abs(int(moment) - now) > WINDOW_SECONDS:
            raise Refused(401, "timestamp_stale", "时间戳和我们的时间相差太大")
        if not crypto.same(self.sign(request.method, request.target, moment, nonce, request.body), signature):
            raise Refused(401, "signature_wrong", "签名不对")
        self._seen = {known: at for known, at in self._seen.items() if now - at < 2 * WINDOW_SECONDS}
        if nonce in self._seen:
            raise Refused(409, "nonce_used", "这个随机串用过了")
        self._seen[nonce] = now

    # --- orders ------------------------------------------------------------------------------------------------------

    async def _create(self, request: Request, turn: Turn) -> dict[str, Any]:
        try:
            body = request.json()
        except BadRequest as error:
            raise Refused(400, "malformed", f"请求的格式不对：{error}") from error
        reference, sku, quantity = body.get("reference"), body.get("sku"), body.get("quantity")
        account = body.get("account") or {}
        if not isinstance(reference, str) or not isinstance(sku, str) or not isinstance(account, dict):
            raise _refusal(Reason.ACCOUNT)
        if isinstance(quantity, bool) or not isinstance(quantity, int) or quantity < 1:
            raise _refusal(Reason.ACCOUNT)
        if turn.mode is Mode.REJECT:
            raise _refusal(self.behavior.reason)
        if known := self.find(reference):
            if (known[-1].sku, known[-1].quantity, known[-1].account) != (sku, quantity, account):
                raise Refused(409, "reference_taken", "这个单号已用于另一笔订单")
            return self._told(known[-1])
        await self.think(turn)
        if not self.on_sale(sku):
            raise _refusal(Reason.PRODUCT)
        if not self.has(sku, quantity):
            raise _refusal(Reason.STOCK)
        price = self.prices.get(sku, PRICE)
        if price * quantity > _most(body.get("max_cost")):
            raise _refusal(Reason.PRICE)
        order = SupplierOrder(
            supplier=self.code,
            order_id=self.book.next_number(),
            reference=reference,
            kind="direct" if account else "card",
            sku=sku,
            quantity=quantity,
            unit_price=price,
            charged=price * quantity,
            created_at=time.time(),
            account={str(name): str(value) for name, value in account.items()},
            callback_url=self.callback_url,
        )
        if not self.buy(order):
            raise _refusal(Reason.BALANCE)
        told = self._told(order)
        await self.promise(order, turn)
        return told

    def _own(self, reference: str) -> SupplierOrder:
        found = self.find(reference)
        if not found:
            raise Refused(404, "no_such_order", "没有这个订单")
        return found[-1]

    def _cancel(self, order: SupplierOrder) -> dict[str, Any]:
        if order.state is OrderState.ACCEPTED:
            self.give_back(order, OrderState.CANCELED)
        if order.state is not OrderState.CANCELED:
            raise Refused(409, "too_late", "已经开始采购，不能再取消")
        return self._told(order)

    def _told(self, order: SupplierOrder) -> dict[str, Any]:
        amount = order.unit_price * order.quantity
        lost = order.state in {OrderState.FAILED, OrderState.CANCELED}
        return {
            "order": str(order.order_id),
            "reference": order.reference,
            "sku": order.sku,
            "quantity": order.quantity,
            "status": STATES[order.state],
            "delivered": order.quantity if order.state is OrderState.SUCCEEDED else 0,
            "codes": list(order.codes),
            "price": _money(order.unit_price),
            "amount": _money(amount),
            "refunded": _money(amount if lost else Decimal(0)),
            "created_at": utc_time(order.created_at),
        }

    def callback(self, order: SupplierOrder, *, forged: bool) -> Outgoing:
        """That the order has ended, and how; signed over a fixed path, whatever the address."""
        content = {
            "event": "order.ended",
            "order": str(order.order_id),
            "reference": order.reference,
            "status": STATES[order.state],
        }
        body = json.dumps(content, ensure_ascii=False).encode()
        moment, nonce = str(int(time.time())), secrets.token_hex(16)
        headers = {
            "Content-Type": "application/json",
            "Kameng-Key": self.secrets["key"],
            "Kameng-Timestamp": moment,
            "Kameng-Nonce": nonce,
            "Kameng-Signature": self.sign("POST", f"{ROOT}/callback/", moment, nonce, body + (b" " if forged else b"")),
        }
        return Outgoing(order.callback_url, body, headers)

    def acknowledged(self, answer: Answer) -> bool:
        """Any success ends the repetitions."""
        return 200 <= answer.status < 300

    # --- goods -------------------------------------------------------------------------------------------------------

    def _listed(self, request: Request) -> dict[str, Any]:
        try:
            asked = request.fields()
        except BadRequest as error:
            raise Refused(400, "malformed", f"请求的格式不对：{error}") from error
        skus = [asked["sku"]] if "sku" in asked else list(self.prices)
        start = int(asked["cursor"]) if asked.get("cursor", "").isdecimal() else 0
        shown = skus[start : start + PAGE]
        following = str(start + PAGE) if start + PAGE < len(skus) else ""
        return {"results": [self._product(sku) for sku in shown if self.on_sale(sku)], "next_cursor": following}

    def _product(self, sku: str) -> dict[str, Any]:
        left = self.stock.get(sku)
        return {
            "sku": sku,
            "name": f"沙箱商品 {sku}",
            "price": _money(self.prices.get(sku, PRICE)),
            "available": left != 0,
            "stock": left,
        }


def _most(text: object) -> Decimal:
    """What the client would pay at most; everything where it does not say."""
    if text is None:
        return Decimal("Infinity")
    try:
        return Decimal(str(text))
    except InvalidOperation as error:
        raise _refusal(Reason.ACCOUNT) from error


def _money(amount: Decimal) -> str:
    return f"{amount:.2f}"
