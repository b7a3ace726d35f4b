"""Keys and secrets of both sides, made once.

Below the folder: `gateways/{alipay,alipay_cert,alipay_jsapi,wechatpay,wechatpay_jsapi,epay,epay_v2}.json` and
`suppliers/{code}.json` are what a merchant would be given; `private/keys.json` is what only the other side knows. All
are readable by the owner alone.
"""

import datetime
import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from kameng.sandbox import crypto
from kameng.sandbox.certificates import alipay_certificates

DEFAULT_PORT = 8900
#: The suppliers of the demo, in the order of their own ports: `port + 1`, `port + 2`, …
SUPPLIERS = {
    "xinghe": "fulu",
    "lantian": "fulu",
    "yunka": "dujiao",
    "baihe": "dujiao",
    "huayu": "acgfaka",
    "shanhe": "generic",
    "tongxin": "yrapi",
    "yuanyang": "dtone",
    "haitang": "reloadly",
    "qingshan": "kameng",
}
#: What follows the address of a supplier's own port in `base_url`; most merchants append the paths themselves.
ENTRANCES = {
    "fulu": "/api/getway",
    "dujiao": "",
    "acgfaka": "",
    "generic": "",
    "yrapi": "/yrapi.php",
    "dtone": "/v1",
    "reloadly": "",
    "kameng": "",
}
#: What yrapi's numbers mean here, as a merchant enters it.
YRAPI_STATES = '{"0":"accepted","1":"delivered","2":"failed","3":"partial","-1":"canceled"}'
#: In which a supplier counts, where it is not yuan.
CURRENCIES = {"dtone": "USD", "reloadly": "USD"}


@dataclass(frozen=True)
class Alipay:
    """One application of one seller, and the platform's own key."""

    app_id: str
    seller_id: str
    app_public_key: str
    alipay_private_key: str
    app_cert: str
    alipay_cert: str
    root_cert: str

    @cached_property
    def app_cert_sn(self) -> str:
        """What a merchant in certificate mode calls its certificate."""
        return crypto.cert_sn(x509.load_pem_x509_certificate(self.app_cert.encode()))

    @cached_property
    def alipay_cert_sn(self) -> str:
        """What replies in certificate mode call the key that signs them."""
        return crypto.cert_sn(x509.load_pem_x509_certificate(self.alipay_cert.encode()))

    @cached_property
    def root_cert_sn(self) -> str:
        """What a merchant calls the roots that it trusts: those signed with RSA."""
        roots = x509.load_pem_x509_certificates(self.root_cert.encode())
        return "_".join(crypto.cert_sn(root) for root in roots if isinstance(root.public_key(), rsa.RSAPublicKey))

    @cached_property
    def signer(self) -> rsa.RSAPrivateKey:
        """Signs replies and notices."""
        return crypto.load_private_key(self.alipay_private_key)

    @cached_property
    def verifier(self) -> rsa.RSAPublicKey:
        """Verifies the merchant's requests."""
        return crypto.load_public_key(self.app_public_key)


@dataclass(frozen=True)
class WechatPay:
    """One merchant, and both of the platform's keys: the newer public key and the older certificate."""

    appid: str
    mchid: str
    merchant_serial: str
    merchant_public_key: str
    apiv3_key: str
    public_key_id: str
    private_key: str
    certificate_serial: str
    certificate: str
    certificate_private_key: str
    app_secret: str

    @cached_property
    def signers(self) -> dict[str, rsa.RSAPrivateKey]:
        """By the serial that `Wechatpay-Serial` names."""
        return {
            self.public_key_id: crypto.load_private_key(self.private_key),
            self.certificate_serial: crypto.load_private_key(self.certificate_private_key),
        }

    @cached_property
    def verifier(self) -> rsa.RSAPublicKey:
        """Verifies the merchant's requests."""
        return crypto.load_public_key(self.merchant_public_key)


@dataclass(frozen=True)
class Epay:
    """One merchant of an epay installation: the key of version 1, and the keys of version 2."""

    pid: str
    key: str
    merchant_public_key: str
    private_key: str

    @cached_property
    def signer(self) -> rsa.RSAPrivateKey:
        """Signs replies and notices of version 2."""
        return crypto.load_private_key(self.private_key)

    @cached_property
    def verifier(self) -> rsa.RSAPublicKey:
        """Verifies the merchant's requests of version 2."""
        return crypto.load_public_key(self.merchant_public_key)


@dataclass(frozen=True)
class Keyring:
    """Everything that the other side knows."""

    alipay: Alipay
    wechatpay: WechatPay
    epay: Epay
    suppliers: Mapping[str, Mapping[str, str]]


