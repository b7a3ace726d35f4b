"""Finding the words of a book in the fields of a listing. Pure."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice, pairwise
from string import ascii_lowercase

from compliance.screening.book import Book, Entry, sounds_close
from compliance.screening.readings import Unit, sounds_of, units_of
from compliance.screening.rules import GOODS, GOODS_OF_WORKS, HONEST, PAPER
from compliance.screening.text import BREAK, SPACE, Folded

#: The number of the title among the fields.
TITLE = 0
#: Times that one word is looked at in one field, and hits of one kind that are remembered there.
_MAX_TIMES = 200
_MAX_HITS = 1000
#: What a word may take in the plain text, with the signs that were put into it.
_LONGEST = 200
#: Groups whose words speak for a listing.
_IN_FAVOR = frozenset({HONEST, GOODS, GOODS_OF_WORKS, PAPER})
#: Letters of an abbreviation, which a number of goods may have by chance.
_LONGEST_IN_CODE = 3
#: Characters of a text that is remembered, and how many of those.
_REMEMBERED, _MOST_KNOWN = 120, 4_096
#: Signs between two characters of a term. More of them are a gap between two words.
_MAX_GAP = 16


@dataclass(slots=True)
class Hit:
    """A word that was found: between two places of the plain text of a field."""

    field: int
    start: int
    end: int
    word: str


class Hits:
    """Hits of one kind by their fields, to be asked for by their places; asking is as quick among many as among few."""

    def __init__(self) -> None:
        self.by_field: dict[int, list[Hit]] = defaultdict(list)
        self._sorted = True

    def add(self, hit: Hit) -> None:
        """One more, up to `_MAX_HITS` in a field."""
        hits = self.by_field[hit.field]
        if len(hits) < _MAX_HITS:
            hits.append(hit)
            self._sorted = False

    def near(self, hit: Hit, window: int) -> Iterator[Hit]:
        """Those in the field of another hit that may stand within a window of it."""
        if not self._sorted:
            for hits in self.by_field.values():
                hits.sort(key=lambda one: (one.start, one.end, one.word))
            self._sorted = True
        hits = self.by_field.get(hit.field, [])
        for place in range(bisect_left(hits, hit.start - window - _LONGEST, key=_start), len(hits)):
            if hits[place].start > hit.end + window:
                break
            yield hits[place]


def _start(hit: Hit) -> int:
    return hit.start


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the book in a text, between two places of the plain text; `groups` are those of which it is one."""

    entry: Entry
    start: int
    end: int
    text: str
    groups: Sequence[str]


@dataclass(frozen=True, slots=True)
class Read:
    """A text, and all words of the book in it."""

    text: Folded
    words: tuple[Word, ...]


class Marks:
    """All that was found in a listing, by what it means."""

    def __init__(self, reads: Sequence[Read]) -> None:
        self._reads = reads
        self.terms: dict[int, Hits] = defaultdict(Hits)
        self.phrases: dict[int, Hits] = defaultdict(Hits)
        for number, read in enumerate(reads):
            for word in read.words:
                for meant, hits in ((word.entry.terms, self.terms), (word.entry.phrases, self.phrases)):
                    for rule in meant:
                        hits[rule].add(Hit(number, word.start, word.end, word.text))

    @cached_property
    def groups(self) -> dict[str, Hits]:
        """Words of groups. Most listings have no term, and then nobody asks."""
        groups: dict[str, Hits] = defaultdict(Hits)
        for number, read in enumerate(self._reads):
            for word in read.words:
                if word.groups:
                    hit = Hit(number, word.start, word.end, word.text)
                    for name in word.groups:
                        groups[name].add(hit)
        return groups

    def in_title(self, group: str) -> bool:
        """Whether a word of a group stands in the title."""
        return group in self.groups and TITLE in self.groups[group].by_field


def read(text: str, book: Book) -> Read:
    """Find all words in a text; what is short is remembered."""
    known: Read | None = book.known.get(text)
    if known is None:
        folded = Folded(text)
        known = Read(folded, tuple(_words(folded, book)))
        if len(text) <= _REMEMBERED:
            if len(book.known) >= _MOST_KNOWN:
                book.known.clear()
            book.known[text] = known
    return known


def _words(text: Folded, book: Book) -> Iterator[Word]:
    """As they are written and as they sound."""
    times: dict[int, int] = defaultdict(int)
    skeleton = text.skeleton
    for at, entry in book.written.find(skeleton):
        times[id(entry)] += 1
        if times[id(entry)] <= _MAX_TIMES and _stands(text, at, at + len(entry.text)):
            places = text.places
            start, end = places[at], places[at + len(entry.text) - 1] + 1
            yield Word(entry, start, end, entry.text, _meant(entry, text.plain, start, end))
    yield from _replaced(text, book)
    sounds = sounds_of(text.plain)
    has_pinyin = len(sounds) != len(skeleton)
    units: list[Unit] | None = None
    for at, entry in book.sounding.find(sounds):
        # Without pinyin, sounds stand where characters do: most of what sounds like a term is the term itself.
        if not has_pinyin and not _sounds_otherwise(entry, skeleton[at : at + len(entry.text)]):
            continue
        times[id(entry)] += 1
        if times[id(entry)] > _MAX_TIMES:
            continue
        units = units_of(text.plain) if units is None else units
        row = units[at : at + len(entry.text)]
        written = "".join(" " if unit.spelled else text.plain[unit.start] for unit in row)
        spelled = sum(unit.spelled for unit in row)
        if entry.sound and _sounds_otherwise(entry, written, spelled) and _bridges(text, row, spelled):
            yield Word(entry, row[0].start, row[-1].end, entry.sound.literal, entry.groups)


