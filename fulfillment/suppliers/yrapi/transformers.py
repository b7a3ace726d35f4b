"""Our words to the family's and back.

Parameters and replies: https://www.kancloud.cn/boyanyun/boyanyun_huafei (3097250 recharge, 3097251 user, 3097253
product, 3097254 check, 3097255 callback). Nearly every refusal is `errno` 1, so that only its sentence tells which one
it is; the sentences are those of the software's published copies and differ a little from one installation to another.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from fulfillment.suppliers.base import Attempt, Outcome, OutcomeKind, SupplierProduct
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, identifier, name, sku_as_sent, whole
from fulfillment.suppliers.yrapi.states import State, StateMap

#: Where the number to charge is; the first that was asked for counts.
CHARGED = ("phone", "account", "uid")

PLAIN = frozenset(
    {
        *("errno", "out_trade_num", "out_trade_nums", "product_id", "order_number", "price", "total_price", "state"),
        *("status", "charge_amount", "charge_face", "create_time", "finish_time", "otime"),
    }
)
WORDS = frozenset({"errmsg", "remark", "title", "product_name", "isp"})

SUCCESS = 0
#: Also told as 1; the sentence says so then.
DUPLICATE = 208

#: A doubt in a sentence outweighs the refusal in it. An order that the phone already has may be this very one.
DOUBT = re.compile("已经?存在|相同|重复|处理中|受理|超时|系统|繁忙|稍后|稍候|重试|未知|异常|频繁|成功")
TWICE = re.compile("相同(商户)?(订单号|单号)|(订单号|单号).{0,6}(已经?存在|重复)")
REFUSALS: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (
        re.compile(
            "签名.{0,4}(错误|失败|不正确|无效)|白名单|(商户|账户).{0,6}(未开通|不可用|不存在|禁用|冻结)|未开通的商户"
        ),
        Reason.BAD_CREDENTIALS,
    ),
    (re.compile("余额不足|余额不够|额度不足|预存款不足"), Reason.NO_BALANCE),
    (re.compile("成本限制|成本.{0,6}(超|高于|大于)"), Reason.PRICE_ABOVE_LIMIT),
    (re.compile("库存不足|无库存|没有库存|缺货|断货|售罄"), Reason.OUT_OF_STOCK),
    (
        re.compile("未找到相关产品|(产品|商品).{0,8}(不存在|下架|停售|维护|暂停|没有准备好|未授权)"),
        Reason.PRODUCT_UNAVAILABLE,
    ),
    (
        re.compile(
            "(手机号|号码|账号).{0,6}(格式|不正确|有误|无效|不正常|无法充值|不支持)|空号|"
            "不支持.{0,8}(运营商|省份|地区|号码)|(运营商|省份|地区|归属地).{0,6}(不支持|不匹配|不符)"
        ),
        Reason.BAD_ACCOUNT,
    ),
    (re.compile("参数.{0,6}(错误|缺失|不正确|无效)|缺少参数|不能为空"), Reason.BAD_REQUEST),
)
ELIMINATING = frozenset({Reason.NO_BALANCE, Reason.BAD_CREDENTIALS})


class Unsendable(Exception):
    """The attempt cannot be put into the family's words; nothing was sent."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True)
class Order:
    """An order in a reply, checked against the attempt."""

    fields: Mapping[str, object]
    reference: str
    cost: Decimal | None


def order_request(attempt: Attempt) -> dict[str, str]:
    """The parameters that buy the attempt, without merchant and signature. Raises `Unsendable`.

    The supplier sku is the `product_id`. One order is one face value for one number: neither pieces nor codes.
    `price` is the most that it may cost; the other side reads 0 as no limit.
    """
    if sku_as_sent(attempt.sku) is None:
        raise Unsendable(Reason.BAD_SKU)
    if attempt.wants_codes or attempt.quantity != 1:
        raise Unsendable(Reason.WRONG_KIND)
    account = {key: value.strip() for key, value in attempt.account.items()}
    charged = next((account[key] for key in CHARGED if account.get(key)), "")
    if not charged:
        raise Unsendable(Reason.MISSING_ACCOUNT)
    fields = {
        "out_trade_num": attempt.reference,
        "product_id": attempt.sku,
        "mobile": charged,
        "notify_url": attempt.callback_url,
    }
    if attempt.max_cost is not None:
        limit = attempt.max_cost.quantize(Decimal("0.0001"), rounding=ROUND_DOWN)
        if limit <= 0:
            raise Unsendable(Reason.PRICE_ABOVE_LIMIT)
        fields["price"] = f"{limit:f}"
    return fields


