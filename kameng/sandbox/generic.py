"""A small direct-charge supplier with an interface of its own, as there are hundreds: forms, signed with a digest.

Made up, after what their documents have in common. A merchant posts forms to `/api/v2/…`; `sign` is the upper-case MD5
of all other fields that are not empty, sorted by name as `name=value` joined by `&`, with `&key=` and the secret
behind. A reply is `{"code","msg","data"}`; amounts are in fen. Orders are asked by the merchant's number. Times are
seconds and may be five minutes off. A callback is a form signed the same way, repeated until it is answered `ok`.

Its description for the generic adapter, as a technician would hand it over, is `shanhe_mapping.json`.
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode, urlsplit

from kameng.sandbox import crypto
from kameng.sandbox.book import OrderState, SupplierOrder
from kameng.sandbox.post import Answer, Outgoing
from kameng.sandbox.supplier import (
    PRICE,
    WRONG_ACCOUNT,
    Call,
    Mode,
    Reason,
    Supplier,
    Turn,
    whole_number,
)
from kameng.sandbox.web import BadRequest, Reply, Request, json_reply

TIMESTAMP_SECONDS = 300
PAGE = 50
STATES = {
    OrderState.ACCEPTED: 1,
    OrderState.SUCCEEDED: 2,
    OrderState.FAILED: 3,
    OrderState.CANCELED: 3,
}
#: Accounts that end so are answered as the check of a real one would: not there, used up.
CHECKS = {"404": (2, ""), "429": (4, "")}
#: Accounts that end so have their role in this region, and in no other.
AT_HOME, HOME = "403", "sx"


class Refused(Exception):
    """A code other than 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


REFUSALS = {
    Reason.STOCK: (2003, "该商品库存不足"),
    Reason.BALANCE: (3001, "商户余额不足"),
    Reason.PRODUCT: (2001, "商品不存在或已下架"),
    Reason.PRICE: (2004, "进价高于限价"),
    Reason.ACCOUNT: (2002, "充值账号格式不正确"),
    Reason.CREDENTIALS: (1002, "签名错误"),
}


def _refusal(reason: Reason) -> Refused:
    return Refused(*REFUSALS[reason])


