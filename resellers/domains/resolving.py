"""Asking resolvers, within a bounded time. What is not a definite answer is unknown, and unknown is no answer."""

import contextlib
import secrets
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from resellers.domains import wire
from resellers.domains.wire import Code, Malformed, Message, Type

#: For one question: seconds that one resolver is waited for, and all of them together.
ATTEMPT_SECONDS, TOTAL_SECONDS = 1.5, 4.0
_MOST_BYTES: Final = 65_535
_RESOLV_CONF: Final = Path("/etc/resolv.conf")

Address = tuple[str, int]


class Unclear(StrEnum):
    """Why nobody knows."""

    TIMEOUT = "timeout"
    SERVER_FAILURE = "server_failure"


@dataclass(frozen=True, slots=True)
class Found:
    """What there is of one type at a name; `aliases` are the names that it led over, the last one included.

    `unclear` is set where nobody gave a definite answer. Nothing at all and no `unclear` means: there is none.
    """

    records: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    unclear: Unclear | None = None


class Resolver:
    """Resolvers that are asked in turn; the first definite answer counts."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self._addresses = tuple(addresses)

    def look_up(self, name: str, wanted: Type) -> Found:
        """The records of a type. Takes no longer than `TOTAL_SECONDS`; raises nothing."""
        deadline = time.monotonic() + TOTAL_SECONDS
        reason = Unclear.TIMEOUT
        for address in self._addresses:
            seconds = min(ATTEMPT_SECONDS, deadline - time.monotonic())
            if seconds <= 0:
                break
            try:
                message = _ask(address, name, wanted, time.monotonic() + seconds)
            except (OSError, Malformed):
                continue
            if message.code in (Code.NO_ERROR, Code.NO_SUCH_NAME):
                return _found(message, wanted)
            reason = Unclear.SERVER_FAILURE
        return Found(unclear=reason)


def system_resolvers() -> tuple[Address, ...]:
    """Those of the machine (`resolv.conf`); none where it names none."""
    try:
        lines = _RESOLV_CONF.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return ()
    named = (line.split() for line in lines)
    return tuple((words[1].partition("%")[0], 53) for words in named if len(words) > 1 and words[0] == "nameserver")


def address_of(text: str) -> Address:
    """`192.0.2.1`, `192.0.2.1:5353` or `[2001:db8::1]:5353` as an address. Raises `ValueError`."""
    host, bracket, port = text.strip().removeprefix("[").partition("]")
    if not bracket:
        host, _, port = host.partition(":") if host.count(":") == 1 else (host, "", "")
    socket.inet_pton(socket.AF_INET6 if ":" in host else socket.AF_INET, host)
    return host, int(port.removeprefix(":") or 53)


def _found(message: Message, wanted: Type) -> Found:
    """What belongs to the name that was asked for: records of other names are not followed."""
    alias_of = {record.name: record.data for record in message.answers if record.type == Type.CNAME}
    at = message.name
    aliases: list[str] = []
    while at in alias_of and len(aliases) < len(alias_of):
        at = alias_of[at]
        aliases.append(at)
    records = tuple(record.data for record in message.answers if record.type == wanted and record.name == at)
    return Found(records, tuple(aliases))


def _ask(address: Address, name: str, wanted: Type, deadline: float) -> Message:
    """One question to one resolver; over TCP where the answer does not fit (RFC 7766).

    Raises `OSError` and `Malformed`.
    """
    number = secrets.randbelow(65_536)
    query = wire.question(number, name, wanted)
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as line:
        # Connected: what somebody else sends is dropped by the kernel, and a port that is shut says so at once.
        line.connect(address)
        line.send(query)
        for data in _received(line, deadline):
            with contextlib.suppress(Malformed):
                message = wire.answer(data)
                if (message.id, message.name, message.type) == (number, name, wanted):
                    break
    if not message.truncated:
        return message
    with socket.create_connection(address, timeout=_left(deadline)) as line:
        line.sendall(struct.pack(">H", len(query)) + query)
        message = wire.answer(_framed(line, deadline))
    if (message.id, message.name, message.type) != (number, name, wanted) or message.truncated:
        raise Malformed("an answer to another question")
    return message


def _received(line: socket.socket, deadline: float) -> Iterator[bytes]:
    while True:
        line.settimeout(_left(deadline))
        yield line.recv(_MOST_BYTES)


def _framed(line: socket.socket, deadline: float) -> bytes:
    data = b""
    while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
        line.settimeout(_left(deadline))
        more = line.recv(_MOST_BYTES)
        if not more:
            raise Malformed("cut off")
        data += more
    return data[2:]


def _left(deadline: float) -> float:
    """Seconds until then. Raises `TimeoutError` once it has passed."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
