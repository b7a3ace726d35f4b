"""What an owner says of a variant as the gate sees it: the own name, with the platform's words about it as context.

A listing goes by its variant's id, in the schema of its shop: rows come and go, what was decided about them stays.
"""

from collections.abc import Collection, Mapping, Sequence

from django.db import connection
from django.db.models import QuerySet

from catalog.listings.models import Listing
from catalog.models import Product, Variant
from catalog.screened import licensed_names
from compliance.gate.authorizations import Authorizations, authorizations_of_shop
from compliance.gate.models import SubjectKind
from compliance.gate.services import subject_screen, subject_withdraw
from compliance.gate.subjects import Facts, Slot, Standing, Subject, Text
from resellers.models import Reseller
from resellers.services import shop_touch


def listing_subject(variant_id: int) -> Subject:
    """What the gate calls a listing of the current shop."""
    return Subject(SubjectKind.LISTING, connection.schema_name, variant_id)  # type: ignore[attr-defined]


def listing_facts(listing: Listing, variant: Variant, papers: Authorizations) -> Facts:
    """What is screened of a listing of a shop with these papers. Its price has a floor of its own (`floor_of`) and is
    no sign of anything."""
    product = variant.product
    return Facts(
        title=f"{product.name} {listing.name or variant.name}",
        standing=listing.standing,
        texts=(
            Text("name", Slot.TITLE, listing.name),
            Text("product", Slot.DESCRIPTION, product.name, own=False),
            Text("brand", Slot.BRAND, product.brand.name if product.brand else "", own=False),
            Text("category", Slot.CATEGORY, product.category.name, own=False),
        ),
        kind=product.kind,
        licensed=papers.brands() | licensed_names(product, papers),
    )


def listing_screen(listing: Listing) -> Standing:
    """Screen a listing as it was just written, and write how it stands; the caller holds its row.

    Raises `ContentBlocked`: the caller's transaction must not stay.
    """
    subject = listing_subject(listing.variant_id)
    if listing.name or listing.standing == Standing.TAKEN_DOWN:
        variant = _variants([listing.variant_id])[listing.variant_id]
        facts = listing_facts(listing, variant, authorizations_here())
        standing = subject_screen(subject=subject, facts=facts).standing
    else:
        subject_withdraw(subject=subject)
        standing = Standing.CLEAR
    if standing != listing.standing:
        Listing.objects.filter(pk=listing.pk).update(standing=standing)
    return standing


class Listings:
    """The gate's way to the listings of the shop that it is in."""

    in_shops = True
    amendable: Mapping[str, int] = {"name": Listing._meta.get_field("name").max_length or 0}

    def amend(self, subject_id: int, words: Mapping[str, str]) -> None:
        """The owner's own name."""
        Listing.objects.filter(variant_id=subject_id).update(name=words["name"])

    def facts(self, subject_id: int, *, lock: bool = False) -> Facts | None:
        """As it stands there. What only sells as the platform offers it has nothing that could be screened, but can be
        taken down."""
        rows = Listing.objects.select_for_update() if lock else Listing.objects.all()
        listing = rows.filter(variant_id=subject_id).first()
        variant = _variants([subject_id]).get(subject_id)
        if variant is None:
            return None
        return listing_facts(listing or Listing(variant_id=subject_id), variant, authorizations_here())

    def stand(self, subject_id: int, standing: Standing, *, words: Mapping[str, str], caught: Collection[str]) -> None:
        """The shop's own shelf sees it with the next page."""
        rows = Listing.objects.filter(variant_id=subject_id)
        if not rows.update(standing=standing) and standing != Standing.CLEAR:
            Listing.objects.create(variant_id=subject_id, standing=standing)
        shop_touch(shop_id=shop_id_here())

    def batch(self, after: int, limit: int) -> Sequence[tuple[int, Facts]]:
        """Those with a name of their own."""
        listings = list(_named().filter(variant_id__gt=after)[:limit])
        if not listings:
            return []
        variants, papers = _variants([listing.variant_id for listing in listings]), authorizations_here()
        return [
            (listing.variant_id, listing_facts(listing, variants[listing.variant_id], papers))
            for listing in listings
            if listing.variant_id in variants
        ]

    def ids(self) -> Sequence[int]:
        """The same."""
        return list(_named().values_list("variant_id", flat=True))


LISTINGS = Listings()


def _named() -> "QuerySet[Listing]":
    return Listing.objects.exclude(name="").order_by("variant_id")


_PRODUCTS = Product.objects.select_related("brand", "category").only(
    "name", "kind", "brand__slug", "brand__name", "brand__name_en", "category__slug", "category__name"
)


def _variants(ids: Sequence[int]) -> dict[int, Variant]:
    """With no more than is screened: a product's texts are many times as long, and read once for all its amounts."""
    variants = Variant.objects.filter(product__owner=None).only("name", "product_id").in_bulk(ids)
    products = _PRODUCTS.in_bulk({variant.product_id for variant in variants.values()})
    for variant in variants.values():
        variant.product = products[variant.product_id]
    return variants


def authorizations_here() -> Authorizations:
    """The papers of the shop whose schema this is."""
    return authorizations_of_shop(connection.schema_name)  # type: ignore[attr-defined]


def shop_id_here() -> int:
    """Its row's key."""
    schema_name = connection.schema_name  # type: ignore[attr-defined]
    return int(Reseller.objects.values_list("pk", flat=True).get(schema_name=schema_name))
