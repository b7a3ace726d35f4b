"""What readings of price lists changed, for screens."""

from django.db.models import QuerySet

from fulfillment.suppliers.models import PriceChange


def changes_of(sync_id: int) -> QuerySet[PriceChange]:
    """What one reading changed, with what we sell by it, in the list's order. Prices are in the supplier's currency;
    `listed` is 1 or 0; empty is unknown, or unlimited stock."""
    return PriceChange.objects.filter(sync_id=sync_id).select_related("offer__variant__product").order_by("pk")
