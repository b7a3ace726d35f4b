"""Points: for money that was paid and goods that arrived, spent once, and taken back with the money."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from customers.models import Customer
from customers.wallets import book_owner
from kameng.audit.services import audit
from kameng.manage.figures import figures
from orders.exceptions import OrderNotPayable
from orders.models import Order
from orders.monthly import Month, courses, page_of
from orders.statements import statement_of
from payments.approvals import refund_ask
from payments.coupons import coupon_use
from payments.models import Payment, Refund
from payments.points import points_earn, points_offer, points_use
from payments.wallets import wallet_pay
from resellers import selectors
from resellers.ledger.balances import balance, balances_snapshot
from resellers.ledger.days import days_false, days_reckon
from resellers.ledger.models import Account, Day
from resellers.ledger.settlement import shop_settle
from resellers.models import Reseller
from tests.customers.shoppers import Browser, bought, paid_by_gateway, with_account
from tests.doubles import ScriptedSupplier
from tests.factories import coupon, on_sale, open_payment
from tests.flows import REFUSED, TOPPED_UP, drain, states

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")
Name = Account.Name


def giving(shop: Reseller, per_yuan: int = 5, percent: int = 20, *, is_house: bool = False) -> Reseller:
    """The shop gives so many points for a yuan from now on: what was bought before has arrived."""
    drain()
    Reseller.objects.filter(pk=shop.pk).update(
        points_per_yuan=per_yuan, points_limit_percent=percent, is_house=is_house
    )
    selectors.forget()
    shop.refresh_from_db()
    return shop


def delivered(shop: Reseller, customer: Customer) -> Order:
    """An order of 60.00 that cost the owner 57.00, paid in money, which has arrived."""
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = paid_by_gateway(shop, bought(shop, on_sale(suppliers=("first",)), customer=customer))
    drain()
    assert states(order) == ("fulfilled", "delivered")
    return order


def held(shop: Reseller, customer: Customer) -> tuple[int, Decimal]:
    """By the column, and by the book in yuan."""
    customer.refresh_from_db()
    return customer.points, balance(Name.POINTS, book_owner(shop.pk, customer.pk))


def broken() -> list[str]:
    return [example for verdict in audit() for example in verdict.examples]


@pytest.mark.parametrize(
    ("per_yuan", "is_house", "points"),
    [(0, False, 0), (1, False, 60), (5, False, 300), (10, False, 300), (10, True, 600)],
)
def test_what_arrived_earns_points_of_its_owner_never_more_than_it_earned(
    shop: Reseller, per_yuan: int, is_house: bool, points: int
) -> None:
    customer, _first = with_account(shop)
    giving(shop, per_yuan, is_house=is_house)
    order = delivered(shop, customer)
    for _ in range(2):
        points_earn(line_id=order.lines.get().pk)
    worth = Decimal(points) / 100
    assert figures().profit == Decimal("6.00") - worth  # with the first order, which brought 3.00, too
    assert held(shop, customer) == (points, worth)
    assert balance(Name.COUPONS) == (worth if is_house else 0)
    # Each of the two orders brought its owner 3.00; of the house shop, only the first, from before it was one.
    assert balance(Name.PENDING, shop.pk) == (3 if is_house else 6 - worth)
    assert broken() == []


def test_points_pay_a_part_before_a_gateway_is_asked_and_come_back(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    giving(shop, 10, 2, is_house=True)
    delivered(shop, customer)
    ScriptedSupplier.on_submit("empty", REFUSED)
    order = bought(shop, on_sale(suppliers=("empty",)), customer=customer)
    customer.refresh_from_db()
    offer = points_offer(shop=shop, order=order, customer=customer)
    assert offer is not None
    assert (offer.points, offer.amount) == (120, Decimal("1.20"))
    paid = points_use(shop=shop, order_id=order.pk, customer=customer)
    assert (paid.gateway, paid.amount, paid.holder_id) == ("points", Decimal("1.20"), customer.pk)
    assert points_offer(shop=shop, order=order, customer=customer) is None
    assert held(shop, customer) == (480, Decimal("4.80"))
    rest = open_payment(shop, order)
    assert rest.amount == Decimal("58.80")
    paid_by_gateway(shop, order)
    drain()
    assert states(order) == ("refunded", "refunded")
    assert held(shop, customer) == (600, Decimal("6.00"))
    assert broken() == []


def test_points_do_not_pay_once_a_gateway_was_asked_or_for_somebody_else(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    other, _theirs = with_account(shop, contact="13998765432")
    giving(shop, 10, is_house=True)
    delivered(shop, customer)
    customer.refresh_from_db()
    order = bought(shop, on_sale(), customer=customer)
    assert points_offer(shop=shop, order=order, customer=other) is None
    open_payment(shop, order)
    with pytest.raises(OrderNotPayable):
        points_use(shop=shop, order_id=order.pk, customer=customer)
    assert held(shop, customer) == (600, Decimal("6.00"))
    assert not Payment.objects.filter(gateway="points").exists()


def test_money_that_goes_back_takes_its_points_as_far_as_they_are_there(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    giving(shop, 10, 100, is_house=True)
    order = delivered(shop, customer)
    line = order.lines.get()

    def ask(amount: str, key: str) -> Refund:
        return refund_ask(
            line_id=line.pk,
            amount=Decimal(amount),
            reason="补偿",
            note="顾客说得有理，先退一部分",
            key=key,
            actor="staff:x",
        )

    ask("20.00", "one")
    assert held(shop, customer) == (400, Decimal("4.00"))
    second = bought(shop, on_sale(), customer=customer)
    customer.refresh_from_db()
    points_use(shop=shop, order_id=second.pk, customer=customer)
    assert held(shop, customer) == (0, Decimal(0))
    ask("30.00", "two")
    assert held(shop, customer) == (0, Decimal(0))
    told = order.events.filter(name="points.taken").order_by("pk").values_list("data", flat=True)
    assert [(one["points"], one["gone"]) for one in told] == [(200, 0), (0, 300)]
    assert broken() == []


def test_only_money_earns(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    giving(shop, 10, is_house=True)
    Customer.objects.filter(pk=customer.pk).update(refund_to="wallet")
    customer.refresh_from_db()
    ScriptedSupplier.on_submit("empty", REFUSED)
    paid_by_gateway(shop, bought(shop, on_sale(suppliers=("empty",)), customer=customer))
    drain()
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = bought(shop, on_sale(suppliers=("first",)), customer=customer)
    wallet_pay(order=order, customer=customer, shop_id=shop.pk)
    drain()
    assert states(order) == ("fulfilled", "delivered")
    assert held(shop, customer) == (0, Decimal(0))


def test_the_check_page_offers_points_to_their_customer_and_takes_them(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    giving(shop, 10, 50, is_house=True)
    delivered(shop, customer)
    order, browser = bought(shop, on_sale(), customer=customer), Browser()
    page = f"/checkout/{order.number}/"
    assert 'name="points"' not in browser.get(page).content.decode()
    browser.sign_in()
    assert 'name="points"' in browser.get(page).content.decode()
    refused = browser.post(page, points="yes")
    assert refused.status_code == 422
    assert held(shop, customer) == (600, Decimal("6.00"))
    assert browser.post(page, points="yes", no_return="charge-1").status_code == 303
    assert held(shop, customer) == (0, Decimal(0))
    assert "54.00" in browser.get(f"/pay/{order.number}/").content.decode()
    shown = browser.get("/account/points/").content.decode()
    assert "-600" in shown
    assert "+600" in shown.replace("\n", "").replace(" ", "")


def test_an_owner_sees_what_points_cost_and_every_sum_adds_up(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    giving(shop, 2, 50)
    order = delivered(shop, customer)
    customer.refresh_from_db()
    second = bought(shop, on_sale(suppliers=("first",)), customer=customer)
    points_use(shop=shop, order_id=second.pk, customer=customer)
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    paid_by_gateway(shop, second)
    drain()
    now = timezone.now()
    earned, spent = statement_of(shop, order, now=now), statement_of(shop, second, now=now)
    assert earned is not None
    assert spent is not None
    assert (earned.gifts, earned.own, earned.received) == (Decimal("1.20"), Decimal("1.80"), Decimal(60))
    assert (spent.points, spent.gifts, spent.received) == (Decimal("1.20"), Decimal("1.17"), Decimal("58.80"))
    month = Month.of(now)
    totals, rows = page_of(shop, month, first=0, count=10)
    assert {row.number: row.own for row in rows}[second.number] == Decimal("1.83")
    pending, _available = courses(shop, month, now=now)
    pending.foot(totals.pending)
    assert balances_snapshot()
    days_reckon(at=now)
    assert list(days_false()) == []
    assert sum(day.received for day in Day.objects.filter(shop_id=shop.pk)) == Decimal("178.80")
    shop_settle(shop_id=shop.pk, day=timezone.localdate(now) + timedelta(days=9))
    assert balance(Name.PENDING, shop.pk) == 0
    assert balance(Name.AVAILABLE, shop.pk) == Decimal(9) - Decimal("2.37")


def test_what_a_coupon_has_taken_of_the_owners_share_is_not_given_once_more(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    giving(shop, 10)
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = bought(shop, on_sale(suppliers=("first",)), customer=customer)
    given = coupon(shop, value=Decimal("2.50"))
    coupon_use(shop=shop, order_id=order.pk, code=given.code, actor="shopper")
    paid_by_gateway(shop, order)
    drain()
    assert states(order) == ("fulfilled", "delivered")
    assert held(shop, customer) == (50, Decimal("0.50"))
    assert broken() == []
