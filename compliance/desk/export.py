"""All of one case, to hand over: what was written, what was found in it, what was decided, and the trail of that."""

from typing import Any

from django.db import transaction

from compliance.desk.models import Appeal
from compliance.gate.models import Case, Screening, Version
from compliance.gate.services import of_subject
from compliance.trail.chain import moment
from compliance.trail.selectors import entries_of, in_order
from compliance.trail.services import entry_append
from kameng.core.problems import NotFound

FORMAT = "kameng-case/1"
#: Screenings of the subject that are handed over, the newest ones.
MOST_SCREENINGS = 200


@transaction.atomic
def case_export(*, case_id: int, actor: str) -> dict[str, Any]:
    """The case as plain values for JSON; that somebody took it is in the trail, and the last entry of it here.

    Times are in UTC. `texts` are by field, as they were written, under the digest of their version; screenings are of
    the same subject, oldest first, and `screenings_left_off` says how many are older still. Raises `NotFound`.
    """
    case = Case.objects.filter(pk=case_id).first()
    if case is None:
        raise NotFound
    about = of_subject(case.subject)
    found = Screening.objects.filter(**about)
    screenings = list(found.order_by("-pk")[:MOST_SCREENINGS])[::-1]
    digests = {case.digest, case.amended_from, *(screening.digest for screening in screenings)}
    appeal = Appeal.objects.filter(case=case).first()
    entry_append(actor=actor, subject=f"case:{case.pk}", action="case.exported", data={"about": str(case.subject)})
    return {
        "format": FORMAT,
        "case": {
            "number": case.pk,
            "about": about,
            "title": case.title,
            "kind": case.kind,
            "severity": case.severity,
            "opened_at": moment(case.opened_at),
            "due_at": moment(case.due_at),
            "version": case.digest,
            "amended_from": case.amended_from or None,
            "screening": case.screening_id,
        },
        "decision": _decision(case),
        "appeal": _appeal(appeal) if appeal is not None else None,
        "versions": dict(Version.objects.filter(pk__in=digests).order_by("pk").values_list("pk", "texts")),
        "screenings": [
            {
                "number": screening.pk,
                "version": screening.digest,
                "rules_version": screening.rules_version,
                "verdict": screening.verdict,
                "findings": screening.findings,
                "at": moment(screening.at),
            }
            for screening in screenings
        ],
        "screenings_left_off": found.count() - len(screenings),
        "earlier_cases": [
            {"number": one.pk, "kind": one.kind, "opened_at": moment(one.opened_at), "decision": _decision(one)}
            for one in Case.objects.filter(**about, pk__lt=case.pk).order_by("pk")
        ],
        "trail": [entry.written_down() for entry in in_order(entries_of(subject=f"case:{case.pk}"))],
    }


def _decision(case: Case) -> dict[str, Any] | None:
    """None while nothing is decided."""
    if case.decided_at is None:
        return None
    return {
        "state": case.state,
        "by": case.decided_by,
        "at": moment(case.decided_at),
        "reasons": case.reasons,
        "statement": case.statement,
    }


def _appeal(appeal: Appeal) -> dict[str, Any]:
    return {
        "text": appeal.text,
        "by": appeal.by,
        "at": moment(appeal.at),
        "against": appeal.against,
        "outcome": appeal.outcome,
        "decided_by": appeal.decided_by or None,
        "decided_at": moment(appeal.decided_at) if appeal.decided_at is not None else None,
        "statement": appeal.statement,
    }
