"""What a change of cost leads to, and the guard that stands before every purchase."""

import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from catalog.listings import pages_kept
from catalog.listings import shelf as shelves
from catalog.listings.models import Listing, PriceRule
from catalog.listings.selectors import PricedVariant, priced_goods
from catalog.listings.shelf import ShelfVariant, shelf_now
from catalog.models import Category, Revision, Variant
from catalog.services import category_save, variant_save
from fulfillment.models import SupplierOrder
from fulfillment.suppliers.base import Outcome, OutcomeKind, SupplierSilent
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.loss_guard import purchase_refused
from fulfillment.suppliers.models import ExchangeRate, Supplier, SupplierOffer
from fulfillment.suppliers.price_lists import price_list_read
from fulfillment.suppliers.prices import offer_price_told
from fulfillment.suppliers.services import offer_save
from fulfillment.suppliers.upkeep import suppliers_upkeep
from kameng.alerts.models import Alert
from kameng.audit.costs import costs_are_known_and_covered
from orders.models import Order
from resellers.models import Reseller
from resellers.services import shop_touch
from tests.doubles import ListedSupplier
from tests.factories import VariantFactory
from tests.flows import TOPPED_UP, attempts, drain, fulfill, outbox, paid, states
from tests.fulfillment.suppliers.lists import again, line, list_of, listed, offered, page
from tests.fulfillment.suppliers.test_price_lists import in_thread
from tests.staff import operator, owner_of

pytestmark = pytest.mark.usefixtures("listed_double", "gateway_double")


def told(offer: SupplierOffer, price: str | None) -> Variant:
    """The supplier says what it costs now."""
    return offer_price_told(offer_id=offer.pk, price=None if price is None else Decimal(price)).variant


def stored(offer: SupplierOffer) -> tuple[bool, Decimal, Decimal | None]:
    """Whether it is sold, what shops pay for it and what it costs us."""
    variant = Variant.objects.get(pk=offer.variant_id)
    return variant.is_available, variant.supply_price, variant.cost


def open_alerts(kind: str) -> dict[str, Any]:
    """Data of the alerts of a kind that are open, by subject."""
    return dict(Alert.objects.filter(kind=kind, closed_at=None).values_list("subject", "data"))


def shown(shop: Reseller, offer: SupplierOffer) -> ShelfVariant:
    """As the shop sells it."""
    return shelf_now(shop)[0].by_sku[offer.variant.sku][1]


def own(shop: Reseller, offer: SupplierOffer) -> PricedVariant:
    """As the shop's owner sees it."""
    return next(variant for variant in priced_goods(shop).variants if variant.id == offer.variant_id)


def broken() -> list[str]:
    """What the audit says about costs."""
    return list(costs_are_known_and_covered())


# --- costs above the supply price -------------------------------------------------------------------------------------


def test_without_a_markup_the_variant_leaves_sale_and_comes_back_by_itself(shop: Reseller) -> None:
    offer = offered(listed(), "A")
    told(offer, "57.0001")
    assert stored(offer) == (False, Decimal("57.00"), Decimal("57.0001"))
    assert open_alerts("cost.above_supply") == {
        offer.variant.sku: {"sku": offer.variant.sku, "before": "57.00", "supply": "57.00", "cost": "57.0001"}
    }
    told(offer, "57")
    assert (stored(offer), open_alerts("cost.above_supply")) == ((True, Decimal("57.00"), Decimal(57)), {})
    assert broken() == []


def test_with_a_markup_the_supply_price_rises_and_never_falls_by_itself(shop: Reseller) -> None:
    offer = offered(listed(), "A")
    Category.objects.update(supply_markup=Decimal("1.5"))
    told(offer, "58.0100")
    # 58.01 × 1.015 = 58.88015, rounded up.
    assert stored(offer) == (True, Decimal("58.89"), Decimal("58.0100"))
    assert open_alerts("cost.above_supply") == {}
    assert open_alerts("cost.supply_raised") == {
        offer.variant.sku: {"sku": offer.variant.sku, "before": "57.00", "supply": "58.89", "cost": "58.0100"}
    }
    told(offer, "50")
    assert stored(offer) == (True, Decimal("58.89"), Decimal(50))
    assert broken() == []


