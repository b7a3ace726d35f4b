"""A product as the gate sees it: all its texts, with those of its variants and its brand, and its lowest price.

The name of its shelf is context. It is the platform's own word for many things, and is looked at by itself.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.utils.module_loading import import_string
from django_tenants.utils import get_public_schema_name

from catalog.models import Product, Revision, Variant
from compliance.gate.authorizations import (
    Authorizations,
    authorizations_of_platform,
    authorizations_of_shop,
    authorizations_of_suppliers,
)
from compliance.gate.models import SubjectKind
from compliance.gate.services import subject_screen
from compliance.gate.subjects import Facts, NoAmends, Slot, Standing, Subject, Text, door_of, entered
from resellers.services import shop_touch


def product_subject(product_id: int) -> Subject:
    """What the gate calls a product of the platform's."""
    return Subject(SubjectKind.PRODUCT, get_public_schema_name(), product_id)


def subject_of(product: Product) -> Subject:
    """The same of any product: an owner's own goes by the schema of its shop."""
    if product.owner is None:
        return product_subject(product.pk)
    return Subject(SubjectKind.OWN_GOOD, product.owner.schema_name, product.pk)


def product_facts(product: Product, licensed: frozenset[str] = frozenset()) -> Facts:
    """What is screened of a product: what is on sale of it, in an order that does not change. `licensed` are the names
    of its brand, where somebody's papers cover it."""
    variants = sorted((one for one in product.variants.all() if one.is_active), key=lambda one: one.sku)
    cheapest = min(variants, key=lambda one: _asked(one) / one.official_price, default=None)
    return Facts(
        title=product.name,
        standing=product.standing,
        texts=(
            Text("name", Slot.TITLE, product.name),
            Text("name_en", Slot.NAME, product.name_en),
            Text("aliases", Slot.NAME, "、".join(product.aliases)),
            Text("summary", Slot.DESCRIPTION, product.summary),
            Text("summary_en", Slot.DESCRIPTION, product.summary_en),
            Text("notes", Slot.DESCRIPTION, product.notes),
            Text("notes_en", Slot.DESCRIPTION, product.notes_en),
            Text("account_fields", Slot.LABEL, "\n".join(_form_words(product.account_fields))),
            *(Text(f"variants.{one.sku}", Slot.NAME, _variant_words(one)) for one in variants),
            Text("brand", Slot.BRAND, product.brand.name if product.brand else ""),
            Text("category", Slot.CATEGORY, product.category.name, own=False),
        ),
        kind=product.kind,
        price=_asked(cheapest) if cheapest else None,
        official_price=cheapest.official_price if cheapest else None,
        licensed=licensed,
    )


def _asked(variant: Variant) -> Decimal:
    """What is asked for it: of shops, or of shoppers for an owner's own good."""
    return variant.own_price or variant.supply_price


def licensed_names(product: Product, papers: Authorizations) -> frozenset[str]:
    """The names of a product's brand, where papers cover it."""
    brand = product.brand
    if brand is None or not papers.cover(product.category.slug, brand.slug):
        return frozenset()
    return frozenset(filter(None, (brand.slug, brand.name, brand.name_en)))


def _variant_words(variant: Variant) -> str:
    return "\n".join(filter(None, (variant.name, variant.name_en, variant.note, variant.note_en)))


def _form_words(account_fields: Iterable[Mapping[str, Any]]) -> list[str]:
    """All that an account form says to the shopper."""
    words = []
    for field in account_fields:
        words += [field.get(name) for name in ("label", "label_en", "help", "help_en", "example")]
        words += [choice.get(name) for choice in field.get("choices") or () for name in ("label", "label_en")]
    return [str(word) for word in words if word]


