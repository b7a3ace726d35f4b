"""What a shop calls a whole product, and how the gate sees that.

As with the words of a shop, a doubtful name takes nothing off sale: until a person has approved it, the shop calls the
product as the platform does. A placement goes by its product's id, in the schema of its shop.
"""

from collections.abc import Collection, Mapping, Sequence

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from catalog.listings.exceptions import ListingInvalid
from catalog.listings.models import Placement
from catalog.listings.screened import authorizations_here, shop_id_here
from catalog.models import Product
from catalog.screened import licensed_names
from catalog.search import search_text
from compliance.gate.authorizations import Authorizations
from compliance.gate.models import SubjectKind
from compliance.gate.services import subject_screen, subject_withdraw
from compliance.gate.subjects import Facts, Slot, Standing, Subject, Text
from resellers.services import shop_touch

LONGEST_NAME = 60
#: A row that is as good as none.
PLACES_NOTHING = Q(position=None, is_featured=False, name="", standing=Standing.CLEAR)


def placement_subject(product_id: int) -> Subject:
    """What the gate calls the current shop's name of a product."""
    return Subject(SubjectKind.PLACEMENT, connection.schema_name, product_id)  # type: ignore[attr-defined]


def placement_facts(placement: Placement, product: Product, papers: Authorizations) -> Facts:
    """What is screened of it in a shop with these papers; the platform's words about the product are context."""
    return Facts(
        title=placement.name or product.name,
        standing=placement.standing,
        texts=(
            Text("name", Slot.TITLE, placement.name),
            Text("product", Slot.DESCRIPTION, product.name, own=False),
            Text("brand", Slot.BRAND, product.brand.name if product.brand else "", own=False),
            Text("category", Slot.CATEGORY, product.category.name, own=False),
        ),
        kind=product.kind,
        licensed=papers.brands() | licensed_names(product, papers),
    )


@transaction.atomic
def product_rename(*, shop_id: int, product_id: int, name: str) -> Standing:
    """Call a product by a name of the shop's own, or (with none) as the platform does; how the name stands.

    Raises `ListingInvalid`, and `ContentBlocked` for a name that may not be.
    """
    name = " ".join(name.replace("\0", "").split())
    if len(name) > LONGEST_NAME:
        raise ListingInvalid(fields={"name": _("太长了，最多 %(limit)s 个字符") % {"limit": LONGEST_NAME}})
    product = _products([product_id]).get(product_id)
    if product is None or not product.is_active:
        raise ListingInvalid(_("主站已经下架了这个商品"))
    Placement.objects.bulk_create([Placement(product_id=product_id)], ignore_conflicts=True)
    placement = Placement.objects.select_for_update().get(product_id=product_id)
    _call(placement, "" if name == product.name else name)
    standing = Standing(placement.standing)
    if placement.name or standing == Standing.TAKEN_DOWN:
        facts = placement_facts(placement, product, authorizations_here())
        standing = subject_screen(subject=placement_subject(product_id), facts=facts).standing
    else:
        subject_withdraw(subject=placement_subject(product_id))
        standing = Standing.CLEAR
    Placement.objects.filter(pk=placement.pk).update(standing=standing)
    Placement.objects.filter(PLACES_NOTHING, pk=placement.pk).delete()
    shop_touch(shop_id=shop_id)
    return standing


class Placements:
    """The gate's way to what the shop that it is in calls products."""

    in_shops = True
    amendable: Mapping[str, int] = {"name": LONGEST_NAME}

    def amend(self, subject_id: int, words: Mapping[str, str]) -> None:
        """The owner's own name."""
        for placement in Placement.objects.filter(product_id=subject_id):
            _call(placement, words["name"])

    def facts(self, subject_id: int, *, lock: bool = False) -> Facts | None:
        """As it stands there; None where the owner has nothing to say of the product."""
        rows = Placement.objects.select_for_update() if lock else Placement.objects.all()
        placement = rows.filter(product_id=subject_id).first()
        product = _products([subject_id]).get(subject_id)
        if placement is None or product is None:
            return None
        return placement_facts(placement, product, authorizations_here())

    def stand(self, subject_id: int, standing: Standing, *, words: Mapping[str, str], caught: Collection[str]) -> None:
        """The shop's own shelf sees it with the next page."""
        Placement.objects.filter(product_id=subject_id).update(standing=standing)
        shop_touch(shop_id=shop_id_here())

    def batch(self, after: int, limit: int) -> Sequence[tuple[int, Facts]]:
        """Those with a name."""
        placements = list(_named().filter(product_id__gt=after)[:limit])
        if not placements:
            return []
        products, papers = _products([placement.product_id for placement in placements]), authorizations_here()
        return [
            (placement.product_id, placement_facts(placement, products[placement.product_id], papers))
            for placement in placements
            if placement.product_id in products
        ]

    def ids(self) -> Sequence[int]:
        """The same."""
        return list(_named().values_list("product_id", flat=True))


PLACEMENTS = Placements()


def _named() -> "QuerySet[Placement]":
    return Placement.objects.exclude(name="").order_by("product_id")


def _call(placement: Placement, name: str) -> None:
    placement.name, placement.search_text = name, search_text(name=name) if name else ""
    placement.save(update_fields=["name", "search_text"])


def _products(ids: Sequence[int]) -> dict[int, Product]:
    return Product.objects.filter(owner=None).select_related("brand", "category").in_bulk(ids)
