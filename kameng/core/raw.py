"""Requests as the bytes that came: for signatures, and to read no more than a limit."""

from typing import Any

from django.http import HttpRequest

from kameng.core.problems import Malformed, TooLarge


def raw_body(request: HttpRequest, *, limit: int) -> bytes:
    """The body if it has at most `limit` bytes. Raises `TooLarge`, having read no more than that, or `Malformed`."""
    try:
        length = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise Malformed from None
    if length > limit:
        raise TooLarge
    try:
        body: bytes = _source(request).read(limit + 1)
    except OSError:
        # The connection broke, or its chunks are none.
        raise Malformed from None
    if len(body) > limit:
        raise TooLarge
    return body


def _source(request: HttpRequest) -> Any:
    """Where to read. Without a length Django reads nothing, so a chunked body (RFC 9112 §7.1) is taken from the server,
    if the server says that it knows its end."""
    chunked = "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()
    if chunked and request.META.get("wsgi.input_terminated"):
        return request.META["wsgi.input"]
    return request


def drained(request: HttpRequest, *, limit: int) -> None:
    """Read what is left of a body, up to a limit, and keep none of it: a browser that is still sending when the
    connection is closed shows an error of its own instead of the answer."""
    left = limit
    try:
        while left > 0 and (chunk := request.read(min(left, 65_536))):
            left -= len(chunk)
    except OSError:
        return


def headers_of(request: HttpRequest) -> dict[str, str]:
    """The headers by lower-case name."""
    return {name.lower(): value for name, value in request.headers.items()}
