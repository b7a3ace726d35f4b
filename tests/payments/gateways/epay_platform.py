"""An epay installation as small as it can be, from the published pages and the primitives alone."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

import httpx
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.payments.gateways.platforms import rsa_check, rsa_sign

KEY = "7dTtdQ5Sg3tKwGgT1tRrT5RrQ3qWtG1d"


def signed_bytes(fields: Mapping[str, Any]) -> bytes:
    kept = {n: v for n, v in fields.items() if n not in {"sign", "sign_type"} and v not in ("", None)}
    return "&".join(f"{name}={kept[name]}" for name in sorted(kept)).encode()


def md5_sign(fields: Mapping[str, Any], key: str = KEY) -> str:
    return hashlib.md5(signed_bytes(fields) + key.encode()).hexdigest()


def md5_notice(fields: Mapping[str, str], key: str = KEY) -> bytes:
    return urlencode({**fields, "sign": md5_sign(fields, key), "sign_type": "MD5"}).encode()


@dataclass
class EpayPlatform:
    """Answers each path with what is set for it, after checking what was signed."""

    merchant_key: rsa.RSAPrivateKey
    key: rsa.RSAPrivateKey
    answers: dict[str, Callable[[dict[str, str]], httpx.Response]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        given = "&".join(part for part in (request.url.query.decode(), request.content.decode("ascii")) if part)
        fields = dict(parse_qsl(given, keep_blank_values=True, strict_parsing=True))
        assert len(fields) == given.count("=")
        self.check(request.url.path, fields)
        self.requests.append((request.method, request.url.path, fields))
        return self.answers[request.url.path](fields)

    def check(self, path: str, fields: Mapping[str, str]) -> None:
        if path.startswith("/api/pay/"):
            assert fields["sign_type"] == "RSA"
            rsa_check(self.merchant_key, signed_bytes(fields), fields["sign"])
        elif path == "/api.php":
            assert (fields["pid"], fields["key"]) == ("1001", KEY)
        else:
            assert (fields["sign_type"], fields["sign"]) == ("MD5", md5_sign(fields))

    def answer(self, path: str, document: Mapping[str, Any] | str, *, status: int = 200) -> None:
        body = document if isinstance(document, str) else json.dumps(document, ensure_ascii=False)
        self.answers[path] = lambda _: httpx.Response(status, content=body.encode())

    def signed(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return {**document, "sign": rsa_sign(self.key, signed_bytes(document)), "sign_type": "RSA"}

    def rsa_notice(self, fields: Mapping[str, str]) -> bytes:
        return urlencode(self.signed(fields)).encode()
