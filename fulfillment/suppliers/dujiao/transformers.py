"""Our words to dujiao-next's and back.

Field names and codes: https://github.com/dujiao-next/document, `docs/en/api/integration-open-api.md` §4–7. What that
page leaves open was read in the public code (the upstream handler's `CreateOrder` and `GetOrder`, the fulfillment
service's `CreateAuto`): a repeated number returns the order in whatever state; several codes are joined by line feeds;
`payment_failed` says "canceled" also when canceling failed; `refunded` states exist beside the listed ones.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from fulfillment.suppliers.base import Attempt, Outcome, OutcomeKind, ProductPage, SupplierProduct
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import (
    Unclear,
    amount,
    apologizes,
    checked_codes,
    identifier,
    name,
    nested,
    sku_as_sent,
    whole,
)

#: The most that one page may hold (§4).
PAGE_SIZE = 50

PLAIN = frozenset(
    {
        *("ok", "status", "error_code", "order_id", "order_no", "downstream_order_no", "amount", "currency", "type"),
        *("sku_id", "product_id", "quantity", "unit_price", "total_price", "refunded_amount", "delivered_at", "event"),
    }
)
WORDS = frozenset({"error_message", "message"})

GOING_ON = frozenset({"pending_payment", "paid", "fulfilling", "partially_delivered"})
DONE = frozenset({"delivered", "completed", "fulfilled"})
CANCELED = frozenset({"canceled", "cancelled"})
TAKEN_BACK = frozenset({"refunded", "partially_refunded"})

#: (HTTP status, error_code) that say for certain that no order was made.
REFUSALS: Mapping[tuple[int, str], Reason] = {
    (400, "bad_request"): Reason.BAD_REQUEST,
    (400, "invalid_callback_url"): Reason.BAD_CALLBACK_URL,
    (400, "sku_unavailable"): Reason.PRODUCT_UNAVAILABLE,
    (400, "product_unavailable"): Reason.PRODUCT_UNAVAILABLE,
    (402, "insufficient_balance"): Reason.NO_BALANCE,
    (409, "insufficient_stock"): Reason.OUT_OF_STOCK,
    **{
        (status, code): Reason.BAD_CREDENTIALS
        for status in (401, 403)
        for code in (
            *("missing_auth_headers", "invalid_timestamp", "timestamp_expired", "invalid_signature"),
            *("invalid_api_key", "user_disabled", "unauthorized"),
        )
    },
}
ELIMINATING = frozenset({Reason.NO_BALANCE, Reason.BAD_CREDENTIALS, Reason.BAD_CALLBACK_URL})
#: Refusals that come after the look-up of our number: to a repeated number they say that there is no such order.
AFTER_LOOK_UP = frozenset({Reason.PRODUCT_UNAVAILABLE, Reason.NO_BALANCE, Reason.OUT_OF_STOCK})
NO_MONEY = re.compile("insufficient|not enough|余额不足", re.IGNORECASE)


@dataclass(frozen=True)
class Order:
    """An order as a reply or callback tells it. `fulfillment` is there once something was delivered."""

    reference: str
    status: str
    cost: Decimal | None
    fulfillment: Mapping[str, object] | None


def order_request(attempt: Attempt) -> dict[str, object]:
    """The body that buys the attempt; `manual_form_data` is what a manually served product asks the buyer."""
    body: dict[str, object] = {
        "sku_id": sku_as_sent(attempt.sku),
        "quantity": attempt.quantity,
        "downstream_order_no": attempt.reference,
        "trace_id": attempt.reference,
    }
    account = {key: value for key, value in attempt.account.items() if value}
    if account:
        body["manual_form_data"] = account
    if attempt.callback_url:
        body["callback_url"] = attempt.callback_url
    return body


def order_of(fields: Mapping[str, object]) -> Order:
    """The order in a reply or callback. Raises `Unclear`."""
    reference = identifier(fields, "order_id")
    status = name(fields, "status").lower()
    cost = amount(fields.get("amount")) if fields.get("currency") in (None, "CNY") else None
    return Order(reference, status, cost, nested(fields, "fulfillment"))


def check_items(fields: Mapping[str, object], attempt: Attempt) -> None:
    """Refuse an order of other goods. Raises `Unclear`."""
    items = fields.get("items")
    if items is None:
        return
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Unclear(Reason.MISSING_FIELDS)
    if [(item.get("sku_id"), item.get("quantity")) for item in items] != [(sku_as_sent(attempt.sku), attempt.quantity)]:
        raise Unclear(Reason.OTHER_ORDER)


def delivered_items(order: Order, *, quantity: int | None, wants_codes: bool) -> tuple[str, ...]:
    """What was delivered: a code in each line, or one text where a person wrote it for one piece, or nothing for goods
    that arrive at an account. `quantity` is None where it is not told, in a callback. Raises `Unclear`."""
    fulfillment = order.fulfillment
    payload = fulfillment.get("payload") if fulfillment is not None else None
    if not wants_codes:
        if isinstance(payload, str) and apologizes(payload):
            raise Unclear(Reason.PLACEHOLDER)
        return ()
    if fulfillment is None or not isinstance(payload, str) or fulfillment.get("status") not in (None, "delivered"):
        raise Unclear(Reason.MISSING_FIELDS)
    lines = [line for line in payload.replace("\r", "\n").split("\n") if line.strip()]
    if not lines:
        raise Unclear(Reason.EMPTY_CODE)
    if fulfillment.get("type") == "manual" and len(lines) > 1:
        if quantity is None:
            raise Unclear(Reason.WRONG_COUNT)
        if quantity == 1:
            lines = ["\n".join(line.strip() for line in lines)]
    return checked_codes(lines, quantity=len(lines) if quantity is None else quantity)


def outcome_of(
    order: Order, *, quantity: int | None, wants_codes: bool, evidence: Evidence, listed: bool = True
) -> Outcome:
    """What an order has come to. `listed` is False for replies that tell a state and never the goods. Raises `Unclear`.

    A refund is `REVERSED` even if nothing was delivered: whether something had been is not said.
    """
    items: tuple[str, ...] = ()
    code: str = ""
    if order.status in GOING_ON or (order.status in DONE and not listed):
        kind = OutcomeKind.ACCEPTED
    elif order.status in DONE:
        items = delivered_items(order, quantity=quantity, wants_codes=wants_codes)
        kind = OutcomeKind.DELIVERED
    elif order.status in CANCELED:
        if order.fulfillment is not None:
            raise Unclear(Reason.UNKNOWN_STATE)
        kind, code = OutcomeKind.FAILED, Reason.CANCELED
    elif order.status in TAKEN_BACK:
        kind, code = OutcomeKind.REVERSED, Reason.REFUNDED
    else:
        raise Unclear(Reason.UNKNOWN_STATE)
    return Outcome(
        kind,
        items=items,
        supplier_reference=order.reference,
        code=code,
        cost=order.cost,
        evidence=evidence.text(items),
    )


def product_page(fields: Mapping[str, object], *, page: int) -> ProductPage:
    """A page of goods, a line for each sku. The list goes on while `total` is not reached. Raises `Unclear`."""
    items, total = fields.get("items"), whole(fields.get("total"))
    if not isinstance(items, list) or total is None:
        raise Unclear(Reason.MISSING_FIELDS)
    products = tuple(line for item in items for line in _lines(item))
    more = bool(items) and page * PAGE_SIZE < total
    return ProductPage(products, str(page + 1) if more else "")


def _lines(item: object) -> list[SupplierProduct]:
    skus = item.get("skus") if isinstance(item, dict) else None
    if not isinstance(item, dict) or not isinstance(skus, list) or not all(isinstance(sku, dict) for sku in skus):
        raise Unclear(Reason.MISSING_FIELDS)
    return [_line(item, sku) for sku in skus]


def _line(item: Mapping[str, object], sku: Mapping[str, object]) -> SupplierProduct:
    """A price of nothing is a missing one; a stock of -1 is without limit."""
    titles = item.get("title")
    words = titles.values() if isinstance(titles, dict) else ()
    title = next((word for word in words if isinstance(word, str) and word.strip()), "")
    stock = whole(sku.get("stock_quantity"))
    left = stock if stock is not None and stock >= 0 and sku.get("stock_status") != "unlimited" else None
    for_sale = item.get("is_active") is not False and sku.get("is_active") is not False
    return SupplierProduct(
        sku=identifier(sku, "id"),
        name=title[:200],
        cost=amount(sku.get("price_amount")) or None,
        stock=left,
        is_available=for_sale and sku.get("stock_status") != "out_of_stock" and left != 0,
    )
