"""The other side of each protocol, written from its document with the primitives alone, so that an adapter's mistake is
not made twice. A side says in its protocol what the contract suite wants to hear."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

import fulfillment.suppliers
from fulfillment.suppliers.base import Attempt, Connection, SupplierAdapter
from fulfillment.suppliers.registry import adapter_class
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.wire import Answer

NOW = 1_795_333_560  # 2026-11-22 15:46:00 in China
REFERENCE = "00A7Q2M9XWZ4T8HRB5N"
CODES = ("KQ7M-2XWZ-4T8H-RB5N", "VC3D-FGJK-M7Q2-M9XW", "T8HR-B5NV-C3DF-GJ7M")
PHONE = "13812345678"
CALLBACK_URL = "https://shop.example/webhooks/suppliers/them/"


def payload(supplier: str, name: str) -> dict[str, Any]:
    """A document as the supplier sends it, kept beside its adapter."""
    path = Path(fulfillment.suppliers.__path__[0]) / supplier / "payloads" / f"{name}.json"
    fields: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return fields


class Side(Protocol):
    """What the contract suite asks of a protocol. An answer is what the server says to one purchase or one question."""

    name: str
    secrets: tuple[str, ...]
    account: Mapping[str, str]
    #: Whether requests carry the time.
    tells_time: bool

    def adapter(self, url: str, http: HttpClient) -> SupplierAdapter: ...

    def attempt(self, *, codes: int = 0, asked: bool = False) -> Attempt:
        """Goods for an account, or so many codes; `asked` once the supplier's own number is known."""

    def accepted(self, *, codes: int = 0) -> Answer: ...

    def refused(self) -> Answer: ...

    def broke(self) -> Answer: ...

    def unauthorized(self) -> Answer: ...

    def duplicate(self) -> Answer: ...

    def unknown_code(self) -> Answer: ...

    def pending(self) -> Answer: ...

    def delivered(self, codes: Sequence[str] = (), *, quantity: int | None = None) -> Answer: ...

    def failed(self) -> Answer | None:
        """None where the protocol knows no such end."""

    def unknown_state(self) -> Answer: ...

    def other_order(self) -> Answer: ...


def answer(fields: Mapping[str, Any] | Sequence[Any], status: int = 200) -> Answer:
    """A JSON reply."""
    return Answer(status, json.dumps(fields, ensure_ascii=False).encode())


class FuluSide:
    """The published test application; its secret also opens the published test cards."""

    key: ClassVar[str] = "i4esv1l+76l/7NQCL3QudG90Fq+YgVfFGJAWgT+7qO1Bm9o/adG/1iwO2qXsAXNB"
    secret: ClassVar[str] = "0a091b3aa4324435aab703142518a8f7"
    name: str = "fulu"
    tells_time: bool = True
    secrets: tuple[str, ...] = (key, secret)
    account: Mapping[str, str] = {
        "uid": "482019375",
        "zone": "微信区安卓",
        "server": "手Q一百二十区",
        "role": "常山赵子龙",
    }
    order_id = "22113019210922951925"

    def adapter(self, url: str, http: HttpClient) -> SupplierAdapter:
        config = {"app_key": self.key, "app_secret": self.secret}
        return adapter_class("fulu")(Connection("xinghe", f"{url}/api/getway", config, clock=lambda: NOW), http)

    def attempt(self, *, codes: int = 0, asked: bool = False) -> Attempt:
        return Attempt(
            reference=REFERENCE,
            sku="10000587" if codes else "10000586",
            quantity=codes or 1,
            account={} if codes else self.account,
            max_cost=Decimal("57.00"),
            callback_url=CALLBACK_URL,
            supplier_reference=self.order_id if asked else "",
            wants_codes=bool(codes),
        )

    @classmethod
    def sign(cls, text: str) -> str:
        return hashlib.md5(("".join(sorted(text)) + cls.secret).encode()).hexdigest()

    @classmethod
    def seal(cls, text: str) -> str:
        pad = 16 - len(text.encode()) % 16
        encryptor = Cipher(algorithms.AES(cls.secret.encode()), modes.ECB()).encryptor()
        sealed = encryptor.update(text.encode() + bytes([pad]) * pad) + encryptor.finalize()
        return base64.b64encode(sealed).decode()

    @classmethod
    def envelope(cls, fields: Mapping[str, Any]) -> Answer:
        """A reply with its result as text and signed."""
        result = fields["result"]
        if result is None:
            return answer({**fields, "sign": ""})
        text = json.dumps(result, ensure_ascii=False, separators=(",", ":"))
        return answer({**fields, "result": text, "sign": cls.sign(text)})

    @classmethod
    def told(cls, name: str, **changes: Any) -> Answer:
        """A kept reply, about our order."""
        fields = payload("fulu", name)
        if fields["result"] is not None:
            fields["result"] |= {"customer_order_no": REFERENCE, "order_id": cls.order_id} | changes
        return cls.envelope(fields)

    def accepted(self, *, codes: int = 0) -> Answer:
        return self.told("card_add", buy_num=codes) if codes else self.told("direct_add")

    def refused(self) -> Answer:
        return self.told("refused_stock")

    def broke(self) -> Answer:
        return self.told("refused_balance")

    def unauthorized(self) -> Answer:
        return self.told("refused_signature")

    def duplicate(self) -> Answer:
        return self.told("duplicate")

    def unknown_code(self) -> Answer:
        return answer({"code": 4711, "message": "操作未完成", "result": None, "sign": ""})

    def pending(self) -> Answer:
        return self.told("order_processing")

    def delivered(self, codes: Sequence[str] = (), *, quantity: int | None = None) -> Answer:
        if not codes and quantity is None:
            return self.told("order_success")
        cards = [{"card_type": 0, "card_number": "", "card_pwd": self.seal(code)} for code in codes]
        return self.told("order_cards", buy_num=quantity or len(codes), cards=cards)

    def failed(self) -> Answer:
        return self.told("order_failed")

    def unknown_state(self) -> Answer:
        return self.told("order_processing", order_state="suspended")

    def other_order(self) -> Answer:
        return self.told("order_success", customer_order_no=REFERENCE[::-1])


