"""From a bare Python to `.venv`: what is installed when, and what is said where it cannot be."""

import ast
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kameng.embedded import bootstrap, paths
from kameng.embedded.console import Refused


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No `.venv` yet."""
    folder = tmp_path / ".venv"
    monkeypatch.setattr(bootstrap, "VENV", folder)
    monkeypatch.setattr(bootstrap, "STAMP", folder / "kameng.json")
    return folder


def _make_python(venv: Path) -> None:
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "python").touch()


@pytest.mark.parametrize(
    ("command", "installed", "groups"),
    [
        ("up", None, ["embedded"]),
        ("shell", None, ["embedded"]),
        ("test", None, ["dev", "embedded"]),
        ("lint", ["embedded"], ["dev", "embedded"]),
        ("up", ["embedded"], None),
        ("up", ["dev", "embedded"], None),
        ("test", ["dev", "embedded"], None),
    ],
)
def test_only_what_a_command_needs_is_installed(
    venv: Path, command: str, installed: list[str] | None, groups: list[str] | None
) -> None:
    done: dict[str, object] = {"digest": "now", "groups": installed} if installed else {}

    assert bootstrap.needed(command, done=done, lock_digest="now") == groups


def test_a_changed_lock_file_is_followed_without_taking_tools_away(venv: Path) -> None:
    done: dict[str, object] = {"digest": "before", "groups": ["dev", "embedded"]}

    assert bootstrap.needed("up", done=done, lock_digest="now") == ["dev", "embedded"]


def test_an_environment_made_by_hand_keeps_its_tools(venv: Path) -> None:
    _make_python(venv)

    assert bootstrap.needed("up", done=bootstrap.read_stamp(), lock_digest="now") == ["dev", "embedded"]


def test_a_stamp_counts_for_nothing_when_its_python_is_gone(venv: Path) -> None:
    _make_python(venv)
    (venv / "kameng.json").write_text('{"digest": "now", "groups": ["embedded"]}')
    assert bootstrap.needed("up", done=bootstrap.read_stamp(), lock_digest="now") is None

    (venv / "bin" / "python").unlink()
    (venv / "bin" / "python").symlink_to("/nowhere/python3")

    assert bootstrap.needed("up", done=bootstrap.read_stamp(), lock_digest="now") == ["embedded"]


def test_the_sdk_that_lives_alone_is_installed_once_for_a_lock_file(
    tmp_path: Path, venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, ran = tmp_path / ".venv-alipay", []

    def run(command: list[str], *, into: Path) -> None:
        ran.append(into)
        (folder / "bin").mkdir(parents=True, exist_ok=True)
        (folder / "bin" / "python").touch()

    monkeypatch.setattr(bootstrap, "ALIPAY", folder)
    monkeypatch.setattr(bootstrap, "run", run)
    for lock_digest in ("before", "before", "now"):
        bootstrap.install_alipay(lock_digest)
    assert ran == [folder, folder]

    (folder / "bin" / "python").unlink()
    bootstrap.install_alipay("now")
    assert len(ran) == 3


def test_the_digest_follows_every_file(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    before = bootstrap.digest(one, two)

    two.write_text("3")

    assert bootstrap.digest(one, two) != before


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (
            "Caused by: failed to write\n  No space left on device (os error 28)",
            "the disk is full: uv sync could not write",
        ),
        (
            "error: failed to fetch\n  dns error: failed to lookup address\nhint: x",
            "no network: uv sync could not fetch packages",
        ),
        ("ERROR: No matching distribution found for uv==1", "no network: uv sync could not fetch packages"),
        ("error: the lock file is broken", "uv sync failed: error: the lock file is broken"),
        ("", "uv sync failed: it said nothing"),
    ],
)
def test_a_failed_installer_is_explained_in_one_line(output: str, expected: str) -> None:
    said = bootstrap.explain(["/x/.venv/bin/uv", "sync", "--frozen"], output=output)

    assert said.startswith(expected)
    assert "\n" not in said


def test_a_missing_venv_module_names_the_package(monkeypatch: pytest.MonkeyPatch, venv: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    package = f"python3.{sys.version_info.minor}-venv"

    with pytest.raises(Refused, match=f"^Python's venv module is missing: run `sudo apt-get install {package}`"):
        bootstrap.require_venv_module()
    assert not venv.exists()


def test_root_installs_a_missing_venv_module(monkeypatch: pytest.MonkeyPatch, venv: Path) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(bootstrap, "run", lambda command, env=None: ran.append(list(command)))

    bootstrap.require_venv_module()

    assert [command[2] for command in ran] == ["update", "install"]
    assert ran[1] == [
        "apt-get", "-qq", "install", "--yes", "--no-install-recommends", f"python3.{sys.version_info.minor}-venv"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("system", "machine", "libc"),
    [
        ("darwin", "arm64", ("", "")),
        ("linux", "riscv64", ("glibc", "2.36")),
        ("linux", "x86_64", ("", "")),
        ("linux", "x86_64", ("glibc", "2.17")),
    ],
)
def test_a_platform_without_wheels_is_refused(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str, libc: tuple[str, str]
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setattr(platform, "libc_ver", lambda: libc)

    with pytest.raises(Refused, match=r"^Kameng runs on Linux"):
        bootstrap.check_platform()


def test_production_installs_nothing(monkeypatch: pytest.MonkeyPatch, venv: Path) -> None:
    monkeypatch.setenv("KAMENG_ENV", "production")

    bootstrap.ensure("up")

    assert not venv.exists()


def test_what_runs_first_needs_the_standard_library_alone() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import kameng.embedded.bootstrap"
    alone = [sys.executable, "-I", "-S", "-c", code, str(paths.ROOT)]

    assert subprocess.run(alone, check=False).returncode == 0


def test_an_old_python_can_read_the_line_that_refuses_it() -> None:
    source = (paths.ROOT / "manage.py").read_text(encoding="utf-8")

    ast.parse(source, feature_version=(3, 7))
    assert source.index("sys.version_info < (3, 11)") < source.index("from kameng")
