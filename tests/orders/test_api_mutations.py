"""Whatever is done to the body of an order, what is charged is the shop's own price of what the order says."""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.listings.models import PriceRule
from fulfillment.suppliers.models import SupplierOffer
from fulfillment.suppliers.services import availability_refresh
from kameng.outbox.models import OutboxEvent
from orders.models import Order
from resellers.models import Reseller
from resellers.services import shop_touch
from tests.factories import CONTACT, code_on_sale, on_sale
from tests.program import PROBLEM, Program

pytestmark = pytest.mark.usefixtures("supplier_double")

#: The shop's prices: supply price and the owner's 1.10 on top.
PRICES = {"dear": Decimal("58.10"), "cheap": Decimal("2.00")}
VALID: dict[str, Any] = {
    "lines": [
        {"sku": "dear", "quantity": 2, "account": {"uid": "482019375"}, "price": "58.10"},
        {"sku": "cheap", "quantity": 1, "account": {}, "price": "2.00"},
    ],
    "contact": CONTACT,
    "quoted_total": "118.20",
    "coupon": None,
}
NAMES = ["sku", "quantity", "account", "price", "lines", "contact", "quoted_total", "coupon", "total", "amount", "uid"]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.integers(),
    st.floats(),
    st.sampled_from(["cheap", "dear", "0.01", "1", "1e3", "１", "118.20", "60.10", CONTACT, "482019375", "\x00"]),
    st.text(max_size=8),
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a JSON value, the whole included."""
    inner: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, below in inner for place in places(below, (*path, key)))]


@st.composite
def mutated(draw: Callable[..., Any]) -> bytes:
    """The valid order after one or two changes; sometimes with bytes changed on top."""
    body: Any = json.loads(json.dumps(VALID))
    if draw(st.booleans()):
        # Without it, a changed order is not stopped for costing something else.
        del body["quoted_total"]
    for _ in range(draw(st.integers(1, 2))):
        path = draw(st.sampled_from(places(body)))
        if not path:
            continue
        holder = body
        for key in path[:-1]:
            holder = holder[key]
        change = draw(st.sampled_from(["replace", "remove", "repeat", "add", "swap"]))
        if change == "remove":
            del holder[path[-1]]
        elif change == "repeat" and isinstance(holder, list):
            holder.append(json.loads(json.dumps(holder[path[-1]])))
        elif change == "add" and isinstance(holder, dict):
            holder[draw(st.sampled_from(NAMES))] = draw(values)
        elif change == "swap" and isinstance(holder, dict):
            other = draw(st.sampled_from(sorted(holder)))
            holder[path[-1]], holder[other] = holder[other], holder[path[-1]]
        else:
            holder[path[-1]] = draw(values)
    raw = bytearray(json.dumps(body, ensure_ascii=draw(st.booleans()), allow_nan=True).encode("utf-8", "surrogatepass"))
    if draw(st.integers(0, 7)) == 7:
        place = draw(st.integers(0, len(raw) - 1))
        raw[place] = draw(st.integers(0, 255))
    return bytes(raw)


def asked_for(raw: bytes) -> Decimal:
    """What the shop charges for the lines of a body."""
    lines = json.loads(raw)["lines"]
    return sum((PRICES[line["sku"]] * line["quantity"] for line in lines), Decimal(0))


def test_no_change_to_a_body_changes_a_price(shop: Reseller) -> None:
    on_sale(sku="dear", supply_price=Decimal("57.00"))
    cheap = code_on_sale(sku="cheap", official_price=Decimal("9.00"), supply_price=Decimal("0.90"), max_quantity=3)
    SupplierOffer.objects.filter(variant=cheap).update(cost=Decimal("0.80"))
    availability_refresh(variant_ids=[cheap.pk])
    PriceRule.objects.create(kind="fixed", value=Decimal("1.10"))
    shop_touch(shop_id=shop.pk)
    program = Program()
    tried: set[bytes] = set()
    ends = {"placed": 0, "refused": 0}

    @settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
    @given(mutated())
    def check(raw: bytes) -> None:
        tried.add(raw)
        with transaction.atomic():
            reply = program.send("post", "orders/", data=raw, content_type="application/json")
            if reply.status_code == 201:
                ends["placed"] += 1
                order = Order.objects.get()
                total = sum((PRICES[line.sku] * line.quantity for line in order.lines.all()), Decimal(0))
                assert order.total == total == asked_for(raw) == Decimal(reply.json()["total"])
                assert total > 0
            else:
                ends["refused"] += 1
                assert 400 <= reply.status_code < 500
                assert reply.headers["Content-Type"] == PROBLEM
                assert not Order.objects.exists()
                assert not OutboxEvent.objects.exists()
            transaction.set_rollback(True)

    check()
    assert len(tried) >= 100
    assert min(ends.values()) >= 10, ends
