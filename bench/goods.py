"""What can be bought, and codes on the shelf for it: `python -m bench.goods RARE` in the product's environment."""

import json
import secrets
import sys

import django
from django.db import transaction


def main(rare: int) -> None:
    """Print the SKUs: the one with a long shelf, one that only suppliers have, and one with exactly `rare` codes."""
    django.setup()
    from catalog.models import Variant
    from fulfillment.suppliers.models import StockCode, Supplier, SupplierOffer
    from fulfillment.suppliers.services import availability_refresh
    from fulfillment.suppliers.stock_room import stock_load

    own = Supplier.objects.get(code="own")
    stocked = Variant.objects.filter(offers__supplier=own).order_by("product__position")
    hot, few = stocked[0], stocked[1]
    supplied = (
        Variant.objects.filter(product__kind="code", offers__supplier__adapter="dujiao")
        .exclude(offers__supplier=own)
        .order_by("pk")[0]
    )
    if rare:
        with transaction.atomic():
            SupplierOffer.objects.filter(variant=few).exclude(supplier=own).update(is_active=False)
            StockCode.objects.filter(variant=few, reference="").delete()
            stock_load(supplier=own, variant=few, codes=(secrets.token_hex(10) for _ in range(rare)))
            availability_refresh(variant_ids=[hot.pk, few.pk])
    sys.stdout.write(json.dumps({"own": hot.sku, "supplied": supplied.sku, "rare": few.sku}) + "\n")


if __name__ == "__main__":
    main(int(sys.argv[1]))
