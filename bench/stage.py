"""What is measured: everything that `up --bench` runs, on free ports, with a database that was made a moment ago."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import sql

from bench import load, machine
from kameng.embedded import paths, ports
from kameng.embedded.console import Refused, report
from kameng.embedded.processes import Process, wait_ready
from kameng.embedded.servers import Servers
from kameng.embedded.up import SANDBOX_PORTS, Demo, only_one

FOLDER = "bench"
#: The other side of each payment and purchase is not ours to make fast, beat does nothing meanwhile.
NOT_COUNTED = ("sandbox", "beat")
BARE_DATABASE = "bare"
READY_SECONDS = 60
HOST = "localhost"
HOUSE = "shop_house"


class FreshServers(Servers):
    """The embedded servers with an empty database: rows of an earlier run would be work for this one."""

    def start(self) -> dict[str, str]:
        """As usual; the database is made anew."""
        addresses = super().start()
        database_recreate(addresses["DATABASE_URL"])
        return addresses


class Stage(Demo):
    """The demo as `up --bench` runs it, and beside it a bare Django project on the same settings and servers."""

    def __init__(self, *, record: TextIOWrapper) -> None:
        super().__init__(bench=True, record=record)
        self.servers = FreshServers(durable=True)
        self.bare_port = ports.free()

    def start_bare(self) -> None:
        """A Django project with nothing in it but what is compared: the limit of the framework."""
        begun = time.monotonic()
        database_recreate(self.database_url, name=BARE_DATABASE)
        env = {
            **self.environment,
            "DJANGO_SETTINGS_MODULE": "bench.bare.settings",
            "DATABASE_URL": urlsplit(self.database_url)._replace(path=f"/{BARE_DATABASE}").geturl(),
        }
        self.run_program(["-m", "bench.bare.prepare"], env=env)
        command = [
            sys.executable, "-m", "gunicorn", "--config", "python:kameng.embedded.gunicorn", "bench.bare.wsgi",
            "--bind", f"{ports.LOOPBACK}:{self.bare_port}",
        ]  # fmt: skip
        log = paths.var() / "log" / "bare.log"
        bare = Process(name="bare", command=command, log=log, env=env, cwd=paths.ROOT)
        bare.start()
        self.programs.append(bare)
        wait_ready(bare, lambda: ports.accepts(self.bare_port), seconds=READY_SECONDS)
        report("bare Django", time.monotonic() - begun)

    @property
    def database_url(self) -> str:
        """The demo's database."""
        return self.servers.addresses["DATABASE_URL"]

    @property
    def environment(self) -> dict[str, str]:
        """What a command of the product needs to find its servers."""
        return self._environment(self.servers.addresses)

    def process(self, name: str) -> Process:
        """One of the running processes."""
        return next(process for process in [*self.servers.processes, *self.programs] if process.name == name)

    def counted(self, *, bare: bool = False) -> list[int]:
        """The processes whose work a request or an order costs: the product's, or the bare project's."""
        left_out = {*NOT_COUNTED, *(("web", "worker") if bare else ("bare",))}
        running = [*self.servers.processes, *self.programs]
        return [process.pid for process in running if process.name not in left_out and process.pid]

    def by_process(self) -> dict[str, float]:
        """CPU seconds so far of each process and its children."""
        running = [*self.servers.processes, *self.programs]
        return {process.name: machine.cpu_seconds([process.pid]) for process in running if process.pid}

    def run_program(self, arguments: Sequence[str], *, env: Mapping[str, str] | None = None) -> str:
        """Run Python to its end and return what it printed. Raises `Refused`."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=paths.ROOT,
            env=env or self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr.strip() or done.stdout.strip() or "it said nothing").splitlines()[-1]
            raise Refused(f"{' '.join(arguments)} failed: {last}")
        return done.stdout

    def rows(self, statement: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Ask the demo's database about the house shop."""
        connection = psycopg2.connect(address(self.database_url))
        try:
            with connection.cursor() as cursor:
                cursor.execute(f"SET search_path = {HOUSE}, public")
                cursor.execute(statement, parameters)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def ask_shop(self, method: str, path: str, *, body: object = None) -> load.Reply:
        """One request to the house shop."""
        return _once(self.port, load.request(method, path, host=f"{HOST}:{self.port}", body=body))

    def ask_sandbox(self, method: str, path: str, *, body: object = None) -> Any:
        """One call of the other side's control endpoints. Raises `Refused`."""
        reply = _once(self.sandbox_port, load.request(method, f"/_control/{path}", host="127.0.0.1", body=body))
        if reply.status != 200:
            raise Refused(f"sandbox: {path}: {reply.status} {reply.body[:200]!r}")
        return reply.json()

    def dead(self) -> list[str]:
        """Processes that have ended meanwhile: what was measured then is worth nothing."""
        running = [*self.servers.processes, *self.programs]
        return [process.explain_exit() for process in running if not process.alive()]

    def _greet(self) -> None:
        """Nobody is to sign in."""


def _once(port: int, raw: bytes) -> load.Reply:
    found: list[load.Reply] = []

    def user() -> load.User:
        reply = yield load.Ask(0, raw)
        assert reply is not None
        found.append(reply)

    load.run([port], [user()])
    return found[0]


@contextmanager
def stage() -> Iterator[Stage]:
    """Everything running, for as long as the block lasts. Raises `Refused`."""
    for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"):
        os.environ.pop(name, None)  # never somebody's own database: the one used here is emptied
    os.environ["KAMENG_VAR"] = str(paths.var() / FOLDER)
    os.environ["PORT"] = str(ports.free())
    os.environ["SANDBOX_PORT"] = str(ports.in_a_row(SANDBOX_PORTS))
    with only_one() as record:
        for book in Path(paths.var() / "sandbox").glob("book.sqlite3*"):
            book.unlink()
        running = Stage(record=record)
        try:
            running.start()
            yield running
        finally:
            running.stop()


def address(url: str) -> str:
    """A database URL as libpq takes it."""
    return urlsplit(url)._replace(scheme="postgresql").geturl()


def database_recreate(url: str, *, name: str = "") -> None:
    """Drop and make a database of the embedded server: the one that `url` names, or another beside it."""
    name = name or urlsplit(url).path.lstrip("/")
    connection = psycopg2.connect(urlsplit(address(url))._replace(path="/postgres").geturl())
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    finally:
        connection.close()


def read_json(text: str) -> Any:
    """The last line that a program printed, as JSON."""
    return json.loads(text.strip().splitlines()[-1])
