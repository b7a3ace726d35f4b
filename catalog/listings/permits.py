"""Whether a shop has the papers that a category requires of sellers, as a condition of SQL: for statements in which an
order is paid. The shelf asks `compliance.selectors.permits_of`; tests hold both together.
"""

from compliance.held import held


def unlicensed(*, product: str, schema_name: str) -> str:
    """A condition over a product's row and a shop's schema: the shop lacks something today. The house shop never does:
    it is the platform itself."""
    has_it = held(
        holder_kind="seller", holder="seller.slug", kind="required.kind", category="sold_category.slug",
        brand="sold_brand.slug",
    )  # fmt: skip
    return f"""EXISTS (
       SELECT FROM public.catalog_category AS sold_category
         JOIN public.compliance_requirement AS required
           ON required.category = sold_category.slug AND required.holder_kind = 'seller'
         JOIN public.resellers_reseller AS seller ON seller.schema_name = {schema_name} AND NOT seller.is_house
         LEFT JOIN public.catalog_brand AS sold_brand ON sold_brand.id = {product}.brand_id
        WHERE sold_category.id = {product}.category_id AND NOT {has_it})"""
