"""Our own shelf of codes."""

import pytest
from django.db import connection

from fulfillment.suppliers.models import StockCode, Supplier
from fulfillment.suppliers.stock_room import ShelfRoom, code_digest, code_open, codes_keep, stock_load
from kameng.core.encryption import Unreadable
from kameng.outbox.models import OutboxEvent
from resellers.models import Reseller
from tests.factories import SupplierFactory, VariantFactory, stocked
from tests.flows import outbox


def room() -> ShelfRoom:
    """The shelf that `stocked` fills."""
    return ShelfRoom(Supplier.objects.get(code="own").pk)


def free() -> int:
    """How many codes nobody owns."""
    return StockCode.objects.filter(reference="").count()


def test_codes_are_taken_in_the_order_they_were_loaded(shop: Reseller) -> None:
    variant = stocked(["CODE-0001", "CODE-0002", "CODE-0003"])
    assert room().take(reference="R1", sku=variant.sku, quantity=2) == ["CODE-0001", "CODE-0002"]
    assert room().take(reference="R2", sku=variant.sku, quantity=1) == ["CODE-0003"]
    owners = StockCode.objects.order_by("pk").values_list("reference", "schema_name")
    assert list(owners) == [("R1", "shop_one"), ("R1", "shop_one"), ("R2", "shop_one")]
    assert all(code.taken_at for code in StockCode.objects.all())


def test_asking_again_gives_the_same_codes(shop: Reseller) -> None:
    variant = stocked(["CODE-0001", "CODE-0002", "CODE-0003"])
    first = room().take(reference="R1", sku=variant.sku, quantity=2)
    assert room().take(reference="R1", sku=variant.sku, quantity=2) == first
    assert room().given(reference="R1") == first
    assert free() == 1


@pytest.mark.parametrize("quantity", [3, 1000])
def test_too_few_gives_none_at_all(shop: Reseller, quantity: int) -> None:
    variant = stocked(["CODE-0001", "CODE-0002"])
    assert room().take(reference="R1", sku=variant.sku, quantity=quantity) is None
    assert room().given(reference="R1") == []
    assert free() == 2


def test_another_variants_or_suppliers_codes_are_not_touched(shop: Reseller) -> None:
    variant, other = stocked(["CODE-0001"]), stocked(["CODE-0002"])
    somebody = SupplierFactory(code="somebody", adapter="stock")
    stock_load(supplier=somebody, variant=variant, codes=["CODE-0003"])
    assert room().take(reference="R1", sku=variant.sku, quantity=2) is None
    assert room().take(reference="R1", sku="no such sku", quantity=1) is None
    assert room().take(reference="R1", sku=other.sku, quantity=1) == ["CODE-0002"]
    assert ShelfRoom(somebody.pk).take(reference="R2", sku=variant.sku, quantity=1) == ["CODE-0003"]


def test_the_last_code_has_the_shelf_looked_at(shop: Reseller) -> None:
    variant = stocked(["CODE-0001", "CODE-0002"])
    OutboxEvent.objects.all().delete()
    room().take(reference="R1", sku=variant.sku, quantity=1)
    assert outbox("variant.refresh") == []
    room().take(reference="R2", sku=variant.sku, quantity=1)
    assert outbox("variant.refresh") == [{"variant_sku": variant.sku}]


def test_loading_leaves_out_what_is_empty_or_known(shop: Reseller) -> None:
    variant = stocked(["CODE-0001"])
    own = Supplier.objects.get(code="own")
    added = stock_load(
        supplier=own,
        variant=variant,
        codes=["", "  ", "CODE-0001", "code-0001", "CODE 0001", "CODE-0002", "CODE-0002 "],
    )
    # "CODE 0001" is written without the dash, so it is another code.
    assert added == 2
    assert StockCode.objects.count() == 3
    assert stock_load(supplier=own, variant=variant, codes=["CODE-0002"]) == 0


def test_a_code_that_was_sold_is_not_loaded_again(shop: Reseller) -> None:
    variant = stocked(["CODE-0001"])
    room().take(reference="R1", sku=variant.sku, quantity=1)
    assert stock_load(supplier=Supplier.objects.get(code="own"), variant=variant, codes=["CODE-0001"]) == 0
    assert free() == 0


def test_case_and_spaces_do_not_make_another_code() -> None:
    assert code_digest("ab 12\tCD\n") == code_digest("AB12cd")
    assert code_digest("AB12CD") != code_digest("AB12CE")


def test_codes_are_sealed_and_bound_to_their_row(shop: Reseller) -> None:
    stocked(["CODE-0001", "CODE-0002"])
    first, second = StockCode.objects.order_by("pk")
    assert code_open(first) == "CODE-0001"
    assert "CODE" not in first.sealed
    first.sealed = second.sealed
    with pytest.raises(Unreadable):
        code_open(first)


def keep(shop: Reseller, reference: str, *codes: str) -> list[int]:
    """What a supplier sent for a reference."""
    supplier = Supplier.objects.filter(code="sender").first() or SupplierFactory(code="sender")
    variant = StockCode.objects.first()
    variant_id = variant.variant_id if variant else VariantFactory().pk
    return codes_keep(
        supplier_id=supplier.pk, variant_id=variant_id, reference=reference, schema_name=shop.schema_name, codes=codes
    )


def test_codes_that_come_are_kept_for_their_reference(shop: Reseller) -> None:
    ids = keep(shop, "R1", "AAAA-1111", "BBBB-2222")
    assert ids == list(StockCode.objects.order_by("pk").values_list("pk", flat=True))
    assert keep(shop, "R1", "AAAA-1111", "BBBB-2222") == ids


def test_only_what_is_new_is_kept(shop: Reseller) -> None:
    keep(shop, "R1", "AAAA-1111")
    (fresh,) = keep(shop, "R2", "aaaa-1111", "BBBB-2222")
    assert StockCode.objects.get(pk=fresh).reference == "R2"
    assert StockCode.objects.filter(reference="R1").count() == 1


def test_what_lies_on_our_shelf_is_not_given_to_a_supplier_who_sends_it(shop: Reseller) -> None:
    stocked(["AAAA-1111"])
    assert keep(shop, "R1", "AAAA-1111") == []
    assert free() == 1


@pytest.mark.parametrize("off", ["", "hashjoin", "hashjoin, mergejoin", "hashjoin, mergejoin, material, hashagg, sort"])
def test_no_more_are_taken_than_asked_for_however_the_database_plans_it(shop: Reseller, off: str) -> None:
    """A limited sub-select may be run once for each row of the table it is compared with."""
    variant = stocked([f"CODE-{number:04}" for number in range(20)])
    with connection.cursor() as cursor:
        for way in filter(None, off.split(", ")):
            cursor.execute(f"SET LOCAL enable_{way} = off")
        cursor.execute("SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off")
    assert room().take(reference="R1", sku=variant.sku, quantity=2) == ["CODE-0000", "CODE-0001"]
    assert free() == 18
