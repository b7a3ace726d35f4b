"""Our words to DT One's and back.

Field names, error codes and status classes: the reference of the Digital Value Services API, version 1.14
(https://dvs-api-doc.dtone.com), read in the description that https://github.com/josnidhin/go-openapi-codegen-examples
generates its client from.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from fulfillment.suppliers.base import Attempt, Outcome, OutcomeKind, SupplierProduct
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, checked_codes, identifier, name, nested, whole

#: `ProductID` is a 32-bit integer.
SKU = re.compile(r"[1-9][0-9]{0,9}")
#: E.164, as their pattern has it.
NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
CALLING_CODE = re.compile(r"[1-9][0-9]{0,2}")
#: What people write between the digits of a telephone number.
_SPACING = re.compile(r"[\s().-]")

#: The answers of the shopper's form that hold an account other than a telephone number, and what tells it from others.
ACCOUNTS = ("account", "uid")
QUALIFIERS = ("server", "zone")

#: `error_code` is what `shown` calls the number of an error: a code that was bought is called `code` too.
PLAIN = frozenset(
    {
        *("external_id", "product_id", "auto_confirm", "id", "unit", "amount", "fee", "error_code", "transactions"),
        *("creation_date", "confirmation_date", "confirmation_expiration_date"),
    }
)
WORDS = frozenset({"message"})

#: Classes of states, on which their reference says to build. CREATED, CONFIRMED, SUBMITTED: not over yet.
GOING_ON = frozenset({1, 2, 5})
CANCELLED = 4
#: REJECTED by the platform, DECLINED by the operator: over, nothing was delivered, the money is back.
UNSUCCESSFUL = frozenset({3, 9})
COMPLETED = 7
REVERSED = 8

#: (HTTP status, error code) that say for certain that no transaction was created.
REFUSALS: Mapping[tuple[int, int], Reason] = {
    (400, 1000400): Reason.BAD_REQUEST,
    (401, 1000401): Reason.BAD_CREDENTIALS,
    (404, 1003001): Reason.PRODUCT_UNAVAILABLE,
    (400, 1003002): Reason.BAD_REQUEST,
    (400, 1003003): Reason.BAD_REQUEST,
    (400, 1005003): Reason.BAD_ACCOUNT,
    (400, 1005503): Reason.BAD_REQUEST,
    (400, 1006001): Reason.NO_BALANCE,
    (400, 1006003): Reason.BAD_REQUEST,
    (400, 1006503): Reason.BAD_ACCOUNT,
}
ELIMINATING = frozenset({Reason.NO_BALANCE, Reason.BAD_CREDENTIALS})
#: Our number was used before: the first request went through.
USED_BEFORE = (400, 1007001)
NO_TRANSACTION = (404, 1008004)
#: Confirmed, canceled before, or too far to be canceled.
TOO_LATE = frozenset({(400, 1007002), (400, 1007005), (400, 1007007)})
NO_PRODUCT = frozenset({(404, 1003001), (404, 1000404)})
#: A number that is none, and one that nobody serves.
NO_NUMBER = frozenset({(400, 1005003), (404, 1005006)})

FIXED = frozenset({"FIXED_VALUE_RECHARGE", "FIXED_VALUE_PIN_PURCHASE"})


class Unsendable(Exception):
    """The attempt cannot be put into DT One's words; nothing was sent."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True)
class Transaction:
    """A transaction as a reply tells it. `state` is the id of the class of its status, `said` its words."""

    reference: str
    state: int | None
    said: str
    cost: Decimal | None
    pin: Mapping[str, object] | None


def mobile_number(written: str, calling_code: str) -> str | None:
    """A telephone number in E.164, None for what is not certainly one.

    What begins with `+` or `00` names its country. A bare number belongs to the connection's country; without one, it
    could be anybody's, and money sent to it would be gone.
    """
    digits = _SPACING.sub("", written)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    elif not digits.startswith("+"):
        if not calling_code or digits.startswith("0"):
            return None
        digits = f"+{calling_code}{digits}"
    return digits if NUMBER.fullmatch(digits) else None


def credit_party(account: Mapping[str, str], *, calling_code: str) -> dict[str, str]:
    """Who receives: a telephone number, an account, or both; empty if there is neither."""
    given = {key: value.strip() for key, value in account.items() if value.strip()}
    party: dict[str, str] = {}
    number = mobile_number(given.get("phone", ""), calling_code)
    if number is not None:
        party["mobile_number"] = number
    charged = next((given[key] for key in ACCOUNTS if key in given), "")
    if charged and len(charged) <= 64:
        party["account_number"] = charged
        qualifier = next((given[key] for key in QUALIFIERS if key in given), "")
        if qualifier:
            party["account_qualifier"] = qualifier
    return party


def order_request(attempt: Attempt, *, calling_code: str) -> dict[str, object]:
    """The body that creates and confirms a transaction. Raises `Unsendable`.

    A transaction is one piece: there is no quantity. Goods for an account need one; a voucher may do without.
    """
    if not SKU.fullmatch(attempt.sku):
        raise Unsendable(Reason.BAD_SKU)
    if attempt.quantity != 1:
        raise Unsendable(Reason.WRONG_KIND)
    party = credit_party(attempt.account, calling_code=calling_code)
    if not party and not attempt.wants_codes:
        raise Unsendable(Reason.MISSING_ACCOUNT)
    body: dict[str, object] = {
        "external_id": attempt.reference,
        "product_id": int(attempt.sku),
        "auto_confirm": True,
    }
    if party:
        body["credit_party_identifier"] = party
    if attempt.callback_url:
        body["callback_url"] = attempt.callback_url
    return body


