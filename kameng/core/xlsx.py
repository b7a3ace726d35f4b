"""A workbook of plain tables, as Office Open XML (ECMA-376), written as the rows come.

What a table needs and no more: texts, numbers, moments and headings, widths, and a first row that stays in sight. Texts
stand in their cells, so that nothing has to be remembered until the end.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import IO
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile

#: As many rows as a sheet has (https://support.microsoft.com/office/1672b34d-7043-467e-8e27-269d656771c3).
SHEET_ROWS = 1_048_576
#: Rows that are packed at a time.
_BATCH = 500
#: Characters that XML does not have: https://www.w3.org/TR/xml/#charsets
_NOT_XML = re.compile("[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
#: What would be read as one character by its number, as in `_x0041_` (ECMA-376, 22.9.2.19).
_NUMBERED = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
#: Characters that a cell has room for.
_LONGEST = 32_767
#: The day before the first, as spreadsheets count: for them 1900 was a leap year.
_EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001 -- spreadsheets know no zones
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
#: Looks of cells by their place below `cellXfs`.
_PLAIN, _AMOUNT, _MOMENT, _HEADING = range(4)
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="1"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/><family val="2"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/><family val="2"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="4"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="4" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1">'
    '<alignment horizontal="left"/></xf>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)

#: A moment has no zone: spreadsheets know none.
Value = str | Decimal | int | datetime | None


class TooManyRows(ValueError):
    """A sheet has no room for them."""


def write(file: IO[bytes], sheets: Iterable[tuple[str, Sequence[int], Iterable[Sequence[Value]]]]) -> None:
    """A sheet for each name, with the widths of its columns in characters and its rows, the first of them its heading.

    Raises `TooManyRows`.
    """
    names: list[str] = []
    with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=6) as book:
        for name, widths, rows in sheets:
            names.append(name)
            with book.open(f"xl/worksheets/sheet{len(names)}.xml", "w", force_zip64=True) as sheet:
                for part in _sheet(name, widths, rows):
                    sheet.write(part.encode())
        for path, text in _parts(names):
            book.writestr(path, text)


def _sheet(name: str, widths: Sequence[int], rows: Iterable[Sequence[Value]]) -> Iterator[str]:
    columns = "".join(
        f'<col min="{place}" max="{place}" width="{width}" customWidth="1"/>' for place, width in enumerate(widths, 1)
    )
    yield (
        f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
        '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15"/>{f"<cols>{columns}</cols>" if columns else ""}<sheetData>'
    )
    letters = [_letters(place) for place in range(len(widths))]
    batch: list[str] = []
    for number, row in enumerate(rows, 1):
        if number > SHEET_ROWS:
            raise TooManyRows(name)
        cells = [
            _cell(f"{letters[place]}{number}", value, heading=number == 1)
            for place, value in enumerate(row)
            if value is not None
        ]
        batch.append(f'<row r="{number}">{"".join(cells)}</row>')
        if len(batch) == _BATCH:
            yield "".join(batch)
            batch = []
    yield "".join(batch) + "</sheetData></worksheet>"


def _cell(place: str, value: str | Decimal | int | datetime, *, heading: bool) -> str:
    if isinstance(value, str):
        look = _HEADING if heading else _PLAIN
        text = escape(_NUMBERED.sub("_x005F_", _NOT_XML.sub("", value[:_LONGEST])))
        return f'<c r="{place}" s="{look}" t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
    if isinstance(value, datetime):
        since = value - _EPOCH
        return f'<c r="{place}" s="{_MOMENT}"><v>{since.days + since.seconds / 86400!r}</v></c>'
    # Spreadsheets know no other numbers; up to ten trillion yuan they are exact to the fen all the same.
    look = _AMOUNT if isinstance(value, Decimal) else _PLAIN
    return f'<c r="{place}" s="{look}"><v>{float(value)!r}</v></c>'


def _letters(place: int) -> str:
    """The name of a column, from 0: A, …, Z, AA."""
    return (_letters(place // 26 - 1) if place >= 26 else "") + chr(ord("A") + place % 26)


def _parts(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Everything but the sheets, by its path in the file."""
    numbers = range(1, len(names) + 1)
    yield (
        "[Content_Types].xml",
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/>'
        + "".join(
            f'<Override PartName="/xl/worksheets/sheet{number}.xml" ContentType="{_TYPES}.worksheet+xml"/>'
            for number in numbers
        )
        + "</Types>",
    )
    yield (
        "_rels/.rels",
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        f'<Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    )
    yield (
        "xl/workbook.xml",
        f'{_HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><bookViews><workbookView/></bookViews><sheets>'
        + "".join(
            f'<sheet name={quoteattr(name)} sheetId="{number}" r:id="rId{number}"/>'
            for number, name in zip(numbers, names, strict=True)
        )
        + "</sheets></workbook>",
    )
    yield (
        "xl/_rels/workbook.xml.rels",
        f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">'
        + "".join(
            f'<Relationship Id="rId{number}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{number}.xml"/>'
            for number in numbers
        )
        + f'<Relationship Id="rId{len(names) + 1}" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>',
    )
    yield "xl/styles.xml", _STYLES
