"""Tables for spreadsheets, written row by row so that any number of them needs the same memory.

A program that opens a table may take a text for a formula and run it (https://owasp.org/www-community/attacks/CSV_Injection):
a text that begins like one gets an apostrophe, which such programs read as "this is text". Amounts and moments are
ours and go out as what they are.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import IO, Any

import xlsxwriter
from django.utils import timezone
from xlsxwriter.workbook import Workbook

from kameng.core.money import quantize

Cell = str | Decimal | int | datetime | None
Row = Sequence[Cell]

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
_WIDTHS = {datetime: 18, Decimal: 14}
_TEXT_WIDTH = 24
#: As many rows as a sheet has (https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3).
SHEET_ROWS = 1_048_576


class TooManyRows(ValueError):
    """A sheet has no room for them."""


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
    """A sheet for each table; its first row stays in sight. Raises `TooManyRows`."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(file, options) as book:
        looks = {
            Decimal: book.add_format({"num_format": "#,##0.00"}),
            datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss", "align": "left"}),
        }
        heading = book.add_format({"bold": True})
        for name, rows in tables:
            _write_sheet(book, name, rows, looks, heading)


def _write_sheet(book: Workbook, name: str, rows: Iterable[Row], looks: Mapping[type, Any], heading: Any) -> None:
    sheet, zone = book.add_worksheet(name), timezone.get_current_timezone()
    sheet.freeze_panes(1, 0)
    for place, row in enumerate(rows):
        if place >= SHEET_ROWS:
            raise TooManyRows(name)
        for column, cell in enumerate(row):
            if place == 0:
                sheet.set_column(column, column, _TEXT_WIDTH if column < 2 else _WIDTHS[Decimal])
            if isinstance(cell, str):
                sheet.write_string(place, column, harmless(cell), heading if place == 0 else None)
            elif isinstance(cell, datetime):
                sheet.write_datetime(place, column, _local(cell, zone), looks[datetime])
            elif cell is not None:
                # Spreadsheets know no other numbers; up to ten trillion yuan they are exact to the fen all the same.
                sheet.write_number(place, column, float(cell), looks[Decimal] if isinstance(cell, Decimal) else None)
