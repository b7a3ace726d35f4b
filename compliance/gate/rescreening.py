"""Looking at everything again, because the rules are others now; and foreseeing what would come of it.

What is clear and stays so, which is nearly everything, costs its share of one query and the screening itself. Only what
falls, comes back or waits is gone into row by row, each in a transaction of its own. What is much in one place is
parted by ids into pieces, which as many processes look at side by side as there are.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from django.db import transaction
from django_tenants.utils import get_public_schema_name

from compliance.gate.judging import Judged, fresh, judge, verdict_by
from compliance.gate.models import Case
from compliance.gate.services import caught_in, ruling_on, subject_screen
from compliance.gate.subjects import Facts, Standing, Subject, door_of, entered, kinds
from compliance.rules import book_now
from compliance.screening.book import Book
from compliance.screening.listing import Verdict
from kameng.outbox.services import publish
from resellers.models import Reseller

#: Rows that are read at a time.
BATCH = 500
#: Falls that are told one by one.
EXAMPLES = 20
#: Rows of one place that are a piece of work.
PIECE = 5_000
#: A worker looks for so long and then leaves the rest to the next row of the outbox: less than a lease.
SLICE_SECONDS = 15


@dataclass(frozen=True, slots=True)
class Fall:
    """What is on sale and would not be any more, or is not any more."""

    subject: Subject
    title: str
    findings: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """What is kept of one kind in one schema, after an id and up to another one, or to the end."""

    kind: str
    schema_name: str
    after: int = 0
    until: int | None = None


@dataclass(slots=True)
class Outcome:
    """What came of looking at everything: what `fell` leaves sale, what `rose` comes back.

    `is_whole` is false where time ran out.
    """

    looked: int = 0
    fell: int = 0
    rose: int = 0
    examples: list[Fall] = field(default_factory=list)
    is_whole: bool = True

    def add(self, other: "Outcome") -> None:
        """What somebody else found, elsewhere."""
        self.looked += other.looked
        self.fell += other.fell
        self.rose += other.rose
        self.examples = [*self.examples, *other.examples][:EXAMPLES]

    def note_fall(self, subject: Subject, facts: Facts, judged: Judged) -> None:
        """Count it, and keep the first ones."""
        self.fell += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(Fall(subject, facts.title, judged.findings))


def foresee(*, book: Book | None = None, seconds: float | None = None) -> Outcome:
    """What looking at everything by a book, or by the rules that hold, would take off sale. Nothing is written.

    Looks for about `seconds` at most.
    """
    book = book or book_now()[0]
    began, outcome = time.monotonic(), Outcome()
    for kind, schema_name in places():
        with entered(schema_name):
            for subject_id, facts in _rows(kind, 0):
                if seconds is not None and time.monotonic() - began > seconds:
                    outcome.is_whole = False
                    return outcome
                outcome.looked += 1
                judged = judge(facts, book)
                if facts.standing != Standing.CLEAR or judged.verdict is Verdict.CLEAR:
                    continue
                subject = Subject(kind, schema_name, subject_id)
                if not _is_approved(subject, judged):
                    outcome.note_fall(subject, facts, judged)
    return outcome


def rescreen_all() -> Outcome:
    """Look at everything by the rules that hold: what falls leaves sale with a case, what is clear now comes back."""
    outcome = Outcome()
    for kind, schema_name in places():
        _rescreen(Piece(kind, schema_name), outcome)
    return outcome


def pieces() -> list[Piece]:
    """Everything, in pieces of which each may be looked at by another process (`piece_rescreen`)."""
    return [piece for kind, schema_name in places() for piece in _parted(kind, schema_name)]


def piece_rescreen(piece: Piece) -> Outcome:
    """Look at a piece of it as `rescreen_all` does at everything."""
    outcome = Outcome()
    _rescreen(piece, outcome)
    return outcome


def _parted(kind: str, schema_name: str) -> list[Piece]:
    with entered(schema_name):
        ids = door_of(kind).ids()
    ends = [*ids[PIECE - 1 : len(ids) - 1 : PIECE], None]
    return [Piece(kind, schema_name, after or 0, until) for after, until in pairwise([None, *ends])]


def rules_changed(*, rules_version: int) -> None:
    """The rules are others: a piece of work for each place where something is sold. A later change makes it void."""
    if rules_version != book_now()[1]:
        return
    for kind, schema_name in places():
        publish("subjects.rescreen", kind=kind, shop=schema_name, after=0, rules_version=rules_version)


def subjects_rescreen(*, kind: str, shop: str, after: int, rules_version: int, until: int | None = None) -> None:
    """One place, from an id on and up to another one, for a while; the rest is the next row's. A place that is much is
    parted first. Void once the rules have changed again."""
    if rules_version != book_now()[1]:
        return
    whole = Piece(kind, shop, after, until)
    parts = _parted(kind, shop) if whole == Piece(kind, shop) else [whole]
    if len(parts) == 1:
        last = _rescreen(whole, Outcome(), seconds=SLICE_SECONDS)
        parts = [Piece(kind, shop, last, until)] if last is not None else []
    for part in parts:
        publish(
            "subjects.rescreen", kind=kind, shop=shop, after=part.after, until=part.until, rules_version=rules_version
        )


def places() -> Iterator[tuple[str, str]]:
    """Each kind with each schema in which there may be some of it."""
    public = get_public_schema_name()
    shops = list(Reseller.objects.exclude(schema_name=public).order_by("pk").values_list("schema_name", flat=True))
    for kind in kinds():
        yield from ((kind, schema_name) for schema_name in (shops if door_of(kind).in_shops else [public]))


def _rescreen(piece: Piece, outcome: Outcome, seconds: float | None = None) -> int | None:
    """Look at a piece. The id to go on after, where the time was not enough."""
    began, book = time.monotonic(), book_now()[0]
    with entered(piece.schema_name):
        for subject_id, facts in _rows(piece.kind, piece.after):
            if piece.until is not None and subject_id > piece.until:
                break
            outcome.looked += 1
            if facts.standing != Standing.TAKEN_DOWN:
                judged = judge(facts, book)
                if (facts.standing, judged.verdict) != (Standing.CLEAR, Verdict.CLEAR):
                    _look_closely(Subject(piece.kind, piece.schema_name, subject_id), judged, outcome)
            if seconds is not None and time.monotonic() - began > seconds:
                return subject_id
    return None


def _rows(kind: str, after: int) -> Iterator[tuple[int, Facts]]:
    door = door_of(kind)
    batch = door.batch(after, BATCH)
    while batch:
        yield from batch
        batch = door.batch(batch[-1][0], BATCH)


@transaction.atomic
def _look_closely(subject: Subject, judged: Judged, outcome: Outcome) -> None:
    """One row, as it is under its lock: somebody may have changed it meanwhile."""
    door = door_of(subject.kind)
    facts = door.facts(subject.id, lock=True)
    if facts is None or facts.standing == Standing.TAKEN_DOWN:
        return
    gated = subject_screen(subject=subject, facts=facts, is_edit=False)
    if gated.standing == facts.standing:
        return
    door.stand(subject.id, gated.standing, words=facts.words, caught=caught_in(gated.screening))
    if facts.standing == Standing.CLEAR:
        outcome.note_fall(subject, facts, judged)
    elif gated.is_clear:
        outcome.rose += 1


def _is_approved(subject: Subject, judged: Judged) -> bool:
    """Whether a person has approved exactly this, with all that is found in it."""
    ruling = ruling_on(subject, judged.digest)
    if ruling is None or ruling.state != Case.State.APPROVED:
        return False
    seen = ruling.screening.findings if ruling.screening is not None else []
    return verdict_by(fresh(judged.findings, seen)) is Verdict.CLEAR