def _sounds_otherwise(entry: Entry, written: str, spelled: int = 0) -> bool:
    """Whether a row of syllables is a term that is written in other characters."""
    return entry.sound is not None and written != entry.sound.literal and sounds_close(entry.sound, written, spelled)


#: A word of which some letters are digits or stars: P0rnhub, onlyf*ns. The stars have to be in it, not around it.
_REPLACED = re.compile(r"[A-Za-z](?=[A-Za-z0-9]{0,22}[013457*@$])[A-Za-z0-9*@$]{2,22}[A-Za-z]")
_LETTERS = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "*": ascii_lowercase}
_MAX_REPLACED = 200


def _replaced(text: Folded, book: Book) -> Iterator[Word]:
    """Latin words with letters replaced."""
    for word in islice(_REPLACED.finditer(text.original), _MAX_REPLACED):
        for entry in book.latin.get(len(word[0]), ()):
            if all(
                letter in _LETTERS.get(char, char) for char, letter in zip(word[0].lower(), entry.text, strict=True)
            ):
                start, end = (bisect_left(text.plain_spans, (place, 0)) for place in word.span())
                yield Word(entry, start, end, entry.text, entry.groups)


def _meant(entry: Entry, plain: str, start: int, end: int) -> Sequence[str]:
    """The groups of a word; one that is a character of a longer word set apart means nothing in favor."""
    if _IN_FAVOR.isdisjoint(entry.groups) or not _set_apart(plain, start, end):
        return entry.groups
    return tuple(group for group in entry.groups if group not in _IN_FAVOR)


def _stands(text: Folded, start: int, end: int) -> bool:
    """Whether a word that the skeleton has is one: no part of a longer Latin word or number, no chance neighbor."""
    plain, places = text.plain, text.places
    first, last = places[start], places[end - 1]
    if end - start == 1 and not (_parts(plain, first - 1) and _parts(plain, last + 1)):
        return False  # a word of one character stands by itself
    if _runs_on(plain, first, first - 1) or _runs_on(plain, last, last + 1) or _is_in_code(plain, first, last):
        return False
    if last - first == end - start - 1:
        return True
    gaps = [
        plain[left + 1 : right]
        for left, right in zip(places[start : end - 1], places[start + 1 : end], strict=True)
        if right - left > 1
    ]
    return _bridged(text, first, last, gaps, end - start)


def _bridges(text: Folded, row: list[Unit], spelled: int) -> bool:
    """Whether a row of syllables is one word, or signs were put into it."""
    gaps = [text.plain[left.end : right.start] for left, right in pairwise(row) if right.start > left.end]
    # Other characters that sound the same, with signs between them: that is chance, unless pinyin is among them.
    return not gaps or (spelled > 0 and _bridged(text, row[0].start, row[-1].end - 1, gaps, len(row)))


def _bridged(text: Folded, first: int, last: int, gaps: list[str], length: int) -> bool:
    """Whether what stands between the characters of a word was put there: 外.挂, and not 国外 挂号."""
    if max(map(len, gaps)) > _MAX_GAP:
        return False
    plain = text.plain
    alone = len(gaps) > 1 or _ends(plain, first - 1) or _ends(plain, last + 1)
    if any(BREAK in gap for gap in gaps):
        return alone
    if alone or length > 2:
        return True
    # Two characters that both belong to longer words: a blank between them is the end of a word, a sign is a trick.
    start, end = text.span(first, last + 1)
    return not all(char.isspace() or char.isalnum() for char in text.original[start:end])


def _ends(plain: str, place: int) -> bool:
    return not 0 <= place < len(plain) or plain[place] in (SPACE, BREAK)


def _set_apart(plain: str, start: int, end: int) -> bool:
    """Whether a word of one character follows another one: it may be the end of a word with blanks in it, 点 券."""
    if end - start > 1:
        return False
    before = start - 2
    return not _ends(plain, before) and _ends(plain, before - 1) and not plain[before].isascii()


def _parts(plain: str, place: int) -> bool:
    return _ends(plain, place) or plain[place].isascii()


def _is_in_code(plain: str, first: int, last: int) -> bool:
    """Whether an abbreviation stands between two digits: 3139BC37 is a number of somebody's, and no BC."""
    if last - first >= _LONGEST_IN_CODE or first == 0 or last + 1 == len(plain):
        return False
    both = plain[first - 1] + plain[last + 1]
    return both.isascii() and both.isdigit() and plain[first : last + 1].isascii() and plain[first : last + 1].isalpha()


def _runs_on(plain: str, edge: int, beyond: int) -> bool:
    """Whether a Latin word or a number goes on beyond the edge of a term; a number does so in letters, too."""
    if not 0 <= beyond < len(plain):
        return False
    one, other = plain[edge], plain[beyond]
    if not (one.isascii() and other.isascii() and other.isalnum()):
        return False
    return one.isdigit() or (one.isalpha() and other.isalpha())
