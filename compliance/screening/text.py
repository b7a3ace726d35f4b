"""What a text says below the tricks with which it is written, and where in the original each part of that stands. Pure.

Each character of the original folds to none, one or several: invisible ones to none, spaces and signs to a space, the
ends of lines and sentences to a line feed, everything else to lower-case letters, digits and simplified Chinese
characters. Full width, accents, letters that only look Latin and a few emoji are written out on the way, tags of HTML
are taken off and its entities read. What is left without the spaces is the skeleton, in which terms are looked for.
"""

import html
import re
import unicodedata
from collections.abc import Iterator
from functools import cached_property
from importlib import resources

#: Characters of one field that are looked at.
MAX_TEXT = 250_000

SPACE, BREAK = " ", "\n"

_DATA = resources.files("compliance.screening") / "data"
#: What ends a line or a sentence. A comma does not: it is the sign that is put inside words most.
_BREAKS = frozenset("\n\r\v\f\x85\u2028\u2029。！？!?；;")
#: Letters by their category that nobody sees: fillers of Hangul, and the blank of Braille.
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0\u2800")
#: A tag or an entity. Both are bounded, so that a text full of `<` costs no more than its length.
_MARKUP = re.compile(
    r"<[!/]?[A-Za-z][^<>]{0,300}>|<!--[^<>]{0,300}-->|&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,12});"
)
_BLOCKS = re.compile(r"</?(?:br|p|div|li|ul|ol|tr|td|th|h[1-6]|table|section|hr)\b", re.IGNORECASE)
_HIDDEN = re.compile(f"[{SPACE}{BREAK}]+")


def pairs_of(name: str) -> Iterator[tuple[str, str]]:
    """The first word of each line of a data file with the rest of it."""
    for line in (_DATA / name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            first, _, rest = line.partition(" ")
            yield first, rest


class Folding(dict[str, str]):
    """What a character folds to. Filled as characters turn up; there are not many in all that is ever sold."""

    def __init__(self) -> None:
        """With what is taken for something else."""
        super().__init__()
        self.simplified = {
            pair[0]: pair[1] for first, rest in pairs_of("simplified.txt") for pair in (first, *rest.split())
        }
        self.lookalikes = {char: taken for taken, chars in pairs_of("lookalikes.txt") for char in chars}

    def __missing__(self, char: str) -> str:
        folded = "".join(map(self._one, self.lookalikes.get(char) or self._compatible(char)))
        # A sign that decomposes into several (½, ㈱) is as good as one.
        self[char] = folded = _HIDDEN.sub(lambda match: match[0][0], folded)
        return folded

    def _compatible(self, char: str) -> str:
        return unicodedata.normalize("NFKC", char)

    def _one(self, char: str) -> str:
        if char in _BREAKS:
            return BREAK
        if char in _UNSEEN:
            return ""
        if char.isalnum():
            # Without its accents, which NFD takes apart; then a base that looks Latin is written as Latin.
            bare = unicodedata.normalize("NFD", self.lookalikes.get(char, char)).casefold()
            kept = (self.lookalikes.get(part, part) for part in bare if not unicodedata.combining(part))
            return "".join(self.simplified.get(part, part) for part in kept)
        kind = unicodedata.category(char)
        if char in "\t" or kind[0] in "ZPS":
            return SPACE
        return ""  # marks, controls, formats, surrogates, what is not assigned


FOLDING = Folding()


def fold(text: str) -> str:
    """The skeleton of a term: what it folds to, without spaces and signs."""
    return _HIDDEN.sub("", "".join(map(FOLDING.__getitem__, text)))


class Folded:
    """A text and what it folds to. Places in the original are counted only where somebody asks for them."""

    def __init__(self, original: str) -> None:
        """Fold a text, up to `MAX_TEXT` characters of it."""
        self.original = original[:MAX_TEXT]
        self._markup = [*_MARKUP.finditer(self.original)] if "<" in original or "&" in original else []
        if self._markup:
            self.plain = "".join(folded for _, _, folded in self._pieces())
        else:
            self.plain = "".join(map(FOLDING.__getitem__, self.original))

    @cached_property
    def skeleton(self) -> str:
        """The plain text without the spaces and line feeds."""
        return self.plain.replace(SPACE, "").replace(BREAK, "")

    @cached_property
    def plain_spans(self) -> list[tuple[int, int]]:
        """For each character of the plain text, the start and the end of what it stands for in the original."""
        return [(start, end) for start, end, folded in self._pieces() for _ in folded]

    @cached_property
    def places(self) -> list[int]:
        """For each character of the skeleton, its place in the plain text."""
        return [place for place, char in enumerate(self.plain) if char not in (SPACE, BREAK)]

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The start and the end in the original of what is between two places of the plain text."""
        return self.plain_spans[start][0], self.plain_spans[end - 1][1]

    def _pieces(self) -> Iterator[tuple[int, int, str]]:
        """Each piece of the original that folds as one, with its start and its end."""
        text, at = self.original, 0
        for match in self._markup:
            yield from ((place, place + 1, FOLDING[text[place]]) for place in range(at, match.start()))
            yield match.start(), match.end(), self._read(match[0])
            at = match.end()
        yield from ((place, place + 1, FOLDING[text[place]]) for place in range(at, len(text)))

    @staticmethod
    def _read(markup: str) -> str:
        if markup[0] == "&":
            return "".join(map(FOLDING.__getitem__, html.unescape(markup)))
        return BREAK if _BLOCKS.match(markup) else ""
