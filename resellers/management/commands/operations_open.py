"""`manage.py operations_open [--operator NAME]`: the operations host, and who signs in there."""

import getpass
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django_tenants.utils import get_public_schema_name

from resellers.services import ShopInvalid, operations_open, staff_set


class Command(BaseCommand):
    """Doorway to `operations_open` and `staff_set`."""

    help = "Lets the platform answer on OPERATIONS_HOST. May be run again; a known operator gets a new password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Without an operator nobody is asked anything."""
        parser.add_argument("--operator", help="user name for /admin/; the password is asked for")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say where the operations host is."""
        password = _password(options["operator"]) if options["operator"] else ""
        try:
            operations_open(host=settings.OPERATIONS_HOST)
        except ShopInvalid as invalid:
            raise CommandError(f"{invalid} {invalid.fields}") from invalid
        if password:
            staff_set(schema_name=get_public_schema_name(), username=options["operator"], password=password)
        self.stdout.write(f"operations are at {settings.PUBLIC_SCHEME}://{settings.OPERATIONS_HOST}/admin/")


def _password(operator: str) -> str:
    password = getpass.getpass(f"password for {operator}: ")
    try:
        validate_password(password)
    except ValidationError as weak:
        raise CommandError(" ".join(weak.messages)) from weak
    return password
