"""A small supplier that is known from its description, written from what the sandbox says of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

import kameng.sandbox
from fulfillment.suppliers.base import Attempt, Connection, SupplierAdapter
from fulfillment.suppliers.registry import adapter_class
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import CALLBACK_URL, NOW, REFERENCE, answer, payload
from tests.fulfillment.suppliers.wire import Answer

MERCHANT = "60217746"


def described() -> dict[str, Any]:
    """The description that comes with the sandbox's supplier, for one merchant."""
    text = (Path(kameng.sandbox.__path__[0]) / "shanhe_mapping.json").read_text(encoding="utf-8")
    mapping: dict[str, Any] = json.loads(text.replace("MCH_ID", MERCHANT))
    return mapping


def changed(path: str, value: Any) -> dict[str, Any]:
    """That description with one value set at a dotted path, or taken away for `...`."""
    mapping = described()
    *steps, last = path.split(".")
    inner = mapping
    for step in steps:
        inner = inner.setdefault(step, {})
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return mapping


class GenericSide:
    """The supplier `shanhe`: forms, MD5 in upper case, fen."""

    secret: ClassVar[str] = "5f0c9a7e3b1d48628c4e6a0f2d9b7351"
    name: str = "generic"
    secrets: tuple[str, ...] = (json.dumps(described()), secret)
    account: Mapping[str, str] = {"uid": "482019375", "server": "手Q一百二十区", "role": "常山赵子龙"}
    tells_time: bool = True
    order_no = "SH000000004711"

    def adapter(self, url: str, http: HttpClient) -> SupplierAdapter:
        return self.speaking(described(), url, http)

    def speaking(self, mapping: Mapping[str, Any], url: str, http: HttpClient) -> SupplierAdapter:
        """The adapter with another description."""
        config = {"mapping": json.dumps(mapping), "secret": self.secret}
        return adapter_class("generic")(Connection("shanhe", url, config, clock=lambda: NOW), http)

    def attempt(self, *, codes: int = 0, asked: bool = False) -> Attempt:
        return Attempt(
            reference=REFERENCE,
            sku="10002" if codes else "10001",
            quantity=codes or 1,
            account={} if codes else self.account,
            max_cost=Decimal("57.009"),
            callback_url=CALLBACK_URL,
            supplier_reference=self.order_no if asked else "",
            wants_codes=bool(codes),
        )

    @classmethod
    def sign(cls, fields: Mapping[str, str]) -> str:
        text = "".join(f"{key}={fields[key]}&" for key in sorted(fields) if fields[key] and key != "sign")
        return hashlib.md5(f"{text}key={cls.secret}".encode()).hexdigest().upper()

    @classmethod
    def callback(cls, **changes: str) -> bytes:
        """A genuine one, with changes made before it is signed."""
        fields = {
            "mch_id": MERCHANT,
            "out_order_no": REFERENCE,
            "order_no": cls.order_no,
            "state": "2",
            "timestamp": str(NOW),
        } | changes
        return urlencode(fields | {"sign": cls.sign(fields)}).encode()

    @staticmethod
    def told(name: str, **changes: Any) -> Answer:
        """A kept reply, with changes in its data."""
        fields = payload("generic", name)
        if changes:
            fields["data"] |= changes
        return answer(fields)

    def accepted(self, *, codes: int = 0) -> Answer:
        return self.told("order_taken")

    def refused(self) -> Answer:
        return self.told("refused_stock")

    def broke(self) -> Answer:
        return self.told("refused_balance")

    def unauthorized(self) -> Answer:
        return self.told("refused_signature")

    def duplicate(self) -> Answer:
        return self.told("duplicate")

    def unknown_code(self) -> Answer:
        return answer({"code": 9999, "msg": "操作未完成", "data": None})

    def pending(self) -> Answer:
        return self.told("order_going_on")

    def delivered(self, codes: Sequence[str] = (), *, quantity: int | None = None) -> Answer:
        if not codes and quantity is None:
            return self.told("order_done")
        cards = [{"no": f"SH{place:010d}", "pwd": code} for place, code in enumerate(codes)]
        return self.told("order_cards", num=quantity or len(codes), cards=cards)

    def failed(self) -> Answer:
        return self.told("order_failed")

    def unknown_state(self) -> Answer:
        return self.told("order_going_on", state=8)

    def other_order(self) -> Answer:
        return self.told("order_done", out_order_no=REFERENCE[::-1])


GENERIC = GenericSide()
