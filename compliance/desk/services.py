"""Taking a case in hand, deciding about it, taking that back, and appeals.

A claim is a transaction of its own, before the one that decides: deciding locks the row that a case is about before
the case, and a claim refers to the case.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from compliance.desk.exceptions import (
    AppealClosed,
    AppealedBefore,
    AppealEmpty,
    AppealTooLate,
    CaseClaimed,
    NotTogether,
    OwnDecision,
    TooManyTogether,
)
from compliance.desk.models import Appeal, Claim
from compliance.desk.reasons import REASONS, statement_of
from compliance.gate.exceptions import CaseClosed, StatementMissing
from compliance.gate.models import Case
from compliance.gate.second_thoughts import case_amend, case_overturn, case_reopen
from compliance.gate.services import case_decide
from compliance.trail.services import entry_append
from kameng.core import sql
from kameng.core.problems import NotFound, Problem

#: How long somebody who looks at a case has it for themselves.
HELD = timedelta(minutes=15)
#: How long a decision can be taken back by whoever made it.
UNDO = timedelta(minutes=10)
#: How long an owner can appeal, and until when somebody has looked at it.
APPEAL, APPEAL_DUE = timedelta(days=7), timedelta(hours=24)
MOST_TOGETHER = 50
SHORTEST_APPEAL, LONGEST_APPEAL = 5, 2000

_CLAIM = """
INSERT INTO public.desk_claim (case_id, by, until)
SELECT id, %(by)s, %(until)s::timestamptz FROM public.gate_case WHERE id = %(case_id)s AND state = 'open'
ON CONFLICT (case_id) DO UPDATE SET by = excluded.by, until = excluded.until
WHERE desk_claim.by = excluded.by OR desk_claim.until <= %(now)s::timestamptz
"""


def case_claim(*, case_id: int, actor: str) -> None:
    """Take a case in hand for 15 minutes, again or for the first time.

    Raises `CaseClaimed` while somebody else has it, `CaseClosed` where nothing is to decide, and `NotFound`.
    """
    now = timezone.now()
    if sql.execute_anywhere(_CLAIM, {"by": actor, "now": now, "until": now + HELD, "case_id": case_id}):
        return
    case = Case.objects.filter(pk=case_id).first()
    if case is None:
        raise NotFound
    raise CaseClosed if case.state != Case.State.OPEN else CaseClaimed


def case_release(*, case_id: int, actor: str) -> None:
    """Put it back. What is not in one's own hand is left alone."""
    Claim.objects.filter(case_id=case_id, by=actor).delete()


def case_claim_next(*, actor: str, after: int | None = None) -> Case | None:
    """Take the most urgent case in hand that nobody else has; None where there is none.

    One that is passed over (`after`) is put back, and the next is the one behind it; after the last comes the first.
    """
    others = Claim.objects.filter(until__gt=timezone.now()).exclude(by=actor).values("case_id")
    free = Case.objects.filter(state=Case.State.OPEN).exclude(pk__in=others).order_by("due_at", "pk")
    passed = Case.objects.filter(pk=after).first() if after else None
    behind = free.none()
    if passed is not None:
        case_release(case_id=passed.pk, actor=actor)
        free = free.exclude(pk=passed.pk)
        behind = free.filter(Q(due_at__gt=passed.due_at) | Q(due_at=passed.due_at, pk__gt=passed.pk))
    for case in chain(behind[:MOST_TOGETHER], free[:MOST_TOGETHER]):
        try:
            case_claim(case_id=case.pk, actor=actor)
        except (CaseClaimed, CaseClosed):
            continue
        return case
    return None


def case_rule(
    *, case_id: int, digest: str, to: str, actor: str, reasons: Sequence[str] = (), statement: str = ""
) -> Case:
    """Decide about a case (`compliance.gate.services.case_decide`) that nobody else has in hand.

    `reasons` are codes of `REASONS`; against an owner at least one is needed, and where no statement was written it is
    made of them. Raises what `case_decide` and `case_claim` raise.
    """
    codes = [code for code in dict.fromkeys(reasons) if code in REASONS]
    if to != Case.State.APPROVED and not codes:
        raise StatementMissing
    case_claim(case_id=case_id, actor=actor)
    screening = Case.objects.select_related("screening").get(pk=case_id).screening
    told = statement.strip() or statement_of(to, codes, screening.findings if screening is not None else [])
    decided = case_decide(case_id=case_id, digest=digest, to=to, actor=actor, reasons=codes, statement=told)
    Claim.objects.filter(case_id=case_id).delete()
    return decided


def case_put_right(*, case_id: int, digest: str, words: Mapping[str, str], actor: str) -> Case:
    """Approve a case with other words (`compliance.gate.second_thoughts.case_amend`) that nobody else has in hand.

    The owner is told. Raises what that and `case_claim` raise.
    """
    case_claim(case_id=case_id, actor=actor)
    statement = _("审核员改了文字，已经通过。不同意就改回再提交。")
    done = case_amend(case_id=case_id, digest=digest, words=words, actor=actor, statement=statement)
    Claim.objects.filter(case_id=case_id).delete()
    return done


