"""What an owner says about the shop: its name and the words on every page.

A shop does not go off sale for its announcement. So what is doubtful is not shown: the words before it stay until a
person has approved the new ones, which are kept as the version of the case that waits.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils import timezone

from compliance.gate.authorizations import authorizations_of_shop
from compliance.gate.models import Case, SubjectKind
from compliance.gate.selectors import case_telling, version_texts
from compliance.gate.services import Gated, caught_in, subject_screen
from compliance.gate.subjects import Facts, Slot, Standing, Subject, Text
from resellers.announcements import announcement_followed
from resellers.models import Reseller
from resellers.services import reseller_open, shop_look_save

#: What is screened, and where the screening takes it for. What the owner collects or colors is not text.
_SLOTS = {
    "name": Slot.TITLE,
    "name_en": Slot.NAME,
    "tagline": Slot.DESCRIPTION,
    "tagline_en": Slot.DESCRIPTION,
    "announcement": Slot.ANNOUNCEMENT,
    "announcement_en": Slot.ANNOUNCEMENT,
    "support": Slot.DESCRIPTION,
    "company": Slot.NAME,
}
WORDS = tuple(_SLOTS)


@dataclass(frozen=True, slots=True)
class Saved:
    """A shop as it is now, and what came of its words; None where they did not change."""

    shop: Reseller
    gated: Gated | None

    @property
    def is_shown(self) -> bool:
        """Whether shoppers see what was typed."""
        return self.gated is None or self.gated.is_clear


def shop_subject(shop: Reseller) -> Subject:
    """What the gate calls the words of a shop."""
    return Subject(SubjectKind.SHOP, shop.schema_name, shop.pk)


def shop_facts(title: str, words: Mapping[str, str], licensed: frozenset[str] = frozenset()) -> Facts:
    """What is screened of a shop, if its words were these; `licensed` are brands whose names it may use."""
    texts = tuple(Text(name, slot, words.get(name, "")) for name, slot in _SLOTS.items())
    return Facts(title=title, standing=Standing.CLEAR, texts=texts, licensed=licensed)


@transaction.atomic
def shop_words_save(*, shop_id: int, **look: object) -> Saved:
    """Change how a shop looks and what it says (`resellers.services.shop_look_save`, with its fields), once its words
    have passed.

    Clear ones are shown at once. Of doubtful ones, those before stay, and a case waits; everything else is saved.
    Raises `ContentBlocked` and `ShopInvalid`; nothing is saved then.
    """
    with announcement_followed(shop_id):
        return _words_saved(shop_id, look)


def _words_saved(shop_id: int, look: Mapping[str, object]) -> Saved:
    shop = Reseller.objects.get(pk=shop_id)
    case = case_telling(shop_subject(shop))
    shown, last = _words_of(shop), words_written(shop, case)
    wanted = {name: " ".join(str(look.get(name, last[name])).split()) for name in WORDS}
    if wanted == shown and case is None:
        return Saved(shop_look_save(shop_id=shop_id, **look), None)
    # What is too long or otherwise impossible is said first, and by whoever knows.
    saved = shop_look_save(shop_id=shop_id, **{**look, **wanted})
    gated = subject_screen(subject=shop_subject(shop), facts=shop_facts(wanted["name"], wanted, _licensed(shop)))
    if not gated.is_clear:
        saved = shop_look_save(shop_id=shop_id, **_still_said(shop, shown))
    return Saved(saved, gated)


@transaction.atomic
def shop_words_screen(shop: Reseller) -> Gated:
    """Screen what a shop says already: doubtful words are not shown. Raises `ContentBlocked`."""
    gated = subject_screen(subject=shop_subject(shop), facts=_facts(shop))
    if not gated.is_clear:
        SHOPS.stand(shop.pk, gated.standing, words=_words_of(shop), caught=caught_in(gated.screening))
    return gated


@transaction.atomic
def shop_open(*, slug: str, name: str, host_names: Iterable[str], **look: object) -> Saved:
    """Open a shop (`resellers.services.reseller_open`, which raises the rest), and screen what it says from its first
    moment on: doubtful words are not shown. Raises `ContentBlocked`; nothing is opened then.
    """
    shop = reseller_open(slug=slug, name=name, host_names=host_names, **look)
    gated = shop_words_screen(shop)
    if not gated.is_clear:
        shop.refresh_from_db(fields=list(WORDS))
    return Saved(shop, gated)


def words_written(shop: Reseller, case: Case | None) -> dict[str, str]:
    """The words as the owner last wrote them: those that wait for a person or were sent back (`case_telling` of the
    shop), or else those shown."""
    shown = _words_of(shop)
    if case is None or case.state == Case.State.TAKEN_DOWN:
        return shown
    texts = version_texts(case.digest)
    return {name: texts.get(name, shown[name]) for name in WORDS}


class Shops:
    """The gate's way to the words of the shop that it is in."""

    in_shops = True
    amendable: Mapping[str, int] = {name: Reseller._meta.get_field(name).max_length or 0 for name in WORDS}

    def amend(self, subject_id: int, words: Mapping[str, str]) -> None:
        """What is written is shown: the decision that comes with it says that it may be."""
        with announcement_followed(subject_id):
            shop_look_save(shop_id=subject_id, **words)

    def facts(self, subject_id: int, *, lock: bool = False) -> Facts | None:
        """What is shown."""
        rows = Reseller.objects.select_for_update() if lock else Reseller.objects.all()
        shop = rows.filter(pk=subject_id).first()
        return _facts(shop) if shop is not None else None

    def stand(self, subject_id: int, standing: Standing, *, words: Mapping[str, str], caught: Collection[str]) -> None:
        """Approved words are shown; of others, the fields in which something was found are emptied, or all of them
        where nothing was. A shop without a name is called by its code."""
        shop = Reseller.objects.get(pk=subject_id)
        if standing == Standing.CLEAR:
            look: dict[str, str] = {name: words[name] for name in WORDS if name in words}
        else:
            shown = _words_of(shop)
            guilty = [name for name in caught if name in WORDS] or list(WORDS)
            look = {name: "" for name in guilty if shown[name] and shown[name] == (words.get(name) or shown[name])}
        if "name" in look and not look["name"]:
            look["name"] = shop.slug
        if look:
            with announcement_followed(subject_id):
                shop_look_save(shop_id=subject_id, **look)

    def batch(self, after: int, limit: int) -> Sequence[tuple[int, Facts]]:
        """This one shop."""
        schema_name = connection.schema_name  # type: ignore[attr-defined]
        shop = Reseller.objects.filter(schema_name=schema_name, pk__gt=after).first()
        return [(shop.pk, _facts(shop))] if shop is not None else []

    def ids(self) -> Sequence[int]:
        """This one shop."""
        schema_name = connection.schema_name  # type: ignore[attr-defined]
        return list(Reseller.objects.filter(schema_name=schema_name).values_list("pk", flat=True))


SHOPS = Shops()


def _facts(shop: Reseller) -> Facts:
    return shop_facts(shop.name, _words_of(shop), _licensed(shop))


def _licensed(shop: Reseller) -> frozenset[str]:
    return authorizations_of_shop(shop.schema_name).brands()


def _still_said(shop: Reseller, shown: Mapping[str, str]) -> dict[str, str]:
    """What stays while new words wait; not what was over, which their time would bring back."""
    is_over = shop.announcement_until is not None and shop.announcement_until <= timezone.now()
    return {name: "" if is_over and _SLOTS[name] is Slot.ANNOUNCEMENT else text for name, text in shown.items()}


def _words_of(shop: Reseller) -> dict[str, str]:
    return {name: getattr(shop, name) for name in WORDS}
