"""Who buys in a shop: masked, found by a whole contact, and shown in full to whoever is written down for it."""

import io
import re
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.core.management import call_command
from django.utils import timezone
from django_tenants.utils import schema_context
from pytest_django import DjangoAssertNumQueries

from customers.models import Customer as Account
from kameng.manage.customers import REVEALS, customers_of
from kameng.privacy.forgetting import order_forget
from orders.keeping import account_open
from orders.models import Order, OrderLine
from orders.search import orders_found
from payments.coupons import coupon_use
from resellers.models import Reseller
from tests.factories import coupon, on_sale, open_payment, place
from tests.flows import confirm, paid
from tests.staff import owner_of, staff_of

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

ONE, OTHER, MAIL = "13812345678", "13999990000", "nina@example.com"


@pytest.fixture
def orders(shop: Reseller) -> list[Order]:
    """Two of one shopper's, one of another's by mail, and one that nobody paid for."""
    variant = on_sale()
    made = [paid(shop, variant, contact=contact) for contact in (ONE, ONE, MAIL)]
    place(shop, variant, contact=OTHER)
    return made


def shown(text: str = "") -> list[tuple[str, int, Decimal]]:
    return [(one.masked, one.orders, one.total) for one in customers_of(text=text)]


def looks(shop: Reseller) -> int:
    """How often somebody was written down."""
    with schema_context(shop.schema_name):
        return LogEntry.objects.count()


def test_a_contact_that_was_paid_for_is_a_customer_the_newest_first(orders: list[Order]) -> None:
    nina, one = ("n***@example.com", 1, Decimal("60.00")), ("138****5678", 2, Decimal("120.00"))
    assert shown() == [nina, one]
    for text in (ONE, "138 1234 5678", "138****5678", "5678", "12345678"):
        assert shown(text) == [one], text
    for text in (MAIL, MAIL.upper(), "n***@example.com"):
        assert shown(text) == [nina], text
    for text in (OTHER, "0000", "%%%%", "____", "****", "*8*", "13800000000"):
        assert shown(text) == [], text
    assert customers_of(before=orders[2].pk)[0].masked == "138****5678"
    assert customers_of(before=orders[1].pk) == []


def test_what_went_back_is_told_and_who_was_forgotten_is_nobody(shop: Reseller, orders: list[Order]) -> None:
    first = orders[0]
    payment = first.payments.get()
    payment.refunds.create(
        line=first.lines.get(), number="R1", amount=Decimal("20.00"), reason="补偿", cause="x", status="succeeded",
        actor="test",
    )  # fmt: skip
    assert customers_of(text=ONE)[0].refunded == Decimal("20.00")
    nina = orders[2]
    Order.objects.filter(pk=nina.pk).update(status="fulfilled", finished_at=timezone.now())
    OrderLine.objects.filter(order=nina).update(status="delivered")
    order_forget(order_id=nina.pk, actor="test")
    assert [one.masked for one in customers_of()] == ["138****5678"]
    assert owner_of(shop).get(f"/manage/customers/{nina.pk}/").status_code == 404


