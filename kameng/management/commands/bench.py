from typing import Any

from django.core.management.base import BaseCommand

from bench.main import main


class Command(BaseCommand):
    """`manage.py` answers `bench` itself, before there are settings; this lists it in `help`."""

    help = "Measure pages, orders, codes and shops beside the limits of this machine. Exits 1 where a goal is missed."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        main([])
