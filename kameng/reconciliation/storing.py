"""Putting a bill into the database as it is read: a COPY that never holds more than a few rows."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import DatabaseError, connection, transaction
from django.db.models.functions import Now

from kameng.reconciliation.models import Row, Statement

_COLUMNS = ("statement_id", "kind", "number", "payment", "reference", "amount", "fee", "currency", "state", "at")
_COPY = f"COPY public.{Row._meta.db_table} ({', '.join(_COLUMNS)}) FROM STDIN"
_ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": ""})
LONGEST = 64
#: The limit for requests is not for a file of 10⁵ rows.
_PATIENCE = "SELECT set_config('statement_timeout', '5min', true)"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of any bill; `kind` is `payment`, `refund` or `supply`, `state` is `done`, `open` or `failed`."""

    kind: str
    number: str
    payment: str
    reference: str
    amount: Decimal
    fee: Decimal | None
    currency: str
    state: str
    at: datetime | None


class _Feed(io.RawIOBase):
    """What COPY reads from: lines, made when they are asked for."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._rest = b""
        #: What went wrong while lines were made: the database only hears that reading failed.
        self.failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        parts, have = [self._rest], len(self._rest)
        while have < size or size < 0:
            try:
                line = next(self._lines, None)
            except Exception as failed:
                self.failure = failed
                raise
            if line is None:
                break
            parts.append(line.encode("utf-8"))
            have += len(parts[-1])
        whole = b"".join(parts)
        given, self._rest = (whole, b"") if size < 0 else (whole[:size], whole[size:])
        return given


def statement_store(*, statement: Statement, lines: Iterator[Line], uploaded_by: str = "") -> int:
    """Keep a bill in place of the one before; how many rows it has. Whatever reading it raises leaves the old one."""
    counted = 0

    def told() -> Iterator[str]:
        nonlocal counted
        for line in lines:
            counted += 1
            yield _text(statement.pk, line)

    with transaction.atomic():
        Statement.objects.select_for_update().get(pk=statement.pk)
        Row.objects.filter(statement=statement)._raw_delete(using="default")
        feed = _Feed(told())
        try:
            with connection.cursor() as cursor:
                cursor.execute(_PATIENCE)
                _copy(cursor)(_COPY, feed)
                # Else the comparison is planned for the table as it was, and may read it once for each row.
                cursor.execute(f"ANALYZE public.{Row._meta.db_table}")
        except DatabaseError as failed:
            if feed.failure is not None:
                raise feed.failure from failed
            raise
        Statement.objects.filter(pk=statement.pk).update(fetched_at=Now(), rows=counted, uploaded_by=uploaded_by)
    return counted


def _copy(cursor: Any) -> Callable[[str, io.RawIOBase], None]:
    def copy(statement: str, feed: io.RawIOBase) -> None:
        with connection.wrap_database_errors:
            cursor.cursor.copy_expert(statement, feed)

    return copy


def _text(statement_id: int, line: Line) -> str:
    at = line.at.isoformat() if line.at is not None else "\\N"
    fee = "\\N" if line.fee is None else str(line.fee)
    texts = (line.kind, *(_clean(text) for text in (line.number, line.payment, line.reference)))
    money = (str(line.amount), fee, _clean(line.currency[:8]), line.state, at)
    return "\t".join((str(statement_id), *texts, *money)) + "\n"


def _clean(text: str) -> str:
    return text[:LONGEST].translate(_ESCAPED)
