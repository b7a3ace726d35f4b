"""Recording licenses and what categories require. Whoever sells by them hears of each change through the outbox."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tenants.utils import get_public_schema_name

from compliance.models import Kind, License, Requirement
from compliance.trail.services import entry_append
from compliance.validity import NOTICES, notice_due
from kameng.alerts.services import Level, alert_raise, alerts_end
from kameng.core import sql
from kameng.core.problems import Invalid, NotFound
from kameng.outbox.services import publish
from resellers.models import Reseller
from resellers.services import shop_touch

Holder, Review = License.Holder, License.Review
#: Alerts: a license ends soon; it has ended. Of suppliers and of sellers people do different things about it.
EXPIRING, EXPIRED = "license.expiring", "license.expired"
_OF_SELLERS = {EXPIRING: "paper.expiring", EXPIRED: "paper.expired"}
#: One after another, for a name, until the transaction ends.
IN_TURN = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
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
def license_add(*, supplier: str = "", seller: str = "", terms: Terms, actor: str) -> License:
    """Record a license of a supplier (by code) or a seller (by the shop's slug), which counts at once; the same one
    again is the one there is. Raises `Invalid`."""
    if bool(supplier) == bool(seller):
        raise TypeError("a license has one holder")
    holder_kind = Holder.SUPPLIER if supplier else Holder.SELLER
    paper = license_of(holder_kind, supplier or seller, terms, actor)
    known = license_known(paper)
    if known is not None:
        return known
    paper.save()
    license_told(paper)
    entry_append(actor=actor, subject=license_name(paper), action="license.added", data=license_said(paper))
    return paper


@transaction.atomic
def license_replace(*, license_id: int, terms: Terms, actor: str) -> License:
    """Renew or correct a license: a new row counts from now on, the former stays as history.

    Raises `NotFound`, and `Invalid` where the terms are wrong or somebody else replaced or revoked it meanwhile.
    """
    former = license_locked(license_id)
    if former.replaced_by_id is not None or former.revoked_at is not None or former.review != Review.CONFIRMED:
        raise Invalid(_("这份证照已经续期或作废，请到最新的一份上改"))
    saved = license_of(former.holder_kind, former.holder, terms, actor)
    saved.save()
    license_told(saved)
    license_succeeded(former, saved, actor=actor)
    said = {**license_said(saved), "replaces": license_name(former)}
    entry_append(actor=actor, subject=license_name(saved), action="license.added", data=said)
    return saved


@transaction.atomic
def license_revoke(*, license_id: int, actor: str, reasons: Sequence[str] = (), statement: str = "") -> bool:
    """A license counts no more, from this moment on; `reasons` and `statement` are for its owner, where it is a
    seller's. False where it did not count before. Raises `NotFound`."""
    paper = license_locked(license_id)
    if paper.replaced_by_id is not None or paper.revoked_at is not None or paper.review != Review.CONFIRMED:
        return False
    note = f"{paper.note} · {actor}".strip(" ·")[:400]
    License.objects.filter(pk=paper.pk).update(revoked_at=Now(), note=note, reasons=list(reasons), statement=statement)
    _end_alerts(paper)
    license_told(paper)
    said = {**license_said(paper), "reasons": list(reasons), "statement": statement} if statement else None
    entry_append(actor=actor, subject=license_name(paper), action="license.revoked", data=said or license_said(paper))
    return True


@transaction.atomic
def requirements_set(
    *, category: str, kinds: Collection[str], actor: str, of: License.Holder = Holder.SUPPLIER
) -> bool:
    """What a category requires of suppliers, or of sellers: all of it. True where that is a change. Raises `Invalid`.

    Shops see what is required of sellers with the transaction itself; what is required of suppliers goes through the
    outbox.
    """
    wanted = set(kinds)
    if unknown := wanted - set(Kind.values):
        raise Invalid(fields={"kinds": _("没有这种证照：%(kinds)s") % {"kinds": "、".join(sorted(unknown))}})
    # One after another for each category: what the trail says was there before must be what the one before left.
    sql.later_anywhere(IN_TURN, [f"requirements/{category}"])
    rows = Requirement.objects.filter(category=category, holder_kind=of)
    held = set(rows.values_list("kind", flat=True))
    if held == wanted:
        return False
    rows.filter(kind__in=held - wanted).delete()
    new = [
        Requirement(category=category, holder_kind=of, kind=kind, created_by=actor) for kind in sorted(wanted - held)
    ]
    Requirement.objects.bulk_create(new, ignore_conflicts=True)
    if of == Holder.SELLER:
        _shops_touch(Reseller.objects.filter(is_house=False).exclude(schema_name=get_public_schema_name()))
    else:
        publish("requirements.changed", category=category)
    entry_append(
        actor=actor,
        subject=f"requirement:{category}",
        action="requirement.set",
        data={"before": sorted(held), "after": sorted(wanted)} | ({"of": str(of)} if of == Holder.SELLER else {}),
    )
    return True


@transaction.atomic
def licenses_watch(*, today: date | None = None) -> int:
    """Look at each license once a day: give the notices that are due, each once, and say whose licenses began or ended.

    How many were looked at. A day on which nobody looked is made up for.
    """
    today = today or timezone.localdate()
    due = License.objects.select_for_update().filter(Q(watched_on=None) | Q(watched_on__lt=today))
    counting = due.filter(replaced_by=None, revoked_at=None, review=Review.CONFIRMED)
    looked = list(counting.order_by("pk"))
    turned = set()
    for paper in looked:
        before = paper.watched_on or paper.valid_from - timedelta(days=1)
        if _holds(paper, before) != _holds(paper, today):
            turned.add(paper)
        _warn(paper, today)
        paper.watched_on = today
    License.objects.bulk_update(looked, ["watched_on", "warned_days"])
    suppliers = {paper.holder for paper in turned if paper.holder_kind == Holder.SUPPLIER}
    if suppliers:
        publish("licenses.changed", suppliers=sorted(suppliers))
    for holder_kind, holder in sorted({(paper.holder_kind, paper.holder) for paper in turned if _is_brand(paper)}):
        publish("authorizations.changed", holder_kind=holder_kind, holder=holder)
    return len(looked)


def license_locked(license_id: int) -> License:
    """The row, held until the transaction ends. Raises `NotFound`."""
    paper = License.objects.select_for_update(of=("self",)).filter(pk=license_id).first()
    if paper is None:
        raise NotFound
    return paper


def license_of(holder_kind: str, holder: str, terms: Terms, actor: str) -> License:
    """A license as it is going to be written. Raises `Invalid`, with the fields of the terms."""
    fields = asdict(terms) | {"categories": list(terms.categories), "brands": list(terms.brands)}
    paper = License(holder_kind=holder_kind, holder=holder, created_by=actor, **fields)
    if terms.valid_until is not None and terms.valid_until < terms.valid_from:
        raise Invalid(fields={"valid_until": _("到期日不能早于生效日")})
    try:
        paper.full_clean(exclude=["replaced_by", "renews", "created_at"], validate_constraints=False)
    except ValidationError as error:
        raise Invalid(fields={name: " ".join(texts) for name, texts in error.message_dict.items()}) from error
    return paper


def license_known(paper: License, *, review: str = Review.CONFIRMED) -> License | None:
    """One of the same holder that says the same and stands like that, if there is one."""
    same = {name: getattr(paper, name) for name in _SAID if name not in ("issuer", "note")}
    return License.objects.filter(**same, replaced_by=None, revoked_at=None, review=review).first()


def license_succeeded(former: License, by: License, *, actor: str) -> None:
    """A license counts from now on in the place of a former one, whose row is locked."""
    former.replaced_by = by
    former.save(update_fields=["replaced_by"])
    _end_alerts(former)
    data = {"by": license_name(by)}
    entry_append(actor=actor, subject=license_name(former), action="license.replaced", data=data)


def license_told(paper: License) -> None:
    """What counts of a holder's papers is another now: a shop sells by it with the transaction itself."""
    if paper.holder_kind == Holder.SELLER:
        _shops_touch(Reseller.objects.filter(slug=paper.holder))
    else:
        publish("licenses.changed", suppliers=[paper.holder])
    if _is_brand(paper):
        publish("authorizations.changed", holder_kind=paper.holder_kind, holder=paper.holder)


def license_name(paper: License) -> str:
    """What the trail calls it."""
    return f"license:{paper.pk}"


def license_said(paper: License) -> dict[str, object]:
    """What the trail keeps of it."""
    return {name: getattr(paper, name) for name in _SAID}


def _shops_touch(shops: "QuerySet[Reseller]") -> None:
    for shop_id in shops.order_by("pk").values_list("pk", flat=True):
        shop_touch(shop_id=shop_id)


def _is_brand(paper: License) -> bool:
    return paper.kind == Kind.BRAND


def _holds(paper: License, on: date) -> bool:
    return paper.valid_from <= on and (paper.valid_until is None or on <= paper.valid_until)


def _warn(paper: License, today: date) -> None:
    notice = notice_due(paper.valid_until, on=today)
    if notice is None or (paper.warned_days is not None and paper.warned_days <= notice):
        return
    _end_alerts(paper)
    paper.warned_days = notice
    is_seller = paper.holder_kind == Holder.SELLER
    alert_raise(
        _alert(paper, EXPIRING if notice else EXPIRED),
        subject=_subject(paper, notice),
        level=Level.WARNING if notice > NOTICES[-1] else Level.URGENT,
        url=f"/admin/papers/{paper.pk}/" if is_seller else "/admin/licenses/",
        **{"shop" if is_seller else "supplier": paper.holder},
        license=paper.number,
        valid_until=str(paper.valid_until),
    )


def _alert(paper: License, kind: str) -> str:
    return _OF_SELLERS[kind] if paper.holder_kind == Holder.SELLER else kind


def _subject(paper: License, notice: int) -> str:
    return f"{paper.holder}#{paper.pk}#{notice}"


def _end_alerts(paper: License) -> None:
    alerts_end(_alert(paper, EXPIRING), [_subject(paper, days) for days in NOTICES])
    alerts_end(_alert(paper, EXPIRED), [_subject(paper, 0)])
