"""Fulu 福禄 open platform: direct top-up, phone credit and cards; always asynchronous.

Sources: docs.open.fulu.com, and published clients: github.com/songjian/fulusdk, t2krew/fulu-gosdk,
javareact/fulu-openapi, ouchangjian/fulu-nodejs-sdk. The signature is the MD5 of the *sorted characters* of the JSON and
the secret; a reply's signature covers its `result` text alone (reproduced from the reply published with the Node
client). Callback fields are those of callbacks that merchants published.

The public pages do not list the numbers of all refusals. 0, 3000 (number used), 3001–3005 and 3008 (this product cannot
be bought, another one might) and 3007 (no such template) are attested by the clients; the others here are this
sandbox's own. The callback address is not part of an order: the platform keeps it with the merchant, here as
`callback_url` of the control endpoint.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from kameng.sandbox import crypto
from kameng.sandbox.book import CHINA, OrderState, SupplierOrder, china_time
from kameng.sandbox.post import Answer, Outgoing
from kameng.sandbox.supplier import PRICE, Call, Mode, Reason, Supplier, Turn, whole_number
from kameng.sandbox.web import BadRequest, Reply, Request, json_reply

PARAMETERS = ("app_key", "method", "timestamp", "version", "format", "charset", "sign_type", "sign", "biz_content")
#: Fewer than these are told as few.
LOW_STOCK = 10
ORDER_TYPES = {"mobile": 1, "card": 3, "direct": 4}
STATES = {
    OrderState.SUCCEEDED: "success",
    OrderState.FAILED: "failed",
    OrderState.CANCELED: "failed",
}
ACCOUNT_FIELDS = (
    "charge_account",
    "charge_phone",
    "charge_game_name",
    "charge_game_region",
    "charge_game_srv",
    "charge_game_role",
    "charge_type",
    "charge_password",
    "charge_ip",
    "contact_qq",
    "contact_tel",
)


class Refused(Exception):
    """A code other than 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


REFUSALS = {
    Reason.STOCK: (3003, "商品库存不足"),
    Reason.PRODUCT: (3001, "商品不存在或已下架"),
    Reason.PRICE: (3008, "商品进货价高于外部销售价"),
    Reason.ACCOUNT: (3005, "充值账号不符合商品要求"),
    Reason.BALANCE: (4001, "账户余额不足"),
    Reason.CREDENTIALS: (1002, "签名错误"),
}


def _refusal(reason: Reason) -> Refused:
    return Refused(*REFUSALS[reason])


