"""What the gate knows of a subject, and how a decision reaches the row that it is about.

Compliance comes before the catalogue, and a decision has to hold in its own transaction: through the outbox it would
hold when a worker comes to it. So the stage that keeps the rows offers a `Door`, and `settings.SCREENED_SUBJECTS` names
the door of each kind.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Protocol, cast

from django.conf import settings
from django.db import connection, models
from django.utils.module_loading import import_string
from django.utils.translation import gettext_lazy as _
from django_tenants.utils import schema_context

from compliance.screening import listing
from compliance.screening.pictures import Alike
from compliance.screening.prices import suspicion
from compliance.screening.rules import Category

#: Characters of all texts of a subject together: what the screening looks at, and more than anybody reads.
MOST_CHARACTERS = 200_000


class Standing(models.TextChoices):
    """Whether something may be shown and sold: the column that pages read beside the row itself. Only `clear` sells."""

    CLEAR = "clear", _("正常")
    FLAGGED = "flagged", _("待审核")
    BLOCKED = "blocked", _("不合规")
    TAKEN_DOWN = "taken_down", _("已下架")


@dataclass(frozen=True, slots=True)
class Subject:
    """The name of what is screened. `id` is the row's key in its schema; a listing goes by its variant, a
    placement and an owner's own good by their product."""

    kind: str
    schema_name: str
    id: int

    def __str__(self) -> str:
        return f"{self.kind}:{self.schema_name}/{self.id}"


class Slot(StrEnum):
    """Where the screening takes a text for; those that name goods weigh more."""

    TITLE = "title"
    NAME = "variants"
    DESCRIPTION = "description"
    ANNOUNCEMENT = "announcement"
    LABEL = "form_labels"
    BRAND = "brand"
    CATEGORY = "category"
    #: The name of a picture, which says what is in it; nobody reads that.
    PICTURE = "picture"


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a subject: `field` is what its form calls it. What is not the owner's `own` is context only."""

    field: str
    slot: Slot
    text: str
    own: bool = True


@dataclass(frozen=True, slots=True)
class Facts:
    """All that is screened of a subject, and how it stands. Prices in yuan: those of the amount with the lowest share.

    `title` is for people; the first text of slot `TITLE` is what is screened as the title. `licensed` are the
    names of brands that whoever says it has a license for: coming close to those is no imitation.
    """

    title: str
    standing: str
    texts: tuple[Text, ...]
    kind: str = ""
    price: Decimal | None = None
    official_price: Decimal | None = None
    licensed: frozenset[str] = frozenset()
    #: What was held against the owner of late (`gate.history`); no part of the version.
    against: tuple[Category, ...] = ()
    #: What a picture looks like; no part of the version either.
    alike: tuple[Alike, ...] = ()

    @property
    def words(self) -> dict[str, str]:
        """The owner's own texts by field, empty ones too: a field that a version lacks was no part of it yet."""
        return {text.field: text.text for text in self.texts if text.own}

    @property
    def length(self) -> int:
        """Characters, all texts together."""
        return sum(len(text.text) for text in self.texts)

    def digest(self) -> str:
        """What stands for exactly this: every text, the kind, and whether the price is suspicious, but not the price,
        which moves with costs."""
        category = " ".join(text.text for text in self.texts if text.slot is Slot.CATEGORY)
        odd = suspicion(category, self.kind, self.price, self.official_price)
        said = [[text.field, text.text] for text in self.texts if text.text]
        plain = json.dumps([said, self.kind, odd.rule if odd else ""], ensure_ascii=False)
        return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()

    def as_listing(self) -> listing.Subject:
        """As the screening takes it. Several texts of one slot are looked at as one, with a line between."""
        first = next((text for text in self.texts if text.slot is Slot.TITLE), None)
        joined = {slot: _BETWEEN.join(text.text for text in self._of(slot)) for slot in _JOINED}
        return listing.Subject(
            title=first.text if first else "",
            description=joined[Slot.DESCRIPTION],
            announcement=joined[Slot.ANNOUNCEMENT],
            brand=joined[Slot.BRAND],
            category=joined[Slot.CATEGORY],
            variants=tuple(text.text for text in self._of(Slot.NAME)),
            form_labels=tuple(text.text for text in self._of(Slot.LABEL)),
            kind=self.kind,
            price=self.price,
            official_price=self.official_price,
            licensed=self.licensed,
            against=self.against,
            alike=self.alike,
        )

    def place(self, span: listing.Span) -> tuple[Text, int, int] | None:
        """Whose text a place of the screening is in, and where in it; None for what is in none of them."""
        name, _bracket, number = span.field.partition("[")
        try:
            texts = self._of(Slot(name))
        except ValueError:
            return None
        if number:
            return texts[int(number.rstrip("]"))], span.start, span.end
        begin = 0
        for text in texts:
            end = begin + len(text.text)
            if span.start < end or (span.start == end and text is texts[-1]):
                return text, max(span.start - begin, 0), min(span.end, end) - begin
            begin = end + len(_BETWEEN)
        return None

    def _of(self, slot: Slot) -> list[Text]:
        return [text for text in self.texts if text.slot is slot]


_BETWEEN = "\n"
_JOINED = (Slot.DESCRIPTION, Slot.ANNOUNCEMENT, Slot.BRAND, Slot.CATEGORY)


class Door(Protocol):
    """How the gate reaches the rows of one kind. Every method is called in the subject's own schema."""

    @property
    def in_shops(self) -> bool:
        """Whether the rows are in each shop's schema rather than in public."""

    @property
    def amendable(self) -> Mapping[str, int]:
        """The fields that whoever decides may put right, with how many characters each may have."""

    def amend(self, subject_id: int, words: Mapping[str, str]) -> None:
        """Write such fields. The row is locked, and the gate screens it afterwards."""

    def facts(self, subject_id: int, *, lock: bool = False) -> Facts | None:
        """What is there now; None where it is not there (any more). `lock` holds it until the transaction ends."""

    def stand(self, subject_id: int, standing: Standing, *, words: Mapping[str, str], caught: Collection[str]) -> None:
        """Make the row stand like that, so that every page and order sees it at once.

        `words` are the texts that were judged, `caught` the fields in which something was found.
        """

    def batch(self, after: int, limit: int) -> Sequence[tuple[int, Facts]]:
        """The next so many after an id, in the order of ids, with their ids."""

    def ids(self) -> Sequence[int]:
        """The ids of all that `batch` goes through, in order."""


def door_of(kind: str) -> Door:
    """Who keeps the rows of a kind. Raises `KeyError`."""
    return _doors()[kind]


@lru_cache(maxsize=1)
def _doors() -> Mapping[str, Door]:
    paths: Mapping[str, str] = settings.SCREENED_SUBJECTS
    return {kind: cast(Door, import_string(path)) for kind, path in paths.items()}


class NoAmends:
    """For doors whose rows operators change on pages of their own."""

    amendable: Mapping[str, int] = {}

    def amend(self, subject_id: int, words: Mapping[str, str]) -> None:
        """Never: there is nothing that may be amended."""
        raise TypeError(f"not to be amended: {', '.join(words)}")


def kinds() -> Iterator[str]:
    """Every kind of subject."""
    yield from _doors()


def entered(schema_name: str) -> AbstractContextManager[object]:
    """Inside a subject's schema; who is there already stays."""
    if connection.schema_name == schema_name:  # type: ignore[attr-defined]
        return nullcontext()
    return cast(AbstractContextManager[object], schema_context(schema_name))
