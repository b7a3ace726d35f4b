"""Two small clients of supplier protocols, written from the public documents and sharing no code with either side."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from typing import Any

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


@dataclass
class FuluClient:
    url: str
    key: str
    secret: str
    http: httpx.Client

    def sign(self, text: str) -> str:
        return hashlib.md5(("".join(sorted(text)) + self.secret).encode()).hexdigest()

    def send(self, method: str, content: dict[str, Any], **changes: str) -> httpx.Response:
        params = {
            "app_key": self.key,
            "method": method,
            "timestamp": time.strftime("%Y-%m-%d %H:%M:%S"),
            "version": "2.0",
            "format": "json",
            "charset": "utf-8",
            "sign_type": "md5",
            "app_auth_token": "",
            "biz_content": json.dumps(content, ensure_ascii=False),
        }
        params["sign"] = self.sign(json.dumps(params, ensure_ascii=False, separators=(",", ":")))
        return self.http.post(self.url, json=params | changes)

    def call(self, method: str, **content: Any) -> tuple[int, Any]:
        """The code and the result of a reply whose signature holds."""
        reply = self.send(method, content)
        assert reply.status_code == 200
        envelope = reply.json()
        assert set(envelope) == {"code", "message", "result", "sign"}
        assert envelope["sign"] == self.sign(envelope["result"])
        return envelope["code"], json.loads(envelope["result"]) if envelope["result"] else None

    def decrypt(self, sealed: str) -> str:
        decryptor = Cipher(algorithms.AES(self.secret.encode()), modes.ECB()).decryptor()
        padded = decryptor.update(base64.b64decode(sealed)) + decryptor.finalize()
        return padded[: -padded[-1]].decode()


@dataclass
class DujiaoClient:
    url: str
    key: str
    secret: str
    http: httpx.Client
    prefix: str = ""

    def sign(self, method: str, path: str, moment: str, body: bytes) -> str:
        lines = f"{method}\n{path}\n{moment}\n{hashlib.md5(body).hexdigest()}"
        return hmac.new(self.secret.encode(), lines.encode(), hashlib.sha256).hexdigest()

    def send(self, method: str, path: str, content: Any = None, **changes: str) -> httpx.Response:
        path = f"{self.prefix}/api/v1/upstream{path}"
        body = b"" if content is None else json.dumps(content).encode()
        moment = changes.pop("moment", str(int(time.time())))
        headers = {
            "Dujiao-Next-Api-Key": self.key,
            "Dujiao-Next-Timestamp": moment,
            "Dujiao-Next-Signature": self.sign(method, path.split("?")[0], moment, body),
            "Content-Type": "application/json",
        }
        return self.http.request(method, self.url + path, content=body, headers=headers | changes)

    def call(self, method: str, path: str, content: Any = None) -> tuple[int, Any]:
        reply = self.send(method, path, content)
        return reply.status_code, reply.json()

    def buy(self, reference: str, **changes: Any) -> dict[str, Any]:
        status, reply = self.call(
            "POST", "/orders", {"sku_id": 1001, "quantity": 2, "downstream_order_no": reference} | changes
        )
        assert (status, reply["ok"]) == (200, True), reply
        return reply
