"""How many orders one contact or one address may leave unpaid."""

import math

from django.conf import settings

from kameng.core import sql
from orders.exceptions import TooManyUnpaid
from orders.turns import in_turn

_UNPAID = sql.InEachShop(
    """
SELECT count(*) FILTER (WHERE contact_digest = %(contact)s), count(*) FILTER (WHERE address_digest = %(address)s),
       min(expires_at - statement_timestamp())
  FROM orders_order
 WHERE status = 'pending' AND expires_at > statement_timestamp()
   AND (contact_digest = %(contact)s OR (address_digest = %(address)s AND %(address)s <> ''))
""",
    by=["web"],
)
#: So many is no limit, and nobody has to wait for it.
_NO_LIMIT = 1_000_000


def limit_unpaid(contact_digest: str, address_digest: str) -> None:
    """Raises `TooManyUnpaid`. Whoever orders next with the same contact, or from the same address, counts after this
    one has committed."""
    limits = (
        ("contact", contact_digest, settings.UNPAID_ORDERS_PER_CONTACT),
        ("address", address_digest, settings.UNPAID_ORDERS_PER_ADDRESS),
    )
    in_turn(f"unpaid/{kind}/{key}" for kind, key, limit in limits if key and limit < _NO_LIMIT)
    of_contact, of_address, next_end = sql.rows(_UNPAID, {"contact": contact_digest, "address": address_digest})[0]
    if of_contact >= settings.UNPAID_ORDERS_PER_CONTACT or (
        address_digest and of_address >= settings.UNPAID_ORDERS_PER_ADDRESS
    ):
        raise TooManyUnpaid(extra={"retry_after": max(1, math.ceil(next_end.total_seconds()))})
