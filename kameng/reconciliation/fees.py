"""The one place that knows where a payment's gateway fee is kept, and whether it is.

A bill says what the gateway kept of each payment. Where payments have a `fee` of their own, it is compared; where they
have none, or it is not known for one, bills' fees are summed and shown, and nothing is held against them.
"""

from django.core.exceptions import FieldDoesNotExist
from django.db.models import Field

from payments.models import Payment

FIELD = "fee"


def fee_column() -> str:
    """The SQL for a payment's fee in yuan; a NULL where payments keep none. The payment's table is `payment`."""
    try:
        field = Payment._meta.get_field(FIELD)
    except FieldDoesNotExist:
        return "NULL::numeric"
    return f'payment."{field.attname}"' if isinstance(field, Field) else "NULL::numeric"