class GenericSupplier(Supplier):
    """One merchant's account."""

    protocol = "generic"
    delivery_ms = 150

    async def answer(self, request: Request, path: str, turn: Turn) -> tuple[Call, Reply]:
        """Everything is a form posted below `/api/v2`."""
        services: Mapping[str, tuple[Call, Callable[[Mapping[str, str]], object]]] = {
            "/api/v2/order/query": (Call.QUERY, self._query),
            "/api/v2/merchant/balance": (Call.OTHER, self._balance),
            "/api/v2/goods/list": (Call.OTHER, self._goods),
            "/api/v2/goods/price": (Call.OTHER, self._price),
            "/api/v2/account/check": (Call.OTHER, self._check),
        }
        is_order = path == "/api/v2/order/create"
        if request.method != "POST" or not (is_order or path in services):
            return Call.OTHER, Reply(404, b"Not Found", "text/plain")
        call = Call.SUBMIT if is_order else services[path][0]
        try:
            fields = self._verify(request)
            data = await self._create(fields, turn) if is_order else services[path][1](fields)
        except Refused as refused:
            return call, json_reply({"code": refused.code, "msg": refused.message, "data": None})
        return call, json_reply({"code": 0, "msg": "ok", "data": data})

    def sign(self, fields: Mapping[str, str]) -> str:
        """Sorted pairs, then the key."""
        pairs = [f"{name}={fields[name]}" for name in sorted(fields) if name != "sign" and fields[name] != ""]
        return hashlib.md5("&".join([*pairs, f"key={self.secrets['secret']}"]).encode()).hexdigest().upper()

    def _verify(self, request: Request) -> dict[str, str]:
        try:
            fields = request.fields()
        except BadRequest as error:
            raise Refused(1000, f"参数错误：{error}") from error
        if fields.get("mch_id") != self.secrets["mch_id"]:
            raise Refused(1001, "商户不存在")
        if not crypto.same(self.sign(fields), fields.get("sign", "")):
            raise _refusal(Reason.CREDENTIALS)
        stamp = fields.get("timestamp", "")
        if not stamp.isdecimal() or abs(int(stamp) - time.time()) > TIMESTAMP_SECONDS:
            raise Refused(1003, "请求已过期")
        return fields

    # --- orders ------------------------------------------------------------------------------------------------------

    async def _create(self, fields: Mapping[str, str], turn: Turn) -> dict[str, Any]:
        reference, sku = fields.get("out_order_no", ""), fields.get("goods_id", "")
        quantity = whole_number(fields.get("num")) or 0
        if not re.fullmatch(r"[A-Za-z0-9]{6,32}", reference) or not 1 <= quantity <= 100:
            raise Refused(1000, "参数错误：out_order_no或num")
        address = fields.get("notify_url", "")
        if address and not re.fullmatch(r"https?", urlsplit(address).scheme):
            raise Refused(1000, "参数错误：notify_url")
        if turn.mode is Mode.REJECT:
            raise _refusal(self.behavior.reason)
        await self.think(turn)
        if self.find(reference):
            raise Refused(2009, "商户订单号已存在")
        if not self.on_sale(sku):
            raise _refusal(Reason.PRODUCT)
        if not self.has(sku, quantity):
            raise _refusal(Reason.STOCK)
        price = self.prices.get(sku, PRICE)
        limit = whole_number(fields.get("max_amount"))
        if limit is not None and _fen(price * quantity) > limit:
            raise _refusal(Reason.PRICE)
        account = {name: fields[name] for name in ("account", "region", "role") if fields.get(name)}
        order = SupplierOrder(
            supplier=self.code,
            order_id=self.book.next_number(),
            reference=reference,
            kind="direct" if account.get("account") else "card",
            sku=sku,
            quantity=quantity,
            unit_price=price,
            charged=price * quantity,
            created_at=time.time(),
            account=account,
            callback_url=address,
        )
        if not self.buy(order):
            raise _refusal(Reason.BALANCE)
        taken = self._order(order) | {"state": STATES[OrderState.ACCEPTED]}
        await self.promise(order, turn)
        return taken

    def _query(self, fields: Mapping[str, str]) -> dict[str, Any]:
        orders = self.find(fields.get("out_order_no", ""))
        if not orders:
            raise Refused(2006, "订单不存在")
        order = orders[-1]
        cards = [{"no": f"SH{order.order_id:08d}{place:02d}", "pwd": code} for place, code in enumerate(order.codes)]
        return self._order(order) | ({"cards": cards} if cards else {})

    def _order(self, order: SupplierOrder) -> dict[str, Any]:
        return {
            "out_order_no": order.reference,
            "order_no": f"SH{order.order_id:012d}",
            "goods_id": order.sku,
            "num": order.quantity,
            "amount": _fen(order.unit_price * order.quantity),
            "state": STATES[order.state],
        }

    def callback(self, order: SupplierOrder, *, forged: bool) -> Outgoing:
        """A form whose `sign` covers the rest of it."""
        fields = {
            "mch_id": self.secrets["mch_id"],
            "out_order_no": order.reference,
            "order_no": f"SH{order.order_id:012d}",
            "state": str(STATES[order.state]),
            "timestamp": str(int(time.time())),
        }
        sign = self.sign(fields | {"state": "9"} if forged else fields)
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        return Outgoing(order.callback_url, urlencode(fields | {"sign": sign}).encode(), kind)

    def acknowledged(self, answer: Answer) -> bool:
        """The word that ends the repetitions."""
        return answer.status == 200 and answer.body.strip() == b"ok"

    # --- account and goods -------------------------------------------------------------------------------------------

    def _balance(self, fields: Mapping[str, str]) -> dict[str, Any]:
        return {"balance": _fen(self.balance)}

    def _goods(self, fields: Mapping[str, str]) -> dict[str, Any]:
        start = whole_number(fields.get("page")) or 1
        skus = list(self.prices)
        rows = [self._row(sku) for sku in skus[(start - 1) * PAGE : start * PAGE]]
        return {"list": rows, "next_page": start + 1 if start * PAGE < len(skus) else 0}

    def _price(self, fields: Mapping[str, str]) -> dict[str, Any]:
        sku = fields.get("goods_id", "")
        if not self.on_sale(sku):
            raise _refusal(Reason.PRODUCT)
        return self._row(sku)

    def _row(self, sku: str) -> dict[str, Any]:
        price = self.prices.get(sku, PRICE)
        left = self.stock.get(sku, 9999)
        return {"goods_id": sku, "goods_name": f"沙箱直充 {sku}", "price": _fen(price), "stock": left, "status": 1}

    def _check(self, fields: Mapping[str, str]) -> dict[str, Any]:
        account = fields.get("account", "")
        if not account:
            raise _refusal(Reason.ACCOUNT)
        if WRONG_ACCOUNT in account:
            return {"result": 2, "nickname": ""}
        if account.endswith(AT_HOME) and fields.get("region", "") != HOME:
            return {"result": 3, "nickname": ""}
        result, nickname = CHECKS.get(account[-3:], (1, f"山河玩家{account[-2:]}"))
        return {"result": result, "nickname": nickname}


def _fen(amount: Decimal) -> int:
    return int((amount * 100).to_integral_value())
