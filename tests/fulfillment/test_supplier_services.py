"""Suppliers as fulfillment sees them: whom to ask, and what the catalogue is told."""

from decimal import Decimal

import pytest

from catalog.models import Revision, Variant
from fulfillment.suppliers.base import SupplierMisconfigured
from fulfillment.suppliers.choosing import offers_ranked
from fulfillment.suppliers.connections import adapter_of
from fulfillment.suppliers.models import Supplier, SupplierOffer
from fulfillment.suppliers.services import availability_refresh, supplier_eliminate, supplier_restore, supplier_save
from resellers.models import Reseller
from tests.doubles import ScriptedSupplier
from tests.factories import OfferFactory, SupplierFactory, VariantFactory, on_sale, stocked

pytestmark = pytest.mark.usefixtures("supplier_double")


def ranked(variant: Variant, *, highest: str = "60", tried: list[int] | None = None) -> list[str]:
    """Codes of the suppliers who would be asked, best first."""
    chosen = offers_ranked(variant_id=variant.pk, highest_cost=Decimal(highest), tried=tried or [])
    return [choice.offer.supplier.code for choice in chosen]


def revision() -> int:
    """The catalogue's number."""
    return Revision.objects.get(pk=1).number


def test_rank_comes_before_cost_and_cost_before_age(shop: Reseller) -> None:
    variant = VariantFactory()
    for code, rank, cost in (("a", 2, "50"), ("b", 1, "56"), ("c", 2, "49"), ("d", 2, "50")):
        OfferFactory(supplier=SupplierFactory(code=code), variant=variant, rank=rank, cost=Decimal(cost))
    assert ranked(variant) == ["b", "c", "a", "d"]


def test_who_cannot_or_should_not_deliver_is_left_out(shop: Reseller) -> None:
    variant = on_sale(suppliers=("good", "dear", "unpriced", "off", "gone", "out", "tried"))
    offers = SupplierOffer.objects
    offers.filter(supplier__code="dear").update(cost=Decimal("60.0001"))
    offers.filter(supplier__code="unpriced").update(cost=None)
    offers.filter(supplier__code="off").update(is_active=False)
    Supplier.objects.filter(code="gone").update(is_active=False)
    supplier_eliminate(supplier_id=Supplier.objects.get(code="out").pk, reason="x")
    assert ranked(variant, tried=[Supplier.objects.get(code="tried").pk]) == ["good"]
    assert ranked(VariantFactory()) == []


def test_a_cost_equal_to_the_price_is_no_loss(shop: Reseller) -> None:
    variant = on_sale(suppliers=("first",))
    assert ranked(variant, highest="55.00") == ["first"]
    assert ranked(variant, highest="54.9999") == []


def test_the_catalogue_is_told_the_cost_of_the_first_ranked_offer(shop: Reseller) -> None:
    variant = on_sale()
    SupplierOffer.objects.filter(supplier__code="first").update(cost=Decimal("56.5"))
    SupplierOffer.objects.filter(supplier__code="second").update(cost=Decimal("40"))
    before = revision()
    assert availability_refresh(variant_ids=[variant.pk]) == 1
    after = revision()
    assert after > before
    variant.refresh_from_db()
    assert (variant.cost, variant.is_available, revision()) == (Decimal("56.5000"), True, after)
    assert availability_refresh(variant_ids=[variant.pk]) == 0
    assert revision() == after


def test_a_variant_without_a_usable_offer_is_not_available(shop: Reseller) -> None:
    variant = on_sale(suppliers=("first",))
    SupplierOffer.objects.update(cost=None)
    availability_refresh(variant_ids=[variant.pk])
    variant.refresh_from_db()
    assert variant.is_available is False


def test_an_empty_shelf_of_our_own_is_no_offer(shop: Reseller) -> None:
    variant = stocked([])
    variant.refresh_from_db()
    assert variant.is_available is False
    filled = stocked(["CODE-0001"])
    filled.refresh_from_db()
    assert filled.is_available is True


def test_refreshing_one_supplier_leaves_other_variants_alone(shop: Reseller) -> None:
    mine, other = on_sale(suppliers=("first",)), on_sale(suppliers=("second",))
    SupplierOffer.objects.update(is_active=False)
    assert availability_refresh(supplier_ids=[Supplier.objects.get(code="first").pk]) == 1
    mine.refresh_from_db()
    other.refresh_from_db()
    assert (mine.is_available, other.is_available) == (False, True)
    assert availability_refresh() == 1


def test_eliminating_says_so_once_and_takes_variants_off_sale(shop: Reseller, caplog: pytest.LogCaptureFixture) -> None:
    variant = on_sale(suppliers=("first",))
    first = Supplier.objects.get(code="first")
    supplier_eliminate(supplier_id=first.pk, reason="no balance " + "x" * 200)
    supplier_eliminate(supplier_id=first.pk, reason="again")
    first.refresh_from_db()
    variant.refresh_from_db()
    assert first.eliminated_reason.startswith("no balance x")
    assert len(first.eliminated_reason) == 120
    assert variant.is_available is False
    assert [record.levelname for record in caplog.records if "eliminated" in record.message] == ["ERROR"]


def test_restoring_puts_variants_back_on_sale(shop: Reseller) -> None:
    variant = on_sale(suppliers=("first",))
    first = Supplier.objects.get(code="first")
    supplier_eliminate(supplier_id=first.pk, reason="x")
    supplier_restore(supplier_id=first.pk)
    first.refresh_from_db()
    variant.refresh_from_db()
    assert (first.eliminated_at, first.eliminated_reason, variant.is_available) == (None, "", True)


def test_an_adapter_is_kept_until_the_connection_changes(shop: Reseller) -> None:
    supplier = SupplierFactory(code="first")
    known = adapter_of(supplier)
    assert adapter_of(Supplier.objects.get(pk=supplier.pk)) is known
    supplier_save(code="first", name="First", adapter="scripted", base_url="https://x.test/", config={"key": "k"})
    assert adapter_of(Supplier.objects.get(pk=supplier.pk)) is not known


def test_a_supplier_is_checked_before_it_is_saved(shop: Reseller) -> None:
    for adapter, config in (("fulu", {}), ("dujiao", {"api_key": " ", "api_secret": "s"}), ("nobody", {})):
        with pytest.raises(SupplierMisconfigured):
            supplier_save(code="new", name="New", adapter=adapter, base_url="https://x.test/", config=config)
    assert not Supplier.objects.exists()


def test_secrets_are_sealed_and_bound_to_their_supplier(shop: Reseller) -> None:
    config = {"app_key": "k", "app_secret": "very secret and 32 characters ok"}
    saved = supplier_save(code="first", name="First", adapter="fulu", base_url="https://x.test/", config=config)
    assert "secret" not in saved.sealed_config
    assert Supplier.objects.get(code="first").config == config
    thief = SupplierFactory(code="thief", adapter="fulu", base_url="https://x.test/")
    Supplier.objects.filter(pk=thief.pk).update(sealed_config=saved.sealed_config)
    with pytest.raises(SupplierMisconfigured):
        adapter_of(Supplier.objects.get(pk=thief.pk))
    assert ScriptedSupplier.calls == []
