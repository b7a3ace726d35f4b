"""Alipay's words to ours: yuan in text, times of China's wall clock, signatures over exact text.

Sources: docs.open.alipay.com/200/106120 (signatures), opendocs.alipay.com/open/270/105902 (notices),
docs.open.alipay.com/api_1/alipay.trade.query, …/alipay.trade.refund, …/alipay.trade.fastpay.refund.query.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from json import JSONDecoder

from kameng.core.money import from_fen, parse_yuan, to_fen
from payments.gateways.base import (
    GatewayError,
    GatewayRefused,
    GatewayStatus,
    GatewayUnavailable,
    GatewayUnknown,
    PaymentResult,
    RefundResult,
    RefundStatus,
)
from payments.gateways.documents import CHINA, clip, form_fields, text_of

TRADE_STATUS = {
    "WAIT_BUYER_PAY": GatewayStatus.PENDING,
    "TRADE_SUCCESS": GatewayStatus.CONFIRMED,
    "TRADE_FINISHED": GatewayStatus.CONFIRMED,
    # By time-out, or because all of it was refunded: either way nothing is held and nothing can be paid.
    "TRADE_CLOSED": GatewayStatus.CLOSED,
}
TRADE_NOT_EXIST = "ACQ.TRADE_NOT_EXIST"
NOT_WAITING_FOR_PAYMENT = frozenset(
    {"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"}
)

#: No bill of that day: nothing was paid, or it is not written yet.
BILL_NOT_EXIST = frozenset({"isp.bill_not_exist", "isv.bill_not_exist", "BILL_NOT_EXIST"})
CODE_SUCCESS = "10000"
CODE_UNKNOWN = "20000"
CODE_CALL_LIMITED = "40005"

MAX_NOTICE_FIELDS = 100

_TIME_FORMAT = "%Y-%m-%d %H:%M:%S"
_NOT_IN_SUBJECT = re.compile(r"[/=&]")
_MEMBER = re.compile(r"(?:^|&)[A-Za-z0-9_]+=")
_SPACE = re.compile(r"[ \t\n\r]*")
_decode_value = JSONDecoder().raw_decode


@dataclass(frozen=True)
class ReplyNode:
    """The signed part of a reply as the exact text that came; `signature` is empty where Alipay gave none.

    `certificate` is the `alipay_cert_sn` whose key has signed, in certificate mode.
    """

    text: str
    signature: str
    certificate: str = ""


def amount_text(amount: Decimal) -> str:
    """Yuan with two decimals. Raises `ValueError` for a fraction of a fen."""
    return str(from_fen(to_fen(amount)))


def time_text(moment: datetime) -> str:
    """A moment of China's wall clock as Alipay writes it."""
    return moment.strftime(_TIME_FORMAT)


def subject_text(subject: str) -> str:
    """What the shopper reads in the wallet: without the characters that Alipay forbids, at most 256 bytes."""
    return clip(_NOT_IN_SUBJECT.sub(" ", subject).strip(), 256)


def canonical_text(parameters: Mapping[str, str]) -> str:
    """What is signed: sorted `key=value` joined by `&`, values as they are, not URL-encoded."""
    return "&".join([f"{name}={value}" for name, value in sorted(parameters.items())])


