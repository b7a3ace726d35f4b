"""`manage.py audit`: whether every promise holds, one line each."""

import json
import re
import time
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from kameng.audit.reach import Scope
from kameng.audit.reading import Verdict
from kameng.audit.services import audit

_AGO = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> datetime:
    """A moment that has been: `90m`, `26h` or `3d` ago, or as ISO 8601 writes it (the platform's time zone unless it
    says another). Raises `ArgumentTypeError`."""
    if ago := _AGO.fullmatch(text):
        return timezone.now() - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        expected = "a time like 90m, 26h or 3d or a moment like 2026-11-28T03:00"
        raise ArgumentTypeError(f"not {expected}: {text!r}") from error
    at = parsed if timezone.is_aware(parsed) else timezone.make_aware(parsed)
    if at > timezone.now():
        raise ArgumentTypeError(f"still to come: {text}")
    return at


class Command(BaseCommand):
    """Reads only; may be run at any time, also while the platform works."""

    help = "Checks the invariants over all shops. Exits with 1 if any is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Where else to look than into the database."""
        parser.add_argument(
            "--since",
            type=moment,
            metavar="MOMENT",
            help="look only at open orders and those to which something happened since then (90m, 26h, 3d ago, or a"
            " moment as ISO 8601 writes it); each line says what was not looked at",
        )
        parser.add_argument("--json", action="store_true", help="one JSON document for programs")
        parser.add_argument(
            "--logs", type=Path, default=settings.VAR_DIR / "log", help="log files to look through for codes and keys"
        )
        parser.add_argument("--sandbox", default="", metavar="URL", help="compare with the sandbox's own books")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what holds and what does not."""
        began, since = time.monotonic(), options["since"]
        try:
            verdicts = audit(since=since, logs=options["logs"], sandbox=options["sandbox"].rstrip("/"))
        except OSError as error:
            raise CommandError(f"the sandbox's books cannot be read: {error}") from error
        if options["json"]:
            self.stdout.write(_document(verdicts, seconds=time.monotonic() - began, since=since))
        else:
            for verdict in verdicts:
                self.stdout.write(_line(verdict, since=since))
        if not all(verdict.ok for verdict in verdicts):
            raise SystemExit(1)


def _line(verdict: Verdict, *, since: datetime | None) -> str:
    head = f"{verdict.code:<4} {'ok    ' if verdict.ok else 'BROKEN'} {verdict.promise}{_reach(verdict, since)}"
    if verdict.ok:
        return head
    more = f"; and {verdict.broken - len(verdict.examples)} more" if verdict.broken > len(verdict.examples) else ""
    return f"{head} ({verdict.broken}): {'; '.join(verdict.examples)}{more}"


def _reach(verdict: Verdict, since: datetime | None) -> str:
    """Nothing where everything was looked at."""
    if since is None or verdict.scope is Scope.WHOLE:
        return ""
    without = f", without {', '.join(verdict.left_out)}" if verdict.left_out else ""
    return f" [since {timezone.localtime(since).isoformat(timespec='seconds')}{without}]"


def _document(verdicts: list[Verdict], *, seconds: float, since: datetime | None) -> str:
    told: dict[str, Any] = {"ok": all(verdict.ok for verdict in verdicts), "seconds": round(seconds, 3)}
    if since is not None:
        told["since"] = since.isoformat()
    told["invariants"] = [_entry(verdict, is_partial=since is not None) for verdict in verdicts]
    return json.dumps(told, ensure_ascii=False, indent=2)


def _entry(verdict: Verdict, *, is_partial: bool) -> dict[str, Any]:
    entry = {
        "code": verdict.code,
        "promise": verdict.promise,
        "ok": verdict.ok,
        "broken": verdict.broken,
        "examples": verdict.examples,
    }
    return entry | ({"scope": verdict.scope, "left_out": verdict.left_out} if is_partial else {})
