"""The gate: what is written is screened in the transaction that writes it, and people decide about what is doubtful.

Locks: the subject's row, then its open case, then the head of the audit trail.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from compliance.gate.exceptions import (
    CaseClosed,
    CaseMoved,
    ContentBlocked,
    StatementMissing,
    TooMuchText,
    UndoTooLate,
)
from compliance.gate.judging import Judged, fresh, judge, verdict_by
from compliance.gate.models import Case, Screening, SubjectKind, Version
from compliance.gate.selectors import approved_before, version_texts
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
_STANDING = {Verdict.CLEAR: Standing.CLEAR, Verdict.FLAGGED: Standing.FLAGGED, Verdict.BLOCKED: Standing.BLOCKED}


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
    judged = judge(facts, book)
    ruling = ruling_on(subject, judged.digest)
    new = fresh(judged.findings, ruling.screening.findings if ruling and ruling.screening else [])
    verdict = judged.verdict
    if ruling is not None and ruling.state == State.APPROVED:
        verdict = verdict_by(new)
    elif ruling is not None and verdict is Verdict.CLEAR:
        verdict = Verdict.FLAGGED
    if verdict is Verdict.BLOCKED and is_edit:
        raise _blocked(judged)
    screening = _written(subject, facts, judged, rules_version)
    waiting = _waiting(subject)
    has_been_seen = ruling is not None and not new
    if facts.standing == Standing.TAKEN_DOWN:
        if not has_been_seen:
            waiting = _wait(subject, facts, screening, Kind.RESUBMITTED, waiting)
        return Gated(Standing.TAKEN_DOWN, screening, waiting or ruling)
    if verdict is Verdict.CLEAR:
        if waiting is not None:
            _close(waiting, to=State.WITHDRAWN, actor="system")
        return Gated(Standing.CLEAR, screening)
    if waiting is None and has_been_seen:
        # It was sent back like this: there is nothing new for anybody to look at.
        return Gated(_STANDING[verdict], screening, ruling)
    kind = Kind.FLAGGED if is_edit else Kind.RESCREENED
    return Gated(_STANDING[verdict], screening, _wait(subject, facts, screening, kind, waiting))


def refuse_forbidden(words: Mapping[str, str]) -> None:
    """For short words that are part of other subjects: raises `ContentBlocked` for what no subject may say."""
    book, _version = book_now()
    for name, text in words.items():
        judged = judge(Facts(text, Standing.CLEAR, (Text(name, Slot.TITLE, text),)), book)
        if judged.verdict is Verdict.BLOCKED:
            raise _blocked(judged)


@transaction.atomic
def subject_withdraw(*, subject: Subject) -> None:
    """Nothing is left to decide about, for instance because an owner's own name is gone: what waited is withdrawn."""
    waiting = _waiting(subject)
    if waiting is not None:
        _close(waiting, to=State.WITHDRAWN, actor="system")


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
        _close(case, to=to, actor=actor, reasons=reasons, statement=statement)
        if to == State.APPROVED:
            _stand(case, Standing.CLEAR)
        elif to == State.TAKEN_DOWN:
            _taken_down(case)
    entry_append(actor=actor, subject=f"case:{case.pk}", action=f"case.{to}", data=_said(case))
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
        case = _waiting(subject)
        if case is None and facts.standing == Standing.TAKEN_DOWN:
            done = Case.objects.filter(**_of(subject), state=State.TAKEN_DOWN).order_by("-pk").first()
            if done is not None:
                return done
        if case is None:
            case = _open(subject, facts, Screening.objects.filter(**_of(subject)).first(), Kind.TAKEN_DOWN)
        _close(case, to=State.TAKEN_DOWN, actor=actor, reasons=reasons, statement=statement)
        _taken_down(case)
    entry_append(actor=actor, subject=f"case:{case.pk}", action="case.taken_down", data=_said(case))
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
        screening = _written(subject, facts, judge(facts, book), rules_version)
        case = _wait(subject, facts, screening, Kind.RESTORED, _waiting(subject))
        _close(case, to=State.APPROVED, actor=actor, reasons=reasons, statement=statement)
        _stand(case, Standing.CLEAR)
    entry_append(actor=actor, subject=f"case:{case.pk}", action="case.restored", data=_said(case))
    return case


