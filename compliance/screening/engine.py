"""Whether a listing may be sold: what rules find in its texts, and what its price and its brand say. Pure.

    screen(Subject(title="和平精英外\u200b挂"), built_in_book()) -> Screening(verdict=blocked, findings=(…))

Texts are looked at below the tricks of writing (`text`, `readings`); each finding names the place in the original.
"""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from string import ascii_lowercase

from compliance.screening import brands, prices
from compliance.screening.book import Book, Entry, sounds_close
from compliance.screening.readings import Unit, sounds_of, units_of
from compliance.screening.rules import GOODS, GOODS_OF_WORKS, HONEST, WIDE, Category, Rule, Severity
from compliance.screening.text import BREAK, SPACE, Folded

#: Findings of one rule in one field, and of one listing; a reviewer needs no more to decide.
MAX_OF_A_RULE = 5
MAX_FINDINGS = 100
#: Times that one word is looked at in one field, and hits of one kind that are remembered there.
_MAX_TIMES = 200
_MAX_HITS = 1000
#: What a word may take in the plain text, with the signs that were put into it.
_LONGEST = 200
#: What a title weighs from which on weak signs do not count any more, and from which on it is suspected for how it reads.
READS_LAWFUL, READS_UNLAWFUL = -0.7, 0.7
#: Groups whose words speak for a listing.
_IN_FAVOR = frozenset({HONEST, GOODS, GOODS_OF_WORKS})
#: Words against a listing, of rules and of what stands near, that outweigh an honest kind of goods in the title.
_SAID_ENOUGH = 3
#: Its number among the fields.
_TITLE = 0
#: Fields that say what the whole listing is.
_NAMING = frozenset({"title", "category"})
#: Signs between two characters of a term. More of them are a gap between two words.
_MAX_GAP = 16


