"""RSA signatures over SHA-256 (PKCS#1 v1.5, RFC 8017 §8.2): Alipay's RSA2, WeChat Pay's WECHATPAY2-SHA256-RSA2048.

The algorithm is fixed here and never read from a message. Keys are accepted as PEM or as the bare base64 that the
merchant consoles hand out, PKCS#8 or PKCS#1. Parsing a private key costs some 30 ms because it is checked, so parsed
keys are remembered.
"""

import base64
import re
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key

MINIMUM_KEY_BITS = 2048
REMEMBERED_KEYS = 256

_ARMOR = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")
_PADDING = PKCS1v15()
_DIGEST = SHA256()


@lru_cache(maxsize=REMEMBERED_KEYS)
def load_private_key(text: str) -> RSAPrivateKey:
    """Read an unencrypted RSA private key. Raises `ValueError` without quoting the key."""
    try:
        key = load_der_private_key(_der(text), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("not a readable private key") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < MINIMUM_KEY_BITS:
        raise ValueError(f"not an RSA key of at least {MINIMUM_KEY_BITS} bits")
    return key


@lru_cache(maxsize=REMEMBERED_KEYS)
def load_public_key(text: str) -> RSAPublicKey:
    """Read an RSA public key. Raises `ValueError`."""
    try:
        key = load_der_public_key(_der(text))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("not a readable public key") from None
    return _strong(key)


@lru_cache(maxsize=REMEMBERED_KEYS)
def load_certificate(text: str) -> tuple[x509.Certificate, RSAPublicKey]:
    """Read one X.509 certificate and its RSA public key. Raises `ValueError`."""
    try:
        certificate = x509.load_der_x509_certificate(_der(text))
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("not a readable certificate") from None
    return certificate, _strong(key)


def sign(key: RSAPrivateKey, message: bytes) -> str:
    """The signature as base64 on one line."""
    return base64.b64encode(key.sign(message, _PADDING, _DIGEST)).decode("ascii")


def verify(key: RSAPublicKey, message: bytes, signature: str) -> bool:
    """Whether base64 `signature` is the key owner's over exactly these bytes."""
    try:
        key.verify(base64.b64decode(signature, validate=True), message, _PADDING, _DIGEST)
    except (InvalidSignature, ValueError):
        return False
    return True


def _der(text: str) -> bytes:
    return base64.b64decode("".join(_ARMOR.sub("", text).split()), validate=True)


def _strong(key: object) -> RSAPublicKey:
    if not isinstance(key, RSAPublicKey) or key.key_size < MINIMUM_KEY_BITS:
        raise ValueError(f"not an RSA key of at least {MINIMUM_KEY_BITS} bits")
    return key
