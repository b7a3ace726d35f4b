"""What the screening says of a subject, in the words of the subject's own fields. Pure."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from compliance.gate.subjects import Facts, Slot
from compliance.screening.book import Book
from compliance.screening.engine import screen
from compliance.screening.listing import Finding, Span, Verdict
from compliance.screening.pictures import Alike
from compliance.screening.rules import Severity

#: Of a caught passage so much is kept.
LONGEST_TEXT = 200


@dataclass(frozen=True)
class Judged:
    """One version of a subject by one book. `findings` as `gate.models.Screening` keeps them, most severe first."""

    facts: Facts
    verdict: Verdict
    findings: tuple[dict[str, Any], ...]

    @cached_property
    def digest(self) -> str:
        """The version; of most, which are clear and stay so, nobody asks it."""
        return self.facts.digest()

    @property
    def severity(self) -> Severity:
        """The worst of it; low where there is nothing."""
        return Severity(self.findings[0]["severity"]) if self.findings else Severity.LOW

    @property
    def caught(self) -> frozenset[str]:
        """The fields in which something was found."""
        return frozenset(finding["field"] for finding in self.findings if finding["field"])


def judge(facts: Facts, book: Book) -> Judged:
    """Screen a subject. What is found in context alone, which is not the owner's text, does not count."""
    found = [_told(finding, facts) for finding in screen(facts.as_listing(), book).findings]
    findings = tuple(finding for finding in found if finding is not None)
    return Judged(facts, verdict_by(findings), findings)


def verdict_by(findings: Iterable[Mapping[str, Any]]) -> Verdict:
    """What findings lead to."""
    severities = [Severity(finding["severity"]) for finding in findings]
    if Severity.HIGH in severities:
        return Verdict.BLOCKED
    return Verdict.FLAGGED if severities else Verdict.CLEAR


def fresh(findings: Iterable[dict[str, Any]], seen: Collection[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Those that whoever decided about the same text had not before them."""
    known = {_key(finding) for finding in seen}
    return [finding for finding in findings if _key(finding) not in known]


def _key(finding: Mapping[str, Any]) -> tuple[object, ...]:
    return tuple(finding[name] for name in ("category", "rule", "severity", "field", "start", "end"))


def _told(finding: Finding, facts: Facts) -> dict[str, Any] | None:
    if finding.alike is not None:
        return {**_told_of(finding), **_of_picture(finding.alike, facts), "because": []}
    place = _place(finding.span, facts)
    if place is None:
        return None
    because = (_place(span, facts) for span in finding.because)
    return {
        **_told_of(finding),
        **place,
        "because": [one for one in because if one is not None],
    }


def _told_of(finding: Finding) -> dict[str, Any]:
    return {"category": finding.category.value, "rule": finding.rule, "severity": finding.severity.value}


def _of_picture(alike: Alike, facts: Facts) -> dict[str, Any]:
    """The picture as a field in which nothing stands, and what it looks like."""
    field = next(text.field for text in facts.texts if text.slot is Slot.PICTURE)
    return {"field": field, "start": 0, "end": 0, "text": "", "alike": asdict(alike)}


def _place(span: Span | None, facts: Facts) -> dict[str, Any] | None:
    """A place in the owner's own fields; the empty one for what is in no text, None for what is in context."""
    if span is None:
        return {"field": "", "start": 0, "end": 0, "text": ""}
    found = facts.place(span)
    if found is None or not found[0].own:
        return None
    text, start, end = found
    return {"field": text.field, "start": start, "end": end, "text": text.text[start:end][:LONGEST_TEXT]}
