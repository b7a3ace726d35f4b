"""Our words to acg-faka's and back.

Field names and sentences were read in the public code (https://github.com/lizhipay/acg-faka, the controllers
`app/Controller/Shared/*.php` and the order service): there is no document. A refusal is `code` 0 with a sentence and
undoes the order it was part of, so that a sentence on the list below means that nothing was bought.
"""

import html
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal

from fulfillment.suppliers.acgfaka.signing import Fields
from fulfillment.suppliers.base import Attempt, Outcome, OutcomeKind, SupplierProduct
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, checked_codes, whole

SUCCESS = 200
PLAIN = frozenset(
    {"code", "shared_code", "num", "request_no", "tradeNo", "status", "amount", "price", "currency_code", "card_id"}
)
WORDS = frozenset({"msg", "race"})

#: `4F1A…`, `4F1A…:月卡` for one kind (race) of a product, `4F1A…:月卡:区服=国服` for one specification (sku) of it.
_WORD = r"[^\s:=\[\]&%+]"
SKU = re.compile(rf"[A-Za-z0-9]{{1,32}}(:{_WORD}{{1,30}}|:{_WORD}{{0,30}}(:{_WORD}{{1,20}}={_WORD}{{1,20}})+)?")
#: What a shop says of goods that a person will serve, unless its owner wrote something else.
SERVED_BY_HAND = "正在发货中，请耐心等待，如有疑问，请联系客服。"
PAID = 1

#: The first request with this number went through: "The request ID already exists".
TWICE = re.compile("already exists|已存在|重复", re.IGNORECASE)
#: A sentence is a refusal only if it is one of these from its first to its last character.
REFUSALS: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (re.compile("库存不足"), Reason.OUT_OF_STOCK),
    (
        re.compile("商品不存在(#[0-9])?|(当前)?商品已停售|该商品未开放对接|该商品暂未上架|抢购(还未开始|已结束)"),
        Reason.PRODUCT_UNAVAILABLE,
    ),
    (re.compile("余额不足"), Reason.NO_BALANCE),
    (re.compile("商户ID不存在|密钥错误|用户不存在|You have been banned"), Reason.BAD_CREDENTIALS),
    (
        re.compile(
            "商品代码不能为空|至少购买1个|购买数量不能低于1个|宝贝分类选择错误|请选择商品种类|请选择SKU|"
            "本商品(单次)?最[少多]购买[0-9]+个|该商品每人只能购买[0-9]+件"
        ),
        Reason.BAD_REQUEST,
    ),
)
ELIMINATING = frozenset({Reason.NO_BALANCE, Reason.BAD_CREDENTIALS})
#: Names of the protocol's own: nothing that a shopper typed may take their place.
RESERVED = frozenset(
    {
        *("app_id", "app_key", "sign", "shared_code", "sharedCode", "code", "contact", "num", "card_id", "device"),
        *("password", "race", "sku", "request_no", "pay_id", "commodity_id", "item_id", "coupon", "from"),
    }
)


def chosen(sku: str) -> tuple[str, str, dict[str, str]]:
    """A supplier sku's code, kind and specification."""
    code, _, rest = sku.partition(":")
    race, *pairs = rest.split(":")
    return code, race, dict(pair.split("=", 1) for pair in pairs)


def trade_request(attempt: Attempt) -> Fields:
    """The fields that buy the attempt. What the product's form asked goes along under its own names."""
    code, race, specification = chosen(attempt.sku)
    asked = {name: value for name, value in attempt.account.items() if value and name not in RESERVED}
    return {
        **asked,
        "shared_code": code,
        "contact": "-",
        "num": str(attempt.quantity),
        "card_id": "0",
        "device": "0",
        "password": "",
        "race": race,
        "request_no": attempt.reference,
        "sku": specification,
    }


