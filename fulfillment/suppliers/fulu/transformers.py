"""Our words to Fulu's and back.

Requests, replies and callbacks as documented on https://open.fulu.com and copied into its public SDKs:
https://github.com/javareact/fulu-openapi, https://github.com/t2krew/fulu-gosdk. The table of error codes is not public.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from fulfillment.suppliers.base import Attempt, Outcome, OutcomeKind, SupplierProduct
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.fulu.signing import decrypted
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, checked_codes, identifier, name, sku_as_sent, whole

PHONE_SKU = re.compile(r"mobile:([1-9][0-9]{0,3})")

#: Where the answers of the shopper's account form go; the first of a tuple that was asked for is the one charged.
CHARGED = ("account", "uid", "phone", "email")
FIELDS = {
    "zone": "charge_game_region",
    "server": "charge_game_srv",
    "role": "charge_game_role",
    "game": "charge_game_name",
    "type": "charge_type",
    "qq": "contact_qq",
}
#: Fields of Fulu's own that an account may carry as they are.
PASSED = frozenset({*FIELDS.values(), "charge_account", "charge_ip", "contact_tel"})

PLAIN = frozenset(
    {
        *("method", "customer_order_no", "order_id", "product_id", "buy_num", "charge_value", "customer_price"),
        *("order_price", "order_state", "order_type", "create_time", "finish_time", "order_status", "price"),
    }
)
WORDS = frozenset({"code", "message", "product_name", "recharge_description"})

#: `sales_status` of what can be ordered, and `stock_status` of what is sold out; the third word between is a low stock.
ON_SALE, SOLD_OUT = "上架", "断货"

SUCCESS = 0
#: "外部订单号已存在": the first request with this number went through, or another customer's number collides with it.
DUPLICATE = 3000
#: Codes on which the public Go SDK goes on to another product (`LoopCodeList`): the order was not taken.
NEXT_PRODUCT = frozenset({3001, 3002, 3003, 3004, 3005, 3008})

#: A doubt in a sentence outweighs the refusal in it.
DOUBT = re.compile("已存在|重复|处理中|受理|超时|系统|繁忙|稍后|稍候|未知|异常|频繁|成功")
TWICE = re.compile("已存在|重复")
NO_ORDER = re.compile(
    "(订单|单号).{0,6}(不存在|没有找到|未找到|查不到)|(未查询到|查无|没有查到|未找到|找不到).{0,6}订单"
)
REFUSALS: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (re.compile("(商品|产品).{0,6}(不存在|已?下架|停售|不可售|维护|暂停|未上架|未授权)"), Reason.PRODUCT_UNAVAILABLE),
    (re.compile("余额不足|余额不够|授信额度不足|预存款不足"), Reason.NO_BALANCE),
    (
        re.compile(
            "签名.{0,4}(错误|失败|不正确|无效|不匹配)|app_?key.{0,6}(错误|不存在|无效)|IP.{0,6}白名单|未授权|无权限",
            re.I,
        ),
        Reason.BAD_CREDENTIALS,
    ),
    (re.compile("(商户|合作商).{0,4}(不存在|禁用|冻结|停用|未开通)"), Reason.BAD_CREDENTIALS),
    (re.compile("库存不足|无库存|没有库存|缺货|断货|售罄"), Reason.OUT_OF_STOCK),
    (
        re.compile("(销售价|售价|价格|进价|进货价|供货价|成本).{0,8}(低于|高于|小于|大于|变动|不符)|亏本|亏损"),
        Reason.PRICE_ABOVE_LIMIT,
    ),
    (
        re.compile("(账号|帐号|号码|手机号|区服|充值账户).{0,6}(错误|有误|不存在|不正确|无效|格式|不支持|不符合)"),
        Reason.BAD_ACCOUNT,
    ),
    (
        re.compile("参数.{0,8}(错误|有误|缺失|不正确|不合法|无效)|缺少参数|不能为空|必填|[a-z]_?[a-z]+(无效|格式错误)"),
        Reason.BAD_REQUEST,
    ),
)
ELIMINATING = frozenset({Reason.NO_BALANCE, Reason.BAD_CREDENTIALS})


class Unsendable(Exception):
    """The attempt cannot be put into Fulu's words; nothing was sent."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True)
class Order:
    """The part of a reply's `result` that is an order, checked against the attempt."""

    fields: Mapping[str, object]
    reference: str
    state: str
    cost: Decimal | None