@transaction.atomic
def case_amend(*, case_id: int, digest: str, words: Mapping[str, str], actor: str, statement: str) -> Case:
    """Put the words of a case right and approve them: the owner reads what was changed.

    `digest` is the version that whoever decides has seen, `words` are fields that its door lets amend. Raises
    `NotFound`, `CaseClosed`, `CaseMoved`, `StatementMissing` where nothing is changed, and `ContentBlocked` where the
    new words may not be either; nothing has moved then.
    """
    known = Case.objects.filter(pk=case_id).first()
    if known is None:
        raise NotFound
    subject, door = known.subject, door_of(known.subject_kind)
    with entered(subject.schema_name):
        facts = door.facts(subject.id, lock=True)
        case = Case.objects.select_for_update(of=("self",)).select_related("screening").get(pk=case_id)
        if case.state != State.OPEN or facts is None:
            raise CaseClosed
        if case.digest != digest:
            raise CaseMoved
        before = version_texts(digest)
        new = {name: " ".join(text.split())[: door.amendable[name]] for name, text in words.items()}
        changes = {name: [before.get(name, ""), text] for name, text in new.items() if text != before.get(name, "")}
        if not changes:
            raise StatementMissing(_("没有改动：要么改文字，要么直接通过"))
        door.amend(subject.id, {**{name: before.get(name, "") for name in door.amendable}, **new})
        facts = door.facts(subject.id)
        book, rules_version = book_now()
        if facts is None or (judged := judge(facts, book)).verdict is Verdict.BLOCKED:
            raise _blocked(judged) if facts is not None else CaseClosed
        screening = _written(subject, facts, judged, rules_version)
        case.title, case.screening, case.digest = facts.title[:LONGEST_TITLE], screening, screening.digest
        case.save(update_fields=["title", "screening", "digest"])
        _close(case, to=State.APPROVED, actor=actor, statement=statement)
        _stand(case, Standing.CLEAR)
    entry_append(
        actor=actor, subject=f"case:{case.pk}", action="case.amended", data={**_said(case), "changes": changes}
    )
    return case


@transaction.atomic
def case_reopen(*, case_id: int, actor: str, within: timedelta) -> Case:
    """Take a decision back: the subject stands as it stood before, and the case is open again. One that was opened by
    a take-down itself is withdrawn instead.

    Raises `NotFound`, `CaseClosed` where nobody decided, `UndoTooLate` for anybody but `actor`'s own decision of the
    last `within`, and `CaseMoved` where the subject was changed or decided about since.
    """
    known = Case.objects.filter(pk=case_id).first()
    if known is None:
        raise NotFound
    with entered(known.schema_name):
        facts = door_of(known.subject_kind).facts(known.subject_id, lock=True)
        case = Case.objects.select_for_update(of=("self",)).select_related("screening").get(pk=case_id)
        if facts is None or State.OPEN not in Case.TRANSITIONS.get(case.state, frozenset()) or case.decided_at is None:
            raise CaseClosed
        if case.decided_by != actor or case.decided_at < timezone.now() - within:
            raise UndoTooLate
        _check_last(case)
        undone = _said(case) | {"was": case.state}
        was = case.state
        case.state, case.decided_by, case.decided_at, case.reasons, case.statement = State.OPEN, "", None, [], ""
        if case.kind == Kind.TAKEN_DOWN:
            case.state, case.decided_by, case.decided_at = State.WITHDRAWN, actor, timezone.now()
        case.save(update_fields=["state", "decided_by", "decided_at", "reasons", "statement"])
        _stand_as_before(case, was)
    entry_append(actor=actor, subject=f"case:{case.pk}", action="case.undone", data=undone)
    return case


@transaction.atomic
def case_overturn(*, case_id: int, actor: str, statement: str) -> Case:
    """Approve what was sent back or taken down, by a case of its own; the decision before stays as it was written.

    Raises `NotFound`, `CaseClosed` where nothing was decided against anybody, and `CaseMoved` where the subject was
    changed or decided about since.
    """
    known = Case.objects.filter(pk=case_id).first()
    if known is None:
        raise NotFound
    with entered(known.schema_name):
        facts = door_of(known.subject_kind).facts(known.subject_id, lock=True)
        before = Case.objects.select_related("screening").get(pk=case_id)
        if facts is None or before.state not in (State.SENT_BACK, State.TAKEN_DOWN):
            raise CaseClosed
        _check_last(before)
        case = _open(before.subject, facts, before.screening, Kind.APPEALED)
        case.digest = before.digest
        case.save(update_fields=["digest"])
        _close(case, to=State.APPROVED, actor=actor, statement=statement)
        _stand(case, Standing.CLEAR)
    entry_append(actor=actor, subject=f"case:{case.pk}", action="case.approved", data=_said(case))
    return case


def caught_in(screening: Screening) -> frozenset[str]:
    """The fields in which a screening found something."""
    return frozenset(finding["field"] for finding in screening.findings if finding["field"])


def _waiting(subject: Subject) -> Case | None:
    """The open case, locked."""
    rows = Case.objects.select_for_update(of=("self",)).select_related("screening")
    return rows.filter(**_of(subject), state=State.OPEN).first()


def ruling_on(subject: Subject, digest: str) -> Case | None:
    """What a person last decided about exactly this version, if anybody did."""
    decided = Case.objects.filter(**_of(subject), digest=digest).exclude(state__in=(State.OPEN, State.WITHDRAWN))
    return decided.select_related("screening").order_by("-decided_at", "-pk").first()


