"""What shops lack is worked out once and said in each, all or nothing, whatever happens meanwhile."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.migration import Migration
from psycopg2 import extensions

from resellers import migrating
from resellers.management.commands.migrate_shops import milliseconds
from resellers.migrating import TRIES, shops_behind, shops_migrate
from resellers.replaying import MovedOn, Uncopyable, plain_or_raise, replay, script_write
from tests.resellers.future import Future, future
from tests.resellers.test_shop_template import differences

__all__ = ["future"]

COLUMN = 'migrations.AddField("clientorder", "note", models.CharField(max_length=20, null=True)),'
MUCH = f"""
    {COLUMN}
    migrations.AddIndex("clientcallback", models.Index(fields=["status", "told"], name="callback_by_status")),
    migrations.CreateModel(
        "ClientNote",
        [
            ("id", models.BigAutoField(primary_key=True)),
            ("order", models.ForeignKey("supply.clientorder", models.PROTECT)),
            ("text", models.CharField(max_length=20, default="50 %", db_index=True)),
        ],
    ),
"""
MORE = """
    migrations.AddField("clientnote", "seen_at", models.DateTimeField(db_default=Now())),
    migrations.AddConstraint(
        "clientorder",
        models.CheckConstraint(condition=~models.Q(note__contains="50%"), name="client_order_note_sober"),
    ),
    migrations.RunSQL("UPDATE supply_clientorder SET note = 'old' WHERE note IS NULL AND key LIKE '%x'"),
