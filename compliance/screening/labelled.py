"""Titles of which people have said what they are, and how well the rules do on them. Pure.

The titles were written in the style of sellers, before the rules. Three in ten of them, by a digest of the title, are
held out: nobody looks at them one by one while rules are changed, so that their figures say what to expect of titles
that nobody has seen.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from importlib import resources

from compliance.screening.book import Book
from compliance.screening.engine import Subject, Verdict, screen
from compliance.screening.rules import Category


@dataclass(frozen=True, slots=True)
class Labelled:
    """A listing, what it is unlawful for (None: nothing), and whether it is one of those `held_out` or for `tuning`."""

    subject: Subject
    expected: Category | None
    part: str


@dataclass(slots=True)
class Figures:
    """How many unlawful titles of each category were found at all, and under it; how many lawful ones were found."""

    unlawful: Counter[Category] = field(default_factory=Counter)
    found: Counter[Category] = field(default_factory=Counter)
    named: Counter[Category] = field(default_factory=Counter)
    lawful: int = 0
    false_alarms: int = 0
    missed: list[Labelled] = field(default_factory=list)
    alarmed: list[Labelled] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The part of the unlawful titles that is not clear, from 0 to 1."""
        return self.found.total() / self.unlawful.total() if self.unlawful else 1.0

    @property
    def false_alarm_rate(self) -> float:
        """The part of the lawful titles that is not clear, from 0 to 1."""
        return self.false_alarms / self.lawful if self.lawful else 0.0


@lru_cache(maxsize=1)
def labelled() -> tuple[Labelled, ...]:
    """The set that comes with the software."""
    lines = (resources.files("compliance.screening") / "data" / "labelled.jsonl").read_text("utf-8").splitlines()
    return tuple(map(_read, map(json.loads, lines)))


def figures(rows: Iterable[Labelled], book: Book) -> Figures:
    """Screen titles and count."""
    counted = Figures()
    for row in rows:
        screening = screen(row.subject, book)
        caught = screening.verdict is not Verdict.CLEAR
        if row.expected is None:
            counted.lawful += 1
            counted.false_alarms += caught
            if caught:
                counted.alarmed.append(row)
            continue
        counted.unlawful[row.expected] += 1
        counted.found[row.expected] += caught
        counted.named[row.expected] += any(finding.category is row.expected for finding in screening.findings)
        if not caught:
            counted.missed.append(row)
    return counted


def _read(entry: dict[str, str | None]) -> Labelled:
    price, official = entry.get("price"), entry.get("official_price")
    expected = entry["expected"]
    subject = Subject(
        title=entry["title"] or "",
        description=entry.get("description") or "",
        category=entry.get("category") or "",
        price=Decimal(price) if price else None,
        official_price=Decimal(official) if official else None,
    )
    return Labelled(subject, Category(expected) if expected else None, str(entry["part"]))
