"""Whether a supplier has the licenses that a category requires on the day: asked within the statement that chooses.

What pages read is told by `licenses_changed` and `requirements_changed` of `fulfillment.services`.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL
from django.utils import timezone
from django_tenants.utils import get_public_schema_name

from catalog.models import Product
from compliance.gate.models import SubjectKind
from compliance.gate.subjects import Standing
from compliance.held import held
from compliance.models import Kind
from compliance.rules import book_now
from compliance.selectors import papers_of, required_kinds
from compliance.validity import lacking
from fulfillment.suppliers.models import SupplierOffer
from kameng.outbox.services import publish


def licensed(*, variant_id: str, supplier_code: str) -> str:
    """A condition of SQL over two columns: nothing that the variant's category requires is lacking today. Whoever sells
    a good of their own supplies it, too: what is asked of suppliers, the shop's papers must show."""
    has_it = held(
        holder_kind="supplier", holder=supplier_code, kind="required.kind", category="sold_category.slug",
        brand="sold_brand.slug",
    )  # fmt: skip
    owner_has_it = held(
        holder_kind="seller", holder="owner.slug", kind="required.kind", category="sold_category.slug",
        brand="sold_brand.slug",
    )  # fmt: skip
    return f"""NOT EXISTS (
       SELECT FROM public.catalog_variant AS sold
         JOIN public.catalog_product AS sold_product ON sold_product.id = sold.product_id
         JOIN public.catalog_category AS sold_category ON sold_category.id = sold_product.category_id
         JOIN public.compliance_requirement AS required
           ON required.category = sold_category.slug AND required.holder_kind = 'supplier'
         LEFT JOIN public.catalog_brand AS sold_brand ON sold_brand.id = sold_product.brand_id
         LEFT JOIN public.resellers_reseller AS owner ON owner.id = sold_product.owner_id
        WHERE sold.id = {variant_id}
          AND NOT CASE WHEN owner.id IS NULL THEN {has_it} ELSE {owner_has_it} END)"""


#: The same for the ORM, over offers with their suppliers.
IS_LICENSED = RawSQL(
    licensed(variant_id="suppliers_supplieroffer.variant_id", supplier_code="suppliers_supplier.code"), []
)


def suppliers_of_products(product_ids: Collection[int]) -> dict[int, frozenset[str]]:
    """Of whom each product may be bought, by the suppliers' codes: whoever has an active offer of one of its amounts.
    One query."""
    found: dict[int, set[str]] = defaultdict(set)
    offers = SupplierOffer.objects.filter(variant__product__in=product_ids, is_active=True, supplier__is_active=True)
    for product_id, code in offers.order_by().values_list("variant__product_id", "supplier__code").distinct():
        found[product_id].add(code)
    return {product_id: frozenset(codes) for product_id, codes in found.items()}


def supplier_begins(offers: QuerySet[SupplierOffer]) -> None:
    """Somebody begins to offer goods, or does so again, and may have had the paper of their brand for long: what is off
    sale of these goods is looked at again, one by one."""
    off_sale = Product.objects.filter(
        pk__in=offers.filter(is_active=True, supplier__is_active=True).values("variant__product"),
        owner=None, brand__isnull=False, standing__in=(Standing.FLAGGED, Standing.BLOCKED),
    )  # fmt: skip
    rules_version = book_now()[1]
    for product_id in off_sale.order_by("pk").values_list("pk", flat=True):
        publish(
            "subjects.rescreen", kind=SubjectKind.PRODUCT, shop=get_public_schema_name(), after=product_id - 1,
            until=product_id, rules_version=rules_version,
        )  # fmt: skip


def lacking_of(offers: Sequence[SupplierOffer]) -> dict[int, list[str]]:
    """What keeps offers of one variant from being bought today, as the names of the kinds, by the offer's id.

    Two queries at most; the offers come with their suppliers, variant, product, category and brand.
    """
    required = required_kinds() if offers else {}
    if not required:
        return {}
    papers = papers_of([offer.supplier.code for offer in offers])
    today = timezone.localdate()
    found = {}
    for offer in offers:
        product = offer.variant.product
        kinds = lacking(
            required.get(product.category.slug, ()),
            papers.get(offer.supplier.code, []),
            category=product.category.slug,
            brand=product.brand.slug if product.brand else "",
            on=today,
        )
        if kinds:
            found[offer.pk] = [str(Kind(kind).label) for kind in kinds]
    return found