"""
PYTHON = "migrations.RunPython(lambda apps, editor: None),"


def columns(table: str, schema: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            [schema, table],
        )
        return {name for (name,) in cursor.fetchall()}


@contextmanager
def somebody_else() -> Iterator[extensions.cursor]:
    """Another session."""
    database: dict[str, Any] = connection.settings_dict
    session = psycopg2.connect(
        host=database["HOST"], port=database["PORT"], user=database["USER"], password=database["PASSWORD"],
        dbname=database["NAME"],
    )  # fmt: skip
    try:
        with session.cursor() as cursor:
            yield cursor
    finally:
        session.close()


@pytest.mark.django_db
def test_a_shop_that_was_told_is_a_shop_that_django_migrated(future: Future) -> None:
    future(MUCH, MORE)
    call_command("migrate_schemas", schema_name="shop_two", verbosity=0)
    assert len(differences("shop_one", "shop_two")) >= 4
    assert [(one.shop.slug, one.left) for one in shops_migrate()] == [("one", ""), ("live", "")]
    assert differences("shop_one", "shop_two") == {}
    assert differences("shop_live", "shop_two") == {}
    assert "seen_at" in columns("supply_clientnote", "shop_one")
    assert not columns("supply_clientnote", "public")


@pytest.mark.django_db
def test_a_run_that_was_given_up_goes_on_where_it_was(future: Future, monkeypatch: pytest.MonkeyPatch) -> None:
    future(COLUMN)
    monkeypatch.setattr(migrating, "call_command", lambda *_, **__: pytest.fail("Django was asked"))
    first = next(shops_migrate())
    assert [one.shop.slug for one in shops_behind()] == ["two", "live"]
    assert [one.shop.slug for one in shops_migrate()] == ["two", "live"]
    assert (first.shop.slug, first.missing, first.left) == ("one", ("supply.0002_new",), "")
    assert [*shops_migrate()] == []


@pytest.mark.django_db
def test_whoever_comes_second_says_nothing_again(future: Future) -> None:
    future(COLUMN, "migrations.RunSQL(['UPDATE supply_clientorder SET note = NULL -- for all']),")
    script = script_write("shop_one")
    assert replay("shop_one", script, lock_timeout_ms=1000)
    assert not replay("shop_one", script, lock_timeout_ms=1000)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM shop_one.django_migrations WHERE name = '0003_new'")
    with pytest.raises(MovedOn):
        replay("shop_one", script, lock_timeout_ms=1000)


@pytest.mark.django_db
def test_python_is_left_to_django_and_a_shop_that_fails_holds_up_no_other(
    future: Future, monkeypatch: pytest.MonkeyPatch
) -> None:
    future(COLUMN, PYTHON)
    called: list[str] = []

    def django(name: str, *, schema_name: str, verbosity: int) -> None:
        called.append(f"{name} {schema_name}")
        if schema_name == "shop_two":
            raise ZeroDivisionError("what the migration did")

    monkeypatch.setattr(migrating, "call_command", django)
    assert {one.shop.slug: one.left for one in shops_migrate(jobs=3)} == {
        "one": "",
        "two": "what the migration did",
        "live": "",
    }
    assert called == [f"migrate_schemas shop_{slug}" for slug in ("one", "two", "live")]


@pytest.mark.django_db
def test_a_shop_whose_table_somebody_holds_is_tried_again_and_named_while_the_others_are_done(
    future: Future, monkeypatch: pytest.MonkeyPatch
) -> None:
    future(COLUMN)
    paused: list[float] = []
    defaults: Any = shops_migrate.__kwdefaults__
    with somebody_else() as reader:
        reader.execute("LOCK TABLE shop_two.supply_clientorder IN ACCESS SHARE MODE")
        said, complained = io.StringIO(), io.StringIO()
        monkeypatch.setitem(defaults, "pause", paused.append)
        with pytest.raises(SystemExit) as ended:
            call_command("migrate_shops", jobs=1, lock_timeout_ms=20, stdout=said, stderr=complained)
        assert ended.value.code == 1
        assert said.getvalue().splitlines()[-1] == "2 shops migrated"
        assert "shop_two is left behind: somebody held its tables" in complained.getvalue()
        assert len(paused) == TRIES - 1
        assert [one.shop.slug for one in shops_behind()] == ["two"]
        (outcome,) = shops_migrate(lock_timeout_ms=20, pause=lambda seconds: reader.connection.rollback())
        assert (outcome.shop.slug, outcome.left) == ("two", "")
    assert "note" in columns("supply_clientorder", "shop_two")


@pytest.mark.race
def test_a_session_that_dies_leaves_its_shop_untouched(
    future: Future, transactional_db: None, django_db_blocker: Any
) -> None:
    """Two at a time; one is killed while it waits for a lock, with statements of its shop already done."""
    future("migrations.AddField('clientcallback', 'note', models.CharField(max_length=20, null=True)),", COLUMN)
    with django_db_blocker.unblock():
        try:
            with somebody_else() as reader:
                reader.execute("LOCK TABLE shop_two.supply_clientorder IN ACCESS SHARE MODE")
                going = shops_migrate(jobs=2, lock_timeout_ms=20_000)
                assert {next(going).shop.slug, next(going).shop.slug} == {"one", "live"}
                killed = 0
                while not killed:
                    reader.execute("SELECT pg_stat_clear_snapshot()")
                    reader.execute(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                        " AND backend_type = 'client backend'"
                    )
                    killed = reader.fetchone()[0]
                (dead,) = going
                assert dead.shop.slug == "two"
                assert dead.left != ""
            assert "note" not in columns("supply_clientcallback", "shop_two")
            assert [one.missing for one in shops_behind()] == [("supply.0002_new", "supply.0003_new")]
            (again,) = shops_migrate()
            assert (again.shop.slug, again.left) == ("two", "")
        finally:
            with connection.cursor() as cursor:
                for schema in ("shop_one", "shop_two", "shop_live"):
                    for table in ("supply_clientcallback", "supply_clientorder"):
                        cursor.execute(f"ALTER TABLE {schema}.{table} DROP COLUMN IF EXISTS note")
                    cursor.execute(f"DELETE FROM {schema}.django_migrations WHERE name LIKE '000__new'")


@pytest.mark.django_db
def test_what_depends_on_what_came_before_is_left_to_django(future: Future) -> None:
    unbound = (
        "migrations.AlterField('clientcallback', 'client_order',"
        " models.ForeignKey('supply.clientorder', models.PROTECT, db_constraint=False)),"
    )
    future(unbound)
    (statement,) = script_write("shop_one").statements[:1]
    assert "DROP CONSTRAINT" in statement
    future(COLUMN, unbound)
    with pytest.raises(Uncopyable, match="depends on what the database holds by then"):
        script_write("shop_one")


def migration(*operations: migrations.operations.base.Operation, app: str = "orders", **more: object) -> Migration:
    made = Migration("0099_new", app)
    made.operations = list(operations)  # type: ignore[misc]
    for name, value in more.items():
        setattr(made, name, value)
    return made


def varying() -> object:
    return object()


@pytest.mark.parametrize(
    "made",
    [
        migration(migrations.RunPython(migrations.RunPython.noop)),
        migration(migrations.RenameModel("A", "B")),
        migration(
            migrations.SeparateDatabaseAndState(database_operations=[migrations.RunPython(migrations.RunPython.noop)])
        ),
        migration(migrations.AddField("order", "token", models.CharField(max_length=9, default=varying))),
        migration(atomic=False),
        migration(replaces=[("orders", "0001_initial")]),
    ],
    ids=["python", "renamed model", "python inside", "a default for each", "not atomic", "squashed"],
)
def test_what_is_no_plain_sql_is_not_copied(made: Migration) -> None:
    with pytest.raises(Uncopyable, match=r"orders\.0099_new"):
        plain_or_raise(made)


@pytest.mark.parametrize(
    "made",
    [
        migration(migrations.RunSQL("SELECT 1")),
        migration(
            migrations.SeparateDatabaseAndState(state_operations=[migrations.RunPython(migrations.RunPython.noop)])
        ),
        migration(migrations.AddField("order", "tags", models.JSONField(default=list))),
        migration(migrations.RunPython(migrations.RunPython.noop), app="catalog"),
    ],
    ids=["sql", "python that touches no database", "a default that is the same", "public alone"],
)
def test_what_is_plain_sql_is_copied(made: Migration) -> None:
    plain_or_raise(made)


def test_durations_are_read() -> None:
    assert [milliseconds(text) for text in ("2s", "500ms", "0.5s")] == [2000, 500, 500]
    for wrong in ("", "2", "0s", "2 s", "-1s", "2m"):
        with pytest.raises(Exception, match="no duration"):
            milliseconds(wrong)
