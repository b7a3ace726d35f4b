"""Our words to Reloadly's and back.

Fields: https://github.com/Reloadly/reloadly-api-documentation (`openapi/`) and the recorded replies in the tests of
https://github.com/Reloadly/reloadly-sdk-java. Error codes: https://raphaelugwu.gitbook.io/airtime (Error Codes), and
for a number used before what integrators report: 400 `CUSTOM_IDENTIFIER_ALREADY_USED`. That the charged amount of a
transaction is `balanceInfo.cost` is newer than the recordings (changelog of 22 March 2022).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from fulfillment.suppliers.base import Attempt, Outcome, OutcomeKind
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, checked_codes, identifier, name, nested, whole

#: On the receipt of a gift card, which nobody is sent.
SENDER = "Kameng"

PLAIN = frozenset(
    {
        *("transactionId", "status", "customIdentifier", "errorCode", "productId", "quantity", "unitPrice", "amount"),
        *("currencyCode", "operatorId", "requestedAmount", "requestedAmountCurrencyCode", "deliveredAmount", "cost"),
        *("deliveredAmountCurrencyCode", "discount", "fee", "transactionDate", "transactionCreatedTime", "countryCode"),
        *("totalElements", "error", "operatorTransactionId"),
    }
)
WORDS = frozenset({"message", "operatorName", "productName"})

GOING_ON = frozenset({"PENDING", "PROCESSING"})
DONE = "SUCCESSFUL"
FAILED, REFUNDED = "FAILED", "REFUNDED"

#: Said where a token is missing, wrong or too old, before anything is done.
TOKEN_REFUSED = frozenset({"INVALID_TOKEN", "TOKEN_EXPIRED"})
DUPLICATE = "CUSTOM_IDENTIFIER_ALREADY_USED"
#: (HTTP status, errorCode) that say for certain that nothing was bought.
REFUSALS: Mapping[tuple[int, str], Reason] = {
    **{(401, code): Reason.BAD_CREDENTIALS for code in TOKEN_REFUSED},
    **{
        (400, code): reason
        for reason, codes in {
            Reason.NO_BALANCE: (
                *("INSUFFICIENT_BALANCE", "MAX_DAILY_TRANSACTION_AMOUNT_REACHED"),
                "MAX_DAILY_TRANSACTION_COUNT_REACHED",
            ),
            Reason.BAD_CREDENTIALS: ("ACCOUNT_NOT_FOUND", "INACTIVE_ACCOUNT"),
            Reason.PRODUCT_UNAVAILABLE: (
                *("COUNTRY_NOT_SUPPORTED", "OPERATOR_NOT_IN_SERVICE", "OPERATOR_UNAVAILABLE_OR_CURRENTLY_INACTIVE"),
                *("INVALID_AMOUNT", "INVALID_AMOUNT_FOR_OPERATOR"),
            ),
            Reason.BAD_ACCOUNT: ("INVALID_RECIPIENT_PHONE", "INVALID_PHONE_NUMBER"),
            Reason.BAD_REQUEST: ("INVALID_INPUT_PROVIDED", "INVALID_SENDER_PHONE", "PHONE_RECENTLY_RECHARGED"),
        }.items()
        for code in codes
    },
}
#: The same where gift cards are refused with 400, a sentence and no code. What is sold out is no longer listed, and the
#: first one is all that they say of it (https://github.com/ubiquity/pay.ubq.fi/pull/277).
SENTENCES: tuple[tuple[re.Pattern[str], Reason], ...] = (
    (
        re.compile(r"The product was either not found or is no longer available\b.{0,40}", re.IGNORECASE),
        Reason.OUT_OF_STOCK,
    ),
    (
        re.compile(r"Invalid price[.,] please ensure you selected the right price\.?", re.IGNORECASE),
        Reason.PRODUCT_UNAVAILABLE,
    ),
)
ELIMINATING = frozenset({Reason.NO_BALANCE, Reason.BAD_CREDENTIALS})

_AMOUNT = r"(?P<amount>(?!0+(?:\.0*)?$)[0-9]{1,7}(?:\.[0-9]{1,4})?)"
TOPUP = re.compile(rf"(?P<country>[A-Z]{{2}}):(?P<number>[1-9][0-9]{{0,9}}):{_AMOUNT}", re.ASCII)
GIFT_CARD = re.compile(rf"(?P<number>[1-9][0-9]{{0,9}}):{_AMOUNT}", re.ASCII)
PHONE = re.compile(r"\+?[0-9]{5,15}", re.ASCII)


class Service(StrEnum):
    """Reloadly's services that we use: each has a host, and tokens of its own."""

    TOPUPS = "topups"
    GIFT_CARDS = "giftcards"


