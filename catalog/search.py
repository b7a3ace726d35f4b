"""Finding a product by whatever a shopper calls it: its name, a nickname, pinyin, or pinyin initials.

Two halves that meet in one text column. `search_text` writes down, when a product is saved, everything that it may be
called; `rank` answers queries from such texts and needs nothing else. Only the first half reads Chinese aloud, with
pypinyin, which is slow to import and therefore imported there.

A search text has four paragraphs of one term a line, all folded by `fold`:

1. names: the product's name, English name and aliases;
2. readings: each Chinese name in full pinyin and in initials (`wangzherongyao`, `wzry`);
3. tails: names and readings again from each later word or syllable on (`rongyao`, `ry`), because Latin letters are
   matched where a word or syllable begins, and Chinese anywhere;
4. context: what tells products apart but names none: brand, category, variants, and their readings.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import IntEnum
from typing import TypeVar

#: Characters and words of a query that are looked at; what people type is far shorter.
MAX_QUERY = 64
MAX_WORDS = 8

_Id = TypeVar("_Id")
_HAN = re.compile(r"[\u3400-\u9fff]")
_RUNS = re.compile(r"[\u3400-\u9fff]+|[0-9]+|[^\W\d_\u3400-\u9fff]+")
_NOT_A_WORD = re.compile(r"[\W_]+")


class _Tier(IntEnum):
    """How well a text answers a query, best first."""

    EXACT = 0
    PREFIX = 1
    INSIDE = 2
    WORDS = 3
    NAMED = 4


def fold(text: str) -> str:
    """What two ways of writing the same have in common: no case, width, accents, spaces or signs."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    return _NOT_A_WORD.sub("", "".join(char for char in plain if not unicodedata.combining(char)))


def words_of(text: str) -> list[str]:
    """The folded words of a text; a change between Chinese, Latin letters and digits ends a word, too."""
    return [word for run in _RUNS.findall(unicodedata.normalize("NFKC", text)) if (word := fold(run))]


def search_text(*, name: str, name_en: str = "", aliases: Iterable[str] = (), context: Iterable[str] = ()) -> str:
    """Everything a product may be called, to be stored with it. `context` names its brand, category and variants."""
    names: list[str] = []
    readings: list[str] = []
    tails: list[str] = []
    around: list[str] = []
    for text in (name, name_en, *aliases):
        names.append(fold(text))
        tails += _from_each(words_of(text))[1:]
        for spoken in _readings(text):
            readings.append(spoken[0])
            tails += spoken[1:]
    for text in context:
        around += [fold(text), *(spoken[0] for spoken in _readings(text))]
    return "\n\n".join("\n".join(dict.fromkeys(filter(None, part))) for part in (names, readings, tails, around))


def rank(query: str, entries: Iterable[tuple[_Id, str]]) -> list[_Id]:
    """The ids of the entries that answer a query, best first; equally good ones keep their order.

    An entry is an id and its `search_text`; give them in order of popularity. Best is a name or reading as typed,
    then one that begins so, then one that contains it, then all words of the query anywhere, then a name inside a
    longer query ("爱奇艺会员充值"). A query without a letter or digit finds nothing.
    """
    query = query[:MAX_QUERY]
    whole, words = fold(query)[:MAX_QUERY], words_of(query)[:MAX_WORDS]
    if not whole:
        return []
    judged = ((_tier(whole, words, text), place, key) for place, (key, text) in enumerate(entries))
    found = [(tier, place, key) for tier, place, key in judged if tier is not None]
    return [key for _, _, key in sorted(found, key=lambda hit: hit[:2])]


def _tier(whole: str, words: list[str], text: str) -> _Tier | None:
    if not text:
        return None
    names, readings, tails, context = (part.split("\n") if part else [] for part in text.split("\n\n"))
    called = names + readings
    if whole in called:
        return _Tier.EXACT
    if any(term.startswith(whole) for term in called):
        return _Tier.PREFIX
    if len(whole) == 1 and whole.isascii():
        return None
    if _holds(names, names + readings + tails, whole):
        return _Tier.INSIDE
    if all(_holds(names + context, called + tails + context, word) for word in words):
        return _Tier.WORDS
    if any(_mentions(whole, words, term) for term in called):
        return _Tier.NAMED
    return None


def _holds(written: list[str], starts: list[str], word: str) -> bool:
    """Whether a word stands in what is written (Chinese), or begins one of the starts (anything else)."""
    if _HAN.search(word):
        return any(word in term for term in written)
    return any(term.startswith(word) for term in starts)


def _mentions(whole: str, words: list[str], term: str) -> bool:
    """Whether a longer query mentions a term that is long enough not to stand there by chance."""
    if _HAN.search(term):
        return len(term) >= 2 and term in whole
    return len(term) >= 3 and (term in words or whole.startswith(term))


def _readings(text: str) -> list[list[str]]:
    """Full pinyin and initials of a Chinese text, each from every syllable on; nothing for other texts."""
    if not _HAN.search(text):
        return []
    from pypinyin import Style, lazy_pinyin

    return [
        _from_each([fold(syllable) for word in words_of(text) for syllable in lazy_pinyin(word, style=style)])
        for style in (Style.NORMAL, Style.FIRST_LETTER)
    ]


def _from_each(parts: list[str]) -> list[str]:
    """`["a", "b", "c"]` as `["abc", "bc", "c"]`."""
    return ["".join(parts[start:]) for start in range(len(parts))]
