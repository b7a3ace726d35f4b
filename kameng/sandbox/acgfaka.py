"""异次元发卡 (acg-faka) 3, the shared shop: codes out of a pool, paid from the member's balance, answered at once.

Source: github.com/lizhipay/acg-faka, `app/Controller/Shared/`, `app/Interceptor/SharedValidation.php`,
`app/Util/Str.php` (the signature) and `app/Service/Bind/Order.php` (`trade`, `orderSuccess`, `pullCardForLocal`). There
is no document. Every refusal is `code` 0 with a sentence; a number used before is one of them, although the first order
stands. Orders are found by the shop's own `tradeNo` alone, and nobody is called back.

Mode `async` makes the goods of an order served by hand: a promise is answered instead of codes, which `query` tells
once they are there. A product with `:` in its price list (`1001:月卡`) is a kind (race) of a product.
"""

import hashlib
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from kameng.sandbox import crypto
from kameng.sandbox.book import OrderState, SupplierOrder, china_time
from kameng.sandbox.post import Answer, Outgoing
from kameng.sandbox.supplier import PRICE, Call, Mode, Reason, Supplier, Turn, Variant, whole_number
from kameng.sandbox.web import BadRequest, Reply, Request, json_reply

PROMISE = "正在发货中，请耐心等待，如有疑问，请联系客服。"
SNATCHED = "很抱歉，有人在你付款之前抢走了商品，请联系客服。"
REQUEST_NO = 19
#: What is said to be there of goods that never run out.
PLENTY = 999


class Refused(Exception):
    """`code` 0."""


REFUSALS = {
    Reason.STOCK: "库存不足",
    Reason.BALANCE: "余额不足",
    Reason.PRODUCT: "当前商品已停售",
    Reason.PRICE: "该商品未开放对接",
    Reason.ACCOUNT: "请选择商品种类",
    Reason.CREDENTIALS: "密钥错误",
}


