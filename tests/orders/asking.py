"""What a program asks for, and the proof that a refusal moved nothing."""

from typing import Any

from catalog.models import Variant
from kameng.outbox.models import OutboxEvent
from orders.models import Order
from tests.factories import CONTACT

UID = {"uid": "482019375"}


def body_of(variant: Variant, **changes: Any) -> dict[str, Any]:
    """An order for one line that is right but for the changes, in the line or beside it."""
    line = {"sku": variant.sku, "quantity": 1, "account": UID}
    line.update({name: changes.pop(name) for name in list(changes) if name in line})
    return {"lines": [line], "contact": CONTACT, **changes}


def assert_nothing_moved() -> None:
    """No order, no work."""
    assert not Order.objects.exists()
    assert not OutboxEvent.objects.exists()
