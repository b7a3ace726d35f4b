"""Fulu's signature and card cipher.

Signature: the compact JSON text without `sign`, its characters sorted, the secret behind them, MD5 in lower-case hex
(https://github.com/javareact/fulu-openapi, `src/Tools/Sign.php`). Because only the characters are covered and not their
order, a text with permuted digits keeps its signature: it proves nothing about an order number or a result.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear

KEY_BYTES = 32


def compact(fields: Mapping[str, object]) -> str:
    """JSON as it is signed and sent: no spaces, no escapes."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"), default=float)


def signature(text: str, secret: str) -> str:
    """The signature over a text."""
    return hashlib.md5(("".join(sorted(text)) + secret).encode(), usedforsecurity=False).hexdigest()


def signed(text: str, claimed: object, secret: str) -> bool:
    """Whether `claimed` is the text's signature; PHP senders sign slashes as `\\/`."""
    if not isinstance(claimed, str) or not claimed.isascii():
        return False
    candidates = (signature(text, secret), signature(text.replace("/", "\\/"), secret))
    return any(hmac.compare_digest(candidate, claimed.lower()) for candidate in candidates)


def decrypted(sealed: str, secret: str) -> str:
    """A card number or password: AES-256 in ECB mode with the secret as key, PKCS#7, base64. Raises `Unclear`."""
    try:
        decryptor = Cipher(algorithms.AES(secret.encode()), modes.ECB()).decryptor()
        padded = decryptor.update(base64.b64decode(sealed, validate=True)) + decryptor.finalize()
        unpadder = padding.PKCS7(128).unpadder()
        return (unpadder.update(padded) + unpadder.finalize()).decode()
    except ValueError as error:
        raise Unclear(Reason.UNREADABLE) from error
