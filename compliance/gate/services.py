"""The gate: what is written is screened in the transaction that writes it, and people decide about what is doubtful.

Locks: the subject's row, then its open case, then the head of the audit trail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from compliance.gate.exceptions import (
    CaseClosed,
    CaseMoved,
    ContentBlocked,
    StatementMissing,
    TooMuchText,
)
from compliance.gate.history import held_against
from compliance.gate.judging import Judged, fresh, judge, verdict_by
from compliance.gate.models import Case, Screening, Version
from compliance.gate.refusals import refusal_note
from compliance.gate.subjects import MOST_CHARACTERS, Facts, Slot, Standing, Subject, Text, door_of, entered
from compliance.gate.words import by_field
from compliance.gate.words import reasons as reasons_of
from compliance.rules import book_now
from compliance.screening.listing import Verdict
from compliance.screening.rules import Severity
from compliance.trail.services import entry_append
from kameng.core.problems import NotFound
from kameng.outbox.services import publish

#: Until when somebody should have decided, by how severe the worst finding is.
DUE = {Severity.HIGH: timedelta(hours=2), Severity.MEDIUM: timedelta(hours=4), Severity.LOW: timedelta(hours=24)}
LONGEST_TITLE, LONGEST_STATEMENT = 160, 2000

State, Kind = Case.State, Case.Kind
STANDING_BY_VERDICT = {
    Verdict.CLEAR: Standing.CLEAR,
    Verdict.FLAGGED: Standing.FLAGGED,
    Verdict.BLOCKED: Standing.BLOCKED,
}


@dataclass(frozen=True, slots=True)
class Gated:
    """What came of screening a subject: how it stands now, by which screening, and the case that waits, if one does."""

    standing: Standing
    screening: Screening
    case: Case | None = None

    @property
    def is_clear(self) -> bool:
        """Whether it may be shown and sold."""
        return self.standing is Standing.CLEAR


@transaction.atomic
def subject_screen(*, subject: Subject, facts: Facts, is_edit: bool = True) -> Gated:
    """Screen a subject as it stands in the caller's transaction; the caller writes the standing that comes back.

    The caller holds the subject's row, with what was typed already in it. Clear: it may be sold at once, and what
    waited is withdrawn. Flagged: it may not, and one case waits for a person. Blocked: an edit is refused with
    `ContentBlocked`, and the caller's transaction with it; what stood before the rules changed (`is_edit` false) leaves
    sale, and a case waits. What a person has decided about exactly these texts holds, as long as nothing new is found
    in them. What was taken down stays so until a person says otherwise. Raises `TooMuchText`.
    """
    if facts.length > MOST_CHARACTERS:
        raise TooMuchText
    book, rules_version = book_now()
    ruling = ruling_on(subject, facts.digest())
    if ruling is None:
        # What somebody has decided about, they have decided knowing whose it is.
        facts = replace(facts, against=held_against(subject))
    judged = judge(facts, book)
    new = fresh(judged.findings, ruling.screening.findings if ruling and ruling.screening else [])
    verdict = judged.verdict
    if ruling is not None and ruling.state == State.APPROVED:
        verdict = verdict_by(new)
    elif ruling is not None and verdict is Verdict.CLEAR:
        verdict = Verdict.FLAGGED
    if verdict is Verdict.BLOCKED and is_edit:
        refusal_note(subject=subject, title=facts.title, findings=judged.findings, rules_version=rules_version)
        raise blocked(judged)
    screening = screening_write(subject, facts, judged, rules_version)
    waiting = open_case(subject)
    has_been_seen = ruling is not None and not new
    if facts.standing == Standing.TAKEN_DOWN:
        if not has_been_seen:
            waiting = _wait(subject, facts, screening, Kind.RESUBMITTED, waiting)
        return Gated(Standing.TAKEN_DOWN, screening, waiting or ruling)
    if verdict is Verdict.CLEAR:
        if waiting is not None:
            case_close(waiting, to=State.WITHDRAWN, actor="system")
        return Gated(Standing.CLEAR, screening)
    if waiting is None and has_been_seen:
        # It was sent back like this: there is nothing new for anybody to look at.
        return Gated(STANDING_BY_VERDICT[verdict], screening, ruling)
    kind = Kind.FLAGGED if is_edit else Kind.RESCREENED
    return Gated(STANDING_BY_VERDICT[verdict], screening, _wait(subject, facts, screening, kind, waiting))


def refuse_forbidden(subject: Subject, words: Mapping[str, str]) -> None:
    """For short words that are part of other subjects: raises `ContentBlocked` for what no subject may say.

    `subject` is what the record of it names.
    """
    book, rules_version = book_now()
    for name, text in words.items():
        judged = judge(Facts(text, Standing.CLEAR, (Text(name, Slot.TITLE, text),)), book)
        if judged.verdict is Verdict.BLOCKED:
            refusal_note(subject=subject, title=text, findings=judged.findings, rules_version=rules_version)
            raise blocked(judged)


@transaction.atomic
def subject_withdraw(*, subject: Subject) -> None:
    """Nothing is left to decide about, for instance because an owner's own name is gone: what waited is withdrawn."""
    waiting = open_case(subject)
    if waiting is not None:
        case_close(waiting, to=State.WITHDRAWN, actor="system")


