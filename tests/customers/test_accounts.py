"""A shopper's account: how it is opened and entered, what it proves, and that it proves nothing elsewhere."""

from decimal import Decimal

import pytest
from django.core.cache import cache
from django_tenants.utils import schema_context

from customers.accounts import customer_open, customer_sign_in
from customers.exceptions import ContactTaken, SignInFailed
from customers.links import customer_by_link, link_token
from customers.models import Customer, Route
from kameng.privacy.forgetting import order_forget
from orders.faces import contact_masked, masked
from orders.models import Order
from resellers.models import Reseller
from tests.customers.shoppers import PASSWORD, Browser, bought, paid_by_gateway, with_account
from tests.factories import CONTACT, on_sale
from tests.flows import events

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")
OTHER = "13998765432"


@pytest.fixture(autouse=True)
def _no_counters() -> None:
    cache.clear()


def test_an_account_is_offered_after_success_and_opened_by_that_order_alone(shop: Reseller) -> None:
    variant, browser = on_sale(), Browser()
    earlier = paid_by_gateway(shop, bought(shop, variant))
    order = bought(shop, variant)
    assert "account-offer" not in browser.get(f"/o/{order.number}/").content.decode()
    paid_by_gateway(shop, order)
    page = browser.get(f"/o/{order.number}/").content.decode()
    assert "account-offer" in page
    assert CONTACT not in page
    done = browser.post("/account/register/", number=order.number, password=PASSWORD, again=PASSWORD)
    assert (done.status_code, done["Location"]) == (303, "/account/")
    customer = Customer.objects.get()
    assert (customer.contact, customer.refund_to, customer.wallet) == (CONTACT, "source", Decimal(0))
    assert list(Order.objects.filter(customer=customer)) == [order]
    listed = browser.get("/account/orders/").content.decode()
    assert order.number in listed
    assert f"合计 ¥{order.total:.2f}" in listed
    assert earlier.number not in listed


@pytest.mark.parametrize(
    ("contact", "is_opened"),
    [(CONTACT, True), ("+86 138-1234-5678", True), ("5678", False), (OTHER, False), ("", False)],
)
def test_on_another_device_only_the_whole_contact_opens_one(shop: Reseller, contact: str, is_opened: bool) -> None:
    order = paid_by_gateway(shop, bought(shop, on_sale()))
    browser = Browser(device="another")
    sent = {"number": order.number, "contact": contact, "password": PASSWORD, "again": PASSWORD}
    assert browser.post("/account/register/", **sent).status_code == (303 if is_opened else 422)
    assert Customer.objects.exists() == is_opened


def test_nobody_opens_one_with_an_unpaid_order_or_learns_whether_it_is_there(shop: Reseller) -> None:
    order, browser = bought(shop, on_sale()), Browser(device="another")
    sent = {"contact": CONTACT, "password": PASSWORD, "again": PASSWORD}
    there = browser.post("/account/register/", number=order.number, **sent)
    nowhere = browser.post("/account/register/", number="ABCDEFGHJKMNPQRS", **sent)
    assert there.status_code == nowhere.status_code == 422
    said = "没查到付过款的这一单"
    assert said in there.content.decode()
    assert said in nowhere.content.decode()
    assert not Customer.objects.exists()


@pytest.mark.parametrize(
    ("password", "again"), [("short", "short"), ("12345678", "12345678"), (PASSWORD, "other"), (CONTACT, CONTACT)]
)
def test_passwords_follow_the_rules_of_staff(shop: Reseller, password: str, again: str) -> None:
    order = paid_by_gateway(shop, bought(shop, on_sale()))
    sent = Browser().post("/account/register/", number=order.number, password=password, again=again)
    assert sent.status_code == 422
    assert "This password" not in sent.content.decode()
    assert not Customer.objects.exists()


def test_the_account_is_named_as_its_orders_are(shop: Reseller) -> None:
    with_account(shop)
    browser = Browser()
    browser.sign_in()
    for path in ("/account/", "/account/security/"):
        page = browser.get(path).content.decode()
        assert contact_masked(CONTACT) in page
        assert masked(CONTACT) not in page


def test_a_contact_has_one_account(shop: Reseller) -> None:
    variant = on_sale()
    customer, _order = with_account(shop, variant)
    with pytest.raises(ContactTaken):
        customer_open(contact=CONTACT, password=PASSWORD)
    second = paid_by_gateway(shop, bought(shop, variant))
    assert (
        Browser().post("/account/register/", number=second.number, password=PASSWORD, again=PASSWORD).status_code == 409
    )
    second.refresh_from_db()
    assert (second.customer_id, Customer.objects.get()) == (None, customer)