def test_a_markup_of_nothing_covers_the_cost_to_the_cent(shop: Reseller) -> None:
    offer = offered(listed(), "A")
    Category.objects.update(supply_markup=0)
    for cost, supply in (("57.0001", "57.01"), ("57.01", "57.01"), ("57.02", "57.02")):
        told(offer, cost)
        assert stored(offer) == (True, Decimal(supply), Decimal(cost))


def test_another_supplier_that_is_cheap_enough_keeps_it_on_sale(shop: Reseller) -> None:
    first = offered(listed("first"), "A", rank=1)
    second = offered(listed("second"), "B", cost="56", variant=first.variant, rank=2)
    Category.objects.update(supply_markup=10)
    told(first, "59")
    assert stored(first) == (True, Decimal("57.00"), Decimal(56))
    told(second, None)
    # Nobody is left but the dear one, and the supply price follows it: 59 × 1.1.
    assert stored(first) == (True, Decimal("64.90"), Decimal(59))


def test_of_several_that_are_too_dear_the_cheapest_says_how_far_it_is(shop: Reseller) -> None:
    first = offered(listed("first"), "A", rank=1)
    second = offered(listed("second"), "B", variant=first.variant, rank=2)
    told(first, "70")
    told(second, "60")
    assert stored(first) == (False, Decimal("57.00"), Decimal(60))
    assert open_alerts("cost.above_supply")[first.variant.sku]["cost"] == "60.0000"


def test_what_nobody_offers_any_more_is_no_matter_of_cost(shop: Reseller) -> None:
    offer = offered(listed(), "A")
    told(offer, "58")
    assert list(open_alerts("cost.above_supply")) == [offer.variant.sku]
    told(offer, None)
    assert (stored(offer)[0], open_alerts("cost.above_supply")) == (False, {})


def test_refreshing_says_how_much_changed_and_moves_the_revision_only_then(shop: Reseller) -> None:
    offer, other = offered(listed("a"), "A"), offered(listed("b"), "B")
    SupplierOffer.objects.filter(pk__in=[offer.pk, other.pk]).update(cost=Decimal("58"))
    before = Revision.objects.get().number
    assert availability_refresh(variant_ids=[offer.variant_id, other.variant_id]) == 2
    moved = Revision.objects.get().number
    assert (moved > before, availability_refresh(), Revision.objects.get().number) == (True, 0, moved)
    assert availability_refresh(variant_ids=[]) == 0


def test_two_who_refresh_at_once_end_with_what_both_wrote(live_shop: Reseller) -> None:
    first = offered(listed("first"), "A", rank=1)
    second = offered(listed("second"), "B", variant=first.variant, rank=2)
    availability = threading.Event()

    def other() -> None:
        offer_price_told(offer_id=second.pk, price=Decimal("58"))
        availability.set()

    with transaction.atomic():
        SupplierOffer.objects.filter(pk=first.pk).update(cost=Decimal("59"))
        availability_refresh(variant_ids=[first.variant_id])
        thread = in_thread(other)
        # It waits for us: what it decides from must not be older than what we write.
        assert not availability.wait(0.5)
    thread.join(10)
    assert stored(first) == (False, Decimal("57.00"), Decimal(58))
    assert broken() == []


# --- whoever changes prices by hand -----------------------------------------------------------------------------------


def test_a_supply_price_that_is_lowered_below_the_cost_takes_it_off_sale_at_once(shop: Reseller) -> None:
    offer = offered(listed(), "A", variant=VariantFactory.create(max_quantity=1))
    variant = Variant.objects.get(pk=offer.variant_id)
    variant.supply_price = Decimal("54")
    variant_save(variant=variant)
    assert (stored(offer)[0], broken()) == (False, [])
    assert outbox("variant.refresh") == [{"variant_sku": variant.sku}]
    drain()
    assert list(open_alerts("cost.above_supply")) == [variant.sku]
    variant.refresh_from_db()
    variant.supply_price = Decimal("55")
    variant_save(variant=variant)
    drain()
    assert (stored(offer), open_alerts("cost.above_supply")) == ((True, Decimal("55.00"), Decimal(55)), {})


