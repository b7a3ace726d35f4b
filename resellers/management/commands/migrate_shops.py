"""`manage.py migrate_shops`: bring every shop's schema up to the code; those that are there already cost one query."""

import re
import time
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from resellers.migrating import JOBS, LOCK_TIMEOUT_MS, Outcome, shops_behind, shops_migrate
from resellers.shop_template import template_is_current

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s)", re.ASCII)


def milliseconds(text: str) -> int:
    """`2s` or `500ms` as milliseconds, at least one. Raises `ArgumentTypeError`."""
    found = _DURATION.fullmatch(text)
    value = round(float(found[1]) * (1000 if found[2] == "s" else 1)) if found else 0
    if value < 1:
        raise ArgumentTypeError(f"{text!r} is no duration like 2s or 500ms")
    return value


def _jobs(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ArgumentTypeError("at least one")
    return number


class Command(BaseCommand):
    """Doorway to `shops_migrate`, public first."""

    help = "Migrates the public schema, then each shop that is behind. May be stopped and run again."
    #: They load every page of the site, which is a good part of what a look at a thousand shops costs.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """`--check` changes nothing."""
        parser.add_argument("--check", action="store_true", help="only say which shops are behind; exit 1 if any is")
        parser.add_argument("--jobs", type=_jobs, default=JOBS, metavar="N", help=f"shops at a time (default {JOBS})")
        parser.add_argument(
            "--lock-timeout", type=milliseconds, default=LOCK_TIMEOUT_MS, metavar="2s", dest="lock_timeout_ms",
            help="how long a statement may wait for a lock, and keep who comes after it waiting (default 2s)",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        """One line a shop, or one line that is written anew on a terminal; exit 1 where a shop is left behind."""
        if options["check"]:
            behind = shops_behind()
            for shop in behind:
                self.stdout.write(f"{shop.shop.schema_name} lacks {', '.join(shop.missing)}")
            self.stdout.write(f"{len(behind)} shops are behind")
            raise SystemExit(1 if behind else 0)
        call_command("migrate_schemas", shared=True, verbosity=0)
        if not template_is_current():
            self.stderr.write("the template of new shops is behind: none can be opened until `manage.py shop_template`")
        behind = shops_behind()  # only now: the table of shops may have been made a moment ago
        done, left = 0, list[Outcome]()
        begun = time.monotonic()
        for outcome in shops_migrate(behind, jobs=options["jobs"], lock_timeout_ms=options["lock_timeout_ms"]):
            if outcome.left:
                left.append(outcome)
            else:
                done += 1
            self._tell(outcome, done + len(left), len(behind), time.monotonic() - begun)
        if self.stdout.isatty() and (done or left):
            self.stdout.write("")
        self.stdout.write(f"{done} shops migrated")
        if left:
            for outcome in left:
                self.stderr.write(f"{outcome.shop.schema_name} is left behind: {outcome.left}")
            self.stderr.write(f"{len(left)} shops are left behind; run it again")
            raise SystemExit(1)

    def _tell(self, outcome: Outcome, ended: int, total: int, seconds: float) -> None:
        if self.stdout.isatty():
            total = max(total, ended)  # shops that were opened meanwhile come on top
            more = round(seconds / ended * (total - ended))
            self.stdout.write(f"\r{ended}/{total} shops, about {more} s left    ", ending="")
            self.stdout.flush()
        elif not outcome.left:
            self.stdout.write(f"{outcome.shop.schema_name}: {len(outcome.missing)} migrations")
