"""Whether code that is still running can live with the migrations of a shop's apps.

During a deployment, and for as long as a thousand shops take, old code meets the new schema. So a schema grows first
(*expand*), and what nobody uses any more goes in a release of its own (*contract*). An operation that old code can't
live with is let through by a line in its migration that says which release had the last code that needed it:

    # contract: released in 0.3

and one that keeps everybody from a table while all its rows are read or written, by one that says why that is short:

    # locks: a shop has a few hundred of these

Migrations from before this rule stand (`STANDING`).
"""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED, Field, ManyToManyField

STANDING = frozenset(
    {
        "accounts.0001_initial", "accounts.0002_second_factor",
        "fulfillment.0001_initial", "fulfillment.0002_partial_and_choice",
        "listings.0001_initial", "listings.0002_listing_standing", "listings.0003_placements_and_repricing",
        "orders.0001_initial", "orders.0002_line_short", "orders.0003_deposits", "orders.0004_event_when",
        "orders.0005_held_at_once", "orders.0006_decision", "orders.0007_unique_without_pattern",
        "orders.0008_shoppers_rights", "orders.0009_decision_that_it_failed",
        "payments.0001_initial", "payments.0002_fees", "payments.0003_refund_approved_by_another",
        "payments.0004_payment_in_app", "payments.0005_deposits", "payments.0006_unique_without_pattern",
        "supply.0001_initial",
    }
)  # fmt: skip


class Note(Enum):
    """The line that lets an operation through, as people are told to write it."""

    CONTRACT = "# contract: released in 0.x"
    LOCKS = "# locks: why that is short"

    def stands_in(self, source: str) -> bool:
        """Whether somebody has written it."""
        return _WRITTEN[self].search(source) is not None


_WRITTEN = {
    Note.CONTRACT: re.compile(r"^\s*# contract: released in \d+\.\d", re.MULTILINE),
    Note.LOCKS: re.compile(r"^\s*# locks: \S", re.MULTILINE),
}
#: Changes of type after which everything that old code writes still fits, without a row being written anew.
_WIDER = {("CharField", "TextField"), ("SlugField", "CharField"), ("SlugField", "TextField")}
#: … and those after which it fits too, but each row is written anew.
_WIDER_REWRITTEN = {
    ("SmallIntegerField", "IntegerField"), ("SmallIntegerField", "BigIntegerField"),
    ("IntegerField", "BigIntegerField"),
    ("PositiveSmallIntegerField", "PositiveIntegerField"), ("PositiveSmallIntegerField", "PositiveBigIntegerField"),
    ("PositiveIntegerField", "PositiveBigIntegerField"),
}  # fmt: skip


@dataclass(frozen=True)
class Breach:
    """An operation that is refused as long as its migration lacks the note."""

    migration: str
    what: str
    why: str
    note: Note

    def __str__(self) -> str:
        return f"{self.migration}: {self.what}: {self.why} (`{self.note.value}` lets it through)"


def breaches() -> list[Breach]:
    """What is wrong with the migrations of shops' own apps, but for those that stand."""
    loader = MigrationLoader(None)
    own = {
        config.label
        for config in apps.get_app_configs()
        if config.name in settings.TENANT_APPS and not config.name.startswith("django.")
    }
    state = ProjectState(real_apps=loader.unmigrated_apps)
    found: list[Breach] = []
    plan = (key for leaf in sorted(loader.graph.leaf_nodes()) for key in loader.graph.forwards_plan(leaf))
    for key in dict.fromkeys(plan):
        migration = loader.graph.nodes[key]
        if key[0] in own and f"{key[0]}.{key[1]}" not in STANDING:
            found += migration_breaches(
                migration, state.clone(), inspect.getsource(sys.modules[type(migration).__module__])
            )
        migration.mutate_state(state, preserve=False)
    return found


