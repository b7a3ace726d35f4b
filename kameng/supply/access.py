"""Who is calling: a client by one of its keys, with a signature over everything that was sent, once.

Nonces are kept in PostgreSQL and not in Redis: while Redis is away a request could else be sent twice, and what is
counted there is lost with it.
"""

import hmac
import re
import time
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from rest_framework.request import Request

from kameng.core.client import client_address
from kameng.core.endpoint import MAX_BODY_BYTES, Endpoint
from kameng.core.problems import Problem, TooLarge
from kameng.core.raw import raw_body
from kameng.core.throttle import TooMany, require
from kameng.supply.signing import signature
from resellers.clients.keys import WINDOW_SECONDS, key_named, nonce_use
from resellers.clients.models import Client

#: Requests of one client, and refused signatures from one address, in a minute.
CLIENT_LIMIT, GUESS_LIMIT, SECONDS = 600, 60, 60
_KEY = re.compile(r"ks_[0-9a-f]{24}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")
_SIGNATURE = re.compile(r"[0-9a-f]{64}")


class SignatureMissing(Problem):
    """One of the four headers is missing or not of its form."""

    code = "signature_missing"
    status = 401
    message = _("缺少签名，或者签名的请求头格式不对")
    headers = {"WWW-Authenticate": "Kameng"}


class KeyUnknown(Problem):
    """No key of that name counts in this shop."""

    code = "key_unknown"
    status = 401
    message = _("没有这个密钥，或者它已停用")
    headers = {"WWW-Authenticate": "Kameng"}


class TimestampStale(Problem):
    """The time is more than 300 seconds away from ours; `now` is ours, in seconds."""

    code = "timestamp_stale"
    status = 401
    message = _("时间戳和我们的时间相差太大")
    headers = {"WWW-Authenticate": "Kameng"}


class SignatureWrong(Problem):
    """The signature is not that of this request."""

    code = "signature_wrong"
    status = 401
    message = _("签名不对")
    headers = {"WWW-Authenticate": "Kameng"}


class NonceUsed(Problem):
    """A request with this nonce was seen before; whatever it asked for may have been done."""

    code = "nonce_used"
    status = 409
    message = _("这个随机串用过了，每个请求要换一个")


ACCESS_REFUSALS: tuple[type[Problem], ...] = (
    SignatureMissing, KeyUnknown, TimestampStale, SignatureWrong, NonceUsed, TooLarge, TooMany,
)  # fmt: skip


@dataclass(frozen=True)
class Caller:
    """A client, the name of the key that it used, and the body that the key signed."""

    client: Client
    key: str
    body: bytes


def caller_of(request: HttpRequest, *, shop_id: int) -> Caller:
    """Who sent a request to that shop. Raises `ACCESS_REFUSALS`.

    The nonce is spent last, so that nobody but the client can spend one, and before anything is done.
    """
    headers = request.headers
    name, stamp = headers.get("Kameng-Key", ""), headers.get("Kameng-Timestamp", "")
    nonce, claimed = headers.get("Kameng-Nonce", ""), headers.get("Kameng-Signature", "")
    fits = (_KEY.fullmatch(name), _TIMESTAMP.fullmatch(stamp), _NONCE.fullmatch(nonce), _SIGNATURE.fullmatch(claimed))
    if not all(fits):
        raise SignatureMissing
    address = client_address(request)
    key = key_named(name, shop_id=shop_id)
    if key is None:
        require("supply-guess", address, limit=GUESS_LIMIT, seconds=SECONDS)
        raise KeyUnknown
    require("supply", str(key.client_id), limit=CLIENT_LIMIT, seconds=SECONDS)
    now = int(time.time())
    if abs(now - int(stamp)) > WINDOW_SECONDS:
        raise TimestampStale(extra={"now": now})
    body = raw_body(request, limit=MAX_BODY_BYTES)
    target = request.get_full_path()
    expected = signature(
        key.secret, method=request.method or "", target=target, timestamp=stamp, nonce=nonce, body=body
    )
    if not hmac.compare_digest(expected, claimed):
        require("supply-guess", address, limit=GUESS_LIMIT, seconds=SECONDS)
        raise SignatureWrong
    if not nonce_use(key_id=key.pk, nonce=nonce):
        raise NonceUsed
    return Caller(key.client, key.name, body)


class SupplyEndpoint(Endpoint):
    """One address of the supply API: whoever gets as far as its methods is `caller`."""

    caller: Caller

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Before any method runs."""
        super().initial(request, *args, **kwargs)
        self.caller = caller_of(request._request, shop_id=request.shop.pk)  # type: ignore[attr-defined]
