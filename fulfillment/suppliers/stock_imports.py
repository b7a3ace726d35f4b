"""Putting long lists of codes on a shelf in the background, part by part, and taking one back.

A part is one transaction: its codes, what was counted of them, and that it is gone. So an import goes on where it was
interrupted, and no line is counted twice; that no code is stored twice, the database holds.
"""

import time
from collections.abc import Iterable, Mapping, Sequence

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from catalog.models import Variant
from fulfillment.suppliers.costs import availability_refresh
from fulfillment.suppliers.models import StockCode, StockImport, StockImportPart, Supplier
from fulfillment.suppliers.stock_files import as_code
from fulfillment.suppliers.stock_room import AT_ONCE, code_digest, codes_add
from kameng.alerts.services import alert_raise
from kameng.core import sql
from kameng.core.problems import Problem
from kameng.outbox.services import publish

#: After so many seconds a worker lets others have a turn.
TURN_SECONDS = 5.0
#: Ranges of line numbers that are kept of each kind of lines that were left out.
MOST_RANGES = 1000
#: Somebody brings codes that others have: told to operators, because guessing would look like that.
FOREIGN = "stock.foreign_codes"


class ImportRunning(Problem):
    """It cannot be taken back before it is through."""

    code = "import_running"
    status = 409
    message = gettext_lazy("还在导入，完成以后再撤销")


@transaction.atomic
def import_begin(
    *, supplier: Supplier, variant: Variant, schema_name: str, lines: Sequence[str], source: str, actor: str
) -> StockImport:
    """Take a list (`stock_files`) and put it on the shelf in the background; the lines are kept sealed until then."""
    batch = StockImport.objects.create(
        variant=variant, supplier=supplier, schema_name=schema_name, source=source[:120], lines=len(lines), actor=actor
    )
    for start in range(0, len(lines), AT_ONCE):
        part = StockImportPart(batch=batch, first=start + 1)
        part.text = "\n".join(lines[start : start + AT_ONCE])
        part.save()
    publish("stock.import", import_id=batch.pk)
    return batch


def import_run(*, import_id: int) -> float | None:
    """Go on with an import for a while; 0 where some of it is left."""
    until = time.monotonic() + TURN_SECONDS
    while _part_run(import_id):
        if time.monotonic() > until:
            return 0
    return None


@transaction.atomic
def _part_run(import_id: int) -> bool:
    """One part; False where there is none left. The import's row is held: whoever comes second finds the next part."""
    batch = StockImport.objects.select_for_update().get(pk=import_id)
    part = StockImportPart.objects.filter(batch=batch).order_by("first").first()
    if part is None:
        if batch.finished_at is None:
            StockImport.objects.filter(pk=batch.pk).update(finished_at=Now())
            availability_refresh(variant_ids=[batch.variant_id])
        return False
    lines = part.text.split("\n")
    added, left_out = _shelve(batch, part.first, lines)
    for kind, numbers in left_out.items():
        batch.problems[kind] = ranges_add(batch.problems.get(kind, []), numbers)
    batch.done += len(lines)
    batch.added += added
    batch.repeated += len(left_out["repeated"])
    batch.known += len(left_out["known"])
    batch.bad += len(left_out["bad"])
    batch.save(update_fields=["done", "added", "repeated", "known", "bad", "problems"])
    part.delete()
    if batch.added and Variant.objects.filter(pk=batch.variant_id, is_available=False).exists():
        availability_refresh(variant_ids=[batch.variant_id])
    return True


def _shelve(batch: StockImport, first: int, lines: Iterable[str]) -> tuple[int, dict[str, list[int]]]:
    """Put the codes of a part on the shelf: how many, and the numbers of the lines that were left out, by why."""
    fresh: dict[str, tuple[int, str]] = {}
    left_out: dict[str, list[int]] = {"repeated": [], "known": [], "bad": []}
    again: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=first):
        code = as_code(line)
        if code is None:
            left_out["bad"].append(number)
        elif code:
            fingerprint = code_digest(code)
            if fingerprint in fresh:
                again.append((number, fingerprint))
            else:
                fresh[fingerprint] = (number, code)
    added = codes_add(
        supplier_id=batch.supplier_id, variant_id=batch.variant_id, batch_id=batch.pk,
        codes=[code for _number, code in fresh.values()],
    )  # fmt: skip
    again += [(number, fingerprint) for fingerprint, (number, _code) in fresh.items() if fingerprint not in added]
    stored = dict(StockCode.objects.filter(digest__in=[one for _n, one in again]).values_list("digest", "batch_id"))
    for number, fingerprint in sorted(again):
        left_out["repeated" if stored.get(fingerprint) == batch.pk else "known"].append(number)
    _watch(batch, [fingerprint for _number, fingerprint in again])
    return len(added), left_out


def _watch(batch: StockImport, known: Sequence[str]) -> None:
    """Tell operators of codes that belong to others."""
    owner_id = batch.variant.product.owner_id
    owners = StockCode.objects.filter(digest__in=known).values_list("variant__product__owner_id", flat=True)
    if count := sum(one != owner_id for one in owners):
        alert_raise(FOREIGN, subject=batch.schema_name, import_id=batch.pk, count=count)


def ranges_add(ranges: Sequence[Sequence[int]], numbers: Iterable[int]) -> list[list[int]]:
    """Growing line numbers put to ranges that have them already; what does not fit is left out.

    >>> ranges_add([[1, 2]], [3, 4, 9])
    [[1, 4], [9, 9]]
    """
    kept = [list(one) for one in ranges]
    for number in numbers:
        if kept and kept[-1][1] == number - 1:
            kept[-1][1] = number
        elif len(kept) < MOST_RANGES:
            kept.append([number, number])
    return kept


@transaction.atomic
def import_undo(*, import_id: int, schema_name: str, actor: str) -> StockImport:
    """Take back what an import of this shop brought and nobody has bought; what was sold stays sold.

    Safe to call again. Raises `StockImport.DoesNotExist` and `ImportRunning`.
    """
    batch = StockImport.objects.select_for_update().get(pk=import_id, schema_name=schema_name)
    if batch.finished_at is None:
        raise ImportRunning
    if batch.undone_at is not None:
        return batch
    # Whoever is buying one at this moment has it: the row is looked at again once they are through.
    batch.withdrawn = sql.execute_anywhere(sql.Report(_WITHDRAW), [batch.variant_id, batch.pk])
    batch.undone_at, batch.undone_by = Now(), actor
    batch.save(update_fields=["withdrawn", "undone_at", "undone_by"])
    batch.refresh_from_db()
    availability_refresh(variant_ids=[batch.variant_id])
    return batch


_WITHDRAW = "DELETE FROM public.suppliers_stockcode WHERE variant_id = %s AND batch_id = %s AND reference = ''"


def sold_of(batch: StockImport) -> list[str]:
    """The purchases that took codes of an import."""
    taken = StockCode.objects.filter(variant=batch.variant_id, batch=batch).exclude(reference="")
    return list(taken.order_by("taken_at").values_list("reference", flat=True))


def stock_counts(variant_ids: Iterable[int]) -> Mapping[int, int]:
    """How many codes of each lie on the shelf."""
    return dict(sql.rows_anywhere(sql.Report(_FREE), [list(variant_ids)]))


_FREE = """
SELECT variant_id, count(*) FROM public.suppliers_stockcode
 WHERE variant_id = ANY(%s::bigint[]) AND reference = '' GROUP BY variant_id
"""