class FuluSupplier(Supplier):
    """One merchant's account at the platform."""

    protocol = "fulu"
    delivery_ms = 200

    async def answer(self, request: Request, path: str, turn: Turn) -> tuple[Call, Reply]:
        """Everything is a POST of JSON to `/api/getway`."""
        if path != "/api/getway" or request.method != "POST":
            return Call.OTHER, Reply(404, b"Not Found", "text/plain")
        services: dict[str, tuple[Call, Callable[[Mapping[str, Any]], object]]] = {
            "fulu.order.info.get": (Call.QUERY, self._order_info),
            "fulu.user.info.get": (Call.OTHER, self._user_info),
            "fulu.goods.list.get": (Call.OTHER, self._goods_list),
            "fulu.goods.info.get": (Call.OTHER, self._goods_info),
            "fulu.goods.stock.check": (Call.OTHER, self._stock_check),
        }
        call = Call.OTHER
        try:
            method, content = self._verify(request)
            found = re.fullmatch(r"fulu\.order\.(direct|mobile|card)\.add", method)
            if found:
                call = Call.SUBMIT
                result: object = await self._add(found[1], content, turn)
            elif method in services:
                call, service = services[method]
                result = service(content)
            else:
                raise Refused(1004, "接口方法名不存在")
        except Refused as refused:
            return call, self._reply(refused.code, refused.message, "")
        return call, self._reply(
            0, "接口调用成功", json.dumps(result, ensure_ascii=False, separators=(",", ":"), default=float)
        )

    def _reply(self, code: int, message: str, result: str) -> Reply:
        return json_reply({"code": code, "message": message, "result": result, "sign": self.sign(result)})

    def sign(self, text: str) -> str:
        """Sorted characters, then the secret."""
        return hashlib.md5(("".join(sorted(text)) + self.secrets["app_secret"]).encode()).hexdigest()

    def _verify(self, request: Request) -> tuple[str, Mapping[str, Any]]:
        try:
            params = request.json()
        except BadRequest as error:
            raise Refused(1000, f"请求不是JSON对象：{error}") from error
        for name in PARAMETERS:
            if not isinstance(params.get(name), str) or not params[name]:
                raise Refused(1000, f"缺少参数{name}")
        if params["app_key"] != self.secrets["app_key"]:
            raise Refused(1001, "app_key无效")
        if params["sign_type"].lower() != "md5" or params["version"] != "2.0" or params["format"].lower() != "json":
            raise Refused(1000, "version、format或sign_type不支持")
        signed = {name: value for name, value in params.items() if name != "sign"}
        text = json.dumps(signed, ensure_ascii=False, separators=(",", ":"))
        if not crypto.same(self.sign(text), params["sign"]):
            raise Refused(1002, "签名错误")
        try:
            datetime.strptime(params["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
            content = json.loads(params["biz_content"], parse_float=Decimal)
        except ValueError as error:
            raise Refused(1003, "timestamp或biz_content格式错误") from error
        if not isinstance(content, dict):
            raise Refused(1003, "biz_content不是JSON对象")
        return params["method"], content

    # --- orders ------------------------------------------------------------------------------------------------------

    async def _add(self, kind: str, content: Mapping[str, Any], turn: Turn) -> dict[str, Any]:
        reference = content.get("customer_order_no")
        if not isinstance(reference, str) or not 0 < len(reference) <= 50:
            raise Refused(2001, "customer_order_no无效")
        account = {name: str(content[name]) for name in ACCOUNT_FIELDS if content.get(name)}
        if kind == "mobile":
            value = _amount(content, "charge_value")
            if value is None or not re.fullmatch(r"1[0-9]{10}", account.get("charge_phone", "")):
                raise Refused(2001, "charge_phone或charge_value无效")
            sku, quantity = f"{value.normalize():f}", 1
        else:
            sku, quantity = str(content.get("product_id", "")), whole_number(content.get("buy_num")) or 0
            if not 1 <= quantity <= 1000:
                raise Refused(2001, "buy_num无效")
            if kind == "direct" and not 0 < len(account.get("charge_account", "")) <= 50:
                raise Refused(2001, "charge_account无效")
        if turn.mode is Mode.REJECT:
            raise _refusal(self.behavior.reason)
        await self.think(turn)
        if self.find(reference):
            raise Refused(3000, "外部订单号已存在")
        if not self.on_sale(sku):
            raise _refusal(Reason.PRODUCT)
        if not self.has(sku, quantity):
            raise _refusal(Reason.STOCK)
        selling = _amount(content, "customer_price")
        price = self.prices.get(sku) or selling or (Decimal(sku) if kind == "mobile" else PRICE)
        if selling is not None and price > selling:
            raise _refusal(Reason.PRICE)
        order = SupplierOrder(
            supplier=self.code,
            order_id=self.book.next_number(),
            reference=reference,
            kind=kind,
            sku=sku,
            quantity=quantity,
            unit_price=price,
            charged=price * quantity,
            created_at=time.time(),
            account=account,
            callback_url=self.callback_url,
        )
        if not self.buy(order):
            raise _refusal(Reason.BALANCE)
        accepted = self._order(order) | {"order_state": "untreated"}
        await self.promise(order, turn)
        return accepted

    def _order_info(self, content: Mapping[str, Any]) -> dict[str, Any]:
        orders = self.find(str(content.get("customer_order_no", "")))
        if not orders:
            raise Refused(3009, "订单不存在")
        order = orders[-1]
        secret = self.secrets["app_secret"]
        cards = [
            {"card_number": "", "card_pwd": crypto.ecb_seal(secret, code), "card_deadline": "2099-12-31 23:59:59"}
            for code in order.codes
        ]
        return self._order(order) | {"cards": cards or None}

    def _order(self, order: SupplierOrder) -> dict[str, Any]:
        account = order.account
        state = STATES.get(order.state)
        if state is None:
            state = "processing" if time.time() > (order.created_at + order.due_at) / 2 else "untreated"
        return {
            "order_id": _long_number(order),
            "product_id": whole_number(order.sku) or 0,
            "product_name": f"沙箱商品 {order.sku}",
            "charge_account": account.get("charge_account") or account.get("charge_phone"),
            "customer_order_no": order.reference,
            "create_time": china_time(order.created_at),
            "buy_num": order.quantity,
            "order_price": order.unit_price,  # 交易单价: for one piece
            "order_state": state,
            "finish_time": china_time(order.finished_at) if order.finished_at else None,
            "area": account.get("charge_game_region"),
            "server": account.get("charge_game_srv"),
            "type": account.get("charge_type"),
            "order_type": ORDER_TYPES[order.kind],
            "operator_serial_number": f"sandbox{order.order_id}" if order.state is OrderState.SUCCEEDED else "",
        }

    def callback(self, order: SupplierOrder, *, forged: bool) -> Outgoing:
        """A JSON body whose `sign` covers the rest of it; answered with `success`."""
        done = order.state is OrderState.SUCCEEDED
        content = {
            "order_id": _long_number(order),
            "charge_finish_time": china_time(order.finished_at),
            "customer_order_no": order.reference,
            "order_status": STATES[order.state],
            "recharge_description": "充值成功" if done else "充值失败：账号不存在",
            "product_id": order.sku,
            "price": f"{order.unit_price:.4f}",
            "buy_num": str(order.quantity),
            "operator_serial_number": f"sandbox{order.order_id}" if done else "",
        }
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        sign = self.sign(text + "!" if forged else text)
        body = json.dumps(content | {"sign": sign}, ensure_ascii=False, separators=(",", ":"))
        return Outgoing(order.callback_url, body.encode(), {"Content-Type": "application/json; charset=utf-8"})

    def acknowledged(self, answer: Answer) -> bool:
        """The word that ends the repetitions."""
        return answer.status == 200 and answer.body.strip() == b"success"

    # --- account and goods -------------------------------------------------------------------------------------------

    def _user_info(self, content: Mapping[str, Any]) -> dict[str, Any]:
        return {"name": f"沙箱商户 {self.code}", "balance": self.balance, "is_open": 1}

    def _goods_list(self, content: Mapping[str, Any]) -> list[dict[str, Any]]:
        return [self._goods(sku, price) for sku, price in self.prices.items()]

    def _goods_info(self, content: Mapping[str, Any]) -> dict[str, Any]:
        sku = str(content.get("product_id", ""))
        if not self.on_sale(sku):
            raise _refusal(Reason.PRODUCT)
        return self._goods(sku, self.prices.get(sku, PRICE))

    def _stock_check(self, content: Mapping[str, Any]) -> dict[str, Any]:
        sku = str(content.get("product_id", ""))
        return {"product_id": whole_number(sku) or 0, "stock_status": self._left(sku) if self.on_sale(sku) else "断货"}

    def _left(self, sku: str) -> str:
        left = self.stock.get(sku, LOW_STOCK)
        return "充足" if left >= LOW_STOCK else "警报" if left > 0 else "断货"

    def _goods(self, sku: str, price: Decimal) -> dict[str, Any]:
        return {
            "product_id": whole_number(sku) or sku,
            "product_name": f"沙箱商品 {sku}",
            "product_type": "直充",
            "face_value": price,
            "purchase_price": price,
            "sales_status": "上架",
            "stock_status": self._left(sku),
            "template_id": "",
            "details": "",
        }


def _amount(content: Mapping[str, Any], name: str) -> Decimal | None:
    value = content.get(name)
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount > 0 else None


def _long_number(order: SupplierOrder) -> str:
    return f"{china_time(order.created_at)[2:10].replace('-', '')}{order.order_id:014d}"
