"""The last money of a wallet, one refund into it, and one contact, by several at once."""

from decimal import Decimal
from typing import Any

import pytest

from customers.accounts import customer_open
from customers.models import Customer, Route
from customers.wallets import book_owner
from orders.models import Order
from payments.models import Payment, Refund
from payments.points import points_earn, points_use
from payments.refund_outcomes import refund_run
from payments.refunds import line_refund
from payments.wallets import wallet_pay
from resellers import selectors
from resellers.ledger.balances import balance
from resellers.ledger.models import Account
from resellers.models import Reseller
from tests.customers.shoppers import bought, paid_by_gateway, with_account, with_wallet
from tests.doubles import ScriptedSupplier
from tests.factories import CONTACT, on_sale
from tests.flows import REFUSED, fulfill, outbox
from tests.races.threads import BRIEFLY, SURELY, at_once, pause_before, without_row_locks

pytestmark = [pytest.mark.race, pytest.mark.usefixtures("gateway_double", "supplier_double")]


def kinds(results: list[Any]) -> dict[str, int]:
    names = [type(result).__name__ for result in results]
    return {name: names.count(name) for name in names}


def held(shop: Reseller, customer: Customer) -> tuple[Decimal, Decimal]:
    customer.refresh_from_db()
    return customer.wallet, balance(Account.Name.WALLET, book_owner(shop.pk, customer.pk))


def test_the_last_money_of_a_wallet_pays_one_order(live_shop: Reseller) -> None:
    customer, _first = with_account(live_shop)
    assert with_wallet(live_shop, customer) == Decimal(60)
    variant = on_sale()
    orders = [bought(live_shop, variant, customer=customer) for _ in range(3)]
    pay = [lambda order=order: wallet_pay(order=order, customer=customer, shop_id=live_shop.pk) for order in orders]
    assert kinds(at_once(live_shop, *pay)) == {"Payment": 1, "WalletShort": 2}
    assert held(live_shop, customer) == (Decimal(0), Decimal(0))
    assert (
        Payment.objects.filter(gateway="wallet").count()
        == Order.objects.filter(status="paid", payments__gateway="wallet").count()
        == 1
    )


def test_one_order_is_paid_from_the_wallet_once(live_shop: Reseller) -> None:
    customer, _first = with_account(live_shop)
    with_wallet(live_shop, customer)
    Customer.objects.filter(pk=customer.pk).update(wallet=180)
    order = bought(live_shop, on_sale(), customer=customer)
    pay = [lambda: wallet_pay(order=order, customer=customer, shop_id=live_shop.pk) for _ in range(3)]
    assert kinds(at_once(live_shop, *pay)) == {"Payment": 1, "OrderNotPayable": 2}
    customer.refresh_from_db()
    assert customer.wallet == Decimal(120)


def refunded_by_two(shop: Reseller, monkeypatch: pytest.MonkeyPatch, patience: float = BRIEFLY) -> Customer:
    """A refund into a wallet that two run at the same moment."""
    customer, _first = with_account(shop)
    Customer.objects.filter(pk=customer.pk).update(refund_to=Route.WALLET)
    customer.refresh_from_db()
    ScriptedSupplier.on_submit("empty", REFUSED)
    order = paid_by_gateway(shop, bought(shop, on_sale(suppliers=("empty",)), customer=customer))
    fulfill(order)
    for payload in outbox("line.failed"):
        line_refund(line_id=payload["line_id"])
    refund = Refund.objects.get(payment__order=order)
    assert refund.status == "created"
    pause_before(monkeypatch, "payments.refund_outcomes.refund_transition", patience=patience)
    at_once(shop, *[lambda: refund_run(refund_id=refund.pk) for _ in range(2)])
    refund.refresh_from_db()
    assert refund.status == "succeeded"
    customer.refresh_from_db()
    return customer


def test_a_refund_goes_into_the_wallet_once(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = refunded_by_two(live_shop, monkeypatch)
    assert held(live_shop, customer) == (Decimal(60), Decimal("60.0000"))


def test_without_locks_it_would_go_in_twice(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    without_row_locks(monkeypatch)
    customer = refunded_by_two(live_shop, monkeypatch, SURELY)
    assert held(live_shop, customer) == (Decimal(120), Decimal("60.0000"))


def test_a_contact_gets_one_account(live_shop: Reseller) -> None:
    opened = at_once(live_shop, *[lambda: customer_open(contact=CONTACT, password="correct-horse-9") for _ in range(4)])
    assert kinds(opened) == {"Customer": 1, "ContactTaken": 3}
    assert Customer.objects.count() == 1


def test_the_last_points_pay_one_order(live_shop: Reseller) -> None:
    customer, _first = with_account(live_shop)
    Customer.objects.filter(pk=customer.pk).update(points=100)
    selectors.forget()
    orders = [bought(live_shop, on_sale(), customer=customer) for _ in range(3)]
    pay = [
        lambda order=order: points_use(shop=live_shop, order_id=order.pk, customer=Customer.objects.get(pk=customer.pk))
        for order in orders
    ]
    assert kinds(at_once(live_shop, *pay))["Payment"] == 1
    customer.refresh_from_db()
    assert customer.points == 0
    assert Payment.objects.filter(gateway="points").count() == 1


def test_a_line_earns_its_points_once(live_shop: Reseller) -> None:
    customer, _first = with_account(live_shop)
    Reseller.objects.filter(pk=live_shop.pk).update(points_per_yuan=5)
    selectors.forget()
    try:
        order = paid_by_gateway(live_shop, bought(live_shop, on_sale(), customer=customer))
        fulfill(order)
        line = order.lines.get()
        assert line.status == "delivered"
        at_once(live_shop, *[lambda: points_earn(line_id=line.pk) for _ in range(4)])
        customer.refresh_from_db()
        assert customer.points == 300
    finally:
        Reseller.objects.filter(pk=live_shop.pk).update(points_per_yuan=0)
        selectors.forget()
