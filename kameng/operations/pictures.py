"""What a case about a picture is about: the shop's picture, and beside it those of the brands that it looks like."""

import base64
from dataclasses import dataclass

from compliance.gate.models import Case, SubjectKind
from compliance.gate.pictures import picture_named
from compliance.gate.selectors import version_texts
from compliance.gate.subjects import Facts, Subject
from compliance.gate.words import meaning_of
from compliance.models import Mark


@dataclass(frozen=True, slots=True)
class Beside:
    """A reference: its brand's name, itself as an address that holds it, and how like it the picture is, in words."""

    name: str
    source: str
    words: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """The picture of a case, empty where it is no longer kept, and the references."""

    source: str
    beside: tuple[Beside, ...]


def pictures_of(case: Case) -> Pictures | None:
    """None for what is no picture."""
    if case.subject_kind != SubjectKind.PICTURE:
        return None
    findings = case.screening.findings if case.screening is not None else []
    alike = [finding for finding in findings if "alike" in finding]
    marks = Mark.objects.in_bulk([finding["alike"]["reference"] for finding in alike])
    name = next(iter(version_texts(case.digest).values()), "")
    beside = []
    for finding in alike:
        mark = marks.get(finding["alike"]["reference"])
        source = source_of(mark.kind, bytes(mark.data)) if mark is not None else ""
        beside.append(Beside(finding["alike"]["name"], source, meaning_of(finding)))
    return Pictures(_source(case.subject, name), tuple(beside))


def pictures_of_subject(subject: Subject, facts: Facts) -> Pictures | None:
    """The picture as it is there now, with nothing beside it; None for what is no picture."""
    if subject.kind != SubjectKind.PICTURE:
        return None
    name = next(iter(facts.words.values()))
    return Pictures(_source(subject, name), ())


def _source(subject: Subject, name: str) -> str:
    row = picture_named(subject.schema_name, subject.id, name)
    return source_of(name.rpartition(".")[2], bytes(row.data)) if row is not None else ""


def source_of(kind: str, data: bytes) -> str:
    """A picture within the page: it has no address at which anybody could ask for it."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
