"""Owners as the suppliers of their own goods: two connections for all shops, told apart by whose the product is.

So an own good is ordered, paid, delivered, refunded and booked as anything else is; what the platform takes of it is
its supply price, and buying it costs the platform nothing.
"""

from decimal import Decimal

from catalog.models import Product
from fulfillment.suppliers.connections import supplier_named
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import Supplier, SupplierOffer
from fulfillment.suppliers.owner_hands.adapter import OwnerHandsAdapter
from fulfillment.suppliers.services import supplier_save
from fulfillment.suppliers.stock.adapter import StockAdapter

STOCK, HANDS = "owners-stock", "owners-hands"
#: An offer needs a cost to be bought; nothing is charged, as each purchase says.
COST = Decimal("0.0001")


def is_owners(supplier: Supplier) -> bool:
    """Whether goods come from a shop's owner: nobody judges or ranks them."""
    return supplier.code in (STOCK, HANDS)


def owners_stock() -> Supplier:
    """The shelf on which owners' codes lie."""
    return supplier_named(STOCK) or supplier_save(
        code=STOCK, name="店主自有库存", adapter=StockAdapter.code, base_url="", config={"cost": "0"}
    )


def owners_hands() -> Supplier:
    """The owners themselves."""
    return supplier_named(HANDS) or supplier_save(
        code=HANDS, name=OwnerHandsAdapter.name, adapter=OwnerHandsAdapter.code, base_url="", config={}
    )


def offers_write(product: Product) -> None:
    """Let an own good be delivered as its owner says: from stock, or by hand. Safe to call again."""
    supplier = owners_stock() if product.hand_minutes is None else owners_hands()
    variants = list(product.variants.all())
    for variant in variants:
        SupplierOffer.objects.get_or_create(
            supplier=supplier, variant=variant, defaults={"supplier_sku": variant.sku, "cost": COST}
        )
    offers = SupplierOffer.objects.filter(variant__in=variants)
    offers.filter(supplier=supplier).update(is_active=True)
    offers.exclude(supplier=supplier).update(is_active=False)
    availability_refresh(variant_ids=[variant.pk for variant in variants])
