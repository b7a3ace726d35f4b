"""How an entry of the audit trail is written down for others, and the hash that stands for it and for all before it.

An entry is one JSON object::

    {"sequence": 7, "at": "2026-11-29T04:31:29.123456+00:00", "actor": "staff:li", "subject": "license:12",
     "action": "license.revoked", "data": {…}, "previous": "<64 hex digits>", "hash": "<64 hex digits>"}

`sequence` counts from 1 without gaps. `at` is in UTC, with all six digits of its microseconds. `previous` is the hash
of the entry before, of the first one 64 zeros. `hash` is SHA-256 (FIPS 180-4), in lower-case hexadecimal digits, of
the object without `hash` in its canonical encoding: JSON (RFC 8259) in ASCII, other characters as `\\uXXXX`, names
sorted, no space between signs. In Python::

    sha256(json.dumps(entry, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

Numbers in `data` are integers, since a fraction may be written in several ways; amounts are text.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

#: What the first entry follows.
ORIGIN = "0" * 64


def digest(entry: Mapping[str, Any]) -> str:
    """The hash of an entry as it is written down; what it has as `hash` does not count."""
    said = {name: value for name, value in entry.items() if name != "hash"}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def moment(at: datetime) -> str:
    """A time as entries have it."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def plain(value: object) -> Any:
    """Data with one encoding only: dates, times and amounts become text.

    Raises `TypeError` for what has none, such as a float.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, str | date | Decimal):
        return str(value)
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Mapping):
        if odd := [name for name in value if not isinstance(name, str)]:
            raise TypeError(f"{odd[0]!r} is not a name")
        return {str(name): plain(part) for name, part in value.items()}
    raise TypeError(f"a {type(value).__name__} has no encoding of its own in the audit trail")
