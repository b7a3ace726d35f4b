"""The other side of DT One's Digital Value Services, written from its reference with the primitives alone."""

import base64
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from fulfillment.suppliers.base import Attempt, Connection, SupplierAdapter
from fulfillment.suppliers.registry import adapter_class
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import CALLBACK_URL, NOW, REFERENCE, answer, payload
from tests.fulfillment.suppliers.wire import Answer


def rows(name: str) -> list[dict[str, Any]]:
    """A kept list."""
    kept: Any = payload("dtone", name)
    return list(kept)


class DtOneSide:
    """The platform, asked by their number once it is known. It has no code for goods that are sold out."""

    key: ClassVar[str] = "3f0c6f2e-6f5b-4e0a-9a55-0b6f3d1c8e72"
    secret: ClassVar[str] = "a81d7c94-2b0e-4c6d-8f13-5e9b7a2d4c60"
    name: str = "dtone"
    secrets: tuple[str, ...] = (key, secret)
    account: Mapping[str, str] = {"phone": "+6598123456"}
    #: Requests carry no time.
    tells_time: bool = False
    order_id = "3981640212"

    def adapter(self, url: str, http: HttpClient) -> SupplierAdapter:
        config = {"api_key": self.key, "api_secret": self.secret}
        connection = Connection("yuanyang", f"{url}/v1", config, currency="USD", clock=lambda: NOW)
        return adapter_class("dtone")(connection, http)

    def attempt(self, *, codes: int = 0, asked: bool = False) -> Attempt:
        return Attempt(
            reference=REFERENCE,
            sku="18402" if codes else "5310",
            quantity=codes or 1,
            account={} if codes else self.account,
            max_cost=Decimal("8.00"),
            callback_url=CALLBACK_URL,
            supplier_reference=self.order_id if asked else "",
            wants_codes=bool(codes),
        )

    @classmethod
    def authorization(cls) -> str:
        """RFC 7617."""
        return "Basic " + base64.b64encode(f"{cls.key}:{cls.secret}".encode()).decode()

    @staticmethod
    def told(name: str, http: int = 200, /, **changes: Any) -> Answer:
        """A kept reply, with changes."""
        return answer(payload("dtone", name) | changes, http)

    def accepted(self, *, codes: int = 0) -> Answer:
        return self.told("created", 201, **({"product": {"id": 18402}} if codes else {}))

    def refused(self) -> Answer:
        return self.told("product_unavailable", 404)

    def broke(self) -> Answer:
        return self.told("insufficient_balance", 400)

    def unauthorized(self) -> Answer:
        return self.told("unauthorized", 401)

    def duplicate(self) -> Answer:
        return self.told("duplicate", 400)

    def unknown_code(self) -> Answer:
        return answer({"errors": [{"code": 1007999, "message": "Transaction on hold"}]}, 400)

    def pending(self) -> Answer:
        return self.told("submitted")

    def delivered(self, codes: Sequence[str] = (), *, quantity: int | None = None) -> Answer:
        if not codes and quantity is None:
            return self.told("completed")
        pin = {"code": "\n".join(codes) or None, "serial": None}
        return self.told("completed_pin", pin=pin)

    def failed(self) -> Answer:
        return self.told("declined")

    def unknown_state(self) -> Answer:
        return self.told(
            "submitted", status={"id": 60000, "message": "PARKED", "class": {"id": 6, "message": "PARKED"}}
        )

    def other_order(self) -> Answer:
        return self.told("completed", external_id=REFERENCE[::-1])


DTONE = DtOneSide()
