"""`manage.py screening_rules`: bring the rules in the database to what the software comes with."""

from typing import Any

from django.core.management.base import BaseCommand

from compliance.rules import rules_load


class Command(BaseCommand):
    """Doorway to `rules_load`. To be run after an upgrade; may be run again at any time."""

    help = "Adds and renews the screening's rules in the database. Those that operators have changed stay as they are."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say how many changed."""
        self.stdout.write(f"{rules_load()} rules added or changed")
