"""Every rule that needs no test: style, types, layers, templates, migrations, translations."""

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kameng.embedded import paths
from kameng.embedded.bootstrap import VENV
from kameng.embedded.console import report, say

SIDE_BY_SIDE = 2


@dataclass(frozen=True)
class Check:
    """A program that ends with 0 where its rule holds, and else says where it does not."""

    name: str
    command: list[str]
    heard: bool = False  #: whether what it prints is shown although its rule holds


@dataclass(frozen=True)
class Finding:
    """What became of a check."""

    check: Check
    passed: bool
    output: str
    seconds: float


class Command(BaseCommand):
    help = "Check style, types, layers, templates, migrations and translations. Exits 1 where a rule is broken."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        say("Kameng: lint")
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            findings = []
            for finding in pool.map(run, checks(paths.ROOT)):
                report(f"{finding.check.name}: {'well' if finding.passed else 'BROKEN'}", finding.seconds)
                findings.append(finding)
                if finding.passed and finding.check.heard and finding.output.strip():
                    say(finding.output.strip())
        broken = [finding for finding in findings if not finding.passed]
        for finding in broken:
            say(f"\n--- {finding.check.name}: {' '.join(finding.check.command)}\n{finding.output.strip()}")
        if broken:
            raise CommandError(
                f"{len(broken)} of {len(findings)} checks failed: {', '.join(f.check.name for f in broken)}"
            )


def checks(root: Path) -> list[Check]:
    """All checks, the slow one first."""
    python = sys.executable
    templates = sorted(str(path.relative_to(root)) for path in root.glob("**/templates") if not _foreign(path, root))
    return [
        Check("types (mypy)", [python, "-m", "mypy", "."]),
        Check("style (ruff check)", [python, "-m", "ruff", "check", "."]),
        Check("format (ruff format)", [python, "-m", "ruff", "format", "--check", "."]),
        Check("layers (import-linter)", [python, str(VENV / "bin" / "lint-imports"), "--no-logo"]),
        Check("templates (djlint)", [python, "-m", "djlint", "--check", *templates]),
        Check("migrations", [python, "manage.py", "makemigrations", "--check", "--dry-run"]),
        Check("old code and migrations", [python, "manage.py", "migrations_check"]),
        Check("translations", [python, "manage.py", "translations", "--check"], heard=True),
    ]


def run(check: Check) -> Finding:
    """Run one check where no server answers."""
    started = time.monotonic()
    done = subprocess.run(
        check.command,
        cwd=paths.ROOT,
        env={**os.environ, "KAMENG_OFFLINE": "1", "DJANGO_SETTINGS_MODULE": "kameng.settings.base"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Finding(check, done.returncode == 0, done.stdout, time.monotonic() - started)


def _foreign(path: Path, root: Path) -> bool:
    return any(part.startswith(".") or part in {"var", "node_modules"} for part in path.relative_to(root).parts)