@transaction.atomic
def case_decide(
    *, case_id: int, digest: str, to: str, actor: str, reasons: Sequence[str] = (), statement: str = ""
) -> Case:
    """Decide about an open case: `approved`, `sent_back` or `taken_down`. It holds as soon as the transaction does.

    `digest` is the version that whoever decides has seen. `reasons` are codes, `statement` is what the owner is told;
    against an owner one of both is needed. Raises `NotFound`, `CaseClosed`, `CaseMoved` where another version has come
    meanwhile, and `StatementMissing`; nothing has moved then.
    """
    if to not in Case.TRANSITIONS[State.OPEN] - {State.WITHDRAWN}:
        raise ValueError(f"nobody decides that a case is {to}")
    known = Case.objects.filter(pk=case_id).first()
    if known is None:
        raise NotFound
    subject = known.subject
    with entered(subject.schema_name):
        facts = door_of(subject.kind).facts(subject.id, lock=True)
        case = Case.objects.select_for_update(of=("self",)).select_related("screening").get(pk=case_id)
        if case.state != State.OPEN or facts is None:
            raise CaseClosed
        if case.digest != digest:
            raise CaseMoved
        if to != State.APPROVED:
            _check_statement(reasons, statement)
        case_close(case, to=to, actor=actor, reasons=reasons, statement=statement)
        if to == State.APPROVED:
            subject_stand(case, Standing.CLEAR)
        elif to == State.TAKEN_DOWN:
            _taken_down(case)
    entry_append(actor=actor, subject=f"case:{case.pk}", action=f"case.{to}", data=said_of(case))
    return case


@transaction.atomic
def subject_take_down(*, subject: Subject, actor: str, reasons: Sequence[str] = (), statement: str = "") -> Case:
    """Take something off sale everywhere, at once: what is open about it is decided with that.

    No order for it can be placed or paid from here on; what was paid and not delivered is refunded, where it is certain
    that nothing was bought for it (`subject.taken_down` in the outbox). The case that comes back says so to the owner.
    The same again is the one there is. Raises `NotFound` and `StatementMissing`.
    """
    _check_statement(reasons, statement)
    with entered(subject.schema_name):
        facts = door_of(subject.kind).facts(subject.id, lock=True)
        if facts is None:
            raise NotFound
        case = open_case(subject)
        if case is None and facts.standing == Standing.TAKEN_DOWN:
            done = Case.objects.filter(**of_subject(subject), state=State.TAKEN_DOWN).order_by("-pk").first()
            if done is not None:
                return done
        if case is None:
            case = case_open(subject, facts, Screening.objects.filter(**of_subject(subject)).first(), Kind.TAKEN_DOWN)
        case_close(case, to=State.TAKEN_DOWN, actor=actor, reasons=reasons, statement=statement)
        _taken_down(case)
    entry_append(actor=actor, subject=f"case:{case.pk}", action="case.taken_down", data=said_of(case))
    return case


@transaction.atomic
def subject_restore(*, subject: Subject, actor: str, reasons: Sequence[str] = (), statement: str = "") -> Case:
    """Lift a take-down: what stands there now is approved. Raises `NotFound`, and `CaseClosed` where nothing was taken
    down."""
    with entered(subject.schema_name):
        facts = door_of(subject.kind).facts(subject.id, lock=True)
        if facts is None:
            raise NotFound
        if facts.standing != Standing.TAKEN_DOWN:
            raise CaseClosed
        book, rules_version = book_now()
        screening = screening_write(subject, facts, judge(facts, book), rules_version)
        case = _wait(subject, facts, screening, Kind.RESTORED, open_case(subject))
        case_close(case, to=State.APPROVED, actor=actor, reasons=reasons, statement=statement)
        subject_stand(case, Standing.CLEAR)
    entry_append(actor=actor, subject=f"case:{case.pk}", action="case.restored", data=said_of(case))
    return case


def caught_in(screening: Screening) -> frozenset[str]:
    """The fields in which a screening found something."""
    return frozenset(finding["field"] for finding in screening.findings if finding["field"])


