"""Time-based one-time codes as authenticator apps make them: RFC 6238 over RFC 4226, with SHA-1, six digits, 30 s."""

import base64
import hashlib
import hmac
import secrets
from urllib.parse import quote, urlencode

DIGITS = 6
STEP_SECONDS = 30
#: How many steps a clock may be off, either way (RFC 6238, 5.2).
DRIFT = 1
#: As long as the digest, which RFC 4226 (4, R6) recommends.
KEY_BYTES = 20


def new_key() -> str:
    """A fresh key, in base 32 as apps take it."""
    return base64.b32encode(secrets.token_bytes(KEY_BYTES)).decode()


def code_at(key: str, step: int) -> str:
    """The code of one step, counted from the epoch."""
    mac = hmac.new(base64.b32decode(key), step.to_bytes(8, "big"), hashlib.sha1).digest()
    offset = mac[-1] & 15
    number = int.from_bytes(mac[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def step_of(now: float) -> int:
    """The step that a moment, in seconds since the epoch, is in."""
    return int(now // STEP_SECONDS)


def matching_step(key: str, code: str, *, now: float) -> int | None:
    """The step around `now` that has this code; the latest one, where two should have the same."""
    here = step_of(now)
    found = [
        step
        for step in range(here - DRIFT, here + DRIFT + 1)
        if hmac.compare_digest(code_at(key, step).encode(), code.encode())
    ]
    return max(found, default=None)


def address(key: str, *, issuer: str, account: str) -> str:
    """What the code to scan says (https://github.com/google/google-authenticator/wiki/Key-Uri-Format)."""
    label = quote(f"{issuer}:{account}", safe="")
    # A space must be %20 there, never a plus.
    told = urlencode({"secret": key, "issuer": issuer, "digits": DIGITS, "period": STEP_SECONDS}, quote_via=quote)
    return f"otpauth://totp/{label}?{told}"