def test_a_category_that_gets_a_markup_sells_again_what_had_become_too_dear(shop: Reseller) -> None:
    offer = offered(listed(), "A")
    told(offer, "58")
    category = offer.variant.product.category
    category.supply_markup = Decimal(5)
    category_save(category=category)
    drain()
    assert stored(offer) == (True, Decimal("60.90"), Decimal(58))


def test_what_a_person_types_holds_until_the_list_is_read_again(shop: Reseller) -> None:
    supplier = listed()
    offer = offered(supplier, "A")
    told(offer, "550")
    held = again(offer)
    held.cost = Decimal("56")
    offer_save(offer=held)
    assert (again(offer).cost, again(offer).proposed_price, stored(offer)[0]) == (Decimal(56), None, True)
    list_of("listed-1", page(line("A", "54")))
    price_list_read(supplier_id=supplier.pk)
    assert again(offer).cost == Decimal(54)


# --- shops and their owners -------------------------------------------------------------------------------------------


def home_of(owner: Client, shop: Reseller, *, address: str = "/manage/") -> str:
    """What the owner sees; a request leaves the shop, so it is entered again."""
    content = owner.get(address).content.decode()
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    return content


def test_a_shops_page_shows_a_rise_at_once(shop: Reseller) -> None:
    offer = offered(listed(), "A")
    PriceRule.objects.create(kind="fixed", value=Decimal(1))
    shop_touch(shop_id=shop.pk)
    address = f"/p/{offer.variant.product.slug}/"
    visitor = Client(headers={"host": "one.test"})
    assert "58.00" in visitor.get(address).content.decode()
    Category.objects.update(supply_markup=Decimal(2))
    told(offer, "60")
    shelves.forget()
    pages_kept.forget()
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    assert (shown(shop, offer).supply_price, shown(shop, offer).price) == (Decimal("61.20"), Decimal("62.20"))
    page_now = visitor.get(address).content.decode()
    assert "62.20" in page_now
    assert "58.00" not in page_now


def test_a_shops_page_stops_selling_what_is_too_dear(shop: Reseller) -> None:
    offer = offered(listed(), "A")
    assert shown(shop, offer).is_available is True
    told(offer, "58")
    shelves.forget()
    assert shown(shop, offer).is_available is False


def test_owners_with_a_price_of_their_own_are_told_and_others_are_not(shop: Reseller) -> None:
    fixed, below, plain = (offered(listed(code), code) for code in ("fixed", "below", "plain"))
    Category.objects.update(supply_markup=Decimal(0))
    Listing.objects.create(variant=fixed.variant, price=Decimal("70"))
    Listing.objects.create(variant=below.variant, price=Decimal("57.50"))
    owner = owner_of(shop)
    assert "供货价涨了" not in home_of(owner, shop)
    for offer in (fixed, below, plain):
        told(offer, "58")
    facts = [(own(shop, offer).is_outdated, own(shop, offer).raised) for offer in (fixed, below, plain)]
    assert facts == [(True, False), (True, True), (False, False)]
    home = home_of(owner, shop)
    assert "2 个面额的供货价涨了，你的自定售价没有跟着变" in home
    assert "1 个面额的售价超出允许范围" in home
    listed_rows = home_of(owner, shop, address="/manage/goods/?state=outdated")
    assert (fixed.variant.sku in listed_rows, plain.variant.sku in listed_rows) == (True, False)
    # Looking at it again is what ends it.
    Listing.objects.get(variant_id=fixed.variant_id).save()
    Listing.objects.filter(variant_id=below.variant_id).delete()
    shop_touch(shop_id=shop.pk)
    assert "供货价涨了，你" not in home_of(owner, shop)


