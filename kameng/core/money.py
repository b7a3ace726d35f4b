"""Amounts of money: `Decimal` in yuan everywhere, minor units only inside gateways."""

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

CENT = Decimal("0.01")


def quantize(amount: Decimal) -> Decimal:
    """Round to whole fen, half up, as every gateway and receipt here does."""
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def to_fen(amount: Decimal) -> int:
    """Yuan to integer fen. Raises `ValueError` if the amount has a fraction of a fen."""
    fen = amount * 100
    if fen != fen.to_integral_value():
        raise ValueError(f"{amount} has a fraction of a fen")
    return int(fen)


def from_fen(fen: int) -> Decimal:
    """Integer fen to yuan. Raises `TypeError` for anything that is not an integer."""
    if isinstance(fen, bool) or not isinstance(fen, int):
        raise TypeError("fen must be an integer")
    return (Decimal(fen) / 100).quantize(CENT)


def parse_yuan(text: str) -> Decimal:
    """Read "57.00" as yuan. Raises `ValueError` for anything but ASCII digits with at most two decimals."""
    if not (text.isascii() and text.replace(".", "", 1).isdigit()):
        raise ValueError(f"not an amount: {text[:32]!r}")
    try:
        amount = Decimal(text)
        rounded = amount.quantize(CENT)
    except InvalidOperation as error:
        raise ValueError(f"not an amount: {text[:32]!r}") from error
    if amount != rounded:
        raise ValueError(f"more than two decimals: {text[:32]!r}")
    return rounded