def open_case(subject: Subject) -> Case | None:
    """The open case, locked."""
    rows = Case.objects.select_for_update(of=("self",)).select_related("screening")
    return rows.filter(**of_subject(subject), state=State.OPEN).first()


def ruling_on(subject: Subject, digest: str) -> Case | None:
    """What a person last decided about exactly this version, if anybody did."""
    decided = Case.objects.filter(**of_subject(subject), digest=digest).exclude(state__in=(State.OPEN, State.WITHDRAWN))
    return decided.select_related("screening").order_by("-decided_at", "-pk").first()


def screening_write(subject: Subject, facts: Facts, judged: Judged, rules_version: int) -> Screening:
    """The screening as a row; the same look at the same thing is not written twice."""
    last = Screening.objects.filter(**of_subject(subject)).first()
    findings = list(judged.findings)
    if last is not None and (last.digest, last.rules_version, last.findings) == (
        judged.digest,
        rules_version,
        findings,
    ):
        return last
    Version.objects.bulk_create([Version(digest=judged.digest, texts=facts.words)], ignore_conflicts=True)
    return Screening.objects.create(
        **of_subject(subject),
        digest=judged.digest,
        rules_version=rules_version,
        verdict=judged.verdict.value,
        findings=findings,
    )


def _wait(subject: Subject, facts: Facts, screening: Screening, kind: Case.Kind, waiting: Case | None) -> Case:
    """The one case that is open: the one there is, moved on to this version, or a new one."""
    if waiting is None:
        return case_open(subject, facts, screening, kind)
    if waiting.screening_id != screening.pk:
        waiting.title, waiting.screening, waiting.digest = facts.title[:LONGEST_TITLE], screening, screening.digest
        waiting.severity = _severity(screening)
        waiting.save(update_fields=["title", "screening", "digest", "severity"])
    return waiting


def case_open(subject: Subject, facts: Facts, screening: Screening | None, kind: Case.Kind) -> Case:
    """A new case about a subject as it is, due by how severe it is."""
    severity = _severity(screening)
    return Case.objects.create(
        **of_subject(subject),
        kind=kind,
        title=facts.title[:LONGEST_TITLE],
        screening=screening,
        digest=screening.digest if screening is not None else facts.digest(),
        severity=severity,
        due_at=timezone.now() + DUE[severity],
    )


def _severity(screening: Screening | None) -> Severity:
    """The worst of what was found."""
    findings = screening.findings if screening is not None else []
    return Severity(findings[0]["severity"]) if findings else Severity.LOW


def case_close(case: Case, *, to: str, actor: str, reasons: Sequence[str] = (), statement: str = "") -> None:
    """How a case ends (`second_thoughts.case_reopen` opens it again); the row must be locked. Raises `CaseClosed`."""
    if to not in Case.TRANSITIONS.get(case.state, frozenset()):
        raise CaseClosed
    case.state, case.decided_by, case.reasons = to, actor, list(reasons)
    case.statement, case.decided_at = statement.strip()[:LONGEST_STATEMENT], timezone.now()
    case.save(update_fields=["state", "decided_by", "decided_at", "reasons", "statement"])


def subject_stand(case: Case, standing: Standing) -> None:
    """Make the subject of a case stand like that; its row is locked."""
    version = Version.objects.filter(pk=case.digest).first()
    caught = caught_in(case.screening) if case.screening is not None else frozenset()
    words = version.texts if version is not None else {}
    door_of(case.subject_kind).stand(case.subject_id, standing, words=words, caught=caught)


def _taken_down(case: Case) -> None:
    subject_stand(case, Standing.TAKEN_DOWN)
    publish("subject.taken_down", kind=case.subject_kind, subject_id=case.subject_id, case_id=case.pk)


def _check_statement(reasons: Sequence[str], statement: str) -> None:
    if not reasons and not statement.strip():
        raise StatementMissing


def blocked(judged: Judged) -> ContentBlocked:
    """The refusal, with what was found in the words of the form."""
    told = by_field(judged.findings)
    told.pop("", None)
    refused = ContentBlocked(" ".join([str(ContentBlocked.message), *reasons_of(judged.findings)]), fields=told)
    refused.findings = judged.findings
    return refused


def of_subject(subject: Subject) -> dict[str, Any]:
    """What rows about a subject are found by."""
    return {"subject_kind": subject.kind, "schema_name": subject.schema_name, "subject_id": subject.id}


def said_of(case: Case) -> dict[str, object]:
    """What the trail keeps of a decision."""
    return {
        "about": str(case.subject),
        "title": case.title,
        "version": case.digest,
        "screening": case.screening_id,
        "reasons": case.reasons,
        "statement": case.statement,
    }
