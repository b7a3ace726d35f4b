"""What Reloadly sells and what it costs us: gift cards by face value, airtime by operator and amount.

A gift card costs its price in the account's currency, and fee and discount, which are per card: percentages of that
price and a flat fee. Airtime costs its amount in the account's currency, less the operator's discount, plus fees.
Source: `openapi/components/schemas/giftcards/get_all_products`, `…/airtime/get_all_operators` and the recordings of
the Java SDK. Costs are rounded up to four digits: one that is told too low would be sold at a loss.
"""

from collections.abc import Iterable, Mapping
from decimal import ROUND_UP, Decimal

from fulfillment.suppliers.base import ProductPage, SupplierProduct
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.reloadly.transformers import Goods, Service, plain
from fulfillment.suppliers.replies import Unclear, amount, whole

#: A page with its instructions for redeeming stays far below the megabyte that a reply may have.
PAGE_SIZE = 100
PATHS = {
    Service.GIFT_CARDS: "/products?",
    Service.TOPUPS: "/operators?includeBundles=true&includeData=true&suggestedAmounts=true&",
}
#: What is listed of goods that are sold in any amount within a range, beside its ends.
ROUND_AMOUNTS = tuple(
    Decimal(each) for each in (1, 2, 3, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 250, 300, 500, 1000)
)
PIECE = Decimal("0.0001")

Fields = Mapping[str, object]


def path(service: Service, *, page: int) -> str:
    """Where a page of a service's list is; the first is 1."""
    return f"{PATHS[service]}size={PAGE_SIZE}&page={page}"


def product_page(fields: Fields, *, service: Service, page: int, currency: str) -> ProductPage:
    """A page of the list, a line for each amount; behind the last gift card come the operators. Raises `Unclear`."""
    rows, is_last = fields.get("content"), fields.get("last")
    if not isinstance(rows, list) or not isinstance(is_last, bool) or not all(isinstance(row, dict) for row in rows):
        raise Unclear(Reason.MISSING_FIELDS)
    lines = tuple(line for row in rows for line in _lines(row, service, currency))
    if rows and not is_last:
        return ProductPage(lines, f"{service}:{page + 1}")
    return ProductPage(lines, f"{Service.TOPUPS}:1" if service is Service.GIFT_CARDS else "")


def price(fields: Fields, goods: Goods, *, currency: str) -> Decimal | None:
    """What one piece costs, as its product or operator tells it; None where this amount is not sold, or in another
    currency than the account's."""
    is_topup = goods.service is Service.TOPUPS
    number = _operator(fields) if is_topup else whole(fields.get("productId"))
    if number != goods.number or not _is_sold(fields) or not _has(fields, goods):
        return None
    if is_topup and _country(fields) != goods.country:
        return None
    return _cost(fields, goods.face, goods.service, currency)


def is_another_network(wanted: Fields, found: Fields, *, number: int) -> bool:
    """Whether a phone of one operator certainly cannot be charged by the other: data, bundles and PINs are sold under
    operators of their own, which may be the same network's."""
    if _operator(wanted) != number or any(wanted.get(key) is not False for key in ("bundle", "data", "pin")):
        return False
    ours, theirs = (str(each.get("name") or "").strip().casefold() for each in (wanted, found))
    return bool(ours and theirs) and not ours.startswith(theirs) and not theirs.startswith(ours)


def _lines(row: Fields, service: Service, currency: str) -> Iterable[SupplierProduct]:
    number = _operator(row) if service is Service.TOPUPS else whole(row.get("productId"))
    country = _country(row)
    if number is None or (service is Service.TOPUPS and not country):
        raise Unclear(Reason.MISSING_FIELDS)
    title = row.get("name" if service is Service.TOPUPS else "productName")
    unit = currency if service is Service.TOPUPS else row.get("recipientCurrencyCode")
    prefix = f"{country}:" if service is Service.TOPUPS else ""
    for face in sorted(_faces(row, service)):
        text = plain(face)
        words = (title, text, unit)
        yield SupplierProduct(
            sku=f"{prefix}{number}:{text}",
            name=" ".join(word for word in words if isinstance(word, str))[:200],
            cost=_cost(row, face, service, currency),
            is_available=_is_sold(row),
        )


