"""Whether a listing may be sold: what rules find in its texts, and what its price and its brand say. Pure.

    screen(Subject(title="和平精英外\u200b挂"), built_in_book()) -> Screening(verdict=blocked, findings=(…))

Texts are looked at below the tricks of writing (`text`, `readings`); each finding names the place in the original.
"""

from collections import defaultdict
from collections.abc import Iterator

from compliance.screening import brands, history, prices
from compliance.screening.book import Book, is_own
from compliance.screening.denial import denied
from compliance.screening.listing import Finding, Screening, Span, Subject, verdict_of
from compliance.screening.looking import TITLE, Hit, Marks, read
from compliance.screening.pictures import LOGO_ALIKE
from compliance.screening.rules import GOODS, GOODS_OF_WORKS, HONEST, PAPER, WIDE, Category, Rule, Severity
from compliance.screening.text import Folded

#: Findings of one rule in one field, and of one listing; a reviewer needs no more to decide.
MAX_OF_A_RULE = 5
MAX_FINDINGS = 100
#: What a title weighs below which weak signs do not count, and from which on it is suspected for how it reads.
READS_LAWFUL, READS_UNLAWFUL = -0.7, 0.7
#: Words against a listing, of rules and of what stands near, that outweigh an honest kind of goods in the title.
_SAID_ENOUGH = 3
#: A title that says that it is a voucher and nothing else is short.
_LONGEST_PAPER = 60
#: Fields that say what the whole listing is.
_NAMING = frozenset({"title", "category"})


def screen(subject: Subject, book: Book) -> Screening:
    """Look at everything that is known of a listing."""
    fields = [(name, read(text, book)) for name, text in subject.texts() if text or name == "title"]
    names, texts = [name for name, _ in fields], [one.text for _, one in fields]
    marks = Marks([one for _, one in fields])
    title = texts[TITLE]
    score = book.likeness.score(title) if book.likeness else 0.0
    findings: list[Finding] = []
    reads_lawful = score < READS_LAWFUL
    for number in sorted(marks.terms):
        if not (reads_lawful and book.rules[number].weak):
            findings += _findings(number, book, marks, names, texts, reads_lawful=reads_lawful)
    findings = _enough(findings, marks) or _nothing_else(book, marks, names, texts)
    findings += _beside_text(subject)
    if not findings and score >= READS_UNLAWFUL and HONEST not in marks.groups:
        findings.append(_likely(title, book))
    order = list(Severity)
    findings = sorted(findings, key=lambda one: order.index(one.severity))[:MAX_FINDINGS]
    return Screening(verdict_of(findings), tuple(findings))


def _findings(
    number: int, book: Book, marks: Marks, names: list[str], texts: list[Folded], *, reads_lawful: bool
) -> list[Finding]:
    """What one rule finds, where its terms stand."""
    rule, (near, also, unless) = book.rules[number], book.contexts[number]
    findings: list[Finding] = []
    counted: dict[int, int] = defaultdict(int)
    taken: list[Hit] = []
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
        text = texts[hit.field]
        start, end = text.span(hit.start, hit.end)
        if denied(text.original, start, end, in_title=hit.field == TITLE, reads_lawful=reads_lawful):
            continue
        counted[hit.field] += 1
        taken.append(hit)
        because = tuple(_span(reason, names, texts) for reason in reasons if reason)
        findings.append(Finding(rule.category, rule.code, rule.severity, _span(hit, names, texts), because))
    return findings


def _enough(findings: list[Finding], marks: Marks) -> list[Finding]:
    """Without those that are one word in the title of a voucher, a ticket or a lesson: 外挂鱼缸 … 代金券."""
    if not findings:
        return findings
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


