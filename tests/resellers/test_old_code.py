"""What old code can't live with is refused until somebody has written why it need not."""

from typing import Any

import pytest
from django.db import migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ModelState, ProjectState

from resellers.old_code import STANDING, Note, breaches, migration_breaches
from tests.resellers.future import Future, future

__all__ = ["future"]

#: As migrations write them: whether their values may be None is nobody's concern here.
CharField: Any = models.CharField
IntegerField: Any = models.IntegerField
TextField: Any = models.TextField

CONTRACT = "    # contract: released in 0.3\n"
LOCKS = "# locks: a shop has a few hundred of these\n"


def state() -> ProjectState:
    made = ProjectState()
    fields: list[tuple[str, Any]] = [
        ("id", models.BigAutoField(primary_key=True)),
        ("name", CharField(max_length=20, null=True)),
        ("price", models.DecimalField(max_digits=8, decimal_places=2, db_default=0)),
        ("count", IntegerField(db_default=0)),
    ]
    made.add_model(ModelState("orders", "Thing", fields))
    return made


def notes(*operations: Operation, source: str = "") -> set[Note]:
    made = Migration("0099_new", "orders")
    made.operations = list(operations)  # type: ignore[misc]
    return {breach.note for breach in migration_breaches(made, state(), source)}


def altered(name: str, field: Any) -> Operation:
    return migrations.AlterField("thing", name, field)


UNIQUE = models.UniqueConstraint(fields=["name"], name="thing_name_once")
INDEX = models.Index(fields=["name"], name="thing_by_name")


@pytest.mark.parametrize(
    "operation",
    [
        migrations.RemoveField("thing", "name"),
        migrations.DeleteModel("Thing"),
        migrations.RenameField("thing", "name", "title"),
        migrations.RenameModel("Thing", "Item"),
        migrations.AddField("thing", "size", IntegerField()),
        migrations.AddField("thing", "size", IntegerField(default=0)),
        migrations.SeparateDatabaseAndState(database_operations=[migrations.RemoveField("thing", "name")]),
        altered("name", CharField(max_length=19, null=True)),
        altered("name", IntegerField(null=True)),
        altered("name", CharField(max_length=20, null=True, db_column="title")),
        altered("price", models.DecimalField(max_digits=8, decimal_places=1, db_default=0)),
        altered("price", models.DecimalField(max_digits=9, decimal_places=4, db_default=0)),
        altered("count", IntegerField()),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_old_code_still_needs_goes_in_a_release_of_its_own(operation: Operation) -> None:
    assert notes(operation, source=LOCKS) == {Note.CONTRACT}
    assert notes(operation, source=LOCKS + CONTRACT) == set()


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddIndex("thing", INDEX),
        migrations.AddConstraint("thing", UNIQUE),
        migrations.AddField("thing", "code", CharField(max_length=9, null=True, unique=True)),
        altered("name", CharField(max_length=20, null=True, db_index=True)),
        altered("count", models.BigIntegerField(db_default=0)),
        migrations.RunSQL("UPDATE orders_thing SET count = 1"),
        migrations.RunPython(migrations.RunPython.noop),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_holds_a_table_says_why_that_is_short(operation: Operation) -> None:
    assert notes(operation, source=CONTRACT) == {Note.LOCKS}
    assert notes(operation, source=CONTRACT + LOCKS) == set()


@pytest.mark.parametrize(
    "operation",
    [
        migrations.AddField("thing", "size", IntegerField(null=True)),
        migrations.AddField("thing", "size", IntegerField(db_default=0)),
        migrations.RemoveIndex("thing", "thing_by_name"),
        migrations.SeparateDatabaseAndState(state_operations=[migrations.RemoveField("thing", "name")]),
        altered("name", CharField(max_length=21, null=True, choices=[("a", "A")])),
        altered("name", TextField(null=True)),
        altered("price", models.DecimalField(max_digits=9, decimal_places=2, db_default=0)),
        migrations.AlterModelOptions("thing", {"verbose_name": "thing"}),
    ],
    ids=lambda operation: operation.describe(),
)
def test_what_only_adds_needs_no_note(operation: Operation) -> None:
    before = state()
    if isinstance(operation, migrations.RemoveIndex):
        before.models["orders", "thing"].options["indexes"] = [INDEX]
    made = Migration("0099_new", "orders")
    made.operations = [operation]  # type: ignore[misc]
    assert migration_breaches(made, before, "") == []


def test_a_table_that_is_new_is_nobodys_yet() -> None:
    made = migrations.CreateModel("Fresh", [("id", models.BigAutoField(primary_key=True))])
    assert notes(made, migrations.AddField("fresh", "code", CharField(max_length=9, unique=True))) == set()


def test_a_note_is_a_line_of_its_own() -> None:
    remove = migrations.RemoveField("thing", "name")
    for wrong in ("x = 1  # contract: released in 0.3", "# contract: released in 0.x", "# contract: soon"):
        assert notes(remove, source=wrong) == {Note.CONTRACT}


def test_the_migrations_there_are_can_be_lived_with_and_a_new_one_is_looked_at(future: Future) -> None:
    known = {f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations}
    assert known >= STANDING
    assert breaches() == []
    future('migrations.RemoveField("clientorder", "canceled_at"),')
    (breach,) = breaches()
    assert str(breach) == (
        "supply.0002_new: Remove field canceled_at from clientorder: old code still reads it"
        " (`# contract: released in 0.x` lets it through)"
    )
