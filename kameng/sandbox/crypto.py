"""The few cryptographic operations that the protocols need."""

import base64
import binascii
import hashlib
import hmac
import secrets

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, padding, serialization
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.x509.oid import NameOID

ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"


def load_private_key(pem: str) -> RSAPrivateKey:
    """A PKCS#8 key of ours."""
    key = serialization.load_pem_private_key(pem.encode(), password=None)
    if not isinstance(key, RSAPrivateKey):
        raise TypeError("not an RSA key")
    return key


def load_public_key(pem: str) -> RSAPublicKey:
    """The merchant's SPKI key."""
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, RSAPublicKey):
        raise TypeError("not an RSA key")
    return key


def cert_sn(certificate: x509.Certificate) -> str:
    """What Alipay calls a certificate: MD5 of the issuer, from the common name to the country, and the serial."""
    issuer = certificate.issuer
    parts = [("CN", NameOID.COMMON_NAME), ("OU", NameOID.ORGANIZATIONAL_UNIT_NAME)]
    parts += [("O", NameOID.ORGANIZATION_NAME), ("C", NameOID.COUNTRY_NAME)]
    name = ",".join(f"{word}={issuer.get_attributes_for_oid(oid)[0].value!s}" for word, oid in parts)
    return hashlib.md5(f"{name}{certificate.serial_number}".encode(), usedforsecurity=False).hexdigest()


def rsa_sign(key: RSAPrivateKey, text: bytes) -> str:
    """SHA256 with RSA (PKCS#1 v1.5), base64."""
    return base64.b64encode(key.sign(text, PKCS1v15(), hashes.SHA256())).decode()


def rsa_verify(key: RSAPublicKey, text: bytes, signature: str) -> bool:
    """True only for a well-formed base64 signature by `key`."""
    try:
        key.verify(base64.b64decode(signature, validate=True), text, PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def spoil(signature: str) -> str:
    """The same signature with a few bits turned: of the right form and wrong."""
    raw = bytearray(base64.b64decode(signature))
    raw[len(raw) // 2] ^= 0x5A
    return base64.b64encode(raw).decode()


def gcm_seal(key: str, *, nonce: str, associated_data: str, plain: bytes) -> str:
    """AEAD_AES_256_GCM as WeChat Pay does it: the tag is the last 16 bytes, all in base64."""
    return base64.b64encode(AESGCM(key.encode()).encrypt(nonce.encode(), plain, associated_data.encode())).decode()


def ecb_seal(key: str, plain: str) -> str:
    """AES-256-ECB with PKCS#7, base64, as Fulu sends cards; the key is the 32-character secret itself."""
    padder = padding.PKCS7(128).padder()
    padded = padder.update(plain.encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(key.encode()), modes.ECB()).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def hmac_hex(secret: str, text: str) -> str:
    """HMAC-SHA256 in lower-case hex."""
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def same(left: str, right: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left.encode(), right.encode())


def letters(count: int) -> str:
    """Random capitals and digits that cannot be mistaken for each other."""
    return "".join(secrets.choice(ALPHABET) for _ in range(count))


def digits(count: int) -> str:
    """Random decimal digits."""
    return "".join(secrets.choice("0123456789") for _ in range(count))
