"""A closed-loop load generator: many users in one thread, each a Python generator that asks and waits.

A user yields `Ask` (a whole HTTP/1.1 request, already encoded) and is given the `Reply`, or yields `Pause`. Each user
has one keep-alive connection to each target, and asks for one thing at a time. It takes some 30 µs of a processor for
a request, so that what is measured is the server.
"""

import heapq
import json
import select
import socket
import time
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

LOOPBACK = "127.0.0.1"
#: What a user waits for one reply before the whole run counts as failed.
REPLY_SECONDS = 30.0


class Broken(Exception):
    """The run cannot be counted: no reply, half a reply, or one that nobody expected."""


class Ask(NamedTuple):
    """Send `raw` to a target (its place in the list of ports)."""

    target: int
    raw: bytes


class Pause(NamedTuple):
    """Do nothing for a while."""

    seconds: float


class Reply(NamedTuple):
    """A complete reply, and how long it took in seconds."""

    status: int
    head: bytes
    body: bytes
    took: float

    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


User = Generator[Ask | Pause, Reply | None, None]


def request(
    method: str, path: str, *, host: str, body: object = None, headers: Iterable[tuple[str, str]] = ()
) -> bytes:
    """An encoded request; a body is sent as JSON."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
    raw = b""
    if body is not None:
        raw = json.dumps(body).encode()
        lines.append("Content-Type: application/json")
    if body is not None or method == "POST":
        lines.append(f"Content-Length: {len(raw)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + raw


def complete(buffer: bytes | bytearray, *, bodyless: bool = False) -> tuple[int, int, int] | None:
    """Status, and where the body begins and ends, once all of a reply is there. Raises `Broken`."""
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        return None
    status = int(buffer[9:12])
    start = end + 4
    if status in (204, 304) or bodyless:
        return status, start, start
    head = bytes(buffer[:end]).lower()
    place = head.find(b"\r\ncontent-length:")
    if place < 0:
        raise Broken(f"a reply without Content-Length: {head[:200]!r}")
    stop = head.find(b"\r\n", place + 2)
    length = int(head[place + 17 : stop if stop >= 0 else len(head)])
    return (status, start, start + length) if len(buffer) >= start + length else None


@dataclass
class _Line:
    """One connection of one user."""

    port: int
    open: socket.socket | None = None
    buffer: bytearray = field(default_factory=bytearray)
    used: bool = False


@dataclass
class _Seat:
    """One user at work."""

    user: User
    lines: list[_Line]
    asked: Ask | None = None
    asked_at: float = 0.0


class Generated:
    """Drives users until all have ended."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._poll = select.epoll()
        self._by_descriptor: dict[int, tuple[_Seat, _Line]] = {}
        self._asleep: list[tuple[float, int, _Seat]] = []
        self._open = 0
        self.asked = 0
        self.reconnected = 0

    def run(self, users: Iterable[User]) -> None:
        """Begin with all users at once. Raises `Broken`."""
        try:
            for user in users:
                self._open += 1
                self._advance(_Seat(user, [_Line(port) for port in self._ports]), None)
            while self._open:
                self._turn()
        finally:
            for descriptor, (_seat, line) in list(self._by_descriptor.items()):
                self._by_descriptor.pop(descriptor)
                if line.open is not None:
                    line.open.close()
            self._poll.close()

    def _turn(self) -> None:
        now = time.perf_counter()
        while self._asleep and self._asleep[0][0] <= now:
            self._advance(heapq.heappop(self._asleep)[2], None)
        if not self._open:
            return
        wait = min(1.0, self._asleep[0][0] - time.perf_counter()) if self._asleep else 1.0
        events = self._poll.poll(max(wait, 0))
        for descriptor, _mask in events:
            known = self._by_descriptor.get(descriptor)
            if known is not None:
                self._receive(*known)
        if not events:
            self._look_for_silence()

    def _look_for_silence(self) -> None:
        now = time.perf_counter()
        for seat, _line in self._by_descriptor.values():
            if seat.asked is not None and now - seat.asked_at > REPLY_SECONDS:
                raise Broken(f"no reply within {REPLY_SECONDS:.0f} s to {seat.asked.raw[:120]!r}")

    def _advance(self, seat: _Seat, reply: Reply | None) -> None:
        try:
            step = seat.user.send(reply)
        except StopIteration:
            self._open -= 1
            for line in seat.lines:
                self._hang_up(line)
            return
        if isinstance(step, Pause):
            heapq.heappush(self._asleep, (time.perf_counter() + step.seconds, id(seat), seat))
            return
        self.asked += 1
        seat.asked, seat.asked_at = step, time.perf_counter()
        self._send(seat)

    def _send(self, seat: _Seat) -> None:
        assert seat.asked is not None
        line = seat.lines[seat.asked.target]
        if line.open is None:
            self._connect(seat, line)
        assert line.open is not None
        try:
            line.open.sendall(seat.asked.raw)
        except (BrokenPipeError, ConnectionResetError):
            self._again(seat, line)

    def _connect(self, seat: _Seat, line: _Line) -> None:
        line.open = socket.create_connection((LOOPBACK, line.port), timeout=REPLY_SECONDS)
        line.open.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.buffer.clear()
        line.used = False
        self._by_descriptor[line.open.fileno()] = seat, line
        self._poll.register(line.open.fileno(), select.EPOLLIN)

    def _hang_up(self, line: _Line) -> None:
        if line.open is not None:
            self._poll.unregister(line.open.fileno())
            del self._by_descriptor[line.open.fileno()]
            line.open.close()
            line.open = None

    def _again(self, seat: _Seat, line: _Line) -> None:
        """A server may close a connection that was idle, at the very moment when it is used: ask once more."""
        if not line.used or line.buffer:
            raise Broken(f"the connection was closed instead of a reply to {seat.asked}")
        self.reconnected += 1
        self._hang_up(line)
        self._send(seat)

    def _receive(self, seat: _Seat, line: _Line) -> None:
        assert line.open is not None
        try:
            received = line.open.recv(262_144)
        except ConnectionResetError:
            received = b""
        waiting = seat.asked is not None and seat.lines[seat.asked.target] is line
        if not received:
            if waiting:
                self._again(seat, line)
            else:
                self._hang_up(line)
            return
        line.buffer += received
        found = complete(line.buffer, bodyless=waiting and seat.asked is not None and seat.asked.raw[:4] == b"HEAD")
        if found is None:
            return
        status, start, stop = found
        reply = Reply(
            status, bytes(line.buffer[:start]), bytes(line.buffer[start:stop]), time.perf_counter() - seat.asked_at
        )
        del line.buffer[:stop]
        line.used = True
        if not waiting or line.buffer:
            raise Broken(f"a reply that nobody asked for: {reply.head[:120]!r}")
        seat.asked = None
        if b"\nconnection: close" in reply.head.lower():
            self._hang_up(line)
        self._advance(seat, reply)


def run(ports: Sequence[int], users: Iterable[User]) -> Generated:
    """Let users do what they do, all at once, until they have done it. Raises `Broken`."""
    generated = Generated(ports)
    generated.run(users)
    return generated
