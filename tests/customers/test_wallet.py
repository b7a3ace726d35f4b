"""The wallet: only chosen refunds come in, orders are paid from it once, and the book says the same."""

from decimal import Decimal

import pytest
from django.db import connection

from customers.exceptions import SignInRequired, WalletShort
from customers.models import Customer, Route
from customers.movements import wallet_movements
from customers.wallets import book_owner
from kameng.audit.services import audit
from orders.models import Order
from orders.services import order_check
from orders.words import state_text
from payments.models import Payment, Refund
from payments.refund_outcomes import refund_run
from payments.refunds import line_refund, refund_route
from payments.wallets import wallet_pay
from resellers.ledger.balances import balance
from resellers.ledger.models import Account
from resellers.models import Reseller
from tests.customers.shoppers import Browser, bought, paid_by_gateway, with_account, with_wallet
from tests.doubles import ScriptedSupplier
from tests.factories import CONTACT, on_sale, open_payment
from tests.flows import REFUSED, TOPPED_UP, asked_gateway, confirm, drain, states
from tests.program import Program

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")


def broken() -> list[str]:
    return [example for verdict in audit() for example in verdict.examples]


def held(shop: Reseller, customer: Customer) -> tuple[Decimal, Decimal]:
    """By the column, and by the book."""
    customer.refresh_from_db()
    return customer.wallet, balance(Account.Name.WALLET, book_owner(shop.pk, customer.pk))


