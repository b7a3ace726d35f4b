"""The SQL template of an empty shop: replayed to open one, instead of running every migration again.

`template.sql` is what the migrations of the shop's apps lead to, dumped from a schema with an unmistakable name. Its
first line holds the digest of those migrations; a template that is behind them is refused. Rows are copied, not
inserted: an inserted page that is full costs three more that note how much room is left, in each of a thousand shops.
"""

import hashlib
import re
import subprocess
from io import StringIO
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection

TEMPLATE_SCHEMA = "kameng_shop_template"
TEMPLATE_PATH = Path(__file__).with_name("template.sql")
_HEADER = "-- migrations "
#: Rows of a table as `pg_dump` writes them: the statement, and what follows it up to a line of its own.
_ROWS = re.compile(r"^(COPY [^\n]+ FROM stdin);\n(.*?)^\\\.\n", re.DOTALL | re.MULTILINE)


class TemplateOutdated(Exception):
    """`template.sql` does not belong to the migrations there are: run `manage.py shop_template`."""


def migrations_digest() -> str:
    """A fingerprint of every migration file that makes up a shop's schema."""
    total = hashlib.sha256()
    for config in sorted(map(_config, settings.TENANT_APPS), key=lambda config: config.label):
        for path in sorted((Path(config.path) / "migrations").glob("0*.py")):
            total.update(f"{config.label}/{path.name}\0".encode() + path.read_bytes())
    return total.hexdigest()


def _config(name: str):  # type: ignore[no-untyped-def]
    return next(config for config in apps.get_app_configs() if config.name == name)


def template_sql(schema_name: str) -> str:
    """The statements that make an empty shop called `schema_name`. Raises `TemplateOutdated`."""
    header, statements = _read()
    if header != _HEADER + migrations_digest():
        raise TemplateOutdated("run `manage.py shop_template`")
    return re.sub(rf"\b{TEMPLATE_SCHEMA}\b", schema_name, statements)


def template_replay(schema_name: str) -> None:
    """Make an empty shop called `schema_name`, inside of a transaction. Raises `TemplateOutdated`."""
    statements, *rest = _ROWS.split(template_sql(schema_name))
    with connection.cursor() as cursor:
        cursor.execute(statements)
        for copy, rows, statements in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            cursor.copy_expert(copy, StringIO(rows))
            if statements:
                cursor.execute(statements)


def template_is_current() -> bool:
    """Whether shops can be opened: `template_sql` would not raise."""
    return _read()[0] == _HEADER + migrations_digest()


def _read() -> tuple[str, str]:
    header, _, statements = TEMPLATE_PATH.read_text().partition("\n")
    return header, statements


def template_write(pg_dump: Path) -> int:
    """Migrate a scratch schema, dump it with the server's own `pg_dump`, write the template. Its size in bytes."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA IF EXISTS {TEMPLATE_SCHEMA} CASCADE")
        cursor.execute(f"CREATE SCHEMA {TEMPLATE_SCHEMA}")
    try:
        call_command("migrate_schemas", schema_name=TEMPLATE_SCHEMA, verbosity=0)
        text = _HEADER + migrations_digest() + "\n" + _dump(pg_dump)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA IF EXISTS {TEMPLATE_SCHEMA} CASCADE")
    TEMPLATE_PATH.write_text(text)
    return len(text)


def _dump(pg_dump: Path) -> str:
    database = settings.DATABASES["default"]
    dumped = subprocess.run(
        [
            pg_dump,
            "--schema",
            TEMPLATE_SCHEMA,
            "--no-owner",
            "--no-privileges",
            "--no-comments",
        ],
        check=True,
        capture_output=True,
        text=True,
        env={
            "PGHOST": str(database["HOST"]),
            "PGPORT": str(database["PORT"]),
            "PGUSER": str(database["USER"]),
            "PGPASSWORD": str(database["PASSWORD"]),
            "PGDATABASE": connection.settings_dict["NAME"],
        },
    ).stdout
    # Session settings, psql's own commands and comments are not part of a shop.
    lines = (
        line
        for line in dumped.splitlines()
        if line == "\\." or (line and not line.startswith(("--", "\\", "SET ", "SELECT pg_catalog.set_config")))
    )
    text = "\n".join(lines) + "\n"
    return _recorded_once(_ROWS.sub(lambda rows: rows[0] if rows[2] else "", text))


def _recorded_once(sql: str) -> str:
    """When a migration was recorded, is when it was dumped: every template would differ, so it is a fixed day."""
    return re.sub(r"\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+\+\d\d$", "\t2026-01-01 00:00:00+00", sql, flags=re.MULTILINE)
