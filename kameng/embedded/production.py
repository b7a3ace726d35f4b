"""What production must be given, looked at before anything starts: standard library only, nothing is made up here.

A weak secret is as good as none, and a service that starts with one is found out too late.
"""

import base64
import binascii
import ipaddress
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from kameng.embedded.console import Refused

KEY_BYTES = 32
#: Of 32 random bytes 23 or more are different in all but one of a million; of a typed sentence, about 15 are.
DIFFERENT_BYTES = 20
#: 32 random bytes in base64; in hexadecimal they have 64 characters, but only 16 different ones.
TEXT_LENGTH, DIFFERENT_CHARACTERS = 43, 10
SCHEMES = {"DATABASE_URL": {"postgres", "postgresql"}, "REDIS_URL": {"redis", "rediss", "unix"}}


def demand(environ: Mapping[str, str]) -> None:
    """Raises `Refused` with everything that is missing or weak, in one line, without showing any value."""
    wrong = [*_secrets(environ), *_addresses(environ), *_hosts(environ)]
    if wrong:
        raise Refused(f"production cannot start: {'; '.join(wrong)} (see docs/operations.md)")


def _secrets(environ: Mapping[str, str]) -> Iterator[str]:
    for name in ("SECRET_KEY", "DIGEST_KEY"):
        value = environ.get(name, "")
        if not value:
            yield f"{name} is not set"
        elif len(value) < TEXT_LENGTH or len(set(value)) < DIFFERENT_CHARACTERS:
            yield f"{name} is weak: at least {TEXT_LENGTH} random characters"
    keys = [key for key in environ.get("ENCRYPTION_KEY", "").split(",") if key]
    if not keys:
        yield "ENCRYPTION_KEY is not set"
    for place, key in enumerate(keys, start=1):
        which = f"ENCRYPTION_KEY number {place}" if len(keys) > 1 else "ENCRYPTION_KEY"
        try:
            raw = base64.b64decode(key, validate=True)
        except binascii.Error:
            raw = b""
        if len(raw) != KEY_BYTES:
            yield f"{which} is not base64 of {KEY_BYTES} bytes"
        elif len(set(raw)) < DIFFERENT_BYTES:
            yield f"{which} is weak: {KEY_BYTES} random bytes"
    given = [environ.get("SECRET_KEY", ""), environ.get("DIGEST_KEY", ""), *keys]
    if len({value for value in given if value}) < sum(1 for value in given if value):
        yield "the same secret is used twice"


def _addresses(environ: Mapping[str, str]) -> Iterator[str]:
    for name, schemes in SCHEMES.items():
        value = environ.get(name, "")
        if not value:
            yield f"{name} is not set"
        elif urlsplit(value).scheme not in schemes:
            yield f"{name} does not begin with {' or '.join(f'{scheme}://' for scheme in sorted(schemes))}"
    for proxy in environ.get("TRUSTED_PROXIES", "").split(","):
        if proxy.strip():
            try:
                ipaddress.ip_network(proxy.strip())
            except ValueError as error:
                yield f"TRUSTED_PROXIES: {error}"


def _hosts(environ: Mapping[str, str]) -> Iterator[str]:
    host = environ.get("OPERATIONS_HOST", "")
    if not host:
        yield "OPERATIONS_HOST is not set"
    elif host != host.strip().lower().rstrip(".") or any(mark in host for mark in "/:@ ") or "." not in host:
        yield "OPERATIONS_HOST is not a plain host name in lower case"
    elif host.endswith(".localhost"):
        yield "OPERATIONS_HOST is the demo's"
    base = environ.get("WEBHOOK_BASE_URL", "")
    if base and (urlsplit(base).scheme != "https" or not urlsplit(base).hostname or base.endswith("/")):
        yield "WEBHOOK_BASE_URL is not https://HOST without a slash at the end"
