"""An owner's own goods: sold in their shop alone, from their stock or by hand, through the gate and the money paths."""

import base64
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from catalog.exceptions import CatalogInvalid
from catalog.listings.models import PriceRule
from catalog.listings.selectors import priced_goods
from catalog.listings.services import listings_show, price_rule_save, products_feature, products_to_front
from catalog.listings.shelf import shelf_now
from catalog.models import Product, Revision
from catalog.screened import subject_of
from compliance.gate.exceptions import ContentBlocked
from compliance.gate.models import Case
from compliance.gate.services import case_decide, subject_take_down
from compliance.models import Requirement
from fulfillment.by_owner import DeliveryInvalid, NotYours, note_open, owner_deliver, owner_refuse, to_dos
from fulfillment.decisions import CodesUnfit
from fulfillment.models import SupplierOrder
from fulfillment.reveals import codes_reveal
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import SupplierResult
from fulfillment.suppliers.own_goods import (
    NoOwnGoods,
    Wanted,
    fee_changed,
    fee_seen,
    own_good_save,
    own_good_show,
)
from fulfillment.suppliers.reasons import Reason
from kameng.audit.services import audit
from kameng.manage.figures import attention
from kameng.pages.story import order_story
from kameng.privacy.forgetting import order_forget
from orders.exceptions import SkuUnavailable, SkuUnknown
from orders.models import Order
from orders.statements import statement_of
from payments.models import Refund
from payments.refunds import refund_request
from resellers.ledger.balances import balance
from resellers.ledger.posting import Name
from resellers.models import Reseller
from tests import remembered
from tests.factories import CategoryFactory, own_good, own_stock, place, stocked
from tests.flows import attempts, delivered_codes, drain, events, fulfill, paid, states, work_of
from tests.own_collection import fund, own_till, purse
from tests.staff import visitor

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")
PRICE, TAKEN = Decimal("20.00"), Decimal("0.20")
CODES = ["OWN1-AAAA-BBBB", "OWN2-AAAA-BBBB"]


def sound() -> None:
    assert [example for verdict in audit() for example in verdict.examples] == []


def to_do(shop: Reseller, **fields: object) -> tuple[Order, SupplierOrder]:
    """A paid order that waits for the owner's hands."""
    order = paid(shop, own_good(shop, by_hand=30, **fields))
    fulfill(order)
    return order, SupplierOrder.objects.get(fulfillment__line__order=order)


def reason_of(order: Order) -> str:
    return Refund.objects.get(payment__order=order).reason


# --- one shop's alone -----------------------------------------------------------------------------------------


def test_it_is_sold_in_its_own_shop_and_stands_in_no_other(shop: Reseller, other_shop: Reseller) -> None:
    before = Revision.objects.get(pk=1).number
    variant = own_good(shop)
    own_stock(variant, CODES)
    found = shelf_now(shop)[0]
    assert found.by_slug[variant.product.slug].from_price == PRICE
    assert [product.slug for product in found.find("店主的商品")] == [variant.product.slug]
    # The other shops' shelves are not even built anew, and the owner's price list is of the platform's goods.
    assert Revision.objects.get(pk=1).number == before
    assert variant.sku not in {one.sku for one in priced_goods(shop).variants}
    connection.set_tenant(other_shop)  # type: ignore[attr-defined]
    assert variant.product.slug not in shelf_now(other_shop)[0].by_slug
    with pytest.raises(SkuUnknown):
        place(other_shop, variant)
    assert listings_show(shop_id=other_shop.pk, variant_ids=[variant.pk], is_visible=False) == 0
    assert products_feature(shop_id=other_shop.pk, product_ids=[variant.product_id], is_featured=True) == 0


def test_its_owner_recommends_it_and_puts_it_to_the_front(shop: Reseller, other_shop: Reseller) -> None:
    others, variant = stocked(CODES), own_good(shop)
    assert [product.id for product in shelf_now(shop)[0].products] == [others.product_id, variant.product_id]
    assert products_feature(shop_id=shop.pk, product_ids=[variant.product_id], is_featured=True) == 1
    assert products_to_front(shop_id=shop.pk, product_ids=[variant.product_id]) == 1
    found = shelf_now(shop)[0]
    assert [product.slug for product in found.featured] == [variant.product.slug]
    assert found.products[0].id == variant.product_id
    own_good_show(shop=shop, product_id=variant.product_id, is_active=False)
    assert shelf_now(shop)[0].featured == ()


