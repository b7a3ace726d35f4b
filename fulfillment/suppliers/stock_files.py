"""Lists of codes as people bring them: one a line, pasted or as a text file from any program. Pure."""

import csv
import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment.suppliers.replies import INVISIBLE, Unclear, checked_codes
from kameng.core.problems import Problem

LARGEST_FILE = 10 * 1024 * 1024
MOST_LINES = 100_000
LONGEST_CODE = 400
_LINE_ENDS = re.compile(r"\r\n|\n|\r")
#: Files that are no text, by how they begin, as people choose them by mistake.
_NO_TEXT = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"\x1f\x8b")


class StockFileInvalid(Problem):
    """A list of codes that cannot be read; nothing of it was taken."""

    code = "stock_file_invalid"
    message = gettext_lazy("这个文件没有导入")


def file_lines(data: bytes, *, name: str) -> list[str]:
    """The lines of a file in UTF-8 or GB18030 (what Chinese Windows writes); the cells of a line of a `.csv` together.

    Raises `StockFileInvalid`.
    """
    if len(data) > LARGEST_FILE:
        raise StockFileInvalid(_("文件超过 %(limit)s MB，请分成几个") % {"limit": LARGEST_FILE // 1024 // 1024})
    if data.startswith(_NO_TEXT):
        raise StockFileInvalid(_("这不是文本文件。Excel 里请用「另存为」选 CSV 或文本，再上传"))
    lines = text_lines(_decoded(data))
    return [_cells(line) for line in lines] if name.lower().endswith(".csv") else lines


def text_lines(text: str) -> list[str]:
    """The lines of a text, empty ones too, so that numbers are those that people see.

    Raises `StockFileInvalid` for none and for too many.
    """
    lines = _LINE_ENDS.split(text)
    while lines and not lines[-1].strip(INVISIBLE):
        lines.pop()
    if not lines:
        raise StockFileInvalid(_("里面没有卡密，一行写一个"))
    if len(lines) > MOST_LINES:
        told = {"count": len(lines), "limit": MOST_LINES}
        raise StockFileInvalid(_("一共 %(count)s 行，一次最多 %(limit)s 行，请分几次导入") % told)
    return lines


def _decoded(data: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise StockFileInvalid(_("读不懂这个文件，请存成 UTF-8 文本"))


def _cells(line: str) -> str:
    try:
        row = next(csv.reader([line], skipinitialspace=True), [])
    except csv.Error:
        return line
    return " ".join(cell.strip() for cell in row if cell.strip())


def as_code(line: str) -> str | None:
    """The code on a line, empty where there is none, None where something else is there than a code."""
    code = line.strip(INVISIBLE)
    if not code:
        return ""
    if len(code) > LONGEST_CODE:
        return None
    try:
        return checked_codes([code], quantity=1)[0]
    except Unclear:
        return None
