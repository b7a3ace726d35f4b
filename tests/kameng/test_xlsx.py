"""Workbooks: what a spreadsheet program reads is what was written."""

import io
import zipfile
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest

from kameng.core import xlsx

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def written(*sheets: tuple[str, Sequence[Sequence[xlsx.Value]]]) -> zipfile.ZipFile:
    """The workbook, each sheet's columns ten characters wide."""
    file = io.BytesIO()
    xlsx.write(file, ((name, [10] * max(map(len, rows)), rows) for name, rows in sheets))
    return zipfile.ZipFile(file)


def cells(book: zipfile.ZipFile, number: int = 1) -> dict[str, str]:
    """Places and what is in them."""
    sheet = ET.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
    return {cell.attrib["r"]: "".join(cell.itertext()) for cell in sheet.iter(f"{MAIN}c")}


def test_texts_numbers_and_moments_stand_in_their_places() -> None:
    book = written(
        ("a & b", [["名", "amount"], ["<&>\x00\ud800 _x0041_ _x", Decimal("-1.50")], [None, 3]]),
        ("two", [[datetime(2026, 11, 30, 6, 0, 0)]]),  # noqa: DTZ001 -- the workbook's own are without a zone
    )
    assert cells(book) == {"A1": "名", "B1": "amount", "A2": "<&> _x005F_x0041_ _x", "B2": "-1.5", "B3": "3.0"}
    assert cells(book, 2) == {"A1": "46356.25"}
    names = [sheet.attrib["name"] for sheet in ET.fromstring(book.read("xl/workbook.xml")).iter(f"{MAIN}sheet")]
    assert names == ["a & b", "two"]
    for part in book.namelist():
        ET.fromstring(book.read(part))


def test_columns_are_named_as_spreadsheets_do() -> None:
    assert list(cells(written(("t", [[1] * 54]))))[24:] == [
        "Y1", "Z1", "AA1", "AB1", *(f"A{letter}1" for letter in "CDEFGHIJKLMNOPQRSTUVWXYZ"), "BA1", "BB1",
    ]  # fmt: skip


def test_more_rows_than_a_sheet_has_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx, "SHEET_ROWS", 2)
    assert len(cells(written(("t", [[1], [2]])))) == 2
    with pytest.raises(xlsx.TooManyRows):
        written(("t", [[1], [2], [3]]))


def test_a_text_is_cut_where_a_cell_ends() -> None:
    assert cells(written(("t", [["字" * 40_000]]))) == {"A1": "字" * 32_767}
