"""Child processes that never outlive their parent, write to one log file each, and stop within a stated time."""

import ctypes
import errno
import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kameng.embedded.accounts import Account
from kameng.embedded.console import Refused

PR_SET_PDEATHSIG = 1  # linux/prctl.h
HURRY_SECONDS = 1.0
LOG_LIMIT = 10 * 1024**2
DISK_FULL = os.strerror(errno.ENOSPC)
POLL_SECONDS = 0.05
_libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent(death_signal: int = signal.SIGKILL, *, files: int = 0) -> Callable[[], None]:
    """What a child runs before its program so that the kernel signals it when its parent ends, however that ends.

    It may have so many `files` open, or as many as this user may allow; as many as its parent where none are wanted.
    The kernel's "parent" is the thread that made the child (prctl(2)): start children from the main thread only.
    """
    parent = os.getpid()

    def arrange() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # it ended before the line above
        if files:
            allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
            wanted = files if most == resource.RLIM_INFINITY else min(files, most)
            if allowed != resource.RLIM_INFINITY and allowed < wanted:
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))

    return arrange


@dataclass
class Process:
    """One child.

    It may have so many `files` open, or as many as this process. `stop_signal` asks it to end, `hurry_signal` (if any)
    to end now; `death_signal` comes when the supervisor is gone.
    """

    name: str
    command: Sequence[str]
    log: Path
    env: Mapping[str, str] | None = None
    cwd: Path = Path("/")
    account: Account | None = None
    stdin: str = ""
    files: int = 0
    stop_signal: signal.Signals = signal.SIGTERM
    hurry_signal: signal.Signals | None = None
    death_signal: signal.Signals = signal.SIGKILL
    popen: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started_at: float = 0.0
    _log_start: int = 0

    def start(self) -> None:
        """Start it in a session of its own: Ctrl-C reaches the supervisor, which then stops everything in order."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > LOG_LIMIT:
            self.log.replace(self.log.with_suffix(".log.1"))
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as output:
            self._log_start = self.log.stat().st_size
            self.popen = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=self.env,
                stdin=subprocess.PIPE if self.stdin else subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
                umask=0o077 if self.account else -1,
                preexec_fn=die_with_parent(self.death_signal, files=self.files),
            )
        if self.popen.stdin is not None:
            self.popen.stdin.write(self.stdin.encode())
            self.popen.stdin.close()
        self.started_at = time.time()

    @property
    def pid(self) -> int | None:
        """The process number while it runs."""
        return self.popen.pid if self.popen is not None and self.alive() else None

    def alive(self) -> bool:
        """Whether it runs. What a dead one left in its process group is killed before its number can be used again."""
        if self.popen is None or self.popen.returncode is not None:
            return False
        if os.waitid(os.P_PID, self.popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return True
        self._signal_group(signal.SIGKILL)
        self.popen.poll()
        return False

    def finish(self, *, seconds: float) -> int:
        """Wait for its own end and return its code; kill it when the time is over."""
        deadline = time.monotonic() + seconds
        while self.alive():
            if time.monotonic() > deadline:
                self.kill()
            time.sleep(POLL_SECONDS)
        return self.popen.returncode if self.popen is not None else -1

    def said(self) -> str:
        """What it has written to its log since it was started."""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def last_lines(self, count: int = 5) -> list[str]:
        """The end of what it said, for a person to read."""
        return [line for line in self.said().splitlines() if line.strip()][-count:]

    def explain_exit(self) -> str:
        """One line on why it is gone."""
        code = self.popen.returncode if self.popen is not None else None
        killed = code is not None and code < 0
        ended = f"was killed by signal {-(code or 0)}" if killed else f"ended with code {code}"
        lines = self.last_lines(20)
        last = [] if killed else [line for line in lines if "FATAL" in line][-1:] or lines[-1:]
        if DISK_FULL in self.said():
            return f"the disk is full: {self.name} {ended}, see {self.log}"
        return f"{self.name} {ended}{': ' + last[0] if last else ''} ({self.log})"

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.popen is not None and self.alive():
            self.popen.send_signal(number)

    def kill(self) -> None:
        """End it and everything in its process group at once."""
        if self.popen is not None and self.alive():
            self._signal_group(signal.SIGKILL)
            self.popen.wait()

    def _signal_group(self, number: int) -> None:
        if self.popen is not None:
            try:
                os.killpg(self.popen.pid, number)
            except (ProcessLookupError, PermissionError):
                return


def wait_ready(process: Process, ready: Callable[[], bool], *, seconds: float) -> None:
    """Wait until `ready()`. Raises `Refused` when the process ends or the time is over."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not process.alive():
            raise Refused(process.explain_exit())
        if time.monotonic() > deadline:
            raise Refused(f"{process.name} was not ready after {seconds:.0f} s, see {process.log}")
        time.sleep(POLL_SECONDS)


def stop(processes: Iterable[Process], *, seconds: float) -> None:
    """Ask all to stop, wait at most `seconds`, give those that can be hurried another second, and kill what is left."""
    everything = list(processes)
    for process in everything:
        process.signal(process.stop_signal)
    _wait_for_end(everything, seconds=seconds)
    hurried = [process for process in everything if process.hurry_signal is not None]
    for process in hurried:
        process.signal(process.hurry_signal or process.stop_signal)
    _wait_for_end(hurried, seconds=HURRY_SECONDS)
    for process in everything:
        process.kill()


def _wait_for_end(processes: Sequence[Process], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(process.alive() for process in processes) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
