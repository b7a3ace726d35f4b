"""I1: what owners paid out of their balances, and got for whom they brought, is in the book."""

from kameng.audit.reach import whole
from kameng.audit.reading import Breaches, found

_MOVED = """
WITH shown AS (
    SELECT 'rent:' || key AS key, shop_id AS owner, -price_paid AS amount
      FROM public.plans_subscription WHERE paid_by = 'balance' AND price_paid > 0
    UNION ALL
    SELECT 'commission:' || subscription_id, inviter_id, amount - taken_back
      FROM public.plans_commission WHERE amount > taken_back
), booked AS (
    SELECT CASE WHEN journal.kind = 'rent' THEN journal.key
                ELSE 'commission:' || split_part(journal.key, ':', 2) END AS key,
           account.owner, -sum(entry.amount) AS amount
      FROM public.ledger_journal AS journal
      JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id
      JOIN public.ledger_account AS account ON account.id = entry.account_id
     WHERE journal.kind IN ('rent', 'commission', 'commission_back') AND account.name IN ('available', 'pending')
     GROUP BY 1, 2 HAVING sum(entry.amount) <> 0
)
SELECT key, owner, coalesce(shown.amount, 0) AS shown, coalesce(booked.amount, 0) AS booked
  FROM shown FULL JOIN booked USING (key, owner)
 WHERE coalesce(shown.amount, 0) <> coalesce(booked.amount, 0)
"""
_STRANGE = """
SELECT journal.key, account.name FROM public.ledger_account AS account
  JOIN public.ledger_entry AS entry ON entry.account_id = account.id
  JOIN public.ledger_journal AS journal ON journal.id = entry.journal_id
 WHERE (account.name = 'rents' AND journal.kind <> 'rent')
    OR (account.name = 'commissions' AND journal.kind NOT IN ('commission', 'commission_back'))
"""


@whole
def plans_are_in_the_book() -> Breaches:
    """Each rent out of a balance and each commission moved what its row says, and nothing else did."""
    yield from found("{key} makes {shown} for shop #{owner}, the book says {booked}", _MOVED)
    yield from found("{key} is on {name}, which is for plans", _STRANGE)