def _is_sold(row: Fields) -> bool:
    """A PIN is handed over instead of charging the phone, which nobody here would do."""
    return row.get("status") in (None, "ACTIVE") and row.get("pin") is not True


def _has(row: Fields, goods: Goods) -> bool:
    """Whether the amount is one of those that are sold."""
    if row.get("denominationType") != "RANGE":
        return goods.face in _faces(row, goods.service)
    low, high = _ends(row, goods.service)
    return low is not None and high is not None and low <= goods.face <= high


def _faces(row: Fields, service: Service) -> set[Decimal]:
    """The amounts to list: those that there are, or the round ones of a range."""
    if row.get("denominationType") != "RANGE":
        return _amounts(row.get("fixedAmounts" if service is Service.TOPUPS else "fixedRecipientDenominations"))
    low, high = _ends(row, service)
    if low is None or high is None:
        return set()
    suggested = _amounts(row.get("suggestedAmounts"))
    return {each for each in (*ROUND_AMOUNTS, *suggested, low, high) if low <= each <= high}


def _ends(row: Fields, service: Service) -> tuple[Decimal | None, Decimal | None]:
    names = ("minAmount", "maxAmount")
    if service is Service.GIFT_CARDS:
        names = ("minRecipientDenomination", "maxRecipientDenomination")
    low, high = (amount(row.get(name)) for name in names)
    return low or None, high or None


def _amounts(listed: object) -> set[Decimal]:
    found = (amount(each) for each in listed) if isinstance(listed, list) else ()
    # As skus can say them: up to four digits behind the point.
    return {each for each in found if each and each == each.quantize(PIECE)}


def _cost(row: Fields, face: Decimal, service: Service, currency: str) -> Decimal | None:
    """None where any part of it cannot be read: a missing price is never zero."""
    if row.get("senderCurrencyCode") != currency:
        return None
    if service is Service.TOPUPS:
        fees = _object(row, "fees")
        base, less = face, row.get("internationalDiscount")
        flat, more = fees.get("international"), fees.get("internationalPercentage")
    else:
        converted = _converted(row, face, currency)
        if converted is None:
            return None
        base, less = converted, row.get("discountPercentage")
        flat, more = row.get("senderFee"), row.get("senderFeePercentage")
    discount, fee, percentage = (amount(each if each is not None else 0) for each in (less, flat, more))
    if discount is None or fee is None or percentage is None:
        return None
    cost = base * (100 - discount + percentage) / 100 + fee
    return cost.quantize(PIECE, rounding=ROUND_UP) if cost > 0 else None


def _converted(row: Fields, face: Decimal, currency: str) -> Decimal | None:
    """A face value in the account's currency: as it is told for this one, otherwise by their rate."""
    table = row.get("fixedRecipientToSenderDenominationsMap")
    # The document shows a list of objects where the recordings have one object.
    for part in table if isinstance(table, list) else [table]:
        for key, value in part.items() if isinstance(part, dict) else ():
            if amount(key) == face:
                return amount(value) or None
    if row.get("recipientCurrencyCode") == currency:
        return face
    rate = amount(row.get("recipientCurrencyToSenderCurrencyExchangeRate"))
    return face * rate if rate else None


def _object(row: Fields, key: str) -> Fields:
    value = row.get(key)
    return value if isinstance(value, dict) else {}


def _operator(row: Fields) -> int | None:
    return whole(row.get("operatorId", row.get("id")))


def _country(row: Fields) -> str:
    country = row.get("country")
    code = country.get("isoName") if isinstance(country, dict) else None
    return code if isinstance(code, str) and len(code) == 2 and code.isascii() and code.isupper() else ""
