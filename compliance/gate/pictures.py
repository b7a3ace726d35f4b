"""Pictures of shops, as the gate sees them: whether they look like the logo of a brand that the shop has no paper of.

A shop does not go without its logo for a new one that is doubtful: as with its words, the one before stays until a
person has approved the new one. Only where what is shown is caught, because a reference was added or a paper is over,
none is shown. A picture goes by its place, so that the next one at the same place is its next version.
"""

from collections.abc import Collection, Mapping, Sequence

from django.db import connection, transaction

from compliance.gate.authorizations import authorizations_of_shop
from compliance.gate.judging import fresh, judge, verdict_by
from compliance.gate.models import Case, SubjectKind
from compliance.gate.services import Gated, ruling_on, subject_screen, subject_withdraw
from compliance.gate.subjects import Facts, NoAmends, Slot, Standing, Subject, Text, entered
from compliance.marks import references_now
from compliance.rules import book_now
from compliance.screening import pictures
from compliance.screening.listing import Verdict
from kameng.outbox.services import publish
from resellers.brand.models import BrandPicture
from resellers.brand.services import (
    State,
    Use,
    brand_picture_move,
    brand_picture_put,
    brand_picture_remove,
    picture_read,
)
from resellers.models import Reseller

PLACES = {Use.LOGO: 1, Use.FAVICON: 2}
_USES = {place: use for use, place in PLACES.items()}
_STANDS = {State.SHOWN: Standing.CLEAR, State.WAITING: Standing.FLAGGED, State.TAKEN_DOWN: Standing.TAKEN_DOWN}


def picture_subject(shop: Reseller, use: str) -> Subject:
    """What the gate calls a picture of a shop."""
    return Subject(SubjectKind.PICTURE, shop.schema_name, PLACES[Use(use)])


@transaction.atomic
def shop_picture_save(*, shop_id: int, use: str, upload: bytes, actor: str) -> Gated:
    """Take a picture as the shop's logo or favicon: a clear one is shown at once; of a doubtful one, that before stays,
    and a case waits. Raises `Invalid`."""
    picture = picture_read(use, upload)
    fingerprint = pictures.fingerprint(picture.data)
    shop = Reseller.objects.select_for_update().get(pk=shop_id)
    said = {"shop": shop, "use": use, "picture": picture, "actor": actor, "fingerprint": fingerprint.written()}
    row = brand_picture_put(state=State.WAITING, **said)
    # A new picture is a new thing: what was taken down before says nothing of it.
    gated = subject_screen(subject=picture_subject(shop, use), facts=_facts(shop, row))
    if gated.is_clear:
        brand_picture_move(row=row, state=State.SHOWN)
    return gated


@transaction.atomic
def shop_picture_remove(*, shop_id: int, use: str) -> None:
    """Show none; nothing is left to decide about."""
    shop = Reseller.objects.select_for_update().get(pk=shop_id)
    brand_picture_remove(shop=shop, use=use)
    subject_withdraw(subject=picture_subject(shop, use))


def marks_changed() -> None:
    """The outbox: references are others now, so every picture of a shop is looked at again."""
    rules_version = book_now()[1]
    for schema_name in BrandPicture.objects.order_by("shop").values_list("shop__schema_name", flat=True).distinct():
        with entered(schema_name):
            _shown_look()
        publish("subjects.rescreen", kind=SubjectKind.PICTURE, shop=schema_name, after=0, rules_version=rules_version)


