"""Database, demo and static files made ready for `up`, in one Django process; what is unchanged is skipped.

As a program (`python -m kameng.embedded.prepare migrate seed static`) it does the steps and says after each one, on
standard output, its name and seconds. What the commands print goes to standard error.
"""

import contextlib
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

from kameng.embedded import paths
from kameng.embedded.console import Refused, report
from kameng.embedded.processes import die_with_parent

LABELS = {"migrate": "migrations", "seed": "shops and catalogue of the demo", "static": "static files"}
#: Folders of the checkout that hold no part of the application.
NOT_CODE = frozenset({"bench", "docs", "locale", "node_modules", "staticfiles", "templates", "tests", "var"})


def outdated(database_url: str, *, purpose: str) -> dict[str, Callable[[], str]]:
    """The steps to do, each with a function that gives its fingerprint once it is done.

    `purpose` is whatever else the seed depends on.
    """
    var = paths.var()
    code = _code()
    everything = _fingerprint(code)
    static = _fingerprint(sorted(path for path in _static_files(code) if path.is_file()))
    lock = _fingerprint([paths.ROOT / "uv.lock"])
    other_side = _fingerprint(sorted((var / "sandbox").glob("*/*.json")))
    now: dict[str, Callable[[], str]] = {
        "migrate": lambda: _join(migrations_fingerprint(), recorded_migrations(database_url)),
        "seed": lambda: _join(everything, lock, recorded_migrations(database_url), other_side, purpose),
        "static": lambda: _join(static, lock),
    }
    made = {"seed": var / "demo.json", "static": var / "static" / "staticfiles.json"}
    done = read_stamps()
    return {
        name: fingerprint
        for name, fingerprint in now.items()
        if done.get(name) != fingerprint() or (name in made and not made[name].exists())
    }


def migrations_fingerprint() -> str:
    """Changes with every change to what the migrations do."""
    return _join(
        _fingerprint(path for path in _code() if path.parent.name == "migrations"),
        _fingerprint([paths.ROOT / "uv.lock"]),
    )


def recorded_migrations(database_url: str) -> str:
    """What the database says was migrated, and when: another database gives another answer. Raises `Refused`."""
    try:
        connection = psycopg2.connect(urlsplit(database_url)._replace(scheme="postgresql").geturl(), connect_timeout=5)
    except psycopg2.OperationalError as error:
        raise Refused(f"the database does not answer: {' '.join(str(error).split())}") from error
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT string_agg(concat_ws(' ', app, name, applied), ',' ORDER BY id) FROM public.django_migrations"
            )
            row = cursor.fetchone()
            return str(row[0]) if row else ""
    except psycopg2.errors.UndefinedTable:
        return ""
    finally:
        connection.close()


def read_stamps() -> dict[str, str]:
    """Fingerprints of the steps as they were last done."""
    try:
        known: dict[str, str] = json.loads((paths.var() / "stamps.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known


def write_stamp(name: str, fingerprint: str) -> None:
    """Remember that a step is done."""
    paths.write_private(paths.var() / "stamps.json", json.dumps({**read_stamps(), name: fingerprint}))


def run(env: Mapping[str, str], steps: dict[str, Callable[[], str]]) -> None:
    """Do `steps` in a process of their own, and remember each as it is done. Raises `Refused`."""
    for name, label in LABELS.items():
        if name not in steps:
            report(f"{label}: unchanged", 0)
    if not steps:
        return
    log = paths.var() / "log" / "prepare.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", "kameng.embedded.prepare", *steps],
            cwd=paths.ROOT,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            start_new_session=True,
            preexec_fn=die_with_parent(),
        )
        remaining = dict(steps)
        try:
            for line in child.stdout or ():
                name, seconds = line.split()
                write_stamp(name, remaining.pop(name)())
                report(LABELS[name], float(seconds))
            failed = child.wait() != 0
        finally:
            child.kill()
            child.wait()
    if failed:
        said = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        why = said[-1] if said else "it said nothing"
        raise Refused(f"{LABELS[next(iter(remaining))]} failed: {why} ({log})")


def main(steps: list[str]) -> None:
    """Do the steps in this process."""
    import django
    from django.core.management import call_command, get_commands

    django.setup()
    for name in steps:
        started = time.monotonic()
        with contextlib.redirect_stdout(sys.stderr):
            if name == "migrate":
                call_command("migrate_schemas", shared=True, interactive=False, verbosity=1)
                if "migrate_shops" in get_commands():
                    call_command("migrate_shops")
            elif name == "seed":
                call_command("seed_demo")
            else:
                call_command("collectstatic", interactive=False, clear=True, verbosity=0)
        sys.stdout.write(f"{name} {time.monotonic() - started:.2f}\n")
        sys.stdout.flush()


def _code() -> list[Path]:
    return sorted(
        path for folder in _code_folders() for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"
    )


def _code_folders() -> list[Path]:
    return [
        path
        for path in sorted(paths.ROOT.iterdir())
        if path.is_dir() and path.name not in NOT_CODE and not path.name.startswith(".") and path.name != "static"
    ]


def _static_files(code: Iterable[Path]) -> Iterable[Path]:
    yield from (paths.ROOT / "static").rglob("*")
    yield from (path for path in code if "static" in path.parts)


def _fingerprint(files: Iterable[Path]) -> str:
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _join(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
