"""Reading what suppliers say. Whatever cannot be read for certain raises `Unclear`, which ends as `UNKNOWN`."""

import json
import re
import string
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation

from fulfillment.suppliers.reasons import Reason

MAX_CODE_LENGTH = 1000
MIN_CODE_LENGTH = 4
#: White space and the marks without width that copied texts begin and end with.
INVISIBLE = string.whitespace + "\u00a0\u3000\u200b\u200c\u200d\u2060\ufeff"
MAX_AMOUNT = Decimal(10) ** 9

#: What is written where a code should be when there is none. Found anywhere in the text, in any case.
PLACEHOLDER_WORDS = (
    *("联系客服", "联系卖家", "联系商家", "联系店家", "联系管理", "联系售后", "请联系", "客服处理", "人工"),
    *("缺货", "无货", "断货", "补货", "售罄", "售完", "卖完", "售空", "库存不足", "没有库存", "暂无", "暂时没有"),
    *("处理中", "充值中", "发货中", "取卡中", "提取中", "待发货", "未发货", "待处理", "排队", "等待", "请等"),
    *("稍后", "稍候", "稍等", "晚点", "抱歉", "对不起", "不好意思", "失败", "错误", "异常", "维护", "退款", "下架"),
    *("自动发货", "手动发货", "敬请期待", "测试卡", "示例", "占位"),
)
#: The same in English, as words of their own: a group of a code such as `AB12-NONE-CD34` is none.
APOLOGY_LATIN = re.compile(
    r"(?<![\w-])(sorry|sold[ _-]?out|out[ _-]of[ _-]stock|no[ _-]stock|contact (us|support|customer|seller|service)|"
    r"please wait|try again|pending|processing|failed|failure|error|exception|unavailable|coming soon|not available|"
    r"to be (announced|delivered|sent))(?![\w-])|"
    r"<\s*[!/]?\s*(doctype|html|head|body|title|script|div|span|p|br|center|h[1-6])\b|\{\{|\$\{",
    re.IGNORECASE,
)
FILLERS = frozenset(
    {"placeholder", "null", "none", "undefined", "nil", "nan", "todo", "test", "success", "successful", "true", "false"}
)


class Unclear(Exception):
    """A reply that proves nothing. `reason` says what was wrong with it, without quoting it."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a repeated key")
    return fields


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _check_storable(value: object) -> None:
    """Refuse text that no database and no log can keep: half of a surrogate pair, a zero character."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("a zero character")
        value.encode()
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_storable(key)
            _check_storable(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_storable(inner)


def _json(text: bytes | str) -> object:
    try:
        value = json.loads(
            text.decode() if isinstance(text, bytes) else text,
            object_pairs_hook=_unique,
            parse_float=Decimal,
            parse_constant=_no_constant,
        )
        _check_storable(value)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Unclear(Reason.UNREADABLE) from error
    return value


def json_object(text: bytes | str) -> dict[str, object]:
    """A JSON object (RFC 8259) in UTF-8 whose keys do not repeat; fractions as `Decimal`. Raises `Unclear`."""
    value = _json(text)
    if not isinstance(value, dict):
        raise Unclear(Reason.UNREADABLE)
    return value


def json_objects(text: bytes | str) -> list[dict[str, object]]:
    """A JSON array of objects, read as strictly. Raises `Unclear`."""
    value = _json(text)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Unclear(Reason.UNREADABLE)
    return value


def nested(fields: Mapping[str, object], key: str) -> dict[str, object] | None:
    """The object under `key`, None if there is none. Raises `Unclear` if something else is there."""
    value = fields.get(key)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise Unclear(Reason.MISSING_FIELDS)
    return value


def name(fields: Mapping[str, object], key: str) -> str:
    """A non-empty text or whole number, as text. Raises `Unclear`."""
    value = fields.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        raise Unclear(Reason.MISSING_FIELDS)
    return value.strip()


def identifier(fields: Mapping[str, object], key: str) -> str:
    """A supplier's own number of something, fit for a path and a column. Raises `Unclear`."""
    value = name(fields, key)
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise Unclear(Reason.MISSING_FIELDS)
    return value


def whole(value: object) -> int | None:
    """A whole number, also one written as text; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and value.isascii() and re.fullmatch(r"-?\d{1,18}", value):
        return int(value)
    return None


def sku_as_sent(sku: str) -> int | str | None:
    """A supplier's sku as its JSON wants it: a number where it is one, otherwise text; None for what cannot be one."""
    if re.fullmatch(r"[1-9][0-9]{0,17}", sku):
        return int(sku)
    return sku if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", sku) else None


def amount(value: object) -> Decimal | None:
    """A price in yuan, at least zero; None for anything that is not one. A missing price is never zero."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        return None
    if isinstance(value, str) and not (value.isascii() and re.fullmatch(r"\d{1,12}(\.\d{1,8})?", value)):
        return None
    try:
        price = Decimal(value)
    except InvalidOperation:
        return None
    return price if price.is_finite() and 0 <= price < MAX_AMOUNT else None


def apologizes(text: str) -> bool:
    """Whether the text says that something was not delivered, or is a bit of a page."""
    plain = unicodedata.normalize("NFKC", text)
    return any(word in plain for word in PLACEHOLDER_WORDS) or APOLOGY_LATIN.search(plain) is not None


def is_placeholder(text: str) -> bool:
    """Whether the text stands where a code should be without being one: an apology, a filler, a mask."""
    plain = unicodedata.normalize("NFKC", text).strip()
    characters = [char for char in plain.casefold() if char.isalnum()]
    return (
        apologizes(plain) or len(plain) < MIN_CODE_LENGTH or len(set(characters)) < 2 or "".join(characters) in FILLERS
    )


def checked_codes(codes: Sequence[str], *, quantity: int) -> tuple[str, ...]:
    """The codes if they are as many as bought, each one real and none twice. Raises `Unclear`."""
    cleaned = tuple(code.strip(INVISIBLE) for code in codes)
    if not all(cleaned):
        raise Unclear(Reason.EMPTY_CODE)
    if not all(char.isprintable() or char == "\n" for code in cleaned for char in code):
        raise Unclear(Reason.UNREADABLE)
    if len(cleaned) != quantity or any(len(code) > MAX_CODE_LENGTH for code in cleaned):
        raise Unclear(Reason.WRONG_COUNT)
    if any(is_placeholder(code) for code in cleaned):
        raise Unclear(Reason.PLACEHOLDER)
    if len(set(cleaned)) != len(cleaned):
        raise Unclear(Reason.REPEATED_CODE)
    return cleaned