def test_signing_in_says_the_same_whatever_was_wrong(shop: Reseller) -> None:
    with_account(shop)
    wrong, unknown, nonsense = (
        Browser().sign_in("wrong-password"),
        Browser().sign_in(contact=OTHER),
        Browser().sign_in(contact="nobody"),
    )
    assert [reply.status_code for reply in (wrong, unknown, nonsense)] == [422, 422, 422]
    for reply in (wrong, unknown, nonsense):
        assert "手机号或邮箱、密码不对" in reply.content.decode()
    browser = Browser(device="")
    assert browser.get("/account/").status_code == 302
    assert browser.sign_in()["Location"] == "/account/"
    assert "138****5678" in browser.get("/account/").content.decode()
    assert browser.post("/account/logout/").status_code == 303
    assert browser.get("/account/")["Location"] == "/account/login/?next=/account/"


def test_a_miss_takes_the_work_of_a_hit(shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    worked: list[str] = []

    def made(password: str) -> str:
        worked.append("made")
        return "x"

    def checked(password: str, known: str) -> bool:
        worked.append("checked")
        return False

    monkeypatch.setattr("customers.accounts.make_password", made)
    monkeypatch.setattr("customers.accounts.check_password", checked)
    for contact in (CONTACT, "nobody"):
        with pytest.raises(SignInFailed):
            customer_sign_in(contact=contact, password=PASSWORD)
    assert worked == ["made", "made"]
    Customer.objects.create(contact=CONTACT, password="x")
    with pytest.raises(SignInFailed):
        customer_sign_in(contact=CONTACT, password=PASSWORD)
    assert worked == ["made", "made", "checked"]


def test_tries_are_counted_for_the_contact_wherever_they_come_from(shop: Reseller) -> None:
    with_account(shop)
    replies = [Browser(address=f"2001:db8::{number}").sign_in("wrong-password").status_code for number in range(1, 12)]
    assert replies == [422] * 10 + [429]


def test_a_session_is_of_one_shop_and_ends_everywhere_at_once(shop: Reseller, other_shop: Reseller) -> None:
    customer, _order = with_account(shop)
    here, also_here, there = Browser(), Browser(), Browser("two.test")
    here.sign_in()
    also_here.sign_in()
    with schema_context(other_shop.schema_name):
        Customer.objects.create(pk=customer.pk, contact=CONTACT, password=customer.password)
    there.client.cookies["kameng_session"] = here.client.cookies["kameng_session"].value
    assert there.get("/account/").status_code == 302
    assert also_here.get("/account/").status_code == 200
    assert here.post("/account/security/", act="sessions")["Location"] == "/account/login/"
    assert also_here.get("/account/").status_code == here.get("/account/").status_code == 302


def test_a_customer_is_nobody_in_the_shops_admin(shop: Reseller) -> None:
    with_account(shop)
    browser = Browser()
    browser.sign_in()
    assert browser.get("/manage/").status_code == 302
    assert "/manage/login/" in browser.get("/manage/")["Location"]


def test_a_new_password_ends_other_sessions_and_wants_the_old_one(shop: Reseller) -> None:
    with_account(shop)
    here, also_here = Browser(), Browser()
    here.sign_in()
    also_here.sign_in()
    fields = {"act": "password", "password": "better-horse-10", "again": "better-horse-10"}
    assert here.post("/account/security/", current="wrong", **fields).status_code == 422
    assert here.post("/account/security/", current=PASSWORD, **fields).status_code == 303
    assert (here.get("/account/").status_code, also_here.get("/account/").status_code) == (200, 302)
    assert Browser().sign_in().status_code == 422
    assert Browser().sign_in("better-horse-10").status_code == 303


def test_orders_placed_while_signed_in_belong_to_the_account(shop: Reseller) -> None:
    variant, browser = on_sale(), Browser()
    customer, _order = with_account(shop, variant)
    Customer.objects.update(refund_to=Route.WALLET)
    browser.sign_in()
    form = {"sku": variant.sku, "quantity": "1", "account_uid": "482019375", "contact": ""}
    assert browser.post("/checkout/", **form).status_code == 303
    order = Order.objects.latest("pk")
    assert (order.customer, order.contact, order.refund_to) == (customer, CONTACT, Route.WALLET)
    assert Browser(device="").post("/checkout/", **form).status_code == 422


def test_signed_in_customers_see_their_orders_from_any_device_and_nobody_elses(shop: Reseller) -> None:
    _customer, order = with_account(shop)
    strange = paid_by_gateway(shop, bought(shop, on_sale(), contact=OTHER))
    browser = Browser(device="")
    browser.sign_in()
    assert order.grouped_number in browser.get(f"/o/{order.number}/").content.decode()
    assert "凭证" not in browser.get(f"/o/{strange.number}/").content.decode()


def test_an_older_order_is_kept_by_whoever_proves_it_but_its_refunds_stay(shop: Reseller) -> None:
    """Number and contact may stand on one screenshot: they must not lead the money elsewhere."""
    customer, _order = with_account(shop)
    Customer.objects.update(refund_to=Route.WALLET)
    older = paid_by_gateway(shop, bought(shop, on_sale()))
    browser = Browser(device="")
    browser.sign_in()
    assert browser.post("/account/orders/", number=older.number, contact="0000").status_code == 422
    assert browser.post("/account/orders/", number=older.number, contact="5678").status_code == 303
    older.refresh_from_db()
    assert (older.customer, older.refund_to) == (customer, Route.SOURCE)
    assert events(older, "order.kept") == ["order.kept"]
    browser.post(f"/account/orders/{older.number}/", refund_to="wallet")
    older.refresh_from_db()
    assert older.refund_to == Route.SOURCE
    on_its_device = Browser()
    on_its_device.sign_in()
    on_its_device.post(f"/account/orders/{older.number}/", refund_to="wallet")
    older.refresh_from_db()
    assert older.refund_to == Route.WALLET


def test_an_order_is_in_one_account(shop: Reseller) -> None:
    _customer, order = with_account(shop)
    with_account(shop, contact=OTHER)
    browser = Browser()
    browser.sign_in(contact=OTHER)
    assert browser.post("/account/orders/", number=order.number, contact="5678").status_code == 409
    order.refresh_from_db()
    assert order.customer is not None
    assert order.customer.contact == CONTACT


def test_a_link_sets_a_password_once_in_its_shop(shop: Reseller, other_shop: Reseller) -> None:
    customer, _order = with_account(shop)
    token = link_token(customer)
    assert customer_by_link(token) == customer
    assert customer_by_link(f"{token}x") is None
    with schema_context(other_shop.schema_name):
        Customer.objects.create(pk=customer.pk, contact=CONTACT, password="x")
        assert customer_by_link(token) is None
    browser, new = Browser(device=""), "better-horse-10"
    assert browser.get(f"/account/reset/{token}/").status_code == 200
    assert browser.post(f"/account/reset/{token}/", password=new, again=new).status_code == 303
    assert browser.get("/account/").status_code == 200
    assert browser.post(f"/account/reset/{token}/", password=PASSWORD, again=PASSWORD).status_code == 404
    assert Browser().sign_in(new).status_code == 303


def test_closing_an_account_forgets_its_orders_and_waits_for_what_is_open(shop: Reseller) -> None:
    customer, order = with_account(shop)
    browser = Browser()
    browser.sign_in()
    close = {"act": "close", "sure": "yes", "sure_password": PASSWORD}
    refused = browser.post("/account/security/", **close)
    assert refused.status_code == 409
    assert "还有订单没有办完" in refused.content.decode()
    Order.objects.filter(pk=order.pk).update(status="fulfilled")
    data = browser.post("/account/data/").json()
    assert (data["contact"], [one["number"] for one in data["orders"]]) == (CONTACT, [order.number])
    Customer.objects.update(wallet=1)
    assert "余额里还有钱" in browser.post("/account/security/", **close).content.decode()
    Customer.objects.update(wallet=0)
    assert "account-closed" not in browser.get("/account/login/").content.decode()
    onward = browser.post("/account/security/", **close)["Location"]
    assert "账号注销好了" in browser.get(onward).content.decode()
    customer.refresh_from_db()
    order.refresh_from_db()
    assert (customer.contact[0], customer.closed_at is not None, order.contact, order.customer_id) == (
        "#",
        True,
        "",
        None,
    )
    assert browser.get("/account/").status_code == 302
    with pytest.raises(SignInFailed):
        customer_sign_in(contact=CONTACT, password=PASSWORD)
    assert customer_open(contact=CONTACT, password=PASSWORD).pk != customer.pk


def test_an_order_that_is_forgotten_leaves_the_account(shop: Reseller) -> None:
    customer, order = with_account(shop)
    Order.objects.filter(pk=order.pk).update(status="fulfilled", refund_to=Route.WALLET)
    order_forget(order_id=order.pk, actor="retention")
    order.refresh_from_db()
    assert (order.customer_id, order.refund_to, Customer.objects.get()) == (None, Route.SOURCE, customer)


def test_pages_of_the_account_are_never_kept_and_say_so_when_there_is_nothing(shop: Reseller) -> None:
    with_account(shop)
    Order.objects.update(customer=None)
    browser = Browser()
    browser.sign_in()
    for path in ("", "orders/", "wallet/", "security/"):
        page = browser.get(f"/account/{path}")
        assert (page.status_code, "no-store" in page["Cache-Control"]) == (200, True), path
    assert "还没有订单" in browser.get("/account/").content.decode()
    assert "还没有收支" in browser.get("/account/wallet/").content.decode()
    for path in ("/", "/account/login/"):
        assert CONTACT not in browser.get(path).content.decode()
