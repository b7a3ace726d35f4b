"""Alipay's certificates, made by a root of our own: the application's, the platform's, and the file of roots."""

import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

Signer = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def alipay_certificates(app: rsa.RSAPublicKey, platform: rsa.RSAPublicKey) -> dict[str, str]:
    """PEM by name. As in the real file of roots, not all of ours are RSA, and the others take no part in its name."""
    root, elliptic = (
        rsa.generate_private_key(public_exponent=65537, key_size=2048),
        ec.generate_private_key(ec.SECP256R1()),
    )
    rsa_name, elliptic_name = _name("Kameng Sandbox Root R1"), _name("Kameng Sandbox Root E1")
    roots = [
        _issue(rsa_name, root.public_key(), rsa_name, root),
        _issue(elliptic_name, elliptic.public_key(), elliptic_name, elliptic),
    ]
    return {
        "app_cert": _issue(_name("sandbox application"), app, rsa_name, root),
        "alipay_cert": _issue(_name("支付宝沙箱"), platform, rsa_name, root),
        "root_cert": "\n".join(roots),
    }


def _name(common: str) -> x509.Name:
    parts = [(NameOID.COUNTRY_NAME, "CN"), (NameOID.ORGANIZATION_NAME, "Kameng Sandbox")]
    parts += [(NameOID.ORGANIZATIONAL_UNIT_NAME, "Certification Authority"), (NameOID.COMMON_NAME, common)]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


def _issue(
    subject: x509.Name, key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey, issuer: x509.Name, signer: Signer
) -> str:
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=1))
    builder = builder.not_valid_after(now + datetime.timedelta(days=5 * 365))
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM).decode()
