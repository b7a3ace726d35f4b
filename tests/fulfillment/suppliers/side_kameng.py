"""The other side of the supply API, written from its document with the primitives alone."""

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from fulfillment.suppliers.base import Attempt, Connection, SupplierAdapter
from fulfillment.suppliers.registry import adapter_class
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import CALLBACK_URL, NOW, PHONE, REFERENCE, answer, payload
from tests.fulfillment.suppliers.wire import Answer


class KamengSide:
    """A shop of another installation, one of whose clients we are."""

    key: ClassVar[str] = "ks_5c1e8f0a7b2d4c6e9f3a1b2c"
    secret: ClassVar[str] = "Zk3Nq9Wb-7Xv2Rt5Ls8Hd1Gf4Jc6Pm-Yq0Tw3Eu5Io7"
    name: str = "kameng"
    tells_time: bool = True
    secrets: tuple[str, ...] = (key, secret)
    account: Mapping[str, str] = {"account": "kameng.buyer@example.com", "phone": PHONE}
    order_id = "9T4W2KQ7M3XB5N8H"

    def adapter(self, url: str, http: HttpClient) -> SupplierAdapter:
        config = {"key": self.key, "secret": self.secret}
        return adapter_class("kameng")(Connection("qingshan", f"{url}/", config, clock=lambda: NOW), http)

    def attempt(self, *, codes: int = 0, asked: bool = False) -> Attempt:
        return Attempt(
            reference=REFERENCE,
            sku="steam-50" if codes else "honor-60",
            quantity=codes or 1,
            account={} if codes else self.account,
            max_cost=Decimal("57.0099"),
            callback_url=CALLBACK_URL,
            supplier_reference=self.order_id if asked else "",
            wants_codes=bool(codes),
        )

    @classmethod
    def sign(cls, method: str, target: str, stamp: int | str, nonce: str, body: bytes) -> str:
        text = f"{method}\n{target}\n{stamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}"
        return hmac.new(cls.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    @staticmethod
    def told(name: str, http: int = 200, /, **changes: Any) -> Answer:
        """A kept reply, with changes."""
        return answer(payload("kameng", name) | changes, http)

    def accepted(self, *, codes: int = 0) -> Answer:
        return self.told("processing", 201, **({"sku": "steam-50", "quantity": codes} if codes else {}))

    def refused(self) -> Answer:
        return self.told("unavailable", 409)

    def broke(self) -> Answer:
        return self.told("balance_short", 402)

    def unauthorized(self) -> Answer:
        return self.told("signature_wrong", 401)

    def duplicate(self) -> Answer:
        return self.told("reference_taken", 409)

    def unknown_code(self) -> Answer:
        return answer({"status": 409, "code": "on_hold", "title": "on hold"}, 409)

    def pending(self) -> Answer:
        return self.told("processing")

    def delivered(self, codes: Sequence[str] = (), *, quantity: int | None = None) -> Answer:
        if not codes and quantity is None:
            return self.told("delivered")
        count = len(codes) if quantity is None else quantity
        return self.told("codes", codes=list(codes), quantity=count, delivered=count)

    def failed(self) -> Answer:
        return self.told("failed")

    def unknown_state(self) -> Answer:
        return self.told("processing", status="archived")

    def other_order(self) -> Answer:
        return self.told("delivered", reference=REFERENCE[::-1])

    def callback(self, *, stamp: int = NOW, nonce: str = "F3QW7K2M9XZT4B8HR5N6C1DVGJ", **changes: Any) -> Any:
        """Headers and body of a callback, signed as it is."""
        body = json.dumps(payload("kameng", "callback") | changes).encode()
        headers = {
            "kameng-key": self.key,
            "kameng-timestamp": str(stamp),
            "kameng-nonce": nonce,
            "kameng-signature": self.sign("POST", "/api/supply/v1/callback/", stamp, nonce, body),
        }
        return headers, body


KAMENG = KamengSide()
