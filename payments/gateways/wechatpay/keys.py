"""A merchant account's keys: what seals notices, and WeChat Pay's own by the serials that its messages name."""

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from payments.gateways import signing
from payments.gateways.base import GatewayMisconfigured
from payments.gateways.configuration import read_optional_text, read_public_key, read_text

API_KEY_BYTES = 32


def api_key(config: Mapping[str, object]) -> bytes:
    """The APIv3 key, which seals notices. Raises `GatewayMisconfigured`."""
    key = read_text(config, "apiv3_key").encode("utf-8")
    if len(key) != API_KEY_BYTES:
        raise GatewayMisconfigured(f"apiv3_key is not {API_KEY_BYTES} bytes")
    return key


def platform_keys(config: Mapping[str, object]) -> tuple[dict[str, RSAPublicKey], str]:
    """WeChat Pay's keys by serial, and the serial to ask for: the public key's or the newest certificate's.

    During the move from certificates to the public key both sign notices, so both may be configured. Raises
    `GatewayMisconfigured`.
    """
    keys: dict[str, RSAPublicKey] = {}
    certificates = config.get("platform_certificates") or {}
    if not isinstance(certificates, Mapping):
        raise GatewayMisconfigured("platform_certificates is not a mapping of serial to PEM")
    newest = ""
    latest = None
    for serial, pem in certificates.items():
        try:
            certificate, key = signing.load_certificate(str(pem))
            if int(str(serial), 16) != certificate.serial_number:
                raise ValueError("the certificate has another serial")
        except ValueError as error:
            raise GatewayMisconfigured(f"platform_certificates, {serial}: {error}") from None
        keys[lookup(str(serial))] = key
        if latest is None or certificate.not_valid_after_utc > latest:
            newest, latest = str(serial).upper(), certificate.not_valid_after_utc
    public_key_id = read_optional_text(config, "public_key_id")
    if public_key_id or read_optional_text(config, "public_key"):
        newest = read_text(config, "public_key_id")
        keys[lookup(newest)] = read_public_key(config, "public_key")
    if not keys:
        raise GatewayMisconfigured("neither public_key nor platform_certificates is configured")
    return keys, newest


def lookup(serial: str) -> str:
    """A serial as our key table has it: tools differ in case and in leading zeros."""
    return serial.upper().lstrip("0")
