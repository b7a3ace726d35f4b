"""`manage.py up`: the whole demo from nothing, kept running until Ctrl-C."""

import argparse
import fcntl
import http.client
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import TextIOWrapper
from types import FrameType

from kameng.embedded import environment, paths, ports, prepare, processes
from kameng.embedded.bootstrap import BEGUN, START_SPACE
from kameng.embedded.console import Refused, clear_errors, report, say
from kameng.embedded.processes import POLL_SECONDS, Process
from kameng.embedded.servers import Servers
from kameng.sandbox import keys

READY_SECONDS = 90
#: The sandbox takes this many in a row: one for all, and one for each supplier, so that a supplier can be unreachable.
SANDBOX_PORTS = 1 + len(keys.SUPPLIERS)
PROGRAMS_STOP_SECONDS = 2.0
STOP_SECONDS = 3.5
LOOK_SECONDS = 0.2
#: A process that dies is started again after 1, 2, 4 … seconds; one that has lived for a minute begins at 1 again.
LONGEST_PAUSE = 30.0
SETTLED_SECONDS = 60.0
LOCK_SECONDS = 1.0
#: Glibc would give each thread a heap of its own and keep what they free: a worker's threads take turns anyway.
MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_TRIM_THRESHOLD_": "131072"}
HOSTS = {"house shop": "localhost", "life services": "qinghe.localhost", "games": "yueyou.localhost"}
OPERATIONS = "ops.localhost"


class Stopped(BaseException):
    """Somebody asked this process to end."""


def main(arguments: list[str]) -> int:
    """Run the demo. Returns 0 when it was stopped by Ctrl-C or SIGTERM. Raises `Refused`."""
    parser = argparse.ArgumentParser(prog="manage.py up", description=__doc__)
    parser.add_argument("--bench", action="store_true", help="load 20,000 codes and lift the limits, for load tests")
    options = parser.parse_args(arguments)
    if environment.production(os.environ):
        raise Refused("this is the demo, not production (KAMENG_ENV): docs/operations.md says how to run that")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _stop)
    with clear_errors(), only_one() as record:
        demo = Demo(bench=options.bench, record=record)
        try:
            demo.start()
            demo.watch()
        except Stopped:
            return 0
        finally:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)  # it takes five seconds at most
            demo.stop()
    return 0


