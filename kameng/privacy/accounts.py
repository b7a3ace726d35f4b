"""A customer's account among what shoppers may take along or get rid of."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from customers.accounts import customer_close
from customers.exceptions import WalletNotEmpty
from customers.models import Customer
from customers.movements import points_movements, wallet_movements
from kameng.core.endpoint import rfc3339
from kameng.privacy.forgetting import NotOver, is_over, order_forget
from kameng.privacy.taking_along import data_of
from orders.models import Order

#: More movements than anybody has.
MANY = 100_000


def account_data(customer: Customer, *, shop_id: int) -> dict[str, Any]:
    """The account and its orders, as JSON takes it."""
    orders = Order.objects.filter(customer=customer).order_by("pk")
    moved = wallet_movements(shop_id=shop_id, customer_id=customer.pk, limit=MANY)
    return {
        "contact": customer.contact,
        "registered_at": rfc3339(customer.created_at),
        "last_sign_in_at": rfc3339(customer.last_seen) if customer.last_seen else None,
        "refunds_go_to": customer.refund_to,
        "wallet": f"{customer.wallet:.2f}",
        "wallet_movements": [
            {"what": one.kind, "order": one.order_number, "amount": f"{one.amount:.2f}", "at": rfc3339(one.at)}
            for one in moved
        ],
        "points": customer.points,
        "points_movements": [
            {"what": one.kind, "order": one.order_number, "points": int(one.amount), "at": rfc3339(one.at)}
            for one in points_movements(shop_id=shop_id, customer_id=customer.pk, limit=MANY)
        ],
        "orders": [data_of(order) for order in orders],
    }


def account_close(*, customer_id: int) -> None:
    """Forget every order of the account, then the account. Raises `WalletNotEmpty`, and `NotOver` while something is
    under way; nothing is forgotten then."""
    if Customer.objects.get(pk=customer_id).wallet:
        raise WalletNotEmpty
    orders = list(Order.objects.filter(customer_id=customer_id).order_by("pk"))
    if not all(is_over(order) for order in orders):
        raise _not_over()
    for order in orders:
        order_forget(order_id=order.pk, actor="shopper")
    with transaction.atomic():
        # Whoever places an order for it now waits for this, and finds no account any more.
        Customer.objects.select_for_update().get(pk=customer_id)
        if Order.objects.filter(customer_id=customer_id).exists():
            raise _not_over()
        customer_close(customer_id=customer_id)


def _not_over() -> NotOver:
    return NotOver(_("还有订单没有办完（待付款、充值中或退款中），办完以后才能注销"))
