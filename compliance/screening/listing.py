"""What is screened, and what comes of it: plain values. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from compliance.screening.pictures import Alike
from compliance.screening.rules import Category, Severity


class Verdict(StrEnum):
    """What comes of a screening."""

    CLEAR = "clear"
    FLAGGED = "flagged"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: the texts that a shopper reads, and what is known of the goods. Unknown is empty or None.

    `category` is the name or the slug of a category, `kind` one of the catalogue's kinds; `authorized` is whether a
    license of the brand covers it, `licensed` are names of brands that may be come close to in any case.
    """

    title: str
    description: str = ""
    variants: tuple[str, ...] = ()
    announcement: str = ""
    instructions: str = ""
    form_labels: tuple[str, ...] = ()
    brand: str = ""
    category: str = ""
    kind: str = ""
    price: Decimal | None = None
    official_price: Decimal | None = None
    authorized: bool = False
    licensed: frozenset[str] = frozenset()
    #: The category of each time that something was held against the seller of late.
    against: tuple[Category, ...] = ()
    #: The brands whose logos the picture looks like, where it is one that is looked at.
    alike: tuple[Alike, ...] = ()

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each text with the name of its field."""
        yield "title", self.title
        yield "description", self.description
        yield "announcement", self.announcement
        yield "instructions", self.instructions
        yield "brand", self.brand
        yield "category", self.category
        yield from ((f"variants[{number}]", name) for number, name in enumerate(self.variants))
        yield from ((f"form_labels[{number}]", label) for number, label in enumerate(self.form_labels))


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a field as it was written: `text` is the field from `start` to `end`."""

    field: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason against a listing, where it stands, and what near it made it one."""

    category: Category
    rule: str
    severity: Severity
    span: Span | None
    because: tuple[Span, ...] = ()
    #: What the picture looks like, where that is the reason.
    alike: Alike | None = None


@dataclass(frozen=True, slots=True)
class Screening:
    """The findings, most severe first, and what comes of them."""

    verdict: Verdict
    findings: tuple[Finding, ...]


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Blocked by anything severe, flagged by anything else."""
    severities = {finding.severity for finding in findings}
    if Severity.HIGH in severities:
        return Verdict.BLOCKED
    return Verdict.FLAGGED if severities else Verdict.CLEAR
