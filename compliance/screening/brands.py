"""Names that come close to a protected brand without being it. Pure."""

import re
import tomllib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from compliance.screening.readings import sound_of, sounds_of
from compliance.screening.text import Folded, fold

#: Changes to a name, as a part of its length, up to which it is still taken for the other.
NEAR = 0.25
_SHORTEST = 4
_MAX_TITLE = 400
_MAX_BRAND = 60
#: A word in which a letter may have been replaced by what looks like it.
_WORD = re.compile(r"[A-Za-z0-9|$@]+")
_SEEMS = str.maketrans(
    {"0": "o", "1": "l", "|": "l", "i": "l", "3": "e", "4": "a", "@": "a", "5": "s", "$": "s", "8": "b"}
)
_PAIRS = (("rn", "m"), ("vv", "w"), ("cl", "d"))


@dataclass(frozen=True, slots=True)
class Lookalike:
    """A part of a field that looks or sounds like a protected name."""

    rule: str
    field: str
    start: int
    end: int
    text: str
    brand: str


@dataclass(frozen=True, slots=True)
class _Names:
    latin: dict[str, str]  #: what a name seems to be, by its looks → the name
    sounds: dict[str, str]  #: what it sounds like → the name
    exact: frozenset[str]
    imitations: tuple[str, ...]


@lru_cache(maxsize=1)
def _names() -> _Names:
    table = tomllib.loads((resources.files("compliance.screening") / "data" / "brands.toml").read_text("utf-8"))
    latin = {_looks(name): name for name in table["latin"]}
    sounds = {sound: name for name in table["chinese"] if len(name) > 2 and (sound := sound_of(fold(name)))}
    exact = frozenset(map(fold, (*table["latin"], *table["chinese"])))
    return _Names(latin, sounds, exact, tuple(map(fold, table["imitations"])))


def lookalikes(title: str, *, brand: str = "", authorized: bool = False) -> Iterator[Lookalike]:
    """Where a title, or the brand that a seller names, is nearly a protected name. Nothing where that is authorized."""
    if authorized:
        return
    names = _names()
    for word in _WORD.finditer(title[:_MAX_TITLE]):
        written = word[0].lower()
        if len(written) < _SHORTEST or written in names.exact:
            continue
        meant = names.latin.get(_looks(written))
        if meant and meant != written:
            yield Lookalike("brand-imitated", "title", *word.span(), word[0], meant)
    skeleton = fold(title[:_MAX_TITLE])
    for wrong in names.imitations:
        if wrong in skeleton:
            text = Folded(title[:_MAX_TITLE])
            at = text.skeleton.find(wrong)
            if at < 0:
                continue  # put together by what HTML hides
            start, end = text.span(text.places[at], text.places[at + len(wrong) - 1] + 1)
            yield Lookalike("brand-imitated", "title", start, end, title[start:end], wrong)
    yield from _claimed(brand[:_MAX_BRAND], names)


def is_named(found: str, names: Collection[str]) -> bool:
    """Whether the name that something comes close to is one of these, as it is written or as it sounds."""
    folded = {fold(name) for name in names}
    sound = sound_of(fold(found))
    return fold(found) in folded or (bool(sound) and sound in {sound_of(name) for name in folded})


def _claimed(brand: str, names: _Names) -> Iterator[Lookalike]:
    """The brand that a seller names, when it is one changed a little."""
    claimed = fold(brand)
    if len(claimed) < 2 or claimed in names.exact:
        return
    near = _nearest(claimed)
    if near:
        yield Lookalike("brand-imitated", "brand", 0, len(brand), brand, near)


@lru_cache(maxsize=1024)
def _nearest(claimed: str) -> str | None:
    """The protected name that a brand comes close to. There are few brands, and many listings of each."""
    names = _names()
    near = names.sounds.get(sounds_of(claimed)) or names.latin.get(_looks(claimed))
    if near is None:
        near = next((name for name in names.exact if len(name) >= _SHORTEST and distance(claimed, name) <= NEAR), None)
    return near


def distance(one: str, other: str) -> float:
    """The edits that turn one word into another, as a part of the longer one's length: 0 is equal, 1 is all of it."""
    longest = max(len(one), len(other))
    if not longest:
        return 0.0
    row = list(range(len(other) + 1))
    for place, char in enumerate(one, 1):
        corner, row[0] = row[0], place
        for column, match in enumerate(other, 1):
            corner, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, corner + (char != match))
    return row[-1] / longest


def _looks(word: str) -> str:
    for pair, letter in _PAIRS:
        word = word.replace(pair, letter)
    return word.translate(_SEEMS)
