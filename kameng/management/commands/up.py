from typing import Any

from django.core.management.base import BaseCommand

from kameng.embedded.up import main


class Command(BaseCommand):
    """`manage.py` answers `up` itself, before there are settings; this lists it in `help`."""

    help = "Set everything up and run the demo until Ctrl-C."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        main([])
