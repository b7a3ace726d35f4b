"""Our own shelf, and owners': codes that we hold, given to whoever asks first, each to one reference for ever."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from django.db import connection, transaction

from catalog.models import Variant
from fulfillment.suppliers.models import StockCode, Supplier
from kameng.core import sql
from kameng.core.encryption import digest, seal, unseal
from kameng.outbox.services import publish

#: Codes that are put on the shelf by one statement.
AT_ONCE = 2000
#: A shelf of this length is not emptied from its oldest code on: all buyers would walk past the same sold ones.
LONG_SHELF = 500
#: Picked first and once: as the update's sub-select it could be run for each row, and take more than its limit.
_TAKE = """
WITH shelf AS MATERIALIZED (
    SELECT variant.id AS variant_id, lowest.id AS lowest, highest.id AS highest,
           CASE WHEN %(anywhere)s AND highest.id - lowest.id > %(long)s
                THEN lowest.id + (random() * (highest.id - lowest.id))::bigint ELSE lowest.id END AS start
      FROM public.catalog_variant AS variant,
           LATERAL (SELECT id FROM public.suppliers_stockcode
                     WHERE variant_id = variant.id AND reference = '' AND supplier_id = %(supplier)s
                     ORDER BY id LIMIT 1) AS lowest,
           LATERAL (SELECT id FROM public.suppliers_stockcode
                     WHERE variant_id = variant.id AND reference = '' AND supplier_id = %(supplier)s
                     ORDER BY id DESC LIMIT 1) AS highest
     WHERE variant.sku = %(sku)s
), picked AS MATERIALIZED (
    SELECT id FROM public.suppliers_stockcode
     WHERE variant_id = (SELECT variant_id FROM shelf) AND reference = '' AND supplier_id = %(supplier)s
       AND id >= (SELECT start FROM shelf)
       AND NOT EXISTS (SELECT FROM public.suppliers_stockcode WHERE reference = %(reference)s AND reference <> '')
     ORDER BY id LIMIT %(quantity)s FOR UPDATE SKIP LOCKED)
UPDATE public.suppliers_stockcode AS code
   SET reference = %(reference)s, schema_name = %(schema)s, taken_at = statement_timestamp()
  FROM picked, shelf
 WHERE code.id = picked.id AND (SELECT count(*) FROM picked) = %(quantity)s
RETURNING code.id, code.sealed, code.digest, shelf.lowest, shelf.highest
"""
_GIVEN = "SELECT sealed, digest FROM public.suppliers_stockcode WHERE reference = %s AND reference <> '' ORDER BY id"
_IS_LEFT = """
SELECT EXISTS (
    SELECT FROM public.suppliers_stockcode
     WHERE variant_id = (SELECT id FROM public.catalog_variant WHERE sku = %s) AND reference = '' AND supplier_id = %s)