class Products(NoAmends):
    """The gate's way to products."""

    in_shops = False

    def facts(self, subject_id: int, *, lock: bool = False) -> Facts | None:
        """As it stands there."""
        if lock:
            Product.objects.select_for_update(no_key=True).filter(pk=subject_id).values_list("pk").first()
        return next((facts for _id, facts in _with_facts(_whole().filter(pk=subject_id))), None)

    def stand(self, subject_id: int, standing: Standing, *, words: Mapping[str, str], caught: Collection[str]) -> None:
        """Every shop's shelf sees it with the next page."""
        if Product.objects.filter(pk=subject_id).exclude(standing=standing).update(standing=standing):
            Revision.bump()

    def batch(self, after: int, limit: int) -> Sequence[tuple[int, Facts]]:
        """Those that are not on sale too: they may be tomorrow."""
        return _with_facts(_whole().filter(pk__gt=after).order_by("pk")[:limit])

    def ids(self) -> Sequence[int]:
        """All of them."""
        return list(Product.objects.filter(owner=None).order_by("pk").values_list("pk", flat=True))


PRODUCTS = Products()


class OwnGoods(NoAmends):
    """The gate's way to the own goods of the shop that it is in; they are rows of public, and nobody else's."""

    in_shops = True

    def facts(self, subject_id: int, *, lock: bool = False) -> Facts | None:
        """As it stands there."""
        if lock:
            _owned_here().select_for_update(of=("self",), no_key=True).filter(pk=subject_id).values_list("pk").first()
        product = _owned_here().filter(pk=subject_id).first()
        return _own_good_facts(product) if product is not None else None

    def stand(self, subject_id: int, standing: Standing, *, words: Mapping[str, str], caught: Collection[str]) -> None:
        """The shop's own shelf sees it with the next page."""
        for product in _owned_here().filter(pk=subject_id).exclude(standing=standing):
            Product.objects.filter(pk=product.pk).update(standing=standing)
            shop_touch(shop_id=product.owner_id)  # type: ignore[arg-type]

    def batch(self, after: int, limit: int) -> Sequence[tuple[int, Facts]]:
        """Those that are not on sale too."""
        return [(row.pk, _own_good_facts(row)) for row in _owned_here().filter(pk__gt=after).order_by("pk")[:limit]]

    def ids(self) -> Sequence[int]:
        """All of this shop."""
        return list(_owned_here().order_by("pk").values_list("pk", flat=True))


OWN_GOODS = OwnGoods()


def _whole() -> QuerySet[Product]:
    return _read().filter(owner=None)


def _owned_here() -> QuerySet[Product]:
    return _read().filter(owner__schema_name=connection.schema_name)  # type: ignore[attr-defined]


def _read() -> QuerySet[Product]:
    return Product.objects.select_related("category", "brand", "owner").prefetch_related("variants")


def _own_good_facts(product: Product) -> Facts:
    """What is screened of an owner's own good: the same, and the papers of the shop."""
    brands = authorizations_of_shop(product.owner.schema_name).brands() if product.owner else frozenset()
    return product_facts(product, brands)


def _with_facts(rows: Iterable[Product]) -> list[tuple[int, Facts]]:
    """With the names that the platform's own papers allow, or those of somebody of whom the product is bought."""
    products = list(rows)
    branded = [product.pk for product in products if product.brand is not None]
    own, bought_of = Authorizations(), dict[int, frozenset[str]]()
    if branded:
        own = authorizations_of_platform()
        bought_of = import_string(settings.SUPPLIERS_OF_PRODUCTS)(branded)
    papers = authorizations_of_suppliers(frozenset[str]().union(*bought_of.values()))

    def licensed(product: Product) -> frozenset[str]:
        speaking = (own, *(papers[code] for code in bought_of.get(product.pk, ())))
        return frozenset[str]().union(*(licensed_names(product, one) for one in speaking))

    return [(product.pk, product_facts(product, licensed(product))) for product in products]


def product_screen(product_id: int, *, is_edit: bool = True) -> Standing:
    """Screen a product as it is written by now, and write how it stands; the caller moves the revision.

    Raises `ContentBlocked` for an edit: the caller's transaction must not stay.
    """
    product = Product.objects.select_related("owner").get(pk=product_id)
    subject = subject_of(product)
    with entered(subject.schema_name) if product.owner else nullcontext():
        facts = door_of(subject.kind).facts(product_id, lock=True)
    if facts is None:
        raise Product.DoesNotExist
    gated = subject_screen(subject=subject, facts=facts, is_edit=is_edit)
    if gated.standing != facts.standing:
        Product.objects.filter(pk=product_id).update(standing=gated.standing)
    return gated.standing
