"""Whether a title reads like those of unlawful goods or like those of lawful ones. Pure.

Rules know words; sellers find new ones. What stays is how the rest of such a title sounds. Each pair of neighbors
(which are Chinese characters, Latin words and numbers) weighs by how much more often it stands in unlawful titles than
in lawful ones among those that people have labelled: naive Bayes over pairs, smoothed. A title weighs what its pairs
weigh together. It is used in two places: what resembles unlawful titles very much is looked at by a person, and a
rule's weak signs do not count in a title that reads lawful.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from compliance.screening.rules import Category
from compliance.screening.text import Folded

Pair = tuple[str, str]
#: Pairs of a title that have to be known for it to say anything.
KNOWN = 4
_LONGEST = 200
#: A Latin word is one, and so is a number, all of which are the same: what they are made of says nothing.
_TOKEN = re.compile(r"[a-z]+|[0-9]+|[^\sa-z0-9]")
#: Pairs that one title alone has say nothing; what was never seen on one side is not impossible there.
_SEEN, _SMOOTH = 2, 1.0


@dataclass(frozen=True, slots=True)
class Likeness:
    """What each pair weighs: for unlawful above zero, for lawful below; and what speaks for each category."""

    weights: Mapping[Pair, float]
    categories: Mapping[Category, Mapping[Pair, float]]

    def score(self, title: Folded) -> float:
        """What the pairs of a title weigh together; longer titles are not heavier for being longer."""
        pairs = _pairs(title)
        known = [self.weights[pair] for pair in pairs & self.weights.keys()]
        return sum(known) / math.sqrt(len(pairs)) if len(known) >= KNOWN else 0.0

    def category(self, title: Folded) -> Category:
        """The category whose titles it reads most like."""
        pairs = _pairs(title)
        return max(self.categories, key=lambda one: sum(self.categories[one].get(pair, 0.0) for pair in pairs))

    def heaviest(self, title: Folded) -> tuple[int, int]:
        """Between which places of the plain text the run of pairs stands that weighs most: what to show a person."""
        tokens = [*_TOKEN.finditer(title.plain[:_LONGEST])]
        best, found, start, sum_here = 0.0, (tokens[0].start(), tokens[-1].end()), 0, 0.0
        for place, (one, other) in enumerate(pairwise(tokens)):
            if sum_here <= 0:
                start, sum_here = place, 0.0
            sum_here += self.weights.get((_said(one[0]), _said(other[0])), -0.1)
            if sum_here > best:
                best, found = sum_here, (tokens[start].start(), other.end())
        return found


def learn(titles: Iterable[tuple[str, Category | None]]) -> Likeness:
    """Weigh pairs by titles and what people have said they are; None is lawful."""
    counts: dict[Category | None, Counter[Pair]] = {None: Counter(), **{category: Counter() for category in Category}}
    sizes: Counter[Category | None] = Counter()
    for title, label in titles:
        counts[label].update(_pairs(Folded(title)))
        sizes[label] += 1
    lawful = counts[None]
    unlawful: Counter[Pair] = sum((counts[category] for category in Category), Counter())
    known = {pair for pair in unlawful | lawful if unlawful[pair] + lawful[pair] >= _SEEN}
    most = sizes.total() - sizes[None]
    weights = {pair: _log(unlawful[pair], most) - _log(lawful[pair], sizes[None]) for pair in known}
    categories = {
        category: {pair: _log(counts[category][pair], sizes[category]) for pair in known if unlawful[pair]}
        for category in Category
    }
    return Likeness(weights, categories)


def _log(count: int, size: int) -> float:
    return math.log((count + _SMOOTH) / (size + 2 * _SMOOTH))


def _said(token: str) -> str:
    return "0" if token[0].isdigit() and token.isascii() else token


def _pairs(title: Folded) -> set[Pair]:
    return set(pairwise(map(_said, _TOKEN.findall(title.plain[:_LONGEST]))))