def test_a_changed_fee_counts_for_every_order_from_then_on_and_its_owner_is_told(shop: Reseller, settings: Any) -> None:
    variant = own_good(shop)
    own_stock(variant, CODES)
    before = place(shop, variant)
    assert (fee_changed(shop), attention().fee_changed) == (False, False)

    settings.OWN_GOODS_FEE_PERCENT = Decimal("2.5")
    remembered.forget()
    after = paid(shop, variant, contact="13912345678")
    assert [order.lines.get().supply_price for order in (before, after)] == [TAKEN, Decimal("0.50")]
    fulfill(after)
    connection.check_constraints()
    assert balance(Name.PENDING, shop.pk) == PRICE - Decimal("0.50")
    assert (fee_changed(shop), attention().fee_changed) == (True, True)
    assert (fee_seen(shop=shop), fee_seen(shop=shop)) == (1, 0)
    assert (fee_changed(shop), attention().fee_changed) == (False, False)
    sound()


def test_rules_of_the_shop_do_not_move_its_price(shop: Reseller) -> None:
    variant = own_good(shop)
    price_rule_save(shop_id=shop.pk, kind=PriceRule.Kind.PERCENT, value=Decimal(50), rounding="none")
    assert shelf_now(shop)[0].by_sku[variant.sku][1].price == PRICE


def test_what_may_not_be_sold_is_refused_and_what_is_doubtful_waits(shop: Reseller) -> None:
    with pytest.raises(ContentBlocked):
        own_good(shop, name="王者荣耀透视外挂 自瞄辅助")
    assert not Product.objects.filter(owner=shop).exists()
    variant = own_good(shop)
    own_stock(variant, CODES)
    assert variant.product.standing == "clear"
    # A tenth of what it is said to be worth: a person looks first, and until then nobody can buy it.
    cheap = Wanted("标准", Decimal("20.00"), official_price=Decimal("200.00"), variant_id=variant.pk)
    assert own_good_save(shop=shop, product=variant.product, wanted=[cheap]).standing == "flagged"
    with pytest.raises(SkuUnknown):
        place(shop, variant)
    case = Case.objects.get(schema_name=shop.schema_name, state="open")
    assert (case.subject_kind, case.subject_id) == ("own_good", variant.product_id)
    case_decide(case_id=case.pk, digest=case.digest, to="approved", actor="staff:li")
    assert place(shop, variant).total == PRICE


def test_taken_down_it_leaves_sale_and_what_was_paid_goes_back(shop: Reseller) -> None:
    variant = own_good(shop)
    own_stock(variant, CODES)
    order = paid(shop, variant)
    product = Product.objects.select_related("owner").get(pk=variant.product_id)
    subject_take_down(subject=subject_of(product), actor="staff:li", reasons=["game_cheat"])
    drain()
    assert states(order) == ("refunded", "refunded")
    with pytest.raises(SkuUnknown):
        place(shop, variant)


def test_taken_down_while_its_owner_has_the_order_the_money_goes_back_at_once(shop: Reseller) -> None:
    variant = own_good(shop, by_hand=60)
    order = paid(shop, variant)
    drain()
    assert states(order)[0] == "paid"
    product = Product.objects.select_related("owner").get(pk=variant.product_id)
    subject_take_down(subject=subject_of(product), actor="staff:li", reasons=["game_cheat"])
    drain()
    assert states(order) == ("refunded", "refunded")
    buy = SupplierOrder.objects.get(fulfillment__line__order=order)
    assert (buy.status, buy.code) == ("rejected", "owner_stopped")
    with pytest.raises(NotYours):
        owner_deliver(supplier_order_id=buy.pk, actor="owner", text="")
    assert "下架" in work_of(order).note


def test_what_its_category_requires_the_shop_itself_must_have(shop: Reseller) -> None:
    category = CategoryFactory.create(slug="papered")
    variant = own_good(shop, category=category)
    own_stock(variant, CODES)
    Requirement.objects.create(category="papered", kind="brand", holder_kind="supplier")
    availability_refresh(category_id=category.pk)
    with pytest.raises(SkuUnavailable):
        place(shop, variant)


@pytest.mark.parametrize(
    "wanted",
    [[], [Wanted("甲", Decimal("0.01"))], [Wanted("甲", PRICE), Wanted("甲", PRICE)],
     [Wanted("甲", PRICE, official_price=Decimal("5.00"))], [Wanted("甲", PRICE, max_quantity=101)]],
)  # fmt: skip
def test_what_cannot_be_sold_so_is_said_and_nothing_is_written(shop: Reseller, wanted: list[Wanted]) -> None:
    product = Product(category=CategoryFactory.create(), kind="code", name="店主的商品")
    with pytest.raises(CatalogInvalid):
        own_good_save(shop=shop, product=product, wanted=wanted)
    assert not Product.objects.filter(owner=shop).exists()