class DujiaoSide:
    """A shop that sells to ours."""

    key: ClassVar[str] = "dj_5c1e8f0a7b2d4c6e9f3a"
    secret: ClassVar[str] = "9d2f4b6a8c0e1f3d5b7a9c2e4f6d8b0a1c3e5f7d9b2a4c6e"
    name: str = "dujiao"
    tells_time: bool = True
    secrets: tuple[str, ...] = (key, secret)
    account: Mapping[str, str] = {"account": "kameng.buyer@example.com", "phone": PHONE}
    order_id = "101"

    def adapter(self, url: str, http: HttpClient) -> SupplierAdapter:
        config = {"api_key": self.key, "api_secret": self.secret}
        return adapter_class("dujiao")(Connection("yunka", f"{url}/suppliers/yunka/", config, clock=lambda: NOW), http)

    def attempt(self, *, codes: int = 0, asked: bool = False) -> Attempt:
        return Attempt(
            reference=REFERENCE,
            sku="1",
            quantity=codes or 1,
            account={} if codes else self.account,
            max_cost=Decimal("57.00"),
            callback_url=CALLBACK_URL,
            supplier_reference=self.order_id if asked else "",
            wants_codes=bool(codes),
        )

    @classmethod
    def sign(cls, method: str, path: str, stamp: int | str, body: bytes, *, secret: str = "") -> str:
        text = f"{method}\n{path}\n{stamp}\n{hashlib.md5(body).hexdigest()}"
        return hmac.new((secret or cls.secret).encode(), text.encode(), hashlib.sha256).hexdigest()

    @staticmethod
    def told(name: str, http: int = 200, /, **changes: Any) -> Answer:
        """A kept reply, with changes."""
        return answer(payload("dujiao", name) | changes, http)

    def accepted(self, *, codes: int = 0) -> Answer:
        return self.told("created")

    def refused(self) -> Answer:
        return self.told("insufficient_stock", 409)

    def broke(self) -> Answer:
        return self.told("insufficient_balance", 402)

    def unauthorized(self) -> Answer:
        return self.told("invalid_signature", 401)

    def duplicate(self) -> Answer:
        return answer({"ok": False, "error_code": "duplicate_order", "error_message": "order exists"}, 409)

    def unknown_code(self) -> Answer:
        return answer({"ok": False, "error_code": "shop_closed", "error_message": "closed"}, 400)

    def pending(self) -> Answer:
        return self.told("order_paid")

    def delivered(self, codes: Sequence[str] = (), *, quantity: int | None = None) -> Answer:
        fields = payload("dujiao", "order_completed")
        fields["items"][0]["quantity"] = quantity or len(codes) or 1
        if not codes and quantity is None:
            del fields["fulfillment"]
        else:
            fields["fulfillment"]["payload"] = "\n".join(codes)
        return answer(fields)

    def failed(self) -> Answer:
        return self.told("order_canceled")

    def unknown_state(self) -> Answer:
        return self.told("order_paid", status="archived")

    def other_order(self) -> Answer:
        return self.told("order_completed", order_id=102)


FULU, DUJIAO = FuluSide(), DujiaoSide()
