"""Price lists as tests write them."""

from decimal import Decimal
from typing import Any

from catalog.models import Revision, Variant
from fulfillment.suppliers.base import ProductPage, SupplierProduct
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import Supplier, SupplierOffer
from tests.doubles import ListedSupplier
from tests.factories import OfferFactory, SupplierFactory, VariantFactory


def line(sku: str, cost: str | None = "55", **values: Any) -> SupplierProduct:
    """A line of a list."""
    return SupplierProduct(sku=sku, name=f"name of {sku}", cost=None if cost is None else Decimal(cost), **values)


def page(*lines: SupplierProduct, leads_to: str = "") -> ProductPage:
    """A page of one."""
    return ProductPage(tuple(lines), leads_to)


def list_of(supplier: str, *pages: ProductPage) -> None:
    """What a supplier answers from now on: each page leads to the next one, by its number."""
    for number, told in enumerate(pages):
        cursor = str(number) if number else ""
        leads_to = str(number + 1) if number + 1 < len(pages) else ""
        ListedSupplier.pages[supplier, cursor] = ProductPage(told.products, leads_to)


def listed(code: str = "listed-1", *, adapter: str = "listed", **fields: Any) -> Supplier:
    """A supplier with a price list."""
    return SupplierFactory.create(code=code, adapter=adapter, **fields)


def offered(
    supplier: Supplier, sku: str, *, cost: str | None = "55", variant: Variant | None = None, **fields: Any
) -> SupplierOffer:
    """An offer that goes by a code, with a price that was read as long ago as `synced_at` says."""
    price = None if cost is None else Decimal(cost)
    offer = OfferFactory.create(
        supplier=supplier,
        variant=variant or VariantFactory.create(),
        supplier_sku=sku,
        cost=price,
        **{"list_price": price, **fields},
    )
    availability_refresh(variant_ids=[offer.variant_id])
    Revision.bump()
    return offer


def again(offer: SupplierOffer) -> SupplierOffer:
    """The offer as it is stored now, with its variant."""
    return SupplierOffer.objects.select_related("variant", "supplier").get(pk=offer.pk)
