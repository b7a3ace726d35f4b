"""Applying for shops and for time, as a browser and the worker do it."""

from decimal import Decimal
from typing import Any

from django.db import connection

from compliance.tenures import shop_plan_grant
from orders.models import Order
from resellers.ledger.posting import Kind, Move, Name, post
from resellers.models import Reseller
from resellers.plans.models import Plan, Subscription
from tests.factories import open_payment
from tests.flows import confirm, drain
from tests.staff import PASSWORD, visitor


def apply(slug: str = "alpha", query: str = "", **changes: str) -> Any:
    """The form as a browser sends it, from a new one each time."""
    form = {
        "plan": "standard", "name": "阿尔法充值", "slug": slug, "focus": "games", "username": "boss",
        "password": PASSWORD, "contact": "13812345678", "agrees": "yes",
    }  # fmt: skip
    answer = visitor("one.test").post(f"/apply/{query}", {**form, **changes})
    connection.set_tenant(Reseller.objects.get(slug="one"))  # type: ignore[attr-defined]
    return answer


def order_of(answer: Any) -> Order:
    """The order that an application led to."""
    assert answer.status_code == 303, answer.content.decode()
    return Order.objects.get(number=answer["Location"].split("/")[2])


def order_in(house: Reseller, answer: Any) -> Order:
    """The same of an answer that another browser got."""
    connection.set_tenant(house)  # type: ignore[attr-defined]
    return order_of(answer)


def pay(house: Reseller, order: Order) -> Order:
    """The money comes, and the worker does what follows."""
    connection.set_tenant(house)  # type: ignore[attr-defined]
    confirm(open_payment(house, order))
    drain()
    order.refresh_from_db()
    return order


def give(shop: Reseller, plan: str = "standard") -> Subscription:
    """A year for nothing."""
    return shop_plan_grant(shop_id=shop.pk, plan=Plan.objects.get(code=plan), key=f"test:{shop.pk}", actor="staff:a")


def earn(shop: Reseller, amount: str) -> None:
    """Money that the owner could take out."""
    owed = Decimal(amount)
    post(
        f"test:{amount}", Kind.TOP_UP, [Move(Name.TOP_UPS, owed), Move(Name.AVAILABLE, -owed, shop.pk)], shop_id=shop.pk
    )
