"""What was held against an owner of late: it makes a person look at the next words, whatever they say."""

from datetime import timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from compliance.gate.models import Case, Refusal
from compliance.gate.subjects import Subject, door_of
from compliance.screening.rules import Category

#: So long is it remembered.
REMEMBERED = timedelta(days=90)
#: Times that are read; more change nothing.
_MOST = 50


def held_against(subject: Subject) -> tuple[Category, ...]:
    """The category of each take-down in the subject's shop, and of each day on which an edit of the owner's was
    refused; nothing for what is the platform's own. A take-down that an appeal has reversed does not count."""
    if not door_of(subject.kind).in_shops:
        return ()
    since = timezone.now() - REMEMBERED
    reversed_later = Case.objects.filter(
        subject_kind=OuterRef("subject_kind"), schema_name=OuterRef("schema_name"), subject_id=OuterRef("subject_id"),
        kind=Case.Kind.APPEALED, digest=OuterRef("digest"), pk__gt=OuterRef("pk"),
    )  # fmt: skip
    down = Case.objects.filter(
        ~Exists(reversed_later), schema_name=subject.schema_name, state=Case.State.TAKEN_DOWN, decided_at__gte=since
    )
    found = list(down.order_by("-pk").values_list("screening__findings", flat=True)[:_MOST])
    refused = Refusal.objects.filter(schema_name=subject.schema_name, is_owners=True, at__gte=since)
    days = {timezone.localdate(at): findings for at, findings in refused.values_list("at", "findings")[:_MOST]}
    known = {category.value: category for category in Category}
    codes = (findings[0]["category"] for findings in (*found, *days.values()) if findings)
    return tuple(known[code] for code in codes if code in known)