class Pictures(NoAmends):
    """The gate's way to the pictures of the shop that it is in; they are rows of public."""

    in_shops = True

    def facts(self, subject_id: int, *, lock: bool = False) -> Facts | None:
        """What waits or was taken down at a place; or else what is shown there."""
        shop = _shop_here(lock=lock)
        return dict(_all(shop)).get(subject_id) if shop is not None else None

    def stand(self, subject_id: int, standing: Standing, *, words: Mapping[str, str], caught: Collection[str]) -> None:
        """The picture that was judged is shown, waits, or is taken down; others stay as they are."""
        shop, use = _shop_here(lock=True), _USES[subject_id]
        if shop is None:
            return
        rows = {row.state: row for row in BrandPicture.objects.filter(shop=shop, use=use)}
        now = rows.get(State.WAITING) or rows.get(State.TAKEN_DOWN) or rows.get(State.SHOWN)
        named = words.get(use)
        row = next((one for one in rows.values() if one.name == named), None) if named else now
        if row is None:
            return
        if standing == Standing.CLEAR:
            brand_picture_move(row=row, state=State.SHOWN)
        elif row.state != State.BEFORE:
            is_down = standing == Standing.TAKEN_DOWN
            brand_picture_move(row=row, state=State.TAKEN_DOWN if is_down else State.WAITING)

    def batch(self, after: int, limit: int) -> Sequence[tuple[int, Facts]]:
        """Of this one shop."""
        shop = _shop_here()
        return [row for row in _all(shop) if row[0] > after][:limit] if shop is not None else []

    def ids(self) -> Sequence[int]:
        """Of this one shop."""
        shop = _shop_here()
        return sorted({PLACES[Use(row.use)] for row in _rows(shop)}) if shop is not None else []


PICTURES = Pictures()


def picture_named(schema_name: str, subject_id: int, name: str) -> BrandPicture | None:
    """A version of a picture that is still kept."""
    rows = BrandPicture.objects.filter(shop__schema_name=schema_name, use=_USES.get(subject_id, ""), name=name)
    return rows.first()


def _shop_here(*, lock: bool = False) -> Reseller | None:
    rows = Reseller.objects.select_for_update() if lock else Reseller.objects.all()
    shop: Reseller | None = rows.filter(schema_name=connection.schema_name).first()  # type: ignore[attr-defined]
    return shop


def _rows(shop: Reseller) -> list[BrandPicture]:
    return list(BrandPicture.objects.filter(shop=shop).exclude(state=State.BEFORE))


def _all(shop: Reseller) -> list[tuple[int, Facts]]:
    """The picture of each place that the gate asks about, by place."""
    current: dict[str, BrandPicture] = {}
    for row in _rows(shop):
        if row.use not in current or row.state != State.SHOWN:
            current[row.use] = row
    found = [(PLACES[Use(use)], _facts(shop, row, standing=_STANDS[State(row.state)])) for use, row in current.items()]
    return sorted(found, key=lambda one: one[0])


def _facts(shop: Reseller, row: BrandPicture, *, standing: Standing = Standing.CLEAR) -> Facts:
    """What is screened of a picture. Papers that it stands on are part of the version: with another paper it is another
    question, whatever was decided before."""
    references = references_now()
    alike = pictures.alike(_fingerprint(row), references) if references else []
    licensed = authorizations_of_shop(shop.schema_name).brands() if alike else frozenset()
    covered = sorted(one.brand for one in alike if one.brand in licensed)
    return Facts(
        title=f"{shop.name} · {Use(row.use).label}",
        standing=standing,
        texts=(
            Text(row.use, Slot.PICTURE, row.name),
            Text("papers", Slot.PICTURE, " ".join(covered), own=False),
        ),
        licensed=licensed,
        alike=tuple(alike),
    )


def _fingerprint(row: BrandPicture) -> pictures.Fingerprint:
    return pictures.read(row.fingerprint) or pictures.fingerprint(bytes(row.data))


@transaction.atomic
def _shown_look() -> None:
    """While a newer picture waits, it is the one that is asked about; the one shown beside it is put away where it may
    not be shown any more."""
    shop = _shop_here(lock=True)
    if shop is None:
        return
    rows = _rows(shop)
    waiting = {row.use for row in rows if row.state != State.SHOWN}
    for row in rows:
        if row.state != State.SHOWN or row.use not in waiting:
            continue
        judged = judge(_facts(shop, row), book_now()[0])
        ruling = ruling_on(picture_subject(shop, row.use), judged.digest)
        is_approved = ruling is not None and ruling.state == Case.State.APPROVED
        seen = ruling.screening.findings if is_approved and ruling is not None and ruling.screening else []
        if verdict_by(fresh(judged.findings, seen)) is not Verdict.CLEAR:
            brand_picture_move(row=row, state=State.BEFORE)
