import sys
from typing import Any

from django.core.management.base import BaseCommand

from kameng.embedded.testing import main


class Command(BaseCommand):
    """`manage.py` answers `test` itself, before there are settings; this replaces Django's own in `help`."""

    help = "Run the tests with pytest, whose arguments pass through, on servers of their own."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(main([]))
