"""Tables for spreadsheets, written row by row so that any number of them needs the same memory.

A program that opens a table may take a text for a formula and run it (https://owasp.org/www-community/attacks/CSV_Injection):
a text that begins like one gets an apostrophe, which such programs read as "this is text". Amounts and moments are
ours and go out as what they are.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from itertools import chain
from typing import IO

from django.utils import timezone

from kameng.core import xlsx
from kameng.core.money import quantize

Cell = str | Decimal | int | datetime | None
Row = Sequence[Cell]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_TEXT_WIDTH, _WIDTH = 24, 14


def harmless(text: str) -> str:
    """The text, so that no program takes it for a formula."""
    return "'" + text if text.lstrip(" ").startswith(_FORMULA_STARTS) else text


def _local(moment: datetime, zone: tzinfo) -> datetime:
    """By the site's clock, without its zone, which spreadsheets do not know."""
    return moment.astimezone(zone).replace(tzinfo=None, microsecond=0)


def _as_text(cell: Cell, zone: tzinfo) -> str | int:
    if isinstance(cell, str):
        return harmless(cell)
    if isinstance(cell, datetime):
        return _local(cell, zone).isoformat(sep=" ")
    if isinstance(cell, Decimal):
        return f"{cell:.2f}" if cell == quantize(cell) else f"{cell}"
    return "" if cell is None else cell


def write_csv(file: IO[bytes], tables: Iterable[tuple[str, Iterable[Row]]]) -> None:
    """Tables below each other, an empty line between them. UTF-8 with the mark by which Excel knows it."""
    zone = timezone.get_current_timezone()
    text = io.TextIOWrapper(file, encoding="utf-8-sig", newline="", write_through=False)
    try:
        writer = csv.writer(text, lineterminator="\r\n")
        for place, (_name, rows) in enumerate(tables):
            if place:
                writer.writerow([])
            writer.writerows([_as_text(cell, zone) for cell in row] for row in rows)
        text.flush()
    finally:
        text.detach()


def write_xlsx(file: IO[bytes], tables: Iterable[tuple[str, Iterable[Row]]]) -> None:
    """A sheet for each table; its first row stays in sight. Raises `xlsx.TooManyRows`."""
    zone = timezone.get_current_timezone()
    xlsx.write(file, ((name, *_sized(_in_cells(rows, zone))) for name, rows in tables))


def _in_cells(rows: Iterable[Row], zone: tzinfo) -> Iterator[list[xlsx.Value]]:
    for row in rows:
        yield [
            harmless(cell) if isinstance(cell, str) else _local(cell, zone) if isinstance(cell, datetime) else cell
            for cell in row
        ]


def _sized(rows: Iterator[list[xlsx.Value]]) -> tuple[list[int], Iterator[list[xlsx.Value]]]:
    """Rows with the widths of their columns; the first two say what the row is about."""
    heading = next(rows, [])
    widths = [_TEXT_WIDTH if place < 2 else _WIDTH for place in range(len(heading))]
    return widths, chain([heading], rows)
