"""Secrets at rest: AES-256-GCM (NIST SP 800-38D) with a key id for rotation, and an HMAC to find duplicates.

`settings.ENCRYPTION_KEYS` is a list of base64 keys of 32 bytes, newest first: the first seals, all of them unseal. A
sealed text is bound to its `context` (table and row, or account), so that a ciphertext moved to another row does not
open.
"""

import base64
import hashlib
import hmac
import secrets
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

NONCE_BYTES = 12


class Unreadable(Exception):
    """A sealed text was changed, belongs to another context, or its key is gone."""


@lru_cache(maxsize=8)
def _cipher(key: str) -> tuple[str, AESGCM]:
    raw = base64.b64decode(key)
    if len(raw) != 32:
        raise ValueError("an encryption key must be 32 bytes in base64")
    return hashlib.sha256(raw).hexdigest()[:8], AESGCM(raw)


def seal(plain: str, *, context: str) -> str:
    """Encrypt `plain` for storage; `context` names where it will be stored."""
    key_id, cipher = _cipher(settings.ENCRYPTION_KEYS[0])
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = cipher.encrypt(nonce, plain.encode(), context.encode())
    return f"{key_id}.{base64.b64encode(nonce + sealed).decode()}"


def unseal(sealed: str, *, context: str) -> str:
    """Decrypt what `seal` made. Raises `Unreadable`."""
    key_id, _, payload = sealed.partition(".")
    for key in settings.ENCRYPTION_KEYS:
        known_id, cipher = _cipher(key)
        if known_id == key_id:
            raw = base64.b64decode(payload)
            try:
                return cipher.decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], context.encode()).decode()
            except InvalidTag as error:
                raise Unreadable(context) from error
    raise Unreadable(context)


def newest_key_id() -> str:
    """What a text begins with that was sealed with the newest key."""
    return _cipher(settings.ENCRYPTION_KEYS[0])[0]


def digest(value: str, *, purpose: str) -> str:
    """A keyed fingerprint: equal values have equal digests, and without the key nothing can be guessed from one."""
    return hmac.new(settings.DIGEST_KEY.encode(), f"{purpose}\0{value}".encode(), hashlib.sha256).hexdigest()
