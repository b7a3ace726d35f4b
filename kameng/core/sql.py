"""Plain statements, where what a queryset costs to compile is more than what the database needs to run it.

Each is prepared once for a session (https://www.postgresql.org/docs/current/sql-prepare.html): the server then knows
how to run it, and works it out anew only when tables change or it is run in another shop; not even then where it is
`InEachShop`. That has nothing to do with what it is given; where it must, it is a `Report`. Because a prepared
statement must go on giving the same columns, those that read whole rows name them (`columns`), so that a column may be
added under a running process.
"""

import re
from collections.abc import Callable, Container, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar, Literal, NamedTuple, TypeVar

from django.db import connection
from django.db.models import Model
from django.db.models.expressions import DatabaseDefault

Process = Literal["web", "worker"]


class InEachShop(str):
    """A statement that each order says, and that costs more to plan than to run: how it is run is kept for each shop.

    That takes the database 20 to 60 KB of memory (the longest 190) for each of the shops that a process knows. `by`
    tells in which processes it is said: there it is planned before an order comes (`kameng.core.database.warming`).
    """

    _all: ClassVar[list["InEachShop"]] = []
    by: Container[Process]

    def __new__(cls, statement: str, *, by: Container[Process]) -> "InEachShop":
        """Remembers it."""
        made = super().__new__(cls, statement)
        made.by = by
        cls._all.append(made)
        return made

    @classmethod
    def said_by(cls, process: Process) -> list[str]:
        """Those that a process says, with `$1` for their parameters."""
        return [_numbered(one).text for one in cls._all if process in one.by]


class Report(str):
    """A statement that is planned anew each time, for what it is given: how much there is decides how it is best run,
    and it is run seldom enough."""


Parameters = Sequence[Any] | Mapping[str, Any]
_Row = tuple[Any, ...]
_Model = TypeVar("_Model", bound=Model)

_PLACE = re.compile(r"%(?:s|\((\w+)\)s)")


def rows(statement: str, parameters: Parameters) -> list[_Row]:
    """All rows of a statement in the current shop. JSON comes as text."""
    with connection.cursor() as cursor:
        _run(cursor, statement, parameters)
        return list(cursor.fetchall())


def execute(statement: str, parameters: Parameters) -> int:
    """Run a statement in the current shop; how many rows it wrote."""
    with connection.cursor() as cursor:
        _run(cursor, statement, parameters)
        return int(cursor.rowcount)


def later(statement: str, parameters: Parameters) -> None:
    """Write in the current shop together with the next statement, at the latest on commit, without an answer."""
    with connection.cursor() as cursor, connection.wrap_database_errors:
        connection.connection.later(cursor.mogrify(*_call(statement, parameters)))


def rows_anywhere(statement: str, parameters: Parameters) -> list[_Row]:
    """The same as `rows` for a statement that names every schema itself, so that no shop is entered for it."""
    with connection.anywhere():  # type: ignore[attr-defined]
        return rows(statement, parameters)


def execute_anywhere(statement: str, parameters: Parameters) -> int:
    """The same as `execute` for a statement that names every schema itself."""
    with connection.anywhere():  # type: ignore[attr-defined]
        return execute(statement, parameters)


def later_anywhere(statement: str, parameters: Parameters) -> None:
    """The same as `later` for a statement that names every schema itself."""
    with connection.anywhere():  # type: ignore[attr-defined]
        later(statement, parameters)


def instances(model: type[_Model], statement: str, parameters: Parameters) -> list[_Model]:
    """The rows of a statement as instances; it selects the model's `columns`, others become plain attributes."""
    with connection.cursor() as cursor:
        _run(cursor, statement, parameters)
        read = _reader(model, tuple(column.name for column in cursor.description))
        return [read(row) for row in cursor.fetchall()]


def instances_anywhere(model: type[_Model], statement: str, parameters: Parameters) -> list[_Model]:
    """The same as `instances` for a statement that names every schema itself."""
    with connection.anywhere():  # type: ignore[attr-defined]
        return instances(model, statement, parameters)