def ensure(folder: Path, *, port: int | None = None, supplier_ports: Mapping[str, int] | None = None) -> Keyring:
    """Make what is missing below `folder` and return the other side's part; safe to call again and at the same time.

    Keys never change once made. Addresses follow `port`, or else `SANDBOX_PORT` of the environment (suppliers:
    `port + 1` onwards, unless `supplier_ports` says otherwise); without either they stay as they are, at first those of
    port 8900.
    """
    if port is None and os.environ.get("SANDBOX_PORT"):
        port = int(os.environ["SANDBOX_PORT"])
    for part in ("gateways", "suppliers", "private"):
        (folder / part).mkdir(parents=True, exist_ok=True, mode=0o700)
    with _locked(folder / "private" / "lock"):
        private = _read(folder / "private" / "keys.json")
        if not private:
            private = _generate()
        if "epay" not in private:
            private["epay"], ours = _generate_epay()
            private["merchant"] |= ours
        private["wechatpay"].setdefault("app_secret", secrets.token_hex(16))
        if "root_cert" not in private["alipay"]:
            private["alipay"] |= _certified(private["alipay"])
        known = private["suppliers"]
        private["suppliers"] = {code: known.get(code) or _secrets(protocol) for code, protocol in SUPPLIERS.items()}
        if port is not None or set(private.get("supplier_ports", ())) != set(SUPPLIERS):
            private["port"] = port or private.get("port", DEFAULT_PORT)
            private["supplier_ports"] = dict(
                supplier_ports or {code: private["port"] + n for n, code in enumerate(SUPPLIERS, start=1)}
            )
        _write(folder / "private" / "keys.json", private)
        _write_merchant_side(folder, private)
    return Keyring(
        alipay=Alipay(**private["alipay"]),
        wechatpay=WechatPay(**private["wechatpay"]),
        epay=Epay(**private["epay"]),
        suppliers=private["suppliers"],
    )


def _generate() -> dict[str, Any]:
    app, alipay, merchant, platform, certified = (_pair() for _ in range(5))
    mchid = "16" + crypto.digits(8)
    certificate = _self_signed(certified)
    return {
        "alipay": {
            "app_id": "2021" + crypto.digits(12),
            "seller_id": "2088" + crypto.digits(12),
            "app_public_key": _public_pem(app),
            "alipay_private_key": _private_pem(alipay),
        },
        "wechatpay": {
            "appid": "wx" + secrets.token_hex(8),
            "mchid": mchid,
            "merchant_serial": secrets.token_hex(20).upper(),
            "merchant_public_key": _public_pem(merchant),
            "apiv3_key": secrets.token_hex(16),
            "public_key_id": f"PUB_KEY_ID_0{mchid}{crypto.digits(18)}",
            "private_key": _private_pem(platform),
            "certificate_serial": f"{certificate.serial_number:040X}",
            "certificate": certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "certificate_private_key": _private_pem(certified),
        },
        "suppliers": {},
        "merchant": {
            "alipay_app_private_key": _private_pem(app),
            "alipay_public_key": _public_pem(alipay),
            "wechatpay_merchant_private_key": _private_pem(merchant),
            "wechatpay_public_key": _public_pem(platform),
        },
    }


def _generate_epay() -> tuple[dict[str, str], dict[str, str]]:
    """Theirs and the merchant's; apart from the others because older folders do not have them."""
    merchant, platform = _pair(), _pair()
    theirs = {
        "pid": crypto.digits(4),
        "key": secrets.token_hex(16),
        "merchant_public_key": _public_pem(merchant),
        "private_key": _private_pem(platform),
    }
    return theirs, {"epay_private_key": _private_pem(merchant), "epay_platform_public_key": _public_pem(platform)}


def _certified(alipay: Mapping[str, str]) -> dict[str, str]:
    """Certificates of the keys that there are; apart from them because older folders have none."""
    platform = crypto.load_private_key(alipay["alipay_private_key"]).public_key()
    return alipay_certificates(crypto.load_public_key(alipay["app_public_key"]), platform)


