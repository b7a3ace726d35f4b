"""`manage.py migrations_check`: whether code that is still running can live with the migrations of shops."""

from typing import Any

from django.core.management.base import BaseCommand

from resellers.old_code import breaches


class Command(BaseCommand):
    """Doorway to `breaches`."""

    help = "Refuses migrations of shops' apps that old code can't live with, unless they say why it need not. Exit 1."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a breach."""
        found = breaches()
        for breach in found:
            self.stdout.write(str(breach))
        if found:
            raise SystemExit(1)
