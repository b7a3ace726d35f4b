"""An installation of the yrapi family (大猿人): phone credit, always asynchronous.

Sources: https://www.kancloud.cn/boyanyun/boyanyun_huafei (3097250–3097255), https://www.showdoc.com.cn/lxtc and the
clients that merchants published. Requests and callbacks are forms, signed over every field; replies are JSON without a
signature. Nearly every refusal is `errno` 1 with a sentence. The state numbers are those of the first source; others
number differently, which is why a merchant is told them (`states`).
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from kameng.sandbox import crypto
from kameng.sandbox.book import OrderState, SupplierOrder
from kameng.sandbox.post import Answer, Outgoing
from kameng.sandbox.supplier import PRICE, Call, Mode, Reason, Supplier, Turn
from kameng.sandbox.web import BadRequest, Reply, Request, json_reply

STATES = {OrderState.ACCEPTED: 0, OrderState.SUCCEEDED: 1, OrderState.FAILED: 2, OrderState.CANCELED: -1}
REFUSALS = {
    Reason.STOCK: "产品库存不足",
    Reason.PRODUCT: "未找到相关产品(产品ID不正确或已下架)",
    Reason.PRICE: "成本限制，提单不通过！",
    Reason.ACCOUNT: "手机号格式不正确",
    Reason.BALANCE: "余额不足",
    Reason.CREDENTIALS: "签名错误",
}


class Refused(Exception):
    """`errno` 1."""


class YrapiSupplier(Supplier):
    """One merchant's account at the installation."""

    protocol = "yrapi"
    delivery_ms = 200

    async def answer(self, request: Request, path: str, turn: Turn) -> tuple[Call, Reply]:
        """Everything is a POST of a form below `/yrapi.php/index/`."""
        found = re.fullmatch(r"/yrapi\.php/index/([a-z]+)", path)
        services: dict[str, Callable[[Mapping[str, str]], object]] = {
            "check": self._check,
            "user": self._user,
            "product": self._product,
        }
        name = found[1] if found else ""
        if request.method != "POST" or name not in {"recharge", *services}:
            return Call.OTHER, Reply(404, b"Not Found", "text/plain")
        call = {"recharge": Call.SUBMIT, "check": Call.QUERY}.get(name, Call.OTHER)
        try:
            form = self._verify(request)
            data = await self._recharge(form, turn) if name == "recharge" else services[name](form)
        except Refused as refused:
            return call, json_reply({"errno": 1, "errmsg": str(refused), "data": ""})
        return call, json_reply({"errno": 0, "errmsg": "提交成功" if name == "recharge" else "ok", "data": data})

    def sign(self, fields: Mapping[str, str]) -> str:
        """Sorted, joined without escapes, the key behind them."""
        text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
        return hashlib.md5(f"{text}&apikey={self.secrets['apikey']}".encode()).hexdigest().upper()

    def _verify(self, request: Request) -> dict[str, str]:
        try:
            form = request.fields()
        except BadRequest as error:
            raise Refused("参数错误或请求方式错误，请使用http-post表单") from error
        claimed = form.pop("sign", "")
        if not claimed or "userid" not in form:
            raise Refused("参数错误或请求方式错误，请使用http-post表单")
        if form["userid"] != self.secrets["userid"]:
            raise Refused("未开通的商户ID,请联系客服开通")
        if not crypto.same(self.sign(form), claimed):
            raise Refused("签名错误")
        return form

    # --- orders ------------------------------------------------------------------------------------------------------

    async def _recharge(self, form: Mapping[str, str], turn: Turn) -> dict[str, Any]:
        reference, sku, number = (form.get(key, "").strip() for key in ("out_trade_num", "product_id", "mobile"))
        if not (0 < len(reference) <= 50 and form.get("notify_url")):
            raise Refused("参数错误")
        if not 0 < len(number) <= 50:
            raise Refused(REFUSALS[Reason.ACCOUNT])
        if turn.mode is Mode.REJECT:
            raise Refused(REFUSALS[self.behavior.reason])
        await self.think(turn)
        if self.find(reference):
            raise Refused("已经存在相同商户订单号的订单")
        if not self.on_sale(sku):
            raise Refused(REFUSALS[Reason.PRODUCT])
        price, most = self.prices.get(sku, PRICE), _amount(form.get("price", ""))
        if most and price > most:
            raise Refused(REFUSALS[Reason.PRICE])
        order = SupplierOrder(
            supplier=self.code,
            order_id=self.book.next_number(),
            reference=reference,
            kind="mobile",
            sku=sku,
            quantity=1,
            unit_price=price,
            charged=price,
            created_at=time.time(),
            account={"mobile": number},
            callback_url=form["notify_url"],
        )
        if not self.buy(order):
            raise Refused(REFUSALS[Reason.BALANCE])
        await self.promise(order, turn)
        return {
            "id": order.order_id,
            "order_number": _number(order),
            "mobile": number,
            "product_id": sku,
            "total_price": f"{price:.4f}",
            "create_time": int(order.created_at),
            "guishu": "浙江杭州",
            "title": f"沙箱商品 {sku}",
            "out_trade_num": reference,
        }

    def _check(self, form: Mapping[str, str]) -> list[dict[str, Any]]:
        asked = [number for number in form.get("out_trade_nums", "").split(",") if number]
        return [self._order(order) for number in asked for order in self.find(number)]

    def _order(self, order: SupplierOrder) -> dict[str, Any]:
        return {
            "id": order.order_id,
            "order_number": _number(order),
            "status": 4 if order.state is OrderState.SUCCEEDED else 3,
            "out_trade_num": order.reference,
            "create_time": int(order.created_at),
            "mobile": order.account["mobile"],
            "product_id": order.sku,
            "charge_amount": "0.00",
            "charge_kami": "",
            "isp": "移动",
            "product_name": f"沙箱商品 {order.sku}",
            "finish_time": int(order.finished_at),
            "remark": _remark(order),
            "state": STATES[order.state],
            "voucher": "",
        }

    def callback(self, order: SupplierOrder, *, forged: bool) -> Outgoing:
        """A form whose `sign` covers the rest of it; answered with `success`."""
        fields = {
            "userid": self.secrets["userid"],
            "order_number": _number(order),
            "out_trade_num": order.reference,
            "otime": str(int(order.finished_at)),
            "state": str(STATES[order.state]),
            "mobile": order.account["mobile"],
            "remark": _remark(order),
            "charge_amount": "0.00",
            "voucher": "",
            "charge_kami": "",
        }
        fields["sign"] = self.sign(fields | {"state": "9"} if forged else fields)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return Outgoing(order.callback_url, urlencode(fields).encode(), headers)

    def acknowledged(self, answer: Answer) -> bool:
        """The word that ends the repetitions."""
        return answer.status == 200 and answer.body.strip() == b"success"

    # --- account and goods -------------------------------------------------------------------------------------------

    def _user(self, form: Mapping[str, str]) -> dict[str, Any]:
        return {"id": self.secrets["userid"], "username": f"沙箱商户 {self.code}", "balance": f"{self.balance:.4f}"}

    def _product(self, form: Mapping[str, str]) -> list[dict[str, Any]]:
        products = [
            {
                "id": sku,
                "name": f"沙箱商品 {sku}",
                "desc": "",
                "api_open": "1",
                "isp": "1,2,3",
                "price": f"{price:.4f}",
                "y_price": f"{price:.4f}",
                "max_price": f"{price:.4f}",
                "type": "1",
                "cate_name": "话费快充",
                "type_name": "话费",
            }
            for sku, price in self.prices.items()
        ]
        return [{"id": 1, "cate": "话费快充", "sort": "1", "type": "1", "products": products}]


def _amount(text: str) -> Decimal | None:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount > 0 else None


def _number(order: SupplierOrder) -> str:
    return f"CZH{order.order_id:012d}"


def _remark(order: SupplierOrder) -> str:
    return {OrderState.SUCCEEDED: "充值成功", OrderState.FAILED: "充值失败：号码不存在"}.get(order.state, "")
