"""Rules made ready to be looked for, all of them in one pass. Pure.

A text has at most as many pairs of neighboring characters as it is long. Each word of all rules is kept under its first
pair, and the pairs that a text and the rules have in common are found by intersecting two sets, which costs less than
a step of an automaton for each character would in Python. Only where such a pair stands in the text are the few words
under it compared.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any

from compliance.screening.labelled import built_in_likeness
from compliance.screening.likeness import Likeness
from compliance.screening.readings import sound_of, spelling_of
from compliance.screening.rules import (
    GOODS,
    GOODS_OF_WORKS,
    HONEST,
    PAPER,
    Groups,
    Rule,
    built_in_groups,
    built_in_rules,
)
from compliance.screening.text import BREAK, fold, pairs_of

Pair = tuple[str, str]
#: Letters from which on a term written in pinyin alone is its own, and no other word.
_LONG_SPELLING = 7
#: A term of so many characters is also found where some of them are others that sound the same.
_LONG_TERM = 4
#: Letters from which on a Latin word is recognized with some of them replaced.
_LATIN = 4
_WRITTEN = {char: tuple(ways.split()) for char, ways in pairs_of("disguises.txt")}


@dataclass(frozen=True, slots=True)
class Mark:
    """What it means that a word stands somewhere: a rule's term, its exception, or a word of a group."""

    rule: int  #: of the book's rules; -1 for a group
    kind: str  #: term, phrase, or the name of the group


@dataclass(frozen=True, slots=True)
class Sound:
    """What a row of syllables stands for: a term, which may be written in any characters, or have one other one."""

    literal: str
    any_other: bool = False
    one_other: bool = False


@dataclass(slots=True)
class Entry:
    """A word to look for, as it is written in the index; with what it sounds like, in that of sounds.

    What it means: a term or an exception of these rules, by their numbers, and a word of these groups.
    """

    text: str
    sound: Sound | None = None
    terms: list[int] = field(default_factory=list)
    phrases: list[int] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)

    def means(self, mark: Mark) -> None:
        """One thing more."""
        if mark.rule < 0:
            known: list[Any] = self.groups
        else:
            known = self.terms if mark.kind == "term" else self.phrases
        meant = mark.kind if mark.rule < 0 else mark.rule
        if meant not in known:
            known.append(meant)


class Index:
    """Words by their first pair of characters, and the third one after that."""

    def __init__(self) -> None:
        """Empty."""
        self._entries: dict[tuple[str, Sound | None], Entry] = {}
        #: For each first pair, words by their third character; those of two characters under the empty one.
        self._by_pair: dict[Pair, dict[str, list[Entry]]] = {}
        #: Words of one character.
        self._alone: dict[str, Entry] = {}

    def add(self, text: str, mark: Mark, *, sound: Sound | None = None) -> None:
        """Look for one more word; a word may mean several things."""
        entry = self._entries.get((text, sound))
        if entry is None:
            entry = self._entries[text, sound] = Entry(text, sound)
            if len(text) == 1:
                self._alone[text] = entry
            else:
                by_third = self._by_pair.setdefault((text[0], text[1]), {"": []})
                by_third.setdefault(text[2:3], []).append(entry)
        entry.means(mark)

    def entries(self) -> Iterable[Entry]:
        """All words."""
        return self._entries.values()

    def find(self, text: str) -> list[tuple[int, Entry]]:
        """Where in a text each of the words begins, in no order."""
        found: list[tuple[int, Entry]] = []
        for pair in self._by_pair.keys() & set(pairwise(text)):
            by_third, both = self._by_pair[pair], pair[0] + pair[1]
            short = by_third[""]
            at = text.find(both)
            while at >= 0:
                for entry in short:
                    found.append((at, entry))
                for entry in by_third.get(text[at + 2 : at + 3] or BREAK, ()):
                    if text.startswith(entry.text, at):
                        found.append((at, entry))
                at = text.find(both, at + 1)
        for char in self._alone.keys() & set(text):
            entry, at = self._alone[char], text.find(char)
            while at >= 0:
                found.append((at, entry))
                at = text.find(char, at + 1)
        return found