def _nothing_else(book: Book, marks: Marks, names: list[str], texts: list[Folded]) -> list[Finding]:
    """Where a title says that it is a voucher, a ticket or a lesson, and beside that has nothing but what a rule looks
    for: 外挂 体验券, 辅助 教学课程. No other goods are there of which the words could speak; a person looks.

    Words about games count without those that the rule needs near them: what it needs is what the title leaves out.
    What clears a rule clears it here too, unless it is a group of words for whatever is printed or taught.
    """
    title = texts[TITLE]
    is_said = any(TITLE in hits.by_field for hits in marks.terms.values())
    if not is_said or len(title.plain) > _LONGEST_PAPER or not marks.in_title(PAPER):
        return []
    covered = bytearray(len(title.plain))
    paper = marks.groups[PAPER].by_field[TITLE]
    said: list[tuple[Hit, Rule]] = []
    for number, hits in sorted(marks.terms.items()):
        rule, (near, also, unless) = book.rules[number], book.contexts[number]
        own = [group for group in unless if is_own(group)]
        for hit in hits.by_field.get(TITLE, ()):
            if number in marks.phrases and any(_within(hit, one) for one in marks.phrases[number].near(hit, 0)):
                continue
            reasons = [_context(group, hit, rule, marks, names) for group in (near, also) if group]
            if (
                any(_clears(group, hit, marks) for group in own)
                or any(_within(hit, one) for one in paper)
                or (None in reasons and rule.category is not Category.GAME_CHEAT)
            ):
                continue
            said.append((hit, rule))
            paper = [*paper, *(reason for reason in reasons if reason and reason.field == TITLE)]
    for hit in (*paper, *(hit for hit, _rule in said)):
        covered[hit.start : hit.end] = b"\1" * (hit.end - hit.start)
    if not said or any(char.isalpha() and not seen for char, seen in zip(title.plain, covered, strict=True)):
        return []
    hit, rule = said[0]
    severity = Severity.LOW if rule.severity is Severity.LOW else Severity.MEDIUM
    return [Finding(rule.category, rule.code, severity, _span(hit, names, texts))]


def _names_goods(field_name: str) -> bool:
    return field_name in _NAMING or field_name.startswith("variants")


def _likely(title: Folded, book: Book) -> Finding:
    """The suspicion that a title gives rise to by how it reads, shown where it weighs most."""
    assert book.likeness is not None
    start, end = book.likeness.heaviest(title)
    start, end = title.span(start, end)
    span = Span("title", start, end, title.original[start:end])
    return Finding(book.likeness.category(title), "reads-unlawful", Severity.LOW, span)


def _within(inner: Hit, outer: Hit) -> bool:
    return inner.field == outer.field and outer.start <= inner.start and inner.end <= outer.end


def _context(groups: tuple[str, ...], hit: Hit, rule: Rule, marks: Marks, names: list[str]) -> Hit | None:
    """A word of one of the groups that stands near, and is not part of the term itself."""
    for hits in (marks.groups[group] for group in groups if group in marks.groups):
        for other in hits.near(hit, rule.window):
            apart = max(other.start - hit.end, hit.start - other.end)
            if 0 <= apart <= rule.window and other.word != hit.word:
                return other
        if rule.window < WIDE:
            continue
        for number, others in hits.by_field.items():
            near_by = _names_goods(names[number]) if rule.weak else _named(names[hit.field], names[number])
            if number != hit.field and near_by:
                for other in others[:MAX_OF_A_RULE]:
                    if other.word != hit.word:
                        return other
    return None


def _named(*field_names: str) -> bool:
    """Whether one of the fields says what the whole listing is."""
    return not _NAMING.isdisjoint(field_names)


def _clears(group: str, hit: Hit, marks: Marks) -> bool:
    return group in marks.groups and not marks.groups[group].by_field.keys().isdisjoint((hit.field, TITLE))


def _span(hit: Hit, names: list[str], texts: list[Folded]) -> Span:
    text = texts[hit.field]
    start, end = text.span(hit.start, hit.end)
    return Span(names[hit.field], start, end, text.original[start:end])


def _beside_text(subject: Subject) -> Iterator[Finding]:
    """What the price, the kind, the brand and the seller's history say."""
    if before := history.suspicion(subject.against):
        yield Finding(before.category, before.rule, before.severity, None)
    if price := prices.suspicion(subject.category, subject.kind, subject.price, subject.official_price):
        yield Finding(price.category, price.rule, price.severity, None)
    for alike in brands.lookalikes(subject.title, brand=subject.brand, authorized=subject.authorized):
        if subject.licensed and brands.is_named(alike.brand, subject.licensed):
            continue
        span = Span(alike.field, alike.start, alike.end, alike.text)
        yield Finding(Category.INFRINGEMENT, alike.rule, Severity.MEDIUM, span)
    for one in subject.alike:
        if one.brand not in subject.licensed:
            yield Finding(Category.INFRINGEMENT, LOGO_ALIKE + one.brand, Severity.MEDIUM, None, alike=one)
    for number, name in enumerate(subject.variants):
        if mismatch := prices.mismatch(subject.kind, name):
            start, end = mismatch
            span = Span(f"variants[{number}]", start, end, name[start:end])
            yield Finding(Category.SHARED_ACCOUNT, "kind-mismatch", Severity.MEDIUM, span)