def test_owners_are_told_what_left_sale_under_a_price_of_their_own(shop: Reseller) -> None:
    fixed, plain = offered(listed("fixed"), "A"), offered(listed("plain"), "B")
    Listing.objects.create(variant=fixed.variant, price=Decimal("70"))
    for offer in (fixed, plain):
        told(offer, "58")
    owner = owner_of(shop)
    assert "1 个自定售价的面额成本高过供货价" in home_of(owner, shop)
    told(fixed, "55")
    assert "个自定售价的面额成本高过供货价" not in home_of(owner, shop)


def test_an_operator_confirms_a_held_price_in_the_list_of_offers(shop: Reseller) -> None:
    offer = offered(listed(), "A")
    told(offer, "25.5")
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    people = operator()
    assert "确认 25.5" in people.get("/admin/suppliers/supplieroffer/").content.decode()
    assert people.post(f"/admin/offers/{offer.pk}/confirm/", {"price": "26"}).status_code == 302
    assert again(offer).cost is None
    assert people.post(f"/admin/offers/{offer.pk}/confirm/", {"price": "25.5000"}).status_code == 302
    assert (again(offer).cost, stored(offer)[0]) == (Decimal("25.5"), True)
    assert people.post(f"/admin/offers/{offer.pk}/confirm/", {"price": "x"}).status_code == 404


def test_an_operator_enters_a_rate(shop: Reseller) -> None:
    offer = offered(listed(currency="USD"), "A", cost=None, list_price=Decimal("7.5"))
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    people = operator()
    form = {"currency": "usd", "yuan": "7.2", "source": "中行"}
    assert people.post("/admin/rates/", form).status_code == 302
    assert again(offer).cost == Decimal(54)
    wrong = people.post("/admin/rates/", {**form, "yuan": "72"})
    assert (wrong.status_code, "相差超过 10%" in wrong.content.decode()) == (422, True)
    assert again(offer).cost == Decimal(54)
    assert "7.2" in people.get("/admin/rates/").content.decode()


# --- the guard before a purchase --------------------------------------------------------------------------------------


def sold(shop: Reseller, *offers: SupplierOffer, minutes: float = 31) -> Order:
    """A paid order at 60.00, and offers whose prices were told that long ago."""
    order = paid(shop, Variant.objects.get(pk=offers[0].variant_id))
    SupplierOffer.objects.filter(pk__in=[offer.pk for offer in offers]).update(
        synced_at=Now() - timedelta(minutes=minutes)
    )
    return order


def two(shop: Reseller, *, adapter: str = "listed") -> tuple[SupplierOffer, SupplierOffer]:
    """A variant that two suppliers offer; the second one's price was told a moment ago."""
    first = offered(listed("first", adapter=adapter), "A", rank=1)
    second = offered(listed("second"), "B", variant=first.variant, rank=2, synced_at=timezone.now())
    for code in ("first", "second"):
        ListedSupplier.on_submit(code, TOPPED_UP)
    return first, second


def test_a_cost_that_was_told_lately_is_not_asked_about(shop: Reseller) -> None:
    first, _ = two(shop)
    order = sold(shop, first, minutes=29)
    fulfill(order)
    assert (ListedSupplier.asked, ListedSupplier.bought_from(), states(order)[0]) == ([], ["first"], "fulfilled")


def test_an_older_one_is_asked_about_and_bought_at_what_it_is_now(shop: Reseller) -> None:
    first, _ = two(shop)
    order = sold(shop, first)
    ListedSupplier.prices["first", "A"] = Decimal("56.5")
    fulfill(order)
    assert (ListedSupplier.asked, ListedSupplier.bought_from()) == ([("price", "A")], ["first"])
    assert (again(first).cost, stored(first)[2]) == (Decimal("56.5"), Decimal("56.5"))


def test_a_price_that_rose_above_what_was_paid_leads_to_the_next_supplier(shop: Reseller) -> None:
    first, second = two(shop)
    order = sold(shop, first)
    ListedSupplier.prices["first", "A"] = Decimal("60.01")
    fulfill(order)
    assert ListedSupplier.bought_from() == ["second"]
    assert attempts(order) == [("first", "rejected"), ("second", "succeeded")]
    buy = SupplierOrder.objects.get(sequence=1)
    assert (buy.code, buy.message) == ("price_above_limit", "60.01 x 1 > 60")
    assert again(first).cost == Decimal("60.01")
    assert stored(first) == (True, Decimal("57.00"), Decimal(55))
    assert states(order) == ("fulfilled", "delivered")
    assert second.supplier.code == "second"