def test_a_category_that_the_shop_does_not_trade_in_and_the_house_shop_are_refused(shop: Reseller) -> None:
    shop.categories = ["elsewhere"]
    with pytest.raises(CatalogInvalid):
        own_good(shop)
    shop.is_house = True
    with pytest.raises(NoOwnGoods):
        own_good(shop)


def test_off_sale_it_cannot_be_ordered_and_comes_back(shop: Reseller) -> None:
    variant = own_good(shop, by_hand=10)
    own_good_show(shop=shop, product_id=variant.product_id, is_active=False)
    with pytest.raises(SkuUnknown):
        place(shop, variant)
    own_good_show(shop=shop, product_id=variant.product_id, is_active=True)
    assert place(shop, variant).total == PRICE


def test_programs_see_and_buy_it_in_its_own_shop_alone(shop: Reseller, other_shop: Reseller) -> None:
    variant = own_good(shop)
    own_stock(variant, CODES)
    slug, line = variant.product.slug, {"sku": variant.sku, "quantity": 1, "account": {}}
    body = {"lines": [line], "contact": "13812345678"}
    for host, found, placed in (("one.test", 200, 201), ("two.test", 404, 404)):
        client = visitor(host)
        assert (slug in client.get("/api/v1/products/").content.decode()) is (found == 200)
        assert client.get(f"/api/v1/products/{slug}/").status_code == found
        headers = {"idempotency-key": f"own-{host}"}
        asked = client.post("/api/v1/orders/", body, content_type="application/json", headers=headers)
        assert asked.status_code == placed, asked.content


# --- from stock -----------------------------------------------------------------------------------------------


def test_codes_are_delivered_the_owner_earns_the_price_less_the_fee_and_the_last_one_empties_it(shop: Reseller) -> None:
    variant = own_good(shop)
    with pytest.raises(SkuUnavailable):
        place(shop, variant)
    own_stock(variant, CODES)
    order = paid(shop, variant, quantity=2)
    fulfill(order)
    drain()
    assert states(order) == ("fulfilled", "delivered")
    assert delivered_codes(order) == CODES
    assert balance(Name.PENDING, shop.pk) == 2 * (PRICE - TAKEN)
    assert [balance(name) for name in (Name.SALES, Name.COST, Name.INVENTORY)] == [2 * TAKEN, 0, 0]
    statement = statement_of(shop, order, now=timezone.now())
    assert statement is not None
    assert (statement.paid, statement.supply, statement.own) == (2 * PRICE, 2 * TAKEN, 2 * (PRICE - TAKEN))
    with pytest.raises(SkuUnavailable):
        place(shop, variant)
    sound()


def test_what_goes_back_after_delivery_is_taken_back_of_price_and_fee_alike(shop: Reseller) -> None:
    variant = own_good(shop)
    own_stock(variant, CODES)
    order = paid(shop, variant)
    fulfill(order)
    refund_request(
        payment_id=order.payments.get().pk, amount=PRICE / 2, cause="ops:1", reason="商量好的", actor="ops",
        line_id=order.lines.get().pk,
    )  # fmt: skip
    drain()
    assert [balance(Name.PENDING, shop.pk), balance(Name.SALES)] == [(PRICE - TAKEN) / 2, TAKEN / 2]
    sound()


def test_the_deposit_of_an_owner_who_collects_holds_the_fee_alone(shop: Reseller) -> None:
    own_till(shop)
    fund(shop, "100")
    variant = own_good(shop)
    own_stock(variant, CODES)
    order = paid(shop, variant)
    assert purse(shop) == (100 - TAKEN, TAKEN)
    fulfill(order)
    assert purse(shop) == (100 - TAKEN, Decimal(0))
    sound()


# --- by hand --------------------------------------------------------------------------------------------------


def test_the_owner_delivers_and_the_shopper_alone_reads_what_they_wrote(shop: Reseller) -> None:
    order, buy = to_do(shop)
    assert [one.buy.pk for one in to_dos()] == [buy.pk]
    assert order_story(order).status.state == "by_owner"
    owner_deliver(supplier_order_id=buy.pk, actor="owner", text="已充好，重新登录就能看到")
    assert states(order) == ("fulfilled", "delivered")
    assert to_dos() == []
    work = work_of(order)
    assert "重新登录" not in work.sealed_note
    assert order_story(order).notes == {work.line_id}
    (shown,) = codes_reveal(order=order, actor="shopper", address="")
    assert shown.code == "已充好，重新登录就能看到"
    assert balance(Name.PENDING, shop.pk) == PRICE - TAKEN
    assert not SupplierResult.objects.exists()
    drain()
    sound()
    order_forget(order_id=order.pk, actor="shopper")
    assert work_of(order).sealed_note == ""


