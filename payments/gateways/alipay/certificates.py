"""Alipay's certificate mode: our application's certificate, Alipay's own and its root's, each named by a digest.

Source: opendocs.alipay.com/common/02kf5q (certificate mode), and the rule in the official SDKs: MD5 over the issuer's
name, its parts in reverse order as RFC 2253 has them, followed by the serial number in decimal. Of the root file, which
also holds certificates of other algorithms, only those that are signed with RSA count; theirs are joined with `_`.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from payments.gateways import signing
from payments.gateways.alipay.chains import chain_check
from payments.gateways.base import GatewayMisconfigured
from payments.gateways.configuration import read_optional_text, read_text

NAMES = ("app_cert", "alipay_root_cert", "alipay_public_cert")
#: PKCS#1, under which every RSA signature algorithm is (RFC 8017, appendix C).
RSA_ALGORITHMS = "1.2.840.113549.1.1."

_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Certificates:
    """How we name our certificate and their root, and Alipay's keys by the names that its replies carry."""

    app: str
    root: str
    keys: Mapping[str, RSAPublicKey]


def read_certificates(config: Mapping[str, object], private_key: RSAPrivateKey) -> Certificates | None:
    """The three certificates of an account in certificate mode; None where there is none of them.

    `alipay_public_cert` may hold several, while one takes another's place. Raises `GatewayMisconfigured`.
    """
    if not any(read_optional_text(config, name) for name in NAMES):
        return None
    app, app_key = _read(config, "app_cert")[0]
    if app_key != private_key.public_key():
        raise GatewayMisconfigured("app_cert is not the certificate of app_private_key")
    theirs = _read(config, "alipay_public_cert")
    keys = {serial_of(certificate): key for certificate, key in theirs}
    if app_key in keys.values():
        raise GatewayMisconfigured("alipay_public_cert is the application's own certificate, not Alipay's")
    return Certificates(serial_of(app), _root(config), keys)


def certificates_vet(config: Mapping[str, object], *, now: datetime) -> None:
    """Whether Alipay's certificates are issued by its roots, and in their time: looked at when they are configured, not
    while they are in use, so that a date that passes stops nobody's money. Raises `GatewayMisconfigured`."""
    if not any(read_optional_text(config, name) for name in NAMES):
        return
    chain_check(
        [certificate for certificate, _key in _read(config, "alipay_public_cert")], list(_roots(config)), now=now
    )


def serial_of(certificate: x509.Certificate) -> str:
    """What Alipay calls a certificate's `cert_sn`."""
    named = f"{certificate.issuer.rfc4514_string()}{certificate.serial_number}"
    return hashlib.md5(named.encode(), usedforsecurity=False).hexdigest()


def _root(config: Mapping[str, object]) -> str:
    serials = [
        serial_of(certificate)
        for certificate in _roots(config)
        if certificate.signature_algorithm_oid.dotted_string.startswith(RSA_ALGORITHMS)
    ]
    if not serials:
        raise GatewayMisconfigured("alipay_root_cert: none of its certificates is signed with RSA")
    return "_".join(serials)


def _roots(config: Mapping[str, object]) -> Iterator[x509.Certificate]:
    for block in _blocks(config, "alipay_root_cert"):
        try:
            yield x509.load_pem_x509_certificate(block.encode())
        except ValueError:
            raise GatewayMisconfigured("alipay_root_cert: not a readable certificate") from None


def _read(config: Mapping[str, object], name: str) -> list[tuple[x509.Certificate, RSAPublicKey]]:
    try:
        return [signing.load_certificate(block) for block in _blocks(config, name)]
    except ValueError as error:
        raise GatewayMisconfigured(f"{name}: {error}") from None


def _blocks(config: Mapping[str, object], name: str) -> list[str]:
    """Each certificate of a file, as it was given out."""
    blocks = _BLOCK.findall(read_text(config, name))
    if not blocks:
        raise GatewayMisconfigured(f"{name} holds no certificate (-----BEGIN CERTIFICATE-----)")
    return blocks
