"""What `up` does again, and what it may skip."""

from pathlib import Path

import pytest

from kameng.embedded import paths, prepare

EVERYTHING = ["migrate", "seed", "static"]


class Recorded:
    """What the database says of its migrations."""

    def __init__(self) -> None:
        self.rows = ""

    def __call__(self, database_url: str) -> str:
        return self.rows


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    """A database without a table."""
    found = Recorded()
    monkeypatch.setattr(prepare, "recorded_migrations", found)
    return found


def _outdated(purpose: str = "8000") -> list[str]:
    return list(prepare.outdated("postgres://", purpose=purpose))


def _do_all(var: Path, recorded: Recorded) -> None:
    steps = prepare.outdated("postgres://", purpose="8000")
    recorded.rows = "catalog 0001 today"
    (var / "demo.json").write_text("[]")
    (var / "static").mkdir()
    (var / "static" / "staticfiles.json").write_text("{}")
    for name, fingerprint in steps.items():
        prepare.write_stamp(name, fingerprint())


def test_at_first_everything_is_done_in_order(var: Path, recorded: Recorded) -> None:
    assert _outdated() == EVERYTHING


def test_nothing_is_done_twice(var: Path, recorded: Recorded) -> None:
    _do_all(var, recorded)

    assert _outdated() == []


def test_another_database_is_migrated_and_seeded(var: Path, recorded: Recorded) -> None:
    _do_all(var, recorded)

    recorded.rows = ""

    assert _outdated() == ["migrate", "seed"]


def test_another_port_is_seeded_because_log_ins_name_it(var: Path, recorded: Recorded) -> None:
    _do_all(var, recorded)

    assert _outdated(purpose="8001") == ["seed"]


def test_new_keys_of_the_sandbox_are_seeded(var: Path, recorded: Recorded) -> None:
    _do_all(var, recorded)

    (var / "sandbox" / "gateways").mkdir(parents=True)
    (var / "sandbox" / "gateways" / "alipay.json").write_text('{"app_id": "1"}')

    assert _outdated() == ["seed"]


def test_what_was_made_and_removed_is_made_again(var: Path, recorded: Recorded) -> None:
    _do_all(var, recorded)

    (var / "demo.json").unlink()
    (var / "static" / "staticfiles.json").unlink()

    assert _outdated() == ["seed", "static"]


def test_changed_code_is_seeded_and_changed_migrations_are_run(
    var: Path, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    app = tmp_path / "checkout" / "app"
    (app / "migrations").mkdir(parents=True)
    (app.parent / "uv.lock").touch()
    (app / "models.py").write_text("one")
    (app / "migrations" / "0001_initial.py").write_text("one")
    monkeypatch.setattr(paths, "ROOT", app.parent)
    _do_all(var, recorded)
    assert _outdated() == []

    (app / "models.py").write_text("two")
    assert _outdated() == ["seed"]

    (app / "migrations" / "0002_more.py").write_text("two")
    assert _outdated() == ["migrate", "seed"]
