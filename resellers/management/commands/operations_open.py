"""`manage.py operations_open [--operator NAME]`: the operations host, and who signs in there."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django_tenants.utils import get_public_schema_name

from resellers.management.asking import new_password
from resellers.services import ShopInvalid, operations_open, staff_set


class Command(BaseCommand):
    """Doorway to `operations_open` and `staff_set`."""

    help = "Lets the platform answer on OPERATIONS_HOST. May be run again; a known operator gets a new password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Without an operator nobody is asked anything."""
        parser.add_argument("--operator", help="user name for /admin/; the password is asked for")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say where the operations host is."""
        password = new_password(options["operator"]) if options["operator"] else ""
        try:
            operations_open(host=settings.OPERATIONS_HOST)
        except ShopInvalid as invalid:
            raise CommandError(f"{settings.OPERATIONS_HOST}: {invalid}") from invalid
        if password:
            staff_set(schema_name=get_public_schema_name(), username=options["operator"], password=password)
        self.stdout.write(f"operations are at {settings.PUBLIC_SCHEME}://{settings.OPERATIONS_HOST}/admin/")