def test_a_price_equal_to_what_was_paid_is_no_loss(shop: Reseller) -> None:
    first, _ = two(shop)
    order = sold(shop, first)
    ListedSupplier.prices["first", "A"] = Decimal("60.00")
    fulfill(order)
    assert ListedSupplier.bought_from() == ["first"]


@pytest.mark.parametrize("answer", [None, SupplierSilent("HTTP 502"), ValueError("bug"), Decimal("NaN"), Decimal(0)])
def test_without_an_answer_nothing_is_bought_there(shop: Reseller, answer: Any) -> None:
    first, _ = two(shop)
    order = sold(shop, first)
    ListedSupplier.prices["first", "A"] = answer
    fulfill(order)
    assert ListedSupplier.bought_from() == ["second"]
    assert SupplierOrder.objects.get(sequence=1).code == "cost_unknown"
    assert states(order) == ("fulfilled", "delivered")


def test_nobody_is_asked_for_a_price_while_a_transaction_is_open(live_shop: Reseller) -> None:
    first, _ = two(live_shop)
    order = sold(live_shop, first)
    seen: list[bool] = []

    def price() -> Decimal:
        seen.append(connection.in_atomic_block)
        return Decimal("56")

    ListedSupplier.prices["first", "A"] = price
    fulfill(order)
    assert (seen, ListedSupplier.bought_from()) == ([False], ["first"])


def test_when_every_live_price_is_a_loss_the_money_goes_back(shop: Reseller) -> None:
    first = offered(listed("first"), "A")
    order = sold(shop, first)
    ListedSupplier.prices["first", "A"] = Decimal("61")
    fulfill(order)
    drain()
    assert (ListedSupplier.bought_from(), states(order)) == ([], ("refunded", "refunded"))
    assert stored(first)[0] is False


def test_where_the_protocol_has_a_maximum_that_is_the_guard(shop: Reseller) -> None:
    first, _ = two(shop, adapter="guarded")
    order = sold(shop, first)
    fulfill(order)
    ((_, _, attempt),) = ListedSupplier.calls
    assert (ListedSupplier.asked, ListedSupplier.bought_from()) == ([], ["first"])
    assert attempt.max_cost == Decimal("60.00")


@pytest.mark.parametrize(("price", "cost"), [(Decimal("61"), Decimal("61")), (SupplierSilent("x"), None)])
def test_a_maximum_that_is_refused_says_that_our_cost_is_wrong(
    shop: Reseller, price: Any, cost: Decimal | None
) -> None:
    first, _ = two(shop, adapter="guarded")
    order = sold(shop, first)
    ListedSupplier.on_submit("first", Outcome(OutcomeKind.REFUSED, code="price_above_limit"))
    ListedSupplier.prices["first", "A"] = price
    fulfill(order)
    assert ListedSupplier.bought_from() == ["first", "second"]
    assert (again(first).cost, states(order)) == (cost, ("fulfilled", "delivered"))


def test_where_nobody_but_a_person_can_say_what_it_costs_a_person_is_asked(shop: Reseller) -> None:
    first, _ = two(shop, adapter="maximum")
    order = sold(shop, first)
    ListedSupplier.on_submit("first", Outcome(OutcomeKind.REFUSED, code="price_above_limit"))
    fulfill(order)
    assert (again(first).cost, ListedSupplier.asked, states(order)[0]) == (None, [], "fulfilled")
    assert list(open_alerts("price.refused")) == [f"first#{first.pk}"]
    typed = again(first)
    typed.cost = Decimal("56")
    offer_save(offer=typed)
    assert (again(first).cost, open_alerts("price.refused")) == (Decimal(56), {})


def test_a_list_that_is_too_old_is_no_price_to_buy_at(shop: Reseller) -> None:
    first, _ = two(shop, adapter="list_only")
    order = sold(shop, first)
    fulfill(order)
    assert (ListedSupplier.asked, ListedSupplier.bought_from()) == ([], ["second"])


