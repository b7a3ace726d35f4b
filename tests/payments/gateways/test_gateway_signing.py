import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from payments.gateways import signing
from tests.payments.gateways.platforms import rsa_sign

VECTOR = json.loads((Path(__file__).parent / "openssl_vector.json").read_text(encoding="utf-8"))
MESSAGE = VECTOR["message"].encode()


def bare(pem: str) -> str:
    return "".join(line for line in pem.splitlines() if not line.startswith("-----"))


@pytest.mark.parametrize("name", ["private_pkcs8", "private_pkcs1"])
@pytest.mark.parametrize("form", [str, bare, lambda pem: pem.replace("\n", " "), lambda pem: f"\n{pem}\r\n"])
def test_signs_as_openssl_does_from_every_form_of_private_key(name, form):
    assert signing.sign(signing.load_private_key(form(VECTOR[name])), MESSAGE) == VECTOR["signature"]


@pytest.mark.parametrize("name", ["public_spki", "public_pkcs1"])
@pytest.mark.parametrize("form", [str, bare])
def test_verifies_what_openssl_signed_with_every_form_of_public_key(name, form):
    assert signing.verify(signing.load_public_key(form(VECTOR[name])), MESSAGE, VECTOR["signature"])


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "AAAA",
        "not base64",
        "签名",
        VECTOR["signature"][:-4],
        VECTOR["signature"] + "AAAA",
        VECTOR["signature"].replace("+", " "),
        base64.b64encode(bytes(256)).decode(),
        base64.b64encode(b"\xff" * 256).decode(),
    ],
)
def test_refuses_a_signature_that_is_not_the_owners(signature):
    assert not signing.verify(signing.load_public_key(VECTOR["public_spki"]), MESSAGE, signature)


def test_refuses_one_changed_bit_of_the_message():
    key = signing.load_public_key(VECTOR["public_spki"])
    assert not signing.verify(key, MESSAGE.replace(b"100", b"101"), VECTOR["signature"])


@pytest.mark.parametrize("digest", [hashes.SHA1(), hashes.SHA512()])
def test_refuses_every_digest_but_sha256(keys, digest):
    signature = rsa_sign(keys.platform, MESSAGE, digest)
    assert not signing.verify(keys.platform.public_key(), MESSAGE, signature)


def der(key, *, private=True):
    if private:
        return base64.b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()
    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def test_refuses_keys_too_short_to_trust():
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    with pytest.raises(ValueError, match="2048"):
        signing.load_private_key(der(short))
    with pytest.raises(ValueError, match="2048"):
        signing.load_public_key(der(short, private=False))


def test_refuses_keys_of_another_kind():
    elliptic = ec.generate_private_key(ec.SECP256R1())
    with pytest.raises(ValueError, match="not an RSA key"):
        signing.load_private_key(der(elliptic))
    with pytest.raises(ValueError, match="not an RSA key"):
        signing.load_public_key(der(elliptic, private=False))


@pytest.mark.parametrize("text", ["", "   ", "AAAA", "no key", VECTOR["public_spki"], VECTOR["private_pkcs8"][:600]])
def test_does_not_quote_a_private_key_that_it_cannot_read(text):
    with pytest.raises(ValueError, match="not a readable private key") as raised:
        signing.load_private_key(text)
    assert str(raised.value) == "not a readable private key"
    assert raised.value.__suppress_context__


def test_reads_no_private_key_where_a_public_one_is_meant():
    with pytest.raises(ValueError, match="not a readable public key"):
        signing.load_public_key(VECTOR["private_pkcs8"])


def test_reads_a_key_once(keys):
    assert signing.load_private_key(VECTOR["private_pkcs8"]) is signing.load_private_key(VECTOR["private_pkcs8"])
