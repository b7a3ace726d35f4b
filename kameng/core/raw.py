"""Requests as the bytes that came: for signatures, and to read no more than a limit."""

from django.http import HttpRequest, UnreadablePostError

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
        body = request.read(limit + 1)
    except UnreadablePostError:
        raise Malformed from None
    if len(body) > limit:
        raise TooLarge
    return body


def headers_of(request: HttpRequest) -> dict[str, str]:
    """The headers by lower-case name."""
    return {name.lower(): value for name, value in request.headers.items()}
