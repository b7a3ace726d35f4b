"""The template of an empty shop is what its migrations lead to."""

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from resellers import shop_template
from resellers.models import Reseller
from resellers.services import reseller_open
from resellers.shop_template import TemplateOutdated, migrations_digest, template_sql

CATALOG = {
    "columns": """
        SELECT table_name, row_number() OVER (PARTITION BY table_name ORDER BY ordinal_position),
               column_name, data_type, udt_name, character_maximum_length,
               numeric_precision, numeric_scale, is_nullable, column_default, is_identity, identity_generation
          FROM information_schema.columns WHERE table_schema = %s ORDER BY 1, 2""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype::text, condeferrable, condeferred,
               pg_get_constraintdef(oid)
          FROM pg_constraint WHERE connamespace = %s::regnamespace ORDER BY 1, 2""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %s ORDER BY 1, 2",
    "sequences": """
        SELECT sequencename, data_type::text, start_value, min_value, max_value, increment_by, cycle
          FROM pg_sequences WHERE schemaname = %s ORDER BY 1""",
    "triggers, views and functions": """
        SELECT 'trigger', tgname FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
         WHERE relnamespace = %s::regnamespace AND NOT tgisinternal ORDER BY 1, 2""",
}
CONTENTS = {
    "migrations": "SELECT app, name FROM {schema}.django_migrations ORDER BY 1, 2",
    "content types": "SELECT app_label, model FROM {schema}.django_content_type ORDER BY 1, 2",
}


def described(schema_name: str) -> dict[str, list[tuple[str, ...]]]:
    """Everything the database knows of a schema, without its name."""
    found = {}
    with connection.cursor() as cursor:
        for what, sql in CATALOG.items():
            cursor.execute(sql, [schema_name])
            found[what] = cursor.fetchall()
        for what, sql in CONTENTS.items():
            cursor.execute(sql.format(schema=schema_name))
            found[what] = cursor.fetchall()
    return {what: [tuple(_plain(value, schema_name) for value in row) for row in rows] for what, rows in found.items()}


def _plain(value: object, schema_name: str) -> str:
    """Without the schema's name, and without the casts and brackets that PostgreSQL adds when it reads its own dump."""
    return re.sub(r"::(character varying|text)(\[\])?|[()]", "", str(value).replace(f"{schema_name}.", ""))


def differences(left: str, right: str) -> dict[str, set[tuple[str, ...]]]:
    """What only one of two schemas has."""
    ours, theirs = described(left), described(right)
    return {what: odd for what in ours if (odd := set(ours[what]) ^ set(theirs[what]))}


@pytest.fixture
def migrated(db: None) -> str:
    """A schema made by running every migration."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SCHEMA shop_migrated")
    call_command("migrate_schemas", schema_name="shop_migrated", verbosity=0)
    return "shop_migrated"


def test_a_shop_from_the_template_is_a_shop_from_the_migrations(migrated: str) -> None:
    reseller_open(slug="fresh", name="Fresh", host_names=["fresh.test"])
    ours = described("shop_fresh")
    assert {what for what, rows in ours.items() if not rows} == {"triggers, views and functions"}
    assert len(ours["columns"]) > 150
    assert differences("shop_fresh", migrated) == {}
    for change in (
        "ALTER TABLE shop_fresh.orders_order DROP COLUMN paid_at",
        "ALTER TABLE shop_fresh.orders_order DROP CONSTRAINT order_total_positive",
        "DROP INDEX shop_fresh.order_newest",
    ):
        with connection.cursor() as cursor:
            cursor.execute(change)
    assert set(differences("shop_fresh", migrated)) == {"columns", "constraints", "indexes"}


def test_a_shop_counts_on_from_where_the_template_stopped(db: None) -> None:
    """Ids that the template itself used must not be given out again."""
    reseller_open(slug="fresh", name="Fresh", host_names=["fresh.test"])
    with connection.cursor() as cursor:
        for table in ("django_content_type", "django_migrations"):
            cursor.execute(f"SELECT coalesce(max(id), 0) FROM shop_fresh.{table}")
            highest = cursor.fetchone()[0]
            cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [f"shop_fresh.{table}"])
            assert cursor.fetchone()[0] > highest


def test_the_template_belongs_to_the_migrations_there_are() -> None:
    sql = template_sql("shop_x")
    assert "kameng_shop_template" not in sql
    assert "CREATE SCHEMA shop_x;" in sql


@pytest.mark.django_db
def test_a_template_that_is_behind_the_migrations_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shop_template, "migrations_digest", lambda: "of newer migrations")
    with pytest.raises(TemplateOutdated):
        reseller_open(slug="fresh", name="Fresh", host_names=["fresh.test"])
    assert not Reseller.objects.filter(slug="fresh").exists()


def test_the_digest_sees_every_change_to_a_shops_migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class App:
        label = "orders"
        path = str(tmp_path)

    monkeypatch.setattr(shop_template, "_config", lambda _: App)
    folder = tmp_path / "migrations"
    folder.mkdir()
    digests = [migrations_digest()]
    (folder / "0001_initial.py").write_text("one")
    digests.append(migrations_digest())
    (folder / "0001_initial.py").write_text("two")
    digests.append(migrations_digest())
    (folder / "0002_more.py").write_text("")
    digests.append(migrations_digest())
    (folder / "0002_more.py").rename(folder / "0002_other.py")
    digests.append(migrations_digest())
    assert len(set(digests)) == 5
    (folder / "notes.txt").write_text("no migration")
    assert migrations_digest() == digests[-1]