def migration_breaches(migration: Migration, state: ProjectState, source: str) -> list[Breach]:
    """What old code can't live with; `state` is what was before the migration, and is after it when this returns."""
    app = migration.app_label
    found: list[Breach] = []
    made: set[str] = set()
    for operation in migration.operations:
        found += [
            Breach(f"{app}.{migration.name}", operation.describe(), why, note)
            for note, why in _objections(operation, app, state, made)
            if not note.stands_in(source)
        ]
        if isinstance(operation, operations.CreateModel):
            made.add(operation.name_lower)
        operation.state_forwards(app, state)
    return found


def _objections(operation: Operation, app: str, state: ProjectState, made: Iterable[str]) -> Iterator[tuple[Note, str]]:
    """Why an operation has to be noted. A table that is made in the same migration (`made`) is nobody's yet."""
    table = str(getattr(operation, "model_name", "")).lower()
    if table in made:
        return
    match operation:
        case operations.SeparateDatabaseAndState():
            for inner in operation.database_operations:
                yield from _objections(inner, app, state, made)
        case operations.RemoveField() | operations.DeleteModel():
            yield Note.CONTRACT, "old code still reads it"
        case operations.RenameField() | operations.RenameModel() | operations.AlterModelTable():
            yield Note.CONTRACT, "old code knows it by its old name"
        case operations.AddField():
            yield from _added(operation.field)
        case operations.AlterField():
            yield from _altered(state.models[app, table].fields[operation.name], operation.field)
        case operations.AddIndex():
            yield Note.LOCKS, "nobody writes the table while the index is built"
        case operations.AddConstraint() | operations.AlterUniqueTogether():
            yield Note.LOCKS, "nobody uses the table while its rows are checked"
            yield Note.CONTRACT, "old code may write what it forbids"
        case operations.RunSQL() | operations.RunPython():
            yield Note.LOCKS, "what it holds, and for how long, can't be told from here"


def _added(field: "Field[Any, Any]") -> Iterator[tuple[Note, str]]:
    if isinstance(field, ManyToManyField):
        return  # a table of its own
    if not field.null and field.db_default is NOT_PROVIDED:
        yield Note.CONTRACT, "old code writes rows without it: null=True or a db_default"
    if field.unique or _indexed(field):
        yield Note.LOCKS, "nobody writes the table while the index is built"


def _altered(old: "Field[Any, Any]", new: "Field[Any, Any]") -> Iterator[tuple[Note, str]]:
    if old.null and not new.null:
        yield Note.CONTRACT, "old code may write NULL"
        yield Note.LOCKS, "nobody uses the table while its rows are checked"
    if old.db_default is not NOT_PROVIDED and new.db_default is NOT_PROVIDED:
        yield Note.CONTRACT, "old code leaves it to the database to fill it in"
    if old.db_column != new.db_column:
        yield Note.CONTRACT, "old code knows it by its old name"
    kinds = (old.get_internal_type(), new.get_internal_type())
    if kinds in _WIDER_REWRITTEN:
        yield Note.LOCKS, "nobody uses the table while its rows are written anew"
    elif kinds[0] != kinds[1] and kinds not in _WIDER:
        yield Note.CONTRACT, f"what old code writes as {kinds[0]} need not fit {kinds[1]}"
    elif not _fits(old, new):
        yield Note.CONTRACT, "what old code writes may be too long for it"
    if (new.unique, _indexed(new)) > (old.unique, _indexed(old)):
        yield Note.LOCKS, "nobody writes the table while the index is built"
    if new.unique and not old.unique:
        yield Note.CONTRACT, "old code may write the same twice"


def _indexed(field: "Field[Any, Any]") -> bool:
    return bool(getattr(field, "db_index", False))


def _fits(old: "Field[Any, Any]", new: "Field[Any, Any]") -> bool:
    """Whether every value of the old field has room in the new one."""
    if new.get_internal_type() == "DecimalField":
        before, after = ((int(each.max_digits), int(each.decimal_places)) for each in (old, new))  # type: ignore[attr-defined]
        return after[1] >= before[1] and after[0] - after[1] >= before[0] - before[1]
    if new.max_length is None or new.get_internal_type() == "TextField":
        return True
    return old.max_length is not None and new.max_length >= old.max_length