def _secrets(protocol: str) -> dict[str, str]:
    """What a supplier of that protocol and its merchant both know."""
    match protocol:
        case "fulu":
            return {"app_key": secrets.token_urlsafe(48), "app_secret": secrets.token_hex(16)}
        case "acgfaka":
            return {"app_id": crypto.digits(6), "app_key": secrets.token_hex(8).upper()}
        case "dtone":
            return {"api_key": secrets.token_hex(16), "api_secret": secrets.token_hex(16), "calling_code": "86"}
        case "reloadly":
            return {"client_id": secrets.token_urlsafe(24), "client_secret": secrets.token_urlsafe(36)}
        case "kameng":
            return {"key": f"ks_{secrets.token_hex(12)}", "secret": secrets.token_urlsafe(32)}
        case "generic":
            return {"mch_id": crypto.digits(8), "secret": secrets.token_hex(16)}
        case "yrapi":
            return {"userid": crypto.digits(6), "apikey": secrets.token_hex(16), "states": YRAPI_STATES}
        case _:
            return {"api_key": f"dj_{secrets.token_hex(16)}", "api_secret": secrets.token_hex(32)}


def _merchant_config(protocol: str, known: Mapping[str, str]) -> dict[str, str]:
    """What the merchant enters. A protocol of somebody's own comes with a description of it."""
    if protocol != "generic":
        return dict(known)
    described = Path(__file__).with_name("shanhe_mapping.json").read_text(encoding="utf-8")
    return {"secret": known["secret"], "mapping": described.replace("MCH_ID", known["mch_id"])}


def _write_merchant_side(folder: Path, private: Mapping[str, Any]) -> None:
    address = f"http://127.0.0.1:{private['port']}"
    alipay, wechatpay, merchant = private["alipay"], private["wechatpay"], private["merchant"]
    account: dict[str, Any] = {
        "app_id": alipay["app_id"],
        "seller_id": alipay["seller_id"],
        "app_private_key": merchant["alipay_app_private_key"],
        "alipay_public_key": merchant["alipay_public_key"],
        "base_url": f"{address}/alipay/gateway.do",
    }
    _write(folder / "gateways" / "alipay.json", account)
    authorize_url = f"{address}/oauth2/publicAppAuthorize.htm"
    _write(folder / "gateways" / "alipay_jsapi.json", account | {"jsapi": True, "authorize_url": authorize_url})
    _write(
        folder / "gateways" / "alipay_cert.json",
        {
            "app_id": alipay["app_id"],
            "seller_id": alipay["seller_id"],
            "app_private_key": merchant["alipay_app_private_key"],
            "app_cert": alipay["app_cert"],
            "alipay_root_cert": alipay["root_cert"],
            "alipay_public_cert": alipay["alipay_cert"],
            "base_url": f"{address}/alipay/gateway.do",
        },
    )
    inside = {"app_secret": wechatpay["app_secret"], "login_url": address}
    inside["authorize_url"] = f"{address}/connect/oauth2/authorize"
    account = {
        "appid": wechatpay["appid"],
        "mchid": wechatpay["mchid"],
        "merchant_private_key": merchant["wechatpay_merchant_private_key"],
        "merchant_serial": wechatpay["merchant_serial"],
        "apiv3_key": wechatpay["apiv3_key"],
        "public_key_id": wechatpay["public_key_id"],
        "public_key": merchant["wechatpay_public_key"],
        "platform_certificates": {wechatpay["certificate_serial"]: wechatpay["certificate"]},
        "base_url": f"{address}/wechatpay",
    }
    _write(folder / "gateways" / "wechatpay.json", account)
    _write(folder / "gateways" / "wechatpay_jsapi.json", account | inside)
    epay = private["epay"]
    account = {"base_url": f"{address}/epay", "pid": epay["pid"], "types": "alipay,wxpay,qqpay", "can_refund": True}
    _write(folder / "gateways" / "epay.json", {**account, "version": "1", "key": epay["key"]})
    _write(
        folder / "gateways" / "epay_v2.json",
        {
            **account,
            "version": "2",
            "merchant_private_key": merchant["epay_private_key"],
            "platform_public_key": merchant["epay_platform_public_key"],
        },
    )
    for code, protocol in SUPPLIERS.items():
        own = f"http://127.0.0.1:{private['supplier_ports'][code]}"
        _write(
            folder / "suppliers" / f"{code}.json",
            {
                "protocol": protocol,
                "base_url": own + ENTRANCES[protocol],
                "currency": CURRENCIES.get(protocol, "CNY"),
                "config": _merchant_config(protocol, private["suppliers"][code]),
            },
        )


def _pair() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _public_pem(key: rsa.RSAPrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def _self_signed(key: rsa.RSAPrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kameng sandbox platform certificate")])
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=5 * 365))
        .sign(key, hashes.SHA256())
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    return found


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """Replace the file in one step, readable by the owner alone, and only if it changes."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    if path.exists() and path.read_text() == text:
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as handle:
        handle.write(text)
    temporary.replace(path)