"""


def code_digest(code: str) -> str:
    """The fingerprint by which the same code is known again, whoever brings it."""
    return digest("".join(code.split()).upper(), purpose="stock-code")


def code_seal(code: str) -> tuple[str, str]:
    """A code as it is stored: sealed, and its digest."""
    fingerprint = code_digest(code)
    return seal(code, context=f"code:{fingerprint}"), fingerprint


def code_open(stock_code: StockCode) -> str:
    """The code in clear; for the one who proved that it is theirs. Raises `Unreadable`."""
    return code_unseal(stock_code.sealed, stock_code.digest)


def code_unseal(sealed: str, fingerprint: str) -> str:
    """The same for a code that was read as columns."""
    return unseal(sealed, context=f"code:{fingerprint}")


class ShelfRoom:
    """The stock of one supplier row (ours), seen by the adapter that sells from it."""

    def __init__(self, supplier_id: int) -> None:
        self.supplier_id = supplier_id

    def take(self, *, reference: str, sku: str, quantity: int) -> Sequence[str] | None:
        """Codes for the reference, the same ones however often it asks; None if there are too few.

        A short shelf is emptied oldest first. On a long one everybody begins somewhere else, and looks from its
        beginning only when that leads past its end.
        """
        wanted = {
            "reference": reference, "sku": sku, "quantity": quantity, "supplier": self.supplier_id, "long": LONG_SHELF,
            "schema": connection.schema_name,  # type: ignore[attr-defined]
        }  # fmt: skip
        with transaction.atomic(savepoint=False):
            taken = sql.rows_anywhere(sql.Report(_TAKE), {**wanted, "anywhere": True})
            taken = taken or sql.rows_anywhere(sql.Report(_TAKE), {**wanted, "anywhere": False})
            if not taken:
                return self.given(reference=reference) or None
            self._look_after(sku, taken)
        return [code_unseal(sealed, fingerprint) for _, sealed, fingerprint, *_ in sorted(taken)]

    def _look_after(self, sku: str, taken: Sequence[tuple[Any, ...]]) -> None:
        """Whoever takes the last code says so. Others are left as long as the first or the last one was."""
        _, _, _, lowest, highest = taken[0]
        ids = {row[0] for row in taken}
        if {lowest, highest} <= ids and sql.rows_anywhere(_IS_LEFT, [sku, self.supplier_id]) == [(False,)]:
            publish("variant.refresh", variant_sku=sku)

    def given(self, *, reference: str) -> Sequence[str]:
        """Codes that the reference was given before."""
        return [code_unseal(sealed, fingerprint) for sealed, fingerprint in sql.rows_anywhere(_GIVEN, [reference])]


def stock_load(*, supplier: Supplier, variant: Variant, codes: Iterable[str]) -> int:
    """Put codes on the shelf; those known before, or empty, are left out. The number that was added."""
    left = iter([code.strip() for code in codes if code.strip()])
    added = 0
    while part := list(islice(left, AT_ONCE)):
        added += len(codes_add(supplier_id=supplier.pk, variant_id=variant.pk, codes=part))
    return added


def codes_add(
    *, supplier_id: int, variant_id: int, codes: Iterable[str], batch_id: int | None = None
) -> frozenset[str]:
    """Put codes on the shelf in their order; the digests of those that are there now, the rest was known before."""
    pairs = [code_seal(code) for code in codes]
    told = [variant_id, supplier_id, batch_id, [digest for _, digest in pairs], [sealed for sealed, _ in pairs]]
    return frozenset(fingerprint for (fingerprint,) in sql.rows_anywhere(sql.Report(_ADD), told))


#: One after the other: of two who bring the same codes in different orders, each would wait for the other.
_ADD = """
WITH alone AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended('stock_add', 0)))
INSERT INTO public.suppliers_stockcode (variant_id, supplier_id, batch_id, digest, sealed, reference, schema_name)
SELECT %s::bigint, %s::bigint, %s::bigint, digest, sealed, '', ''
  FROM alone, unnest(%s::text[], %s::text[]) WITH ORDINALITY AS came (digest, sealed, place) ORDER BY place
ON CONFLICT (digest) DO NOTHING RETURNING digest
"""


def codes_known(codes: Iterable[str]) -> bool:
    """Whether the platform has seen one of them before."""
    return StockCode.objects.filter(digest__in=[code_digest(code) for code in codes]).exists()


def codes_keep(
    *, supplier_id: int, variant_id: int, reference: str, schema_name: str, codes: Sequence[str]
) -> list[int]:
    """Store codes that a supplier sent for a reference, and return the ids of all that are the reference's own.

    A code that is known already belongs to somebody: it is not stored again, so fewer ids than codes come back.
    """
    pairs = [code_seal(code) for code in codes]
    kept = sql.rows_anywhere(
        _KEEP,
        {
            "variant": variant_id, "supplier": supplier_id, "reference": reference, "schema": schema_name,
            "sealed": [sealed for sealed, _ in pairs], "digests": [fingerprint for _, fingerprint in pairs],
        },
    )  # fmt: skip
    return sorted(pk for (pk,) in kept)


#: The second half sees the table as it was before the first one, so each code is counted once.
_KEEP = """
WITH fresh AS (
    INSERT INTO public.suppliers_stockcode (variant_id, supplier_id, sealed, digest, reference, schema_name, taken_at)
    SELECT %(variant)s, %(supplier)s, sealed, digest, %(reference)s, %(schema)s, statement_timestamp()
      FROM unnest(%(sealed)s::text[], %(digests)s::text[]) AS came (sealed, digest)
    ON CONFLICT DO NOTHING RETURNING id)
SELECT id FROM fresh
 UNION ALL
SELECT id FROM public.suppliers_stockcode
 WHERE reference = %(reference)s AND reference <> '' AND digest = ANY(%(digests)s)
"""
