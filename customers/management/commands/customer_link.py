"""`manage.py customer_link --schema shop_yueyou --contact 13812345678`: for who has forgotten the password."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse
from django_tenants.utils import schema_context, schema_exists

from customers.accounts import customer_with
from customers.contacts import contact_clean
from customers.links import link_token


class Command(BaseCommand):
    """Doorway to `link_token` for accounts with money in them, to which nobody of a shop may give a link."""

    help = "Prints the address, on the shop's host, of a link that sets a new password once. Make sure who is asking."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose."""
        parser.add_argument("--schema", required=True, help="a shop's: shop_yueyou")
        parser.add_argument("--contact", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Exits with 1 where there is no such account."""
        if options["schema"] == "public" or not schema_exists(options["schema"]):
            raise CommandError(f"no such shop: {options['schema']}")
        with schema_context(options["schema"]):
            try:
                customer = customer_with(contact_clean(options["contact"]))
            except ValueError as error:
                raise CommandError(str(error)) from error
            if customer is None:
                raise CommandError("nobody has an account with that contact")
            self.stdout.write(reverse("account_reset", args=[link_token(customer)], urlconf="kameng.urls_shop"))