def test_a_page_of_any_length_takes_as_many_queries(
    shop: Reseller, orders: list[Order], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    client = staff_of(shop, "support")
    for page in ("/manage/customers/", f"/manage/customers/{orders[0].pk}/"):
        with django_assert_max_num_queries(10):
            text = client.get(page).content.decode()
        assert "138****5678" in text
        assert ONE not in text


def test_seeing_a_whole_contact_is_asked_for_and_written_down(shop: Reseller, orders: list[Order]) -> None:
    helper, page = staff_of(shop, "support"), f"/manage/customers/{orders[0].pk}/"
    answer = helper.post(page)
    assert (answer.status_code, ONE in answer.content.decode()) == (200, True)
    assert "no-store" in answer["Cache-Control"]
    with schema_context(shop.schema_name):
        entry = LogEntry.objects.select_related("user").get()
    assert (entry.user.get_username(), entry.object_id) == ("helper", str(orders[0].pk))
    assert entry.change_message == "查看完整联系方式：138****5678"
    assert ONE not in helper.get(page).content.decode()
    told = owner_of(shop).get("/manage/changes/", {"kind": "orders", "who": str(entry.user_id)}).content.decode()
    assert "查看完整联系方式：138****5678" in told
    for role in ("goods", "finance"):
        stranger = staff_of(shop, role, username=role)
        assert stranger.get(page).status_code == stranger.post(page).status_code == 403
    assert looks(shop) == 1
    assert owner_of(shop).post("/manage/customers/0/").status_code == 404


def test_nobody_reads_through_all_contacts_at_once(shop: Reseller, orders: list[Order]) -> None:
    helper, page = staff_of(shop, "support"), f"/manage/customers/{orders[0].pk}/"
    answers = [helper.post(page).status_code for _time in range(REVEALS + 1)]
    assert answers == [200] * REVEALS + [302]
    assert looks(shop) == REVEALS


def test_orders_are_found_by_whole_and_masked_contacts_and_accounts(orders: list[Order]) -> None:
    everything = Order.objects.all()
    wanted = {
        ONE: 2, "+86 138-1234-5678": 2, "138****5678": 2, "5678": 2, MAIL: 1, "n***@example.com": 1, OTHER: 1,
        "482019375": 4, "482***375": 4, orders[0].number: 1, orders[0].grouped_number: 1, "600": 4, "***": 0, "*8*": 0,
        "482***376": 0, "13812345679": 0, "(a+)+*$(b": 0,
    }  # fmt: skip
    assert {term: orders_found(everything, term).orders.count() for term in wanted} == wanted


def test_a_link_to_a_new_password_is_written_down_and_not_given_where_money_lies(
    shop: Reseller, orders: list[Order]
) -> None:
    owner, page = owner_of(shop), f"/manage/customers/{orders[0].pk}/"
    assert "没有账号" in owner.get(page).content.decode()
    assert "/account/reset/" not in owner.post(page, {"act": "link"}, follow=True).content.decode()
    with schema_context(shop.schema_name):
        customer = account_open(order_id=orders[0].pk, password="correct-horse-9")
    before = looks(shop)
    given = owner.post(page, {"act": "link"}).content.decode()
    assert "/account/reset/" in given
    assert ONE not in given
    assert looks(shop) == before + 1
    with schema_context(shop.schema_name):
        Account.objects.filter(pk=customer.pk).update(wallet=Decimal("60.00"))
    refused = owner.post(page, {"act": "link"}, follow=True).content.decode()
    assert "/account/reset/" not in refused
    assert "请联系平台客服" in refused
    assert looks(shop) == before + 1
    said = io.StringIO()
    call_command("customer_link", schema=shop.schema_name, contact=ONE, stdout=said)
    assert said.getvalue().startswith("/account/reset/")


def test_what_was_paid_is_told_in_money_and_who_has_an_account(shop: Reseller) -> None:
    coupon(shop)
    order = place(shop, on_sale(), contact=ONE)
    coupon_use(shop=shop, order_id=order.pk, code="SAVE3", actor="shopper")
    confirm(open_payment(shop, order))
    paid(shop, on_sale(), contact=MAIL)
    owner = owner_of(shop)
    page = owner.get(f"/manage/customers/{order.pk}/").content.decode()
    cell = re.search(r'data-label="实付">([^<]*)<', page)
    assert cell is not None
    assert "57.00" in cell[1]
    assert "有账号" not in owner.get("/manage/customers/").content.decode()
    with schema_context(shop.schema_name):
        account_open(order_id=order.pk, password="correct-horse-9")
    assert owner.get("/manage/customers/").content.decode().count("有账号") == 1
    with schema_context(shop.schema_name):
        told = [(one.masked, one.has_account) for one in customers_of()]
    assert told == [("n***@example.com", False), ("138****5678", True)]
