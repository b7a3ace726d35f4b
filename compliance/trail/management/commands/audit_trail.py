"""`manage.py audit_trail`: what people decided, to read or to hand over."""

import json
from argparse import ArgumentParser, ArgumentTypeError
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from compliance.trail.models import AuditEntry
from compliance.trail.selectors import entries_of, in_order, json_line


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no day: 2026-11-29") from error


class Command(BaseCommand):
    """Reads only. How an export is checked is in docs/operations.md."""

    help = "Prints the audit trail, oldest entry first; how many entries those were is said on standard error."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which entries, and how."""
        parser.add_argument("--subject", default="", help="about one thing: license:12; or all of a kind: license")
        parser.add_argument("--since", type=_day, metavar="DAY", help="from this day on: 2026-11-29")
        parser.add_argument("--json-lines", action="store_true", help="an object a line, with its hash, to be checked")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line for each."""
        write = json_line if options["json_lines"] else _row
        count = 0
        for entry in in_order(entries_of(subject=options["subject"], since=options["since"])):
            self.stdout.write(write(entry))
            count += 1
        self.stderr.write(f"{count} entries")


def _row(entry: AuditEntry) -> str:
    at = timezone.localtime(entry.at)
    data = json.dumps(entry.data, ensure_ascii=False)
    return f"#{entry.sequence} {at:%Y-%m-%d %H:%M:%S} {entry.actor} {entry.action} {entry.subject} {data}"