def test_a_cost_that_became_unknown_after_the_choice_is_not_bought_at(shop: Reseller) -> None:
    first, _ = two(shop)
    order = sold(shop, first, minutes=1)
    choose = Supplier.objects.get(code="first")
    ListedSupplier.on_submit("second", TOPPED_UP)
    with pytest.MonkeyPatch.context() as patched:

        def late(*args: Any, **named: Any) -> Outcome | None:
            SupplierOffer.objects.filter(supplier=choose).update(cost=None)
            return purchase_refused(*args, **named)

        patched.setattr("fulfillment.calls.purchase_refused", late)
        fulfill(order)
    assert ListedSupplier.bought_from() == ["second"]


# --- costs that only a person can know ------------------------------------------------------------------------------


def typed(adapter: str, cost: str = "55", **fields: Any) -> SupplierOffer:
    """An offer whose cost somebody has just typed."""
    offer = offered(listed("typed", adapter=adapter, **fields), "A", cost=None)
    offer.cost = Decimal(cost)
    return offer_save(offer=offer)


def grown_old(offer: SupplierOffer, days: float) -> None:
    """What a minute's upkeep makes of it when it is so old."""
    moment = timezone.now() - timedelta(days=days)
    SupplierOffer.objects.filter(pk=offer.pk).update(synced_at=moment)
    suppliers_upkeep()


def test_a_typed_cost_grows_old_is_told_of_and_leaves_sale(shop: Reseller, settings: LazySettings) -> None:
    settings.TYPED_COST_MAX_AGE_DAYS = 90
    offer = typed("scripted")
    grown_old(offer, 59)
    assert (again(offer).cost, open_alerts("cost.typed_long_ago")) == (Decimal(55), {})
    grown_old(offer, 61)
    (data,) = open_alerts("cost.typed_long_ago").values()
    assert (data["supplier"], data["days"]) == ("typed", 60)
    assert stored(offer)[0]
    grown_old(offer, 91)
    assert (again(offer).cost, stored(offer)[0]) == (None, False)
    assert broken() == []


def test_saving_the_offer_lets_the_cost_stand(shop: Reseller) -> None:
    offer = typed("scripted")
    grown_old(offer, 80)
    offer_save(offer=again(offer))
    suppliers_upkeep()
    assert open_alerts("cost.typed_long_ago") == {}
    grown_old(offer, 91)
    late = again(offer)
    late.cost = Decimal(56)
    offer_save(offer=late)
    suppliers_upkeep()
    assert (again(offer).cost, stored(offer)[0], open_alerts("cost.typed_long_ago")) == (Decimal(56), True, {})


def test_a_typed_cost_in_another_currency_grows_old_and_follows_its_rate(shop: Reseller) -> None:
    ExchangeRate.objects.create(currency="USD", yuan=Decimal("7.00"), as_of=Now())
    offer = typed("scripted", currency="USD")
    assert again(offer).list_price == Decimal("7.8571")
    grown_old(offer, 91)
    assert again(offer).cost is None


@pytest.mark.parametrize("adapter", ["listed", "maximum", "manual", "stock"])
def test_what_a_protocol_tells_or_limits_or_is_ours_does_not_grow_old(shop: Reseller, adapter: str) -> None:
    offer = typed(adapter)
    grown_old(offer, 1000)
    assert open_alerts("cost.typed_long_ago") == {}
    assert again(offer).cost == Decimal(55)


# --- the audit --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cost": None}, "nobody knows how much"),
        ({"cost": Decimal("57.01")}, "costs 57.0100"),
        ({"supply_price": Decimal("54")}, "nobody offers it at 54.00"),
    ],
)
def test_the_audit_sees_what_is_sold_at_a_loss_or_at_an_unknown_cost(
    shop: Reseller, change: dict[str, Any], said: str
) -> None:
    offer = offered(listed(), "A")
    VariantFactory()
    assert broken() == []
    Variant.objects.filter(pk=offer.variant_id).update(**change)
    assert any(said in breach for breach in broken())
