"""Epay's words to ours: yuan in text, forms and flat JSON, one signed text for both versions.

Sources: the interface pages that epay installations publish (`/doc.html`; version 2: `/doc/pay_create.html` and its
neighbors), kancloud.cn/coolcat/coolpay/1913641 and 1913637. Installations differ; what is read here is what they share.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from urllib.parse import urlsplit

from kameng.core.money import from_fen, parse_yuan, to_fen
from payments.gateways.base import ChargeResult, GatewayStatus, PaymentResult
from payments.gateways.documents import CHINA, clip, form_fields, read_object, text_of

NAME_BYTES = 127
MAX_FIELDS = 60
MAX_TEXT = 4096
#: As long as we can keep them.
MAX_REFERENCE = 64
MAX_QR = 512
PAID = "TRADE_SUCCESS"
#: 2 is money that went back: nothing is held, and nothing can be paid. Whatever else there is, is not known.
ORDER_STATUS = {"0": GatewayStatus.PENDING, "1": GatewayStatus.CONFIRMED, "2": GatewayStatus.CLOSED}
#: There is no code for it: every refusal is -1 with words.
NO_SUCH_ORDER = ("不存在", "未找到", "not found", "not exist")
#: What a button may lead to beside a page: the wallets' own apps.
APP_SCHEMES = frozenset({"weixin", "alipays", "alipay", "mqqapi", "mqqwpa"})
WALLETS = {"alipay": "alipay", "wxpay": "wechatpay", "qqpay": "qq"}

_UNSIGNED = frozenset({"sign", "sign_type"})
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
_MEMBER = re.compile(r"(?:^|&)[A-Za-z0-9_]+=")
_NOT_IN_NAME = re.compile(r"[&=\x00-\x1f]")


def amount_text(amount: Decimal) -> str:
    """Yuan with two decimals. Raises `ValueError` for a fraction of a fen."""
    return str(from_fen(to_fen(amount)))


def name_text(subject: str) -> str:
    """What the shopper reads: at most 127 bytes, without the characters that make a signed text ambiguous."""
    return clip(_NOT_IN_NAME.sub(" ", subject).strip(), NAME_BYTES).strip() or "-"


def signed_text(fields: Mapping[str, str]) -> str:
    """What is signed: what is not empty, sorted by name, `name=value` joined by `&`, values as they are."""
    return "&".join(
        f"{name}={value}" for name, value in sorted(fields.items()) if value != "" and name not in _UNSIGNED
    )


def md5_signature(fields: Mapping[str, str], key: str) -> str:
    """Version 1: the key follows the text without anything between them."""
    return hashlib.md5((signed_text(fields) + key).encode("utf-8"), usedforsecurity=False).hexdigest()


def notice_fields(body: bytes) -> dict[str, str]:
    """Decode a notice, whether it came as a form or as a query.

    Raises `ValueError` for fields that are repeated, nameless, an array (`money[]`), too many or too long; for other
    encodings; and for a value that reads as a field, since the same signature would then stand for two sets of them.
    """
    fields = form_fields(body, most=MAX_FIELDS)
    if not all(_NAME.fullmatch(name) for name in fields):
        raise ValueError("a field whose name is no plain word")
    if any(len(value) > MAX_TEXT for value in fields.values()):
        raise ValueError("a field that is too long")
    _unambiguous(fields)
    return fields


def reply_fields(body: bytes) -> dict[str, str]:
    """The texts and whole numbers of a JSON reply, numbers as they are signed. Raises `ValueError`.

    Lists, objects and nothing are not signed and not read; fractions and booleans have no one way to be written.
    """
    fields: dict[str, str] = {}
    for name, value in read_object(body).items():
        if isinstance(value, bool | float):
            raise ValueError(f"{name} is neither a text nor a whole number")
        if isinstance(value, str | int):
            fields[name] = str(value)
    return fields


def signed_reply(fields: Mapping[str, str]) -> bytes:
    """What a reply's signature covers. Raises `ValueError` if a value reads as a field."""
    _unambiguous(fields)
    return signed_text(fields).encode("utf-8")


def _unambiguous(fields: Mapping[str, str]) -> None:
    signed = [name for name, value in fields.items() if value != "" and name not in _UNSIGNED]
    if len(_MEMBER.findall(signed_text(fields))) != len(signed):
        raise ValueError("a value that reads as a field")


def is_missing(message: str) -> bool:
    """Whether a refused query says that there is no such order."""
    return any(words in message.lower() for words in NO_SUCH_ORDER)


def place_of(kind: str, text: str) -> ChargeResult:
    """Where the shopper pays: `kind` is `qrcode`, `payurl` or `urlscheme`. Raises `ValueError`.

    The address comes from a stranger and becomes a link on our page, so only pages and wallets are let through.
    """
    if kind == "qrcode":
        if not 0 < len(text) <= MAX_QR or not text.isprintable():
            raise ValueError("a code that cannot be shown")
        return ChargeResult(qr=text)
    try:
        parts = urlsplit(text)
        scheme, host = parts.scheme.lower(), parts.hostname or ""
    except ValueError:
        raise ValueError("an address that is none") from None
    is_here = host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")
    is_page = bool(host) and (scheme == "https" or (scheme == "http" and is_here))
    if not (is_page or (kind == "urlscheme" and scheme in APP_SCHEMES)) or not text.isprintable():
        raise ValueError("an address that is neither a page over https nor a wallet")
    return ChargeResult(url=text)


def noticed_payment(fields: Mapping[str, str]) -> PaymentResult:
    """The payment that a notice says was made. Raises `ValueError`."""
    return PaymentResult(
        payment=text_of(fields, "out_trade_no"),
        status=GatewayStatus.CONFIRMED,
        reference=_reference(fields),
        amount=parse_yuan(text_of(fields, "money")),
        currency="CNY",
        merchant=text_of(fields, "pid"),
        method=text_of(fields, "type"),
        raw=fields,
    )


def queried_payment(fields: Mapping[str, str], *, merchant: str) -> PaymentResult:
    """An order as a query tells it. Raises `ValueError`.

    Some installations leave out the merchant: the question named ours, and its key.
    """
    status = ORDER_STATUS.get(text_of(fields, "status"))
    if status is None:
        raise ValueError("an unknown status")
    confirmed = status is GatewayStatus.CONFIRMED
    return PaymentResult(
        payment=text_of(fields, "out_trade_no"),
        status=status,
        reference=_reference(fields) if confirmed else fields.get("trade_no", ""),
        amount=parse_yuan(text_of(fields, "money")) if confirmed or fields.get("money") else None,
        currency="CNY",
        merchant=fields.get("pid") or merchant,
        method=text_of(fields, "type") if confirmed else fields.get("type", ""),
        paid_at=_time(fields.get("endtime", "")) if confirmed else None,
        raw=fields,
    )


def event_id(fields: Mapping[str, str]) -> str:
    """The same each time a notice is repeated, and another for another content; the time is new each time."""
    told = signed_text({name: value for name, value in fields.items() if name != "timestamp"})
    return f"{_reference(fields)}:{hashlib.sha256(told.encode('utf-8')).hexdigest()[:32]}"


def _reference(fields: Mapping[str, str]) -> str:
    reference = text_of(fields, "trade_no")
    if len(reference) > MAX_REFERENCE:
        raise ValueError("a trade_no that is too long")
    return reference


def _time(text: str) -> datetime | None:
    """A time that cannot be read does not make the money less received."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
    except ValueError:
        return None
