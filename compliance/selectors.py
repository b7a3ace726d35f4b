"""Reading licenses and requirements."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date

from django.db.models import QuerySet
from django.utils import timezone

from compliance.models import License, Requirement
from compliance.validity import Paper, State, state_of


def licenses_in_force() -> "QuerySet[License]":
    """Those that have been neither replaced nor revoked, whatever their days are."""
    return License.objects.filter(replaced_by=None, revoked_at=None)


def papers_of(suppliers: Collection[str]) -> dict[str, list[Paper]]:
    """The papers of suppliers by code, in one query."""
    found: dict[str, list[Paper]] = defaultdict(list)
    for paper in licenses_in_force().filter(holder_kind=License.Holder.SUPPLIER, holder__in=suppliers):
        found[paper.holder].append(
            Paper(
                paper.kind,
                paper.valid_from,
                paper.valid_until,
                frozenset(paper.categories),
                frozenset(paper.brands),
            )
        )
    return found


def required_kinds() -> dict[str, list[str]]:
    """What each category requires, by its slug."""
    found: dict[str, list[str]] = defaultdict(list)
    for category, kind in Requirement.objects.values_list("category", "kind"):
        found[category].append(kind)
    return found


def license_state(paper: License, *, on: date | None = None) -> State:
    """How a license stands, today if no day is named."""
    if paper.replaced_by_id is not None:
        return State.REPLACED
    if paper.revoked_at is not None:
        return State.REVOKED
    return state_of(paper.valid_from, paper.valid_until, on=on or timezone.localdate())
