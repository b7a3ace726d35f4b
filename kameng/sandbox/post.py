"""The sandbox's own HTTP client, for notices and callbacks: keep-alive, and to this machine only.

A notice of pretended money must never reach a real host, so any address that is not a loopback one is refused. Names
below `.localhost` mean this machine (RFC 6761), whatever the resolver knows of them.
"""

import asyncio
import contextlib
import ipaddress
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MAX_REPLY_BYTES = 256 * 1024


class NotDelivered(Exception):
    """No usable reply; `str()` says why."""


@dataclass(slots=True)
class Outgoing:
    """What is to be sent."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


_Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Postman:
    """Posts over connections that are kept open between posts."""

    def __init__(self) -> None:
        self._idle: defaultdict[tuple[str, int, bool], list[_Streams]] = defaultdict(list)

    async def post(self, outgoing: Outgoing, *, limit: float = 10) -> Answer:
        """Send and wait up to `limit` seconds. Raises `NotDelivered`."""
        place, head = _address(outgoing)
        idle = self._idle[place]
        try:
            async with asyncio.timeout(limit):
                while idle:
                    streams = idle.pop()
                    if streams[0].at_eof() or streams[1].is_closing():
                        streams[1].close()
                        continue
                    with contextlib.suppress(_Stale):
                        return await self._exchange(streams, head + outgoing.body, idle, reused=True)
                fresh = await asyncio.open_connection(place[0], place[1], ssl=place[2] or None)
                return await self._exchange(fresh, head + outgoing.body, idle, reused=False)
        except TimeoutError as error:
            raise NotDelivered(f"no answer within {limit:g} s") from error
        except (OSError, EOFError, ValueError, _Stale) as error:
            raise NotDelivered(f"{type(error).__name__}: {error}") from error

    async def _exchange(self, streams: _Streams, message: bytes, idle: list[_Streams], *, reused: bool) -> Answer:
        reader, writer = streams
        done = False
        try:
            try:
                writer.write(message)
                head = await reader.readuntil(b"\r\n\r\n")
            except (ConnectionError, asyncio.IncompleteReadError) as error:
                # A kept connection that the other side closed in the meantime carried nothing.
                raise _Stale("closed") if reused else NotDelivered("closed without an answer") from error
            lines = head.decode("latin-1").split("\r\n")
            headers = {n.strip().lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:])}
            status = int(lines[0].split(" ")[1])
            body = await _body(reader, status, headers)
            done = headers.get("connection", "").lower() != "close" and "HTTP/1.1" in lines[0]
            return Answer(status, body)
        finally:
            if done:
                idle.append(streams)
            else:
                writer.close()

    def close(self) -> None:
        """Give the idle connections up."""
        for streams in self._idle.values():
            for _, writer in streams:
                writer.close()
        self._idle.clear()


class _Stale(Exception):
    pass


async def _body(reader: asyncio.StreamReader, status: int, headers: Mapping[str, str]) -> bytes:
    if status in {204, 304}:
        return b""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        whole = b""
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            whole += (await reader.readexactly(size + 2))[:-2]
            if len(whole) > MAX_REPLY_BYTES:
                raise NotDelivered("the answer is too large")
        await reader.readuntil(b"\r\n")
        return whole
    if "content-length" in headers:
        length = int(headers["content-length"])
        if length > MAX_REPLY_BYTES:
            raise NotDelivered("the answer is too large")
        return await reader.readexactly(length)
    return await reader.read(MAX_REPLY_BYTES)


def loopback(host: str) -> str:
    """The address to connect to for a host name that means this machine. Raises `NotDelivered` for any other."""
    name = host.lower().rstrip(".")
    if name == "localhost" or name.endswith(".localhost"):
        return "127.0.0.1"
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(name).is_loopback:
            return name
    raise NotDelivered(f"{host or 'no host'} is not this machine; the sandbox posts nowhere else")


def _address(outgoing: Outgoing) -> tuple[tuple[str, int, bool], bytes]:
    try:
        parts = urlsplit(outgoing.url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise NotDelivered(f"not an address: {error}") from error
    if parts.scheme not in {"http", "https"}:
        raise NotDelivered("not an http address")
    tls = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [f"{outgoing.method} {target} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(outgoing.body)}"]
    lines += [f"{name}: {value}" for name, value in outgoing.headers.items()]
    return (loopback(host), port or (443 if tls else 80), tls), ("\r\n".join(lines) + "\r\n\r\n").encode()
