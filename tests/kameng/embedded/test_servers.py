"""The embedded PostgreSQL and Valkey: reachable with their passwords only, and the same again after a restart."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import redis

from kameng.embedded import accounts, paths, postgres, servers, storage, valkey
from kameng.embedded.console import Refused

SUPERVISOR = """
import time
from kameng.embedded.servers import Servers
servers = Servers(durable=True)
servers.start()
print(*[process.pid for process in servers.processes], flush=True)
time.sleep(60)
"""


def _connect(url: str) -> "psycopg2.extensions.connection":
    return psycopg2.connect(urlsplit(url)._replace(scheme="postgresql").geturl(), connect_timeout=5)


def _ask(url: str, question: str) -> object:
    connection = _connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(question)
            row = cursor.fetchone()
            return row[0] if row else None
    finally:
        connection.close()


def test_both_servers_keep_data_address_and_passwords_over_a_restart(var: Path) -> None:
    with servers.running(durable=True) as first:
        connection = _connect(first["DATABASE_URL"])
        with connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE kept (word text); INSERT INTO kept VALUES ('充值')")
        connection.close()
        redis.Redis.from_url(first["REDIS_URL"]).set("kept", "yes")

    with servers.running(durable=True) as second:
        assert second == first
        assert _ask(second["DATABASE_URL"], "SELECT word FROM kept") == "充值"
        assert redis.Redis.from_url(second["REDIS_URL"]).get("kept") == b"yes"


def test_who_may_do_what(var: Path) -> None:
    running = servers.Servers(durable=False)
    try:
        addresses = running.start()
        database, broker = urlsplit(addresses["DATABASE_URL"]), urlsplit(addresses["REDIS_URL"])

        assert _ask(addresses["DATABASE_URL"], "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert f".s.PGSQL.{database.port}" not in Path("/proc/net/unix").read_text(encoding="utf-8")
        assert _ask(addresses["DATABASE_URL"], "SHOW listen_addresses") == "127.0.0.1"
        assert _ask(addresses["DATABASE_URL"], "SHOW max_locks_per_transaction") == "1024"
        assert _ask(addresses["DATABASE_URL"], "SHOW fsync") == "off"
        for user in (postgres.ROLE, postgres.SUPERUSER):
            with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
                _connect(f"postgresql://{user}:wrong@{database.hostname}:{database.port}/{postgres.DATABASE}")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(host=str(broker.hostname), port=int(broker.port or 0)).ping()
        client = redis.Redis.from_url(addresses["REDIS_URL"])
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}

        home = storage.choose(accounts.unprivileged()).home
        secret = [*home.glob("*.json"), *(var / "log").iterdir()]
        assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
        for process in running.processes:
            assert Path(f"/proc/{process.pid}").stat().st_uid != 0
            command = Path(f"/proc/{process.pid}/cmdline").read_text(encoding="utf-8")
            assert str(database.password) not in command
            assert str(broker.password) not in command
    finally:
        running.stop()


def test_a_killed_supervisor_takes_both_servers_down(var: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR], cwd=paths.ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True
    )
    numbers = _numbers(supervisor)

    supervisor.send_signal(signal.SIGKILL)
    supervisor.communicate()

    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(Path(f"/proc/{number}").exists() for number in numbers):
        time.sleep(0.05)
    assert not [number for number in numbers if Path(f"/proc/{number}").exists()]
    with servers.running(durable=True) as addresses:
        assert _ask(addresses["DATABASE_URL"], "SELECT 1") == 1


def test_sessions_of_a_killed_server_are_waited_for(var: Path) -> None:
    first = servers.Servers(durable=True)
    try:
        first.start()
        killed = first.processes[0].pid
        sessions = Path(f"/proc/{killed}/task/{killed}/children").read_text(encoding="ascii").split()
        slow = int(sessions[-1])
        os.kill(slow, signal.SIGSTOP)
        os.kill(killed or 0, signal.SIGKILL)
        wakes = threading.Timer(1.0, os.kill, [slow, signal.SIGCONT])
        wakes.start()
        first.processes[1].kill()

        with servers.running(durable=True) as addresses:
            assert _ask(addresses["DATABASE_URL"], "SELECT 1") == 1
        wakes.join()
    finally:
        first.stop()


def test_a_number_in_the_pid_file_that_is_not_postgres_does_not_hinder(var: Path) -> None:
    with servers.running(durable=False):
        pass
    data = storage.choose(accounts.unprivileged()).home / f"pg{postgres.find().major}"
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n")

    with servers.running(durable=False) as addresses:
        assert _ask(addresses["DATABASE_URL"], "SELECT 1") == 1


def test_given_addresses_start_nothing(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        monkeypatch.setenv("DATABASE_URL", f"postgres://a:b@127.0.0.1:{port}/c")
        monkeypatch.setenv("REDIS_URL", f"redis://127.0.0.1:{port}/0")

        with servers.running(durable=True) as addresses:
            assert addresses["DATABASE_URL"] == f"postgres://a:b@127.0.0.1:{port}/c"
            assert addresses["REDIS_URL"] == f"redis://127.0.0.1:{port}/0"
            assert not list(var.iterdir())


def test_a_given_address_that_nothing_answers_is_refused(var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://a:b@127.0.0.1:1/c")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")

    with (
        pytest.raises(Refused, match=r"^DATABASE_URL: nothing answers at 127\.0\.0\.1 port 1"),
        servers.running(durable=True),
    ):
        pass


def test_lost_passwords_are_said_instead_of_waited_for(var: Path) -> None:
    with servers.running(durable=False):
        pass
    home = storage.choose(accounts.unprivileged()).home
    next(home.glob("pg*.json")).unlink()

    with pytest.raises(Refused, match=r"^the passwords of .* are gone"), servers.running(durable=False):
        pass


def test_programs_that_an_account_cannot_reach_are_copied_and_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "reaches", lambda account, path: False)
    place = storage.Storage(home=tmp_path, account=None)
    tree = postgres.find().folder.parent
    original = tree / "bin" / "initdb"

    copy = place.program(original, tree=tree, beside=(tree.parent.with_name(f"{postgres.WHEEL}.libs"),))
    server = place.program(valkey.find()[0])

    assert copy != original
    assert copy.is_relative_to(tmp_path)
    # initdb needs libpq, which it finds by its own place in the tree.
    said = subprocess.run([copy, "--version"], capture_output=True, text=True, check=True, env={}).stdout
    assert said.startswith("initdb (PostgreSQL)")
    assert server.is_relative_to(tmp_path)
    assert subprocess.run([server, "--version"], capture_output=True, check=True, env={}).returncode == 0
    assert place.program(original, tree=tree) == copy


def _numbers(supervisor: "subprocess.Popen[str]") -> list[int]:
    """The numbers that it prints when its servers are ready."""
    assert supervisor.stdout is not None
    for line in supervisor.stdout:
        if line[0].isdigit():
            return [int(word) for word in line.split()]
    raise AssertionError("it ended")
