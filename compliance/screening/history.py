"""What a seller has done before says about what they write now. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from compliance.screening.rules import Category, Severity

#: Times that something was held against a seller of late, from which on a person looks at what they write first.
OFTEN = 3


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Why somebody should look, though nothing is found in the words themselves."""

    category: Category
    rule: str
    severity: Severity


def suspicion(against: Sequence[Category]) -> Suspicion | None:
    """Whether a seller has been stopped so often that the next words wait for a person. `against` has the category of
    each time; what comes of it is named by the one that was most often."""
    if len(against) < OFTEN:
        return None
    ((likely, _times),) = Counter(against).most_common(1)
    return Suspicion(likely, "seller-history", Severity.LOW)
