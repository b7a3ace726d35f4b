"""The other side of each gateway, as small as it can be: it checks what we sign and signs what it answers.

Written from the providers' documents with the primitives alone, so that an adapter's mistake is not repeated here.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

import payments.gateways

NOW = 1_795_333_560  # 2026-11-22 15:46:00 in China
PAYMENT = "KM7Q2M9XWZ4T8HRB5NVC3DFGJ"
REFUND = "RF4T8HRB5NVC3DFGJKM7Q2M9"


def payload(gateway: str, name: str) -> dict[str, Any]:
    """A document as the gateway sends it, kept beside its adapter."""
    path = Path(payments.gateways.__path__[0]) / gateway / "payloads" / f"{name}.json"
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def private_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def rsa_sign(key: rsa.RSAPrivateKey, message: bytes, digest: hashes.HashAlgorithm | None = None) -> str:
    return base64.b64encode(key.sign(message, padding.PKCS1v15(), digest or hashes.SHA256())).decode()


def rsa_check(key: rsa.RSAPrivateKey, message: bytes, signature: str) -> None:
    key.public_key().verify(base64.b64decode(signature), message, padding.PKCS1v15(), hashes.SHA256())


@dataclass
class AlipayPlatform:
    """Answers each method with the node set for it, after checking the request's signature."""

    merchant_key: rsa.RSAPrivateKey
    key: rsa.RSAPrivateKey
    answers: dict[str, Callable[[dict[str, str]], httpx.Response]] = field(default_factory=dict)
    requests: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded;charset=utf-8"
        given = f"{request.url.query.decode()}&{request.content.decode('ascii')}"
        parameters = dict(parse_qsl(given, keep_blank_values=True, strict_parsing=True))
        assert len(parameters) == given.count("=")
        self.check(parameters)
        self.requests.append(parameters)
        return self.answers[parameters["method"]](parameters)

    def check(self, parameters: Mapping[str, str]) -> None:
        signed = {name: value for name, value in parameters.items() if name != "sign"}
        message = "&".join(f"{name}={signed[name]}" for name in sorted(signed)).encode()
        rsa_check(self.merchant_key, message, parameters["sign"])

    def answer(self, method: str, node: Mapping[str, Any] | str) -> None:
        self.answers[method] = lambda _: self.reply(method, node)

    def reply(self, method: str, node: Mapping[str, Any] | str) -> httpx.Response:
        text = node if isinstance(node, str) else self.text(node)
        name = method.replace(".", "_") + "_response"
        body = f'{{"{name}":{text},"sign":"{rsa_sign(self.key, text.encode())}"}}'
        return httpx.Response(200, content=body.encode())

    @staticmethod
    def text(node: Mapping[str, Any]) -> str:
        """Alipay escapes slashes, and the signature is over the escaped text."""
        return json.dumps(node, ensure_ascii=False, separators=(",", ":")).replace("/", "\\/")

    def notice(self, fields: Mapping[str, str], *, drop_empty: bool = False) -> bytes:
        """A signed notice; `drop_empty` signs as PHP does, without the empty values that are sent all the same."""
        signed = {n: v for n, v in fields.items() if n not in {"sign", "sign_type"} and (v or not drop_empty)}
        message = "&".join(f"{name}={signed[name]}" for name in sorted(signed)).encode()
        return urlencode({**fields, "sign": rsa_sign(self.key, message)}).encode()


@dataclass
class WechatpayPlatform:
    """Answers each "METHOD path" with what is set for it, after checking `Authorization` over the bytes received."""

    merchant_key: rsa.RSAPrivateKey
    keys: dict[str, rsa.RSAPrivateKey]
    api_key: str
    serial: str
    answers: dict[str, Callable[[httpx.Request], httpx.Response]] = field(default_factory=dict)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        target = request.url.raw_path.decode()
        scheme, _, rest = request.headers["authorization"].partition(" ")
        assert scheme == "WECHATPAY2-SHA256-RSA2048"
        said = dict(part.split("=", 1) for part in rest.replace('"', "").split(","))
        message = f"{request.method}\n{target}\n{said['timestamp']}\n{said['nonce_str']}\n".encode()
        rsa_check(self.merchant_key, message + request.content + b"\n", said["signature"])
        assert said["serial_no"] == "5157F09EFDC096DE15EBE81A47057A7200000000"
        self.requests.append(request)
        return self.answers[f"{request.method} {target}"](request)

    def answer(self, call: str, document: Mapping[str, Any] | None, *, status: int = 200) -> None:
        self.answers[call] = lambda _: self.reply(document, status=status)

    def reply(self, document: Mapping[str, Any] | None, *, status: int = 200, **how: Any) -> httpx.Response:
        body = b"" if document is None else json.dumps(document, ensure_ascii=False).encode()
        return httpx.Response(status, content=body, headers=self.headers(body, **how))

    def headers(
        self, body: bytes, *, serial: str = "", key: rsa.RSAPrivateKey | None = None, timestamp: str = str(NOW)
    ) -> dict[str, str]:
        serial = serial or self.serial
        nonce = "d824f2e086d3c1df967785d13fcd22ef"
        message = f"{timestamp}\n{nonce}\n".encode() + body + b"\n"
        return {
            "wechatpay-timestamp": timestamp,
            "wechatpay-nonce": nonce,
            "wechatpay-signature": rsa_sign(key or self.keys[serial], message),
            "wechatpay-signature-type": "WECHATPAY2-SHA256-RSA2048",
            "wechatpay-serial": serial,
        }

    def envelope(
        self,
        captured: Mapping[str, Any],
        *,
        plaintext: bytes | None = None,
        api_key: str = "",
        nonce: str = "fdasflkja484",
    ) -> dict[str, Any]:
        """The notice that carries a captured resource, sealed."""
        associated = captured["associated_data"]
        if plaintext is None:
            plaintext = json.dumps(captured["resource"], ensure_ascii=False).encode()
        sealed = AESGCM((api_key or self.api_key).encode()).encrypt(nonce.encode(), plaintext, associated.encode())
        resource = {
            "original_type": captured["original_type"],
            "algorithm": "AEAD_AES_256_GCM",
            "ciphertext": base64.b64encode(sealed).decode(),
            "associated_data": associated,
            "nonce": nonce,
        }
        return {**captured["envelope"], "resource": resource}