def valuation_request(sku: str, *, quantity: int = 1) -> Fields:
    """The fields that ask what so many pieces cost together."""
    code, race, specification = chosen(sku)
    return {"code": code, "num": str(quantity), "card_id": "0", "race": race, "sku": specification}


def refusal(message: str) -> Reason | None:
    """Why an order was definitely not made; None if that cannot be said for certain."""
    said = re.sub(r"<[^>]{0,200}>", "", html.unescape(message)).strip().rstrip("。！!")
    for pattern, reason in REFUSALS:
        if pattern.fullmatch(said):
            return reason
    return None


def outcome_of(data: Mapping[str, object], attempt: Attempt, *, reference: str, evidence: Evidence) -> Outcome:
    """What a bought order came to. Raises `Unclear`, above all for a sentence in place of the codes.

    The text is what the shopper of that shop would be shown. The sentence that the software itself writes for goods
    served by hand is a promise; any other sentence may be an apology for goods that will never come.
    """
    secret = data.get("secret")
    if secret is not None and not isinstance(secret, str):
        raise Unclear(Reason.MISSING_FIELDS)
    if (secret or "").strip() == SERVED_BY_HAND:
        return Outcome(
            OutcomeKind.ACCEPTED,
            supplier_reference=reference,
            cost=amount(data.get("amount")),
            evidence=evidence.text(),
        )
    lines = [line for line in (secret or "").replace("\r", "\n").split("\n") if line.strip()]
    if not lines:
        raise Unclear(Reason.EMPTY_CODE)
    items = checked_codes(lines, quantity=attempt.quantity)
    return Outcome(
        OutcomeKind.DELIVERED,
        items=items,
        supplier_reference=reference,
        cost=amount(data.get("amount")),
        evidence=evidence.text(items),
    )


def priced(value: object) -> Decimal | None:
    """A price; None for a missing one and for 0, which is how a missing one came about
    (https://github.com/lizhipay/acg-faka/issues/842)."""
    return amount(value) or None


def products_of(data: object) -> tuple[SupplierProduct, ...]:
    """The lines of `items`: categories with their `children`; a product with kinds is a line for each kind. Raises
    `Unclear`."""
    if not isinstance(data, list):
        raise Unclear(Reason.MISSING_FIELDS)
    return tuple(
        line
        for category in data
        if isinstance(category, dict)
        for child in _list(category.get("children"))
        if isinstance(child, dict)
        for line in _lines(child)
    )


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _lines(child: Mapping[str, object]) -> Iterator[SupplierProduct]:
    code, name = child.get("code"), child.get("name")
    if not isinstance(code, str) or not isinstance(name, str) or not SKU.fullmatch(code) or ":" in code:
        return
    on_sale = child.get("status") in (None, 1, "1")
    stock = whole(child.get("stock"))
    sections = _sections(child.get("config"))
    kinds = sections.get("category")
    if not kinds:
        yield SupplierProduct(code, name, priced(child.get("factory_price")), stock, on_sale)
        return
    costs = sections.get("category_factory", {})
    for kind in kinds:
        sku = f"{code}:{kind}"
        if SKU.fullmatch(sku):
            yield SupplierProduct(sku, f"{name} {kind}", priced(costs.get(kind)), None, on_sale)


def _sections(config: object) -> dict[str, dict[str, str]]:
    """A product's configuration: an object, or text with `[section]` and `name=value` in lines."""
    if isinstance(config, dict):
        return {
            name: {str(key): str(value) for key, value in inner.items()}
            for name, inner in config.items()
            if isinstance(inner, dict)
        }
    found: dict[str, dict[str, str]] = {}
    section: dict[str, str] = {}
    for line in config.splitlines() if isinstance(config, str) else ():
        if head := re.fullmatch(r"\s*\[(\w{1,40})\]\s*", line):
            section = found.setdefault(head[1], {})
        else:
            name, is_pair, value = line.partition("=")
            if is_pair:
                section[name.strip()] = value.strip()
    return found
