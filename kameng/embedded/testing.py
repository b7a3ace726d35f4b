"""`manage.py test`: every test against its own database and broker, beside a running `up` or another `test`."""

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from kameng.embedded import paths, servers
from kameng.embedded.console import Refused, clear_errors, say

#: A whole run is shared by up to so many processes: each has a database to set up.
PROCESSES = 4
#: Each run that goes on at the same time has a folder, a cluster and a broker of its own.
RUNS = 4
#: Where somebody's shell would have another platform answer: pages would name it.
OF_ANOTHER = ("PORT", "PUBLIC_PORT", "SANDBOX_PORT", "SANDBOX_URL")


def main(arguments: list[str]) -> int:
    """Run pytest with `arguments` and return its exit code; without any, everything, spread over processes.

    Raises `Refused`.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    with clear_errors(), own_servers():
        import pytest

        return int(pytest.main(arguments or _everything()))


def _everything() -> list[str]:
    """Two processes more than there are processors: the two folders of live tests wait for others most of the time."""
    processors = len(os.sched_getaffinity(0))
    processes = min(processors + 2, PROCESSES) if processors > 1 else 1
    return ["-n", str(processes)] if processes > 1 else []


@contextmanager
def own_servers() -> Iterator[Path]:
    """Servers for one test run, and the environment that names them, for this process and its children.

    Yields the run's own `var/`, which is also KAMENG_VAR.
    """
    with _own_folder(paths.var()) as folder:
        os.environ["KAMENG_VAR"] = str(folder)
        os.environ["KAMENG_TEST"] = "1"
        os.environ["DJANGO_SETTINGS_MODULE"] = "kameng.settings.test"
        for name in OF_ANOTHER:
            os.environ.pop(name, None)
        say("Kameng: test servers")
        with servers.running(durable=False) as addresses:
            os.environ.update(addresses)
            yield folder


@contextmanager
def _own_folder(var: Path) -> Iterator[Path]:
    """The first of `var/test-1`, `var/test-2` … that no other run has. Raises `Refused` where all are taken."""
    for number in range(1, RUNS + 1):
        folder = var / f"test-{number}"
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            yield folder
            return
    raise Refused(f"{RUNS} test runs are going on in this checkout: wait until one ends")


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Let pytest end as after Ctrl-C, so that the servers are stopped."""
    sys.stderr.write("terminated\n")
    raise KeyboardInterrupt
