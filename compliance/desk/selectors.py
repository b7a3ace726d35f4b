"""What the desk shows: the queue, a case's past and its like, and how well rules and people have done."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from compliance.desk.models import Appeal, Claim
from compliance.desk.reasons import FALSE_ALARM
from compliance.gate.models import Case, Refusal
from kameng.core import sql

#: How a case's state is shown.
STATE_TONES = {
    Case.State.OPEN: "warn",
    Case.State.APPROVED: "ok",
    Case.State.SENT_BACK: "warn",
    Case.State.TAKEN_DOWN: "bad",
    Case.State.WITHDRAWN: "neutral",
}
#: What figures look back over.
FIGURES = timedelta(days=30)

_RULES = """
SELECT finding->>'rule', min(finding->>'category'), count(DISTINCT decided.id),
  count(DISTINCT decided.id) FILTER (
    WHERE decided.state <> 'approved' AND NOT coalesce(appeal.outcome = 'reversed', false)),
  max(decided.id) FILTER (WHERE decided.state = 'approved')
FROM public.gate_case AS decided
JOIN public.gate_screening AS screening ON screening.id = decided.screening_id
LEFT JOIN public.desk_appeal AS appeal ON appeal.case_id = decided.id
CROSS JOIN LATERAL jsonb_array_elements(screening.findings) AS finding
WHERE decided.state IN ('approved', 'sent_back', 'taken_down') AND decided.decided_at >= %(since)s::timestamptz
  AND decided.kind <> 'appealed'
GROUP BY 1 ORDER BY 3 DESC, 1
"""
_PEOPLE = """
SELECT decided.decided_by, count(*), count(*) FILTER (WHERE decided.decided_at <= decided.due_at),
  percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM decided.decided_at - decided.opened_at)),
  count(appeal.id), count(appeal.id) FILTER (WHERE appeal.outcome = 'reversed')
FROM public.gate_case AS decided LEFT JOIN public.desk_appeal AS appeal ON appeal.case_id = decided.id
WHERE decided.state IN ('approved', 'sent_back', 'taken_down') AND decided.decided_at >= %(since)s::timestamptz
  AND decided.kind NOT IN ('appealed', 'taken_down')
GROUP BY 1 ORDER BY 2 DESC, 1
"""


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """How often people agreed with a rule. `example` is a case in which they did not."""

    rule: str
    category: str
    decided: int
    upheld: int
    example: int | None

    @property
    def precision(self) -> float:
        """The share of its findings that stood, 0 to 1."""
        return self.upheld / self.decided


@dataclass(frozen=True, slots=True)
class PersonFigures:
    """How somebody decided. `median` in seconds from opening to decision."""

    actor: str
    decided: int
    in_time: int
    median: float
    appealed: int
    reversed: int


def appeals_open() -> "QuerySet[Appeal]":
    """Those that wait, the most urgent first."""
    return Appeal.objects.filter(outcome=Appeal.Outcome.OPEN).select_related("case").order_by("due_at", "pk")


def claims_now(cases: Collection[int]) -> dict[int, Claim]:
    """Who has which of these cases in hand."""
    return {claim.case_id: claim for claim in Claim.objects.filter(case_id__in=cases, until__gt=timezone.now())}


def record_of(schema_name: str) -> dict[str, int]:
    """How often a shop's words were decided about, by the decision's state."""
    decided = Case.objects.filter(schema_name=schema_name).exclude(state__in=(Case.State.OPEN, Case.State.WITHDRAWN))
    return dict(decided.order_by().values_list("state").annotate(Count("pk")))


def records_of(schema_names: Collection[str]) -> dict[str, int]:
    """What each of these shops has against it: decisions, and edits of its owner's that were refused."""
    against = Case.objects.filter(schema_name__in=schema_names, state__in=(Case.State.SENT_BACK, Case.State.TAKEN_DOWN))
    refused = Refusal.objects.filter(schema_name__in=schema_names, is_owners=True)
    record: Counter[str] = Counter()
    for rows in (against, refused):
        record.update(dict(rows.order_by().values_list("schema_name").annotate(Count("pk"))))
    return dict(record)


def similar(case: Case, limit: int = 5) -> list[Case]:
    """What people last decided where the same rule had caught the same words, or at least the same rule anything."""
    findings = case.screening.findings if case.screening is not None else []
    if not findings:
        return []
    decided = Case.objects.exclude(state__in=(Case.State.OPEN, Case.State.WITHDRAWN)).exclude(pk=case.pk)
    found: list[Case] = []
    for keys in (("rule", "text"), ("rule",)):
        like = Q()
        for finding in findings:
            like |= Q(screening__findings__contains=[{key: finding[key] for key in keys}])
        known = [one.pk for one in found]
        found += decided.filter(like).exclude(pk__in=known).order_by("-decided_at")[: limit - len(found)]
        if len(found) == limit:
            break
    return found


def undoable(actor: str, within: timedelta) -> Case | None:
    """The last decision that somebody may still take back."""
    mine = Case.objects.filter(decided_by=actor, decided_at__gte=timezone.now() - within)
    kept = mine.exclude(state__in=(Case.State.OPEN, Case.State.WITHDRAWN)).exclude(kind=Case.Kind.APPEALED)
    return kept.filter(appeal=None).order_by("-decided_at").first()


def appealable_until(case: Case, within: timedelta) -> datetime | None:
    """Until when an owner can appeal; None where there is nothing to appeal against."""
    if case.state not in (Case.State.SENT_BACK, Case.State.TAKEN_DOWN) or case.decided_at is None:
        return None
    return case.decided_at + within


def rule_figures() -> list[RuleFigures]:
    """Every rule that led to a decision in the last thirty days, the busiest first."""
    return [RuleFigures(*row) for row in sql.rows_anywhere(sql.Report(_RULES), {"since": timezone.now() - FIGURES})]


def person_figures() -> list[PersonFigures]:
    """Everybody who decided in the last thirty days, the busiest first."""
    return [PersonFigures(*row) for row in sql.rows_anywhere(sql.Report(_PEOPLE), {"since": timezone.now() - FIGURES})]


def false_alarms() -> int:
    """Decisions of the last thirty days that said a rule was wrong."""
    since = timezone.now() - FIGURES
    return Case.objects.filter(decided_at__gte=since, reasons__contains=[FALSE_ALARM]).count()


def waiting_figures() -> dict[str, Any]:
    """What waits: how much, how much of it too long, and since when."""
    now = timezone.now()
    figures = Case.objects.filter(state=Case.State.OPEN).aggregate(
        waiting=Count("pk"), late=Count("pk", filter=Q(due_at__lt=now))
    )
    return {**figures, "appeals": Appeal.objects.filter(outcome=Appeal.Outcome.OPEN).count()}
