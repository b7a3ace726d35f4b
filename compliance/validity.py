"""Which required licenses somebody lacks for one thing on one day. Pure.

Purchases and payments ask the database the same question (`compliance/held.py`); tests hold both together.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

#: Days before the end at which people are told; 0 is the day after the last one.
NOTICES = (30, 7, 1)
#: The kind that speaks for a brand (`compliance.models.Kind.BRAND`).
BRAND = "brand"


@dataclass(frozen=True, slots=True)
class Paper:
    """A license that counts: confirmed, neither replaced nor revoked.

    Empty scopes are everything; both ends are included.
    """

    kind: str
    valid_from: date
    valid_until: date | None = None
    categories: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()

    def holds(self, on: date) -> bool:
        """Whether it is valid on a day."""
        return self.valid_from <= on and (self.valid_until is None or on <= self.valid_until)

    def covers(self, category: str, brand: str) -> bool:
        """Whether its scope has this category and this brand; what has no brand is in no scope of brands."""
        in_category = not self.categories or category in self.categories
        return in_category and (not self.brands or brand in self.brands)

    def authorizes(self, category: str, brand: str, on: date) -> bool:
        """Whether it lets its holder use a brand's name there, that day. One that names no brand authorizes none."""
        return self.kind == BRAND and brand in self.brands and self.holds(on) and self.covers(category, brand)


@dataclass(frozen=True, slots=True)
class Permits:
    """What categories (by slug) require of somebody, beside the papers that they have."""

    required: Mapping[str, Sequence[str]] = field(default_factory=dict)
    papers: tuple[Paper, ...] = ()

    def lacking(self, category: str, brand: str, *, on: date) -> list[str]:
        """The kinds that are lacking for something of this category and brand, that day."""
        return lacking(self.required.get(category, ()), self.papers, category=category, brand=brand, on=on)


class State(StrEnum):
    """How a license stands on a day."""

    WAITING = "waiting"
    SENT_BACK = "sent_back"

    VALID = "valid"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    FUTURE = "future"
    REPLACED = "replaced"
    REVOKED = "revoked"


def lacking(required: Iterable[str], papers: Collection[Paper], *, category: str, brand: str, on: date) -> list[str]:
    """The required kinds for which none of the papers is valid and in scope, in the order in which they are asked."""
    fit = {paper.kind for paper in papers if paper.holds(on) and paper.covers(category, brand)}
    return [kind for kind in required if kind not in fit]


def state_of(valid_from: date, valid_until: date | None, *, on: date) -> State:
    """How a license stands that was neither replaced nor revoked."""
    if on < valid_from:
        return State.FUTURE
    if valid_until is None:
        return State.VALID
    left = (valid_until - on).days
    if left < 0:
        return State.EXPIRED
    return State.EXPIRING if left <= NOTICES[0] else State.VALID


def notice_due(valid_until: date | None, *, on: date) -> int | None:
    """The shortest notice that has been reached: 30, 7 or 1 days before the end, 0 once it is over, None before."""
    if valid_until is None:
        return None
    left = (valid_until - on).days
    if left < 0:
        return 0
    return min((days for days in NOTICES if left <= days), default=None)