@dataclass(frozen=True)
class Goods:
    """What a sku names: an operator and an amount in the account's currency, or a product and a face value."""

    service: Service
    number: int
    face: Decimal
    country: str = ""


@dataclass(frozen=True)
class Transaction:
    """A line of a report, checked against the attempt."""

    fields: Mapping[str, object]
    reference: str
    status: str
    cost: Decimal | None


class Unsendable(Exception):
    """The attempt cannot be put into Reloadly's words; nothing was sent."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


def goods_of(sku: str) -> Goods | None:
    """`HT:173:15` is 15 of the account's currency at operator 173 in Haiti, `5:25` product 5 with a face value of 25;
    None for what is neither."""
    topup, card = TOPUP.fullmatch(sku), GIFT_CARD.fullmatch(sku)
    if topup:
        return Goods(Service.TOPUPS, int(topup["number"]), Decimal(topup["amount"]), topup["country"])
    return Goods(Service.GIFT_CARDS, int(card["number"]), Decimal(card["amount"])) if card else None


def plain(value: Decimal) -> str:
    """An amount as it stands in a sku: without zeros at its end."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def phone_of(account: Mapping[str, str]) -> str:
    """The number to charge, without what people put between digits; empty if there is none."""
    typed = account.get("phone") or account.get("account") or ""
    digits = re.sub(r"[\s().-]", "", typed)
    return digits if PHONE.fullmatch(digits) else ""


def purchase(attempt: Attempt) -> tuple[Service, str, dict[str, object]]:
    """Service, path and body that buy the attempt. Raises `Unsendable`.

    A top-up is one amount for one phone: amounts cannot be added up, since an operator's are plans of their own.
    """
    goods = goods_of(attempt.sku)
    if goods is None:
        raise Unsendable(Reason.BAD_SKU)
    if attempt.wants_codes != (goods.service is Service.GIFT_CARDS):
        raise Unsendable(Reason.WRONG_KIND)
    if goods.service is Service.GIFT_CARDS:
        card: dict[str, object] = {
            "productId": goods.number,
            "quantity": attempt.quantity,
            "unitPrice": _number(goods.face),
            "customIdentifier": attempt.reference,
            "senderName": SENDER,
        }
        if player := attempt.account.get("uid", "").strip():
            card["productAdditionalRequirements"] = {"userId": player}
        return goods.service, "/orders", card
    if attempt.quantity != 1:
        raise Unsendable(Reason.WRONG_KIND)
    phone = phone_of(attempt.account)
    if not phone:
        raise Unsendable(Reason.MISSING_ACCOUNT)
    topup: dict[str, object] = {
        "operatorId": goods.number,
        "amount": _number(goods.face),
        "useLocalAmount": False,
        "customIdentifier": attempt.reference,
        "recipientPhone": {"countryCode": goods.country, "number": phone},
    }
    return goods.service, "/topups-async", topup


def _number(value: Decimal) -> int | float:
    """As JSON has it: up to seven digits and four behind the point pass unchanged."""
    return int(value) if value == value.to_integral_value() else float(value)


def refusal(status: int, fields: Mapping[str, object]) -> Reason | None:
    """Why nothing was bought, for certain; None if that cannot be said."""
    code, said = fields.get("errorCode"), fields.get("message")
    if isinstance(code, str) and code:
        return REFUSALS.get((status, code))
    if code is None and status == 400 and isinstance(said, str):
        return next((reason for pattern, reason in SENTENCES if pattern.fullmatch(said.strip())), None)
    return None


