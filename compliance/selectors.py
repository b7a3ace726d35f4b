"""Reading licences and requirements."""

from collections import defaultdict
from collections.abc import Collection
from datetime import date

from django.db.models import QuerySet
from django.utils import timezone

from compliance.models import Licence, Requirement
from compliance.validity import Paper, State, state_of


def licences_in_force() -> "QuerySet[Licence]":
    """Those that have been neither replaced nor revoked, whatever their days are."""
    return Licence.objects.filter(replaced_by=None, revoked_at=None)


def papers_of(suppliers: Collection[str]) -> dict[str, list[Paper]]:
    """The papers of suppliers by code, in one query."""
    found: dict[str, list[Paper]] = defaultdict(list)
    for licence in licences_in_force().filter(holder_kind=Licence.Holder.SUPPLIER, holder__in=suppliers):
        found[licence.holder].append(
            Paper(
                licence.kind,
                licence.valid_from,
                licence.valid_until,
                frozenset(licence.categories),
                frozenset(licence.brands),
            )
        )
    return found


def required_kinds() -> dict[str, list[str]]:
    """What each category requires, by its slug."""
    found: dict[str, list[str]] = defaultdict(list)
    for category, kind in Requirement.objects.values_list("category", "kind"):
        found[category].append(kind)
    return found


def licence_state(licence: Licence, *, on: date | None = None) -> State:
    """How a licence stands, today if no day is named."""
    if licence.replaced_by_id is not None:
        return State.REPLACED
    if licence.revoked_at is not None:
        return State.REVOKED
    return state_of(licence.valid_from, licence.valid_until, on=on or timezone.localdate())
