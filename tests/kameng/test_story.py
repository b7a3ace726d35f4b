"""Which words an order's page takes for what is known."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fulfillment.models import Fulfillment
from kameng.pages.story import display_state
from orders.models import Order, OrderLine


@pytest.mark.parametrize(
    ("line", "waited", "state"),
    [
        ("queued", 30, "paid"),
        ("queued", 61, "delayed"),
        ("buying", 61, "delivering"),
        ("buying", 601, "delayed"),
        ("verifying", 61, "verifying"),
    ],
)
def test_what_nobody_has_been_asked_for_after_a_minute_is_slower_than_usual(line: str, waited: int, state: str) -> None:
    order = Order(status="paid", paid_at=timezone.now() - timedelta(seconds=waited))
    assert display_state(order, [OrderLine(status=line)], [Fulfillment(attempts=1)]) == state
