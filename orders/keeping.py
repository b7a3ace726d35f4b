"""Orders in a customer's account: opening one after an order was paid, and keeping others there.

What proves an order proves that order and no other: whoever opens an account sees nothing of what the same contact
bought before.
"""

from django.db import transaction
from django.utils.translation import gettext as _

from customers.accounts import customer_open
from customers.exceptions import AccountRefused
from customers.models import Customer, Route
from orders.events import event_write
from orders.exceptions import NotKept
from orders.models import Order
from orders.states import order_lock


@transaction.atomic
def account_open(*, order_id: int, password: str) -> Customer:
    """A new account for the contact of a paid order, which is its first. Raises `AccountRefused` and `ContactTaken`.

    Whoever calls has seen that it was this browser's order, or the whole contact. That it was paid for is what keeps
    strangers from trying contacts, or from taking them.
    """
    order = order_lock(order_id)
    if order.paid_at is None or order.forgotten_at is not None:
        raise AccountRefused(fields={"number": _("付过款的订单才能开账号")})
    customer = customer_open(contact=order.contact, password=password)
    if order.customer_id is None:
        _keep(order, customer, Route.SOURCE)
    return customer


@transaction.atomic
def order_keep(*, order_id: int, customer: Customer, is_own_device: bool) -> Order:
    """The order belongs to the account from now on. Twice is harmless; raises `NotKept` where it is another's.

    Its refunds follow what the customer prefers only where this browser placed it: who merely proved its contact must
    not be able to lead its money elsewhere.
    """
    order = order_lock(order_id)
    if order.forgotten_at is not None or order.customer_id not in (None, customer.pk):
        raise NotKept
    if order.customer_id is None:
        _keep(order, customer, Route(customer.refund_to) if is_own_device else Route.SOURCE)
    return order


def _keep(order: Order, customer: Customer, refund_to: Route) -> None:
    order.customer, order.refund_to = customer, refund_to
    order.save(update_fields=["customer", "refund_to"])
    event_write(order, "order.kept", actor="shopper", refund_to=refund_to)


@transaction.atomic
def refund_route_choose(*, order_id: int, customer: Customer, to: Route) -> Order:
    """Where refunds of the order go that are decided from now on. Raises `NotKept` for another's order.

    Whoever calls has seen that this browser placed it.
    """
    order = order_lock(order_id)
    if order.customer_id != customer.pk:
        raise NotKept
    if order.refund_to != to:
        order.refund_to = to
        order.save(update_fields=["refund_to"])
        event_write(order, "order.refunds_go", actor="shopper", refund_to=to)
    return order
