"""`manage.py migrate_shops`: bring every shop's schema up to the code; those that are there already cost one query."""

from argparse import ArgumentParser
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from resellers.migrating import shops_behind, shops_migrate


class Command(BaseCommand):
    """Doorway to `shops_migrate`, public first."""

    help = "Migrates the public schema, then each shop that is behind. May be stopped and run again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--check` changes nothing."""
        parser.add_argument("--check", action="store_true", help="only say which shops are behind; exit 1 if any is")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a shop."""
        if options["check"]:
            behind = shops_behind()
            for shop in behind:
                self.stdout.write(f"{shop.shop.schema_name} lacks {', '.join(shop.missing)}")
            self.stdout.write(f"{len(behind)} shops are behind")
            raise SystemExit(1 if behind else 0)
        call_command("migrate_schemas", shared=True, verbosity=0)
        done = 0
        for behind_one in shops_migrate():
            done += 1
            self.stdout.write(f"{behind_one.shop.schema_name}: {len(behind_one.missing)} migrations")
        self.stdout.write(f"{done} shops migrated")
