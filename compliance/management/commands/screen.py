"""`manage.py screen`: JSON lines of listings in, JSON lines of verdicts out."""

import json
import sys
from argparse import ArgumentParser
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand
from django.db import DatabaseError

from compliance.rules import screening_book
from compliance.screening.book import Book, built_in_book
from compliance.screening.engine import screen
from compliance.screening.listing import Screening, Subject

_TEXTS = ("title", "description", "announcement", "instructions", "brand", "category", "kind")
_LISTS = ("variants", "form_labels")
_PRICES = ("price", "official_price")


class Unreadable(Exception):
    """A line that is no listing; the message says why."""


class Command(BaseCommand):
    """By the rules in the database; by those that come with the software where none can be reached, or it has none.

    Which ones is said on standard error.
    """

    help = (
        'Reads JSON lines {"title", "description", "category", "price", "official_price"} from standard input and '
        'writes a verdict for each: {"verdict": "clear|flagged|blocked", "findings": […]}. A line that cannot be read '
        'gets {"error", "line"} in its place; the exit code is then 1.'
    )

    stealth_options = ("stdin",)

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whose rules."""
        parser.add_argument(
            "--built-in", action="store_true", help="the rules that come with the software, whatever the database has"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Answer line by line, so that it can be used as a pipe."""
        lines: BinaryIO = options.get("stdin") or sys.stdin.buffer
        book = None if options["built_in"] else self._kept_rules()
        book = book or built_in_book()
        failed = False
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                answer = _document(screen(_subject(line), book))
            except Unreadable as error:
                failed = True
                answer = {"error": str(error), "line": number}
            # Half of a surrogate pair has no UTF-8; JSON writes it as an escape.
            text = json.dumps(answer, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
            self.stdout.write(text)
            self.stdout.flush()
        if failed:
            raise SystemExit(1)

    def _kept_rules(self) -> Book | None:
        try:
            book = screening_book()
        except DatabaseError as error:
            self.stderr.write(f"rules: those of the software ({str(error).splitlines()[0]})")
            return None
        self.stderr.write(f"rules: {len(book.rules)} of the database" if book else "rules: those of the software")
        return book


def _subject(line: bytes) -> Subject:
    """What a line says. Raises `Unreadable`."""
    try:
        entry = json.loads(line.decode("utf-8-sig"), parse_float=Decimal, parse_int=Decimal, parse_constant=_no_number)
    except UnicodeDecodeError as error:
        raise Unreadable(f"not UTF-8: {error.reason} at byte {error.start}") from error
    except RecursionError as error:
        raise Unreadable("nested too deeply") from error
    except ValueError as error:
        raise Unreadable(f"not JSON: {error}") from error
    if not isinstance(entry, dict):
        raise Unreadable("not a JSON object")
    if not isinstance(entry.get("title"), str) or not entry["title"].strip():
        raise Unreadable("title: a text is required")
    values: dict[str, Any] = {name: _text(entry, name) for name in _TEXTS}
    values |= {name: _texts(entry, name) for name in _LISTS}
    values |= {name: _price(entry, name) for name in _PRICES}
    return Subject(**values)


def _no_number(text: str) -> None:
    raise Unreadable(f"{text} is not a number")


def _text(entry: Mapping[str, object], name: str) -> str:
    value = entry.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unreadable(f"{name}: a text is expected")
    return value


def _texts(entry: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = entry.get(name)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise Unreadable(f"{name}: a list of texts is expected")
    return tuple(value)


def _price(entry: Mapping[str, object], name: str) -> Decimal | None:
    value = entry.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, Decimal | str):
        raise Unreadable(f"{name}: an amount in yuan is expected")
    try:
        amount = Decimal(value)
    except InvalidOperation as error:
        raise Unreadable(f"{name}: {value!r} is not an amount") from error
    if not amount.is_finite() or amount < 0:
        raise Unreadable(f"{name}: {value!r} is not an amount")
    return amount


def _document(screening: Screening) -> dict[str, Any]:
    return {
        "verdict": screening.verdict,
        "findings": [
            {
                "category": finding.category,
                "rule": finding.rule,
                "span": finding.span
                and {name: getattr(finding.span, name) for name in ("field", "start", "end", "text")},
                "severity": finding.severity,
            }
            for finding in screening.findings
        ],
    }
