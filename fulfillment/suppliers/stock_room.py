"""Our own shelf: codes that we hold, given to whoever asks first, each to one reference for ever."""

from collections.abc import Iterable, Sequence

from django.db import connection, transaction
from django.db.models.functions import Now

from catalog.models import Variant
from fulfillment.suppliers.models import StockCode, Supplier
from kameng.core.encryption import digest, seal, unseal
from kameng.outbox.services import publish

#: Picked first and once: as the update's sub-select it could be run for each row, and take more than its limit.
_TAKE = """
WITH picked AS MATERIALIZED (
    SELECT id FROM public.suppliers_stockcode
     WHERE variant_id = (SELECT id FROM public.catalog_variant WHERE sku = %s) AND reference = '' AND supplier_id = %s
     ORDER BY id LIMIT %s FOR UPDATE SKIP LOCKED)
UPDATE public.suppliers_stockcode AS code
   SET reference = %s, schema_name = %s, taken_at = statement_timestamp()
  FROM picked WHERE code.id = picked.id
RETURNING code.id, code.sealed, code.digest
"""


class TooFew(Exception):
    """The shelf has less than was asked for."""


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
        """Codes for the reference, the same ones however often it asks; None if there are too few."""
        if known := self.given(reference=reference):
            return known
        schema_name = connection.schema_name  # type: ignore[attr-defined]
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(_TAKE, [sku, self.supplier_id, quantity, reference, schema_name])
                rows = cursor.fetchall()
                if len(rows) < quantity:
                    raise TooFew
                free = StockCode.objects.filter(variant__sku=sku, supplier_id=self.supplier_id, reference="")
                if not free.exists():
                    publish("variant.refresh", variant_sku=sku)
        except TooFew:
            return None
        return [unseal(sealed, context=f"code:{fingerprint}") for _, sealed, fingerprint in sorted(rows)]

    def given(self, *, reference: str) -> Sequence[str]:
        """Codes that the reference was given before."""
        return [code_open(code) for code in StockCode.objects.filter(reference=reference).order_by("pk")]


def stock_load(*, supplier: Supplier, variant: Variant, codes: Iterable[str]) -> int:
    """Put codes on the shelf; those known before, or empty, are left out. The number that was added."""
    rows = []
    for code in codes:
        code = code.strip()
        if code:
            sealed, fingerprint = code_seal(code)
            rows.append(StockCode(variant=variant, supplier=supplier, sealed=sealed, digest=fingerprint))
    before = StockCode.objects.filter(supplier=supplier, variant=variant).count()
    StockCode.objects.bulk_create(rows, batch_size=2000, ignore_conflicts=True)
    return StockCode.objects.filter(supplier=supplier, variant=variant).count() - before


def codes_keep(
    *, supplier_id: int, variant_id: int, reference: str, schema_name: str, codes: Sequence[str]
) -> list[int]:
    """Store codes that a supplier sent for a reference, and return the ids of all that are the reference's own.

    A code that is known already belongs to somebody: it is not stored again, so fewer ids than codes come back.
    """
    rows = []
    for code in codes:
        sealed, fingerprint = code_seal(code)
        rows.append(
            StockCode(
                variant_id=variant_id,
                supplier_id=supplier_id,
                sealed=sealed,
                digest=fingerprint,
                reference=reference,
                schema_name=schema_name,
                taken_at=Now(),
            )
        )
    StockCode.objects.bulk_create(rows, ignore_conflicts=True)
    own = StockCode.objects.filter(reference=reference, digest__in=[row.digest for row in rows])
    return list(own.order_by("pk").values_list("pk", flat=True))
