"""Asking the database, and saying what was found."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django_tenants.utils import get_public_schema_name

from kameng.audit.reach import Scope
from resellers.models import Reseller

#: What is broken, a sentence each; inside the shop's schema for a shop's check.
Breaches = Iterable[str]
ShopCheck = Callable[[Reseller], Breaches]
PlatformCheck = Callable[[], Breaches]

#: Work that was begun a moment ago may be between two steps.
MOMENT = "10 minutes"


@dataclass(frozen=True)
class Invariant:
    """One promise and what checks it: in each shop, and once over the platform."""

    code: str
    promise: str
    in_shop: Sequence[ShopCheck] = ()
    over_platform: Sequence[PlatformCheck] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether a promise holds; `broken` counts what breaks it, `examples` are some of it.

    Holds of what was looked at: everything, or what is recent; `left_out` says what was not looked at even of that.
    """

    code: str
    promise: str
    broken: int
    examples: tuple[str, ...]
    scope: Scope = Scope.WHOLE
    left_out: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """It holds."""
        return self.broken == 0


def shops() -> list[Reseller]:
    """Every shop that has a schema; one without is a breach of its own."""
    schemas = [row["nspname"] for row in rows("SELECT nspname FROM pg_namespace")]
    return list(Reseller.objects.filter(schema_name__in=schemas).exclude(schema_name=get_public_schema_name()))


def rows(sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[dict[str, Any]]:
    """Each row as a dictionary."""
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        names = [column.name for column in cursor.description]
        for row in cursor.fetchall():
            yield dict(zip(names, row, strict=True))


def found(sentence: str, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> Iterator[str]:
    """The sentence, filled in, for each row."""
    for row in rows(sql, parameters):
        yield sentence.format(**row)
