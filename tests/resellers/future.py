"""Migrations that nobody has written yet, of the app `supply`, for as long as a test lasts."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent, indent

import pytest
from django.conf import LazySettings

from kameng.supply import migrations

_FILE = """
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Now

class Migration(migrations.Migration):
    atomic = {atomic}
    dependencies = [("supply", "{before}")]
    operations = [
{operations}
    ]
"""
Future = Callable[..., None]


@pytest.fixture
def future(tmp_path: Path, settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Future]:
    """Call it with the operations of each migration that follows: they become 0002_new, 0003_new, …"""
    package = f"future_{tmp_path.name}"
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").write_text(f"__path__ = [*__path__, {migrations.__path__[0]!r}]\n")
    monkeypatch.syspath_prepend(tmp_path)

    def forget() -> None:
        for module in [name for name in sys.modules if name.startswith(package)]:
            del sys.modules[module]
        for older in folder.rglob("*_new*"):
            older.unlink()

    def write(*each: str, atomic: bool = True) -> None:
        forget()
        before = max(Path(migrations.__path__[0]).glob("0*.py")).stem
        for number, operations in enumerate(each, start=2):
            name = f"{number:04}_new"
            text = _FILE.format(atomic=atomic, before=before, operations=indent(dedent(operations), " " * 8))
            (folder / f"{name}.py").write_text(text)
            before = name
        settings.MIGRATION_MODULES = {"supply": package}

    yield write
    forget()
