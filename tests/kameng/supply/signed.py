"""The signature of the supply API, from its document with the primitives alone."""

import hashlib
import hmac

ROOT = "/api/supply/v1/"


def sign(secret: str, method: str, target: str, stamp: str, nonce: str, body: bytes) -> str:
    """Five lines."""
    text = f"{method}\n{target}\n{stamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}"
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
