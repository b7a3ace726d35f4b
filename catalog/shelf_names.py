"""What a shelf is called, as the gate sees it.

A shelf does not go off sale for its name, because a hundred products stand on it. As with the words of a shop, what is
doubtful is not shown: the name before it stays until a person has approved the new one, and a new shelf is called by
its code until then.
"""

from collections.abc import Collection, Mapping, Sequence

from django.db import transaction
from django_tenants.utils import get_public_schema_name

from catalog.models import Category, Product, Revision
from catalog.screened import product_screen
from catalog.search_texts import search_texts_write
from compliance.gate.models import SubjectKind
from compliance.gate.services import subject_screen
from compliance.gate.subjects import Facts, Slot, Standing, Subject, Text
from kameng.outbox.services import publish

WORDS = ("name", "name_en")


def category_subject(category_id: int) -> Subject:
    """What the gate calls the names of a shelf."""
    return Subject(SubjectKind.CATEGORY, get_public_schema_name(), category_id)


def category_facts(category: Category) -> Facts:
    """What is screened of a shelf."""
    texts = (Text("name", Slot.TITLE, category.name), Text("name_en", Slot.NAME, category.name_en))
    return Facts(title=category.name, standing=Standing.CLEAR, texts=texts)


def names_screen(category: Category, *, shown: Mapping[str, str]) -> bool:
    """Screen what a shelf is called as it was just written; whether that is shown. Otherwise the row has what was
    `shown` again, and a case waits. The caller holds the row.

    Raises `ContentBlocked`: the caller's transaction must not stay.
    """
    if subject_screen(subject=category_subject(category.pk), facts=category_facts(category)).is_clear:
        return True
    for name in WORDS:
        setattr(category, name, shown[name])
    category.save(update_fields=WORDS)
    return False


def products_follow(category_id: int, *, is_edit: bool = True) -> None:
    """A shelf is called something else: its products are found by that, and screened beside it.

    Raises `ContentBlocked` where it is an edit by which a product of it may not be sold any more.
    """
    products = Product.objects.filter(category_id=category_id)
    search_texts_write(products)
    for product_id in products.order_by("pk").values_list("pk", flat=True):
        product_screen(product_id, is_edit=is_edit)


@transaction.atomic
def shelf_renamed(*, category_id: int) -> None:
    """The outbox: a person let a shelf be called something else, and its products follow."""
    products_follow(category_id, is_edit=False)
    Revision.bump()


class Categories:
    """The gate's way to the names of shelves."""

    in_shops = False
    amendable: Mapping[str, int] = {
        field.name: field.max_length or 0 for field in Category._meta.concrete_fields if field.name in WORDS
    }

    def amend(self, subject_id: int, words: Mapping[str, str]) -> None:
        """What is written is shown: the decision that comes with it says that it may be."""
        self._call(subject_id, words)

    def facts(self, subject_id: int, *, lock: bool = False) -> Facts | None:
        """What is shown."""
        rows = Category.objects.select_for_update(no_key=True) if lock else Category.objects.all()
        category = rows.filter(pk=subject_id).first()
        return category_facts(category) if category is not None else None

    def stand(self, subject_id: int, standing: Standing, *, words: Mapping[str, str], caught: Collection[str]) -> None:
        """Approved names are shown; of others, those in which something was found are not, or none of them where
        nothing was. A shelf without a name is called by its code."""
        category = Category.objects.get(pk=subject_id)
        if standing == Standing.CLEAR:
            called = {name: words[name] for name in WORDS if name in words}
        else:
            shown = {name: getattr(category, name) for name in WORDS}
            guilty = [name for name in caught if name in WORDS] or list(WORDS)
            called = {name: "" for name in guilty if shown[name] and shown[name] == (words.get(name) or shown[name])}
        self._call(subject_id, called)

    def batch(self, after: int, limit: int) -> Sequence[tuple[int, Facts]]:
        """Those that are switched off too: they may be on tomorrow."""
        return [(row.pk, category_facts(row)) for row in Category.objects.filter(pk__gt=after).order_by("pk")[:limit]]

    def ids(self) -> Sequence[int]:
        """All of them."""
        return list(Category.objects.order_by("pk").values_list("pk", flat=True))

    def _call(self, subject_id: int, words: Mapping[str, str]) -> None:
        category = Category.objects.get(pk=subject_id)
        for name, text in words.items():
            setattr(category, name, text)
        category.name = category.name or category.slug
        if words:
            category.save(update_fields=WORDS)
            Revision.bump()
            # A thousand products may stand on it: whoever decides does not wait for them.
            publish("shelf.renamed", category_id=subject_id)


CATEGORIES = Categories()
