"""Plain statements, where what a queryset costs to compile is more than what the database needs to run it."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

Parameters = Sequence[Any] | Mapping[str, Any]


def rows(statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """All rows of a statement in the current shop. JSON comes as text."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def execute(statement: str, parameters: Parameters) -> int:
    """Run a statement in the current shop; how many rows it wrote."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
