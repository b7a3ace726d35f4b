"""`manage.py exchange_rate USD 7.1234 [--as-of TIME]`: enter what one unit of a currency costs us in yuan."""

from argparse import ArgumentParser
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from fulfillment.suppliers.rates import RateInvalid, exchange_rate_set


class Command(BaseCommand):
    """Doorway to `exchange_rate_set`."""

    help = "Enters a rate of exchange; the costs of every offer in that currency follow at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What, how much, since when."""
        parser.add_argument("currency", help="three letters: USD")
        parser.add_argument("yuan", help="yuan for one unit: 7.1234")
        parser.add_argument("--as-of", default="", metavar="TIME", help="ISO 8601, default now: 2026-11-28T09:30+08:00")
        parser.add_argument("--source", default="manage.py exchange_rate", help="where the figure is from")
        parser.add_argument("--confirm", action="store_true", help="it really changed by more than 10 %%")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what holds now."""
        try:
            yuan = Decimal(options["yuan"])
        except InvalidOperation as error:
            raise CommandError(f"not a number: {options['yuan']!r}") from error
        try:
            rate = exchange_rate_set(
                currency=options["currency"],
                yuan=yuan,
                as_of=_moment(options["as_of"]),
                source=options["source"],
                is_confirmed=options["confirm"],
            )
        except RateInvalid as refused:
            raise CommandError("; ".join(str(text) for text in refused.fields.values()) or str(refused)) from refused
        self.stdout.write(f"{rate}, {rate.as_of.isoformat()}")


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = parse_datetime(text)
    except ValueError as error:
        raise CommandError(f"not a time: {text!r}") from error
    if moment is None:
        raise CommandError(f"not a time: {text!r}")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
