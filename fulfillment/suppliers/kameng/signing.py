"""The supply API's signature: HMAC-SHA256 in lower-case hex over method, path with query, seconds, nonce and the body's
SHA-256, a line each (`docs/supply-api.md`, "Signing")."""

import hashlib
import hmac

#: By so many seconds may the clocks of both sides differ.
TOLERANCE = 300
#: Signed instead of the callback's real address, which the sender does not choose.
CALLBACK_TARGET = "/api/supply/v1/callback/"


def signature(secret: str, *, method: str, target: str, timestamp: int, nonce: str, body: bytes) -> str:
    """The signature of a request or a callback. `target` is the path as sent, with its query."""
    lines = (method, target, str(timestamp), nonce, hashlib.sha256(body).hexdigest())
    return hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()
