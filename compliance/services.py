"""Recording licences and what categories require. Whoever sells by them hears of each change through the outbox."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from compliance.models import Kind, Licence, Requirement
from compliance.validity import NOTICES, notice_due
from kameng.alerts.services import Level, alert_raise, alerts_end
from kameng.core.problems import Invalid, NotFound
from kameng.outbox.services import publish

#: Alerts: a licence ends soon; it has ended.
EXPIRING, EXPIRED = "licence.expiring", "licence.expired"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a licence says."""

    kind: str
    number: str
    issuer: str
    valid_from: date
    valid_until: date | None = None
    categories: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    note: str = ""


@transaction.atomic
def licence_add(*, supplier: str, terms: Terms, actor: str) -> Licence:
    """Record a supplier's licence; the same one again is the one there is. Raises `Invalid`."""
    known = Licence.objects.filter(
        holder=supplier, kind=terms.kind, number=terms.number, valid_from=terms.valid_from,
        valid_until=terms.valid_until, categories=list(terms.categories), brands=list(terms.brands),
        replaced_by=None, revoked_at=None,
    ).first()  # fmt: skip
    return known or _write(supplier, terms, actor)


@transaction.atomic
def licence_replace(*, licence_id: int, terms: Terms, actor: str) -> Licence:
    """Renew or correct a licence: a new row counts from now on, the former stays as history.

    Raises `NotFound`, and `Invalid` where the terms are wrong or somebody else replaced or revoked it meanwhile.
    """
    former = _locked(licence_id)
    if former.replaced_by_id is not None or former.revoked_at is not None:
        raise Invalid(_("这份证照已经续期或作废，请到最新的一份上改"))
    saved = _write(former.holder, terms, actor)
    former.replaced_by = saved
    former.save(update_fields=["replaced_by"])
    _end_alerts(former)
    return saved


@transaction.atomic
def licence_revoke(*, licence_id: int, actor: str) -> bool:
    """A licence counts no more, from this moment on. False where it did not count before. Raises `NotFound`."""
    licence = _locked(licence_id)
    if licence.replaced_by_id is not None or licence.revoked_at is not None:
        return False
    note = f"{licence.note} · {actor}".strip(" ·")[:400]
    Licence.objects.filter(pk=licence.pk).update(revoked_at=Now(), note=note)
    _end_alerts(licence)
    publish("licences.changed", suppliers=[licence.holder])
    return True


@transaction.atomic
def requirements_set(*, category: str, kinds: Collection[str], actor: str) -> bool:
    """What a category requires, all of it. True where that is a change. Raises `Invalid`."""
    wanted = set(kinds)
    if unknown := wanted - set(Kind.values):
        raise Invalid(fields={"kinds": _("没有这种证照：%(kinds)s") % {"kinds": "、".join(sorted(unknown))}})
    held = set(Requirement.objects.filter(category=category).values_list("kind", flat=True))
    if held == wanted:
        return False
    Requirement.objects.filter(category=category, kind__in=held - wanted).delete()
    new = [Requirement(category=category, kind=kind, created_by=actor) for kind in sorted(wanted - held)]
    Requirement.objects.bulk_create(new, ignore_conflicts=True)
    publish("requirements.changed", category=category)
    return True


@transaction.atomic
def licences_watch(*, today: date | None = None) -> int:
    """Look at each licence once a day: give the notices that are due, each once, and say whose licences began or ended.

    How many were looked at. A day on which nobody looked is made up for.
    """
    today = today or timezone.localdate()
    due = Licence.objects.select_for_update().filter(Q(watched_on=None) | Q(watched_on__lt=today))
    looked = list(due.filter(replaced_by=None, revoked_at=None).order_by("pk"))
    turned = set()
    for licence in looked:
        before = licence.watched_on or licence.valid_from - timedelta(days=1)
        if _holds(licence, before) != _holds(licence, today):
            turned.add(licence.holder)
        _warn(licence, today)
        licence.watched_on = today
    Licence.objects.bulk_update(looked, ["watched_on", "warned_days"])
    if turned:
        publish("licences.changed", suppliers=sorted(turned))
    return len(looked)


def _locked(licence_id: int) -> Licence:
    licence = Licence.objects.select_for_update(of=("self",)).filter(pk=licence_id).first()
    if licence is None:
        raise NotFound
    return licence


def _write(supplier: str, terms: Terms, actor: str) -> Licence:
    fields = asdict(terms) | {"categories": list(terms.categories), "brands": list(terms.brands)}
    licence = Licence(holder=supplier, created_by=actor, **fields)
    if terms.valid_until is not None and terms.valid_until < terms.valid_from:
        raise Invalid(fields={"valid_until": _("到期日不能早于生效日")})
    try:
        licence.full_clean(exclude=["replaced_by", "created_at"], validate_constraints=False)
    except ValidationError as error:
        raise Invalid(fields={name: " ".join(texts) for name, texts in error.message_dict.items()}) from error
    licence.save()
    publish("licences.changed", suppliers=[supplier])
    return licence


def _holds(licence: Licence, on: date) -> bool:
    return licence.valid_from <= on and (licence.valid_until is None or on <= licence.valid_until)


def _warn(licence: Licence, today: date) -> None:
    notice = notice_due(licence.valid_until, on=today)
    if notice is None or (licence.warned_days is not None and licence.warned_days <= notice):
        return
    _end_alerts(licence)
    licence.warned_days = notice
    alert_raise(
        EXPIRING if notice else EXPIRED,
        subject=_subject(licence, notice),
        level=Level.WARNING if notice > NOTICES[-1] else Level.URGENT,
        url="/admin/licences/",
        supplier=licence.holder,
        licence=licence.number,
        valid_until=str(licence.valid_until),
    )


def _subject(licence: Licence, notice: int) -> str:
    return f"{licence.holder}#{licence.pk}#{notice}"


def _end_alerts(licence: Licence) -> None:
    alerts_end(EXPIRING, [_subject(licence, days) for days in NOTICES])
    alerts_end(EXPIRED, [_subject(licence, 0)])
