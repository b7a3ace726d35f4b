"""Our words to the supply API's and back (`docs/supply-api.md`: "Orders", "States", "Refusals").

The other side is a platform like this one, so that names of account fields, amounts in yuan and codes mean the same on
both; everything else is read as carefully as a stranger's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from fulfillment.suppliers.base import Attempt, Outcome, OutcomeKind, ProductPage, SupplierProduct
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, checked_codes, identifier, name, whole

SKU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
FEN = Decimal("0.01")

PLAIN = frozenset(
    {
        *("order", "reference", "sku", "quantity", "status", "delivered", "price", "amount", "refunded", "code"),
        *("max_cost", "created_at", "retry_after", "event"),
    }
)
WORDS = frozenset({"title"})

#: (HTTP status, code) that say for certain that no order was made.
REFUSALS: Mapping[tuple[int, str], Reason] = {
    (401, "signature_missing"): Reason.BAD_CREDENTIALS,
    (401, "key_unknown"): Reason.BAD_CREDENTIALS,
    (401, "timestamp_stale"): Reason.BAD_CREDENTIALS,
    (401, "signature_wrong"): Reason.BAD_CREDENTIALS,
    (402, "balance_short"): Reason.NO_BALANCE,
    (403, "shop_closed"): Reason.PRODUCT_UNAVAILABLE,
    (404, "unknown_sku"): Reason.PRODUCT_UNAVAILABLE,
    (409, "unavailable"): Reason.OUT_OF_STOCK,
    (409, "price_above_limit"): Reason.PRICE_ABOVE_LIMIT,
    (422, "invalid"): Reason.BAD_REQUEST,
}
ELIMINATING = frozenset({Reason.NO_BALANCE, Reason.BAD_CREDENTIALS})
NO_ORDER = (404, "no_such_order")
TOO_LATE = (409, "too_late")
#: Our number stands for another order.
TAKEN = (409, "reference_taken")


@dataclass(frozen=True)
class Order:
    """An order as a reply tells it. `delivered` says how many units arrived, `codes` what they are."""

    reference: str
    status: str
    quantity: int
    delivered: int
    price: Decimal
    codes: tuple[str, ...]


def order_request(attempt: Attempt) -> dict[str, object]:
    """The body that buys the attempt. What the most is that it may cost, is rounded down to the fen."""
    body: dict[str, object] = {
        "reference": attempt.reference,
        "sku": attempt.sku,
        "quantity": attempt.quantity,
    }
    account = {key: value for key, value in attempt.account.items() if value}
    if account:
        body["account"] = account
    if attempt.max_cost is not None:
        body["max_cost"] = str(attempt.max_cost.quantize(FEN, ROUND_DOWN))
    return body


def order_of(fields: Mapping[str, object], attempt: Attempt) -> Order:
    """The order in a reply, which must be the attempt's own. Raises `Unclear`."""
    reference, status = identifier(fields, "order"), name(fields, "status")
    quantity, delivered = whole(fields.get("quantity")), whole(fields.get("delivered"))
    price, codes = amount(fields.get("price")), fields.get("codes")
    if quantity is None or delivered is None or price is None or not isinstance(codes, list):
        raise Unclear(Reason.MISSING_FIELDS)
    asked = (attempt.reference, attempt.sku, attempt.quantity)
    if (fields.get("reference"), fields.get("sku"), quantity) != asked:
        raise Unclear(Reason.OTHER_ORDER)
    if attempt.supplier_reference not in ("", reference):
        raise Unclear(Reason.OTHER_ORDER)
    if not all(isinstance(code, str) for code in codes):
        raise Unclear(Reason.MISSING_FIELDS)
    return Order(reference, status, quantity, delivered, price, tuple(codes))


def outcome_of(order: Order, attempt: Attempt, evidence: Evidence) -> Outcome:
    """What an order has come to; what arrived is what is charged. Raises `Unclear`."""
    items: tuple[str, ...] = ()
    done: int | None = None
    code: str = ""
    charged = order.quantity
    match order.status:
        case "processing":
            kind = OutcomeKind.ACCEPTED
        case "delivered":
            if order.delivered != order.quantity:
                raise Unclear(Reason.WRONG_COUNT)
            kind, items = OutcomeKind.DELIVERED, _items(order, attempt)
        case "partial":
            if not 0 < order.delivered < order.quantity:
                raise Unclear(Reason.WRONG_COUNT)
            kind, items, done = OutcomeKind.PARTIAL, _items(order, attempt), order.delivered
            charged = order.delivered
        case "failed" | "canceled":
            if order.delivered or order.codes:
                raise Unclear(Reason.UNKNOWN_STATE)
            kind, code = OutcomeKind.FAILED, Reason.FAILED if order.status == "failed" else Reason.CANCELED
        case "reversed":
            kind, code = OutcomeKind.REVERSED, Reason.REFUNDED
        case _:
            raise Unclear(Reason.UNKNOWN_STATE)
    return Outcome(
        kind,
        items=items,
        done=done,
        supplier_reference=order.reference,
        code=code,
        cost=order.price * charged,
        evidence=evidence.text(items),
    )


def _items(order: Order, attempt: Attempt) -> tuple[str, ...]:
    return checked_codes(order.codes, quantity=order.delivered) if attempt.wants_codes else ()


def product_page(fields: Mapping[str, object]) -> ProductPage:
    """A page of goods, a line for each sku. Raises `Unclear`."""
    rows, cursor = fields.get("results"), fields.get("next_cursor")
    if not isinstance(rows, list) or not isinstance(cursor, str):
        raise Unclear(Reason.MISSING_FIELDS)
    return ProductPage(tuple(_line(row) for row in rows), cursor)


def price_of(fields: Mapping[str, object], sku: str) -> Decimal | None:
    """What one piece costs; None where it is not sold. Raises `Unclear`."""
    rows = fields.get("results")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Unclear(Reason.MISSING_FIELDS)
    found = [row for row in rows if row.get("sku") == sku]
    if not found:
        return None
    price = amount(found[0].get("price"))
    if price is None or len(found) > 1 or not isinstance(found[0].get("available"), bool):
        raise Unclear(Reason.MISSING_FIELDS)
    return price or None if found[0]["available"] else None


def _line(row: object) -> SupplierProduct:
    """A price of nothing is a missing one; without a count there is no limit that they tell."""
    if not isinstance(row, dict) or not isinstance(row.get("available"), bool):
        raise Unclear(Reason.MISSING_FIELDS)
    sku, stock = name(row, "sku"), whole(row.get("stock"))
    if not SKU.fullmatch(sku):
        raise Unclear(Reason.MISSING_FIELDS)
    return SupplierProduct(
        sku=sku,
        name=name(row, "name")[:200],
        cost=amount(row.get("price")) or None,
        stock=stock,
        is_available=row["available"] and stock != 0,
    )
