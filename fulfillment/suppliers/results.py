"""How calls and attempts ended, written down in public: what breaker and ranking stand on."""

from datetime import datetime
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from fulfillment.suppliers.base import Outcome, OutcomeKind
from fulfillment.suppliers.models import SupplierCall, SupplierResult
from fulfillment.suppliers.reasons import Reason
from kameng.core import sql

Flow = SupplierCall.Flow
Status = SupplierResult.Status

#: A refusal for one of these says something about the order, and nothing about the supplier.
ABOUT_ORDER = frozenset({
    Reason.BAD_ACCOUNT, Reason.BAD_REQUEST, Reason.BAD_SKU, Reason.MISSING_ACCOUNT, Reason.WRONG_KIND,
    Reason.PRICE_ABOVE_LIMIT, Reason.COST_UNKNOWN,
})  # fmt: skip
#: An unclear end for one of these is the protocol's or ours, not a sign of trouble over there.
_NO_TROUBLE = frozenset({Reason.DUPLICATE, Reason.NO_REFERENCE, Reason.NOT_SUPPORTED, Reason.TOO_LATE, Reason.HELD_UP})
KEEP_CALLS_DAYS, KEEP_RESULTS_DAYS = 8, 90


def is_failure(outcome: Outcome) -> bool:
    """Whether a call counts against the supplier: not reached, not understood, or refused for its own reasons."""
    if outcome.kind in (OutcomeKind.NOT_SENT, OutcomeKind.REFUSED, OutcomeKind.FAILED):
        return outcome.code not in ABOUT_ORDER
    return outcome.kind == OutcomeKind.UNKNOWN and outcome.code not in _NO_TROUBLE


def was_sent(outcome: Outcome) -> bool:
    """Whether anything was asked at all; our own guards may have held it back."""
    return outcome.kind != OutcomeKind.NOT_SENT and outcome.code != Reason.HELD_UP


_CALL = """
INSERT INTO public.suppliers_suppliercall (supplier_id, flow, kind, code, is_failure, milliseconds)
VALUES (%s, %s, %s, %s, %s, %s)
"""


def call_record(*, supplier_id: int, flow: SupplierCall.Flow, outcome: Outcome, seconds: float) -> None:
    """Write one exchange down. Outside a transaction it is kept whatever happens next."""
    milliseconds = min(int(seconds * 1000), 2_000_000_000)
    sql.later_anywhere(
        _CALL,
        [
            supplier_id,
            str(flow),
            str(outcome.kind),
            outcome.code.replace("\0", "")[:64],
            is_failure(outcome),
            milliseconds,
        ],
    )


_RESULT = """
INSERT INTO public.suppliers_supplierresult AS known
       (supplier_id, variant_id, category_id, schema_name, reference, status, code, quantity, cost, seconds,
        is_about_order, is_exploration)
SELECT %(supplier)s, variant.id, product.category_id, %(schema)s, %(reference)s, %(status)s, %(code)s, %(quantity)s,
       %(cost)s, %(seconds)s, %(about_order)s, %(exploration)s
  FROM public.catalog_variant AS variant JOIN public.catalog_product AS product ON product.id = variant.product_id
 WHERE variant.id = %(variant)s
    ON CONFLICT (reference) DO UPDATE SET status = EXCLUDED.status
"""


def result_record(
    *,
    supplier_id: int,
    variant_id: int,
    reference: str,
    status: SupplierResult.Status,
    code: str,
    quantity: int,
    cost: Decimal,
    begun_at: datetime,
    is_exploration: bool,
) -> None:
    """Write down how an attempt of the current shop ended, in the transaction that ends it; again when it is reversed.

    `cost` in yuan for the whole attempt.
    """
    sql.later_anywhere(
        _RESULT,
        {
            "supplier": supplier_id, "variant": variant_id, "reference": reference, "status": str(status),
            "schema": connection.schema_name,  # type: ignore[attr-defined]
            "code": code.replace("\0", "")[:64], "quantity": quantity, "cost": cost, "about_order": code in ABOUT_ORDER,
            "seconds": max((timezone.now() - begun_at).total_seconds(), 0.0), "exploration": is_exploration,
        },
    )  # fmt: skip


def results_prune() -> None:
    """Forget calls and results that nothing stands on any more."""
    sql.execute_anywhere(
        "DELETE FROM public.suppliers_suppliercall WHERE created_at < now() - %s * interval '1 day'", [KEEP_CALLS_DAYS]
    )
    sql.execute_anywhere(
        "DELETE FROM public.suppliers_supplierresult WHERE created_at < now() - %s * interval '1 day'",
        [KEEP_RESULTS_DAYS],
    )
