"""A supplier's bill as an operator brings it: one table in a neutral format, whatever the supplier calls its columns.

No protocol of ours has a list of orders that is complete, ordered and priced for a day, so that none is asked: what a
supplier sends, or what its back office exports, is brought into this form and uploaded. CSV in UTF-8, a heading, then a
row for each charge:

    reference            our number of the attempt (required)
    supplier_reference   theirs
    time                 2026-11-09 12:30:00, China's clock; may be empty
    sku, quantity        not compared
    amount               what was charged, in `currency` (required)
    currency             CNY if empty
    state                done, or failed for what was not charged, or was given back
"""

import csv
import io
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import BinaryIO, TextIO

from kameng.reconciliation.ours import CHINA
from kameng.reconciliation.storing import Line

COLUMNS = ("reference", "supplier_reference", "time", "sku", "quantity", "amount", "currency", "state")
REQUIRED = ("reference", "amount")
STATES = {"": "done", "done": "done", "failed": "failed"}
MOST_BYTES = 50_000_000
MOST_ROWS = 500_000
LONGEST_LINE = 4_096


class BillUnreadable(Exception):
    """What was brought is no bill in this format; `line` is the first one that is not, from 1."""

    def __init__(self, reason: str, *, line: int) -> None:
        super().__init__(f"line {line}: {reason}")
        self.reason, self.line = reason, line


def lines_of(file: BinaryIO) -> Iterator[Line]:
    """Each row, as a stream. Raises `BillUnreadable`, also for a file that is too large or not UTF-8."""
    text = io.TextIOWrapper(io.BufferedReader(_Counted(file)), encoding="utf-8-sig", newline="")
    number = 1
    try:
        table = csv.DictReader(_short(text), strict=True)
        missing = [name for name in REQUIRED if name not in (table.fieldnames or ())]
        if missing:
            raise BillUnreadable(f"no column {', '.join(missing)}", line=1)
        for number, row in enumerate(table, start=2):
            if number > MOST_ROWS + 1:
                raise BillUnreadable(f"more than {MOST_ROWS} rows", line=number)
            yield _line(row)
    except (csv.Error, ValueError, ArithmeticError) as error:
        raise BillUnreadable(str(error), line=number) from error
    finally:
        text.detach()


class _Counted(io.RawIOBase):
    """A file of which no more than `MOST_BYTES` are read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._left = file, MOST_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        chunk = self._file.read(len(view))
        self._left -= len(chunk)
        if self._left < 0:
            raise ValueError(f"larger than {MOST_BYTES} bytes")
        view[: len(chunk)] = chunk
        return len(chunk)


def _short(text: TextIO) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE + 1):
        if len(line) > LONGEST_LINE:
            raise ValueError(f"longer than {LONGEST_LINE} characters")
        yield line


def _line(row: Mapping[str | None, str | list[str] | None]) -> Line:
    if None in row:
        raise ValueError("more values than headings")
    given = {str(name): str(value or "").strip() for name, value in row.items()}
    if not given["reference"]:
        raise ValueError("reference is empty")
    amount = Decimal(given["amount"])
    if not amount.is_finite() or amount < 0 or amount >= 10**12:
        raise ValueError(f"not an amount: {given['amount'][:20]!r}")
    state = given.get("state", "").lower()
    if state not in STATES:
        raise ValueError(f"state is neither done nor failed: {state[:16]!r}")
    when = given.get("time", "")
    at = datetime.strptime(when, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA) if when else None
    return Line(
        kind="supply",
        number=given["reference"],
        payment="",
        reference=given.get("supplier_reference", ""),
        amount=amount,
        fee=None,
        currency=given.get("currency", "").upper() or "CNY",
        state=STATES[state],
        at=at,
    )
