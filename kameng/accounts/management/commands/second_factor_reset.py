"""`manage.py second_factor_reset --schema shop_yueyou --user owner`: for who has lost the phone and the paper."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django_tenants.utils import schema_context, schema_exists

from kameng.accounts.second_factor import second_factor_reset


class Command(BaseCommand):
    """Doorway to `second_factor_reset`; no page leads here, because whoever asks must be known in person."""

    help = "Takes the second factor off an account whose owner has lost it. Make sure who is asking."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose."""
        parser.add_argument("--schema", required=True, help="public, or a shop's: shop_yueyou")
        parser.add_argument("--user", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Exits with 1 where there is nothing to take off."""
        if not schema_exists(options["schema"]):
            raise CommandError(f"no such schema: {options['schema']}")
        with schema_context(options["schema"]):
            if not second_factor_reset(username=options["user"]):
                raise CommandError(f"{options['user']} has no second factor in {options['schema']}")
        self.stdout.write(f"{options['user']} may set up a new one at the next sign-in")