def test_a_note_is_sealed_anew_with_a_new_key(shop: Reseller, settings: Any) -> None:
    order, buy = to_do(shop)
    owner_deliver(supplier_order_id=buy.pk, actor="owner", text="好了")
    before = work_of(order)
    new = base64.b64encode(bytes(range(32))).decode()
    settings.ENCRYPTION_KEYS = [new, *settings.ENCRYPTION_KEYS]
    call_command("reseal", stdout=StringIO())
    settings.ENCRYPTION_KEYS = [new]
    after = work_of(order)
    assert after.sealed_note != before.sealed_note
    assert note_open(after.pk, after.sealed_note) == "好了"


def test_codes_by_hand_are_as_many_as_bought_and_seen_by_nobody_before(shop: Reseller) -> None:
    order, buy = to_do(shop, kind="code")
    stocked(["SEEN-1111-2222"])
    for text in ("", "ONE1-AAAA-AAAA\nTWO2-BBBB-BBBB", "SEEN-1111-2222", "处理中，请稍候"):
        with pytest.raises(CodesUnfit):
            owner_deliver(supplier_order_id=buy.pk, actor="owner", text=text)
    assert states(order) == ("paid", "buying")
    owner_deliver(supplier_order_id=buy.pk, actor="owner", text=" HAND-1111-2222 \n")
    assert delivered_codes(order) == ["HAND-1111-2222"]
    sound()


def test_past_the_deadline_the_money_goes_back_by_itself_and_the_owner_is_too_late(shop: Reseller) -> None:
    order, buy = to_do(shop)
    work = work_of(order)
    paid_at = order.paid_at
    assert paid_at is not None
    assert work.due_at == paid_at + timedelta(minutes=30)
    assert fulfill(order) == pytest.approx(30 * 60, abs=5)
    type(work).objects.filter(pk=work.pk).update(due_at=timezone.now() - timedelta(seconds=1))
    fulfill(order)
    drain()
    assert states(order) == ("refunded", "refunded")
    assert reason_of(order) == "店主没有按时交付，自动退款"
    assert order_story(order).why == "店主没有按时交付，自动退款"
    with pytest.raises(NotYours):
        owner_deliver(supplier_order_id=buy.pk, actor="owner", text="好了")
    assert attempts(order) == [("owners-hands", "rejected")]
    sound()


def test_an_owner_who_cannot_says_why_from_a_list_and_the_money_goes_back_at_once(shop: Reseller) -> None:
    order, buy = to_do(shop)
    with pytest.raises(DeliveryInvalid):
        owner_refuse(supplier_order_id=buy.pk, actor="owner", reason="加我微信")
    owner_refuse(supplier_order_id=buy.pk, actor="owner", reason=Reason.OWNER_ACCOUNT)
    drain()
    assert states(order) == ("refunded", "refunded")
    assert reason_of(order) == "账号不对，店主充不了，自动退款"
    assert "owner.refused" in events(order)
    sound()


def test_an_owner_ends_no_attempt_of_the_platforms_suppliers(shop: Reseller) -> None:
    variant = stocked(["FREE-1111-2222"])
    order = paid(shop, variant)
    fulfill(order)
    buy = SupplierOrder.objects.get(fulfillment__line__order=order)
    SupplierOrder.objects.filter(pk=buy.pk).update(status="unknown")
    with pytest.raises(NotYours):
        owner_deliver(supplier_order_id=buy.pk, actor="owner", text="x")


def test_only_the_shops_hours_count_where_the_owner_says_so(shop: Reseller) -> None:
    shop.hours = ",".join(["09:00-21:00"] * 7)
    shop.save(update_fields=["hours"])
    variant = own_good(shop, by_hand=60, hand_in_hours=True)
    evening = datetime(2026, 11, 29, 20, 40, tzinfo=timezone.get_current_timezone())
    order = paid(shop, variant)
    Order.objects.filter(pk=order.pk).update(paid_at=evening)
    with time_machine.travel(evening, tick=True):
        fulfill(order)
    due = work_of(order).due_at
    assert due is not None
    assert timezone.localtime(due).isoformat() == "2026-11-30T09:40:00+08:00"