@dataclass(frozen=True, slots=True)
class Together:
    """What came of deciding about many: those that are done, and why others are not."""

    done: tuple[Case, ...]
    refused: tuple[tuple[int, str], ...]


def cases_rule(*, versions: Sequence[tuple[int, str]], to: str, actor: str, reasons: Sequence[str] = ()) -> Together:
    """Decide about up to 50 cases that the same rule caught by the same words, for one reason.

    `versions` are cases with the digests that were seen. Each is decided by itself: one that moved meanwhile does not
    hold up the others. Raises `TooManyTogether`, `NotTogether`, and `StatementMissing`.
    """
    wanted = dict(versions)
    if len(wanted) > MOST_TOGETHER:
        raise TooManyTogether
    if to != Case.State.APPROVED and not any(code in REASONS for code in reasons):
        raise StatementMissing
    cases = Case.objects.filter(pk__in=wanted).select_related("screening")
    caught = [
        {(found["rule"], found["text"]) for found in (case.screening.findings if case.screening is not None else [])}
        for case in cases
    ]
    if len(caught) > 1 and not set.intersection(*caught):
        raise NotTogether
    done, refused = [], []
    for case_id, digest in wanted.items():
        try:
            done.append(case_rule(case_id=case_id, digest=digest, to=to, actor=actor, reasons=reasons))
        except Problem as problem:
            refused.append((case_id, str(problem)))
    return Together(tuple(done), tuple(refused))


def case_undo(*, case_id: int, actor: str) -> Case:
    """Take a decision of one's own back, within ten minutes: the case is open again, and in one's own hand.

    Raises `NotFound`, `UndoTooLate`, `CaseMoved`, and `CaseClosed` where there is nothing to take back. Money that a
    take-down has sent back stays sent.
    """
    if Appeal.objects.filter(case_id=case_id).exists():
        raise CaseClosed
    case = case_reopen(case_id=case_id, actor=actor, within=UNDO)
    if case.state == Case.State.OPEN:
        case_claim(case_id=case_id, actor=actor)
    return case


@transaction.atomic
def appeal_make(*, case_id: int, schema_name: str, text: str, by: str) -> Appeal:
    """An owner says why a decision about the shop's own words is wrong; the same again is the one there is not.

    Raises `NotFound` for what is not the shop's, `CaseClosed` where nothing went against the owner, `AppealTooLate`,
    `AppealedBefore`, and `AppealEmpty`.
    """
    case = Case.objects.filter(pk=case_id, schema_name=schema_name).first()
    if case is None:
        raise NotFound
    if case.state not in (Case.State.SENT_BACK, Case.State.TAKEN_DOWN) or case.decided_at is None:
        raise CaseClosed
    said = text.strip()
    if not SHORTEST_APPEAL <= len(said) <= LONGEST_APPEAL:
        raise AppealEmpty(fields={"text": AppealEmpty.message})
    now = timezone.now()
    if now > case.decided_at + APPEAL:
        raise AppealTooLate
    appeal, is_new = Appeal.objects.get_or_create(
        case=case, defaults={"text": said, "by": by, "against": case.decided_by, "due_at": now + APPEAL_DUE}
    )
    if not is_new:
        raise AppealedBefore
    entry_append(actor=by, subject=f"case:{case.pk}", action="case.appealed", data={"text": said})
    return appeal


@transaction.atomic
def appeal_decide(*, appeal_id: int, outcome: str, actor: str, statement: str) -> Appeal:
    """Say whether a decision stands (`upheld`) or not (`reversed`: what was sent back or taken down is approved).

    Raises `NotFound`, `AppealClosed`, `OwnDecision` for whoever made it, `StatementMissing`, and `CaseMoved` where the
    words have changed since, so that there is nothing left to approve; nothing has moved then.
    """
    if outcome not in (Appeal.Outcome.UPHELD, Appeal.Outcome.REVERSED):
        raise ValueError(f"no appeal ends as {outcome}")
    appeal = Appeal.objects.select_for_update(of=("self",)).select_related("case").filter(pk=appeal_id).first()
    if appeal is None:
        raise NotFound
    if appeal.outcome != Appeal.Outcome.OPEN:
        raise AppealClosed
    if appeal.against == actor:
        raise OwnDecision
    if not statement.strip():
        raise StatementMissing(fields={"statement": StatementMissing.message})
    appeal.outcome, appeal.decided_by, appeal.decided_at = outcome, actor, timezone.now()
    appeal.statement = statement.strip()[:LONGEST_APPEAL]
    appeal.save(update_fields=["outcome", "decided_by", "decided_at", "statement"])
    if outcome == Appeal.Outcome.REVERSED:
        case_overturn(case_id=appeal.case_id, actor=actor, statement=appeal.statement)
    entry_append(
        actor=actor, subject=f"case:{appeal.case_id}", action=f"case.appeal_{outcome}", data={"statement": statement}
    )
    return appeal
