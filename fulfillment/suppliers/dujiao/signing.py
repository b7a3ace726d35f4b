"""dujiao-next's signature: HMAC-SHA256 in lower-case hex over method, path without query, seconds and the body's MD5,
a line each (https://github.com/dujiao-next/document, `docs/en/api/integration-open-api.md` §2)."""

import hashlib
import hmac

TOLERANCE = 60


def signature(secret: str, *, method: str, path: str, timestamp: int, body: bytes) -> str:
    """The signature of a request or a callback."""
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    return hmac.new(secret.encode(), f"{method}\n{path}\n{timestamp}\n{digest}".encode(), hashlib.sha256).hexdigest()
