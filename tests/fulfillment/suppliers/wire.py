"""A server that answers as told, byte for byte, on a real socket: what breaks in practice breaks below HTTP."""

import contextlib
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """A reply; `cut` bytes of the promised body are never sent. The connection is closed after it, unless `keep`."""

    status: int = 200
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json; charset=utf-8"),)
    cut: int = 0
    keep: bool = False

    def raw(self) -> bytes:
        """As it goes over the wire."""
        lines = [f"HTTP/1.1 {self.status} Told", f"Content-Length: {len(self.body)}"]
        lines += [] if self.keep else ["Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        head = "\r\n".join(lines) + "\r\n\r\n"
        return head.encode() + self.body[: len(self.body) - self.cut]


@dataclass(frozen=True)
class Reset:
    """Read the request, then break the connection."""


@dataclass(frozen=True)
class Silence:
    """Read the request and never answer."""


@dataclass(frozen=True)
class Drip:
    """Read the request, then send these bytes: at once up to `after`, and then one in each `pause` of seconds."""

    raw: bytes
    pause: float
    after: int = 0


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """Gives its `answers` one by one; keeps what was `asked`."""

    answers: deque[Answer | Reset | Silence | Drip] = field(default_factory=deque)
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._held: list[socket.socket] = []
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop listening; the port then refuses connections."""
        if self._listener.fileno() != -1:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for held in self._held:
            held.close()

    def is_left(self, *, within: float) -> bool:
        """Whether the client closes the connection that was kept for it, within these seconds."""
        deadline = time.monotonic() + 5
        while not self._held and time.monotonic() < deadline:
            time.sleep(0.01)  # the client has its reply before this side has put the connection away
        (kept,) = self._held
        kept.settimeout(within)
        try:
            return kept.recv(1) == b""
        except TimeoutError:
            return False

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            asked = _read(connection)
            if asked is None:
                connection.close()
                continue
            self.asked.append(asked)
            answer = self.answers.popleft() if self.answers else Answer(599, b"nothing was told")
            if isinstance(answer, Silence):
                self._held.append(connection)
                continue
            if isinstance(answer, Drip):
                threading.Thread(target=_drip, args=(connection, answer), daemon=True).start()
                continue
            if isinstance(answer, Answer) and answer.keep:
                connection.sendall(answer.raw())
                self._held.append(connection)
                continue
            if isinstance(answer, Reset):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                with contextlib.suppress(OSError):
                    connection.sendall(answer.raw())
            connection.close()


def _drip(connection: socket.socket, answer: Drip) -> None:
    with contextlib.suppress(OSError), connection:
        connection.sendall(answer.raw[: answer.after])
        for place in range(answer.after, len(answer.raw)):
            time.sleep(answer.pause)
            connection.sendall(answer.raw[place : place + 1])


def _read(connection: socket.socket) -> Asked | None:
    received = b""
    while b"\r\n\r\n" not in received:
        chunk = connection.recv(65536)
        if not chunk:
            return None
        received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    method, path, _ = first.split(" ")
    return Asked(method, path, headers, body)
