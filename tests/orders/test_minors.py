"""What shoppers who say that they are under age may spend on goods that operators have marked."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from catalog.models import Brand, Category, Variant
from orders.exceptions import OrderInvalid
from orders.minors import month_begin
from orders.models import MinorSpending, Order
from orders.services import Buyer, Declared, LineRequest, order_cancel, order_place
from resellers.models import Reseller
from tests.factories import CONTACT, CategoryFactory, ProductFactory, on_sale, open_payment
from tests.flows import confirm, outbox, states
from tests.orders.asking import body_of
from tests.program import Program, fields, refusal, staying

pytestmark = pytest.mark.usefixtures("supplier_double")
CHILD = Declared(age="8-15")
TEEN = Declared(age="16-17")
UID, OTHER_UID = "482019375", "777777777"
OTHER_CONTACT = "13900000000"


@pytest.fixture
def games(shop: Reseller, settings: LazySettings) -> Category:
    assert {"8-15": (Decimal(50), Decimal(200)), "16-17": (Decimal(100), Decimal(400))} == settings.MINOR_CAPS
    settings.MINOR_CAPS = {"8-15": (Decimal(60), Decimal(240)), "16-17": (Decimal(120), Decimal(480))}
    return CategoryFactory.create(limits_minors=True)


def game(games: Category, price: str, *, brand: Brand | None = None) -> Variant:
    """Sold at its official price."""
    product = ProductFactory.create(category=games, brand=brand)
    return on_sale(product=product, official_price=Decimal(price), supply_price=Decimal(price))


def buy(
    shop: Reseller, variant: Variant, said: Declared, *, contact: str = CONTACT, uid: str = UID, quantity: int = 1
) -> Order:
    line = LineRequest(sku=variant.sku, quantity=quantity, account={"uid": uid})
    return order_place(shop=shop, lines=[line], contact=contact, buyer=Buyer(), declared=said).order


def refused(*asked: Any, **how: Any) -> str:
    """What is said instead; nothing is stored."""
    before = Order.objects.count(), MinorSpending.objects.count()
    with pytest.raises(OrderInvalid) as caught:
        buy(*asked, **how)
    assert (Order.objects.count(), MinorSpending.objects.count()) == before
    return str(caught.value.fields["age"])


def test_each_age_has_its_limit_for_one_order_and_adults_none(shop: Reseller, games: Category) -> None:
    cheap, middle, dear = (game(games, price) for price in ("60.00", "100.00", "648.00"))
    assert "不能购买" in refused(shop, cheap, Declared(age="under-8"))
    assert "最多买 ¥60.00" in refused(shop, middle, CHILD)
    assert "最多买 ¥120.00" in refused(shop, dear, TEEN)
    assert buy(shop, cheap, CHILD).age == "8-15"
    assert buy(shop, middle, TEEN, contact=OTHER_CONTACT, uid=OTHER_UID).age == "16-17"
    assert MinorSpending.objects.count() == 4
    assert buy(shop, dear, Declared(age="adult")).age == "adult"
    assert buy(shop, dear, Declared()).age == ""
    assert MinorSpending.objects.count() == 4  # of adults nothing is counted
    with pytest.raises(OrderInvalid) as caught:
        buy(shop, cheap, Declared(age="12"))
    assert list(caught.value.fields) == ["age"]


def test_a_month_counts_by_contact_and_by_account_and_says_what_is_left(
    shop: Reseller, games: Category, settings: LazySettings
) -> None:
    settings.UNPAID_ORDERS_PER_CONTACT = 20
    publisher = Brand.objects.create(slug="publisher", name="某某游戏")
    variant, other_game = game(games, "56.00", brand=publisher), game(games, "56.00")
    first = buy(shop, variant, CHILD)
    buy(shop, variant, CHILD, contact=OTHER_CONTACT)  # the same account
    buy(shop, variant, CHILD, uid=OTHER_UID)  # the same contact
    # Neither the first one's contact nor its account: the same digits in another game are another account.
    buy(shop, other_game, CHILD, contact="13911111111")
    buy(shop, variant, CHILD)
    text = refused(shop, variant, CHILD)
    assert "最多买 ¥240.00" in text
    assert "还能买 ¥16.00" in text
    order_cancel(order_id=first.pk, actor="shopper")  # what is never paid for is not spent
    buy(shop, variant, CHILD)
    refused(shop, variant, CHILD)
    MinorSpending.objects.update(created_at=month_begin(timezone.now()) - timedelta(seconds=1))
    buy(shop, variant, CHILD)


def test_a_month_begins_at_midnight_here() -> None:
    assert month_begin(datetime(2026, 11, 30, 15, 59, tzinfo=UTC)).isoformat() == "2026-11-01T00:00:00+08:00"
    assert month_begin(datetime(2026, 11, 30, 16, 0, tzinfo=UTC)).isoformat() == "2026-12-01T00:00:00+08:00"


def test_late_money_that_would_pass_the_limit_goes_back(
    shop: Reseller, games: Category, gateway_double: object, settings: LazySettings
) -> None:
    settings.MINOR_CAPS = {"8-15": (Decimal(60), Decimal(60))}
    variant = game(games, "56.00")
    given_up = buy(shop, variant, CHILD)
    payment = open_payment(shop, given_up)
    order_cancel(order_id=given_up.pk, actor="shopper")
    buy(shop, variant, CHILD)
    confirm(payment)
    assert states(given_up) == ("canceled", "waiting")
    assert outbox("payment.surplus") == [{"payment_id": payment.pk}]


def test_other_shelves_ask_nobody(shop: Reseller) -> None:
    variant = on_sale(official_price=Decimal("648.00"), supply_price=Decimal("640.00"))
    assert 'name="age"' not in _page(variant)
    assert buy(shop, variant, CHILD).age == ""


def test_the_form_begins_with_an_adult_and_works_without_scripts(shop: Reseller, games: Category) -> None:
    variant = game(games, "648.00")
    drawn = _page(variant)
    assert drawn.count('name="age"') == 4
    assert drawn.count("checked") == 2  # the amount, and the age
    assert re.search(r'<details class="slip fold">\s*<summary class="split">\s*未满 18 岁', drawn)
    browser: Any = Client(headers={"host": "one.test"})
    form = {"product": variant.product.slug, "sku": variant.sku, "quantity": "1", "contact": CONTACT}
    reply = browser.post("/checkout/", {**form, "account_uid": UID, "age": "8-15"})
    assert reply.status_code == 422
    said = reply.content.decode()
    assert 'href="#age"' in said
    assert re.search(r'value="8-15"\s+checked', said)


def test_a_program_may_say_an_age_and_need_not(program: Program, games: Category) -> None:
    variant = game(games, "100.00")
    assert program.get(f"products/{variant.product.slug}/").json()["asks_age"] is True
    assert program.post("orders/", body_of(variant)).status_code == 201
    reply = program.post("orders/", body_of(variant, age="8-15"))
    assert refusal(reply) == (422, "invalid")
    assert fields(reply) == ["age"]
    assert reply.json()["left"] == "60.00"
    for wrong in ("12", 12, "ADULT", None, ""):
        assert fields(program.post("orders/", body_of(variant, age=wrong))) == ["age"]


def _page(variant: Variant) -> str:
    with staying():
        return Client(headers={"host": "one.test"}).get(f"/p/{variant.product.slug}/").content.decode()