def insert(instance: Model, *, unless: str = "", parameters: Sequence[Any] = ()) -> bool:
    """Write a new row; its key, and what the database fills in, are set. Takes plain values, no expressions.

    `unless` is a query of which no row may be there at that very moment: then nothing is written, and the answer is
    False.
    """
    model = type(instance)
    given, values = [], []
    for field in model._meta.concrete_fields:
        value = field.pre_save(instance, add=True)
        if not field.primary_key and not isinstance(value, DatabaseDefault):
            given.append(field.column or "")
            values.append(field.get_db_prep_save(value, connection))
    statement, returned = _insertion(model, tuple(given), unless)
    found = rows(statement, [*values, *parameters])
    for row in found:
        for field, value in zip(returned, row, strict=True):
            setattr(instance, field.attname, value)
        instance._state.adding, instance._state.db = False, connection.alias
    return bool(found)


@lru_cache(maxsize=64)
def _insertion(model: type[Model], given: tuple[str, ...], unless: str) -> tuple[str, list[Any]]:
    names = ", ".join(f'"{column}"' for column in given)
    places = ", ".join(["%s"] * len(given))
    returned = [field for field in model._meta.concrete_fields if field.column not in given]
    wanted = ", ".join(f'"{field.column}"' for field in returned)
    what = f"SELECT {places} WHERE NOT EXISTS ({unless})" if unless else f"VALUES ({places})"
    return f'INSERT INTO "{model._meta.db_table}" ({names}) {what} RETURNING {wanted}', returned


def columns(model: type[Model], *, of: str = "") -> str:
    """All columns of a model, for the list of a SELECT or of RETURNING; `of` is the table's alias."""
    prefix = f"{of}." if of else ""
    return ", ".join(f'{prefix}"{field.column}"' for field in model._meta.concrete_fields)


class _Numbered(NamedTuple):
    """A statement with numbered places, in which order they are filled, and how it is called once it is prepared."""

    text: str
    order: tuple[Any, ...]
    places: str


@lru_cache(maxsize=512)
def _numbered(statement: str) -> _Numbered:
    order: list[Any] = []

    def number(found: re.Match[str]) -> str:
        name = found[1] if found[1] is not None else len(order)
        if name not in order:
            order.append(name)
        return f"${order.index(name) + 1}"

    text = _PLACE.sub(number, statement)
    return _Numbered(text, tuple(order), f"({', '.join(['%s'] * len(order))})" if order else "")


def _run(cursor: Any, statement: str, parameters: Parameters) -> None:
    cursor.execute(*_call(statement, parameters))


def _call(statement: str, parameters: Parameters) -> tuple[str, Parameters]:
    """What is sent, once the session knows the statement."""
    if isinstance(statement, Report):
        return str(statement), parameters
    numbered = _numbered(statement)
    in_each_shop = isinstance(statement, InEachShop)
    name = connection.prepare(numbered.text, in_each_shop=in_each_shop)  # type: ignore[attr-defined]
    given: Any = parameters
    return f"EXECUTE {name} {numbered.places}", [given[key] for key in numbered.order]


@lru_cache(maxsize=256)
def _reader(model: type[_Model], names: tuple[str, ...]) -> Callable[[_Row], _Model]:
    """How a row with these columns becomes an instance; worked out once."""
    fields = model._meta.concrete_fields
    attributes = [field.attname for field in fields]
    places = [names.index(field.column or "") for field in fields]
    decoded = [
        (place, convert)
        for place, field in enumerate(fields)
        if (convert := getattr(field, "from_db_value", None)) is not None
    ]
    more = [(place, name) for place, name in enumerate(names) if place not in places]

    def read(row: _Row) -> _Model:
        values = [row[place] for place in places]
        for place, convert in decoded:
            values[place] = convert(values[place], None, connection)
        found = model.from_db(connection.alias, attributes, values)
        for place, name in more:
            setattr(found, name, row[place])
        return found

    return read