class Verdict(StrEnum):
    """What comes of a screening."""

    CLEAR = "clear"
    FLAGGED = "flagged"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at: the texts that a shopper reads, and what is known of the goods. Unknown is empty or None.

    `category` is the name or the slug of a category, `kind` one of the catalogue's kinds; `authorized` is whether a
    license of the brand covers it.
    """

    title: str
    description: str = ""
    variants: tuple[str, ...] = ()
    announcement: str = ""
    instructions: str = ""
    form_labels: tuple[str, ...] = ()
    brand: str = ""
    category: str = ""
    kind: str = ""
    price: Decimal | None = None
    official_price: Decimal | None = None
    authorized: bool = False

    def texts(self) -> Iterator[tuple[str, str]]:
        """Each text with the name of its field."""
        yield "title", self.title
        yield "description", self.description
        yield "announcement", self.announcement
        yield "instructions", self.instructions
        yield "brand", self.brand
        yield "category", self.category
        yield from ((f"variants[{number}]", name) for number, name in enumerate(self.variants))
        yield from ((f"form_labels[{number}]", label) for number, label in enumerate(self.form_labels))


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a field as it was written: `text` is the field from `start` to `end`."""

    field: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason against a listing, where it stands, and what near it made it one."""

    category: Category
    rule: str
    severity: Severity
    span: Span | None
    because: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True)
class Screening:
    """The findings, most severe first, and what comes of them."""

    verdict: Verdict
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Hit:
    """A word that was found: between two places of the plain text of a field."""

    field: int
    start: int
    end: int
    word: str


class _Hits:
    """Hits of one kind by their fields, to be asked for by their places; asking is as quick among many as among few."""

    def __init__(self) -> None:
        self.by_field: dict[int, list[_Hit]] = defaultdict(list)
        self._sorted = True

    def add(self, hit: _Hit) -> None:
        """One more, up to `_MAX_HITS` in a field."""
        hits = self.by_field[hit.field]
        if len(hits) < _MAX_HITS:
            hits.append(hit)
            self._sorted = False

    def near(self, hit: _Hit, window: int) -> Iterator[_Hit]:
        """Those in the field of another hit that may stand within a window of it."""
        if not self._sorted:
            for hits in self.by_field.values():
                hits.sort(key=_start)
            self._sorted = True
        hits = self.by_field.get(hit.field, [])
        for place in range(bisect_left(hits, hit.start - window - _LONGEST, key=_start), len(hits)):
            if hits[place].start > hit.end + window:
                break
            yield hits[place]


def _start(hit: _Hit) -> int:
    return hit.start


@dataclass(slots=True)
class _Marks:
    """All that was found in a listing."""

    terms: dict[int, _Hits] = field(default_factory=lambda: defaultdict(_Hits))
    phrases: dict[int, _Hits] = field(default_factory=lambda: defaultdict(_Hits))
    groups: dict[str, _Hits] = field(default_factory=lambda: defaultdict(_Hits))

    def in_title(self, group: str) -> bool:
        """Whether a word of a group stands in the title."""
        return group in self.groups and _TITLE in self.groups[group].by_field


def screen(subject: Subject, book: Book) -> Screening:
    """Look at everything that is known of a listing."""
    names, texts = [], []
    for name, text in subject.texts():
        if text or name == "title":
            names.append(name)
            texts.append(Folded(text))
    marks = _Marks()
    for number, text in enumerate(texts):
        _look(number, text, book, marks)
    title = texts[_TITLE]
    score = book.likeness.score(title) if book.likeness else 0.0
    findings: list[Finding] = []
    reads_lawful = score < READS_LAWFUL
    for number in sorted(marks.terms):
        if not (reads_lawful and book.rules[number].weak):
            findings += _findings(number, book, marks, names, texts, reads_lawful=reads_lawful)
    findings = _enough(findings, marks)
    findings += _beside_text(subject)
    if not findings and score >= READS_UNLAWFUL and HONEST not in marks.groups:
        findings.append(_likely(title, book))
    order = list(Severity)
    findings = sorted(findings, key=lambda one: order.index(one.severity))[:MAX_FINDINGS]
    return Screening(verdict_of(findings), tuple(findings))


def verdict_of(findings: Iterable[Finding]) -> Verdict:
    """Blocked by anything severe, flagged by anything else."""
    severities = {finding.severity for finding in findings}
    if Severity.HIGH in severities:
        return Verdict.BLOCKED
    return Verdict.FLAGGED if severities else Verdict.CLEAR


def _look(number: int, text: Folded, book: Book, marks: _Marks) -> None:
    """Find all words in one field, as they are written and as they sound."""
    times: dict[int, int] = defaultdict(int)
    skeleton = text.skeleton
    for at, entry in book.written.find(skeleton):
        times[id(entry)] += 1
        if times[id(entry)] <= _MAX_TIMES and _stands(text, at, at + len(entry.text)):
            places = text.places
            hit = _Hit(number, places[at], places[at + len(entry.text) - 1] + 1, entry.text)
            _mark(entry, hit, marks, apart=_set_apart(text.plain, hit))
    _look_replaced(number, text, book, marks)
    units: list[Unit] | None = None
    for at, entry in book.sounding.find(sounds_of(text.plain)):
        times[id(entry)] += 1
        if times[id(entry)] > _MAX_TIMES:
            continue
        units = units_of(text.plain) if units is None else units
        row = units[at : at + len(entry.text)]
        written = "".join(" " if unit.spelled else text.plain[unit.start] for unit in row)
        spelled = sum(unit.spelled for unit in row)
        if written != entry.literal and sounds_close(entry, written, spelled) and _bridges(text, row, spelled):
            _mark(entry, _Hit(number, row[0].start, row[-1].end, entry.literal), marks)


#: A word of which some letters are digits or stars: P0rnhub, onlyf*ns. The stars have to be in it, not around it.
_REPLACED = re.compile(r"[A-Za-z](?=[A-Za-z0-9]{0,22}[013457*@$])[A-Za-z0-9*@$]{2,22}[A-Za-z]")
_LETTERS = {"0": "o", "1": "il", "3": "e", "4": "a", "5": "s", "7": "t", "@": "a", "$": "s", "*": ascii_lowercase}
_MAX_REPLACED = 200


def _look_replaced(number: int, text: Folded, book: Book, marks: _Marks) -> None:
    """Find Latin words with letters replaced."""
    for word in islice(_REPLACED.finditer(text.original), _MAX_REPLACED):
        for entry in book.latin.get(len(word[0]), ()):
            if all(letter in _LETTERS.get(char, char) for char, letter in zip(word[0].lower(), entry.text, strict=True)):
                start, end = (bisect_left(text.plain_spans, (place, 0)) for place in word.span())
                _mark(entry, _Hit(number, start, end, entry.text), marks)


def _mark(entry: Entry, hit: _Hit, marks: _Marks, *, apart: bool = False) -> None:
    """Note what a word means; one that is a character of a longer word set apart means nothing in favor."""
    for mark in entry.marks:
        if apart and mark.kind in _IN_FAVOR:
            continue
        if mark.rule < 0:
            marks.groups[mark.kind].add(hit)
        elif mark.kind == "term":
            marks.terms[mark.rule].add(hit)
        else:
            marks.phrases[mark.rule].add(hit)


def _stands(text: Folded, start: int, end: int) -> bool:
    """Whether a word that the skeleton has is one: no part of a longer Latin word or number, no chance neighbor."""
    plain, places = text.plain, text.places
    first, last = places[start], places[end - 1]
    if end - start == 1 and not (_parts(plain, first - 1) and _parts(plain, last + 1)):
        return False  # a word of one character stands by itself
    if _runs_on(plain, first, first - 1) or _runs_on(plain, last, last + 1):
        return False
    gaps = [
        plain[left + 1 : right]
        for left, right in zip(places[start : end - 1], places[start + 1 : end], strict=True)
        if right - left > 1
    ]
    return not gaps or _bridged(text, first, last, gaps, end - start)


def _bridges(text: Folded, row: list[Unit], spelled: int) -> bool:
    """Whether a row of syllables is one word, or signs were put into it."""
    gaps = [
        text.plain[left.end : right.start]
        for left, right in zip(row, row[1:], strict=False)
        if right.start > left.end
    ]
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


def _set_apart(plain: str, hit: _Hit) -> bool:
    """Whether a word of one character follows another one: it may be the end of a word with blanks in it, 点 券."""
    if hit.end - hit.start > 1:
        return False
    before = hit.start - 2
    return not _ends(plain, before) and _ends(plain, before - 1) and not plain[before].isascii()


def _parts(plain: str, place: int) -> bool:
    return _ends(plain, place) or plain[place].isascii()


def _runs_on(plain: str, edge: int, beyond: int) -> bool:
    """Whether a Latin word or a number goes on beyond the edge of a term; a number does so in letters, too."""
    if not 0 <= beyond < len(plain):
        return False
    one, other = plain[edge], plain[beyond]
    if not (one.isascii() and other.isascii() and other.isalnum()):
        return False
    return one.isdigit() or (one.isalpha() and other.isalpha())


def _findings(
    number: int, book: Book, marks: _Marks, names: list[str], texts: list[Folded], *, reads_lawful: bool
) -> list[Finding]:
    """What one rule finds, where its terms stand."""
    rule, (near, also, unless) = book.rules[number], book.contexts[number]
    findings: list[Finding] = []
    counted: dict[int, int] = defaultdict(int)
    taken: list[_Hit] = []
    hits = [hit for found in marks.terms[number].by_field.values() for hit in found]
    for hit in sorted(hits, key=lambda one: (one.field, one.start, -one.end)):
        if rule.weak and not _names_goods(names[hit.field]):
            continue
        if counted[hit.field] >= MAX_OF_A_RULE or any(_within(hit, other) for other in taken[-1:]):
            continue
        if number in marks.phrases and any(_within(hit, phrase) for phrase in marks.phrases[number].near(hit, 0)):
            continue
        reasons = [_context(group, hit, rule, marks, names) for group in (near, also) if group]
        if None in reasons or any(_clears(group, hit, marks) for group in unless):
            continue
        if _denied(texts[hit.field], hit, in_title=hit.field == _TITLE, reads_lawful=reads_lawful):
            continue
        counted[hit.field] += 1
        taken.append(hit)
        because = tuple(_span(reason, names, texts) for reason in reasons if reason)
        findings.append(Finding(rule.category, rule.code, rule.severity, _span(hit, names, texts), because))
    return findings


def _enough(findings: list[Finding], marks: _Marks) -> list[Finding]:
    """Without those that are one word in the title of a voucher, a ticket or a lesson: 外挂鱼缸 … 代金券."""
    said = {span.text for finding in findings for span in (finding.span, *finding.because) if span}
    if len(said) >= _SAID_ENOUGH:
        return findings
    of_goods = {group: marks.in_title(group) for group in (GOODS, GOODS_OF_WORKS)}
    return [
        finding
        for finding in findings
        if not of_goods[GOODS_OF_WORKS if finding.category is Category.INFRINGEMENT else GOODS]
        or (finding.span and not _names_goods(finding.span.field))
    ]


def _names_goods(field_name: str) -> bool:
    return field_name in _NAMING or field_name.startswith("variants")


def _likely(title: Folded, book: Book) -> Finding:
    """The suspicion that a title gives rise to by how it reads, shown where it weighs most."""
    assert book.likeness is not None
    start, end = book.likeness.heaviest(title)
    start, end = title.span(title.places[start], title.places[end - 1] + 1)
    span = Span("title", start, end, title.original[start:end])
    return Finding(book.likeness.category(title), "reads-unlawful", Severity.LOW, span)


def _within(inner: _Hit, outer: _Hit) -> bool:
    return inner.field == outer.field and outer.start <= inner.start and inner.end <= outer.end


def _context(groups: frozenset[str], hit: _Hit, rule: Rule, marks: _Marks, names: list[str]) -> _Hit | None:
    """A word of one of the groups that stands near, and is not part of the term itself."""
    for hits in (marks.groups[group] for group in groups if group in marks.groups):
        for other in hits.near(hit, rule.window):
            apart = max(other.start - hit.end, hit.start - other.end)
            if 0 <= apart <= rule.window and other.word != hit.word:
                return other
        if rule.window < WIDE:
            continue
        for number, others in hits.by_field.items():
            if number != hit.field and not _NAMING.isdisjoint((names[hit.field], names[number])):
                for other in others[:MAX_OF_A_RULE]:
                    if other.word != hit.word:
                        return other
    return None


def _clears(group: str, hit: _Hit, marks: _Marks) -> bool:
    return group in marks.groups and not marks.groups[group].by_field.keys().isdisjoint((hit.field, _TITLE))


def _span(hit: _Hit, names: list[str], texts: list[Folded]) -> Span:
    text = texts[hit.field]
    start, end = text.span(hit.start, hit.end)
    return Span(names[hit.field], start, end, text.original[start:end])


_CLAUSE = r"[^，。！？；：,!?;:\n]"
_NOT = r"(?:请勿|切勿|勿|不得|不要|不可|不能|禁止|严禁)"
#: Who forbids something, or says that it is not sold, in front of the term and in the same clause.
_FORBIDS = re.compile(
    rf"(?:(?:杜绝|抵制|打击|拒绝|远离|谨防|警惕|防范|举报|不支持|不提供|不出售|只售|不售|不卖|不收|不含|不涉及|严禁|禁止|"
    rf"{_NOT}(?:使用|用于|用作|购买|咨询|参与|传播|出售|上传|发布|从事|进行|将|把|利用|登录)){_CLAUSE}{{0,24}}|"
    rf"(?:不是|并非|绝非|均非|非|无|反|防)(?:任何|所谓的?|什么|{_CLAUSE}{{1,2}})?)$"
)
#: In a title there is less room for an honest sentence, and more reason for a false one.
_FORBIDS_SHORT = re.compile(r"(?:严禁|禁止|杜绝|抵制|不支持|不提供|不是|并非|绝非|非|反|防)(?:使用|任何)?$")
#: Behind the term.
_CONDEMNS = re.compile(
    rf"^{_CLAUSE}{{0,24}}(?:骗子|诈骗|骗局|等?违法|等?非法|犯罪|(?:导致|造成|被)|与本店无关|本店不负责|风险)"
)
#: Anywhere in the sentence; that is enough where the title reads lawful.
_WARNS = re.compile(
    r"严禁|禁止|谨防|警惕|骗子|诈骗|骗局|违法|犯罪|请勿|切勿|不得|拒绝|不支持|不提供|不出售|不负责|与本店无关|风险|警方|封号|举报|反诈|冻结"
)
_SENTENCE = re.compile(r"[。！？!?;；\n]")
_AROUND, _A_SENTENCE = 32, 200


def _denied(text: Folded, hit: _Hit, *, in_title: bool, reads_lawful: bool) -> bool:
    """Whether the sentence says that this is not sold: 严禁外挂, 非共享号, 要求投注的都是骗子."""
    start, end = text.span(hit.start, hit.end)
    before, after = text.original[max(0, start - _AROUND) : start], text.original[end : end + _AROUND]
    if in_title:
        return bool(_FORBIDS_SHORT.search(before))
    if _FORBIDS.search(before) or _CONDEMNS.match(after):
        return True
    if not reads_lawful:
        return False
    before, after = text.original[max(0, start - _A_SENTENCE) : start], text.original[end : end + _A_SENTENCE]
    sentence = _SENTENCE.split(before)[-1] + " " + _SENTENCE.split(after)[0]
    return bool(_WARNS.search(sentence))


def _beside_text(subject: Subject) -> Iterator[Finding]:
    """What the price, the kind and the brand say."""
    if price := prices.suspicion(subject.category, subject.kind, subject.price, subject.official_price):
        yield Finding(price.category, price.rule, price.severity, None)
    for alike in brands.lookalikes(subject.title, brand=subject.brand, authorized=subject.authorized):
        span = Span(alike.field, alike.start, alike.end, alike.text)
        yield Finding(Category.INFRINGEMENT, alike.rule, Severity.MEDIUM, span)
    for number, name in enumerate(subject.variants):
        if mismatch := prices.mismatch(subject.kind, name):
            start, end = mismatch
            span = Span(f"variants[{number}]", start, end, name[start:end])
            yield Finding(Category.SHARED_ACCOUNT, "kind-mismatch", Severity.MEDIUM, span)
