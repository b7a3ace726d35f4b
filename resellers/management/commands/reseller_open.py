"""`manage.py reseller_open SLUG --name NAME --host HOST …`: open a shop; it sells the whole catalogue at once."""

import getpass
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from resellers.services import ShopInvalid, reseller_open, staff_set


class Command(BaseCommand):
    """Doorway to `reseller_open`."""

    help = "Opens a shop with a schema of its own, from the SQL template."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Hosts are complete names without port."""
        parser.add_argument("slug", help="lower-case letters and digits; the schema is called shop_SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument("--host", action="append", required=True, help="may be given several times")
        parser.add_argument("--color", default="#0B62D6", help="brand colour as #RRGGBB")
        parser.add_argument("--owner", help="user name for /manage/; the password is asked for")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say where the shop answers, and how long it took."""
        begun = time.monotonic()
        try:
            shop = reseller_open(
                slug=options["slug"],
                name=options["name"],
                host_names=options["host"],
                brand_color=options["color"],
            )
        except ShopInvalid as invalid:
            raise CommandError(f"{invalid} {invalid.fields}") from invalid
        if options["owner"]:
            password = getpass.getpass(f"password for {options['owner']}: ")
            staff_set(schema_name=shop.schema_name, username=options["owner"], password=password)
        took = time.monotonic() - begun
        self.stdout.write(f"{shop.schema_name} is open at {', '.join(options['host'])} ({took:.2f} s)")