def test_a_refund_goes_into_the_wallet_at_once_where_the_shopper_chose_that(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    assert with_wallet(shop, customer) == Decimal("60.00")
    order = Order.objects.latest("pk")
    refund = Refund.objects.get(payment__order=order)
    assert (refund.route, refund.status, refund.fee_returned) == ("wallet", "succeeded", Decimal(0))
    assert states(order) == ("refunded", "refunded")
    assert asked_gateway("refund") == 0
    assert held(shop, customer) == (Decimal("60.00"), Decimal("60.0000"))
    assert balance(Account.Name.REFUNDS, shop.pk) == 0
    assert broken() == []
    page = Browser()
    page.sign_in()
    page.post(f"/account/orders/{order.number}/", refund_to="source")
    order.refresh_from_db()
    assert order.refund_to == Route.WALLET  # a refund has begun
    shown = page.get(f"/o/{order.number}/").content.decode()
    assert "到余额" in shown
    assert "马上可用" in shown
    assert "银行卡可能要等" not in shown


def test_without_a_choice_or_an_account_money_goes_back_the_way_it_came(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    ScriptedSupplier.on_submit("empty", REFUSED, REFUSED)
    variant = on_sale(suppliers=("empty",))
    for whose in (customer, None):
        order = paid_by_gateway(shop, bought(shop, variant, customer=whose))
        drain()
        refund = Refund.objects.get(payment__order=order)
        assert (refund.route, refund.status) == (Route.SOURCE, "succeeded")
    assert asked_gateway("refund") == 2
    assert held(shop, customer) == (Decimal(0), Decimal(0))


def test_the_wallet_pays_an_order_and_gets_it_back(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    with_wallet(shop, customer)
    ScriptedSupplier.on_submit("empty", REFUSED)
    order = bought(shop, on_sale(suppliers=("empty",)), customer=customer)
    payment = wallet_pay(order=order, customer=customer, shop_id=shop.pk)
    assert (payment.gateway, payment.status, payment.holder_id) == ("wallet", "confirmed", customer.pk)
    assert held(shop, customer) == (Decimal(0), Decimal(0))
    drain()
    assert states(order) == ("refunded", "refunded")
    assert held(shop, customer) == (Decimal("60.00"), Decimal("60.0000"))
    moved = wallet_movements(shop_id=shop.pk, customer_id=customer.pk, limit=10)
    assert [(one.kind, one.amount, one.after) for one in moved] == [
        ("wallet_back", Decimal(60), Decimal(60)),
        ("wallet_paid", Decimal(-60), Decimal(0)),
        ("refund", Decimal(60), Decimal(60)),
    ]
    assert asked_gateway("refund") == 0
    assert broken() == []


def test_the_cashier_shows_the_wallet_to_its_customer_and_pays_with_one_click(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    with_wallet(shop, customer)
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = bought(shop, on_sale(suppliers=("first",)))
    order_check(order_id=order.pk, no_return="charge-1")
    guest, browser = Browser(), Browser()
    assert "pay-wallet" not in guest.get(f"/pay/{order.number}/").content.decode()
    assert guest.post(f"/pay/{order.number}/", gateway="wallet").status_code == 503
    open_payment(shop, order)  # a code was shown before, and is as good as none
    browser.sign_in()
    assert "pay-wallet" in browser.get(f"/pay/{order.number}/").content.decode()
    paid = browser.post(f"/pay/{order.number}/", gateway="wallet")
    assert (paid.status_code, paid["Location"]) == (303, f"/o/{order.number}/")
    # It goes back there and nowhere else, so nobody is asked.
    assert 'name="refund_to"' not in browser.get(f"/o/{order.number}/").content.decode()
    drain()
    order.refresh_from_db()
    assert (order.status, order.customer) == ("fulfilled", customer)
    assert "余额" in browser.get(f"/o/{order.number}/").content.decode()


def test_money_that_comes_after_the_wallet_has_paid_is_surplus_and_goes_back(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    with_wallet(shop, customer)
    order = bought(shop, on_sale(), customer=customer)
    late = open_payment(shop, order)
    wallet_pay(order=order, customer=customer, shop_id=shop.pk)
    confirm(late)
    drain()
    assert held(shop, customer) == (Decimal("60.00"), Decimal("60.0000"))
    assert Refund.objects.get(payment=late).cause == "surplus"
    assert broken() == []


def test_the_wallet_pays_for_nobody_else_and_not_more_than_there_is(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    other, theirs = with_account(shop, contact="13998765432")
    with_wallet(shop, customer)
    dear = bought(shop, on_sale(supply_price="61.00", official_price="64.00"), customer=customer)
    for refused, who, order in (
        (SignInRequired, None, dear),
        (SignInRequired, other, dear),
        (WalletShort, customer, dear),
    ):
        with pytest.raises(refused):
            wallet_pay(order=order, customer=who, shop_id=shop.pk)
    assert held(shop, customer) == (Decimal("60.00"), Decimal("60.0000"))
    assert not Payment.objects.filter(gateway="wallet").exists()
    assert theirs.customer_id is None or theirs.customer_id == other.pk


def test_a_program_needs_the_session_to_pay_from_a_wallet(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    with_wallet(shop, customer)
    program, variant = Program(), on_sale()
    wanted = {"lines": [{"sku": variant.sku, "quantity": 1, "account": {"uid": "482019375"}}], "contact": CONTACT}
    placed = program.post("orders/", wanted).json()
    pay = {"gateway": "wallet", "channel": "page"}
    refused = program.post(f"orders/{placed['number']}/payments/", pay, token=placed["token"])
    assert (refused.status_code, refused.json()["code"]) == (403, "sign_in_required")
    browser = Browser()
    browser.sign_in()
    program.client.cookies["kameng_session"] = browser.client.cookies["kameng_session"].value
    paid = program.post(f"orders/{placed['number']}/payments/", pay, token=placed["token"])
    assert (paid.status_code, paid.json()["qr"], paid.json()["url"]) == (201, "", "")
    assert program.get(f"orders/{placed['number']}/", token=placed["token"]).json()["status"] == "paid"
    assert held(shop, customer) == (Decimal(0), Decimal(0))


def test_what_an_owner_collected_never_goes_into_a_wallet(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    order = bought(shop, on_sale(), customer=customer)
    Order.objects.filter(pk=order.pk).update(refund_to=Route.WALLET)
    order.refresh_from_db()
    theirs, ours = Payment(owner_collects=True, gateway="alipay"), Payment(gateway="alipay")
    assert (refund_route(theirs, order), refund_route(ours, order)) == (Route.SOURCE, Route.WALLET)
    assert refund_route(Payment(gateway="wallet"), order) == Route.SOURCE


def test_a_refund_is_in_the_wallet_once_however_often_it_is_run(shop: Reseller) -> None:
    customer, _first = with_account(shop)
    with_wallet(shop, customer)
    refund = Refund.objects.get(route=Route.WALLET)
    for _ in range(2):
        refund_run(refund_id=refund.pk)
        line_refund(line_id=refund.line_id)  # type: ignore[arg-type]
    assert held(shop, customer) == (Decimal("60.00"), Decimal("60.0000"))


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE customers_customer SET wallet = wallet + 1", "I11"),
        ("UPDATE payments_refund SET route = 'source' WHERE route = 'wallet'", "I1"),
        ("DELETE FROM customers_customer WHERE wallet > 0", "I11"),
    ],
)
def test_the_audit_sees_what_is_made_wrong(shop: Reseller, statement: str, code: str) -> None:
    customer, _first = with_account(shop)
    with_wallet(shop, customer)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("UPDATE orders_order SET customer_id = NULL, refund_to = 'source'")
        cursor.execute(statement)
        assert cursor.rowcount
    assert code in {verdict.code for verdict in audit() if not verdict.ok}


def test_words_for_a_wallet_promise_no_bank(shop: Reseller) -> None:
    told = state_text("refunded", {"amount": "¥60.00", "method": "余额", "wallet": "余额", "time": "12:01"})
    assert (told.headline, told.detail) == ("已退 ¥60.00 到余额", "12:01 已退到余额，马上可用")