def refusal(errno: int, message: str) -> Reason | None:
    """Why an order was definitely not taken; None if that cannot be said for certain."""
    if errno in {SUCCESS, DUPLICATE} or DOUBT.search(message):
        return None
    return next((reason for pattern, reason in REFUSALS if pattern.search(message)), None)


def order_of(data: object, attempt: Attempt) -> Order:
    """The order in a reply. Raises `Unclear` if it is not the attempt's."""
    if not isinstance(data, Mapping):
        raise Unclear(Reason.MISSING_FIELDS)
    reference = identifier(data, "order_number")
    number, product = data.get("mobile"), data.get("product_id")
    others = (
        name(data, "out_trade_num") != attempt.reference,
        attempt.supplier_reference not in ("", reference),
        product is not None and str(product) != attempt.sku,
        # Masked at some installations.
        isinstance(number, str) and number.isdigit() and number not in _stripped(attempt),
    )
    if any(others):
        raise Unclear(Reason.OTHER_ORDER)
    return Order(data, reference, amount(data.get("total_price")))


def _stripped(attempt: Attempt) -> set[str]:
    return {value.strip() for value in attempt.account.values()}


def only_order(listed: object, attempt: Attempt) -> Order | None:
    """The order in the list that answers a question about one number; None for an empty list. Raises `Unclear`."""
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise Unclear(Reason.MISSING_FIELDS)
    if len(listed) > 1:
        raise Unclear(Reason.OTHER_ORDER)
    return order_of(listed[0], attempt) if listed else None


def outcome_of(order: Order, states: StateMap, evidence: Evidence) -> Outcome:
    """What an order has come to. Raises `Unclear` for a number that the connection's map does not list.

    A failed order that charged a part is partial: bought again it would arrive twice.
    """
    state = states.of(order.fields)
    charged = amount(order.fields.get("charge_amount") or order.fields.get("charge_face"))
    if state is None:
        raise Unclear(Reason.UNKNOWN_STATE)
    if state in {State.FAILED, State.CANCELED} and charged:
        state = State.PARTIAL
    kind, reason = _ENDS[state]
    return Outcome(
        kind,
        supplier_reference=order.reference,
        code=reason,
        message=evidence.said(order.fields.get("remark")),
        cost=order.cost,
        evidence=evidence.text(),
    )


_ENDS: dict[State, tuple[OutcomeKind, str]] = {
    State.ACCEPTED: (OutcomeKind.ACCEPTED, ""),
    State.DELIVERED: (OutcomeKind.DELIVERED, ""),
    State.PARTIAL: (OutcomeKind.PARTIAL, ""),
    State.FAILED: (OutcomeKind.FAILED, Reason.FAILED),
    State.CANCELED: (OutcomeKind.FAILED, Reason.CANCELED),
    State.REVERSED: (OutcomeKind.REVERSED, Reason.REFUNDED),
}


def products_of(data: object) -> tuple[SupplierProduct, ...]:
    """The price list, which is sorted into categories. Raises `Unclear`."""
    return tuple(_product(row) for category in _rows(data) for row in _rows(category.get("products")))


def _rows(listed: object) -> Sequence[Mapping[str, object]]:
    if not isinstance(listed, list) or not all(isinstance(row, dict) for row in listed):
        raise Unclear(Reason.MISSING_FIELDS)
    return listed


def _product(row: Mapping[str, object]) -> SupplierProduct:
    cost = amount(row.get("price")) or None
    return SupplierProduct(
        sku=identifier(row, "id"), name=name(row, "name")[:200], cost=cost, is_available=cost is not None
    )


def number_of(fields: Mapping[str, object]) -> int:
    """The reply's `errno`, a number or its text. Raises `Unclear`."""
    errno = whole(fields.get("errno"))
    if errno is None:
        raise Unclear(Reason.MISSING_FIELDS)
    return errno