def _written(subject: Subject, facts: Facts, judged: Judged, rules_version: int) -> Screening:
    """The screening as a row; the same look at the same thing is not written twice."""
    last = Screening.objects.filter(**_of(subject)).first()
    findings = list(judged.findings)
    if last is not None and (last.digest, last.rules_version, last.findings) == (
        judged.digest,
        rules_version,
        findings,
    ):
        return last
    Version.objects.bulk_create([Version(digest=judged.digest, texts=facts.words)], ignore_conflicts=True)
    return Screening.objects.create(
        **_of(subject),
        digest=judged.digest,
        rules_version=rules_version,
        verdict=judged.verdict.value,
        findings=findings,
    )


def _wait(subject: Subject, facts: Facts, screening: Screening, kind: Case.Kind, waiting: Case | None) -> Case:
    """The one case that is open: the one there is, moved on to this version, or a new one."""
    if waiting is None:
        return _open(subject, facts, screening, kind)
    if waiting.screening_id != screening.pk:
        waiting.title, waiting.screening, waiting.digest = facts.title[:LONGEST_TITLE], screening, screening.digest
        waiting.severity = _severity(screening)
        waiting.save(update_fields=["title", "screening", "digest", "severity"])
    return waiting


def _open(subject: Subject, facts: Facts, screening: Screening | None, kind: Case.Kind) -> Case:
    severity = _severity(screening)
    return Case.objects.create(
        **_of(subject),
        kind=kind,
        title=facts.title[:LONGEST_TITLE],
        screening=screening,
        digest=screening.digest if screening is not None else facts.digest(),
        severity=severity,
        due_at=timezone.now() + DUE[severity],
    )


def _severity(screening: Screening | None) -> Severity:
    findings = screening.findings if screening is not None else []
    return Severity(findings[0]["severity"]) if findings else Severity.LOW


def _close(case: Case, *, to: str, actor: str, reasons: Sequence[str] = (), statement: str = "") -> None:
    """The only door for a case's state; the row must be locked. Raises `CaseClosed`."""
    if to not in Case.TRANSITIONS.get(case.state, frozenset()):
        raise CaseClosed
    case.state, case.decided_by, case.reasons = to, actor, list(reasons)
    case.statement, case.decided_at = statement.strip()[:LONGEST_STATEMENT], timezone.now()
    case.save(update_fields=["state", "decided_by", "decided_at", "reasons", "statement"])


def _stand(case: Case, standing: Standing) -> None:
    """Make the subject of a case stand like that; its row is locked."""
    version = Version.objects.filter(pk=case.digest).first()
    caught = caught_in(case.screening) if case.screening is not None else frozenset()
    words = version.texts if version is not None else {}
    door_of(case.subject_kind).stand(case.subject_id, standing, words=words, caught=caught)


def _check_last(case: Case) -> None:
    """Nothing has come after a decision: no other version, and no other case. Raises `CaseMoved`."""
    of_subject = _of(case.subject)
    last = Screening.objects.filter(**of_subject).first()
    if (last is not None and last.digest != case.digest) or Case.objects.filter(**of_subject, pk__gt=case.pk).exists():
        raise CaseMoved


def _stand_as_before(case: Case, was: str) -> None:
    """As the subject stood when nobody had decided yet about a case that was decided as `was`."""
    if case.kind == Kind.RESUBMITTED:
        _stand(case, Standing.TAKEN_DOWN)
    elif case.state == State.WITHDRAWN or case.screening is None:
        _stand(case, Standing.CLEAR)
    elif case.subject_kind == SubjectKind.SHOP and was == State.APPROVED and (shown := approved_before(case)):
        # A shop goes on showing the words before.
        words = version_texts(shown.digest)
        door_of(case.subject_kind).stand(case.subject_id, Standing.CLEAR, words=words, caught=frozenset())
    else:
        verdict = Verdict(case.screening.verdict)
        _stand(case, _STANDING[verdict] if verdict is not Verdict.CLEAR else Standing.FLAGGED)


def _taken_down(case: Case) -> None:
    _stand(case, Standing.TAKEN_DOWN)
    publish("subject.taken_down", kind=case.subject_kind, subject_id=case.subject_id, case_id=case.pk)


def _check_statement(reasons: Sequence[str], statement: str) -> None:
    if not reasons and not statement.strip():
        raise StatementMissing


def _blocked(judged: Judged) -> ContentBlocked:
    told = by_field(judged.findings)
    told.pop("", None)
    refused = ContentBlocked(" ".join([str(ContentBlocked.message), *reasons_of(judged.findings)]), fields=told)
    refused.findings = judged.findings
    return refused


def _of(subject: Subject) -> dict[str, Any]:
    return {"subject_kind": subject.kind, "schema_name": subject.schema_name, "subject_id": subject.id}


def _said(case: Case) -> dict[str, object]:
    """What the trail keeps of a decision."""
    return {
        "about": str(case.subject),
        "title": case.title,
        "version": case.digest,
        "screening": case.screening_id,
        "reasons": case.reasons,
        "statement": case.statement,
    }
