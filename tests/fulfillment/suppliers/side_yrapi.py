"""The other side of the yrapi family, with the primitives alone; its numbers are those of boyanyun's table."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlencode

from fulfillment.suppliers.base import Attempt, Connection, SupplierAdapter
from fulfillment.suppliers.registry import adapter_class
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import CALLBACK_URL, PHONE, REFERENCE, answer, payload
from tests.fulfillment.suppliers.wire import Answer

BOYANYUN = {"0": "accepted", "1": "delivered", "2": "failed", "3": "partial", "-1": "canceled"}
LXTC = {"0": "accepted", "1": "delivered", "2": "partial", "-1": "failed"}
CHAYUE = {"field": "status", "1": "accepted", "2": "accepted", "3": "accepted", "4": "delivered", "5": "failed"}


class YrapiSide:
    """An installation that sells phone credit, and nothing else: an attempt at codes is one at a phone."""

    apikey: ClassVar[str] = "Kq7m2XwzT4hRb5nVc3dFgJ9pLs6yA1eU"
    userid: ClassVar[str] = "20817"
    states: ClassVar[str] = json.dumps(BOYANYUN)
    name: str = "yrapi"
    tells_time: bool = False
    secrets: tuple[str, ...] = (apikey, states, userid)
    account: Mapping[str, str] = {"phone": PHONE}
    order_id = "CZH240112000658"

    def adapter(self, url: str, http: HttpClient, *, states: Mapping[str, str] = BOYANYUN) -> SupplierAdapter:
        config = {"userid": self.userid, "apikey": self.apikey, "states": json.dumps(states)}
        return adapter_class("yrapi")(Connection("tongxin", f"{url}/yrapi.php/", config), http)

    def attempt(self, *, codes: int = 0, asked: bool = False) -> Attempt:
        return Attempt(
            reference=REFERENCE,
            sku="68",
            quantity=1,
            account=self.account,
            max_cost=Decimal("97.50"),
            callback_url=CALLBACK_URL,
            supplier_reference=self.order_id if asked else "",
        )

    @classmethod
    def sign(cls, fields: Mapping[str, str], apikey: str = "") -> str:
        text = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
        return hashlib.md5(f"{text}&apikey={apikey or cls.apikey}".encode()).hexdigest().upper()

    @classmethod
    def notice(cls, *, apikey: str = "", **changes: str | None) -> bytes:
        """The kept callback about our order as it is posted; None leaves a field out."""
        fields = payload("yrapi", "callback") | {"userid": cls.userid, "out_trade_num": REFERENCE, "mobile": PHONE}
        fields = {name: value for name, value in (fields | changes).items() if value is not None}
        return urlencode({"sign": cls.sign(fields, apikey)} | fields).encode()

    @staticmethod
    def told(name: str, **changes: Any) -> Answer:
        """A kept reply, about our order."""
        fields = payload("yrapi", name)
        ours = {"out_trade_num": REFERENCE, "mobile": PHONE} | changes
        if isinstance(fields["data"], dict):
            fields["data"] |= ours
        elif fields["data"]:
            fields["data"][0] |= ours
        return answer(fields)

    def accepted(self, *, codes: int = 0) -> Answer:
        return self.told("recharge")

    def refused(self) -> Answer:
        return self.told("refused_stock")

    def broke(self) -> Answer:
        return self.told("refused_balance")

    def unauthorized(self) -> Answer:
        return self.told("refused_signature")

    def duplicate(self) -> Answer:
        return self.told("duplicate")

    def unknown_code(self) -> Answer:
        return answer({"errno": 4711, "errmsg": "操作未完成", "data": ""})

    def pending(self) -> Answer:
        return self.told("check_charging")

    def delivered(self, codes: Sequence[str] = (), *, quantity: int | None = None) -> Answer:
        return self.told("check_delivered")

    def failed(self) -> Answer:
        return self.told("check_failed")

    def unknown_state(self) -> Answer:
        return self.told("check_charging", state=9)

    def other_order(self) -> Answer:
        return self.told("check_delivered", out_trade_num=REFERENCE[::-1])


YRAPI = YrapiSide()
