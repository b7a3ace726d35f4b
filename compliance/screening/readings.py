"""How a plain text sounds: as a row of syllables, whether they are written in characters or in pinyin. Pure.

A syllable is one private character, so that what sounds alike is found as an equal text: 坡jie, 婆姐 and 破解 are the
same row of two. Letters that are no pinyin, and digits, stand for themselves.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from compliance.screening.text import BREAK, SPACE, pairs_of

_FIRST = 0xE000
#: Letters of one word that are taken apart; the longest row of syllables that somebody writes in one word is shorter.
_MAX_WORD = 36
_LONGEST = 6

_SYLLABLES: dict[str, str] = {}


class _Sounds(dict[str, str]):
    """The syllable of each character; what has none stands for itself."""

    def __missing__(self, char: str) -> str:
        return char


_SOUNDS = _Sounds({SPACE: "", BREAK: ""})
for _syllable, _chars in pairs_of("readings.txt"):
    _SYLLABLES[_syllable] = chr(_FIRST + len(_SYLLABLES))
    _SOUNDS.update(dict.fromkeys(_chars, _SYLLABLES[_syllable]))
_SPELLED = {sound: syllable for syllable, sound in _SYLLABLES.items()}
_WORD = re.compile(r"[a-z]+")


@dataclass(frozen=True, slots=True)
class Unit:
    """One sound of a text, and the places of the plain text between which it is written."""

    start: int
    end: int
    spelled: bool  #: written in pinyin


def sound_of(text: str) -> str | None:
    """The row of syllables of a term in Chinese characters; None where it has anything else."""
    sounds = [_SOUNDS[char] for char in text]
    return "".join(sounds) if all(sound in _SPELLED for sound in sounds) else None


def spelling_of(text: str) -> str | None:
    """A term in Chinese characters as pinyin in one word."""
    sounds = sound_of(text)
    return None if sounds is None else "".join(_SPELLED[sound] for sound in sounds)


def sounds_of(plain: str) -> str:
    """The sounds of a plain text, without its spaces."""
    if _WORD.search(plain):
        plain = _WORD.sub(lambda word: "".join(map(_SYLLABLES.__getitem__, taken_apart(word[0]))) or word[0], plain)
    return "".join([_SOUNDS[char] for char in plain])


def units_of(plain: str) -> list[Unit]:
    """Where each sound of `sounds_of` is written."""
    units: list[Unit] = []
    at = 0
    for word in _WORD.finditer(plain):
        units += (
            Unit(place, place + 1, False) for place in range(at, word.start()) if plain[place] not in SPACE + BREAK
        )
        at = word.start()
        for syllable in taken_apart(word[0]):
            units.append(Unit(at, at + len(syllable), True))
            at += len(syllable)
        units += (Unit(place, place + 1, False) for place in range(at, word.end()))
        at = word.end()
    return units + [
        Unit(place, place + 1, False) for place in range(at, len(plain)) if plain[place] not in SPACE + BREAK
    ]


@lru_cache(maxsize=8192)
def taken_apart(word: str) -> tuple[str, ...]:
    """A word of pinyin as the fewest syllables of at least two letters; nothing where it is no pinyin."""
    if not 2 <= len(word) <= _MAX_WORD:
        return ()
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(2, len(word) + 1):
        for start in range(max(0, end - _LONGEST), end - 1):
            before, syllable = best[start], word[start:end]
            if before is not None and syllable in _SYLLABLES:
                current = best[end]
                if current is None or len(before) + 1 < len(current):
                    best[end] = (*before, syllable)
    return best[-1] or ()
