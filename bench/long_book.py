"""A book as long as after years: filled, summed up, and read. In the product's environment."""

import time
from decimal import Decimal
from typing import Any

#: Shops that a book of this length would have entries of.
SHOPS = 1_000
TAIL, READS = 200, 300
#: A long book in one stroke: nobody could post it while somebody waits, and the triggers would look at each row.
_LONG_BOOK = """
ALTER TABLE public.ledger_journal DISABLE TRIGGER USER;
ALTER TABLE public.ledger_entry DISABLE TRIGGER USER;
INSERT INTO public.ledger_account (name, owner)
SELECT name, owner FROM unnest(ARRAY['orders', 'pending']) AS name, generate_series(%(first)s, %(last)s) AS owner
    ON CONFLICT DO NOTHING;
CREATE TEMPORARY TABLE long_journal ON COMMIT DROP AS
SELECT nextval(pg_get_serial_sequence('public.ledger_journal', 'id')) AS id, n
  FROM generate_series(1, %(journals)s) AS n;
INSERT INTO public.ledger_journal (id, key, kind, shop_id, order_number, size)
SELECT id, 'bench:' || id, 'delivery', %(first)s + n %% %(shops)s, 'B' || n, 2 FROM long_journal;
INSERT INTO public.ledger_entry (journal_id, account_id, amount)
SELECT long_journal.id, account.id, CASE account.name WHEN 'orders' THEN 9.9 ELSE -9.9 END
  FROM long_journal JOIN public.ledger_account AS account
    ON account.owner = %(first)s + long_journal.n %% %(shops)s AND account.name IN ('orders', 'pending');
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE public.ledger_journal ENABLE TRIGGER USER;
ALTER TABLE public.ledger_entry ENABLE TRIGGER USER;
"""
#: Ids of shops that there are none of.
_FIRST_SHOP = 1_000_000


def post_one(number: str) -> None:
    """Post a journal of two entries under a key of its own."""
    from django.db import transaction

    from resellers.ledger.posting import Kind, Move, Name, post

    with transaction.atomic():
        moves = [Move(Name.ORDERS, Decimal("9.9"), 1), Move(Name.PENDING, Decimal("-9.9"), _FIRST_SHOP)]
        post(f"bench:{number}", Kind.DELIVERY, moves, shop_id=1, order_number=number)


def measured(entries: int) -> dict[str, Any]:
    """Fill the book up to so many entries, sum it up, and read balances while a few entries are newer than that."""
    from django.db import connection, transaction

    from resellers.ledger.balances import balances_of, balances_snapshot
    from resellers.ledger.models import Account, Entry
    from resellers.ledger.posting import Name

    missing = entries - Entry.objects.count()
    if missing > 0:
        numbers = {"first": _FIRST_SHOP, "last": _FIRST_SHOP + SHOPS - 1, "shops": SHOPS, "journals": -(-missing // 2)}
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")  # years of entries in one statement
            with transaction.atomic():
                cursor.execute(_LONG_BOOK, numbers)
            cursor.execute("VACUUM ANALYZE public.ledger_entry")
            cursor.execute("RESET statement_timeout")
    begun = time.perf_counter()
    balances_snapshot()
    snapshot = time.perf_counter() - begun
    for number in range(TAIL):
        post_one(f"tail{number}")
    reads = []
    for number in range(READS):
        begun = time.perf_counter()
        balances_of(_FIRST_SHOP + number % 2 * (SHOPS // 2), Name.PENDING)
        reads.append(time.perf_counter() - begun)
    told = {"entries": Entry.objects.count(), "accounts": Account.objects.count()}
    return {**told, "snapshot": snapshot, "reads": reads}
