"""Shoppers with an account, as the product makes them."""

from decimal import Decimal

from django.db import connection
from django.test import Client

from catalog.models import Variant
from customers.models import Customer, Route
from orders.access import DEVICE_COOKIE, device_digest
from orders.keeping import account_open
from orders.models import Order
from orders.services import Buyer, LineRequest, order_place
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import CONTACT, on_sale, open_payment
from tests.flows import REFUSED, TOPPED_UP, confirm, drain
from tests.program import Reply, staying

PASSWORD, DEVICE = "correct-horse-9", "this-browser"


class Browser:
    """One in a shop, from an address of its own; `device` is what its orders remember."""

    def __init__(self, host: str = "one.test", *, device: str = DEVICE, address: str = "2001:db8::77") -> None:
        self.client = Client(headers={"host": host}, REMOTE_ADDR=address)
        if device:
            self.client.cookies[DEVICE_COOKIE] = device

    def get(self, path: str) -> Reply:
        with staying():
            return self.client.get(path)

    def post(self, path: str, **fields: str) -> Reply:
        with staying():
            return self.client.post(path, fields)

    def sign_in(self, password: str = PASSWORD, contact: str = CONTACT) -> Reply:
        return self.post("/account/login/", contact=contact, password=password)


def bought(shop: Reseller, variant: Variant, *, customer: Customer | None = None, contact: str = CONTACT) -> Order:
    """An order of this browser that waits for its money."""
    buyer = Buyer(device_digest=device_digest(DEVICE), customer=customer)
    line = LineRequest(variant.sku, 1, {"uid": "482019375"})
    return order_place(shop=shop, lines=[line], contact=contact, buyer=buyer).order


def paid_by_gateway(shop: Reseller, order: Order) -> Order:
    confirm(open_payment(shop, order))
    order.refresh_from_db()
    return order


def with_account(shop: Reseller, variant: Variant | None = None, *, contact: str = CONTACT) -> tuple[Customer, Order]:
    """A customer and the paid order with which they came."""
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid_by_gateway(shop, bought(shop, variant or on_sale(), contact=contact))
    return account_open(order_id=order.pk, password=PASSWORD), order


def with_wallet(shop: Reseller, customer: Customer) -> Decimal:
    """What one order brought that nobody could deliver, and whose money was to go into the wallet."""
    Customer.objects.filter(pk=customer.pk).update(refund_to=Route.WALLET)
    customer.refresh_from_db()
    ScriptedSupplier.on_submit("empty", REFUSED)
    paid_by_gateway(shop, bought(shop, on_sale(suppliers=("empty",)), customer=customer))
    drain()
    customer.refresh_from_db()
    assert connection.schema_name == shop.schema_name  # type: ignore[attr-defined]
    return customer.wallet
