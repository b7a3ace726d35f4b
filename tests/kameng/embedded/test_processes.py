"""Children: none outlives its parent, all stop in time, and the dead are explained."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kameng.embedded import paths, ports, processes
from kameng.embedded.console import Refused
from kameng.embedded.processes import Process

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
PARENT = (
    "import subprocess, sys, time; print(subprocess.Popen([sys.executable, '-c', sys.argv[1]]).pid, flush=True); {}"
)
SUPERVISOR = """
import sys, time
from pathlib import Path
from kameng.embedded.processes import Process
child = Process(name="child", command=[sys.executable, "-c", "import time; time.sleep(60)"], log=Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Start Python code as a child."""
    started: list[Process] = []

    def begin(code: str, *arguments: str) -> Process:
        process = Process(name="child", command=[sys.executable, "-c", code, *arguments], log=tmp_path / "child.log")
        process.start()
        started.append(process)
        return process

    yield begin
    processes.stop(started, seconds=0)


def _gone(pid: int, *, seconds: float = 5) -> bool:
    """Whether the process ends (a zombie has ended) within `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


def _says(process: Process, word: str = "") -> str:
    processes.wait_ready(process, lambda: word in process.said() and "\n" in process.said(), seconds=10)
    return process.said().strip()


def test_a_killed_supervisor_leaves_no_child(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path / "log")]
    supervisor = subprocess.Popen(command, cwd=paths.ROOT, stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    child = int(supervisor.stdout.readline())
    assert Path(f"/proc/{child}").exists()

    supervisor.kill()
    supervisor.communicate()

    assert _gone(child)


def test_a_web_worker_ends_with_its_killed_master(start: Callable[..., Process], tmp_path: Path) -> None:
    port = ports.free()
    master = Process(
        name="web",
        command=[
            sys.executable, "-m", "gunicorn", "--config", "python:kameng.embedded.gunicorn",
            "--bind", f"{ports.LOOPBACK}:{port}", "wsgiref.simple_server:demo_app",
        ],
        log=tmp_path / "web.log",
        cwd=paths.ROOT,
    )  # fmt: skip
    master.start()
    try:
        processes.wait_ready(master, lambda: master.said().count("Booting worker") == 2, seconds=20)
        assert master.pid is not None
        listed = Path(f"/proc/{master.pid}/task/{master.pid}/children").read_text(encoding="ascii")
        os.kill(master.pid, signal.SIGKILL)

        assert len(listed.split()) == 2
        assert all(_gone(int(pid)) for pid in listed.split())
        assert ports.is_free(port)
    finally:
        master.kill()


def test_what_ignores_the_stop_signal_is_killed_when_the_time_is_over(start: Callable[..., Process]) -> None:
    process = start(DEAF)
    _says(process, "deaf")
    began = time.monotonic()

    processes.stop([process], seconds=0.3)

    assert not process.alive()
    assert 0.3 <= time.monotonic() - began < 2


def test_stopping_takes_grandchildren_along(start: Callable[..., Process]) -> None:
    process = start(PARENT.format("time.sleep(60)"), DEAF)
    grandchild = int(_says(process, "deaf").split()[0])

    processes.stop([process], seconds=0.2)

    assert _gone(grandchild)


def test_what_a_dead_child_left_behind_is_killed_before_it_is_started_again(start: Callable[..., Process]) -> None:
    process = start(PARENT.format("sys.exit(3)"), SLEEP)
    grandchild = int(_says(process))

    assert process.finish(seconds=10) == 3
    assert _gone(grandchild)


def test_an_early_end_is_explained_with_the_last_line(start: Callable[..., Process]) -> None:
    process = start("import sys; print('first', flush=True); sys.exit('no such table')")

    with pytest.raises(Refused, match=r"^child ended with code 1: no such table \(.*child\.log\)$"):
        processes.wait_ready(process, lambda: False, seconds=10)


def test_a_killed_child_is_explained_by_its_signal(start: Callable[..., Process]) -> None:
    process = start(SLEEP)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)

    assert process.finish(seconds=5) == -9
    assert process.explain_exit().startswith("child was killed by signal 9 (")


def test_a_full_disk_is_called_by_its_name(start: Callable[..., Process]) -> None:
    process = start("import sys; sys.exit('FATAL: could not write: No space left on device')")

    process.finish(seconds=5)

    assert process.explain_exit().startswith("the disk is full: child ended with code 1")


def test_a_child_that_never_gets_ready_is_given_up(start: Callable[..., Process]) -> None:
    with pytest.raises(Refused, match=r"^child was not ready after 0 s"):
        processes.wait_ready(start(SLEEP), lambda: False, seconds=0.2)


def test_only_what_was_said_since_the_last_start_counts(start: Callable[..., Process]) -> None:
    process = start("import os; print(os.getpid())")
    process.finish(seconds=5)
    first = process.said()

    process.start()
    process.finish(seconds=5)

    assert process.said() != first
    assert json.loads(process.said()) != json.loads(first)


def test_a_child_has_standard_input_only_when_it_is_given_one(tmp_path: Path) -> None:
    process = Process(name="cat", command=["/bin/cat"], log=tmp_path / "cat.log", stdin="port 1\n")
    process.start()

    assert process.finish(seconds=5) == 0
    assert process.said() == "port 1\n"


@pytest.mark.parametrize(("wanted", "may"), [(0, 1000), (900, 1000), (1500, 1500), (10**9, "all")])
def test_a_child_may_have_as_many_files_open_as_it_needs(tmp_path: Path, wanted: int, may: int | str) -> None:
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    ask = "import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    process = Process(name="child", command=[sys.executable, "-c", ask], log=tmp_path / "child.log", files=wanted)
    resource.setrlimit(resource.RLIMIT_NOFILE, (1000, most))
    try:
        process.start()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))

    assert process.finish(seconds=5) == 0
    assert process.said() == f"{most if may == 'all' else may} {most}\n"
