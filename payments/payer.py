"""Who pays inside an app: asked for once by way of the app itself, then known to this browser.

Both cookies are signed for the shop, hold nothing for another account or order, and are gone with the browser. What
comes back from the app counts only in the browser that was sent there, for the order for which it was: a link with
somebody else's code is worth nothing.
"""

import secrets
from typing import TypeVar

from django.core import signing
from django.db import connection
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import constant_time_compare

PAYER_COOKIE, LOGIN_COOKIE = "kameng_payer", "kameng_login"
#: The app sends the shopper back at once; a code counts for five minutes.
LOGIN_SECONDS = 600
PAYER_SECONDS = 12 * 3600

_Response = TypeVar("_Response", bound=HttpResponseBase)


def _salt(cookie: str) -> str:
    return f"{cookie}/{connection.schema_name}"  # type: ignore[attr-defined]


def _read(request: HttpRequest, cookie: str, *, max_age: int) -> list[str]:
    try:
        told = signing.loads(request.COOKIES.get(cookie, ""), salt=_salt(cookie), max_age=max_age)
    except signing.BadSignature:
        return []
    return [str(part) for part in told]


def _keep(response: _Response, request: HttpRequest, cookie: str, parts: list[str]) -> _Response:
    response.set_cookie(
        cookie, signing.dumps(parts, salt=_salt(cookie)), httponly=True, samesite="Lax", secure=request.is_secure()
    )
    return response


def payer_known(request: HttpRequest, *, account: str) -> str:
    """Who pays from this browser, as that account's app names them; empty where nobody has asked."""
    known = _read(request, PAYER_COOKIE, max_age=PAYER_SECONDS)
    return known[1] if len(known) == 2 and known[0] == account else ""


def payer_remember(response: _Response, request: HttpRequest, *, account: str, payer: str) -> _Response:
    """Let this browser know it."""
    response.delete_cookie(LOGIN_COOKIE, samesite="Lax")
    return _keep(response, request, PAYER_COOKIE, [account, payer])


def login_state() -> str:
    """What the app is to send back."""
    return secrets.token_hex(16)


def login_remember(response: _Response, request: HttpRequest, *, account: str, order: str, state: str) -> _Response:
    """Bind what was sent along to this browser."""
    return _keep(response, request, LOGIN_COOKIE, [account, order, state])


def login_account(request: HttpRequest, *, order: str, state: str) -> str:
    """The account for which this browser was sent away with that state, about that order; empty if it was not."""
    known = _read(request, LOGIN_COOKIE, max_age=LOGIN_SECONDS)
    if len(known) != 3 or known[1] != order or not constant_time_compare(known[2], state):
        return ""
    return known[0]