class AcgFakaSupplier(Supplier):
    """One member of one shop."""

    protocol = "acgfaka"
    delivery_ms = 0

    async def answer(self, request: Request, path: str, turn: Turn) -> tuple[Call, Reply]:
        """Everything is a form posted below `/shared`."""
        services: Mapping[str, tuple[Call, Callable[[Mapping[str, str]], object]]] = {
            "/shared/authentication/connect": (Call.OTHER, self._connect),
            "/shared/commodity/items": (Call.OTHER, self._items),
            "/shared/commodity/item": (Call.OTHER, self._item),
            "/shared/commodity/inventory": (Call.OTHER, self._inventory),
            "/shared/commodity/inventoryState": (Call.OTHER, self._inventory_state),
            "/shared/commodity/stock": (Call.OTHER, self._stock),
            "/shared/commodity/valuation": (Call.OTHER, self._valuation),
            "/shared/commodity/query": (Call.QUERY, self._query),
        }
        is_trade = path == "/shared/commodity/trade"
        if request.method != "POST" or not (is_trade or path in services):
            return Call.OTHER, Reply(404, b"<html><title>404 Not Found</title></html>", "text/html; charset=utf-8")
        call = Call.SUBMIT if is_trade else services[path][0]
        try:
            fields = self._verify(request)
            data = await self._trade(fields, turn) if is_trade else services[path][1](fields)
        except Refused as refused:
            return call, json_reply({"code": 0, "msg": str(refused)})
        return call, json_reply({"code": 200, "msg": "success", "data": data})

    def sign(self, pairs: list[tuple[str, str]]) -> str:
        """Sorted by the outer name, empty texts left out, the key behind; the key alone suffers from being decoded."""
        kept = [(name, value) for name, value in pairs if name != "sign" and value != ""]
        kept.sort(key=lambda pair: pair[0].split("[")[0])
        text = "".join(f"{name}={value}&" for name, value in kept)
        return hashlib.md5(f"{text}key={unquote_plus(self.secrets['app_key'])}".encode()).hexdigest()

    def _verify(self, request: Request) -> dict[str, str]:
        try:
            pairs = parse_qsl(request.body.decode(), keep_blank_values=True, errors="strict")
        except ValueError as error:
            raise BadRequest("not UTF-8") from error
        fields = dict(pairs)
        if fields.get("app_id") != self.secrets["app_id"]:
            raise Refused("商户ID不存在")
        if not crypto.same(self.sign(pairs), fields.get("sign", "")):
            raise Refused(REFUSALS[Reason.CREDENTIALS])
        return fields

    # --- orders ------------------------------------------------------------------------------------------------------

    async def _trade(self, fields: Mapping[str, str], turn: Turn) -> dict[str, Any]:
        sku = self._sku(fields, "shared_code")
        quantity = whole_number(fields.get("num")) or 0
        if quantity <= 0:
            raise Refused("至少购买1个")
        if turn.mode is Mode.REJECT:
            raise Refused(REFUSALS[self.behavior.reason])
        await self.think(turn)
        reference = fields.get("request_no", "")[:REQUEST_NO] or f"none-{self.book.next_number()}"
        if self.find(reference):
            raise Refused("The request ID already exists")
        if not self.has(sku, quantity):
            raise Refused(REFUSALS[Reason.STOCK])
        price = self.prices.get(sku, PRICE)
        order = SupplierOrder(
            supplier=self.code,
            order_id=self.book.next_number(),
            reference=reference,
            kind="card",
            sku=sku,
            quantity=quantity,
            unit_price=price,
            charged=price * quantity,
            created_at=time.time(),
        )
        if not self.buy(order):
            raise Refused(REFUSALS[Reason.BALANCE])
        if turn.mode is Mode.ASYNC:
            await self.promise(order, turn)
        else:
            order.flaw = {Mode.DUP_CODE: "duplicate"}.get(turn.mode, "few" if turn.variant is Variant.FEW else "")
            self.finish(order)
        return {
            "url": "",
            "amount": f"{price * quantity:.2f}",
            "tradeNo": _number(order),
            "secret": _secret(order),
            "stock": str(self._left(sku)),
        }

    def _query(self, fields: Mapping[str, str]) -> dict[str, Any]:
        wanted = fields.get("tradeNo", "")
        for order in self.book.orders.values():
            if order.supplier == self.code and _number(order) == wanted:
                return {"secret": _secret(order), "widget": None, "status": 1}
        raise Refused("订单不存在")

    def _sku(self, fields: Mapping[str, str], name: str) -> str:
        code, race = fields.get(name, ""), fields.get("race", "")
        if not self.on_sale(code):
            raise Refused("商品不存在")
        return f"{code}:{race}" if race else code

    def callback(self, order: SupplierOrder, *, forged: bool) -> Outgoing:
        """Never asked for: no order has an address."""
        raise NotImplementedError

    def acknowledged(self, answer: Answer) -> bool:
        """Nobody is called."""
        return False

    # --- account and goods -------------------------------------------------------------------------------------------

    def _connect(self, fields: Mapping[str, str]) -> dict[str, Any]:
        return {"shopName": f"沙箱小店 {self.code}", "balance": float(self.balance)}

    def _items(self, fields: Mapping[str, str]) -> list[dict[str, Any]]:
        races: dict[str, dict[str, Decimal]] = {}
        for sku, price in self.prices.items():
            code, _, race = sku.partition(":")
            races.setdefault(code, {})[race] = price
        children = [_product(code, prices, self._of_all(code, prices)) for code, prices in races.items()]
        return [{"id": 1, "name": "沙箱卡密", "sort": 1, "icon": "", "children": children}] if children else []

    def _item(self, fields: Mapping[str, str]) -> dict[str, Any]:
        # As there for a long time: without `factory_price`, from which others concluded 0 (issue 842).
        sku = self._sku(fields, "code")
        product = _product(fields.get("code", ""), {"": self.prices.get(sku, PRICE)}, self._left(sku))
        return {name: value for name, value in product.items() if name != "factory_price"}

    def _of_all(self, code: str, races: Mapping[str, Decimal]) -> int:
        """What is left of all kinds of a product together."""
        return sum(self._left(f"{code}:{race}" if race else code) for race in races)

    def _inventory(self, fields: Mapping[str, str]) -> dict[str, Any]:
        price = self.prices.get(self._sku(fields, "sharedCode"), PRICE)
        left = self._left(self._sku(fields, "sharedCode"))
        return {"count": left, "delivery_way": 0, "price": float(price), "factory_price": float(price), "config": ""}

    def _inventory_state(self, fields: Mapping[str, str]) -> list[Any]:
        self._sku(fields, "shared_code")
        return []

    def _stock(self, fields: Mapping[str, str]) -> dict[str, Any]:
        return {"stock": str(self._left(self._sku(fields, "code")))}

    def _left(self, sku: str) -> int:
        return self.stock.get(sku, PLENTY)

    def _valuation(self, fields: Mapping[str, str]) -> dict[str, Any]:
        price = self.prices.get(self._sku(fields, "code"), PRICE)
        return {"price": f"{price * (whole_number(fields.get('num')) or 1):.2f}", "currency_code": "CNY"}


def _number(order: SupplierOrder) -> str:
    moment = china_time(order.created_at)[2:].translate(str.maketrans("", "", "- :"))
    return f"{order.order_id // 1000 % 900 + 100}{moment}{order.order_id % 1000:03d}"


def _secret(order: SupplierOrder) -> str:
    if order.state is OrderState.ACCEPTED:
        return PROMISE
    return "\n".join(order.codes) if order.state is OrderState.SUCCEEDED else SNATCHED


def _product(code: str, prices: Mapping[str, Decimal], left: int) -> dict[str, Any]:
    plain = prices.get("")
    kinds = {race: price for race, price in prices.items() if race}
    lines = ["[category]", *(f"{race}={price * 2:.2f}" for race, price in kinds.items())]
    lines += ["[category_factory]", *(f"{race}={price:.2f}" for race, price in kinds.items())]
    return {
        "id": 1,
        "code": code,
        "name": f"沙箱商品 {code}",
        "price": float((plain or PRICE) * 2),
        "user_price": float((plain or PRICE) * 2),
        "factory_price": 0 if kinds else float(plain or PRICE),
        "delivery_way": 0,
        "status": 1,
        "api_status": 1,
        "stock": left,
        "widget": "[]",
        "config": "\n".join(lines) if kinds else "",
    }
