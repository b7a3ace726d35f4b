"""Documents that gateways exchange: JSON read without surprises, text cut to a protocol's limits, China's clock."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import parse_qsl

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")


def read_object(document: bytes | str) -> dict[str, object]:
    """Parse one JSON object in UTF-8. Raises `ValueError`, also for NaN, too deep nesting and other encodings."""
    text = document.decode("utf-8") if isinstance(document, bytes) else document
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def write_object(document: dict[str, object]) -> bytes:
    """Compact JSON in UTF-8: these are the bytes to sign and the bytes to send."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def form_fields(body: bytes, *, most: int) -> dict[str, str]:
    """Decode a form or a query of at most so many fields. Raises `ValueError`, also for repeated fields."""
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=most
        )
    except ValueError:
        raise ValueError("not a form in UTF-8") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is repeated")
    return fields


def text_of(document: Mapping[str, object], name: str) -> str:
    """A text that must be there and not be empty. Raises `ValueError`."""
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is missing")
    return value


def clip(text: str, limit: int) -> str:
    """The beginning of `text` within `limit` bytes of UTF-8, never half a character.

    Providers write their limits in characters, in bytes, or do not say; what fits in bytes fits in both.
    """
    return text.encode("utf-8")[:limit].decode("utf-8", errors="ignore")


def china_time(moment: datetime) -> datetime:
    """An aware moment as China's wall clock reads it, whole seconds. Raises `ValueError` for a naive one."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime names no moment")
    return moment.astimezone(CHINA).replace(microsecond=0)


def from_timestamp(seconds: float) -> datetime:
    """An aware moment from seconds since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
