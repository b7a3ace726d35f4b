"""Placing an order."""

from decimal import Decimal

import pytest

from catalog.listings.models import Listing, PriceRule
from kameng.outbox.models import OutboxEvent
from orders.exceptions import (
    IdempotencyConflict,
    OrderInvalid,
    PriceChanged,
    ShopClosed,
    SkuUnavailable,
    SkuUnknown,
    TooManyUnpaid,
)
from orders.models import Order, OrderEvent
from orders.services import Buyer, LineRequest, order_cancel, order_expire, order_place, settle
from orders.states import order_lock
from resellers.models import Reseller
from resellers.services import shop_touch
from tests.factories import CONTACT, VariantFactory, on_sale, place

pytestmark = pytest.mark.usefixtures("supplier_double")


def test_an_order_snapshots_the_shelf(shop: Reseller) -> None:
    variant = on_sale()
    PriceRule.objects.create(kind="fixed", value=Decimal("1.10"), rounding="jiao")
    shop_touch(shop_id=shop.pk)

    order = place(shop, variant, quantity=2)

    line = order.lines.get()
    assert (order.status, order.total) == ("pending", Decimal("116.20"))
    assert (line.sku, line.price, line.official_price, line.supply_price, line.quantity) == (
        variant.sku, Decimal("58.10"), Decimal("60.00"), Decimal("57.00"), 2,
    )  # fmt: skip
    assert line.account_values == {"uid": "482019375"}
    assert len(order.number) == 16
    assert 899 < (order.expires_at - order.created_at).total_seconds() <= 901
    assert OutboxEvent.objects.filter(topic="order.expire", schema_name="shop_one").count() == 1


def test_repeating_a_request_returns_the_same_order(shop: Reseller) -> None:
    variant = on_sale()
    first = place(shop, variant, idempotency_key="k1")
    second = place(shop, variant, idempotency_key="k1")
    assert first.pk == second.pk
    assert Order.objects.count() == 1


def test_another_request_under_the_same_key_is_refused(shop: Reseller) -> None:
    variant = on_sale()
    place(shop, variant, idempotency_key="k1")
    with pytest.raises(IdempotencyConflict):
        place(shop, variant, quantity=2, idempotency_key="k1")
    assert Order.objects.count() == 1


@pytest.mark.parametrize("quantity", [0, -1, 11, 10**9])
def test_a_quantity_outside_the_limit_is_refused(shop: Reseller, quantity: int) -> None:
    variant = on_sale()
    with pytest.raises(OrderInvalid) as refused:
        place(shop, variant, quantity=quantity)
    assert list(refused.value.fields) == ["lines.0.quantity"]
    assert not Order.objects.exists()


def test_unknown_and_unavailable_variants_are_refused(shop: Reseller) -> None:
    on_sale()
    nobody_offers = VariantFactory.create()
    with pytest.raises(SkuUnavailable):
        place(shop, nobody_offers)
    with pytest.raises(SkuUnknown):
        order_place(shop=shop, lines=[LineRequest("nothing", 1)], contact=CONTACT, buyer=Buyer())
    assert not Order.objects.exists()


def test_what_the_owner_hides_cannot_be_bought(shop: Reseller) -> None:
    variant = on_sale()
    Listing.objects.create(variant_id=variant.pk, is_visible=False)
    shop_touch(shop_id=shop.pk)
    with pytest.raises(SkuUnknown):
        place(shop, variant)


def test_a_price_that_changed_is_told(shop: Reseller) -> None:
    variant = on_sale()
    with pytest.raises(PriceChanged) as refused:
        place(shop, variant, quoted_total=Decimal("57.00"))
    assert refused.value.extra == {"total": "60.00", "quoted_total": "57.00"}
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    "contact", ["", "abc", "1381234567", "12812345678", "１３８1234567x", "a@b", None, 5, "x" * 500 + "@a.cn"]
)
def test_a_contact_that_is_none_is_refused(shop: Reseller, contact: object) -> None:
    variant = on_sale()
    with pytest.raises(OrderInvalid) as refused:
        place(shop, variant, contact=contact)  # type: ignore[arg-type]
    assert list(refused.value.fields) == ["contact"]
    assert not Order.objects.exists()


def test_an_account_is_checked_against_the_form(shop: Reseller) -> None:
    variant = on_sale()
    for bad in ("12", "<script>alert(1)</script>", "9" * 500, "12345\u0000678"):
        line = LineRequest(variant.sku, 1, {"uid": bad})
        with pytest.raises(OrderInvalid) as refused:
            order_place(shop=shop, lines=[line], contact=CONTACT, buyer=Buyer())
        assert list(refused.value.fields) == ["lines.0.account.uid"]
    assert not Order.objects.exists()


def test_unpaid_orders_are_limited(shop: Reseller, settings: pytest.FixtureRequest) -> None:
    settings.UNPAID_ORDERS_PER_CONTACT = 2  # type: ignore[attr-defined]
    variant = on_sale()
    place(shop, variant)
    place(shop, variant)
    with pytest.raises(TooManyUnpaid):
        place(shop, variant)
    place(shop, variant, contact="13900000000")


def test_a_closed_shop_takes_no_orders(shop: Reseller) -> None:
    variant = on_sale()
    shop.is_open = False
    with pytest.raises(ShopClosed):
        place(shop, variant)


def test_an_order_expires_only_when_its_time_is_over(shop: Reseller, settings: pytest.FixtureRequest) -> None:
    variant = on_sale()
    order = place(shop, variant)
    left = order_expire(order_id=order.pk)
    assert left is not None
    assert 890 < left <= 900
    settings.ORDER_EXPIRES_SECONDS = -1  # type: ignore[attr-defined]
    over = place(shop, variant)
    assert order_expire(order_id=over.pk) is None
    over.refresh_from_db()
    assert over.status == "expired"
    assert OutboxEvent.objects.filter(topic="order.closed").count() == 1


def test_settling_twice_publishes_once(shop: Reseller) -> None:
    order = place(shop, on_sale())
    assert settle(order=order_lock(order.pk), paid=order.total, actor="test") is True
    assert settle(order=order_lock(order.pk), paid=order.total, actor="test") is False
    order.refresh_from_db()
    assert order.status == "paid"
    assert order.paid_at is not None
    assert OutboxEvent.objects.filter(topic="order.paid").count() == 1
    assert OrderEvent.objects.filter(order=order, name="order.paid").count() == 1


def test_too_little_money_settles_nothing(shop: Reseller) -> None:
    order = place(shop, on_sale())
    assert settle(order=order_lock(order.pk), paid=order.total - Decimal("0.01"), actor="test") is False
    order.refresh_from_db()
    assert order.status == "pending"


def test_late_money_revives_a_canceled_order(shop: Reseller) -> None:
    order = place(shop, on_sale())
    order_cancel(order_id=order.pk, actor="shopper")
    assert settle(order=order_lock(order.pk), paid=order.total, actor="test") is True
    assert OrderEvent.objects.get(order=order, name="order.paid").data == {"late": True}
