"""The other side of acg-faka's shared shop, written from its public code with the primitives alone."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote_plus, unquote_plus

from fulfillment.suppliers.base import Attempt, Connection, SupplierAdapter
from fulfillment.suppliers.registry import adapter_class
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import CALLBACK_URL, NOW, REFERENCE, answer, payload
from tests.fulfillment.suppliers.wire import Answer


class AcgFakaSide:
    """A shop that sells codes to ours. Nothing it says tells of a failure, and nothing sent to it tells the time."""

    app_id: ClassVar[str] = "30217746"
    key: ClassVar[str] = "9F2B6A8C0E1D3F5B"
    name: str = "acgfaka"
    secrets: tuple[str, ...] = (app_id, key)
    account: Mapping[str, str] = {"email": "kameng.buyer@example.com"}
    #: Requests carry no time.
    tells_time: bool = False
    trade_no = "348261122154600123"

    def adapter(self, url: str, http: HttpClient) -> SupplierAdapter:
        config = {"app_id": self.app_id, "app_key": self.key}
        return adapter_class("acgfaka")(Connection("huayu", f"{url}/", config, clock=lambda: NOW), http)

    def attempt(self, *, codes: int = 0, asked: bool = False) -> Attempt:
        return Attempt(
            reference=REFERENCE,
            sku="4F1A9C2E7B3D8A60",
            quantity=codes or 1,
            account=self.account,
            max_cost=None,  # with one, the price is asked for first: `valued`
            callback_url=CALLBACK_URL,
            supplier_reference=self.trade_no if asked else "",
            wants_codes=True,
        )

    @classmethod
    def sign(cls, body: bytes) -> str:
        """As PHP does with what was posted: build the query, add the key, decode the whole, digest."""
        pairs = [(name, value) for name, value in parse_qsl(body.decode(), keep_blank_values=True) if name != "sign"]
        kept = sorted((pair for pair in pairs if pair[1] != ""), key=lambda pair: pair[0].partition("[")[0])
        query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in kept)
        return hashlib.md5(unquote_plus(f"{query}&key={cls.key}").encode()).hexdigest()

    @staticmethod
    def told(name: str, **changes: Any) -> Answer:
        """A kept reply, with changes in its data."""
        fields = payload("acgfaka", name)
        if changes:
            fields["data"] |= changes
        return answer(fields)

    @classmethod
    def valued(cls, price: str = "9.60") -> Answer:
        """What a purchase would cost."""
        return answer({"code": 200, "msg": "success", "data": {"price": price, "currency_code": "CNY"}})

    def accepted(self, *, codes: int = 0) -> Answer:
        return self.told("trade_by_hand")

    def refused(self) -> Answer:
        return self.told("refused_stock")

    def broke(self) -> Answer:
        return self.told("refused_balance")

    def unauthorized(self) -> Answer:
        return self.told("refused_signature")

    def duplicate(self) -> Answer:
        return self.told("duplicate")

    def unknown_code(self) -> Answer:
        return answer({"code": 0, "msg": "连接失败"})

    def pending(self) -> Answer:
        return self.told("query_by_hand")

    def delivered(self, codes: Sequence[str] = (), *, quantity: int | None = None) -> Answer:
        return self.told("query", secret="\r\n".join(codes))

    def failed(self) -> None:
        """It knows no such state."""

    def unknown_state(self) -> Answer:
        return self.told("query", status=7)

    def other_order(self) -> Answer:
        return self.told("query_missing")


ACGFAKA = AcgFakaSide()
