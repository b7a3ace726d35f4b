"""Who may look at an order: the device that placed it, the bearer of its token, whoever proves the contact, or whose
account it belongs to.

The token is derived from the order's number with a key of ours, so it needs no column, and repeating a request returns
it again. The contact is the one typed when ordering: the last four digits of the phone number, or the whole e-mail
address.
"""

import secrets
from typing import TypeVar

from django.core import signing
from django.db import connection
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import constant_time_compare

from customers.contacts import contact_clean
from customers.sessions import customer_of
from kameng.core.encryption import digest
from orders.models import Order

DEVICE_COOKIE = "kameng_device"
DEVICE_SECONDS = 180 * 24 * 3600
GRANT_COOKIE = "kameng_grants"
GRANT_SECONDS = 3600
GRANTS_KEPT = 20

_Response = TypeVar("_Response", bound=HttpResponseBase)


def order_token(order: Order) -> str:
    """The bearer token of a guest's order."""
    return digest(f"{connection.schema_name}/{order.number}", purpose="order-token")[:43]  # type: ignore[attr-defined]


def token_matches(order: Order, token: str) -> bool:
    """Whether the token is this order's, in constant time."""
    return constant_time_compare(order_token(order), token)


def contact_matches(order: Order, proof: str) -> bool:
    """Whether `proof` is the phone's last four digits (or the whole number), or the whole e-mail address.

    Nothing proves an order whose contact was forgotten.
    """
    proof = proof.strip().lower()
    contact = "" if order.forgotten_at is not None else order.contact.lower()
    if "@" in contact:
        return constant_time_compare(contact, proof)
    is_proven = constant_time_compare(contact[-4:], proof) or constant_time_compare(contact, proof)
    return bool(contact) and is_proven


def contact_is(order: Order, text: str) -> bool:
    """Whether `text` is the whole contact: what shows on a screenshot of an order is not enough."""
    try:
        whole = contact_clean(text)
    except ValueError:
        return False
    return order.forgotten_at is None and constant_time_compare(order.contact, whole)


def device_of(request: HttpRequest) -> str:
    """The device's cookie, or an empty string."""
    return request.COOKIES.get(DEVICE_COOKIE, "")[:64]


def device_digest(device: str) -> str:
    """What an order remembers of the device that placed it."""
    return digest(device, purpose="device") if device else ""


def device_remember(response: _Response, request: HttpRequest, device: str) -> _Response:
    """Give the browser its cookie."""
    response.set_cookie(
        DEVICE_COOKIE, device, max_age=DEVICE_SECONDS, httponly=True, samesite="Lax", secure=request.is_secure()
    )
    return response


def device_new() -> str:
    """A device nobody else has."""
    return secrets.token_urlsafe(24)


def _salt() -> str:
    return f"grants/{connection.schema_name}"  # type: ignore[attr-defined]


def _grants(request: HttpRequest) -> list[str]:
    try:
        granted = signing.loads(request.COOKIES.get(GRANT_COOKIE, ""), salt=_salt(), max_age=GRANT_SECONDS)
    except signing.BadSignature:
        return []
    return [str(number) for number in granted]


def grant(response: _Response, request: HttpRequest, order: Order) -> _Response:
    """Let this browser see the order for an hour: its contact was proven."""
    numbers = [order.number, *(number for number in _grants(request) if number != order.number)][:GRANTS_KEPT]
    response.set_cookie(
        GRANT_COOKIE,
        signing.dumps(numbers, salt=_salt()),
        max_age=GRANT_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=request.is_secure(),
    )
    return response


def may_see(request: HttpRequest, order: Order) -> bool:
    """Whether this browser placed the order, proved its contact, or is signed in to its account; nobody's once that was
    forgotten."""
    if order.forgotten_at is not None:
        return False
    return is_own_device(request, order) or order.number in _grants(request) or is_own_account(request, order)


def is_own_device(request: HttpRequest, order: Order) -> bool:
    """Whether this browser placed the order."""
    device = device_of(request)
    return bool(device and order.device_digest) and constant_time_compare(order.device_digest, device_digest(device))


def is_own_account(request: HttpRequest, order: Order) -> bool:
    """Whether this browser is signed in to the account that the order belongs to."""
    if order.customer_id is None:
        return False
    customer = customer_of(request)
    return customer is not None and customer.pk == order.customer_id


def has_proven(request: HttpRequest, order: Order) -> bool:
    """Whether the contact was proven in this browser within the hour; codes need that, even on the buyer's device."""
    return order.number in _grants(request)
