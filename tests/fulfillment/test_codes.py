"""Codes: as many as bought, none empty, none seen before."""

from decimal import Decimal

import pytest

from fulfillment.models import Delivery, SupplierOrder
from fulfillment.suppliers.models import StockCode, Supplier
from fulfillment.suppliers.services import availability_refresh
from fulfillment.suppliers.stock_room import stock_load
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import code_on_sale, stocked
from tests.flows import (
    attempts,
    codes,
    delivered_codes,
    drain,
    events,
    fulfill,
    paid,
    states,
)

pytestmark = pytest.mark.usefixtures("gateway_double", "supplier_double")


# --- wrong codes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("items", [(), ("AAAA-1111",), ("AAAA-1111", "B2", "C3"), ("AAAA-1111", "  ")], ids=len)
def test_too_few_too_many_or_empty_codes_are_no_delivery(shop: Reseller, items: tuple[str, ...]) -> None:
    ScriptedSupplier.on_submit("first", codes(*items))
    order = paid(shop, code_on_sale(), quantity=2)
    assert fulfill(order) == 1
    assert states(order) == ("paid", "verifying")
    assert attempts(order) == [("first", "unknown")]
    assert SupplierOrder.objects.get().code == "wrong_count"
    assert not Delivery.objects.exists()
    assert not StockCode.objects.exists()


def test_a_code_that_somebody_owns_is_no_delivery_and_the_next_supplier_is_asked(shop: Reseller) -> None:
    variant = code_on_sale()
    ScriptedSupplier.on_submit("first", codes("AAAA-1111"))
    ScriptedSupplier.on_submit("second", codes("BBBB-2222"))
    earlier, later = paid(shop, variant), paid(shop, variant)
    fulfill(earlier)
    assert fulfill(later) is None
    assert delivered_codes(earlier) == ["AAAA-1111"]
    assert delivered_codes(later) == ["BBBB-2222"]
    assert attempts(later) == [("first", "rejected"), ("second", "succeeded")]
    assert SupplierOrder.objects.get(status="rejected").code == "code_seen_before"
    assert events(later, "supplier.code_seen_before") == ["supplier.code_seen_before"]
    assert StockCode.objects.count() == 2


def test_the_same_code_in_other_writing_is_known_again(shop: Reseller) -> None:
    variant = code_on_sale(suppliers=("first",))
    ScriptedSupplier.on_submit("first", codes("AAAA-1111"), codes(" aaaa-1111\n"))
    fulfill(paid(shop, variant))
    second = paid(shop, variant)
    drain()
    assert states(second) == ("refunded", "refunded")
    assert Delivery.objects.count() == 1


def test_a_code_on_our_own_shelf_is_not_sold_again_by_a_supplier(shop: Reseller) -> None:
    stocked(["AAAA-1111"])
    variant = code_on_sale(suppliers=("first",))
    ScriptedSupplier.on_submit("first", codes("AAAA-1111"))
    order = paid(shop, variant)
    drain()
    assert states(order) == ("refunded", "refunded")
    assert StockCode.objects.get().reference == ""


def test_one_code_twice_in_an_answer_is_no_delivery_of_two(shop: Reseller) -> None:
    variant = code_on_sale(suppliers=("first",))
    ScriptedSupplier.on_submit("first", codes("AAAA-1111", "AAAA-1111"))
    order = paid(shop, variant, quantity=2)
    drain()
    assert states(order) == ("refunded", "refunded")
    assert not Delivery.objects.exists()


# --- the shelf runs dry ---------------------------------------------------------------------------


def test_the_last_code_takes_the_variant_off_sale(shop: Reseller) -> None:
    variant = stocked(["CODE-0001"])
    order = paid(shop, variant)
    drain()
    assert states(order) == ("fulfilled", "delivered")
    variant.refresh_from_db()
    assert variant.is_available is False
    assert variant.cost == Decimal("55.0000")


def test_paid_but_sold_out_meanwhile_is_refunded(shop: Reseller) -> None:
    variant = stocked(["CODE-0001"])
    first, second = paid(shop, variant), paid(shop, variant)
    drain()
    assert [states(first), states(second)] == [("fulfilled", "delivered"), ("refunded", "refunded")]
    assert Delivery.objects.count() == 1


def test_too_few_on_the_shelf_takes_none(shop: Reseller) -> None:
    variant = stocked(["CODE-0001", "CODE-0002"])
    order = paid(shop, variant, quantity=3)
    drain()
    assert states(order) == ("refunded", "refunded")
    assert StockCode.objects.filter(reference="").count() == 2


def test_codes_loaded_later_bring_the_variant_back(shop: Reseller) -> None:
    variant = stocked(["CODE-0001"])
    paid(shop, variant)
    drain()
    stock_load(supplier=Supplier.objects.get(code="own"), variant=variant, codes=["CODE-0002"])
    availability_refresh(variant_ids=[variant.pk])
    variant.refresh_from_db()
    assert variant.is_available is True
