"""Recording licenses and what categories require. Whoever sells by them hears of each change through the outbox."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from compliance.models import Kind, License, Requirement
from compliance.trail.services import entry_append
from compliance.validity import NOTICES, notice_due
from kameng.alerts.services import Level, alert_raise, alerts_end
from kameng.core import sql
from kameng.core.problems import Invalid, NotFound
from kameng.outbox.services import publish

#: Alerts: a license ends soon; it has ended.
EXPIRING, EXPIRED = "license.expiring", "license.expired"
_IN_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
#: What the trail keeps of a license.
_SAID = (
    *("holder_kind", "holder", "kind", "number", "issuer", "categories", "brands", "valid_from", "valid_until"),
    "note",
)


@dataclass(frozen=True, slots=True)
class Terms:
    """What a license says."""

    kind: str
    number: str
    issuer: str
    valid_from: date
    valid_until: date | None = None
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    note: str = ""


@transaction.atomic
def license_add(*, supplier: str, terms: Terms, actor: str) -> License:
    """Record a supplier's license; the same one again is the one there is. Raises `Invalid`."""
    known = License.objects.filter(
        holder=supplier, kind=terms.kind, number=terms.number, valid_from=terms.valid_from,
        valid_until=terms.valid_until, categories=list(terms.categories), brands=list(terms.brands),
        replaced_by=None, revoked_at=None,
    ).first()  # fmt: skip
    if known is not None:
        return known
    saved = _write(supplier, terms, actor)
    entry_append(actor=actor, subject=_name(saved), action="license.added", data=_said(saved))
    return saved


@transaction.atomic
def license_replace(*, license_id: int, terms: Terms, actor: str) -> License:
    """Renew or correct a license: a new row counts from now on, the former stays as history.

    Raises `NotFound`, and `Invalid` where the terms are wrong or somebody else replaced or revoked it meanwhile.
    """
    former = _locked(license_id)
    if former.replaced_by_id is not None or former.revoked_at is not None:
        raise Invalid(_("这份证照已经续期或作废，请到最新的一份上改"))
    saved = _write(former.holder, terms, actor)
    former.replaced_by = saved
    former.save(update_fields=["replaced_by"])
    _end_alerts(former)
    entry_append(actor=actor, subject=_name(former), action="license.replaced", data={"by": _name(saved)})
    entry_append(
        actor=actor, subject=_name(saved), action="license.added", data={**_said(saved), "replaces": _name(former)}
    )
    return saved


@transaction.atomic
def license_revoke(*, license_id: int, actor: str) -> bool:
    """A license counts no more, from this moment on. False where it did not count before. Raises `NotFound`."""
    paper = _locked(license_id)
    if paper.replaced_by_id is not None or paper.revoked_at is not None:
        return False
    note = f"{paper.note} · {actor}".strip(" ·")[:400]
    License.objects.filter(pk=paper.pk).update(revoked_at=Now(), note=note)
    _end_alerts(paper)
    publish("licenses.changed", suppliers=[paper.holder])
    entry_append(actor=actor, subject=_name(paper), action="license.revoked", data=_said(paper))
    return True


@transaction.atomic
def requirements_set(*, category: str, kinds: Collection[str], actor: str) -> bool:
    """What a category requires, all of it. True where that is a change. Raises `Invalid`."""
    wanted = set(kinds)
    if unknown := wanted - set(Kind.values):
        raise Invalid(fields={"kinds": _("没有这种证照：%(kinds)s") % {"kinds": "、".join(sorted(unknown))}})
    # One after another for each category: what the trail says was there before must be what the one before left.
    sql.later_anywhere(_IN_TURN, [f"requirements/{category}"])
    held = set(Requirement.objects.filter(category=category).values_list("kind", flat=True))
    if held == wanted:
        return False
    Requirement.objects.filter(category=category, kind__in=held - wanted).delete()
    new = [Requirement(category=category, kind=kind, created_by=actor) for kind in sorted(wanted - held)]
    Requirement.objects.bulk_create(new, ignore_conflicts=True)
    publish("requirements.changed", category=category)
    entry_append(
        actor=actor,
        subject=f"requirement:{category}",
        action="requirement.set",
        data={"before": sorted(held), "after": sorted(wanted)},
    )
    return True


@transaction.atomic
def licenses_watch(*, today: date | None = None) -> int:
    """Look at each license once a day: give the notices that are due, each once, and say whose licenses began or ended.

    How many were looked at. A day on which nobody looked is made up for.
    """
    today = today or timezone.localdate()
    due = License.objects.select_for_update().filter(Q(watched_on=None) | Q(watched_on__lt=today))
    looked = list(due.filter(replaced_by=None, revoked_at=None).order_by("pk"))
    turned = set()
    for paper in looked:
        before = paper.watched_on or paper.valid_from - timedelta(days=1)
        if _holds(paper, before) != _holds(paper, today):
            turned.add(paper.holder)
        _warn(paper, today)
        paper.watched_on = today
    License.objects.bulk_update(looked, ["watched_on", "warned_days"])
    if turned:
        publish("licenses.changed", suppliers=sorted(turned))
    return len(looked)


def _locked(license_id: int) -> License:
    paper = License.objects.select_for_update(of=("self",)).filter(pk=license_id).first()
    if paper is None:
        raise NotFound
    return paper


def _write(supplier: str, terms: Terms, actor: str) -> License:
    fields = asdict(terms) | {"categories": list(terms.categories), "brands": list(terms.brands)}
    paper = License(holder=supplier, created_by=actor, **fields)
    if terms.valid_until is not None and terms.valid_until < terms.valid_from:
        raise Invalid(fields={"valid_until": _("到期日不能早于生效日")})
    try:
        paper.full_clean(exclude=["replaced_by", "created_at"], validate_constraints=False)
    except ValidationError as error:
        raise Invalid(fields={name: " ".join(texts) for name, texts in error.message_dict.items()}) from error
    paper.save()
    publish("licenses.changed", suppliers=[supplier])
    return paper


def _name(paper: License) -> str:
    return f"license:{paper.pk}"


def _said(paper: License) -> dict[str, object]:
    return {name: getattr(paper, name) for name in _SAID}


def _holds(paper: License, on: date) -> bool:
    return paper.valid_from <= on and (paper.valid_until is None or on <= paper.valid_until)


def _warn(paper: License, today: date) -> None:
    notice = notice_due(paper.valid_until, on=today)
    if notice is None or (paper.warned_days is not None and paper.warned_days <= notice):
        return
    _end_alerts(paper)
    paper.warned_days = notice
    alert_raise(
        EXPIRING if notice else EXPIRED,
        subject=_subject(paper, notice),
        level=Level.WARNING if notice > NOTICES[-1] else Level.URGENT,
        url="/admin/licenses/",
        supplier=paper.holder,
        license=paper.number,
        valid_until=str(paper.valid_until),
    )


def _subject(paper: License, notice: int) -> str:
    return f"{paper.holder}#{paper.pk}#{notice}"


def _end_alerts(paper: License) -> None:
    alerts_end(EXPIRING, [_subject(paper, days) for days in NOTICES])
    alerts_end(EXPIRED, [_subject(paper, 0)])