def order_request(attempt: Attempt) -> tuple[str, dict[str, object]]:
    """Method and `biz_content` that buy the attempt. Raises `Unsendable`.

    The supplier sku chooses the method: `mobile:50` is phone credit of 50 yuan (`fulu.order.mobile.add`, which knows
    face values and no products); any other is a product: `fulu.order.card.add` where codes are wanted, otherwise
    `fulu.order.direct.add`. `customer_price` is the most that a unit may cost us; Fulu refuses a price above it.
    """
    biz: dict[str, object] = {"customer_order_no": attempt.reference}
    account = {key: value.strip() for key, value in attempt.account.items() if value.strip()}
    phone_credit = PHONE_SKU.fullmatch(attempt.sku)
    if phone_credit:
        if attempt.wants_codes:
            raise Unsendable(Reason.WRONG_KIND)
        phone = account.get("phone") or account.get("account") or account.get("charge_phone")
        if not phone:
            raise Unsendable(Reason.MISSING_ACCOUNT)
        biz |= {"charge_phone": phone, "charge_value": int(phone_credit[1]) * attempt.quantity}
        return "fulu.order.mobile.add", biz | _limit(attempt, units=1)
    product = sku_as_sent(attempt.sku)
    if product is None:
        raise Unsendable(Reason.BAD_SKU)
    biz |= {"product_id": product, "buy_num": attempt.quantity} | _limit(attempt, units=attempt.quantity)
    if attempt.wants_codes:
        return "fulu.order.card.add", biz
    charged = next((key for key in ("charge_account", *CHARGED) if key in account), None)
    if charged is None:
        raise Unsendable(Reason.MISSING_ACCOUNT)
    biz["charge_account"] = account[charged]
    if charged != "phone" and "phone" in account:
        biz["contact_tel"] = account["phone"]
    biz |= {FIELDS[key]: value for key, value in account.items() if key in FIELDS}
    biz |= {key: value for key, value in account.items() if key in PASSED}
    return "fulu.order.direct.add", biz


def _limit(attempt: Attempt, *, units: int) -> dict[str, object]:
    if attempt.max_cost is None:
        return {}
    return {"customer_price": float((attempt.max_cost / units).quantize(Decimal("0.0001"), rounding=ROUND_DOWN))}


def refusal(code: int, message: str) -> Reason | None:
    """Why an order was definitely not taken; None if that cannot be said for certain."""
    if code in {SUCCESS, DUPLICATE} or DOUBT.search(message):
        return None
    for pattern, reason in REFUSALS:
        if pattern.search(message):
            return reason
    return Reason.PRODUCT_UNAVAILABLE if code in NEXT_PRODUCT else None


def order_of(result: Mapping[str, object], attempt: Attempt) -> Order:
    """The order in a result; `order_price` is for one piece. Raises `Unclear` if it is not the attempt's."""
    reference = identifier(result, "order_id")
    if name(result, "customer_order_no") != attempt.reference:
        raise Unclear(Reason.OTHER_ORDER)
    bought = whole(result.get("buy_num"))
    if not PHONE_SKU.fullmatch(attempt.sku):
        product, wanted = whole(result.get("product_id")), sku_as_sent(attempt.sku)
        other = isinstance(wanted, int) and product is not None and product != wanted
        if other or (bought is not None and bought != attempt.quantity):
            raise Unclear(Reason.OTHER_ORDER)
    price = amount(result.get("order_price"))
    cost = price * (bought or 1) if price is not None else None
    state = result.get("order_state")
    return Order(result, reference, state if isinstance(state, str) else "", cost)


def outcome_of(order: Order, attempt: Attempt, *, secret: str, evidence: Evidence) -> Outcome:
    """What a queried order has come to; only `success` and `failed` are final. Raises `Unclear`."""
    items: tuple[str, ...] = ()
    if order.state in {"untreated", "processing"}:
        kind, code = OutcomeKind.ACCEPTED, ""
    elif order.state == "success":
        kind, code = OutcomeKind.DELIVERED, ""
        if attempt.wants_codes:
            items = cards(order.fields.get("cards"), quantity=attempt.quantity, secret=secret)
    elif order.state == "failed":
        if order.fields.get("cards"):
            raise Unclear(Reason.UNKNOWN_STATE)
        kind, code = OutcomeKind.FAILED, Reason.FAILED
    else:
        raise Unclear(Reason.UNKNOWN_STATE)
    return Outcome(
        kind,
        items=items,
        supplier_reference=order.reference,
        code=code,
        message=evidence.said(order.fields.get("recharge_description")),
        cost=order.cost,
        evidence=evidence.text(items),
    )


def cards(sealed: object, *, quantity: int, secret: str) -> tuple[str, ...]:
    """The cards in clear: the password, with the number before it where there is one. Raises `Unclear`."""
    if not isinstance(sealed, list) or not all(isinstance(card, dict) for card in sealed):
        raise Unclear(Reason.MISSING_FIELDS)
    return checked_codes([_card(card, secret) for card in sealed], quantity=quantity)


def _card(card: Mapping[str, object], secret: str) -> str:
    parts = []
    for key in ("card_number", "card_pwd"):
        value = card.get(key)
        if value is not None and not isinstance(value, str):
            raise Unclear(Reason.MISSING_FIELDS)
        parts.append(decrypted(value, secret).strip() if value else "")
    number, password = parts
    if not password:
        raise Unclear(Reason.EMPTY_CODE)
    return password if number in {"", "-", "--", password} else f"{number} {password}"


def products_of(rows: Iterable[Mapping[str, object]]) -> tuple[SupplierProduct, ...]:
    """The lines of the list of goods that an order can name. Raises `Unclear`."""
    lines = (product_of(row) for row in rows)
    return tuple(line for line in lines if line.sku != "0" and sku_as_sent(line.sku) is not None)


def product_of(row: Mapping[str, object]) -> SupplierProduct:
    """A line of the list, or a product by itself. How many are left is told in words alone; a price of nothing is a
    missing one. Raises `Unclear`."""
    title = row.get("product_name")
    return SupplierProduct(
        sku=name(row, "product_id"),
        name=title.strip()[:200] if isinstance(title, str) else "",
        cost=amount(row.get("purchase_price")) or None,
        is_available=row.get("sales_status") == ON_SALE and row.get("stock_status") != SOLD_OUT,
    )