def reply_node(body: bytes, method: str) -> ReplyNode:
    """Find the node that answers `method` (or `error_response`) and its exact text. Raises `ValueError`.

    The signature covers the node's text, not its meaning, so it is cut out by a JSON reader that knows what a string
    is: a brace in a value does not end the node. A reply in which a name occurs twice is refused.
    """
    text = body.decode("utf-8")
    values: dict[str, tuple[object, str]] = {}
    try:
        position = _expect(text, 0, "{")
        while True:
            name, position = _decode_value(text, _skip_space(text, position))
            if not isinstance(name, str) or name in values:
                raise ValueError("a name that is no text, or twice the same")
            start = _skip_space(text, _expect(text, position, ":"))
            value, position = _decode_value(text, start)
            values[name] = value, text[start:position]
            position = _skip_space(text, position)
            if text[position : position + 1] != ",":
                break
            position += 1
        position = _skip_space(text, _expect(text, position, "}"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if position != len(text):
        raise ValueError("text after the reply")
    node = values.get(method.replace(".", "_") + "_response") or values.get("error_response")
    signature, certificate = (values.get(name, ("", ""))[0] for name in ("sign", "alipay_cert_sn"))
    told = isinstance(signature, str) and isinstance(certificate, str)
    if node is None or not isinstance(node[0], dict) or not told:
        raise ValueError(f"no answer to {method}")
    return ReplyNode(node[1], str(signature), str(certificate))


def is_unknown(code: object, sub_code: str) -> bool:
    """Whether an error leaves open what happened: Alipay's own systems failed, not our request."""
    if sub_code in BILL_NOT_EXIST:
        return False
    return code == CODE_UNKNOWN or sub_code.startswith(("aop.", "isp.")) or "SYSTEM_ERROR" in sub_code


def success(
    method: str, document: dict[str, object], *, signed: bool, unsigned: type[GatewayError]
) -> dict[str, object]:
    """The node of an answer, if it is a success; `unsigned` is what an error without a signature means.

    Raises `GatewayError`.
    """
    code, sub_code = document.get("code"), str(document.get("sub_code") or "")
    meaning = str(document.get("sub_msg") or document.get("msg") or "")
    message = f"{method}: {code} {sub_code} {meaning}"
    if code == CODE_SUCCESS:
        if signed:
            return document
        raise GatewayUnknown(f"{method}: a success without a signature")
    if not isinstance(code, str) or is_unknown(code, sub_code):
        raise GatewayUnknown(message)
    if not signed:
        raise unsigned(f"{message} (not signed)")
    if code == CODE_CALL_LIMITED:
        raise GatewayUnavailable(message)
    raise GatewayRefused(sub_code or code, meaning)


def notice_fields(body: bytes) -> dict[str, str]:
    """Decode a notice's form. Raises `ValueError` for repeated or nameless fields, too many, or other encodings."""
    return form_fields(body, most=MAX_NOTICE_FIELDS)


def notice_texts(fields: Mapping[str, str]) -> list[str]:
    """The texts that a notice's signature may cover: Alipay's Java SDK keeps empty values, its PHP SDK drops them.

    Raises `ValueError` if a value holds `&name=`: then the same text, and so the same signature, also stands for
    another set of fields, in which a field such as `gmt_refund` would be hidden.
    """
    signed = {name: value for name, value in fields.items() if name not in {"sign", "sign_type"}}
    text = canonical_text(signed)
    if len(_MEMBER.findall(text)) != len(signed):
        raise ValueError("a value that reads as a field")
    if all(signed.values()):
        return [text]
    return [text, canonical_text({name: value for name, value in signed.items() if value})]


def is_refund_notice(fields: Mapping[str, str]) -> bool:
    """Whether a notice tells of a refund: those come with the status TRADE_SUCCESS too."""
    return any(fields.get(name) for name in ("gmt_refund", "refund_fee", "out_biz_no"))


def payment_result(document: Mapping[str, object], *, paid_at: str, merchant: str, app: str) -> PaymentResult:
    """Read a trade; `paid_at` names the field with its time. Raises `ValueError` if a field is missing or malformed.

    Alipay trades inside China are in CNY; a foreign one says so in `trans_currency`.
    """
    status = TRADE_STATUS.get(text_of(document, "trade_status"))
    if status is None:
        raise ValueError("an unknown trade_status")
    confirmed = status is GatewayStatus.CONFIRMED
    return PaymentResult(
        payment=text_of(document, "out_trade_no"),
        status=status,
        reference=text_of(document, "trade_no"),
        amount=_amount(document, "total_amount", required=confirmed),
        currency=_optional_text(document, "trans_currency") or "CNY",
        merchant=merchant,
        app=app,
        paid_at=_time(document, paid_at),
        raw=document,
    )


def refund_accepted(document: Mapping[str, object], *, refund: str) -> RefundResult:
    """Read the reply to a refund: `fund_change=Y` alone says that this call moved money. Raises `ValueError`.

    No amount is taken from it: `refund_fee` is the sum of all refunds of the trade, `send_back_fee` only what the
    merchant's own account gave of this one.
    """
    moved = document.get("fund_change") == "Y"
    return RefundResult(
        refund=refund,
        status=RefundStatus.SUCCEEDED if moved else RefundStatus.PENDING,
        payment=text_of(document, "out_trade_no"),
        reference=_optional_text(document, "trade_no"),
        raw=document,
    )


def refund_result(document: Mapping[str, object], *, payment: str, refund: str) -> RefundResult:
    """Read the reply to a refund query; without a refund in it, there is none yet. Raises `ValueError`."""
    if "refund_amount" not in document and "refund_status" not in document:
        return RefundResult(refund=refund, status=RefundStatus.MISSING, payment=payment, raw=document)
    succeeded = document.get("refund_status") == "REFUND_SUCCESS"
    return RefundResult(
        refund=text_of(document, "out_request_no"),
        status=RefundStatus.SUCCEEDED if succeeded else RefundStatus.PENDING,
        payment=text_of(document, "out_trade_no"),
        reference=_optional_text(document, "trade_no"),
        amount=_amount(document, "refund_amount", required=succeeded),
        raw=document,
    )


def refund_noticed(fields: Mapping[str, str]) -> RefundResult | None:
    """Which refund a notice is about; its outcome has to be asked, since the notice gives only the trade's sums."""
    if not fields.get("out_biz_no"):
        return None
    return RefundResult(
        refund=fields["out_biz_no"],
        status=RefundStatus.PENDING,
        payment=text_of(fields, "out_trade_no"),
        reference=text_of(fields, "trade_no"),
        raw=fields,
    )


def _expect(text: str, position: int, character: str) -> int:
    position = _skip_space(text, position)
    if text[position : position + 1] != character:
        raise ValueError(f"{character} expected at {position}")
    return position + 1


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position


def _amount(document: Mapping[str, object], name: str, *, required: bool) -> Decimal | None:
    if document.get(name) is None and not required:
        return None
    return parse_yuan(text_of(document, name))


def _optional_text(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _time(document: Mapping[str, object], name: str) -> datetime | None:
    """A time that cannot be read does not make the money less received."""
    try:
        return datetime.strptime(_optional_text(document, name), _TIME_FORMAT).replace(tzinfo=CHINA)
    except ValueError:
        return None
