"""The database and the broker for one purpose: those that the environment names, else embedded ones under `var/`."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from kameng.embedded import accounts, environment, paths, processes, storage
from kameng.embedded.console import Refused, report, say
from kameng.embedded.postgres import Postgres
from kameng.embedded.processes import Process
from kameng.embedded.valkey import Valkey

DEFAULT_PORTS = {"DATABASE_URL": 5432, "REDIS_URL": 6379}
STOP_SECONDS = 3.5


class Servers:
    """PostgreSQL and Valkey. `durable` is False for tests: nothing is forced to the disk."""

    def __init__(self, *, durable: bool) -> None:
        self._durable = durable
        self._parts: list[Postgres | Valkey] = []
        self.addresses: dict[str, str] = {}

    @property
    def processes(self) -> list[Process]:
        """What was started here."""
        return [part.process for part in self._parts if part.process is not None]

    def start(self) -> dict[str, str]:
        """Start what is not given, wait until it can be used, and return DATABASE_URL and REDIS_URL."""
        os.umask(0o022)  # files that are private are made so one by one
        given = {name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if os.environ.get(name)}
        place = storage.choose(accounts.unprivileged()) if len(given) < 2 else None
        if place is not None and place.home != paths.var():
            say(f"  the servers' account may not enter {paths.var()}: their data is in {place.home}")
        started = time.monotonic()
        try:
            for name, part in (("DATABASE_URL", Postgres), ("REDIS_URL", Valkey)):
                if name in given:
                    report(f"{name}: {_reach(name, given[name])}", time.monotonic() - started)
                elif place is not None:
                    self._parts.append(part(place, durable=self._durable))
                    self._parts[-1].prepare()
            for running in self._parts:
                running.wait()
                report(running.label, time.monotonic() - started)
        except BaseException:
            self.stop()
            raise
        embedded = {"DATABASE_URL" if isinstance(part, Postgres) else "REDIS_URL": part.url for part in self._parts}
        self.addresses = {**given, **embedded}
        return self.addresses

    def publish(self) -> None:
        """Let other commands beside this one find the servers (`environment.addresses`)."""
        paths.write_private(environment.servers_file(), json.dumps(self.addresses))

    def stop(self, *, seconds: float = STOP_SECONDS) -> None:
        """Stop what was started here."""
        processes.stop(self.processes, seconds=seconds)


def _reach(name: str, url: str) -> str:
    """Where `url` points to. Raises `Refused` where nothing answers there."""
    parts = urlsplit(url)
    host, port = parts.hostname or "localhost", parts.port or DEFAULT_PORTS[name]
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        raise Refused(f"{name}: nothing answers at {host} port {port} ({error.strerror or error})") from error
    return f"{host} port {port}"


@contextmanager
def running(*, durable: bool) -> Iterator[dict[str, str]]:
    """Both servers for as long as the block lasts."""
    servers = Servers(durable=durable)
    try:
        yield servers.start()
    finally:
        servers.stop()
