"""The signature of the supply API, as `docs/supply-api.md` describes it to those who write the other side."""

import hashlib
import hmac

#: Signed in callbacks instead of their real address, which is the client's to choose.
CALLBACK_TARGET = "/api/supply/v1/callback/"


def signature(secret: str, *, method: str, target: str, timestamp: str, nonce: str, body: bytes) -> str:
    """HMAC-SHA256 in lower-case hex over five lines; `target` is the path as sent, with its query."""
    lines = (method, target, timestamp, nonce, hashlib.sha256(body).hexdigest())
    return hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()
