"""A name server over UDP (RFC 1035): records as they were set, and troubles as real ones have them.

It knows a target of its own (`shops.kameng.example`, this machine) and whatever `POST /_control/dns` was told. Names
that it does not know do not exist.
"""

import asyncio
import ipaddress
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from kameng.sandbox.web import BadRequest, Reply, Request, json_reply

#: Where hosts of shops have to lead, as the platform's own development settings say.
TARGET, TARGET_ADDRESS = "shops.kameng.example", "127.0.0.1"
_TYPES = {"A": 1, "CNAME": 5, "TXT": 16, "AAAA": 28}
_NO_SUCH_NAME, _FAILURE, _REFUSED = 3, 2, 5
#: What fits into a datagram without more being agreed.
_MOST_BYTES = 512
_TTL = 30


class Trouble(StrEnum):
    """How questions about a name fare."""

    OK = "ok"
    SERVFAIL = "servfail"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    GARBAGE = "garbage"


@dataclass(slots=True)
class Name:
    """What is known of a name: texts by type."""

    records: dict[str, list[str]] = field(default_factory=dict)
    trouble: Trouble = Trouble.OK


def _at_first() -> dict[str, Name]:
    return {TARGET: Name({"A": [TARGET_ADDRESS]})}


class NameServer(asyncio.DatagramProtocol):
    """Answers on a UDP port of 127.0.0.1; what it was told stays in `file`, where there is one."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self.names = _at_first()
        if file is not None and file.exists():
            for name, known in json.loads(file.read_text(encoding="utf-8")).items():
                self.names[name] = Name(known["records"], Trouble(known["trouble"]))
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, port: int) -> None:
        """Take the port. Raises `OSError` where it is taken."""
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", port)
        )
        self._transport = transport
        self.port = self._transport.get_extra_info("sockname")[1]

    def shut(self) -> None:
        """Stop listening."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Forget what was set."""
        self.names = _at_first()
        self._keep()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """One question."""
        reply = self.answer(data)
        if reply is not None and self._transport is not None:
            self._transport.sendto(reply, addr)

    def answer(self, data: bytes) -> bytes | None:
        """What to send back, if anything."""
        try:
            number, flags, questions = struct.unpack_from(">HHH", data)
            name, place = _read_name(data)
            kind, _ = struct.unpack_from(">HH", data, place)
        except (struct.error, IndexError, UnicodeDecodeError):
            return None
        if flags & 0x8000 or questions != 1:
            return None
        known = self.names.get(name, None)
        trouble = known.trouble if known else Trouble.OK
        if trouble is Trouble.TIMEOUT:
            return None
        if trouble is Trouble.GARBAGE:
            return data[:2] + b"\xff" * 20
        code = {Trouble.SERVFAIL: _FAILURE, Trouble.REFUSED: _REFUSED}.get(trouble, 0)
        answers = [] if code else self._answers(name, kind)
        if not code and known is None:
            code = _NO_SUCH_NAME
        body = b"".join(answers)
        asked = data[12 : place + 4]
        is_long = 12 + len(asked) + len(body) > _MOST_BYTES
        # Response, recursion available, and the question's own wish for it; too long is cut off and said to be so.
        said = 0x8080 | (flags & 0x0100) | (0x0200 if is_long else 0) | code
        count, body = (0, b"") if is_long else (len(answers), body)
        return struct.pack(">HHHHHH", number, said, 1, count, 0, 0) + asked + body

    def _answers(self, name: str, kind: int) -> list[bytes]:
        """The records of a type, over as many aliases as it takes."""
        found, seen = [], set[str]()
        while name in self.names and name not in seen:
            seen.add(name)
            records = self.names[name].records
            wanted = next((texts for text, texts in records.items() if _TYPES[text] == kind), [])
            found += [_record(name, kind, text) for text in wanted]
            alias = records.get("CNAME", []) if kind != _TYPES["CNAME"] else []
            if wanted or not alias:
                break
            found.append(_record(name, _TYPES["CNAME"], alias[0]))
            name = alias[0]
        return found

    def control(self, request: Request) -> Reply:
        """`GET` tells all names; `POST {"name", "records"?: {type: [texts]}, "trouble"?}` sets one of them anew."""
        if request.method == "POST":
            name, known = _read(request.json())
            self.names[name] = known
            self._keep()
        elif request.method != "GET":
            return json_reply({"error": "method_not_allowed", "message": request.method}, status=405)
        return json_reply({"port": self.port, "names": self._told()})

    def _told(self) -> dict[str, Any]:
        return {name: {"records": known.records, "trouble": known.trouble} for name, known in self.names.items()}

    def _keep(self) -> None:
        if self._file is not None:
            self._file.write_text(json.dumps(self._told()) + "\n", encoding="utf-8")


def _read(body: Mapping[str, Any]) -> tuple[str, Name]:
    """What a body says of a name. Raises `BadRequest`."""
    if unknown := set(body) - {"name", "records", "trouble"}:
        raise BadRequest(f"unknown: {', '.join(sorted(unknown))}; known: name, records, trouble")
    name, records = body.get("name"), body.get("records") or {}
    try:
        _packed(str(name).lower())
        known = Name({}, Trouble(body.get("trouble") or "ok"))
        for kind, texts in dict(records).items():
            known.records[kind] = [str(text).lower() if kind == "CNAME" else str(text) for text in texts]
            for text in known.records[kind]:
                _record(str(name).lower(), _TYPES[kind], text)
    except (KeyError, TypeError, ValueError) as error:
        raise BadRequest(
            'such as {"name": "shop.example", "records": {"TXT": ["…"]}, "trouble": "ok"}; types '
            f"{' '.join(_TYPES)}, troubles {' '.join(Trouble)}"
        ) from error
    return str(name).lower(), known


def _record(name: str, kind: int, text: str) -> bytes:
    if kind in (_TYPES["A"], _TYPES["AAAA"]):
        address = ipaddress.ip_address(text)
        if (address.version == 4) != (kind == _TYPES["A"]):
            raise ValueError("an address of the other kind")
        data = address.packed
    elif kind == _TYPES["CNAME"]:
        data = _packed(text)
    else:
        raw = text.encode()
        pieces = [raw[start : start + 255] for start in range(0, len(raw), 255)] or [b""]
        data = b"".join(bytes([len(piece)]) + piece for piece in pieces)
    return _packed(name) + struct.pack(">HHIH", kind, 1, _TTL, len(data)) + data


def _packed(name: str) -> bytes:
    labels = name.encode("ascii").split(b".")
    if not all(0 < len(label) <= 63 for label in labels) or len(name) > 253:
        raise ValueError("not a name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _read_name(data: bytes) -> tuple[str, int]:
    """The name that a question is about; questions come without pointers."""
    labels, place = [], 12
    while length := data[place]:
        labels.append(data[place + 1 : place + 1 + length].decode("ascii"))
        place += 1 + length
    return ".".join(labels).lower(), place + 1
