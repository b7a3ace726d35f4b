"""How well the rules do on titles of which people have said what they are. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from compliance.screening.book import Book
from compliance.screening.engine import screen
from compliance.screening.labelled import Labelled
from compliance.screening.listing import Screening, Subject, Verdict
from compliance.screening.rules import Category


@dataclass(slots=True)
class Figures:
    """How many unlawful titles of each category were found at all, and under it; how many lawful ones were found."""

    unlawful: Counter[Category] = field(default_factory=Counter)
    found: Counter[Category] = field(default_factory=Counter)
    named: Counter[Category] = field(default_factory=Counter)
    lawful: int = 0
    false_alarms: int = 0
    missed: list[Labelled] = field(default_factory=list)
    alarmed: list[tuple[Labelled, Screening]] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """The part of the unlawful titles that is not clear, from 0 to 1."""
        return self.found.total() / self.unlawful.total() if self.unlawful else 1.0

    @property
    def false_alarm_rate(self) -> float:
        """The part of the lawful titles that is not clear, from 0 to 1."""
        return self.false_alarms / self.lawful if self.lawful else 0.0


def figures(rows: Iterable[Labelled], book: Book) -> Figures:
    """Screen titles and count."""
    counted = Figures()
    for row in rows:
        screening = screen(subject_of(row), book)
        caught = screening.verdict is not Verdict.CLEAR
        if row.expected is None:
            counted.lawful += 1
            counted.false_alarms += caught
            if caught:
                counted.alarmed.append((row, screening))
            continue
        counted.unlawful[row.expected] += 1
        counted.found[row.expected] += caught
        counted.named[row.expected] += any(finding.category is row.expected for finding in screening.findings)
        if not caught:
            counted.missed.append(row)
    return counted


def subject_of(row: Labelled) -> Subject:
    """A labelled title as something to screen."""
    return Subject(
        title=row.title,
        description=row.description,
        category=row.category,
        price=row.price,
        official_price=row.official_price,
    )
