"""A coupon's last use, and a contact's only one, by many orders at once (S27)."""

from functools import partial
from typing import Any

import pytest

from customers.coupons import services as coupon_services
from customers.coupons.exceptions import CouponRefused
from customers.coupons.models import Coupon
from kameng.audit.services import audit
from orders.models import Order
from payments import coupons as payment_coupons
from payments.coupons import coupon_use
from payments.models import Payment
from resellers.models import Reseller
from tests.factories import coupon, on_sale, place
from tests.races.threads import SURELY, at_once, pause_after

pytestmark = pytest.mark.race

EVERYBODY = 100


def orders(shop: Reseller, count: int, *, contact: str = "buyer-{}@example.com") -> list[Order]:
    variant = on_sale()
    return [place(shop, variant, contact=contact.format(number)) for number in range(count)]


def all_use(shop: Reseller, placed: list[Order]) -> list[Any]:
    """In handfuls, so that there are connections for them."""
    results: list[Any] = []
    for start in range(0, len(placed), 20):
        works = [
            partial(coupon_use, shop=shop, order_id=order.pk, code="SAVE3", actor="shopper")
            for order in placed[start : start + 20]
        ]
        results += at_once(shop, *works)
    return results


def of_kind(results: list[Any], kind: type) -> int:
    return sum(isinstance(result, kind) for result in results)


@pytest.mark.usefixtures("supplier_double")
def test_of_a_hundred_orders_that_want_the_last_one_exactly_one_has_it(live_shop: Reseller) -> None:
    coupon(live_shop, use_limit=1)
    results = all_use(live_shop, orders(live_shop, EVERYBODY))
    assert (of_kind(results, Payment), of_kind(results, CouponRefused)) == (1, EVERYBODY - 1)
    assert Coupon.objects.get().used == Payment.objects.count() == 1
    assert [one.examples for one in audit() if one.code in ("I1", "I11")] == [(), ()]


@pytest.mark.usefixtures("supplier_double")
def test_without_the_condition_the_database_refuses_what_is_too_much(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The condition makes it a refusal in words; behind it stands the constraint."""
    taking = coupon_services._TAKE.replace(" AND (use_limit IS NULL OR used < use_limit)", "")
    assert taking != coupon_services._TAKE
    monkeypatch.setattr(coupon_services, "_TAKE", taking)
    pause_after(monkeypatch, "payments.coupons.coupon_quote", parties=4, patience=SURELY)
    coupon(live_shop, use_limit=1)
    results = all_use(live_shop, orders(live_shop, 4))
    assert sorted(type(result).__name__ for result in results) == ["IntegrityError"] * 3 + ["Payment"]


@pytest.mark.usefixtures("supplier_double")
def test_without_condition_and_constraint_all_have_it(live_shop: Reseller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        coupon_services, "_TAKE", "UPDATE public.coupons_coupon SET given = given + %(amount)s WHERE id = %(coupon)s"
    )
    pause_after(monkeypatch, "payments.coupons.coupon_quote", parties=4, patience=SURELY)
    coupon(live_shop, use_limit=1)
    results = all_use(live_shop, orders(live_shop, 4))
    assert of_kind(results, Payment) == 4
    assert [one.ok for one in audit() if one.code == "I1"] == [False]


@pytest.mark.usefixtures("supplier_double")
@pytest.mark.parametrize("is_guarded", [True, False])
def test_a_contact_has_its_only_one_once(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, is_guarded: bool
) -> None:
    if not is_guarded:
        monkeypatch.setattr(payment_coupons, "_uses", lambda order, coupon: 0)
    pause_after(monkeypatch, "payments.coupons.coupon_quote", parties=4, patience=SURELY)
    coupon(live_shop)
    results = all_use(live_shop, orders(live_shop, 4, contact="one@example.com"))
    assert of_kind(results, Payment) == (1 if is_guarded else 4)
    assert Coupon.objects.get().used == Payment.objects.count() == of_kind(results, Payment)
    assert [one.ok for one in audit() if one.code == "I1"] == [is_guarded]
