"""`manage.py audit`: whether every promise holds, one line each."""

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from kameng.audit.reading import Verdict
from kameng.audit.services import audit


class Command(BaseCommand):
    """Reads only; may be run at any time, also while the platform works."""

    help = "Checks the invariants over all shops. Exits with 1 if any is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where else to look than into the database."""
        parser.add_argument("--json", action="store_true", help="one JSON document for programs")
        parser.add_argument(
            "--logs", type=Path, default=settings.VAR_DIR / "log", help="log files to look through for codes and keys"
        )
        parser.add_argument("--sandbox", default="", metavar="URL", help="compare with the sandbox's own books")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what holds and what does not."""
        began = time.monotonic()
        try:
            verdicts = audit(logs=options["logs"], sandbox=options["sandbox"].rstrip("/"))
        except OSError as error:
            raise CommandError(f"the sandbox's books cannot be read: {error}") from error
        if options["json"]:
            self.stdout.write(_document(verdicts, seconds=time.monotonic() - began))
        else:
            for verdict in verdicts:
                self.stdout.write(_line(verdict))
        if not all(verdict.ok for verdict in verdicts):
            raise SystemExit(1)


def _line(verdict: Verdict) -> str:
    head = f"{verdict.code:<4} {'ok    ' if verdict.ok else 'BROKEN'} {verdict.promise}"
    if verdict.ok:
        return head
    more = f"; and {verdict.broken - len(verdict.examples)} more" if verdict.broken > len(verdict.examples) else ""
    return f"{head} ({verdict.broken}): {'; '.join(verdict.examples)}{more}"


def _document(verdicts: list[Verdict], *, seconds: float) -> str:
    return json.dumps(
        {
            "ok": all(verdict.ok for verdict in verdicts),
            "seconds": round(seconds, 3),
            "invariants": [
                {
                    "code": verdict.code,
                    "promise": verdict.promise,
                    "ok": verdict.ok,
                    "broken": verdict.broken,
                    "examples": verdict.examples,
                }
                for verdict in verdicts
            ],
        },
        ensure_ascii=False,
        indent=2,
    )
