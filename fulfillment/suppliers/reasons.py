"""Why a call ended as it did, in the same words for every supplier.

They are `Outcome.code`: stored, counted, translated elsewhere. What the supplier itself said is in the outcome's
`message` and `evidence`.
"""

from enum import StrEnum


class Reason(StrEnum):
    """The first group comes with `NOT_SENT`, the second with `REFUSED`, the third with `FAILED` or `REVERSED`, the last
    with `UNKNOWN`."""

    NO_CONNECTION = "no_connection"
    BAD_SKU = "bad_sku"
    MISSING_ACCOUNT = "missing_account"
    WRONG_KIND = "wrong_kind"
    COST_UNKNOWN = "cost_unknown"

    OUT_OF_STOCK = "out_of_stock"
    PRODUCT_UNAVAILABLE = "product_unavailable"
    PRICE_ABOVE_LIMIT = "price_above_limit"
    BAD_ACCOUNT = "bad_account"
    BAD_REQUEST = "bad_request"
    NO_BALANCE = "no_balance"
    BAD_CREDENTIALS = "bad_credentials"
    PAYMENT_FAILED = "payment_failed"
    BAD_CALLBACK_URL = "bad_callback_url"

    FAILED = "failed"
    CANCELED = "canceled"
    REFUNDED = "refunded"

    OWNER_OVERDUE = "owner_overdue"
    OWNER_EMPTY = "owner_empty"
    OWNER_ACCOUNT = "owner_account"
    OWNER_CANNOT = "owner_cannot"
    OWNER_STOPPED = "owner_stopped"

    NO_ANSWER = "no_answer"
    HTTP_STATUS = "http_status"
    UNREADABLE = "unreadable"
    MISSING_FIELDS = "missing_fields"
    BAD_SIGNATURE = "bad_signature"
    OTHER_ORDER = "other_order"
    UNKNOWN_STATE = "unknown_state"
    UNKNOWN_CODE = "unknown_code"
    DUPLICATE = "duplicate"
    WRONG_COUNT = "wrong_count"
    EMPTY_CODE = "empty_code"
    PLACEHOLDER = "placeholder"
    REPEATED_CODE = "repeated_code"
    NOT_SUPPORTED = "not_supported"
    NO_REFERENCE = "no_reference"
    TOO_LATE = "too_late"
    NO_SUCH_ORDER = "no_such_order"
    #: A worker lost so much time before sending that it did not send.
    HELD_UP = "held_up"
