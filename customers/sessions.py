"""Who is signed in to a shop as a customer: a key of its own in the session, beside whatever staff have there.

Sessions lie in the shop's schema, so that one opens nothing in another shop.
"""

from django.http import HttpRequest
from django.middleware.csrf import rotate_token

from customers.accounts import customer_known
from customers.models import Customer

_KEY = "customer"


def sign_in(request: HttpRequest, customer: Customer) -> None:
    """This browser is the customer's from now on, under a session that nobody else can know."""
    request.session.cycle_key()
    request.session[_KEY] = [customer.pk, customer.session_version]
    request._customer = customer  # type: ignore[attr-defined]
    rotate_token(request)


def sign_out(request: HttpRequest) -> None:
    """It is nobody's. Staff who are signed in beside the customer stay so."""
    request.session.pop(_KEY, None)
    request._customer = None  # type: ignore[attr-defined]
    if request.session.is_empty():
        request.session.flush()
    else:
        request.session.cycle_key()


def customer_of(request: HttpRequest) -> Customer | None:
    """Who is signed in, as the row is at the first question of a request."""
    if not hasattr(request, "_customer"):
        request._customer = _asked(request)  # type: ignore[attr-defined]
    found: Customer | None = getattr(request, "_customer", None)
    return found


def _asked(request: HttpRequest) -> Customer | None:
    session = getattr(request, "session", None)
    known = session.get(_KEY) if session is not None else None
    if not known:
        return None
    customer = customer_known(known[0])
    return customer if customer is not None and customer.session_version == known[1] else None
