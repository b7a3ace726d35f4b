"""One HTTP client for gateways and suppliers: keep-alive, deadlines, no redirects, no surprises.

What matters to a caller that moves money is not which exception a library raised but whether the other side may have
acted. So there are two ends besides a reply:

    NothingSent   DNS, connection refused, TLS failure: the request never left, the next one may be tried
    NoAnswer      time-out, reset, oversized or broken reply: it may have been carried out; ask before doing it again
"""

import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

MAX_BODY_BYTES = 1_000_000


class HttpFailure(Exception):
    """No usable reply."""


class NothingSent(HttpFailure):
    """The request certainly did not reach the other side."""


class NoAnswer(HttpFailure):
    """The request may have reached the other side."""


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


class HttpClient:
    """A pool of connections with limits in seconds: `connect`, `read` (silence), `total` (the whole exchange)."""

    def __init__(self, *, connect: float = 2, read: float = 8, total: float = 15, pool: int = 32) -> None:
        self.total = total
        self._client = httpx.Client(
            timeout=httpx.Timeout(read, connect=connect, pool=connect),
            limits=httpx.Limits(max_connections=pool, max_keepalive_connections=pool),
            headers={"accept-encoding": "identity"},
            follow_redirects=False,
            trust_env=False,
        )

    def request(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Reply:
        """Send exactly `body`. Raises `NothingSent` or `NoAnswer`."""
        deadline = time.monotonic() + self.total
        try:
            with self._client.stream(method, url, headers=headers, content=body) as response:
                packed = response.headers.get("content-encoding", "identity").strip().lower() != "identity"
                chunks, size = [], 0
                for chunk in response.iter_raw() if packed else response.iter_bytes():
                    size += len(chunk)
                    if size > MAX_BODY_BYTES:
                        raise NoAnswer(f"reply larger than {MAX_BODY_BYTES} bytes")
                    if time.monotonic() > deadline:
                        raise NoAnswer(f"no complete reply within {self.total:g} s")
                    chunks.append(chunk)
                body_read = b"".join(chunks)
                return Reply(response.status_code, response.headers, _unpacked(body_read) if packed else body_read)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise NothingSent(f"{type(error).__name__}: {error}") from error
        except (httpx.InvalidURL, UnicodeError) as error:
            raise NothingSent(f"{type(error).__name__}: {error}") from error
        except httpx.HTTPError as error:
            raise NoAnswer(f"{type(error).__name__}: {error}") from error

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()
