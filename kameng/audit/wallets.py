"""I11: what customers can spend is what the book says of it."""

from customers.wallets import book_owner
from kameng.audit.reach import whole
from kameng.audit.reading import Breaches, found
from resellers.models import Reseller

#: Every account of the shop's customers, whether or not somebody is there whose it is; by snapshot and tail.
_OWED = """
WITH here AS (SELECT id, {held} AS amount FROM customers_customer), booked AS (
    SELECT account.owner - %(first)s AS id, -held.amount AS amount
      FROM public.ledger_account AS account
      LEFT JOIN public.ledger_balance AS known ON known.account_id = account.id
     CROSS JOIN LATERAL (
           SELECT coalesce(known.amount, 0) + coalesce(sum(entry.amount), 0) AS amount
             FROM public.ledger_entry AS entry
            WHERE entry.account_id = account.id AND entry.id > coalesce(known.upto, 0)) AS held
     WHERE account.name = %(name)s AND account.owner >= %(first)s AND account.owner < %(next)s
)
SELECT id, coalesce(here.amount::text, 'no account') AS shown, coalesce(booked.amount, 0) AS booked
  FROM here FULL JOIN booked USING (id)
 WHERE here.amount IS DISTINCT FROM coalesce(booked.amount, 0) OR here.amount < 0
"""
#: What a customer can spend, by the account of the book on which it is owed, in yuan.
_HELD = {"wallet": "wallet", "points": "points / 100.0"}


@whole
def wallets_are_in_the_book(shop: Reseller) -> Breaches:
    """In the column from which they spend, and in the book; each of a customer who is there."""
    bounds = {"first": book_owner(shop.pk, 0), "next": book_owner(shop.pk + 1, 0)}
    for name, held in _HELD.items():
        sentence = "customer #{id} has {shown} in " + name + ", the book says {booked}"
        yield from found(sentence, _OWED.format(held=held), {**bounds, "name": name})
