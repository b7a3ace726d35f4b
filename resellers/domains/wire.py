"""Questions and answers of the domain name system on the wire (RFC 1035), as far as proofs need them: pure.

Bytes of strangers: nothing is believed about lengths, pointers or counts, and what does not fit is `Malformed`.
"""

import ipaddress
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

CLASS_IN: Final = 1
_HEADER = struct.Struct(">HHHHHH")
_RECORD = struct.Struct(">HHIH")
_RESPONSE, _TRUNCATED, _RECURSION_DESIRED = 0x8000, 0x0200, 0x0100
#: Pointers that one name may lead over, and records that are looked at.
_MOST_JUMPS, _MOST_RECORDS = 32, 200


class Type(IntEnum):
    """The records that are asked for."""

    A = 1
    CNAME = 5
    TXT = 16
    AAAA = 28


class Code(IntEnum):
    """What a resolver says of the question (RFC 1035 §4.1.1); any other code is as good as no answer."""

    NO_ERROR = 0
    SERVER_FAILURE = 2
    NO_SUCH_NAME = 3
    REFUSED = 5


class Malformed(ValueError):
    """Not an answer."""


@dataclass(frozen=True, slots=True)
class Record:
    """`data` is text: an address, a name in small letters, or the strings of a TXT joined (RFC 7208 §3.3)."""

    name: str
    type: int
    data: str


@dataclass(frozen=True, slots=True)
class Message:
    """An answer to one question."""

    id: int
    code: int
    truncated: bool
    name: str
    type: int
    answers: tuple[Record, ...]


def question(number: int, name: str, wanted: Type) -> bytes:
    """A question with recursion desired. Raises `ValueError` for what is no name."""
    return _HEADER.pack(number, _RECURSION_DESIRED, 1, 0, 0, 0) + _packed(name) + struct.pack(">HH", wanted, CLASS_IN)


def answer(data: bytes) -> Message:
    """What came back. Raises `Malformed`."""
    try:
        number, flags, questions, answers, _authorities, _more = _HEADER.unpack_from(data)
        if not flags & _RESPONSE or questions != 1:
            raise Malformed("not an answer to one question")
        name, place = _name(data, _HEADER.size)
        asked, asked_class = struct.unpack_from(">HH", data, place)
        if asked_class != CLASS_IN or answers > _MOST_RECORDS:
            raise Malformed("another class, or too much")
        truncated = bool(flags & _TRUNCATED)
        found = () if truncated else _records(data, place + 4, answers)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Malformed(f"broken: {type(error).__name__}") from error
    return Message(number, flags & 0x000F, truncated, name, asked, found)


def _records(data: bytes, place: int, count: int) -> tuple[Record, ...]:
    found = []
    for _ in range(count):
        name, place = _name(data, place)
        kind, record_class, _seconds, length = _RECORD.unpack_from(data, place)
        place += _RECORD.size
        if place + length > len(data):
            raise Malformed("a record is cut off")
        if record_class == CLASS_IN and kind in Type.__members__.values():
            found.append(Record(name, kind, _read(data, place, length, Type(kind))))
        place += length
    return tuple(found)


def _read(data: bytes, place: int, length: int, kind: Type) -> str:
    body = data[place : place + length]
    if kind in (Type.A, Type.AAAA):
        if length != (4 if kind is Type.A else 16):
            raise Malformed("an address of another length")
        return str(ipaddress.ip_address(body))
    if kind is Type.CNAME:
        return _name(data, place)[0]
    strings, at = [], 0
    while at < length:
        end = at + 1 + body[at]
        if end > length:
            raise Malformed("a string is cut off")
        strings.append(body[at + 1 : end])
        at = end
    return b"".join(strings).decode("utf-8", "replace")


def _packed(name: str) -> bytes:
    labels = name.encode("ascii").split(b".")
    if not all(0 < len(label) <= 63 for label in labels) or len(name) > 253:
        raise ValueError(f"not a name: {name[:80]!r}")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _name(data: bytes, place: int) -> tuple[str, int]:
    """A name, and where what follows it begins. A pointer leads backwards only, so that no name goes on for ever."""
    labels: list[str] = []
    after, before = -1, place
    for _ in range(_MOST_JUMPS + 128):
        length = data[place]
        if length & 0xC0 == 0xC0:
            target = struct.unpack_from(">H", data, place)[0] & 0x3FFF
            after = place + 2 if after < 0 else after
            if target >= before:
                raise Malformed("a pointer leads forward")
            place = before = target
        elif length & 0xC0:
            raise Malformed("a label of another kind")
        elif length == 0:
            return ".".join(labels).lower(), place + 1 if after < 0 else after
        else:
            labels.append(data[place + 1 : place + 1 + length].decode("ascii"))
            if len(labels[-1]) != length:
                raise Malformed("a label is cut off")
            place += 1 + length
            if sum(map(len, labels)) + len(labels) > 254:
                raise Malformed("a name is too long")
    raise Malformed("a name does not end")