class Book:
    """Rules, and the two indexes in which their words are looked for: as they are written, and as they sound.

    Without a likeness, weak rules count everywhere and no title is suspected for how it reads.
    """

    def __init__(self, rules: Iterable[Rule], groups: Groups, likeness: Likeness | None = None) -> None:
        """Compile rules of which `problems_of` finds nothing wrong."""
        self.rules = tuple(rules)
        self.likeness = likeness
        self.written, self.sounding = Index(), Index()
        #: What was found in short texts (`looking.read`): shelves, brands and products stand beside many listings.
        self.known: dict[str, Any] = {}
        #: Latin words of rules by their length, for those that are written with digits or stars in place of letters.
        self.latin: dict[int, list[Entry]] = defaultdict(list)
        #: For each rule, the groups of which one has to be there, near and also, and those that clear it.
        self.contexts: list[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = []
        needed: dict[str, tuple[str, ...]] = {name: groups[name] for name in (HONEST, GOODS, GOODS_OF_WORKS, PAPER)}
        for number, rule in enumerate(self.rules):
            self._add_terms(number, rule)
            contexts: list[tuple[str, ...]] = []
            for words in (rule.near, rule.also, rule.unless):
                names = {word[1:] for word in words if word.startswith("@")}
                needed.update({name: groups[name] for name in names})
                own = tuple(word for word in words if not word.startswith("@"))
                if own:
                    name = f"{number}.{len(contexts)}"
                    needed[name] = own
                    names.add(name)
                contexts.append(tuple(sorted(names)))
            self.contexts.append((contexts[0], contexts[1], contexts[2]))
        asked = {name for near, also, _ in self.contexts for name in (*near, *also)}
        for name, words in needed.items():
            for word in map(fold, words):
                self.written.add(word, Mark(-1, name))
                # What speaks against a listing is heard in pinyin, too; what speaks for it is written properly.
                if name in asked and len(word) > 1 and (sound := sound_of(word)):
                    self.sounding.add(sound, Mark(-1, name), sound=Sound(word))

        for entry in self.written.entries():
            if len(entry.text) >= _LATIN and entry.text.isascii() and entry.text.isalpha():
                self.latin[len(entry.text)].append(entry)

    def _add_terms(self, number: int, rule: Rule) -> None:
        term = Mark(number, "term")
        for word in (*rule.terms, *rule.sounds, *rule.exact):
            self.written.add(fold(word), term)
        for word in map(fold, (*rule.terms, *rule.sounds)):
            any_sound = word in map(fold, rule.sounds)
            for disguise in _disguises(word, initials=any_sound):
                self.written.add(disguise, term)
            spelling = spelling_of(word)
            if spelling and (any_sound or len(spelling) >= _LONG_SPELLING):
                self.written.add(spelling, term)
            if sound := sound_of(word):
                self.sounding.add(sound, term, sound=Sound(word, any_sound, bool(rule.near)))
        for phrase in rule.but_not:
            self.written.add(fold(phrase), Mark(number, "phrase"))


def is_own(group: str) -> bool:
    """Whether a group of a book's contexts is one rule's own words, and no group that rules have in common."""
    return "." in group


@lru_cache(maxsize=1)
def built_in_book() -> Book:
    """The rules that come with the software, ready."""
    return Book(built_in_rules(), built_in_groups(), built_in_likeness())


def sounds_close(sound: Sound, written: str, spelled: int) -> bool:
    """Whether a row of syllables is the term in disguise, and not other words that sound like it by chance.

    `written` are the characters that are there in its place, with a blank for each syllable in pinyin; `spelled` says
    how many of those there are.
    """
    if sound.any_other:
        return True
    other = sum(char not in (" ", term) for char, term in zip(written, sound.literal, strict=True))
    if other == 0:
        return 0 < spelled < len(written) or (spelled > 0 and len(spelling_of(sound.literal) or "") >= _LONG_SPELLING)
    # One other character is borne out by the context that the rule asks for.
    return (other == 1 and sound.one_other) or (len(written) >= _LONG_TERM and other <= len(written) // 2)


def _disguises(word: str, *, initials: bool) -> set[str]:
    """A term with one of its characters, or all of them, written otherwise."""
    found = set()
    for place, char in enumerate(word):
        ways = [fold(way) for way in _WRITTEN.get(char, ())]
        if initials and (spelling := spelling_of(char)):
            ways.append(spelling[0])
        found |= {word[:place] + way + word[place + 1 :] for way in ways}
    found.add("".join(fold(_WRITTEN[char][0]) if char in _WRITTEN else char for char in word))
    return found - {word}
