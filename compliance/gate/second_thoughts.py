"""Changing a case's words, or one's mind about it: each in the transaction in which the subject stands otherwise.

Locks as in `compliance.gate.services`.
"""

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from compliance.gate.exceptions import CaseClosed, CaseMoved, StatementMissing, TooMuchText, UndoTooLate
from compliance.gate.judging import judge
from compliance.gate.models import Case, Screening, SubjectKind
from compliance.gate.selectors import approved_before, version_texts
from compliance.gate.services import (
    LONGEST_TITLE,
    STANDING_BY_VERDICT,
    blocked,
    case_close,
    case_open,
    of_subject,
    said_of,
    screening_write,
    subject_stand,
)
from compliance.gate.subjects import Facts, Standing, door_of, entered
from compliance.rules import book_now
from compliance.screening.listing import Verdict
from compliance.trail.services import entry_append
from kameng.core.problems import NotFound

State, Kind = Case.State, Case.Kind
#: What goes on showing the words before, as long as the new ones wait.
_SHOWN_BEFORE = frozenset({SubjectKind.SHOP, SubjectKind.CATEGORY, SubjectKind.PICTURE})


@transaction.atomic
def case_amend(*, case_id: int, digest: str, words: Mapping[str, str], actor: str, statement: str) -> Case:
    """Put the words of a case right and approve them: the owner reads what was changed.

    `digest` is the version that whoever decides has seen, `words` are fields that its door lets amend. Raises
    `NotFound`, `CaseClosed`, `CaseMoved`, `TooMuchText`, `StatementMissing` where nothing is changed, and
    `ContentBlocked` where the new words may not be either; nothing has moved then.
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
        new = {name: " ".join(text.replace("\0", "").split()) for name, text in words.items()}
        if any(len(text) > door.amendable[name] for name, text in new.items()):
            raise TooMuchText
        changes = {name: [before.get(name, ""), text] for name, text in new.items() if text != before.get(name, "")}
        if not changes:
            raise StatementMissing(_("没有改动：要么改文字，要么直接通过"))
        door.amend(subject.id, {**{name: before[name] for name in door.amendable if name in before}, **new})
        facts = door.facts(subject.id)
        book, rules_version = book_now()
        if facts is None or (judged := judge(facts, book)).verdict is Verdict.BLOCKED:
            raise blocked(judged) if facts is not None else CaseClosed
        screening = screening_write(subject, facts, judged, rules_version)
        _move_on(case, facts, screening)
        case.amended_from = digest
        case.save(update_fields=["amended_from"])
        case_close(case, to=State.APPROVED, actor=actor, statement=statement)
        subject_stand(case, Standing.CLEAR)
    entry_append(
        actor=actor, subject=f"case:{case.pk}", action="case.amended", data={**said_of(case), "changes": changes}
    )
    return case


@transaction.atomic
def case_reopen(*, case_id: int, actor: str, within: timedelta) -> Case:
    """Take a decision back: the subject stands as it stood before, and the case is open again. One that was opened by
    a take-down itself is withdrawn instead; words that were put right are again those that the owner wrote.

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
        undone = said_of(case) | {"was": case.state}
        was = case.state
        case.state, case.decided_by, case.decided_at, case.reasons, case.statement = State.OPEN, "", None, [], ""
        if case.kind == Kind.TAKEN_DOWN:
            case.state, case.decided_by, case.decided_at = State.WITHDRAWN, actor, timezone.now()
        case.save(update_fields=["state", "decided_by", "decided_at", "reasons", "statement"])
        if case.amended_from:
            _give_words_back(case)
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
        case = case_open(before.subject, facts, before.screening, Kind.APPEALED)
        case.digest = before.digest
        case.save(update_fields=["digest"])
        case_close(case, to=State.APPROVED, actor=actor, statement=statement)
        subject_stand(case, Standing.CLEAR)
    entry_append(actor=actor, subject=f"case:{case.pk}", action="case.approved", data=said_of(case))
    return case


def _check_last(case: Case) -> None:
    """Nothing has come after a decision: no other version, and no other case. Raises `CaseMoved`."""
    about = of_subject(case.subject)
    last = Screening.objects.filter(**about).first()
    if (last is not None and last.digest != case.digest) or Case.objects.filter(**about, pk__gt=case.pk).exists():
        raise CaseMoved


def _give_words_back(case: Case) -> None:
    """The words as the owner wrote them, screened again: the last version that anybody knows of."""
    door, before = door_of(case.subject_kind), version_texts(case.amended_from)
    door.amend(case.subject_id, {name: before[name] for name in door.amendable if name in before})
    facts = door.facts(case.subject_id)
    if facts is None:
        raise CaseClosed
    book, rules_version = book_now()
    _move_on(case, facts, screening_write(case.subject, facts, judge(facts, book), rules_version))
    case.amended_from = ""
    case.save(update_fields=["amended_from"])


def _move_on(case: Case, facts: Facts, screening: Screening) -> None:
    """The case is about this version now."""
    case.title, case.screening, case.digest = facts.title[:LONGEST_TITLE], screening, screening.digest
    case.save(update_fields=["title", "screening", "digest"])


def _stand_as_before(case: Case, was: str) -> None:
    """As the subject stood when nobody had decided yet about a case that was decided as `was`."""
    if case.kind == Kind.RESUBMITTED:
        subject_stand(case, Standing.TAKEN_DOWN)
    elif case.state == State.WITHDRAWN or case.screening is None:
        subject_stand(case, Standing.CLEAR)
    elif case.subject_kind in _SHOWN_BEFORE and was == State.APPROVED and (shown := approved_before(case)):
        words = version_texts(shown.digest)
        door_of(case.subject_kind).stand(case.subject_id, Standing.CLEAR, words=words, caught=frozenset())
    else:
        verdict = Verdict(case.screening.verdict)
        subject_stand(case, STANDING_BY_VERDICT[verdict] if verdict is not Verdict.CLEAR else Standing.FLAGGED)
