"""`manage.py rescreen`: look at everything that stands by the rules that hold now."""

import time
from argparse import ArgumentParser, ArgumentTypeError
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import django
from django.core.management.base import BaseCommand

from compliance.gate.rescreening import Outcome, foresee, piece_rescreen, pieces, rescreen_all
from compliance.gate.words import quoted


class Command(BaseCommand):
    """After an upgrade, or to be sure; changes to rules are followed by themselves."""

    help = (
        "Screens every product, every listing with an own name and the words of every shop again. What falls leaves "
        "sale and waits for a person; what is clear now comes back. Prints the first that fall, then one line of "
        "figures."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether to do it."""
        parser.add_argument("--preview", action="store_true", help="print what would fall, and change nothing")
        parser.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="processes that look side by side")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what falls."""
        began = time.monotonic()
        if options["preview"]:
            outcome = foresee()
        else:
            outcome = _side_by_side(options["jobs"]) if options["jobs"] > 1 else rescreen_all()
        for fall in outcome.examples:
            categories = ",".join(dict.fromkeys(finding["category"] for finding in fall.findings))
            self.stdout.write(f"{fall.subject}\t{fall.title}\t{categories}\t{quoted(fall.findings)}")
        if outcome.fell > len(outcome.examples):
            self.stdout.write(f"… and {outcome.fell - len(outcome.examples)} more")
        seconds = time.monotonic() - began
        would = "would fall" if options["preview"] else f"fell, {outcome.rose} came back"
        self.stdout.write(f"{outcome.looked} looked at in {seconds:.1f} s: {outcome.fell} {would}")


def _side_by_side(jobs: int) -> Outcome:
    """In as many processes of their own, which begin from nothing and share no connection."""
    outcome = Outcome()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=django.setup) as pool:
        for found in pool.map(piece_rescreen, pieces()):
            outcome.add(found)
    return outcome


def _jobs(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 64:
        raise ArgumentTypeError("1 to 64")
    return number
