"""One HTTP client for gateways and suppliers: keep-alive, deadlines, no redirects, no surprises.

What matters to a caller that moves money is not which exception a library raised but whether the other side may have
acted. So there are two ends besides a reply:

    NothingSent   DNS, connection refused, TLS failure: the request never left, the next one may be tried
    NoAnswer      time-out, reset, oversized or broken reply: it may have been carried out; ask before doing it again

And one for whoever was held up until another may have done the same thing:

    HeldUp        the moment by which it had to be sent was over, and it was not
"""

import ssl
import weakref
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import BinaryIO

import httpcore
import httpx

from kameng.core.deadlines import DeadlineBackend, TooLateToSend, Turn, ending, taking

MAX_BODY_BYTES = 1_000_000


class HttpFailure(Exception):
    """No usable reply."""


class NothingSent(HttpFailure):
    """The request certainly did not reach the other side."""


class NoAnswer(HttpFailure):
    """The request may have reached the other side."""


class HeldUp(HttpFailure):
    """The request was not sent by this process, which came to it too late."""


@dataclass(frozen=True)
class Reply:
    """A complete reply: the body as the bytes that came, for signatures."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def _unpacked(packed: bytes) -> bytes:
    """A body that came in gzip or deflate although nobody asked for it, as long as it stays small."""
    inflater = zlib.decompressobj(wbits=47)
    try:
        body = inflater.decompress(packed, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise NoAnswer("a reply in an encoding that cannot be read") from error
    if len(body) > MAX_BODY_BYTES or not inflater.eof:
        raise NoAnswer(f"reply larger than {MAX_BODY_BYTES} bytes, or incomplete")
    return body


class _Body(httpx.SyncByteStream):
    """A reply's body as it comes."""

    def __init__(self, reply: httpcore.Response) -> None:
        self._reply = reply

    def __iter__(self) -> Iterator[bytes]:
        yield from self._reply.iter_stream()

    def close(self) -> None:
        self._reply.close()


@cache
def _trust() -> ssl.SSLContext:
    """The authorities of this process: reading them takes longer than a call does."""
    return httpx.create_ssl_context(trust_env=False)


class _Transport(httpx.BaseTransport):
    """A pool of connections that keep deadlines, which httpx's own transport has no place for."""

    def __init__(self, pool: int, allowed: Callable[[str], bool] | None) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=_trust(),
            max_connections=pool,
            max_keepalive_connections=pool,
            network_backend=DeadlineBackend(allowed),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises what httpcore raises."""
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        reply = self._pool.handle_request(
            httpcore.Request(request.method, url, headers=request.headers.raw, content=request.stream,
                             extensions=request.extensions)
        )  # fmt: skip
        return httpx.Response(reply.status, headers=reply.headers, stream=_Body(reply), extensions=reply.extensions)

    def close(self) -> None:
        self._pool.close()


#: In the words of either library: whoever puts another transport under the client speaks httpx's.
_NOT_SENT = (
    *(httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.PoolTimeout, httpcore.UnsupportedProtocol),
    *(httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol),
    *(httpx.InvalidURL, UnicodeError),
)
_NO_ANSWER = (httpx.HTTPError, httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError)


class HttpClient:
    """A pool of connections with limits in seconds: `connect`, `read` (silence), `total` (the whole exchange).

    `allowed` says which addresses may be connected to, where somebody else names the host; all of them by default.
    The connections are closed with the last reference to the client: whoever replaces one need not know who still uses
    the one before.
    """

    def __init__(
        self,
        *,
        connect: float = 2,
        read: float = 8,
        total: float = 15,
        pool: int = 32,
        allowed: Callable[[str], bool] | None = None,
    ) -> None:
        self.total = total
        self._client = httpx.Client(
            transport=_Transport(pool, allowed),
            timeout=httpx.Timeout(read, connect=connect, pool=connect),
            headers={"accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )
        self.close = weakref.finalize(self, self._client.close)

    def download(
        self, url: str, to: BinaryIO, *, most: int, total: float, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Write a file that is larger than any reply as it comes, up to `most` bytes; the reply is without its body.

        Nothing is unpacked, whatever the other side calls it. Raises `NothingSent` or `NoAnswer`: then the file is
        worth nothing.
        """
        try:
            with (
                taking(Turn(ends_at=ending(total), send_by=None)),
                self._client.stream("GET", url, headers=headers) as response,
            ):
                promised = response.headers.get("content-length", "")
                size = 0
                for chunk in response.iter_raw():
                    size += len(chunk)
                    if size > most:
                        raise NoAnswer(f"file larger than {most} bytes")
                    to.write(chunk)
                if promised.isdecimal() and int(promised) != size:
                    raise NoAnswer(f"{size} bytes of a file of {promised}")
                return Reply(response.status_code, response.headers, b"")
        except _NOT_SENT as error:
            raise NothingSent(f"{type(error).__name__}: {error}") from error
        except _NO_ANSWER as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        send_by: float | None = None,
    ) -> Reply:
        """Send exactly `body`, by `awake` not after `send_by`. Raises `NothingSent`, `NoAnswer` or `HeldUp`."""
        try:
            with (
                taking(Turn(ends_at=ending(self.total), send_by=send_by)),
                self._client.stream(method, url, headers=headers, content=body) as response,
            ):
                packed = response.headers.get("content-encoding", "identity").strip().lower() != "identity"
                chunks, size = [], 0
                for chunk in response.iter_raw() if packed else response.iter_bytes():
                    size += len(chunk)
                    if size > MAX_BODY_BYTES:
                        raise NoAnswer(f"reply larger than {MAX_BODY_BYTES} bytes")
                    chunks.append(chunk)
                body_read = b"".join(chunks)
                return Reply(response.status_code, response.headers, _unpacked(body_read) if packed else body_read)
        except TooLateToSend as late:
            raise HeldUp(str(late)) from late
        except _NOT_SENT as error:
            raise NothingSent(f"{type(error).__name__}: {error}") from error
        except _NO_ANSWER as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error
