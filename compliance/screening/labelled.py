"""Titles of which people have said what they are. Pure.

They were written in the style of sellers, in batches. Three in ten of a batch, by a digest of the title, are held
out, and all of the last one: nobody looks at them one by one while rules are changed, and no weight is learned from
them, so that their figures say what to expect of titles that nobody has seen. Batches that rules were improved by are
for tuning altogether.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from importlib import resources

from compliance.screening.likeness import Likeness, learn
from compliance.screening.rules import Category

TUNING, HELD_OUT = "tuning", "held_out"


@dataclass(frozen=True, slots=True)
class Labelled:
    """A listing, what it is unlawful for (None: nothing), and its part: tuning or held out."""

    title: str
    expected: Category | None
    part: str
    description: str = ""
    category: str = ""
    price: Decimal | None = None
    official_price: Decimal | None = None


def labelled() -> tuple[Labelled, ...]:
    """The set that comes with the software; read anew each time, for it is megabytes that hardly anybody needs."""
    lines = (resources.files("compliance.screening") / "data" / "labelled.jsonl").read_text("utf-8").splitlines()
    return tuple(map(_read, map(json.loads, lines)))


@lru_cache(maxsize=1)
def built_in_likeness() -> Likeness:
    """Learned from those titles that are not held out."""
    return learn((row.title, row.expected) for row in labelled() if row.part == TUNING)


def _read(entry: dict[str, str | None]) -> Labelled:
    price, official, expected = entry.get("price"), entry.get("official_price"), entry["expected"]
    return Labelled(
        title=entry["title"] or "",
        expected=Category(expected) if expected else None,
        part=entry["part"] or TUNING,
        description=entry.get("description") or "",
        category=entry.get("category") or "",
        price=Decimal(price) if price else None,
        official_price=Decimal(official) if official else None,
    )
