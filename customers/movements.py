"""What went through a customer's wallet or points, as the book has it: each movement with what was there after it."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from customers.points import PER_YUAN
from customers.wallets import book_owner
from kameng.core import sql
from resellers.ledger.models import Account, Journal

_MOVED = """
SELECT journal.kind, journal.order_number, journal.posted_at, -entry.amount,
       -sum(entry.amount) OVER (ORDER BY entry.id)
  FROM public.ledger_account AS account
  JOIN public.ledger_entry AS entry ON entry.account_id = account.id
  JOIN public.ledger_journal AS journal ON journal.id = entry.journal_id
 WHERE account.name = %s AND account.owner = %s
 ORDER BY entry.id DESC LIMIT %s
"""


class Moved(NamedTuple):
    """`amount` came in, or went out where it is negative; `after` was there then. In yuan."""

    kind: str
    order_number: str
    at: datetime
    amount: Decimal
    after: Decimal

    @property
    def label(self) -> str:
        """What it was, in the reader's language."""
        return str(Journal.Kind(self.kind).label)


def wallet_movements(*, shop_id: int, customer_id: int, limit: int) -> Sequence[Moved]:
    """The newest first."""
    return _moved(Account.Name.WALLET, shop_id, customer_id, limit)


def points_movements(*, shop_id: int, customer_id: int, limit: int) -> Sequence[Moved]:
    """The same of points, in points."""
    moved = _moved(Account.Name.POINTS, shop_id, customer_id, limit)
    return [one._replace(amount=one.amount * PER_YUAN, after=one.after * PER_YUAN) for one in moved]


def _moved(name: Account.Name, shop_id: int, customer_id: int, limit: int) -> Sequence[Moved]:
    found = sql.rows_anywhere(sql.Report(_MOVED), [str(name), book_owner(shop_id, customer_id), limit])
    return [Moved._make(row) for row in found]