def shown(fields: Mapping[str, object]) -> dict[str, object]:
    """A reply for the evidence: the number of an error under a name that no bought code has."""
    errors = fields.get("errors")
    if not isinstance(errors, list):
        return dict(fields)
    renamed = [
        {"error_code": error.get("code"), "message": error.get("message")} if isinstance(error, dict) else None
        for error in errors
    ]
    return {**fields, "errors": renamed}


def error_of(fields: Mapping[str, object]) -> tuple[int | None, str]:
    """Code and message of the only error in a reply; no code where there are several, or none that can be read."""
    errors = fields.get("errors")
    if not isinstance(errors, list) or len(errors) != 1 or not isinstance(errors[0], dict):
        return None, ""
    said = errors[0].get("message")
    return whole(errors[0].get("code")), said if isinstance(said, str) else ""


def transaction_of(fields: Mapping[str, object], *, reference: str, sku: str, known: str, currency: str) -> Transaction:
    """The transaction in a reply. Raises `Unclear` if it is not the attempt's: `known` is their number once told."""
    number = identifier(fields, "id")
    if name(fields, "external_id") != reference or known not in ("", number):
        raise Unclear(Reason.OTHER_ORDER)
    product = nested(fields, "product")
    if product is not None and product.get("id") is not None and identifier(product, "id") != sku:
        raise Unclear(Reason.OTHER_ORDER)
    state, said = state_of(fields)
    prices = nested(fields, "prices")
    wholesale = nested(prices, "wholesale") if prices is not None else None
    cost = cost_of(wholesale, currency=currency) if wholesale is not None else None
    return Transaction(number, state, said, cost, nested(fields, "pin"))


def state_of(fields: Mapping[str, object]) -> tuple[int | None, str]:
    """The class of a transaction's status, None where it cannot be read, and its words in lower case."""
    status = nested(fields, "status")
    kind = nested(status, "class") if status is not None else None
    said = status.get("message") if status is not None else None
    state = kind.get("id") if kind is not None else None
    known = state if isinstance(state, int) and not isinstance(state, bool) else None
    return known, said.replace("-", " ").lower() if isinstance(said, str) else ""


def cost_of(wholesale: Mapping[str, object], *, currency: str) -> Decimal | None:
    """What is taken from our balance: wholesale amount and fee. None in another currency, or where there is none.

    A ranged product has a range for an amount, and no price of its own.
    """
    price, fee = amount(wholesale.get("amount")), amount(wholesale.get("fee", 0))
    if wholesale.get("unit") != currency or not price or fee is None:
        return None
    return price + fee


def outcome_of(found: Transaction, *, wants_codes: bool, evidence: Evidence) -> Outcome:
    """What a transaction has come to, by the class of its status alone. Raises `Unclear`."""
    items: tuple[str, ...] = ()
    code: str = ""
    if found.state in GOING_ON:
        kind = OutcomeKind.ACCEPTED
    elif found.state == COMPLETED:
        items = _items(found.pin, wants_codes=wants_codes)
        kind = OutcomeKind.DELIVERED
    elif found.state in UNSUCCESSFUL or found.state == CANCELLED:
        if found.pin is not None:
            raise Unclear(Reason.UNKNOWN_STATE)
        kind, code = OutcomeKind.FAILED, Reason.CANCELED if found.state == CANCELLED else Reason.FAILED
    elif found.state == REVERSED:
        kind, code = OutcomeKind.REVERSED, Reason.REFUNDED
    else:
        raise Unclear(Reason.UNKNOWN_STATE)
    return Outcome(
        kind,
        items=items,
        supplier_reference=found.reference,
        code=code,
        message=evidence.said(found.said),
        cost=found.cost,
        evidence=evidence.text(items),
    )


def _items(pin: Mapping[str, object] | None, *, wants_codes: bool) -> tuple[str, ...]:
    """The code with its serial number before it, where there is one. Raises `Unclear`.

    A PIN for goods that should have arrived at an account has not arrived there: somebody must enter it.
    """
    if not wants_codes:
        if pin is not None:
            raise Unclear(Reason.UNKNOWN_STATE)
        return ()
    if pin is None:
        raise Unclear(Reason.EMPTY_CODE)
    code, serial = pin.get("code"), pin.get("serial")
    if code is None:
        raise Unclear(Reason.EMPTY_CODE)
    if not isinstance(code, str) or not isinstance(serial, str | None):
        raise Unclear(Reason.MISSING_FIELDS)
    (checked,) = checked_codes([code], quantity=1)
    number = serial.strip() if serial is not None else ""
    return checked_codes([checked if number in ("", checked) else f"{number} {checked}"], quantity=1)


def balance_of(rows: Iterable[Mapping[str, object]], *, currency: str) -> Decimal | None:
    """What can be spent in the connection's currency; None unless exactly one balance is in it."""
    found = [row for row in rows if row.get("unit_type") == "CURRENCY" and row.get("unit") == currency]
    return amount(found[0].get("available")) if len(found) == 1 else None


def product_of(fields: Mapping[str, object], *, currency: str) -> SupplierProduct:
    """A line of the price list; only products of a fixed value can be bought here. Raises `Unclear`."""
    title = fields.get("name")
    prices = nested(fields, "prices")
    wholesale = nested(prices, "wholesale") if prices is not None else None
    cost = cost_of(wholesale, currency=currency) if wholesale is not None else None
    return SupplierProduct(
        sku=identifier(fields, "id"),
        name=title[:200] if isinstance(title, str) else "",
        cost=cost if fields.get("type") in FIXED else None,
        is_available=fields.get("type") in FIXED,
    )


def operator_of(product: Mapping[str, object]) -> str | None:
    """The number of the operator that serves a product. Raises `Unclear`."""
    operator = nested(product, "operator")
    return identifier(operator, "id") if operator is not None else None
