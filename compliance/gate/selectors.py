"""Reading what was screened and what waits."""

from collections.abc import Collection

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from compliance.gate.models import Case, Refusal, Screening, Version
from compliance.gate.subjects import Subject, door_of
from compliance.gate.words import reasons

#: States in which a case says something that its owner should read.
TELLING = (Case.State.OPEN, Case.State.SENT_BACK, Case.State.TAKEN_DOWN)


def cases_open() -> "QuerySet[Case]":
    """Everything that waits for a person, the most urgent first."""
    return Case.objects.filter(state=Case.State.OPEN).select_related("screening").order_by("due_at", "pk")


def cases_of_shop(schema_name: str) -> "QuerySet[Case]":
    """An owner's cases, the newest first: about the shop itself, and about its listings."""
    return Case.objects.filter(schema_name=schema_name).select_related("screening").order_by("-pk")


def cases_of(subject: Subject) -> "QuerySet[Case]":
    """All cases about one thing, the newest first."""
    found = Case.objects.filter(
        subject_kind=subject.kind, schema_name=subject.schema_name, subject_id=subject.id
    ).select_related("screening")
    return found.order_by("-pk")


def case_telling(subject: Subject) -> Case | None:
    """The case that says why something is not shown or sold: the last one, if it is open or went against the owner, and
    nothing has passed since."""
    last = cases_of(subject).exclude(state=Case.State.WITHDRAWN).first()
    if last is None or last.state not in TELLING:
        return None
    of_subject = {name: getattr(last, name) for name in ("subject_kind", "schema_name", "subject_id")}
    since = Screening.objects.filter(**of_subject, pk__gt=last.screening_id or 0)
    return None if last.state != Case.State.OPEN and since.filter(verdict="clear").exists() else last


def cases_telling(kind: str, schema_name: str, ids: Collection[int]) -> dict[int, Case]:
    """The same for many, by their ids, in one query."""
    rows = Case.objects.filter(subject_kind=kind, schema_name=schema_name, subject_id__in=ids)
    rows = rows.exclude(state=Case.State.WITHDRAWN).select_related("screening")
    last = rows.order_by("subject_id", "-pk").distinct("subject_id")
    return {case.subject_id: case for case in last if case.state in TELLING}


def case_words(case: Case) -> list[str]:
    """What the owner should know, in sentences: where it stands, why, and what to change."""
    findings = case.screening.findings if case.screening is not None else []
    if case.state == Case.State.OPEN:
        due = date_format(timezone.localtime(case.due_at), "m-d H:i")
        head = _("已保存，审核通过前不上架、不展示，最晚 %(due)s 前有结果。") % {"due": due}
        return [head, *reasons(findings), _("改掉以后再保存，没有问题会马上恢复。")]
    if case.state == Case.State.SENT_BACK:
        return [_("审核没有通过，请修改后再保存。"), *_said(case, findings)]
    if case.state == Case.State.TAKEN_DOWN:
        return [_("平台已经下架，现在买不到。"), *_said(case, findings)]
    return []


def standing_words(subject: Subject) -> list[str]:
    """Why something is not on sale, in sentences; nothing where it is."""
    case = case_telling(subject)
    return case_words(case) if case is not None else []


def version_texts(digest: str) -> dict[str, str]:
    """The texts that a digest stands for, by field; nothing where nobody has seen it."""
    version = Version.objects.filter(pk=digest).first()
    return dict(version.texts) if version is not None else {}


def approved_before(case: Case) -> Screening | None:
    """The screening of the version that was on sale before this case: the last that was clear, or was approved.

    What was clear since is none: words that whoever decided put right, and then took back.
    """
    of_subject = {"subject_kind": case.subject_kind, "schema_name": case.schema_name, "subject_id": case.subject_id}
    approved = Case.objects.filter(**of_subject, state=Case.State.APPROVED).values("screening_id")
    found = Screening.objects.filter(**of_subject, at__lt=case.opened_at).exclude(digest=case.digest)
    clear = found.filter(verdict="clear") | found.filter(pk__in=approved)
    return clear.order_by("-pk").first()


def refusals_of(subject: Subject) -> "QuerySet[Refusal]":
    """Edits that were refused, the newest first: the owner's own of the whole shop, or all of one of ours."""
    found = Refusal.objects.order_by("-pk")
    if door_of(subject.kind).in_shops:
        return found.filter(schema_name=subject.schema_name, is_owners=True)
    return found.filter(subject_kind=subject.kind, schema_name=subject.schema_name, subject_id=subject.id)


def _said(case: Case, findings: list[dict[str, object]]) -> list[str]:
    return [case.statement] if case.statement else reasons(findings)
