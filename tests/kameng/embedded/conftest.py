"""A `var/` of its own for each test, and nothing left of it elsewhere."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kameng.embedded import accounts, environment, storage


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty `var/`. Run as root, pytest's folders are closed to others: the servers' data is then under /var/lib."""
    folder = tmp_path / "var"
    folder.mkdir()
    monkeypatch.setenv("KAMENG_VAR", str(folder))
    for name in ("DATABASE_URL", "REDIS_URL", "KAMENG_OFFLINE", "KAMENG_ENV", *environment.SECRETS):
        monkeypatch.delenv(name, raising=False)
    yield folder
    home = storage.choose(accounts.unprivileged()).home
    if home != folder:
        shutil.rmtree(home)


@pytest.fixture
def outside() -> dict[str, str]:
    """The environment of a person's shell, without what the test run has put into it."""
    ours = {"DATABASE_URL", "REDIS_URL", "KAMENG_TEST", "KAMENG_VAR", "DJANGO_SETTINGS_MODULE", *environment.SECRETS}
    return {name: value for name, value in os.environ.items() if name not in ours}
