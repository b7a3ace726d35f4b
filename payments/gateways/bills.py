"""Reading a gateway's bill as a stream: bounded, counted, and checked against the totals at its end."""

import csv
import gzip
import hashlib
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import IO, BinaryIO

from payments.gateways.base import BillBroken
from payments.gateways.documents import CHINA

#: What is downloaded, and what comes out of it. A day of 10⁶ rows is some 400 MB in clear; a file that unpacks to more
#: than `MOST_RATIO` times its size is no table of different numbers.
MOST_PACKED = 200_000_000
MOST_PLAIN = 1_000_000_000
MOST_RATIO = 200
MOST_LINE = 16_384
MOST_ENTRIES = 16
DOWNLOAD_SECONDS = 300.0
CHUNK = 65_536


def scratch() -> BinaryIO:
    """Where a bill is put while it is read; it is gone with the last reference to it."""
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - its rows are read after the caller has returned
    return file


def is_believed_absent(day: date, now: datetime) -> bool:
    """Whether "there is no such bill" means that nothing was paid, rather than that it is not written yet.

    Gateways say the same for both; on the second day after, nobody is still writing.
    """
    return now >= datetime.combine(day + timedelta(days=2), time(0), CHINA)


class Bounded:
    """A stream of bytes of which no more than `most` are read. Raises `BillBroken` for more, and for bad packing."""

    def __init__(self, source: IO[bytes], most: int) -> None:
        self._source, self._left = source, most

    def lines(self, encoding: str) -> Iterator[str]:
        """Each line in clear. Raises `BillBroken`, also for a line without end and for bytes in no such encoding."""
        while line := self._line():
            try:
                yield line.decode(encoding).rstrip("\r\n")
            except UnicodeDecodeError as error:
                raise BillBroken(f"not in {encoding}") from error

    def digest(self, name: str) -> str:
        """The hash of all that is left."""
        found = hashlib.new(name, usedforsecurity=False)
        while chunk := self._read(CHUNK):
            found.update(chunk)
        return found.hexdigest()

    def _line(self) -> bytes:
        try:
            line = self._source.readline(MOST_LINE + 1)
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise BillBroken(f"cannot be unpacked: {error}") from error
        if len(line) > MOST_LINE:
            raise BillBroken(f"a line of more than {MOST_LINE} bytes")
        return self._counted(line)

    def _read(self, size: int) -> bytes:
        try:
            return self._counted(self._source.read(size))
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
            raise BillBroken(f"cannot be unpacked: {error}") from error

    def _counted(self, chunk: bytes) -> bytes:
        self._left -= len(chunk)
        if self._left < 0:
            raise BillBroken("unpacks to more than any bill")
        return chunk


def most_plain(packed: int) -> int:
    """How much may come out of so many bytes."""
    return min(MOST_PLAIN, max(packed, 5_000) * MOST_RATIO)


def unpacked(file: BinaryIO) -> Bounded:
    """The clear text of a file that may be packed with gzip."""
    size = file.seek(0, 2)
    file.seek(0)
    is_packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if is_packed:
        return Bounded(gzip.GzipFile(fileobj=file), most_plain(size))  # type: ignore[arg-type]
    return Bounded(file, MOST_PLAIN)


def cells(line: str) -> list[str]:
    """The values of a line. Raises `BillBroken`."""
    try:
        (row,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError) as error:
        raise BillBroken(f"not a line of a table: {error}") from error
    return [cell.strip() for cell in row]


def places(header: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where the wanted columns are: columns are added and moved. Raises `BillBroken` if one is missing."""
    missing = [name for name in wanted if name not in header]
    if missing:
        raise BillBroken(f"no column {missing[0]}")
    return [header.index(name) for name in wanted]


def amount(text: str) -> Decimal:
    """Yuan, with a sign and up to six decimals. Raises `BillBroken`."""
    digits = text.removeprefix("-").removeprefix("+")
    if not (digits.isascii() and digits.replace(".", "", 1).isdigit() and len(digits) <= 20):
        raise BillBroken(f"not an amount: {text[:32]!r}")
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise BillBroken(f"not an amount: {text[:32]!r}") from error


def moment(text: str) -> datetime:
    """`2026-11-09 12:30:00` on China's clock. Raises `BillBroken`."""
    try:
        if len(text) != len("2026-11-09 12:30:00") or text[10] != " ":
            raise ValueError("of another form")
        return datetime.fromisoformat(text).replace(tzinfo=CHINA)
    except ValueError as error:
        raise BillBroken(f"not a moment: {text[:32]!r}") from error
