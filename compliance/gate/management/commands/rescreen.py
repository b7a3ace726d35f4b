"""`manage.py rescreen`: look at everything that stands by the rules that hold now."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from compliance.gate.rescreening import Outcome, foresee, rescreen_all
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

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what falls."""
        began = time.monotonic()
        outcome: Outcome = foresee() if options["preview"] else rescreen_all()
        for fall in outcome.examples:
            categories = ",".join(dict.fromkeys(finding["category"] for finding in fall.findings))
            self.stdout.write(f"{fall.subject}\t{fall.title}\t{categories}\t{quoted(fall.findings)}")
        if outcome.fell > len(outcome.examples):
            self.stdout.write(f"… and {outcome.fell - len(outcome.examples)} more")
        seconds = time.monotonic() - began
        would = "would fall" if options["preview"] else f"fell, {outcome.rose} came back"
        self.stdout.write(f"{outcome.looked} looked at in {seconds:.1f} s: {outcome.fell} {would}")
