"""Which words an order's page takes for what is known."""

from datetime import timedelta

import pytest
from django.utils import timezone

from fulfillment.models import Fulfillment
from kameng.pages.story import display_state
from orders.badges import order_badge
from orders.models import Order, OrderLine
from orders.words import state_text


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


@pytest.mark.parametrize(
    ("sku", "line", "state", "word"),
    [
        ("open-trial", "buying", "plan_under_way", "办理中"),
        ("open-trial", "delivered", "plan_opened", "已开通"),
        ("rent-trial", "delivered", "plan_renewed", "已续期"),
    ],
)
def test_a_plan_is_opened_or_renewed_and_not_topped_up(sku: str, line: str, state: str, word: str) -> None:
    bought = OrderLine(status=line, product_slug="open-a-shop", sku=sku)
    order = Order(status="fulfilled" if line == "delivered" else "paid", paid_at=timezone.now())
    assert display_state(order, [bought], []) == state
    assert state_text(state).badge == word
    assert order_badge(order.status, {line}, product_slug=bought.product_slug, sku=sku)[1] == word
