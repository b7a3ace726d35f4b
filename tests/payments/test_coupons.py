"""Paying with a coupon: once for an order, what it takes off, who bears it, and what comes back."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from catalog.models import Product
from customers.coupons.exceptions import CouponRefused, CouponUnknown
from customers.coupons.models import Coupon
from kameng.audit.services import audit
from orders.models import Order, OrderEvent
from orders.services import Buyer, LineRequest, order_cancel, order_expire, order_place
from payments.approvals import refund_ask
from payments.coupons import coupon_quote, coupon_use
from payments.models import Payment, Refund
from payments.purses import COUPON, purse_pay
from payments.refund_outcomes import refund_run
from payments.refunds import surplus_refund
from resellers.ledger.balances import balances
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import CONTACT, coupon, on_sale, open_payment, place
from tests.flows import REFUSED, TOPPED_UP, confirm, drain, events, fulfill, in_a_moment, states

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")

THREE = Decimal("3.00")


def book() -> dict[str, str]:
    """What lies where, without accounts on which nothing is."""
    return {str(name): f"{amount:.2f}" for (name, _owner), amount in balances().items() if amount}


def sound() -> None:
    """The audit finds nothing."""
    assert [example for verdict in audit() for example in verdict.examples] == []


def use(shop: Reseller, order: Order, code: str = "SAVE3") -> Payment:
    return coupon_use(shop=shop, order_id=order.pk, code=code, actor="shopper")


def with_coupon(shop: Reseller, **wishes: Any) -> Order:
    """An order of 60.00 of which 57.00 were paid at a gateway, and 3.00 by a coupon."""
    order = place(shop, on_sale(suppliers=("first",)), **wishes)
    use(shop, order)
    confirm(open_payment(shop, order))
    order.refresh_from_db()
    return order


def why(shop: Reseller, order: Order, code: str = "SAVE3") -> str:
    """What the shopper is told, the same when asked and when used; and nothing has moved."""
    with pytest.raises(CouponRefused) as refused:
        use(shop, order, code)
    if str(refused.value) != "这单已经用了一张券":
        with pytest.raises(CouponRefused) as told:
            coupon_quote(shop=shop, order=order, code=code)
        assert str(told.value) == str(refused.value)
    return str(refused.value)


def uses() -> list[tuple[int, str]]:
    return [(one.used, f"{one.given:.2f}") for one in Coupon.objects.order_by("pk")]


# --- paying -------------------------------------------------------------------------------------------------


def test_the_gateway_is_asked_for_what_is_missing(shop: Reseller) -> None:
    coupon(shop)
    order = place(shop, on_sale())
    paid = use(shop, order)
    assert (paid.amount, paid.gateway, paid.status) == (THREE, "coupon", "confirmed")
    assert open_payment(shop, order).amount == Decimal("57.00")
    assert states(order) == ("pending", "waiting")
    assert order.total == Decimal("60.00")
    assert uses() == [(1, "3.00")]
    sound()


def test_an_owners_is_borne_by_the_owner_and_the_platforms_by_the_platform(shop: Reseller) -> None:
    coupon(shop)
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    fulfill(with_coupon(shop))
    assert book() == {"clearing": "57.00", "sales": "57.00", "cost": "55.00", "supplier": "55.00"}
    coupon(None, "ALLES", value=Decimal("2.50"))
    order = place(shop, on_sale(suppliers=("first",)), contact="13900000001")
    use(shop, order, "alles")
    confirm(open_payment(shop, order))
    fulfill(order)
    assert book() == {
        "clearing": "114.50", "coupons": "2.50", "cost": "110.00", "supplier": "110.00", "sales": "114.00",
        "pending": "3.00",
    }  # fmt: skip
    sound()


def test_the_owner_of_the_house_shop_is_the_platform(shop: Reseller) -> None:
    Reseller.objects.filter(pk=shop.pk).update(is_house=True)
    coupon(shop)
    use(shop, place(shop, on_sale()))
    assert book() == {"coupons": "3.00", "orders": "3.00"}


def test_what_covers_all_pays_at_once(shop: Reseller) -> None:
    coupon(None, "FREE", value=Decimal(90))
    order = place(shop, on_sale())
    assert use(shop, order, "FREE").amount == Decimal("60.00")
    assert states(order) == ("paid", "queued")
    drain()
    sound()


# --- refused ------------------------------------------------------------------------------------------------


def test_who_types_a_code_that_holds_elsewhere_learns_nothing(shop: Reseller, other_shop: Reseller) -> None:
    coupon(other_shop, "THEIRS")
    order = place(shop, on_sale())
    assert why(shop, order, "THEIRS") == why(shop, order, "NOTHING") == str(CouponUnknown.message)
    assert uses() == [(0, "0.00")]


def test_each_refusal_says_what_is_the_matter(shop: Reseller) -> None:
    order, now, day = place(shop, on_sale()), timezone.now(), timedelta(days=1)
    coupon(shop, "OVER100", threshold=Decimal(103))
    coupon(shop, "LATER", starts_at=now + day)
    coupon(shop, "EARLIER", starts_at=now - 2 * day, ends_at=now - day)
    Coupon.objects.filter(pk=coupon(shop, "STOPPED").pk).update(is_paused=True)
    Coupon.objects.filter(pk=coupon(shop, "GONE", use_limit=1).pk).update(used=1)
    coupon(shop, "OTHER", product=on_sale().product)
    coupon(shop, "TOOMUCH", value=Decimal("3.01"))
    assert why(shop, order, "OVER100") == "这张券满 ¥103 可用，还差 ¥43"
    assert "才开始" in why(shop, order, "LATER")
    assert why(shop, order, "EARLIER") == "这张券已过期"
    assert why(shop, order, "STOPPED") == "这张券已停用"
    assert why(shop, order, "GONE") == "这张券已经用完了"
    assert why(shop, order, "OTHER") == why(shop, order, "TOOMUCH") == "这张券不能用于这个商品"
    assert not Payment.objects.exists()


def test_a_contact_has_it_as_often_as_it_says(shop: Reseller) -> None:
    coupon(shop, contact_limit=2)
    variant = on_sale()
    for _ in range(2):
        use(shop, place(shop, variant))
    assert why(shop, place(shop, variant)) == "这张券每人限用 2 次，你已经用完了"
    coupon(shop, "ONCE")
    use(shop, place(shop, variant, contact="a@example.com"), "ONCE")
    assert why(shop, place(shop, variant, contact="a@example.com"), "ONCE") == "这张券你已经用过了"
    use(shop, place(shop, variant, contact="b@example.com"), "ONCE")
    sound()


def test_an_order_has_one_and_none_once_it_is_being_paid(shop: Reseller) -> None:
    coupon(shop), coupon(shop, "SECOND")
    order = place(shop, on_sale())
    use(shop, order)
    assert why(shop, order, "SECOND") == "这单已经用了一张券"
    other = place(shop, on_sale(), contact="13900000001")
    open_payment(shop, other)
    with pytest.raises(CouponRefused) as refused:
        use(shop, other)
    assert "取消这单" in str(refused.value)
    assert uses() == [(1, "3.00"), (0, "0.00")]


def test_where_the_owner_collects_alone_it_does_not_hold(shop: Reseller) -> None:
    coupon(shop)
    order = place(shop, on_sale())
    shop.collects_alone = True
    assert "店主自己收款" in why(shop, order)


def test_what_the_platform_sells_to_owners_is_for_no_coupon(shop: Reseller) -> None:
    coupon(shop)
    variant = on_sale()
    order = place(shop, variant)
    Product.objects.filter(pk=variant.product_id).update(is_on_shelves=False)
    assert why(shop, order) == "这张券不能用于这个商品"


# --- coming back --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", ["canceled", "expired"])
def test_an_order_that_comes_to_nothing_gives_it_back(shop: Reseller, ends: str) -> None:
    coupon(shop, use_limit=1)
    order = place(shop, on_sale())
    use(shop, order)
    if ends == "canceled":
        order_cancel(order_id=order.pk, actor="shopper")
    else:
        Order.objects.filter(pk=order.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
        order_expire(order_id=order.pk)
    drain()
    assert states(order)[0] == ends
    assert uses() == [(0, "0.00")]
    assert book() == {}
    use(shop, place(shop, on_sale()))
    assert uses() == [(1, "3.00")]
    sound()


def test_money_that_comes_after_the_coupon_went_back_goes_back_too(shop: Reseller) -> None:
    coupon(shop)
    order = place(shop, on_sale())
    use(shop, order)
    payment = open_payment(shop, order)
    order_cancel(order_id=order.pk, actor="shopper")
    drain()
    confirm(payment)
    with in_a_moment(600):
        drain()
    assert states(order) == ("canceled", "waiting")
    assert {refund.status for refund in Refund.objects.all()} == {"succeeded"}
    assert book() == {}
    sound()


def test_money_that_comes_before_it_did_completes_the_order(shop: Reseller) -> None:
    coupon(shop)
    order = place(shop, on_sale())
    paid = use(shop, order)
    payment = open_payment(shop, order)
    order_cancel(order_id=order.pk, actor="shopper")
    confirm(payment)
    surplus_refund(payment_id=paid.pk)
    assert states(order) == ("paid", "queued")
    assert uses() == [(1, "3.00")]
    assert not Refund.objects.exists()


def test_what_nobody_delivered_comes_back_to_where_it_came_from(shop: Reseller) -> None:
    coupon(shop)
    ScriptedSupplier.on_submit("first", REFUSED)
    order = with_coupon(shop)
    drain()
    assert states(order) == ("refunded", "refunded")
    back = {refund.payment.gateway: (refund.amount, refund.status) for refund in Refund.objects.all()}
    assert back == {"coupon": (THREE, "succeeded"), "scripted": (Decimal("57.00"), "succeeded")}
    assert uses() == [(0, "0.00")]
    assert book() == {}
    sound()


def test_of_several_lines_money_goes_back_first_and_the_coupon_stays_used(shop: Reseller) -> None:
    coupon(shop, value=Decimal(5))
    good, bad = on_sale(suppliers=("first",)), on_sale(suppliers=("second",))
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    ScriptedSupplier.on_submit("second", REFUSED)
    lines = [LineRequest(one.sku, 1, {"uid": "482019375"}) for one in (good, bad)]
    order = order_place(shop=shop, lines=lines, contact=CONTACT, buyer=Buyer()).order
    use(shop, order)
    confirm(open_payment(shop, order))
    drain()
    assert states(order) == ("partly_refunded", "delivered", "refunded")
    assert [(one.payment.gateway, str(one.amount)) for one in Refund.objects.all()] == [("scripted", "60.00")]
    assert uses() == [(1, "5.00")]
    sound()


def test_what_arrived_is_given_back_whole_in_two_parts(shop: Reseller) -> None:
    coupon(shop)
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = with_coupon(shop)
    fulfill(order)
    line = order.lines.get()
    wish = {"reason": "卡密无效", "note": "买家给了截图", "actor": "ops"}
    refund_ask(line_id=line.pk, amount=Decimal("10.00"), key="one", **wish)
    drain()
    assert [one.payment.gateway for one in Refund.objects.all()] == ["scripted"]
    first = refund_ask(line_id=line.pk, amount=Decimal("50.00"), key="two", **wish)
    assert refund_ask(line_id=line.pk, amount=Decimal("50.00"), key="two", **wish) == first
    drain()
    parts = sorted((one.payment.gateway, str(one.amount)) for one in Refund.objects.all())
    assert parts == [("coupon", "3.00"), ("scripted", "10.00"), ("scripted", "47.00")]
    assert states(order) == ("refunded", "refunded")
    assert uses() == [(0, "0.00")]
    assert book() == {"cost": "55.00", "supplier": "55.00"}
    sound()


def test_a_part_of_it_gives_value_back_and_not_the_coupon(shop: Reseller) -> None:
    coupon(None, "HALF", value=Decimal(60))
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    order = place(shop, on_sale(suppliers=("first",)))
    use(shop, order, "HALF")
    fulfill(order)
    line = order.lines.get()
    refund_ask(line_id=line.pk, amount=Decimal("20.00"), reason="补偿", note="买家给了截图", actor="ops", key="a")
    drain()
    assert uses() == [(1, "40.00")]
    assert book()["coupons"] == "40.00"
    sound()


def test_a_refund_to_a_coupon_that_is_run_twice_gives_back_once(shop: Reseller) -> None:
    coupon(shop)
    order = place(shop, on_sale())
    use(shop, order)
    order_cancel(order_id=order.pk, actor="shopper")
    drain()
    refund_run(refund_id=Refund.objects.get().pk)
    assert uses() == [(0, "0.00")]
    assert events(order, "refund.succeeded") == ["refund.succeeded"]


# --- the audit ----------------------------------------------------------------------------------------------


def said(code: str = "I1") -> list[str]:
    return [example for verdict in audit() if verdict.code == code for example in verdict.examples]


def test_the_audit_sees_a_coupon_that_did_not_come_back_once_it_should_have(shop: Reseller) -> None:
    coupon(shop)
    order = place(shop, on_sale())
    paid = use(shop, order)
    before = timezone.now() - timedelta(minutes=11)
    Payment.objects.filter(pk=paid.pk).update(confirmed_at=before)
    order_cancel(order_id=order.pk, actor="shopper")
    sound()
    OrderEvent.objects.filter(order=order).update(created_at=before)
    assert next(one.examples for one in audit() if not one.ok) == (
        f"shop_one: order {order.number} is canceled, but kept 3.00",
    )


def test_the_audit_sees_uses_that_nobody_made_and_too_many(shop: Reseller, other_shop: Reseller) -> None:
    made = coupon(shop, use_limit=5, contact_limit=1)
    order = place(shop, on_sale())
    use(shop, order)
    assert said() == []
    Coupon.objects.filter(pk=made.pk).update(used=2)
    assert "says 2 uses" in said()[0]
    Coupon.objects.filter(pk=made.pk).update(used=1, given=Decimal(4))
    assert "payments make 1 and 3.00" in said()[0]
    Coupon.objects.filter(pk=made.pk).update(given=THREE, shop=other_shop)
    assert any("does not hold here" in example for example in said("I9"))
    Coupon.objects.filter(pk=made.pk).update(shop=shop)
    again = place(shop, on_sale())
    purse_pay(order_id=again.pk, purse=COUPON, holder_id=made.pk, shop_id=shop.pk, actor="x", amount=THREE)
    assert any("2 of 1 uses" in example for example in said())
    assert said("I11") == []
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        cursor.execute("ALTER TABLE public.coupons_coupon DROP CONSTRAINT coupon_never_over_used")
        cursor.execute("UPDATE public.coupons_coupon SET use_limit = 1")
    assert said("I11") == ["coupon SAVE3 was used 2 times, of 1"]
