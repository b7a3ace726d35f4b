"""Reading a merchant account's configuration: every field present, every key readable, nothing empty accepted."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

from payments.gateways import signing
from payments.gateways.base import GatewayMisconfigured


def read_text(config: Mapping[str, object], name: str) -> str:
    """A text that must be there. Raises `GatewayMisconfigured`."""
    value = read_optional_text(config, name)
    if not value:
        raise GatewayMisconfigured(f"{name} is missing")
    return value


def read_optional_text(config: Mapping[str, object], name: str) -> str:
    """A text that may be absent or empty. Raises `GatewayMisconfigured` if it is something else."""
    value = config.get(name) or ""
    if not isinstance(value, str):
        raise GatewayMisconfigured(f"{name} is not a text")
    return value.strip()


def read_flag(config: Mapping[str, object], name: str, *, default: bool) -> bool:
    """Yes or no, as JSON says it. Raises `GatewayMisconfigured` for anything that only looks like it."""
    value = config.get(name, default)
    if not isinstance(value, bool):
        raise GatewayMisconfigured(f"{name} is neither true nor false")
    return value


def read_private_key(config: Mapping[str, object], name: str) -> RSAPrivateKey:
    """An RSA private key. Raises `GatewayMisconfigured`, which never quotes the key."""
    try:
        return signing.load_private_key(read_text(config, name))
    except ValueError as error:
        raise GatewayMisconfigured(f"{name}: {error}") from None


def read_public_key(config: Mapping[str, object], name: str) -> RSAPublicKey:
    """An RSA public key. Raises `GatewayMisconfigured`."""
    try:
        return signing.load_public_key(read_text(config, name))
    except ValueError as error:
        raise GatewayMisconfigured(f"{name}: {error}") from None


def read_base_url(config: Mapping[str, object], name: str = "base_url") -> str:
    """Where to call, without a trailing slash: https, or http on this machine only. Raises `GatewayMisconfigured`."""
    url = read_text(config, name).rstrip("/")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise GatewayMisconfigured(f"{name} is not a URL") from None
    if not host or parts.query or parts.fragment or parts.username is not None:
        raise GatewayMisconfigured(f"{name} is not a plain URL")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise GatewayMisconfigured(f"{name} is not https")
    return url


def is_safe_url(url: str, *, like: str) -> bool:
    """Whether an address that the other side names may be called: https, or this machine where we are told of it."""
    try:
        parts, ours = urlsplit(url), urlsplit(like)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or parts.username is not None:
        return False
    if _is_loopback(host):
        return parts.scheme in {"http", "https"} and _is_loopback(ours.hostname or "")
    return parts.scheme == "https"


def _is_loopback(host: str) -> bool:
    return host in {"localhost", "127.0.0.1", "::1"} or host.endswith(".localhost")
