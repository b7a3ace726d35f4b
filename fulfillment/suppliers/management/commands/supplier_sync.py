"""`manage.py supplier_sync CODE`: read a supplier's price list now, and show what changed."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from fulfillment.suppliers.models import PriceSync, Supplier
from fulfillment.suppliers.price_diffs import changes_of
from fulfillment.suppliers.price_lists import NoPriceList, price_list_read


class Command(BaseCommand):
    """Doorway to `price_list_read`. Interrupted, it is run again and goes on where it was."""

    help = "Reads a supplier's price list to its end and prints the differences. Exits with 1 if it cannot be read."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose."""
        parser.add_argument("code", help="the supplier's code")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each difference, then a sum."""
        supplier = Supplier.objects.filter(code=options["code"]).first()
        if supplier is None:
            raise CommandError(f"there is no supplier {options['code']!r}")
        try:
            sync = price_list_read(supplier_id=supplier.pk)
        except NoPriceList as error:
            raise CommandError(f"{supplier.code} ({supplier.adapter}) has no price list") from error
        if sync is None:
            raise CommandError(f"the price list of {supplier.code} is being read at this moment")
        for change in changes_of(sync.pk):
            known = change.offer.variant.sku if change.offer is not None else change.name
            self.stdout.write(
                f"{change.supplier_sku} {known} {change.field}: {change.before or '-'} -> {change.after or '-'}"
            )
        self.stdout.write(f"{supplier.code}: {sync.pages} pages, {sync.products} lines, {sync.changes} changes")
        if sync.status != PriceSync.Status.DONE:
            raise CommandError(f"page {sync.pages + 1} could not be read: {sync.problem}")
