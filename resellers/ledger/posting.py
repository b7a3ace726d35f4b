"""Writing a journal, in the transaction of what it tells of."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from kameng.core import sql
from resellers.ledger.models import Account, Journal

Name = Account.Name
Kind = Journal.Kind

_POST = "SELECT public.ledger_post(%s, %s, %s, %s, %s::text[], %s::bigint[], %s::numeric[])"


class Move(NamedTuple):
    """So much more on an account (a debit), or less (a negative amount, a credit); in yuan."""

    name: Account.Name
    amount: Decimal
    owner: int = 0


def post(key: str, kind: Journal.Kind, moves: Sequence[Move], *, shop_id: int | None, order_number: str = "") -> None:
    """Write down that money moved. What is written under a key already is not written again.

    Moves over nothing are left out; a journal of nothing is none. The database refuses, at the latest on commit, what
    does not sum to zero, and other moves under a known key (`django.db.IntegrityError`).
    """
    moves = [move for move in moves if move.amount]
    if moves:
        names, amounts, owners = zip(*moves, strict=True)
        sql.later_anywhere(
            _POST, [key, kind, shop_id, order_number, [str(name) for name in names], list(owners), list(amounts)]
        )
