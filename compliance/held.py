"""Whether somebody holds a license on the day, as a condition of SQL: what `validity.lacking` says, asked by statements
in which something is bought or paid.

It is computed and not stored: the end of a license counts from midnight on and a renewal at once, whoever was told
meanwhile.
"""

from django.conf import settings

#: The day of the statement, by the site's clock.
TODAY = f"(statement_timestamp() AT TIME ZONE '{settings.TIME_ZONE}')::date"
#: A row that counts, whatever its days are; the ORM's way of saying so is `selectors.licenses_in_force`.
IN_FORCE = "paper.review = 'confirmed' AND paper.replaced_by_id IS NULL AND paper.revoked_at IS NULL"


def held(*, holder_kind: str, holder: str, kind: str, category: str, brand: str) -> str:
    """A condition over columns: the holder has a license of the kind today, with the category and the brand (both by
    slug; the brand's may be null) in its scope."""
    return f"""EXISTS (
              SELECT FROM public.compliance_license AS paper
               WHERE paper.holder_kind = '{holder_kind}' AND paper.holder = {holder} AND paper.kind = {kind}
                 AND {IN_FORCE} AND {TODAY} BETWEEN paper.valid_from AND coalesce(paper.valid_until, 'infinity'::date)
                 AND (paper.categories = '{{}}' OR {category} = ANY(paper.categories))
                 AND (paper.brands = '{{}}' OR {brand} = ANY(paper.brands)))"""
