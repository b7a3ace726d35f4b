"""What a supplier was paid for and nobody could use: booked once, until it is claimed back or borne."""

from decimal import Decimal

from django.db import transaction
from django.db.models.functions import Now

from fulfillment.suppliers.models import DuplicateSupply
from kameng.core import sql
from kameng.core.ids import shop_id_of
from resellers.ledger.posting import Kind, Move, Name, post

Status = DuplicateSupply.Status

_BOOK = """
INSERT INTO public.suppliers_duplicatesupply
       (supplier_id, variant_id, schema_name, reference, quantity, codes, cost, status, note, actor)
VALUES (%(supplier)s, %(variant)s, %(schema)s, %(reference)s, %(quantity)s, %(codes)s, %(cost)s, 'open', %(note)s, '')
    ON CONFLICT (reference) DO NOTHING
RETURNING id
"""


def duplicate_book(
    *,
    supplier_id: int,
    variant_id: int,
    schema_name: str,
    reference: str,
    quantity: int,
    codes: int,
    cost: Decimal,
    note: str,
) -> bool:
    """Book what came for one attempt, in the caller's transaction; however often it is told. True the first time.

    `cost` in yuan for the whole attempt, `codes` of them kept under its reference.
    """
    booked = sql.rows_anywhere(
        _BOOK,
        {
            "supplier": supplier_id, "variant": variant_id, "schema": schema_name, "reference": reference,
            "quantity": quantity, "codes": codes, "cost": cost, "note": note[:200],
        },
    )  # fmt: skip
    if booked:
        moves = [Move(Name.DUPLICATES, cost, supplier_id), Move(Name.SUPPLIER, -cost, supplier_id)]
        post(f"duplicate:{reference}", Kind.DUPLICATE, moves, shop_id=shop_id_of(reference))
    return bool(booked)


@transaction.atomic
def duplicate_close(*, duplicate_id: int, claimed: bool, note: str, actor: str) -> bool:
    """The supplier gave the money back, or we bear the loss. False where somebody closed it before."""
    status = Status.CLAIMED if claimed else Status.ABSORBED
    changed = DuplicateSupply.objects.filter(pk=duplicate_id, status=Status.OPEN).update(
        status=status, note=note[:200], actor=actor, closed_at=Now()
    )
    if changed:
        known = DuplicateSupply.objects.get(pk=duplicate_id)
        borne = Move(Name.SUPPLIER, known.cost, known.supplier_id) if claimed else Move(Name.COST, known.cost)
        moves = [borne, Move(Name.DUPLICATES, -known.cost, known.supplier_id)]
        post(f"claim:{known.reference}", Kind.CLAIM, moves, shop_id=shop_id_of(known.reference))
    return changed > 0
