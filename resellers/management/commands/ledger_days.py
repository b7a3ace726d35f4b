"""`manage.py ledger_days`: whether every shop's days are what the book adds up to, or all of them anew."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection

from resellers.ledger.days import days_false, days_rebuild


class Command(BaseCommand):
    """Doorway to `days_false` and `days_rebuild`."""

    help = "Compares each day of each shop with the book; exits with 1 if any differs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Nothing is changed unless it is asked for."""
        parser.add_argument("--rebuild", action="store_true", help="add all of them up anew first")

    def handle(self, *args: Any, **options: Any) -> None:
        """A line for each day that differs."""
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")  # a long book takes longer than a page may
        if options["rebuild"]:
            days_rebuild()
            self.stdout.write("all days were added up anew")
        false = list(days_false())
        for day in false:
            self.stderr.write(f"{day.day} of {day.shop or 'no shop'} is not what its entries add up to")
        if false:
            self.stderr.write("`manage.py ledger_days --rebuild` adds them up anew")
            raise SystemExit(1)
        self.stdout.write("every day is what its entries add up to")
