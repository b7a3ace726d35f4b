"""Who may look at an order, and that what opens it in one shop opens nothing in another."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django_tenants.utils import schema_context

from orders.access import (
    DEVICE_COOKIE,
    GRANT_COOKIE,
    contact_matches,
    device_digest,
    grant,
    may_see,
    order_token,
    token_matches,
)
from orders.models import Order
from resellers.models import Reseller
from tests.factories import on_sale, place

pytestmark = pytest.mark.usefixtures("supplier_double")


def asks(order: Order, **cookies: str) -> bool:
    """Whether a browser with these cookies sees the order."""
    request = RequestFactory().get("/")
    request.COOKIES.update(cookies)
    return may_see(request, order)


def granted(order: Order) -> str:
    """The cookie of a browser that has just proved the contact."""
    return grant(HttpResponse(), RequestFactory().get("/"), order).cookies[GRANT_COOKIE].value


def test_a_token_is_its_orders_and_its_shops(shop: Reseller, other_shop: Reseller) -> None:
    variant = on_sale()
    first, second = place(shop, variant), place(shop, variant)
    token = order_token(first)
    assert token_matches(first, token)
    assert not token_matches(second, token)
    assert not any(token_matches(first, wrong) for wrong in ("", token[:-1], token + "x", token.swapcase(), "令牌"))
    with schema_context(other_shop.schema_name):
        assert not token_matches(first, token)


def test_a_grant_is_its_orders_and_its_shops(shop: Reseller, other_shop: Reseller) -> None:
    variant = on_sale()
    first, second = place(shop, variant), place(shop, variant)
    cookie = granted(first)
    assert asks(first, **{GRANT_COOKIE: cookie})
    assert not asks(second, **{GRANT_COOKIE: cookie})
    assert not any(asks(first, **{GRANT_COOKIE: wrong}) for wrong in ("", "x", cookie[:-1], f'["{first.number}"]'))
    with schema_context(other_shop.schema_name):
        assert not asks(first, **{GRANT_COOKIE: cookie})


def test_the_device_that_ordered_sees_its_order_and_no_other_does(shop: Reseller) -> None:
    order = place(shop, on_sale())
    assert not asks(order, **{DEVICE_COOKIE: ""})
    Order.objects.update(device_digest=device_digest("phone-1"))
    order.refresh_from_db()
    assert asks(order, **{DEVICE_COOKIE: "phone-1"})
    assert not any(asks(order, **{DEVICE_COOKIE: wrong}) for wrong in ("", "phone-2", order.device_digest))


@pytest.mark.parametrize(
    ("contact", "right", "wrong"),
    [
        ("13812345678", ["5678", " 5678 ", "13812345678"], ["", "678", "45678", "5679", "1381234567", "%", "５６７８"]),
        (
            "name@example.com",
            ["name@example.com", " NAME@Example.com"],
            ["", "name", ".com", "example.com", "e@example.com"],
        ),
    ],
)
def test_a_contact_is_proven_by_its_end_or_in_full(
    shop: Reseller, contact: str, right: list[str], wrong: list[str]
) -> None:
    order = place(shop, on_sale(), contact=contact)
    assert all(contact_matches(order, proof) for proof in right)
    assert not any(contact_matches(order, proof) for proof in wrong)