def found_in(page: Mapping[str, object], attempt: Attempt, *, currency: str) -> Transaction | None:
    """The attempt's transaction in a report that was asked for its number alone; None if there is none.

    Raises `Unclear` where there are others, or two: then the filter did not filter, or their check for a number used
    before let two at the same time pass.
    """
    rows = page.get("content")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unclear(Reason.MISSING_FIELDS)
    if not rows:
        if whole(page.get("totalElements", 0)) != 0:
            raise Unclear(Reason.MISSING_FIELDS)
        return None
    if any(row.get("customIdentifier") != attempt.reference for row in rows):
        raise Unclear(Reason.OTHER_ORDER)
    if len(rows) > 1:
        raise Unclear(Reason.DUPLICATE)
    return transaction_of(rows[0], attempt, currency=currency)


def transaction_of(row: Mapping[str, object], attempt: Attempt, *, currency: str) -> Transaction:
    """A transaction, if it is the attempt's. Raises `Unclear`."""
    reference = identifier(row, "transactionId")
    if name(row, "customIdentifier") != attempt.reference or attempt.supplier_reference not in ("", reference):
        raise Unclear(Reason.OTHER_ORDER)
    goods = goods_of(attempt.sku)
    if goods is not None and goods.service is Service.GIFT_CARDS:
        product = nested(row, "product") or {}
        if (whole(product.get("productId")), whole(product.get("quantity"))) != (goods.number, attempt.quantity):
            raise Unclear(Reason.OTHER_ORDER)
    return Transaction(row, reference, name(row, "status").upper(), _cost(row, currency))


def _cost(row: Mapping[str, object], currency: str) -> Decimal | None:
    """What the account paid, in its currency; None where it is not told, or in another one."""
    balance = row.get("balanceInfo")
    if isinstance(balance, dict) and balance.get("currencyCode") == currency:
        paid = amount(balance.get("cost"))
        if paid:
            return paid
    if "requestedAmount" in row:
        asked, less, more = (amount(row.get(key) or 0) for key in ("requestedAmount", "discount", "fee"))
        currencies = {row.get("requestedAmountCurrencyCode"), row.get("discountCurrencyCode") or currency}
        if asked is None or less is None or more is None or currencies != {currency}:
            return None
        return (asked - less + more) or None if asked >= less else None
    return amount(row.get("amount")) or None if row.get("currencyCode") == currency else None


def cards(items: Sequence[Mapping[str, object]], *, quantity: int) -> tuple[str, ...]:
    """The codes of gift cards, each with its PIN behind it where there is one. Raises `Unclear`."""
    if not items:
        raise Unclear(Reason.WRONG_COUNT)
    return checked_codes([_card(item) for item in items], quantity=quantity)


def _card(item: Mapping[str, object]) -> str:
    parts = []
    for key in ("cardNumber", "pinCode"):
        value = item.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | str)):
            raise Unclear(Reason.MISSING_FIELDS)
        parts.append("" if value is None else str(value).strip())
    number, pin = parts
    if not number and not pin:
        raise Unclear(Reason.EMPTY_CODE)
    return number if pin in {"", number} else f"{number} {pin}".strip()


def outcome_of(transaction: Transaction, *, items: tuple[str, ...], evidence: Evidence) -> Outcome:
    """What a transaction has come to; `items` are the cards of one that succeeded. Raises `Unclear`.

    Money given back is a failure unless the operator had confirmed the charge before. A PIN is no charge of a phone: it
    would have to be handed over, and a person must do that.
    """
    row = transaction.fields
    code: str = ""
    if transaction.status in GOING_ON:
        kind = OutcomeKind.ACCEPTED
    elif transaction.status == DONE:
        if row.get("pinDetail"):
            raise Unclear(Reason.UNKNOWN_STATE)
        kind = OutcomeKind.DELIVERED
    elif transaction.status == REFUNDED:
        was_there = bool(row.get("operatorTransactionId") or row.get("pinDetail"))
        kind, code = OutcomeKind.REVERSED if was_there else OutcomeKind.FAILED, Reason.REFUNDED
    elif transaction.status == FAILED and not row.get("pinDetail"):
        kind, code = OutcomeKind.FAILED, Reason.FAILED
    else:
        raise Unclear(Reason.UNKNOWN_STATE)
    return Outcome(
        kind,
        items=items,
        supplier_reference=transaction.reference,
        code=code,
        cost=transaction.cost if kind in {OutcomeKind.ACCEPTED, OutcomeKind.DELIVERED} else None,
        evidence=evidence.text(items),
    )
