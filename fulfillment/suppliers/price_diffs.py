"""What readings of price lists changed, for screens."""

from django.db.models import Exists, OuterRef, QuerySet

from fulfillment.suppliers.models import PriceChange, PriceSync, SupplierOffer


def readings(*, supplier_id: int | None = None) -> QuerySet[PriceSync]:
    """Readings with their supplier, newest first."""
    found = PriceSync.objects.select_related("supplier").order_by("-pk")
    return found if supplier_id is None else found.filter(supplier_id=supplier_id)


def changes_of(sync_id: int) -> QuerySet[PriceChange]:
    """What one reading changed, with what we sell by it, in the list's order. Prices are in the supplier's currency;
    `listed` is 1 or 0; empty is unknown, or unlimited stock."""
    return PriceChange.objects.filter(sync_id=sync_id).select_related("offer__variant__product").order_by("pk")


def lines_unmatched(*, supplier_id: int) -> QuerySet[PriceChange]:
    """Lines of a supplier's list that no offer takes up, newest first."""
    ours = SupplierOffer.objects.filter(supplier_id=supplier_id, supplier_sku=OuterRef("supplier_sku"))
    lines = PriceChange.objects.filter(field=PriceChange.Field.NEW, sync__supplier_id=supplier_id)
    return lines.exclude(Exists(ours)).order_by("-pk")


def offers_held() -> QuerySet[SupplierOffer]:
    """Offers whose new price waits for a person (`offer_price_confirm`)."""
    held = SupplierOffer.objects.filter(proposed_price__isnull=False)
    return held.select_related("supplier", "variant__product").order_by("supplier_id", "pk")
