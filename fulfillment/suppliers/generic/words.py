"""The words that a configuration may use."""

from enum import StrEnum

from fulfillment.suppliers.reasons import Reason


class Encoding(StrEnum):
    """How parameters travel."""

    JSON = "json"
    FORM = "form"
    QUERY = "query"


class Method(StrEnum):
    """Of a request."""

    GET = "GET"
    POST = "POST"


class Unit(StrEnum):
    """What an amount counts: the connection's currency, or hundredths of it."""

    YUAN = "yuan"
    FEN = "fen"


class Stamp(StrEnum):
    """How `{timestamp}` is written; the last two as clocks in China show it."""

    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    CHINA = "yyyy-MM-dd HH:mm:ss"
    COMPACT = "yyyyMMddHHmmss"


class CostOf(StrEnum):
    """What a cost is the cost of."""

    ORDER = "order"
    PIECE = "piece"


class State(StrEnum):
    """What a state of theirs can mean; a state that is not listed is unknown."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELED = "canceled"
    PARTIAL = "partial"
    REFUNDED = "refunded"


class Refused(StrEnum):
    """Why an order was not taken."""

    OUT_OF_STOCK = Reason.OUT_OF_STOCK
    PRODUCT_UNAVAILABLE = Reason.PRODUCT_UNAVAILABLE
    PRICE_ABOVE_LIMIT = Reason.PRICE_ABOVE_LIMIT
    BAD_ACCOUNT = Reason.BAD_ACCOUNT
    BAD_REQUEST = Reason.BAD_REQUEST
    NO_BALANCE = Reason.NO_BALANCE
    BAD_CREDENTIALS = Reason.BAD_CREDENTIALS
    PAYMENT_FAILED = Reason.PAYMENT_FAILED
    BAD_CALLBACK_URL = Reason.BAD_CALLBACK_URL
