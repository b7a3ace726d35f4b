"""Ports: remembered where possible, and named where they are taken."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from kameng.embedded import paths, ports
from kameng.embedded.console import Refused


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which this process listens."""
    with socket.socket() as listener:
        listener.bind((ports.LOOPBACK, 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_remembered_port_is_kept_while_it_is_free() -> None:
    port = ports.free()

    assert ports.free(preferred=port) == port


def test_another_port_is_found_where_the_remembered_one_is_taken(taken: int) -> None:
    found = ports.free(preferred=taken)

    assert found in ports.REMEMBERED
    assert ports.is_free(found)


@pytest.fixture
def claimed() -> Iterator[int]:
    """A port that another process was given and does not listen on yet."""
    find = "from kameng.embedded import ports; print(ports.in_a_row(7) + 3, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", find], cwd=paths.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        yield int(other.stdout.readline())
        other.communicate("\n")


def test_a_port_that_was_given_is_nobody_elses_before_it_is_listened_on(claimed: int) -> None:
    assert ports.is_free(claimed)
    assert ports.free(preferred=claimed) != claimed


def test_a_port_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ports.in_a_row(7)
    monkeypatch.setattr(ports, "REMEMBERED", range(row, row + 7))

    with pytest.raises(Refused, match="no free port"):
        ports.free()
    with pytest.raises(Refused, match="no 7 free ports"):
        ports.in_a_row(7)


def test_ports_in_a_row_are_all_free() -> None:
    first = ports.in_a_row(10)

    assert {first, first + 9} <= set(ports.REMEMBERED)
    assert all(ports.is_free(port) for port in range(first, first + 10))


def test_a_taken_port_is_named_with_who_has_it(taken: int) -> None:
    with pytest.raises(Refused, match=rf"^port {taken} is taken by \S+ \(process \d+\): .* PORT="):
        ports.demand(taken, variable="PORT")


@pytest.mark.parametrize("text", ["abc", "0", "65536", "-1", "8000 ", "８０００"])
def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("PORT", text)

    with pytest.raises(Refused, match=r"^PORT must be a port number"):
        ports.from_environment("PORT", default=8000)


def test_an_unset_port_has_a_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT", raising=False)

    assert ports.from_environment("PORT", default=8000) == 8000