class Demo:
    """Servers, sandbox, web, worker and beat, in the order in which they need each other."""

    def __init__(self, *, bench: bool, record: TextIOWrapper) -> None:
        self.bench = bench
        self.port = ports.from_environment("PORT", default=8000)
        self.sandbox_port = ports.from_environment("SANDBOX_PORT", default=8900)
        self.url = f"http://localhost:{self.port}/"
        self.servers = Servers(durable=True)
        self.programs: list[Process] = []
        self._record = record
        self._begun = float(os.environ.pop(BEGUN, time.time()))

    def start(self) -> None:
        """Start everything and wait until it can be used. Raises `Refused`."""
        paths.var().mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(paths.var()).free
        if free < START_SPACE:
            needed = f"{START_SPACE // 1024**2} MB are needed"
            raise Refused(f"the disk is full: {free // 1024**2} MB are free under {paths.var()}, {needed}")
        ports.demand(self.port, variable="PORT")
        for port in range(self.sandbox_port, self.sandbox_port + SANDBOX_PORTS):
            ports.demand(port, variable="SANDBOX_PORT")
        self._write_record()
        say(f"Kameng: starting, data in {paths.var()}")
        self._start_sandbox(self._environment({}))
        addresses = self.servers.start()
        self.servers.publish()
        self._write_record()
        self._wait("sandbox")
        env = self._environment(addresses)
        prepare.run(env, prepare.outdated(addresses["DATABASE_URL"], purpose=f"{self.port} {self.bench}"))
        self._start_programs(env)
        self._write_record()
        self._wait("web", "worker", "beat")
        self._greet()

    def watch(self) -> None:
        """Say when something dies, and start it again. Ends only by a signal."""
        pauses: dict[str, float] = {}
        due: dict[str, float] = {}
        while True:
            time.sleep(LOOK_SECONDS)
            for process in [*self.servers.processes, *self.programs]:
                name = process.name
                if name in due:
                    if time.monotonic() >= due[name]:
                        del due[name]
                        process.start()
                        say(f"{name}: started again")
                        self._write_record()
                elif not process.alive():
                    settled = time.time() - process.started_at > SETTLED_SECONDS
                    pause = pauses[name] = 1.0 if settled else min(LONGEST_PAUSE, pauses.get(name, 0.5) * 2)
                    due[name] = time.monotonic() + pause
                    say(f"{process.explain_exit()}; starting it again in {pause:.0f} s")
                    for line in process.last_lines()[:-1]:
                        say(f"    {line}")

    def stop(self) -> None:
        """Programs first, then the servers that they use: at most five seconds."""
        if not self.servers.processes and not self.programs:
            return
        started = time.monotonic()
        processes.stop(self.programs, seconds=PROGRAMS_STOP_SECONDS)
        self.servers.stop(seconds=STOP_SECONDS - (time.monotonic() - started))
        environment.servers_file().unlink(missing_ok=True)
        say(f"Kameng: stopped in {time.monotonic() - started:.1f} s")

    def _environment(self, addresses: Mapping[str, str]) -> dict[str, str]:
        return {
            **os.environ,
            **addresses,
            "DJANGO_SETTINGS_MODULE": os.environ.get("DJANGO_SETTINGS_MODULE", "kameng.settings.base"),
            "KAMENG_VAR": str(paths.var()),
            "PORT": str(self.port),
            "SANDBOX_PORT": str(self.sandbox_port),
            "PYTHONUNBUFFERED": "1",
            **MALLOC,
            **({"KAMENG_BENCH": "1"} if self.bench else {}),
        }

    def _start_sandbox(self, env: Mapping[str, str]) -> None:
        """The other side needs no server of ours, and what is seeded names its addresses and keys."""
        python, folder = sys.executable, paths.var() / "sandbox"
        command = [python, "-m", "kameng.sandbox", f"--port={self.sandbox_port}", f"--folder={folder}"]
        self._start_program("sandbox", command, env)

    def _start_programs(self, env: Mapping[str, str]) -> None:
        python, var = sys.executable, paths.var()
        (var / "beat").mkdir(exist_ok=True)
        web = [python, "-m", "gunicorn", "--config", "python:kameng.embedded.gunicorn", "kameng.wsgi"]
        celery = [python, "-m", "celery", "--app", "kameng.celery"]
        alone = ["--without-mingle", "--without-gossip"]  # there are no other workers to wait for
        worker = ["worker", "--pool", "threads", "--concurrency", "8", *alone, "--loglevel", "INFO"]
        beat = ["beat", "--schedule", str(var / "beat" / "schedule"), "--pidfile=", "--loglevel", "INFO"]
        self._start_program("web", [*web, "--bind", f"{ports.LOOPBACK}:{self.port}"], env)
        self._start_program("worker", [*celery, *worker], env)
        self._start_program("beat", [*celery, *beat], env)

    def _start_program(self, name: str, command: list[str], env: Mapping[str, str]) -> None:
        log = paths.var() / "log" / f"{name}.log"
        self.programs.append(Process(name=name, command=command, log=log, env=env, cwd=paths.ROOT))
        self.programs[-1].start()

    def _is_ready(self, process: Process) -> bool:
        match process.name:
            case "sandbox":
                return self._ask(self.sandbox_port, "/healthz") is not None
            case "web":
                return self._checks("database", "migrations")
            case "worker":
                return " ready." in process.said() and self._checks("poller")
            case _:
                return "beat: Starting" in process.said()

    def _wait(self, *names: str) -> None:
        """Wait for programs side by side, and print each as it becomes ready. Raises `Refused`."""
        waiting = [process for process in self.programs if process.name in names]
        deadline = time.monotonic() + READY_SECONDS
        while waiting:
            for process in list(waiting):
                if self._is_ready(process):
                    report(process.name, time.time() - process.started_at)
                    waiting.remove(process)
                elif not process.alive():
                    for line in process.last_lines()[:-1]:
                        say(f"    {line}")
                    raise Refused(process.explain_exit())
            if waiting and time.monotonic() > deadline:
                late = ", ".join(process.name for process in waiting)
                raise Refused(f"not ready after {READY_SECONDS} s: {late} (see {paths.var() / 'log'})")
            time.sleep(POLL_SECONDS)

    def _checks(self, *names: str) -> bool:
        """Whether /readyz says that these are well."""
        body = self._ask(self.port, "/readyz")
        try:
            checks = json.loads(body or "{}")
        except ValueError:
            return False
        return all(checks.get(name) is True for name in names)

    def _ask(self, port: int, path: str) -> str | None:
        """The body of a reply, with whatever status, or nothing."""
        connection = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=5)
        try:
            connection.request("GET", path, headers={"Host": f"localhost:{port}"})
            return connection.getresponse().read().decode(errors="replace")
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _write_record(self) -> None:
        """What other commands and a second `up` may know of this one; under the lock, in place."""
        numbers = {process.name: process.pid for process in [*self.servers.processes, *self.programs] if process.pid}
        self._record.seek(0)
        self._record.truncate()
        json.dump({"pid": os.getpid(), "url": self.url, "processes": numbers}, self._record)
        self._record.flush()

    def _greet(self) -> None:
        say(f"\nKameng is up after {time.time() - self._begun:.1f} s. Ctrl-C stops it.\n")
        for what, host in HOSTS.items():
            say(f"  {what:<16}http://{host}:{self.port}/")
        say(f"  {'operations':<16}http://{OPERATIONS}:{self.port}/admin/")
        say(f"  {'sandbox':<16}http://{ports.LOOPBACK}:{self.sandbox_port}/")
        log_ins = paths.var() / "demo.json"
        if log_ins.exists():
            say("\n  Log-ins of the demo (user / password):")
            for row in json.loads(log_ins.read_text(encoding="utf-8")):
                say(f"  {row['url']:<44}{row['user']} / {row['password']:<16}{row['where']}")
        say("")


@contextmanager
def only_one() -> Iterator[TextIOWrapper]:
    """Hold the lock of `var/`. Raises `Refused` where another `up` has it."""
    path = environment.lock_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    # Opened without truncating: the holder's words must stay readable.
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+", encoding="utf-8") as file:
        deadline = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                # Another command may be looking whether somebody holds it: that takes no time.
                if time.monotonic() > deadline:
                    known = environment.running() or {}
                    where = f"{known.get('url', 'still starting')} (process {known.get('pid', 'unknown')})"
                    raise Refused(f"already running: {where}. Stop that one first") from None
                time.sleep(0.05)
        yield file


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped
