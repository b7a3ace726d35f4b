"""A link by which somebody sets a new password who has forgotten theirs: given by staff who have checked who asks.

It is of one shop, opens one account, once, for an hour.
"""

from django.core import signing
from django.db import connection

from customers.accounts import customer_known
from customers.models import Customer

HOURS = 1


def link_token(customer: Customer) -> str:
    """What the link carries; worth nothing any more once the password or the sessions have changed."""
    return signing.dumps([customer.pk, customer.session_version], salt=_salt())


def customer_by_link(token: str) -> Customer | None:
    """Whom it lets set a password; nobody where it is old, was used, or is another shop's."""
    try:
        customer_id, version = signing.loads(token, salt=_salt(), max_age=HOURS * 3600)
    except (signing.BadSignature, ValueError):
        return None
    customer = customer_known(customer_id)
    return customer if customer is not None and customer.session_version == version else None


def _salt() -> str:
    return f"customer-link/{connection.schema_name}"  # type: ignore[attr-defined]
