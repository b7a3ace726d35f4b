"""What Reloadly's lists say of operators, of gift cards, and of themselves."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from kameng.sandbox.book import utc_time

#: The operator that nobody asked for.
ELSEWHERE = 999


def page_of(rows: list[dict[str, Any]], query: Mapping[str, list[str]]) -> dict[str, Any]:
    """A part of a list, counted from 1 in the question and from 0 in the answer."""
    size, page = (
        int(value) if (value := query.get(name, [""])[0]).isdecimal() and int(value) > 0 else default
        for name, default in (("size", 200), ("page", 1))
    )
    part = rows[(page - 1) * size : page * size]
    pages = -(-len(rows) // size)
    return {
        "content": part,
        "totalPages": pages,
        "totalElements": len(rows),
        "last": page >= pages,
        "first": page == 1,
        "numberOfElements": len(part),
        "size": size,
        "number": page - 1,
        "empty": not part,
    }


def operator(country: str, number: int, faces: Mapping[Decimal, Decimal]) -> dict[str, Any]:
    """Its discount, or else its fee, is that of its first amount: a real one has one for all."""
    face, price = next(iter(faces.items()), (Decimal(1), Decimal(1)))
    return {
        "id": number,
        "operatorId": number,
        "name": operator_name(country, number),
        "bundle": False,
        "data": False,
        "pin": False,
        "supportsLocalAmounts": False,
        "denominationType": "FIXED",
        "senderCurrencyCode": "USD",
        "internationalDiscount": float(max(100 - 100 * price / face, Decimal(0))),
        "localDiscount": 0.0,
        "fees": {"international": float(max(price - face, Decimal(0))), "internationalPercentage": 0.0},
        "minAmount": None,
        "maxAmount": None,
        "country": {"isoName": country, "name": country},
        "fixedAmounts": [float(each) for each in faces],
        "suggestedAmounts": [],
        "status": "ACTIVE",
    }


def operator_name(country: str, number: int) -> str:
    """As reports and lists call it."""
    return f"Elsewhere {country}" if number == ELSEWHERE else f"Sandbox {country} {number}"


def product(number: int, faces: Mapping[Decimal, Decimal]) -> dict[str, Any]:
    """A card in euros, which costs what the price list says in dollars."""
    return {
        "productId": number,
        "productName": f"Sandbox card {number}",
        "global": True,
        "status": "ACTIVE",
        "senderFee": 0.0,
        "senderFeePercentage": 0.0,
        "discountPercentage": 0.0,
        "denominationType": "FIXED",
        "recipientCurrencyCode": "EUR",
        "minRecipientDenomination": None,
        "maxRecipientDenomination": None,
        "senderCurrencyCode": "USD",
        "fixedRecipientDenominations": [float(face) for face in faces],
        "fixedSenderDenominations": [float(price) for price in faces.values()],
        "fixedRecipientToSenderDenominationsMap": {f"{face:.2f}": float(price) for face, price in faces.items()},
        "country": {"isoName": "DE", "name": "Germany"},
    }


def moment(seconds: float) -> str:
    """`2026-11-09 04:30:00`, in UTC."""
    return utc_time(seconds).replace("T", " ").removesuffix("Z")
