"""`manage.py screening_figures`: how well rules do on labelled titles, and likeness on drawn logos."""

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from compliance.screening import drawn_logos
from compliance.screening.book import built_in_book
from compliance.screening.drawn_logos import PictureFigures
from compliance.screening.figures import Figures, figures
from compliance.screening.labelled import HELD_OUT, TUNING, labelled
from compliance.screening.rules import Category

#: What is to hold on titles that nobody has seen.
RECALL, FALSE_ALARMS = 0.97, 0.02


class Command(BaseCommand):
    """Works without a database, with the rules that come with the software."""

    help = (
        "Screens the labelled titles and drawn logos, and prints recall and false alarms, the held-out part by itself."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Whether to name names."""
        parser.add_argument(
            "--failures", action="store_true", help="also print what went wrong, of the part that rules are tuned by"
        )
        parser.add_argument(
            "--every", type=int, default=1, help="of what sellers do to a logo, draw one in so many, another for each"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Exits with 1 where the held-out part misses the goals."""
        book = built_in_book()
        parts = {}
        began = time.process_time()
        for part in (TUNING, HELD_OUT):
            parts[part] = figures((row for row in labelled() if row.part == part), book)
        took = time.process_time() - began
        self.stdout.write(f"{'':<20}{'tuning':>24}{'held out':>24}")
        self.stdout.write(
            f"{'unlawful':<20}{'found':>10}{'recall':>7}{'named':>7}{'found':>10}{'recall':>7}{'named':>7}"
        )
        for category in Category:
            cells = "".join(_cells(parts[part], category) for part in (TUNING, HELD_OUT))
            self.stdout.write(f"{category:<20}{cells}")
        self.stdout.write(f"{'all':<20}{''.join(_cells(parts[part]) for part in (TUNING, HELD_OUT))}")
        alarms = "".join(
            f"{f'{one.false_alarms}/{one.lawful}':>10}{one.false_alarm_rate:>7.2%}{'':>7}" for one in parts.values()
        )
        self.stdout.write(f"{'lawful: false alarms':<20}{alarms}")
        self.stdout.write(f"{took / len(labelled()) * 1000:.2f} ms of processor time for a title")
        if options["failures"]:
            self._failures(parts[TUNING])
        judged = parts[HELD_OUT]
        drawn = self._pictures(failures=options["failures"], every=options["every"])
        if any(one.recall < RECALL or one.false_alarm_rate > FALSE_ALARMS for one in (judged, drawn)):
            raise SystemExit(1)

    def _pictures(self, *, failures: bool, every: int) -> PictureFigures:
        """Drawn logos: those by which thresholds were tuned, and those that nobody looked at, which are returned."""
        parts = {}
        for part, numbers in ((TUNING, drawn_logos.TUNING), (HELD_OUT, drawn_logos.HELD_OUT)):
            parts[part] = one = drawn_logos.picture_figures(numbers, every=every)
            self.stdout.write(
                f"pictures, {part}: {one.variants - len(one.missed)}/{one.variants} variants of {one.logos} logos "
                f"found ({one.recall:.1%}), {len(one.alarms)}/{one.others} false alarms ({one.false_alarm_rate:.2%}), "
                f"{one.seconds / max(one.taken, 1) * 1000:.1f} ms of processor time for a picture"
            )
        for line in (*parts[TUNING].missed, *parts[TUNING].alarms) if failures else ():
            self.stdout.write(f"picture: {line}")
        return parts[HELD_OUT]

    def _failures(self, judged: Figures) -> None:
        for row in judged.missed:
            self.stdout.write(f"missed ({row.expected}): {row.title}")
        for row, screening in judged.alarmed:
            reasons = ", ".join(f"{one.rule} {one.span.text!r}" if one.span else one.rule for one in screening.findings)
            self.stdout.write(f"false alarm: {row.title} ({reasons})")


def _cells(judged: Figures, category: Category | None = None) -> str:
    found, named, unlawful = (
        counter[category] if category else counter.total() for counter in (judged.found, judged.named, judged.unlawful)
    )
    part = max(unlawful, 1)
    return f"{f'{found}/{unlawful}':>10}{found / part:>7.1%}{named / part:>7.1%}"
