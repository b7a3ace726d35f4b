"""A coupon in the order of a program: both or neither, once, and no guessing."""

import json
from decimal import Decimal

import pytest

from catalog.models import Variant
from customers.coupons.models import Coupon
from payments import coupons
from payments.models import Payment
from resellers.models import Reseller
from tests.factories import coupon, on_sale, open_payment
from tests.orders.asking import assert_nothing_moved, body_of
from tests.program import Program, Reply, fields, refusal

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")


@pytest.fixture
def program(shop: Reseller) -> Program:
    return Program()


@pytest.fixture
def variant(shop: Reseller) -> Variant:
    return on_sale()


def money(reply: Reply) -> tuple[str, ...]:
    body = json.loads(reply.content)
    return tuple(body[name] for name in ("status", "total", "discount", "due"))


def test_the_order_costs_what_it_costs_and_less_is_due(program: Program, shop: Reseller, variant: Variant) -> None:
    coupon(shop)
    reply = program.post("orders/", body_of(variant, coupon="save3", quoted_total="60.00"))
    assert (reply.status_code, money(reply)) == (201, ("pending", "60.00", "3.00", "57.00"))
    placed = reply.json()
    read = program.get(f"orders/{placed['number']}/", token=placed["token"]).json()
    assert [(one["gateway"], one["amount"]) for one in read["payments"]] == [("coupon", "3.00")]
    assert open_payment(shop, Payment.objects.get().order).amount == Decimal("57.00")


def test_without_one_all_is_due(program: Program, variant: Variant) -> None:
    assert money(program.post("orders/", body_of(variant))) == ("pending", "60.00", "0.00", "60.00")


def test_what_is_covered_is_paid(program: Program, variant: Variant) -> None:
    coupon(None, "FREE", value=Decimal(60))
    reply = program.post("orders/", body_of(variant, coupon="FREE"), idempotency_key="k")
    assert money(reply) == ("paid", "60.00", "60.00", "0.00")
    assert program.post("orders/", body_of(variant, coupon="FREE"), idempotency_key="k").content == reply.content


def test_a_refused_coupon_orders_nothing(program: Program, shop: Reseller, variant: Variant) -> None:
    coupon(shop, threshold=Decimal(100))
    reply = program.post("orders/", body_of(variant, coupon="SAVE3"))
    assert refusal(reply) == (422, "invalid")
    assert reply.json()["fields"] == {"coupon": "这张券满 ¥100 可用，还差 ¥40"}
    assert_nothing_moved()
    assert Coupon.objects.get().used == 0


def test_one_of_another_shop_is_unknown(program: Program, other_shop: Reseller, variant: Variant) -> None:
    coupon(other_shop)
    assert fields(program.post("orders/", body_of(variant, coupon="SAVE3"))) == ["coupon"]
    assert_nothing_moved()


def test_a_repetition_uses_it_once_and_another_coupon_is_another_request(
    program: Program, shop: Reseller, variant: Variant
) -> None:
    coupon(shop, use_limit=1)
    first = program.post("orders/", body_of(variant, coupon="SAVE3"), idempotency_key="k")
    assert program.post("orders/", body_of(variant, coupon="SAVE3"), idempotency_key="k").content == first.content
    assert Coupon.objects.get().used == Payment.objects.count() == 1
    for other in ("OTHER", "", None):
        reply = program.post("orders/", body_of(variant, coupon=other), idempotency_key="k")
        assert refusal(reply)[0] in (409, 422)
    assert Payment.objects.count() == 1


def test_who_guesses_is_stopped_even_with_a_right_one(
    program: Program, shop: Reseller, variant: Variant, monkeypatch: pytest.MonkeyPatch
) -> None:
    coupon(shop)
    monkeypatch.setattr(coupons, "GUESSES", 2)
    for guess in ("AAAA", "BBBB"):
        assert refusal(program.post("orders/", body_of(variant, coupon=guess))) == (422, "invalid")
    assert refusal(program.post("orders/", body_of(variant, coupon="SAVE3"))) == (429, "too_many")
    assert_nothing_moved()
    assert program.post("orders/", body_of(variant)).status_code == 201
    assert Program().post("orders/", body_of(variant, coupon="SAVE3")).status_code == 201
