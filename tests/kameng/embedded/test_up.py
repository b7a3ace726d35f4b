"""`manage.py up`, for real, in a `var/` of its own beside whatever else is running."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from kameng.embedded import paths, ports, up

pytestmark = pytest.mark.integration

UP_SECONDS = 120
STOP_SECONDS = 5


class Running:
    """One `up` and what it says."""

    def __init__(self, env: dict[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"], cwd=paths.ROOT, env=env, stdout=output, stderr=subprocess.STDOUT
            )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait_for(self, word: str) -> None:
        deadline = time.monotonic() + UP_SECONDS
        while word not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.1)

    def numbers(self, var: Path) -> dict[str, int]:
        """Of its processes, by name; whoever reads while it writes them down reads again."""
        deadline = time.monotonic() + STOP_SECONDS
        while not (text := (var / "run" / "up.lock").read_text(encoding="utf-8")).endswith("}}"):
            assert time.monotonic() < deadline, text
            time.sleep(0.02)
        record: dict[str, Any] = json.loads(text)
        return dict(record["processes"])


@pytest.fixture
def env(var: Path, outside: dict[str, str]) -> dict[str, str]:
    """A shell in which nothing else uses these ports."""
    sandbox = ports.in_a_row(up.SANDBOX_PORTS)
    return {**outside, "KAMENG_VAR": str(var), "PORT": str(ports.free()), "SANDBOX_PORT": str(sandbox)}


@pytest.fixture
def begin(env: dict[str, str], tmp_path: Path) -> Iterator[Callable[[], Running]]:
    """Start `up`."""
    started: list[Running] = []

    def start() -> Running:
        started.append(Running(env, tmp_path / f"up-{len(started)}.log"))
        return started[-1]

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()


def _all_gone(numbers: dict[str, int], *, seconds: float) -> list[str]:
    """Names of the processes that are still there after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        left = [name for name, number in numbers.items() if Path(f"/proc/{number}").exists()]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.05)


def test_up_serves_the_demo_alone_restarts_what_dies_and_leaves_nothing_behind(
    begin: Callable[[], Running], env: dict[str, str], var: Path
) -> None:
    first = begin()
    first.wait_for("Kameng is up after")
    here = f"http://127.0.0.1:{env['PORT']}"
    for host in ("localhost", "house.localhost", "qinghe.localhost", "yueyou.localhost"):
        assert httpx.get(f"{here}/", headers={"Host": f"{host}:{env['PORT']}"}).status_code == 200
    assert httpx.get(f"{here}/readyz", headers={"Host": f"localhost:{env['PORT']}"}).json()["ready"] is True
    for log_in in json.loads((var / "demo.json").read_text(encoding="utf-8")):
        assert log_in["password"] in first.said()

    second = begin()
    assert second.process.wait(UP_SECONDS) == 1
    assert second.said() == (
        f"manage.py up: already running: http://localhost:{env['PORT']}/ (process {first.process.pid}). "
        "Stop that one first\n"
    )
    beside = subprocess.run(
        [
            sys.executable,
            "manage.py",
            "shell",
            "-v0",
            "-c",
            "from catalog.models import Product; print(Product.objects.count())",
        ],
        cwd=paths.ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(beside.stdout) >= 60

    before = first.numbers(var)
    os.kill(before["worker"], signal.SIGKILL)
    first.wait_for("worker was killed by signal 9")
    first.wait_for("worker: started again")
    after = first.numbers(var)
    assert after["worker"] != before["worker"]
    assert {name: number for name, number in after.items() if name != "worker"} == {
        name: number for name, number in before.items() if name != "worker"
    }

    began = time.monotonic()
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(UP_SECONDS) == 0
    assert time.monotonic() - began <= STOP_SECONDS
    assert _all_gone(after, seconds=0) == []

    third = begin()
    third.wait_for("Kameng is up after")
    for step in ("migrations", "shops and catalogue of the demo", "static files"):
        assert f"{step}: unchanged" in third.said()
    numbers = third.numbers(var)
    third.process.kill()
    assert _all_gone(numbers, seconds=STOP_SECONDS) == []
    assert ports.is_free(int(env["PORT"]))
    assert ports.is_free(int(env["SANDBOX_PORT"]))


@pytest.mark.parametrize(("variable", "offset"), [("PORT", 0), ("SANDBOX_PORT", 0), ("SANDBOX_PORT", 4)])
def test_a_taken_port_is_named_before_anything_is_started(
    begin: Callable[[], Running], env: dict[str, str], var: Path, variable: str, offset: int
) -> None:
    port = int(env[variable]) + offset
    holder = subprocess.Popen(
        [sys.executable, "-m", "http.server", "--bind", ports.LOOPBACK, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while ports.is_free(port):
            time.sleep(0.05)

        refused = begin()

        assert refused.process.wait(UP_SECONDS) == 1
        assert refused.said() == (
            f"manage.py up: port {port} is taken by python (process {holder.pid}): "
            f"stop that, or choose another with {variable}=…\n"
        )
        assert [path.name for path in var.iterdir()] == ["run"]
    finally:
        holder.kill()
        holder.wait()


def test_a_number_that_is_no_port_is_refused(begin: Callable[[], Running], env: dict[str, str], var: Path) -> None:
    env["PORT"] = "eighty"

    refused = begin()

    assert refused.process.wait(UP_SECONDS) == 1
    assert refused.said() == "manage.py up: PORT must be a port number from 1 to 65535, not 'eighty'\n"


def test_production_has_no_demo(begin: Callable[[], Running], env: dict[str, str], var: Path) -> None:
    env["KAMENG_ENV"] = "production"

    refused = begin()

    assert refused.process.wait(UP_SECONDS) == 1
    assert refused.said().startswith("manage.py up: this is the demo, not production")
    assert list(var.iterdir()) == []
