"""A small HTTP/1.1 server that can also misbehave on purpose.

One event loop, keep-alive, header and body in one write. A handler returns a `Reply`, or raises `Drop` to reset the
connection; a listener can be closed and opened again, so that a client sees a real "connection refused".
"""

import asyncio
import json
import logging
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

log = logging.getLogger("kameng.sandbox")

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 2 * 1024 * 1024
#: A reply that is too large comes in pieces of this size, each once the one before has left; looked at so often.
POURED_BYTES, POUR_SECONDS = 64 * 1024, 0.001
#: A reply that drips comes so often.
DROP_SECONDS = 0.2


class Drop(Exception):
    """Reset the connection instead of answering."""


class BadRequest(Exception):
    """What arrived is not what was expected; `str()` says what is wrong."""


@dataclass(slots=True)
class Request:
    """One request. `target` is the path as sent, with its query; header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    peer: str = ""
    path: str = field(init=False)
    query: str = field(init=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.target)
        self.path, self.query = parts.path, parts.query

    @property
    def route(self) -> str:
        """The path with its percent-encoding undone."""
        return unquote(self.path)

    def fields(self) -> dict[str, str]:
        """Query and form together. Raises `BadRequest` where a name repeats or the text is not UTF-8."""
        found: dict[str, str] = {}
        try:
            form = self.body.decode() if "urlencoded" in self.headers.get("content-type", "") else ""
            pairs = parse_qsl(self.query, keep_blank_values=True, errors="strict")
            pairs += parse_qsl(form, keep_blank_values=True, errors="strict")
        except ValueError as error:
            raise BadRequest("not UTF-8") from error
        for name, value in pairs:
            if name in found:
                raise BadRequest(f"{name} is given twice")
            found[name] = value
        return found

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; no body is an empty one. Raises `BadRequest`."""
        if not self.body.strip():
            return {}
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise BadRequest("the body is not JSON") from error
        if not isinstance(found, dict):
            raise BadRequest("the body is not a JSON object")
        return found


@dataclass(slots=True)
class Reply:
    """One answer. `cut` sends half of the body that the length promises, then closes; `blanks` come before the body,
    so that JSON stays what it is; `seconds` is how long the body takes, in drops."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False
    blanks: int = 0
    seconds: float = 0.0


Handler = Callable[[Request], Awaitable[Reply]]


def json_reply(content: object, *, status: int = 200) -> Reply:
    """An answer in compact JSON."""
    return Reply(status, json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def html_reply(page: str, *, status: int = 200) -> Reply:
    """A page."""
    return Reply(status, page.encode(), "text/html; charset=utf-8", {"Cache-Control": "no-store"})


def redirect(location: str) -> Reply:
    """See Other."""
    return Reply(303, b"", "text/plain; charset=utf-8", {"Location": location})


class Listener:
    """A handler on a port of 127.0.0.1 that can be shut and opened again."""

    def __init__(self, handler: Handler, port: int) -> None:
        self.handler = handler
        self.port = port
        self.connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None

    async def bind(self) -> None:
        """Take the port; 0 is a free one, kept from then on. Raises `OSError` where it is taken."""
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: _Connection(self), "127.0.0.1", self.port, backlog=1024, start_serving=False
            )
            self.port = self._server.sockets[0].getsockname()[1]

    async def open(self) -> None:
        """Listen."""
        await self.bind()
        if self._server is not None:
            await self._server.start_serving()

    def shut(self) -> None:
        """Refuse connections from now on, and reset those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for connection in list(self.connections):
            connection.reset()


class _Connection(asyncio.Protocol):
    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport
        self._peer = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._listener.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        # A request that is being handled goes on: a caller that hangs up does not undo its purchase.
        self._listener.connections.discard(self)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self._task is None:
            self._advance()
        elif len(self._buffer) > MAX_HEAD_BYTES + MAX_BODY_BYTES:
            self.reset()

    def reset(self) -> None:
        """End with RST rather than FIN."""
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self._transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _advance(self) -> None:
        if self._transport.is_closing():
            return
        try:
            request = self._take()
        except BadRequest as error:
            self._write(json_reply({"error": "bad_request", "message": str(error)}, status=400), keep=False)
            return
        if request is not None:
            self._task = asyncio.get_running_loop().create_task(self._serve(request))

    def _take(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise BadRequest("the head is too large")
            return None
        lines = bytes(self._buffer[:end]).decode("latin-1").split("\r\n")
        first = lines[0].split(" ")
        if len(first) != 3 or not first[2].startswith("HTTP/1.") or not first[1].startswith("/"):
            raise BadRequest("not HTTP/1.1")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon:
                raise BadRequest("a header without a colon")
            headers[name.strip().lower()] = value.strip()
        if "transfer-encoding" in headers:
            raise BadRequest("send a Content-Length")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY_BYTES:
            raise BadRequest(f"the body may have up to {MAX_BODY_BYTES} bytes")
        start, stop = end + 4, end + 4 + int(length)
        if len(self._buffer) < stop:
            if headers.get("expect", "").lower() == "100-continue":
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = bytes(self._buffer[start:stop])
        del self._buffer[:stop]
        headers.setdefault("connection", "close" if first[2] == "HTTP/1.0" else "keep-alive")
        return Request(first[0], first[1], headers, body, self._peer)

    async def _serve(self, request: Request) -> None:
        try:
            reply = await self._listener.handler(request)
        except Drop:
            self.reset()
            return
        except BadRequest as error:
            reply = json_reply({"error": "bad_request", "message": str(error)}, status=400)
        except Exception:
            log.exception("%s %s", request.method, request.path)
            reply = json_reply({"error": "internal_error", "message": "see the sandbox's log"}, status=500)
        if reply.blanks or reply.seconds:
            await self._pour(reply)
            return
        self._task = None
        if self._transport.is_closing():
            return
        keep = request.headers["connection"].lower() != "close" and not reply.cut
        self._write(reply, keep=keep, head_only=request.method == "HEAD")
        if keep:
            self._advance()

    async def _pour(self, reply: Reply) -> None:
        """Too much, or too slowly, for as long as the other side listens; the connection ends with it."""
        chunks = reply.blanks // POURED_BYTES
        self._transport.write(_head(reply, length=len(reply.body) + chunks * POURED_BYTES, keep=False))
        for _ in range(chunks):
            self._transport.write(b" " * POURED_BYTES)
            while self._transport.get_write_buffer_size() and not self._transport.is_closing():
                await asyncio.sleep(POUR_SECONDS)
            if self._transport.is_closing():
                return
        drops = max(1, round(reply.seconds / DROP_SECONDS))
        for number in range(drops):
            await asyncio.sleep(reply.seconds / drops)
            if self._transport.is_closing():
                return
            self._transport.write(
                reply.body[len(reply.body) * number // drops : len(reply.body) * (number + 1) // drops]
            )
        self._transport.close()

    def _write(self, reply: Reply, *, keep: bool, head_only: bool = False) -> None:
        body = reply.body[: len(reply.body) // 2] if reply.cut else reply.body
        self._transport.write(_head(reply, length=len(reply.body), keep=keep) + (b"" if head_only else body))
        if not keep:
            self._transport.close()


def _head(reply: Reply, *, length: int, keep: bool) -> bytes:
    head = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    if reply.status != 204:
        head.append(f"Content-Type: {reply.content_type}")
        head.append(f"Content-Length: {length}")
    head += [f"{name}: {value}" for name, value in reply.headers.items()]
    head.append(f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n")
    return "\r\n".join(head).encode()
