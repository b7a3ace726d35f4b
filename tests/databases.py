"""A database as the migrations leave it: made once, and copied by whoever needs one.

Walking the migrations takes ten times as long as a copy, and each process of a run needs a database, each live platform
another one. It is kept under a name that changes with the code, so the next run on the same servers begins at once.
"""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from urllib.parse import urlsplit

import psycopg2
import psycopg2.errors
from psycopg2 import extensions

from kameng.embedded import paths, prepare

PREFIX = "kameng_migrated_"
#: Of everybody who shares these servers, one makes it and the others wait.
_LOCK = 0x6B616D65
_PATIENCE = 10.0


def create(name: str) -> None:
    """Create the database `name` with everything that the migrations make, and no shop."""
    with server() as cursor:
        cursor.execute(f"CREATE DATABASE {name} TEMPLATE {_migrated(cursor)}")


def drop(name: str) -> None:
    """Drop the database `name`, whoever still looks at it.

    The server's own cleaning may not be sent away by its guests, but is over in a moment.
    """
    until = monotonic() + _PATIENCE
    while True:
        try:
            with server() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            return
        except psycopg2.errors.InsufficientPrivilege:
            if monotonic() > until:
                raise
            sleep(0.2)


@contextmanager
def server() -> Iterator[extensions.cursor]:
    """A session on the test servers outside any of their databases."""
    connection = psycopg2.connect(_address("postgres", scheme="postgresql"))
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _address(database: str, *, scheme: str) -> str:
    return urlsplit(os.environ["DATABASE_URL"])._replace(scheme=scheme, path=f"/{database}").geturl()


def _migrated(cursor: extensions.cursor) -> str:
    """The name of the one to copy, which nobody is connected to; the lock is held as long as the session lasts."""
    made_from = hashlib.sha256(prepare.migrations_fingerprint().encode())
    for path in sorted((paths.ROOT / "compliance" / "screening").rglob("*.*")):  # one of them writes the rules
        if path.suffix in {".py", ".toml"}:
            made_from.update(path.read_bytes())
    wanted = PREFIX + made_from.hexdigest()[:12]
    cursor.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
    cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [PREFIX + "%"])
    known = {name for (name,) in cursor.fetchall()}
    if wanted in known:
        return wanted
    for older in known:
        cursor.execute(f"DROP DATABASE {older} WITH (FORCE)")
    unfinished = f"{PREFIX}unfinished"
    cursor.execute(f"CREATE DATABASE {unfinished}")
    made = subprocess.run(
        [sys.executable, "-m", "kameng.embedded.prepare", "migrate"],
        cwd=paths.ROOT,
        env={**os.environ, "DATABASE_URL": _address(unfinished, scheme="postgres")},
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr[-2000:]
    cursor.execute(f"ALTER DATABASE {unfinished} RENAME TO {wanted}")
    return wanted
