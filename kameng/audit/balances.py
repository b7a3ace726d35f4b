"""I11: nobody spends more than there is: balances of clients, deposits, and what is on its way to owners.

What owners may withdraw is not here: a refund can take back more than they have left, and what they earn next is set
off against it.
"""

from kameng.audit.reach import whole
from kameng.audit.reading import Breaches, found

#: Accounts that can only be spent down to nothing: whoever takes from one looks at it under a lock.
_SPENT = ("prepaid", "wallet", "points", "deposit", "deposit_held", "withdrawals")

#: By snapshot and tail, so that it costs the same however long the book is; whether a snapshot is the sum of its
#: entries is asked by I1. These accounts grow by negative entries.
_BELOW = """
SELECT account.name, account.owner, -held.amount AS amount
  FROM public.ledger_account AS account
  LEFT JOIN public.ledger_balance AS known ON known.account_id = account.id
 CROSS JOIN LATERAL (
       SELECT coalesce(known.amount, 0) + coalesce(sum(entry.amount), 0) AS amount FROM public.ledger_entry AS entry
        WHERE entry.account_id = account.id AND entry.id > coalesce(known.upto, 0)) AS held
 WHERE account.name = ANY(%(names)s) AND held.amount > 0
"""
_CLIENTS = "SELECT id, name, balance FROM public.clients_client WHERE balance < 0"


@whole
def nothing_below_zero() -> Breaches:
    """In the book, and in the column from which clients spend."""
    yield from found("{name}:{owner} is at {amount}", _BELOW, {"names": [*_SPENT]})
    yield from found("client #{id} {name} has {balance}", _CLIENTS)
